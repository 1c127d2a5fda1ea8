// SPDX-License-Identifier: Apache-2.0
#include <sdp/error.hpp>

#include <array>
#include <cerrno>
#include <string_view>

namespace sdp::inline v0 {

namespace {

struct meaning {
	int error;
	std::string_view text;
};

constexpr auto meanings = std::to_array<meaning>({
	{ENOKEY, "no session with this peer: the socket sends only encrypted messages"},
	{EKEYEXPIRED, "the session's keys have reached their limit; make a new session"},
	{EKEYREJECTED, "the secrets of the two ends differ, or the answer was forged"},
	{EBADMSG, "the message did not verify: it was changed on the way"},
	{ETIMEDOUT, "the peer did not answer in time; the request may have been executed"},
	{ECONNRESET,
	 "the session ended or the peer lost the RPC; the request may have been executed"},
	{ECONNREFUSED, "the peer declined, or nobody there answers"},
	{ELOOP, "packets for the peer are turned around to this host"},
	{EXDEV, "the socket is of another network namespace than this thread"},
	{ECANCELED, "the RPC was aborted"},
	{ENOTCONN, "nobody takes requests at the peer's port"},
	{ENOPROTOOPT, "the peer does not speak this protocol"},
	{EPROTONOSUPPORT, "SDP is not available: the kernel module is not loaded"},
	{EPROTO, "the peer's answer makes no sense; is it of another version?"},
	{EPERM, "not allowed: by the socket's policy, the namespace's settings, or a secret file's "
		"mode or owner"},
	{EMSGSIZE, "the message is longer than the limit"},
	{EEXIST, "this nonce has made a session already"},
	{ENOBUFS, "too many sessions of this user, no space in the receive region, or too many "
		  "messages that are to be received first"},
	{ESHUTDOWN, "the socket has been shut down"},
	{EAGAIN, "would have to wait"},
});

class sdp_category final : public std::error_category {
public:
	[[nodiscard]] const char *name() const noexcept override { return "sdp"; }
	[[nodiscard]] std::string message(int error) const override { return describe(error); }
	[[nodiscard]] std::error_condition default_error_condition(
		int error) const noexcept override
	{
		return {error, std::generic_category()};
	}
};

} // namespace

const std::error_category &category() noexcept
{
	static const sdp_category only;
	return only;
}

std::string describe(int error)
{
	for (const meaning &known : meanings) {
		if (known.error == error) {
			return std::string(known.text);
		}
	}
	return std::generic_category().message(error);
}

std::error_code make_code(int error) noexcept
{
	return {error, category()};
}

bool is_transient(const std::error_code &code) noexcept
{
	if (code.category() != category() && code.category() != std::generic_category() &&
	    code.category() != std::system_category()) {
		return false;
	}
	switch (code.value()) {
	case ETIMEDOUT:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOTCONN:
	case EBADMSG:
	case ENOBUFS:
		return true;
	default:
		return false;
	}
}

} // namespace sdp::inline v0
