// SPDX-License-Identifier: Apache-2.0
/** @file Bytes of a connection: as they are, by the kernel's TLS, or by OpenSSL's. */
#ifndef BENCH_WIRE_HPP
#define BENCH_WIRE_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

namespace bench {

/** A connected TCP socket, which it owns. */
class wire {
public:
	explicit wire(int fd) : fd_(fd) {}
	virtual ~wire();
	wire(const wire &) = delete;
	wire &operator=(const wire &) = delete;

	[[nodiscard]] int fd() const { return fd_; }
	/**
	 * Bytes that were read, or written; none when @p block is false and it would wait.
	 * @throws closed at the end of the connection, std::system_error.
	 */
	virtual std::optional<std::size_t> read(std::span<std::byte> into, bool block);
	virtual std::optional<std::size_t> write(std::span<const std::byte> from, bool block);
	/** Whether there may be more to read that poll() does not know of. */
	[[nodiscard]] virtual bool holds() const { return false; }

private:
	int fd_;
};

/** The other end has closed the connection. */
struct closed : std::runtime_error {
	closed() : std::runtime_error("connection closed") {}
};

enum class protection { none, kernel, openssl };

/** Takes @p fd, connected; makes what protects it, with the other end's help. */
std::unique_ptr<wire> make_wire(int fd, protection how, bool server);
/** By OpenSSL: a handshake with a certificate of its own, then TLS 1.3 with AES-128-GCM. */
std::unique_ptr<wire> make_openssl(int fd, bool server);

} // namespace bench

#endif
