// SPDX-License-Identifier: Apache-2.0
/** @file Big-endian fields of a packet, one after another. */
#ifndef SDP_SRC_BYTES_HPP
#define SDP_SRC_BYTES_HPP

#include <sdp/message.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace sdp::inline v0::detail {

/** Of bytes whose number was checked: taking more than left() is a mistake of the caller's. */
class reader {
public:
	explicit reader(bytes_view from) : from_(from) {}

	template <typename T>
	T number()
	{
		std::uint64_t value = 0;
		for (const std::byte each : take(sizeof(T))) {
			value = value << 8 | std::to_integer<std::uint64_t>(each);
		}
		return static_cast<T>(value);
	}
	template <std::size_t N>
	void raw(std::array<std::byte, N> &into)
	{
		std::ranges::copy(take(N), into.begin());
	}
	bytes_view take(std::size_t count)
	{
		const bytes_view taken = from_.first(count);
		from_ = from_.subspan(count);
		return taken;
	}
	[[nodiscard]] std::size_t left() const { return from_.size(); }

private:
	bytes_view from_;
};

} // namespace sdp::inline v0::detail

#endif
