// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What a handshake has to do with its socket. A nonce that made no session is kept there
 * for the next handshake: the kernel gives 1,024 and takes none back.
 */
#ifndef SDP_SRC_UNSPENT_HPP
#define SDP_SRC_UNSPENT_HPP

#include <sdp/socket.hpp>

#include <new>

namespace sdp::inline v0::detail {

class unspent {
public:
	/** @throws std::system_error as socket::new_nonce(). */
	explicit unspent(socket &of) : of_(of), bytes_(of.new_nonce()) {}
	~unspent()
	{
		if (!spent_) {
			try {
				of_.return_nonce(bytes_);
			} catch (const std::bad_alloc &) {
				return; // One of 1,024 is lost.
			}
		}
	}
	unspent(const unspent &) = delete;
	unspent &operator=(const unspent &) = delete;
	unspent(unspent &&) = delete;
	unspent &operator=(unspent &&) = delete;

	[[nodiscard]] const nonce &get() const noexcept { return bytes_; }
	/** It made a session, or never will. */
	void spent() noexcept { spent_ = true; }

private:
	socket &of_;
	const nonce bytes_;
	bool spent_ = false;
};

/**
 * One handshake of a client at a time with a peer: of two, each end might keep another
 * session. Waits for the one before.
 */
class handshake_turn {
public:
	handshake_turn(socket &of, const address &peer);
	~handshake_turn();
	handshake_turn(const handshake_turn &) = delete;
	handshake_turn &operator=(const handshake_turn &) = delete;
	handshake_turn(handshake_turn &&) = delete;
	handshake_turn &operator=(handshake_turn &&) = delete;

private:
	socket &of_;
	const address peer_;
};

} // namespace sdp::inline v0::detail

#endif
