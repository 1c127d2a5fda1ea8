// SPDX-License-Identifier: Apache-2.0
#include <sdp/result.hpp>

#include <utility>

namespace sdp::inline v0 {

std::string_view name(executed what) noexcept
{
	switch (what) {
	case executed::not_executed:
		return "not executed";
	case executed::executed:
		return "executed";
	default:
		return "perhaps executed";
	}
}

std::string failure::describe() const
{
	std::string all = code.message();
	if (!text.empty()) {
		all += ": " + text;
	}
	return all + " (" + std::string(name(executed)) + ")";
}

call_error::call_error(failure why)
	: std::system_error(why.code, why.describe()), why_(std::move(why))
{
}

call_error::~call_error() = default;

} // namespace sdp::inline v0
