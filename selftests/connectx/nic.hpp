// SPDX-License-Identifier: Apache-2.0
// One function of the NIC: what its registers, commands and queues do. It knows PCI and
// the wire by a few functions that its owner gives it, so that it can be tested alone.
#pragma once

#include "selftests/connectx/engine.hpp"
#include "selftests/connectx/objects.hpp"
#include "selftests/connectx/pci.hpp"
#include "selftests/connectx/queues.hpp"
#include "selftests/connectx/segment.hpp"
#include "selftests/connectx/steering.hpp"
#include "selftests/connectx/wire.hpp"
#include <deque>
#include <set>

namespace cx {

struct NicOptions {
	std::array<uint8_t, 6> mac{};
	/// num_ports, from which the driver makes its vectors and channels.
	unsigned channels = 1;
	unsigned most_tis = 4096;  ///< a power of two
	unsigned most_keys = 4096; ///< the same
	bool tls = true, tls_1_2 = true, tls_1_3 = true;
	bool crypto = false;       ///< the CRYPTO capability: keys in bulk
	bool multi_packet = false; ///< enhanced multi-packet work requests
	unsigned most_mtu = 9978;
	SegmentOptions segment;
	EngineOptions engine;
};

/// What the function has to do with the rest of the world.
struct NicPorts {
	std::function<void(unsigned vector)> interrupt;
	std::function<void(View frame)> transmit;
	/// Whether the cable may take another frame now.
	std::function<bool()> may_transmit;
	/// The port's administrative state has changed.
	std::function<void()> port_changed;
};

/// Status of a command (and what else it may say is 0).
enum class Status : uint8_t {
	ok = 0,
	bad_op = 2,
	bad_param = 3,
	bad_sys_state = 4,
	bad_resource = 5,
	limits = 8,
	bad_resource_state = 9,
	bad_index = 0xa,
	bad_input_length = 0x50,
	bad_output_length = 0x51,
};

/// A command's input and output. Output past what the driver has room for is cut off.
struct Command {
	Bytes in, out;
	[[nodiscard]] uint64_t get(Field field) const { return field_of(in, field); }
	void set(Field field, uint64_t value) { set_field(out, field, value); }
	[[nodiscard]] uint16_t opcode() const { return be16(&in[0]); }
	[[nodiscard]] uint16_t modifier() const { return be16(&in[6]); }
	/// The 24-bit object number at byte 9, where most have one.
	[[nodiscard]] uint32_t number() const { return be32(&in[8]) & 0xffffff; }
	/// Hands out a number at byte 9.
	void give(uint32_t number) { put_be32(&out[8], number); }
	/// Part of the input; empty if it is not all there.
	[[nodiscard]] View part(size_t at, size_t length) const;
};

struct PortCounters {
	uint64_t packets = 0, bytes = 0;
	uint64_t unicast = 0, multicast = 0, broadcast = 0;
	std::array<uint64_t, 3> bytes_by_cast{};
};

class Nic : public Registers {
public:
	Nic(NicOptions options, NicPorts ports, Memory &memory, Report &report);

	// registers.cpp
	void bar_read(uint64_t at, Area to) override;
	void bar_write(uint64_t at, View from) override;
	void bus_master(bool on) override;
	/// Work that waits for the cable; true if some is left.
	bool run();
	/// Whether run() has something to do.
	[[nodiscard]] bool sending() const { return !sending_.empty(); }

	// port.cpp
	/// Whether the port may be up as far as this end is concerned.
	[[nodiscard]] bool port_enabled() const { return port_admin_up_; }
	/// Whether light comes in, both ends and the cable considered.
	void link(bool up);
	[[nodiscard]] std::map<std::string, uint64_t> counters() const;

	// receive.cpp
	void receive(View frame);

	[[nodiscard]] Engine &engine() { return engine_; }
	[[nodiscard]] const Report &report() const { return report_; }

private:
	// command.cpp: the queue
	void commands(uint32_t doorbell);
	void command_at(unsigned index);
	bool gather_input(const uint8_t *entry, Bytes &input);
	bool scatter_output(const uint8_t *entry, View output);

	// dispatch.cpp: what each does
	Status execute(Command &command);
	Status hca(Command &command);
	Status dispatch(Command &command);
	Status manage_pages(Command &command);
	Status query_caps(Command &command);
	Status simple_create(Command &command, Kind kind, const std::vector<Objects::Name> &uses);
	Status simple_destroy(Command &command, Kind kind);

