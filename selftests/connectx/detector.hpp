// SPDX-License-Identifier: Apache-2.0
// Looks at each frame on the wire for what must never be there: plaintext of a secure
// session, and a record number that was used for two ciphertexts under a key.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "selftests/kernel/lib/bytes.hpp"
#include "selftests/record/protocol.hpp"

namespace cx {

struct DetectorOptions {
	/// Where tests write the sessions they make, one a line:
	/// "session SECRET CONTEXT CLIENT-NONCE SERVER-NONCE CIPHER RECORD-SIZE", in hex but for
	/// the last two; and "plaintext BYTES". Read again when a frame is of a session not yet
	/// known. Empty: no file.
	std::string file;
	/// Bytes of records kept to compare later packets with.
	size_t kept = 64U << 20;
	/// Called with each finding, for the log.
	std::function<void(const std::string &)> tell;
};

class Detector {
public:
	explicit Detector(DetectorOptions options = {});

	void add(const sdp_test::Parameters &session);
	/// Bytes, 16 or more, that must not be seen in any secure packet.
	void plaintext(View bytes);

	/// A frame on the wire; @a from tells the directions apart.
	void see(int from, View frame);

	struct Findings {
		// Each of them is a failure.
		uint64_t plaintext = 0; ///< packets that hold registered or recognised plaintext
		uint64_t unopened = 0;  ///< whole records that the session's key does not open
		uint64_t reused = 0;    ///< bytes of a record that differ from its first ones
		uint64_t malformed = 0; ///< secure DATA that cannot be taken apart
		// What was seen.
		uint64_t packets = 0;    ///< secure DATA with payload
		uint64_t bytes = 0;      ///< of their payload
		uint64_t records = 0;    ///< whole and opened
		uint64_t unknown = 0;    ///< packets of sessions that nobody has told of
		uint64_t again = 0;      ///< packets whose bytes had all been seen
		uint64_t incomplete = 0; ///< records that were given up
	};
	[[nodiscard]] const Findings &findings() const { return findings_; }
	[[nodiscard]] uint64_t errors() const;
	[[nodiscard]] std::string report() const;

private:
	/// A message: a direction of a session, an epoch, a number.
	struct Name {
		int from = 0;
		uint32_t session = 0;
		uint8_t epoch = 0;
		uint64_t number = 0;
		auto operator<=>(const Name &) const = default;
	};
	/// A record, as far as it was seen.
	struct Record {
		Bytes bytes;
		std::vector<bool> seen;
		size_t missing = 0;
	};
	struct Packet;
	using Where = std::pair<Name, size_t>;

	void read_file();
	void line(const std::string &text);
	void finding(uint64_t &count, const std::string &text);
	void data(int from, View homa, uint16_t ident, bool v6);
	void look_for_plaintext(const Packet &packet);
	void place(const Packet &packet);
	bool fill(const Packet &packet, size_t index, size_t at, View piece);
	void open(const Packet &packet, size_t index, const Record &record);
	const sdp_test::Sender *sender(const Packet &packet);
	void forget();

	DetectorOptions options_;
	std::map<uint32_t, sdp_test::Parameters> sessions_;
	/// By end, session and epoch.
	std::map<std::tuple<int, uint32_t, uint8_t>, sdp_test::Sender> senders_;
	std::vector<Bytes> patterns_;
	std::map<Where, Record> records_;
	std::deque<Where> order_;
	size_t held_ = 0;
	int64_t file_stamp_ = -1;
	Findings findings_;
};

} // namespace cx
