// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <array>

#include "mlx5.hpp"
#include "test.hpp"

namespace session {

const char *name(uint16_t cipher)
{
	switch (cipher) {
	case SDP_CIPHER_AES_128_GCM:
		return "AES-128-GCM";
	case SDP_CIPHER_AES_256_GCM:
		return "AES-256-GCM";
	default:
		return "ChaCha20-Poly1305";
	}
}

Secret secret(uint8_t seed)
{
	Secret bytes;
	for (size_t i = 0; i < bytes.size(); i++)
		bytes[i] = static_cast<uint8_t>(seed * 37 + i * 11);
	return bytes;
}

Nonce nonce(int fd)
{
	Nonce bytes{};
	socklen_t size = bytes.size();
	OK(getsockopt(fd, IPPROTO_HOMA, SDP_NONCE, bytes.data(), &size));
	EQ(size, bytes.size());
	return bytes;
}

sdp_session_add make(uint16_t role, const net::Address &peer, uint16_t cipher, const Nonce &own,
		     const Nonce &theirs, const Secret &shared, uint16_t record_size)
{
	sdp_session_add args{};
	args.size = sizeof(args);
	args.local = net::Address::any(AF_INET6, 0).in6();
	args.peer = peer.in6();
	args.role = role;
	args.cipher = cipher;
	args.record_size = record_size;
	memcpy(args.secret, shared.data(), shared.size());
	memcpy(args.own_nonce, own.data(), own.size());
	memcpy(args.peer_nonce, theirs.data(), theirs.size());
	return args;
}

int add(int fd, const sdp_session_add &args)
{
	mlx5::tell(args);
	return setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_ADD, &args, sizeof(args));
}

Keys join(int client_fd, const net::Address &client_at, int server_fd,
	  const net::Address &server_at, uint16_t cipher, uint16_t record_size,
	  const Secret &shared)
{
	Nonce of_client = nonce(client_fd);
	Nonce of_server = nonce(server_fd);
	Keys keys{
		make(SDP_ROLE_CLIENT, server_at, cipher, of_client, of_server, shared, record_size),
		make(SDP_ROLE_SERVER, client_at, cipher, of_server, of_client, shared,
		     record_size)};
	OK(add(server_fd, keys.server));
	OK(add(client_fd, keys.client));
	return keys;
}

namespace {

sdp_session_ref reference(const net::Address &peer)
{
	sdp_session_ref ref{};
	ref.size = sizeof(ref);
	ref.peer = peer.in6();
	return ref;
}

} // namespace

sdp_session_info info(int fd, const net::Address &peer)
{
	sdp_session_info info{};
	socklen_t size = sizeof(info);
	info.size = size;
	info.peer = peer.in6();
	OK(getsockopt(fd, IPPROTO_HOMA, SDP_SESSION_INFO, &info, &size));
	EQ(size, sizeof(info));
	return info;
}

int remove(int fd, const net::Address &peer)
{
	sdp_session_ref ref = reference(peer);
	return setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_DEL, &ref, sizeof(ref));
}

int rekey(int fd, const net::Address &peer)
{
	sdp_session_ref ref = reference(peer);
	return setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_REKEY, &ref, sizeof(ref));
}

void policy(int fd, int value)
{
	OK(setsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &value, sizeof(value)));
}

} // namespace session
