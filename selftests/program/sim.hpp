// SPDX-License-Identifier: Apache-2.0
// A simulator: the program's second target. Hosts exchange packets over a
// network that loses, repeats, delays, reorders and forges them; time is a
// number. After each event the simulator checks what has to hold of any run
// (sim_check.cpp); whoever breaks it is named in World::broken.
//
// A World is fixed by its settings and seed: runs repeat to the bit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "homa.h"
#include "sim_link.hpp"

namespace sim {

// One packet, fields as its type has them; id as the receiver sees it. Its
// event has the priority that a GRANT or RESEND asks for, @prio is the packet's
// own.
struct Packet {
	int from = 0;
	int to = 0;
	bool secure = false;
	bool forged = false;
	bool corrupt = false;
	bool again = false; // a retransmission
	u32 type = 0;
	u32 prio = 0;
	u64 id = 0;
	u64 number = 0; // of control packets in secure mode: used once
	u64 generation = 0;
	prog_ev ev{};
	std::vector<std::pair<u64, u16>> acks;
	bool injected = false;
};

constexpr u32 type_data = 0x10;

// Bytes of a packet with its IP header.
u32 bytes_of(const Packet &packet);

// One message on its way into a host.
struct Incoming {
	u32 length = 0;
	std::vector<u8> here;    // 1: byte is here
	std::vector<u8> corrupt; // 1: but not what was sent
	u32 got = 0;
	std::vector<u8> verified; // records
	u64 charged = 0;          // bytes of memory
};

using Key = std::tuple<int, bool, u64>; // peer, secure, id

struct Rpc {
	prog_rpc ctx{};
	Key key;
	u64 deadline = 0; // 0: no timer
	Incoming in;
	bool ready = false; // NOTIFY READY not yet taken
	bool ended = false;
	bool forged = false; // a forged packet was let in
	u64 heard = 0;
	u64 resent_since = 0; // our own account of retransmissions
	u64 resent = 0;
	u32 sealed = 0; // bytes ready
	u32 granted_before = 0;
	u32 sent_before = 0;
	bool held = false; // its response waited for a proof, last we looked
	u64 rank_key[PROG_RANKS]{};
	bool in_rank[PROG_RANKS]{};
	int position[PROG_RANKS] = {-1, -1, -1, -1};
};

class FixedPeer;

constexpr int PROG_ENOBUFS = 105;

struct Host {
	int number = 0;
	prog_params params{};
	prog_host ctx{};
	std::map<Key, std::shared_ptr<Rpc>> rpcs;
	std::map<std::pair<int, bool>, prog_peer> peers;
	std::map<std::pair<int, u64>, prog_client> clients; // by host and part of its ids
	// Clear mode: bytes from an address, and those sent there before it was proven.
	std::map<int, std::pair<u64, u64>> traded;
	std::set<Key> delivered;       // secure: the record layer's replay window
	std::set<u64> control_numbers; // likewise of control packets
	u64 next_id = 2;
	bool pacing = false;                                   // a turn of PROG_RANK_SEND is due
	std::map<std::pair<int, bool>, u64> place[PROG_RANKS]; // of peers
	bool lends = false;                                    // has lent
	bool owed[PROG_RANKS]{}; // a single place is a clear message's next
	u64 generation = 0;
	u64 charged = 0; // memory of packets kept
	u64 most_charged = 0;
	bool pressed = false;             // a message is to go, for want of memory
	std::shared_ptr<FixedPeer> fixed; // what runs here instead of the program
};

// How the record layer and the memory of packets are built (sim_record.cpp).
struct Layer {
	bool one_pass = true;     // all bad records are found before one is asked for
	bool remembers = true;    // those that verified are not opened again
	bool copies_small = true; // small payloads do not keep their packet
	bool says_payload = true; // the program hears how long packets are
	u64 memory = 0;           // bytes for packets, of a host; 0: no limit
};

// A link without a rate, with faults.
inline LinkSettings lossy(double loss, double repeat = 0, double late = 0, u64 late_ns = 1 * ms)
{
	return {.delay_ns = 10 * us,
		.jitter_ns = 1 * us,
		.loss = loss,
		.repeat = repeat,
		.late = late,
		.late_ns = late_ns};
}

struct Settings {
	int hosts = 2;
	u64 seed = 1;
	LinkSettings nic = {.rate = 25'000'000'000};
	LinkSettings link = {.delay_ns = 10 * us, .jitter_ns = 1 * us}; // the last one, to host 0
	std::optional<LinkSettings> back; // to the others; absent: the same
	double corrupt = 0;               // secure DATA whose record will not open
	double forge = 0;                 // forged packets per packet, clear mode
	bool paced = false;
	bool prove = false; // clear clients have to show that they have their address
	u32 payload = 1400; // bytes of a message in a packet, at most
	u32 record = 4000;
	u64 service_ns = 20 * us;
	Layer layer;
	int fixed = -1; // a host that runs FixedPeer
	u64 slow = 0;   // every n-th request takes 300 ms of service
};

// What became of a request at its client.
struct Outcome {
	int client = 0;
	int server = 0;
	bool secure = false;
	u64 sent = 0;
	u64 done = 0;
	int error = 0;
	bool forgotten = false;
};

class World {
public:
	explicit World(const Settings &settings);

	Host &host(int number) { return hosts_[static_cast<size_t>(number)]; }
	u64 now() const { return clock_.now(); }

