// SPDX-License-Identifier: Apache-2.0
// Sessions installed by the calls of <linux/sdp.h>.
#pragma once

#include <array>
#include <linux/sdp.h>

#include "bytes.hpp"
#include "net.hpp"

namespace session {

constexpr uint16_t all_ciphers[] = {SDP_CIPHER_AES_128_GCM, SDP_CIPHER_AES_256_GCM,
				    SDP_CIPHER_CHACHA20_POLY1305};

const char *name(uint16_t cipher);

using Nonce = std::array<uint8_t, SDP_NONCE_LEN>;
using Secret = std::array<uint8_t, SDP_SECRET_LEN>;

/// A secret like any other.
Secret secret(uint8_t seed = 1);

/// SDP_NONCE of a socket; throws.
Nonce nonce(int fd);

/// What SDP_SESSION_ADD takes; @a peer as seen from the socket.
sdp_session_add make(uint16_t role, const net::Address &peer, uint16_t cipher, const Nonce &own,
		     const Nonce &theirs, const Secret &shared = secret(),
		     uint16_t record_size = 0);

/// setsockopt(SDP_SESSION_ADD).
int add(int fd, const sdp_session_add &args);

/// Both halves, as they were installed.
struct Keys {
	sdp_session_add client;
	sdp_session_add server;
};

/// Installs a session at both ends: @a client_fd at @a client_at, and so on.
Keys join(int client_fd, const net::Address &client_at, int server_fd,
	  const net::Address &server_at, uint16_t cipher = SDP_CIPHER_AES_128_GCM,
	  uint16_t record_size = 0, const Secret &shared = secret());

/// SDP_SESSION_INFO of the session with @a peer; throws.
sdp_session_info info(int fd, const net::Address &peer);

/// SDP_SESSION_DEL and SDP_SESSION_REKEY of the session with @a peer.
int remove(int fd, const net::Address &peer);
int rekey(int fd, const net::Address &peer);

/// SDP_POLICY; throws.
void policy(int fd, int value);

} // namespace session
