// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What the echo benchmark asks of a transport: a server that sends back what it
 * gets, and a client that does a number of such RPCs, so many at a time.
 */
#ifndef BENCH_TRANSPORT_HPP
#define BENCH_TRANSPORT_HPP

#include <sdp/address.hpp>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

namespace bench {

/** One connection, or set of 'outstanding' connections, to be measured. */
struct plan {
	sdp::address server;
	std::size_t size = 0;        /**< bytes of a request, and of a response */
	std::size_t outstanding = 0; /**< RPCs at a time */
};

/** A pipe to the process with the other end, for setting up. */
class channel {
public:
	channel(int in, int out) : in_(in), out_(out) {}
	void put(std::span<const std::byte> bytes) const;
	void get(std::span<std::byte> bytes) const;
	void put_sign() const;
	void wait_sign() const;

private:
	int in_;
	int out_;
};

class client {
public:
	client() = default;
	virtual ~client() = default;
	client(const client &) = delete;
	client &operator=(const client &) = delete;

	/** Does @p count RPCs. */
	virtual void run(std::size_t count) = 0;
};

struct transport {
	std::string_view name;
	/** Serves until the process is killed. */
	void (*serve)(const plan &, const channel &);
	std::unique_ptr<client> (*connect)(const plan &, const channel &);
};

std::span<const transport> tcp_transports();
std::span<const transport> sdp_transports();

/** The result of a system call, or its errno thrown. */
template <typename T>
T check(T result, const char *what)
{
	if (result < 0) {
		throw std::system_error(errno, std::generic_category(), what);
	}
	return result;
}

} // namespace bench

#endif
