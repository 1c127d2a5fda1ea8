// SPDX-License-Identifier: Apache-2.0
// The TLS engine of the transmit side: contexts (TIS) that seal what send queues run
// through them, in the order of the queue. It is dumb as hardware is: what does not fit
// leaves corrupted, or in the clear where a context has no parameters. It never repairs
// and never refuses; what a driver did wrong is counted by name.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "selftests/kernel/lib/bytes.hpp"

namespace cx {

/// What a driver can do wrong. misuse_name() names it.
enum class Misuse : uint8_t {
	two_queues,     ///< a context is used by another queue than its parameters came by
	unfenced,       ///< parameters or what follows them are not ordered by a fence
	split_record,   ///< a segment of protocol 146 ends within a record
	not_at_record,  ///< what comes first after START is no record's header
	bad_header,     ///< a later record's header is not 17 03 03 and a length
	bad_nonce,      ///< TLS 1.2: the explicit nonce is not the record number
	no_context,     ///< a context that does not exist, or is not for TLS
	no_parameters,  ///< a context without parameters: sent in the clear
	no_start,       ///< static parameters without progress parameters after them
	no_key,         ///< the key does not exist, or was destroyed in use
	key_size,       ///< neither 16 nor 32 bytes
	bad_version,    ///< a version that the device does not do
	bad_static,     ///< static parameters with other constants than the layout has
	bad_progress,   ///< progress parameters that are not a transmitter's START
	deleted_in_use, ///< a context was destroyed while posted work names it
	number_reused,  ///< one nonce and key for two different plaintexts
	count,
};
constexpr size_t misuses = static_cast<size_t>(Misuse::count);

const char *misuse_name(Misuse misuse);
/// By its name; nothing if there is none.
std::optional<Misuse> misuse_named(const std::string &name);

/// The 64 bytes of static parameters, taken apart.
struct StaticParams {
	uint8_t version = 0; ///< 2: TLS 1.2; 3: TLS 1.3
	uint64_t record = 0;
	std::array<uint8_t, 12> iv{}; ///< gcm_iv | implicit_iv
	uint32_t dek = 0;
	bool well_formed = false; ///< the constant fields are as they have to be
};
constexpr size_t static_params_length = 64;
StaticParams parse_static(View params);

/// The 12 bytes of progress parameters, taken apart.
struct ProgressParams {
	uint32_t next_record_tcp_sn = 0;
	uint8_t tracker_state = 0;
	uint8_t auth_state = 0;
};
constexpr size_t progress_params_length = 12;
ProgressParams parse_progress(View params);

struct EngineOptions {
	bool tls_1_2 = true;
	bool tls_1_3 = true;
	/// What is counted, but is no error.
	std::set<Misuse> tolerated;
	/// Called with each misuse, for the log.
	std::function<void(Misuse, const std::string &)> tell;
	/// Record numbers remembered for number_reused; the oldest are forgotten.
	size_t remembered = 1U << 20;
};

/// What one work request sends by a context.
struct Sealed {
	uint32_t sq = 0;
	uint32_t tis = 0;
	/// The fence bits of its control segment are not zero.
	bool fenced = false;
	/// IP's protocol of the packet (6, 146, ...), for what is checked of it.
	uint8_t protocol = 0;
};

class Engine {
public:
	explicit Engine(EngineOptions options = {});
	~Engine();

	// Objects, by firmware commands. Creating one anew replaces it.
	void key_create(uint32_t dek, View key);
	void key_destroy(uint32_t dek);
	/// @a tls: the context is for TLS; others are not this engine's.
	void tis_create(uint32_t tis, bool tls);
	/// @a posted: a queue that has not completed it still names it.
	void tis_destroy(uint32_t tis, bool posted);
	/// A queue is gone, or reset: its contexts keep their state and may be taken on
	/// by another queue.
	void sq_reset(uint32_t sq);

	// Work requests, in the order of their queue.
	void static_params(uint32_t sq, uint32_t tis, bool fenced, View params);
	void progress_params(uint32_t sq, uint32_t tis, bool fenced, View params);
	void nop(uint32_t sq, bool fenced);
	/// DUMP: runs @a payload through the context, sends nothing.
	void dump(const Sealed &by, View payload);
	/// SEND, LSO: @a payload, all that follows the headers, is sealed in place.
	void seal(const Sealed &by, std::span<uint8_t> payload);

	[[nodiscard]] bool is_tls(uint32_t tis) const;
	/// Contexts for TLS that exist.
	[[nodiscard]] size_t contexts() const;
	[[nodiscard]] size_t keys() const { return keys_.size(); }

	/// Also for what the device's side sees.
	void misuse(Misuse what, const std::string &detail);
	[[nodiscard]] uint64_t count(Misuse what) const;
	/// All counts of what is not tolerated.
	[[nodiscard]] uint64_t errors() const;

	struct Counters {
		uint64_t records = 0; ///< sealed to their end, DUMP's too
		uint64_t packets = 0; ///< work requests sealed
		uint64_t bytes = 0;   ///< of them
		uint64_t dumped = 0;  ///< bytes run through by DUMP
		uint64_t resyncs = 0; ///< progress parameters taken
		uint64_t clear = 0;   ///< work requests sent without parameters
	};
	[[nodiscard]] const Counters &counters() const { return counters_; }
	/// "NAME COUNT" lines: counters, then each misuse that was seen.
	[[nodiscard]] std::string report() const;

private:
	struct Context;
	struct Queue {
		uint64_t requests = 0;
		/// The last of them that was fenced.
		uint64_t fence = 0;
	};

	Context *find(uint32_t tis);
	void step(uint32_t sq, bool fenced);
	void bind(Context &context, uint32_t sq, const char *what);
	bool ready(Context &context, const Sealed &by);
	void run(Context &context, const Sealed &by, std::span<uint8_t> payload);
	size_t header(Context &context, const Sealed &by, std::span<uint8_t> rest);
	void begin(Context &context, const Sealed &by);
	void check_header(Context &context, const Sealed &by);
	size_t body(Context &context, std::span<uint8_t> rest);
	size_t tag(Context &context, const Sealed &by, std::span<uint8_t> rest);
	void remember(const Context &context, const Sealed &by);

	EngineOptions options_;
	std::map<uint32_t, Bytes> keys_;
	std::unordered_map<uint32_t, std::unique_ptr<Context>> contexts_;
	std::unordered_map<uint32_t, Queue> queues_;
	std::array<uint64_t, misuses> counts_{};
	Counters counters_;
	/// By key and nonce: the tag that the record got. Oldest first in the deque.
	std::map<Bytes, Bytes> tags_;
	std::deque<Bytes> tags_order_;
};

} // namespace cx
