// SPDX-License-Identifier: Apache-2.0
#include <sdp/status.hpp>

#include <string>

namespace sdp::inline v0 {

namespace {

class category_of_statuses final : public std::error_category {
public:
	[[nodiscard]] const char *name() const noexcept override { return "sdp-status"; }
	[[nodiscard]] std::string message(int number) const override
	{
		switch (static_cast<status>(number)) {
		case status::ok:
			return "answered";
		case status::busy:
			return "the server has as many requests as it takes";
		case status::no_such_method:
			return "the server has no such method";
		case status::not_answered:
			return "not answered: the server dropped the request";
		case status::malformed:
			return "the server does not understand the request's header";
		case status::expired:
			return "the deadline passed before the server looked at the request";
		case status::closing:
			return "the server is about to end";
		default:
			return "status " + std::to_string(number);
		}
	}
};

} // namespace

const std::error_category &status_category() noexcept
{
	static const category_of_statuses only;
	return only;
}

std::error_code make_error_code(status what) noexcept
{
	return {static_cast<int>(what), status_category()};
}

executed executed_if(status what) noexcept
{
	switch (what) {
	case status::busy:
	case status::no_such_method:
	case status::malformed:
	case status::expired:
	case status::closing:
		return executed::not_executed;
	case status::not_answered:
		return executed::unknown;
	default:
		// What the library may come to say one day is no reason to send again.
		return what < status::first_of_application && what != status::ok
			       ? executed::unknown
			       : executed::executed;
	}
}

} // namespace sdp::inline v0