	void at(u64 when, std::function<void()> what) { clock_.at(when, std::move(what)); }
	// A request; its response has response_length bytes. Returns its id.
	u64 request(int from, int to, bool secure, u32 length, u32 response_length);
	void abort(int host, int peer, bool secure, u64 id, int error);
	// The host loses all its state, and its clients' ids begin again.
	void restart(int number);
	// No packet reaches or leaves it from now on.
	void unplug(int number) { unplugged_.insert(number); }
	void run_until(u64 when);
	// Until nothing is left to happen; gives up at `limit`.
	void run(u64 limit);

	// A packet by somebody on the last link.
	void inject(Packet packet);

	bool live() const;
	const std::map<Key, Outcome> &outcomes() const { return outcomes_; }
	size_t failed() const;
	Network &network() { return network_; }

	Settings settings;
	// Sees each packet that a host sends, before anything becomes of it.
	std::function<void(const Packet &)> tap;
	// Packets that the network loses.
	std::function<bool(const Packet &)> swallow;
	// A client has its response, or its failure.
	std::function<void(const Outcome &)> ended;
	std::string broken;               // first property that did not hold
	std::map<std::string, u64> count; // events, packets, drops by name
	// Times a request was executed, by server, client, mode and id; and those
	// that may be executed again, because an end has given the other up.
	std::map<std::tuple<int, int, bool, u64>, u32> executed;
	std::set<std::tuple<int, int, bool, u64>> excused;
	u64 retransmitted = 0;
	u64 data_bytes = 0; // of messages, sent
	u64 data_packets = 0;
	u64 control_packets = 0;
	u64 events = 0;
	u64 injected_packets = 0;
	u64 injected_bytes = 0;

private:
	using Turn = std::pair<std::shared_ptr<Rpc>, u32>;

	// sim_world.cpp: the network and the applications
	bool chance(double p);
	void send(Packet packet);
	Unit unit_of(Packet packet);
	void arrive(const Packet &packet);
	void arrive_data(Host &h, const Packet &packet, std::shared_ptr<Rpc> rpc);
	void arrive_control(Host &h, const Packet &packet, const std::shared_ptr<Rpc> &rpc);
	void stray(Host &h, const Packet &packet);
	void forge(const Packet &like);
	// Whole records are sealed, some 16 KB at a time.
	u32 seal_step() const { return std::max(16000 / settings.record, 1U) * settings.record; }
	void seal_more(int number, const std::shared_ptr<Rpc> &rpc);
	void take(int number, const std::shared_ptr<Rpc> &rpc);
	void finish(int client, bool secure, u64 id, int error);
	void notify(Host &h, const std::shared_ptr<Rpc> &rpc, const mtp_insn &insn);
	void respond(int number, const std::shared_ptr<Rpc> &rpc);

	// sim_record.cpp: the record layer, and memory
	bool authentic(Host &h, const Packet &packet);
	void charge(Host &h, Rpc &rpc, u32 bytes);
	void relieve(Host &h);
	static void uncharge(Host &h, Rpc &rpc);
	void lose(Rpc &rpc, u32 start, u32 end);
	bool open_record(Incoming &in, u32 record);
	bool open(Host &h, const std::shared_ptr<Rpc> &rpc);

	// sim_exec.cpp: the executor
	int exec(Host &h, const std::shared_ptr<Rpc> &rpc, prog_ev ev, u32 kind,
		 const Packet *packet = nullptr);
	mtp_out dispatch(Host &h, Rpc *rpc, prog_peer *peer, prog_ev &ev, u32 kind);
	void apply(Host &h, const std::shared_ptr<Rpc> &rpc, const mtp_out &out, const prog_ev &ev,
		   const Packet *packet, std::vector<mtp_insn> &later, std::vector<u32> &raised);
	void keep(Host &h, Rpc &rpc, const mtp_insn &insn, const prog_ev &ev, const Packet *packet);
	void carry_out(Host &h, const std::shared_ptr<Rpc> &rpc,
		       const std::vector<mtp_insn> &later);
	void transmit(Host &h, Rpc &rpc, const mtp_insn &insn);
	bool allows(Host &h, const Rpc &rpc, u32 bytes);
	u16 told(int by, int to, u64 minute) const;
	void look(Host &h, const Rpc &rpc, prog_ev &ev, const Packet &packet, bool fresh);
	Packet control(const Host &h, const Key &key, const mtp_insn &insn);
	void set_timer(Host &h, const std::shared_ptr<Rpc> &rpc, u64 deadline);
	std::vector<std::shared_ptr<Rpc>> winners(Host &h, u32 rank);
	static void served(Host &h, u32 rank, const Rpc &rpc);
	void elect(Host &h, u32 rank, const Rpc *set, bool kick);
	void give_turns(Host &h);
	void pace(Host &h);

	// sim_check.cpp: what holds at all times
	void breaks(const std::string &what);
	void check(bool holds, const char *what);
	void check_out(const Rpc *rpc, const mtp_out &out, const prog_ev &ev);
	void check_insn(Host &h, Rpc &rpc, const mtp_insn &insn, const prog_ev &ev);
	void check_rpc(Rpc &rpc, u32 kind);
	void check_host(Host &h);
	void check_end(Host &h, Rpc &rpc, u32 before, u32 kind);

	std::vector<Host> hosts_;
	std::set<int> unplugged_;
	Clock clock_;
	std::mt19937_64 random_;
	Network network_;
	std::map<std::tuple<int, int, bool, u64>, u32> response_length_;
	std::map<Key, Outcome> outcomes_; // key: client host, secure, id
	std::vector<std::pair<Host *, Turn>> turns_;
	u64 numbers_ = 0;
	bool giving_ = false;
};

} // namespace sim
