// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A nonce for a handshake. One that made no session is kept in the socket for
 * the next handshake: the kernel gives 1,024 and takes none back.
 */
#ifndef SDP_SRC_UNSPENT_HPP
#define SDP_SRC_UNSPENT_HPP

#include <sdp/socket.hpp>

namespace sdp::detail {

class unspent {
public:
	/** @throws std::system_error as socket::new_nonce(). */
	explicit unspent(socket &of);
	~unspent();
	unspent(const unspent &) = delete;
	unspent &operator=(const unspent &) = delete;
	unspent(unspent &&) = delete;
	unspent &operator=(unspent &&) = delete;

	[[nodiscard]] const nonce &get() const noexcept { return bytes_; }
	/** It made a session, or never will. */
	void spent() noexcept { spent_ = true; }

private:
	socket &of_;
	nonce bytes_{};
	bool spent_ = false;
};

} // namespace sdp::detail

#endif
