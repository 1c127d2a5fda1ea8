// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What the generator and its server say to each other: messages that begin with a
 * header, the same on every transport. The rest of a message is arbitrary.
 */
#ifndef BENCH_MESSAGE_HPP
#define BENCH_MESSAGE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

namespace bench {

struct header {
	std::uint32_t length = 0; /**< bytes of this message, this header included */
	std::uint32_t answer = 0; /**< bytes of the answer that is asked for */
	std::uint64_t tag = 0;    /**< the answer has the same */
};

/** Bytes of the shortest message. */
inline constexpr std::size_t shortest = sizeof(header);
/** Bytes of the longest, the longest that SDP takes in the clear. */
inline constexpr std::size_t longest = 1'000'000;

/** Memory that messages are sent from: only their headers differ. */
class outgoing {
public:
	explicit outgoing(std::size_t most) : bytes_(most) {}

	/** The message with header @p what, until the next call. */
	std::span<const std::byte> message(const header &what)
	{
		std::memcpy(bytes_.data(), &what, sizeof(what));
		return std::span<const std::byte>(bytes_).first(what.length);
	}

private:
	std::vector<std::byte> bytes_;
};

/** The header at the front of @p bytes, which are at least that many. */
inline header header_of(std::span<const std::byte> bytes)
{
	header what;
	std::memcpy(&what, bytes.data(), sizeof(what));
	return what;
}

/** The header of a whole message. @throws std::runtime_error if its length is another. */
inline header whole(std::span<const std::byte> bytes)
{
	if (bytes.size() < sizeof(header) || header_of(bytes).length != bytes.size()) {
		throw std::runtime_error("a message of another length");
	}
	return header_of(bytes);
}

/** What answers @p request. @throws std::runtime_error for one longer than @p most. */
inline header answer_to(const header &request, std::size_t most)
{
	if (request.answer < shortest || request.answer > most) {
		throw std::runtime_error("an answer of that length is not to be had");
	}
	return {request.answer, 0, request.tag};
}

} // namespace bench

#endif
