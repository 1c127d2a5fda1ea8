// SPDX-License-Identifier: Apache-2.0
#include "wire.hpp"

#include "pipe.hpp"

#include <cstring>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

namespace bench {
namespace {

/** Keys as after a TLS 1.3 handshake; the figures do not depend on them. */
void set_key(int fd, int direction, unsigned char fill)
{
	tls12_crypto_info_aes_gcm_128 info{};
	info.info.version = TLS_1_3_VERSION;
	info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
	std::memset(info.key, fill, sizeof(info.key));
	std::memset(info.iv, fill, sizeof(info.iv));
	check(::setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)), "kTLS key");
}

void start_kernel_tls(int fd, bool server)
{
	check(::setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")), "kTLS");
	set_key(fd, TLS_TX, server ? 1 : 2);
	set_key(fd, TLS_RX, server ? 2 : 1);
	const int yes = 1;
	check(::setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &yes, sizeof(yes)),
	      "kTLS no padding");
}

std::optional<std::size_t> unless_it_waits(ssize_t done, const char *what)
{
	if (done < 0 && errno == EAGAIN) {
		return {};
	}
	if (done < 0 && (errno == ECONNRESET || errno == EPIPE)) {
		throw closed{};
	}
	return static_cast<std::size_t>(check(done, what));
}

} // namespace

wire::~wire()
{
	::close(fd_);
}

std::optional<std::size_t> wire::read(std::span<std::byte> into, bool block)
{
	const auto got = unless_it_waits(
		::recv(fd_, into.data(), into.size(), block ? 0 : MSG_DONTWAIT), "recv");
	if (got && *got == 0) {
		throw closed{};
	}
	return got;
}

std::optional<std::size_t> wire::write(std::span<const std::byte> from, bool block)
{
	return unless_it_waits(
		::send(fd_, from.data(), from.size(), MSG_NOSIGNAL | (block ? 0 : MSG_DONTWAIT)),
		"send");
}

std::unique_ptr<wire> make_wire(int fd, protection how, bool server)
{
	const int yes = 1;
	check(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)), "TCP_NODELAY");
	if (how == protection::openssl) {
		return make_openssl(fd, server);
	}
	if (how == protection::kernel) {
		start_kernel_tls(fd, server);
	}
	return std::make_unique<wire>(fd);
}

} // namespace bench
