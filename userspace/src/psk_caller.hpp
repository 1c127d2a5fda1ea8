// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The client's side of the handshake, without sockets: is handed what arrives and the
 * time, and says what to send. What does not verify changes nothing: whoever injects
 * packets, and stops none, does not keep a good answer from being taken.
 */
#ifndef SDP_SRC_PSK_CALLER_HPP
#define SDP_SRC_PSK_CALLER_HPP

#include "psk_wire.hpp"

#include <chrono>
#include <optional>

namespace sdp::inline v0::psk {

using clock = std::chrono::steady_clock;

class caller {
public:
	/**
	 * @param with     kept by reference.
	 * @param own      this end's UDP address and port.
	 * @param called   the server's address.
	 * @param patience how long to wait for an answer that names both addresses as they
	 *                 are here, before one is taken that names others (NAT).
	 */
	caller(const keys &with, const wish &wish, const place &own, const ip_bytes &called,
	       clock::time_point now, clock::duration patience);

	/** When send() has something again. */
	[[nodiscard]] clock::time_point next() const;
	/** What to send at @p now. */
	[[nodiscard]] std::optional<packet> send(clock::time_point now);
	/** Takes a datagram. */
	void take(bytes_view bytes, clock::time_point now);

	/** Set once a server has accepted. */
	[[nodiscard]] const std::optional<fields> &accepted() const noexcept { return accepted_; }
	/** Set once the server has said no, in a way that nobody else can. */
	[[nodiscard]] reason refused() const noexcept { return refused_; }
	/** The last refusal that anybody may have sent. */
	[[nodiscard]] reason hint() const noexcept { return hint_; }
	/** Version in the last packet of another one. */
	[[nodiscard]] std::uint8_t their_version() const noexcept { return their_version_; }

private:
	void take_challenge(const fields &what, bool direct, clock::time_point now);
	void choose(const fields &what, bool direct, clock::time_point now);
	[[nodiscard]] bool is_direct(const fields &what) const;
	void note_hint(const beginning &what, std::size_t size);

	const keys &keys_;
	const wish wish_;
	const place own_;
	const ip_bytes called_;
	const clock::time_point patient_until_;

	std::optional<fields> chosen_; /**< the challenge that is confirmed */
	bool chosen_direct_ = false;
	std::optional<fields> translated_; /**< one that names other addresses, for later */
	std::optional<fields> accepted_;
	reason refused_ = reason::none;
	reason hint_ = reason::none;
	std::uint8_t their_version_ = our_version;

	clock::time_point next_;
	clock::duration interval_;
};

} // namespace sdp::inline v0::psk

#endif
