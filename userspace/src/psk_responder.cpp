// SPDX-License-Identifier: Apache-2.0
#include "psk_responder.hpp"

#include <algorithm>
#include <cerrno>
#include <openssl/crypto.h>
#include <system_error>

namespace sdp::inline v0::psk {

namespace {

std::uint64_t milliseconds(responder::clock::time_point at)
{
	using std::chrono::duration_cast;
	return static_cast<std::uint64_t>(
		duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
}

constexpr auto lifetime_ms =
	static_cast<std::uint64_t>(std::chrono::milliseconds(responder::lifetime).count());

bool record_size_allowed(std::uint16_t size)
{
	return size >= record_size_min && size <= record_size_max;
}

} // namespace

answer::answer(bytes_view bytes) : size_(bytes.size())
{
	std::ranges::copy(bytes, bytes_.begin());
}

responder::responder(const keys &with, std::uint16_t port, const host_id &host,
		     std::vector<cipher> allowed, installer install)
	: keys_(with),
	  port_(port),
	  host_(host),
	  allowed_(std::move(allowed)),
	  install_(std::move(install))
{
}

/** Why there is no handshake with @p what, of which the code is right. */
reason responder::objection(const fields &what, const address &from) const
{
	if (what.wish.server_port != port_) {
		return reason::port;
	}
	// A client of this host comes from the address that it has here. What it sent to
	// another host, and somebody turned around, does not.
	if (what.wish.host == host_ && what.client.ip != ip_of(from)) {
		return reason::itself;
	}
	if (std::ranges::find(allowed_, what.wish.cipher) == allowed_.end() ||
	    !record_size_allowed(what.wish.record_size) || what.wish.client_port == 0) {
		return reason::declined;
	}
	return reason::none;
}

/** The cookie's code: over what the client wants, and where both ends are. */
std::array<std::byte, 16> responder::code_of(const fields &what, std::uint64_t time) const
{
	fields bound;
	bound.wish = what.wish;
	bound.seen = what.seen;
	bound.server = what.server;
	bound.cookie.time = time;
	const packet all = seal(bound, cookie_key_);
	std::array<std::byte, 16> code{};
	std::ranges::copy(std::span(all).last(code.size()), code.begin());
	return code;
}

bool responder::is_fresh(const fields &back, std::uint64_t now) const
{
	const std::uint64_t time = back.cookie.time;
	const auto code = code_of(back, time);
	return CRYPTO_memcmp(code.data(), back.cookie.code.data(), code.size()) == 0 &&
	       time <= now && now - time <= lifetime_ms;
}

void responder::forget(clock::time_point now)
{
	while (!order_.empty() && now - order_.front().first > lifetime) {
		done_.erase(order_.front().second);
		order_.pop_front();
	}
}

/**
 * The session is made once: a client that repeats itself, or whose packets somebody repeats,
 * gets the same answer again. All cookies that its wish was given before have died when the
 * session is forgotten here, and it is given no others meanwhile.
 */
bool responder::accepted_before(fields &back) const
{
	const auto known = done_.find(fingerprint(back.wish, back.seen.ip));
	if (known == done_.end()) {
		return false;
	}
	back.kind = kind::accept;
	back.server_nonce = known->second;
	return true;
}

void responder::accept(fields &back, const address &from, const address &to, clock::time_point now)
{
	back.kind = kind::accept;
	back.reason = reason::busy;
	if (order_.size() < most_remembered) {
		const digest which = fingerprint(back.wish, back.seen.ip);
		// First: what cannot be remembered is not made.
		order_.emplace_back(now, which);
		back.reason = try_install(back, from.with_port(back.wish.client_port), to);
		if (back.reason == reason::none) {
			done_.emplace(which, back.server_nonce);
			return;
		}
		order_.pop_back();
	}
	back.kind = kind::refusal;
}

reason responder::try_install(fields &accept, const address &peer, const address &local) const
{
	try {
		install_(accept, peer, local);
		return reason::none;
	} catch (const std::system_error &error) {
		return error.code().value() == ENOBUFS ? reason::busy : reason::declined;
	}
}

answer responder::take(bytes_view bytes, const address &from, const address &to,
		       clock::time_point now)
{
	const auto begins = beginning_of(bytes);
	if (!begins) {
		return {};
	}
	if (begins->version != our_version) {
		return begins->kind == kind::hello ? answer(refuse(*begins, reason::version))
						   : answer();
	}
	if (bytes.size() != length ||
	    (begins->kind != kind::hello && begins->kind != kind::confirm)) {
		return {};
	}
	auto what = open(bytes, keys_.client_code());
	if (!what) {
		return answer(refuse(*begins, reason::secret));
	}
	const reason why = objection(*what, from);
	if (why == reason::port || why == reason::itself) {
		return answer(refuse(*begins, why));
	}
	fields back = *what;
	back.seen = place_of(from);
	back.server = ip_of(to);
	back.host = host_;
	back.server_nonce = {};
	const std::uint64_t time = milliseconds(now);
	forget(now);
	if (why != reason::none) {
		back.kind = kind::refusal;
		back.reason = why;
	} else if (accepted_before(back)) {
		back.cookie = {};
	} else if (what->kind == kind::confirm && is_fresh(back, time)) {
		accept(back, from, to, now);
	} else {
		back.kind = kind::challenge;
		back.cookie = {.time = time, .code = code_of(back, time)};
	}
	return answer(seal(back, keys_.server_code()));
}

} // namespace sdp::inline v0::psk
