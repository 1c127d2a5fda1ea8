// SPDX-License-Identifier: Apache-2.0
/** @file What a call comes to: a value, or why there is none and whether it was executed. */
#ifndef SDP_RESULT_HPP
#define SDP_RESULT_HPP

#include <sdp/export.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace sdp::inline v0 {

/** What is known of a request that has failed. */
enum class executed : std::uint8_t {
	not_executed, /**< no handler has seen it and none will: it may be sent again */
	unknown,      /**< perhaps: only an idempotent request may be sent again */
	executed,     /**< a handler has seen it; the answer is an error, or was lost */
};

/** "not executed", "perhaps executed", "executed". */
[[nodiscard]] SDP_EXPORT std::string_view name(executed what) noexcept;

/** Why there is no value. */
struct failure {
	sdp::executed executed = sdp::executed::unknown;
	/** Of category(), an errno value, or of status_category(), what the server said. */
	std::error_code code{};
	std::string text{}; /**< more of it, for people; may be empty */

	/** All of it in one line. */
	[[nodiscard]] SDP_EXPORT std::string describe() const;
};

/** A failure, for programs that would rather catch it: what result::value() throws. */
class SDP_EXPORT call_error : public std::system_error {
public:
	explicit call_error(failure why);
	~call_error() override;
	call_error(const call_error &) = default;
	call_error &operator=(const call_error &) = default;

	[[nodiscard]] const failure &why() const noexcept { return why_; }

private:
	failure why_;
};

/** A T, or a failure. Made from either. Not safe from several threads at once, as other values. */
template <typename T>
class [[nodiscard]] result {
public:
	using value_type = T;

	result(T value) : is_(std::in_place_index<0>, std::move(value)) {}
	result(failure why) : is_(std::in_place_index<1>, std::move(why)) {}

	[[nodiscard]] bool has_value() const noexcept { return is_.index() == 0; }
	explicit operator bool() const noexcept { return has_value(); }

	/** The value, which has to be there. */
	[[nodiscard]] T &operator*() &noexcept { return *std::get_if<0>(&is_); }
	[[nodiscard]] const T &operator*() const &noexcept { return *std::get_if<0>(&is_); }
	[[nodiscard]] T &&operator*() &&noexcept { return std::move(*std::get_if<0>(&is_)); }
	[[nodiscard]] T *operator->() noexcept { return std::get_if<0>(&is_); }
	[[nodiscard]] const T *operator->() const noexcept { return std::get_if<0>(&is_); }

	/** The failure, which has to be there. */
	[[nodiscard]] const failure &error() const &noexcept { return *std::get_if<1>(&is_); }
	[[nodiscard]] failure &&error() &&noexcept { return std::move(*std::get_if<1>(&is_)); }

	/** The value. @throws call_error if there is none. */
	[[nodiscard]] T &value() &
	{
		check();
		return **this;
	}
	[[nodiscard]] T &&value() &&
	{
		check();
		return *std::move(*this);
	}

private:
	void check() const
	{
		if (!has_value()) {
			throw call_error(error());
		}
	}

	std::variant<T, failure> is_;
};

} // namespace sdp::inline v0

#endif