	// contexts.cpp: queues and what points to them
	Status create_mkey(Command &command);
	Status create_eq(Command &command);
	Status destroy_eq(Command &command);
	Status create_cq(Command &command);
	Status modify_cq(Command &command);
	Status destroy_cq(Command &command);
	Status create_sq(Command &command);
	Status modify_sq(Command &command);
	Status query_sq(Command &command);
	Status destroy_sq(Command &command);
	Status create_rq(Command &command);
	Status modify_rq(Command &command);
	Status query_rq(Command &command);
	Status destroy_rq(Command &command);
	Status create_tis(Command &command);
	Status destroy_tis(Command &command);
	Status create_tir(Command &command);
	Status modify_tir(Command &command);
	Status destroy_tir(Command &command);
	Status set_rqt(Command &command, bool create);
	Status destroy_rqt(Command &command);
	Status query_q_counter(Command &command);
	bool read_pages(const Command &command, size_t at, unsigned log_page, uint64_t bytes,
			Pages &pages);

	// keys.cpp
	Status create_key(Command &command);
	Status modify_key(Command &command);
	Status destroy_key(Command &command);
	Status take_key(const Command &command, uint32_t number);

	// tables.cpp: steering's commands
	Status create_table(Command &command);
	Status modify_table(Command &command);
	Status destroy_table(Command &command);
	Status set_root(Command &command);
	Status create_group(Command &command);
	Status destroy_group(Command &command);
	Status set_entry(Command &command);
	Status delete_entry(Command &command);

	// port.cpp: registers behind a command, and the port
	Status access_register(Command &command);
	Status vport_context(Command &command, bool write);
	Status vport_counters(Command &command);
	Status vport_state(Command &command);
	void port_register(uint16_t number, bool write, Area data);
	void port_counters(Area data) const;
	void count_frame(PortCounters &counters, View frame);

	// events.cpp
	void event(uint32_t eq, uint8_t type, uint8_t subtype, View data);
	void event_all(uint8_t type, uint8_t subtype, View data);
	void eq_doorbell(uint32_t word, bool arm, uint32_t uar);
	void cq_doorbell(uint32_t command, uint32_t number, uint32_t uar);
	/// A new entry of a completion queue, zero but for its owner; null if there is none.
	/// publish() lets the driver see it.
	uint8_t *completion(CompletionQueue &queue, uint32_t number);
	void publish(CompletionQueue &queue, uint32_t number, uint8_t *entry, uint8_t opcode);
	void completion_event(CompletionQueue &queue, uint32_t number);

	// send.cpp
	struct WorkRequest;
	void sq_doorbell(uint32_t number, uint32_t uar);
	bool send_some(uint32_t number, SendQueue &queue);
	bool load_request(uint32_t number, SendQueue &queue, WorkRequest &request);
	bool send_request(uint32_t number, WorkRequest &request);
	bool send_packet(uint32_t number, WorkRequest &request);
	bool send_packets(WorkRequest &request);
	bool gather(const WorkRequest &request, size_t at, Bytes &to);
	void send_error(uint32_t number, SendQueue &queue, const WorkRequest &request,
			uint8_t syndrome);
	void complete_send(uint32_t number, SendQueue &queue, const WorkRequest &request);
	void transmit(View frame);
	[[nodiscard]] bool posted_with(uint32_t tis);

	// receive.cpp
	void deliver(const Tir &tir, View frame);
	void deliver_to(uint32_t number, View frame, uint32_t hash, uint8_t hash_type);
	bool scatter(ReceiveQueue &queue, uint32_t number, View frame);

	void reset();

	NicOptions options_;
	NicPorts ports_;
	Memory &memory_;
	Report &report_;
	Engine engine_;
	Objects objects_;
	Steering steering_;

	// The initialization segment and the command queue.
	uint64_t command_queue_ = 0;
	uint32_t health_ticks_ = 0;
	uint8_t interface_ = 0;
	bool master_ = false;
	enum class Hca : uint8_t { disabled, enabled, initialized } hca_ = Hca::disabled;
	Bytes general_caps_;
	std::vector<uint64_t> pages_; ///< given to the firmware

	std::map<uint32_t, EventQueue> eqs_;
	std::map<uint32_t, CompletionQueue> cqs_;
	std::map<uint32_t, SendQueue> sqs_;
	std::map<uint32_t, ReceiveQueue> rqs_;
	std::map<uint32_t, std::vector<uint32_t>> rqts_;
	std::map<uint32_t, Tir> tirs_;
	std::set<uint32_t> tls_tis_;
	std::map<uint32_t, uint32_t> key_ranges_; ///< how many, by the first number
	std::map<uint32_t, uint64_t> out_of_buffer_;
	std::deque<uint32_t> sending_; ///< queues with work, in turn

	// The port.
	bool port_admin_up_ = false, link_up_ = false;
	uint32_t admin_mtu_ = 1522;
	Bytes vport_context_;
	std::map<uint16_t, Bytes> registers_;
	PortCounters sent_, received_;
	uint64_t discards_ = 0;
};

} // namespace cx
