// SPDX-License-Identifier: Apache-2.0
// Send queues: work requests of up to 16 blocks of 64 bytes, each a control segment and
// what its opcode needs. One that is wrong ends in an error completion, and its queue
// in the error state, in which all that follows is flushed.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr size_t block = 64, segment = 16;
constexpr unsigned most_segments = 64;

enum : uint8_t {
	op_nop = 0x00,
	op_send = 0x0a,
	op_large_send = 0x0e,
	op_set_psv = 0x20,
	op_dump = 0x23,
	op_umr = 0x25,
	op_multi_packet = 0x29,
};
// The modifier of what is about a context for TLS on the transmit side.
constexpr uint8_t about_tis = 1;

// Byte 11 of the control segment.
constexpr uint8_t fence_bits = 0xe0, ask_completion = 0x08;
// The Ethernet segment.
constexpr size_t ethernet_at = 16, checksum_flags_at = 20, mss_at = 22, inline_size_at = 28,
		 inline_at = 30;
constexpr uint8_t l3_checksum = 0x40, l4_checksum = 0x80, inner_checksums = 0x30;
constexpr uint16_t insert_vlan = 1 << 15, insert_provider = 1 << 0;
constexpr size_t most_headers = 366;
// The segments of static parameters: an UMR's control, a key's context, then these.
constexpr size_t static_at = 128, progress_at = 20;

// Syndromes of error completions.
enum : uint8_t {
	local_length = 0x01,
	local_operation = 0x02,
	local_protection = 0x04,
	flushed = 0x05
};
constexpr uint8_t request_opcode = 0, request_error = 13;

} // namespace

struct Nic::WorkRequest {
	uint16_t index = 0;
	uint16_t blocks = 1;
	uint8_t opcode = 0, modifier = 0, flags = 0;
	uint32_t tis = 0;
	Bytes bytes;
	/// Why it is wrong.
	std::string why;
	uint8_t syndrome = local_operation;

	bool bad(uint8_t with, const std::string &text)
	{
		syndrome = with;
		why = text;
		return false;
	}
	[[nodiscard]] bool fenced() const { return (flags & fence_bits) != 0; }
};

void Nic::sq_doorbell(uint32_t number, uint32_t uar)
{
	if (!objects_.known({Kind::sq, number}, "a doorbell"))
		return;
	auto &queue = sqs_[number];
	if (queue.uar != uar)
		report_.misuse("a doorbell in another's page", "SQ " + hex(number));
	if (queue.state == QueueState::reset) {
		report_.misuse("a doorbell of a queue in reset", "SQ " + hex(number));
		return;
	}
	const auto *counters = memory_.at(queue.doorbell, 8, "a send queue's counter");
	if (!counters)
		return;
	queue.posted = static_cast<uint16_t>(be32(counters + 4));
	if (static_cast<uint16_t>(queue.posted - queue.consumer) > 1U << queue.log_size) {
		report_.misuse("a send queue overran", hex(number));
		queue.posted = queue.consumer;
	}
	if (std::find(sending_.begin(), sending_.end(), number) == sending_.end())
		sending_.push_back(number);
	run();
}

// One work request; true if there are more.
bool Nic::send_some(uint32_t number, SendQueue &queue)
{
	if (queue.consumer == queue.posted || queue.state == QueueState::reset)
		return false;
	WorkRequest request;
	if (!load_request(number, queue, request)) {
		send_error(number, queue, request, request.syndrome);
	} else if (queue.state == QueueState::error) {
		if (request.flags & ask_completion)
			send_error(number, queue, request, flushed);
	} else if (!send_request(number, request)) {
		report_.misuse("a work request", request.why + ", SQ " + hex(number) + " request " +
							 std::to_string(request.index) +
							 " opcode " + hex(request.opcode));
		send_error(number, queue, request, request.syndrome);
	} else if (request.flags & ask_completion) {
		complete_send(number, queue, request);
	}
	queue.consumer = static_cast<uint16_t>(queue.consumer + request.blocks);
	return queue.consumer != queue.posted;
}

bool Nic::load_request(uint32_t number, SendQueue &queue, WorkRequest &request)
{
	const uint32_t mask = (1U << queue.log_size) - 1;
	const auto *first =
		queue.pages.at(memory_, (queue.consumer & mask) * block, block, "a send queue");
	request.index = queue.consumer;
	if (!first)
		return request.bad(local_operation, "outside memory");
	const auto segments = be32(first + 4) & 0x3f;
	request.opcode = first[3];
	request.modifier = first[0];
	request.flags = first[11];
	request.tis = be32(first + 12) >> 8;
	request.blocks = static_cast<uint16_t>(std::max(1U, (segments + 3) / 4));
	const auto posted = static_cast<uint16_t>(queue.posted - queue.consumer);
	if (be16(first + 1) != request.index || be32(first + 4) >> 8 != number || segments == 0 ||
	    segments > most_segments || request.blocks > posted) {
		report_.misuse("a work request", "control segment of SQ " + hex(number) + " at " +
							 std::to_string(request.index) + ": " +
							 hex(be32(first)) + " " +
							 hex(be32(first + 4)));
		request.blocks = posted;
		return request.bad(local_operation, "its control segment");
	}
	for (uint16_t i = 0; i < request.blocks; i++) {
		const auto at = static_cast<uint64_t>(request.index + i) & mask;
		const auto *part = queue.pages.at(memory_, at * block, block, "a send queue");
		if (!part)
			return request.bad(local_operation, "outside memory");
		request.bytes.insert(request.bytes.end(), part, part + block);
	}
	request.bytes.resize(segments * segment);
	return true;
}

