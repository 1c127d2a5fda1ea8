// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The server's side of the handshake, without sockets: is handed what arrives and the time,
 * and says what to answer. It keeps nothing for a client before that has sent a cookie back
 * which only reaches its address, and has shown that it has the secret.
 */
#ifndef SDP_SRC_PSK_RESPONDER_HPP
#define SDP_SRC_PSK_RESPONDER_HPP

#include "psk_wire.hpp"

#include <sdp/address.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace sdp::inline v0::psk {

/** What is sent back: nothing, a refusal, or a packet. */
class answer {
public:
	answer() = default;
	explicit answer(bytes_view bytes);

	[[nodiscard]] bytes_view bytes() const noexcept { return bytes_view(bytes_).first(size_); }

private:
	packet bytes_{};
	std::size_t size_ = 0;
};

class responder {
public:
	using clock = std::chrono::steady_clock;

	/** How long a cookie can be sent back, and handshakes are remembered. */
	static constexpr std::chrono::seconds lifetime{10};
	/** Handshakes that are remembered; more in that time are told to come again. */
	static constexpr std::size_t most_remembered = 16384;

	/**
	 * Installs the session that @p accept is about with @p peer, the client's SDP socket,
	 * and sets its `server_nonce`.
	 */
	using installer =
		std::function<void(fields &accept, const address &peer, const address &local)>;

	/**
	 * @param with kept by reference.
	 * @param port of the SDP socket.
	 * @param host of this end.
	 */
	responder(const keys &with, std::uint16_t port, const host_id &host,
		  std::vector<cipher> allowed, installer install);

	/** What to answer to @p bytes, which came from @p from to @p to, an address here. */
	[[nodiscard]] answer take(bytes_view bytes, const address &from, const address &to,
				  clock::time_point now);

private:
	[[nodiscard]] reason objection(const fields &what, const address &from) const;
	[[nodiscard]] std::array<std::byte, 16> code_of(const fields &what,
							std::uint64_t time) const;
	[[nodiscard]] bool is_fresh(const fields &back, std::uint64_t now) const;
	[[nodiscard]] bool accepted_before(fields &back) const;
	[[nodiscard]] reason try_install(fields &accept, const address &peer,
					 const address &local) const;
	void accept(fields &back, const address &from, const address &to, clock::time_point now);
	void forget(clock::time_point now);

	const keys &keys_;
	const std::uint16_t port_;
	const host_id host_;
	const std::vector<cipher> allowed_;
	const installer install_;
	const secret cookie_key_ = secret::random();
	std::map<digest, nonce> done_;
	std::deque<std::pair<clock::time_point, digest>> order_; /**< of done_, by age */
};

} // namespace sdp::inline v0::psk

#endif