bool Nic::send_request(uint32_t number, WorkRequest &request)
{
	const auto &bytes = request.bytes;
	if (report_.verbose())
		report_.trace("SQ " + hex(number) + " request " + std::to_string(request.index) +
			      " opcode " + hex(request.opcode) + " TIS " + hex(request.tis));
	switch (request.opcode) {
	case op_nop:
		engine_.nop(number, request.fenced());
		return true;
	case op_send:
	case op_large_send:
		return send_packet(number, request);
	case op_multi_packet:
		if (!options_.multi_packet)
			return request.bad(local_operation, "the device does not do that");
		return send_packets(request);
	case op_umr:
		if (request.modifier != about_tis ||
		    bytes.size() != static_at + static_params_length)
			return request.bad(local_operation, "no static parameters");
		engine_.static_params(number, request.tis, request.fenced(),
				      View(bytes).subspan(static_at));
		return true;
	case op_set_psv:
		if (request.modifier != about_tis ||
		    bytes.size() != progress_at + progress_params_length)
			return request.bad(local_operation, "no progress parameters");
		engine_.progress_params(number, be32(&bytes[16]), request.fenced(),
					View(bytes).subspan(progress_at));
		return true;
	case op_dump: {
		Bytes payload;
		if (!gather(request, segment, payload))
			return request.bad(local_protection, "memory it may not read");
		engine_.dump({number, request.tis, request.fenced(), 6}, payload);
		return true;
	}
	}
	report_.unknown("opcode " + hex(request.opcode) + " of a work request");
	return request.bad(local_operation, "its opcode");
}

bool Nic::gather(const WorkRequest &request, size_t at, Bytes &to)
{
	for (; at + segment <= request.bytes.size(); at += segment) {
		const auto *entry = &request.bytes[at];
		const auto length = be32(entry), key = be32(entry + 4);
		if (length == 0)
			continue;
		if (!objects_.known({Kind::mkey, key >> 8}, "a data segment") || length > 1U << 20)
			return false;
		const auto *from = memory_.at(be64(entry + 8), length, "a data segment");
		if (!from)
			return false;
		to.insert(to.end(), from, from + length);
	}
	return true;
}

bool Nic::send_packet(uint32_t number, WorkRequest &request)
{
	const auto &bytes = request.bytes;
	if (bytes.size() < 2 * segment)
		return request.bad(local_length, "no Ethernet segment");
	const auto flags = bytes[checksum_flags_at];
	const auto sizes = be16(&bytes[inline_size_at]);
	const auto mss = be16(&bytes[mss_at]);
	const bool large = request.opcode == op_large_send, tags = sizes & insert_vlan;
	const size_t headers_size = tags ? 0 : sizes & 0x3ff;
	const size_t headers_end =
		headers_size <= 2 ? 32 : 32 + (headers_size - 2 + segment - 1) / segment * segment;
	if (flags & inner_checksums)
		report_.unknown("checksums of tunneled packets");
	if (headers_end > bytes.size() || headers_size > most_headers)
		return request.bad(local_length, "longer headers than there is room for");
	if (large != (mss != 0) || (large && headers_size < 34))
		return request.bad(local_operation,
				   "an MSS without, or a large send with no, headers");

	Bytes headers(bytes.begin() + inline_at,
		      bytes.begin() + inline_at + static_cast<ptrdiff_t>(headers_size));
	Bytes payload;
	if (!gather(request, headers_end, payload))
		return request.bad(local_protection, "memory it may not read");
	if (headers.size() + payload.size() < 14 || headers.size() + payload.size() > 1U << 18)
		return request.bad(local_length, "no frame's length");
	if (tags) {
		// The tag goes behind the addresses, which are data here.
		if (payload.size() < 14)
			return request.bad(local_length, "too short for a tag");
		Bytes tag;
		put(tag, sizes & insert_provider ? 0x88a8 : 0x8100, 2);
		put(tag, be16(&bytes[inline_at]), 2);
		payload.insert(payload.begin() + 12, tag.begin(), tag.end());
	}
	if (request.tis != 0) {
		// What is sealed follows the inline headers, and TCP's own.
		Bytes whole = headers;
		whole.insert(whole.end(), payload.begin(), payload.end());
		const auto at = layers(whole);
		size_t from = headers.size();
		if (at.protocol == 6 && at.l4 != 0 && at.l4 + 20 <= whole.size())
			from = at.l4 + static_cast<size_t>(whole[at.l4 + 12] >> 4) * 4;
		if (from < headers.size() || from > whole.size())
			from = headers.size();
		headers.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(from));
		payload.assign(whole.begin() + static_cast<ptrdiff_t>(from), whole.end());
		engine_.seal({number, request.tis, request.fenced(), at.protocol}, payload);
	}
	const Offloads asked{(flags & l3_checksum) != 0, (flags & l4_checksum) != 0};
	if (large) {
		for (const auto &frame : cut(headers, payload, mss, asked, options_.segment))
			transmit(frame);
		return true;
	}
	headers.insert(headers.end(), payload.begin(), payload.end());
	finish(headers, asked, options_.segment);
	transmit(headers);
	return true;
}

// Whole packets, a data segment each, that share one Ethernet segment.
bool Nic::send_packets(WorkRequest &request)
{
	const auto &bytes = request.bytes;
	if (bytes.size() < 2 * segment)
		return request.bad(local_length, "no Ethernet segment");
	const auto flags = bytes[checksum_flags_at];
	const Offloads asked{(flags & l3_checksum) != 0, (flags & l4_checksum) != 0};
	for (size_t at = 2 * segment; at + segment <= bytes.size();) {
		Bytes frame;
		const auto length = be32(&bytes[at]);
		if (length & 1U << 31) {
			// Inline: the length's ten bits, then the packet itself.
			const size_t size = length & 0x3ff;
			if (at + 4 + size > bytes.size())
				return request.bad(local_length, "an inline packet beyond the end");
			frame.assign(&bytes[at + 4], &bytes[at + 4] + size);
			at += (4 + size + segment - 1) / segment * segment;
		} else {
			WorkRequest one;
			one.bytes.assign(&bytes[at], &bytes[at] + segment);
			if (!gather(one, 0, frame))
				return request.bad(local_protection, "memory it may not read");
			at += segment;
		}
		if (frame.size() < 14)
			return request.bad(local_length, "no frame's length");
		finish(frame, asked, options_.segment);
		transmit(frame);
	}
	return true;
}

void Nic::transmit(View frame)
{
	if (frame.size() > admin_mtu_) {
		report_.misuse("a frame above the port's MTU",
			       std::to_string(frame.size()) + " of " + std::to_string(admin_mtu_));
		return;
	}
	Bytes padded(frame.begin(), frame.end());
	padded.resize(std::max<size_t>(padded.size(), 60));
	count_frame(sent_, padded);
	ports_.transmit(padded);
}

void Nic::complete_send(uint32_t number, SendQueue &queue, const WorkRequest &request)
{
	auto &to = cqs_[queue.cq];
	auto *entry = completion(to, queue.cq);
	if (!entry)
		return;
	put_be32(entry + 0x38, number);
	put_be16(entry + 0x3c, request.index);
	publish(to, queue.cq, entry, request_opcode);
}

void Nic::send_error(uint32_t number, SendQueue &queue, const WorkRequest &request,
		     uint8_t syndrome)
{
	queue.state = QueueState::error;
	report_.count(syndrome == flushed ? "requests flushed" : "requests in error");
	auto &to = cqs_[queue.cq];
	auto *entry = completion(to, queue.cq);
	if (!entry)
		return;
	entry[0x36] = 0x68; // the vendor's syndrome
	entry[0x37] = syndrome;
	put_be32(entry + 0x38, static_cast<uint32_t>(request.opcode) << 24 | number);
	put_be16(entry + 0x3c, request.index);
	publish(to, queue.cq, entry, request_error);
}

// Whether a request that is not done yet names a context.
bool Nic::posted_with(uint32_t tis)
{
	for (auto &[number, queue] : sqs_) {
		const auto *counters = memory_.find(queue.doorbell, 8);
		if (!counters || queue.state != QueueState::ready)
			continue;
		const auto end = static_cast<uint16_t>(be32(counters + 4));
		const uint32_t mask = (1U << queue.log_size) - 1;
		for (uint16_t at = queue.consumer; at != end;) {
			const auto *control =
				queue.pages.at(memory_, (at & mask) * block, block, "a send queue");
			if (!control)
				break;
			if (be32(control + 12) >> 8 == tis && control[3] != op_nop)
				return true;
			const auto segments = be32(control + 4) & 0x3f;
			at = static_cast<uint16_t>(at + std::max(1U, (segments + 3) / 4));
			if (static_cast<uint16_t>(end - at) > mask)
				break;
		}
	}
	return false;
}

} // namespace cx
