// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What carries messages: a descriptor for sendmsg() and recvmsg(), and how messages are put into
 * their headers. Engines do the calls, or have io_uring do them.
 */
#ifndef SDP_CHANNEL_TRANSPORT_HPP
#define SDP_CHANNEL_TRANSPORT_HPP

#include <sdp/address.hpp>
#include <sdp/credentials.hpp>
#include <sdp/early.hpp>
#include <sdp/message.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <vector>

namespace sdp::inline v0::detail {

/** Where an answer goes. */
struct return_path {
	address peer{};
	std::uint64_t id = 0; /**< of the request */
	/** Of a request that came as early data: its client asks for the answer by this. */
	std::optional<early_token> early{};
};

/** A message on its way out. Nothing of it changes between a send and what is told of that. */
struct outgoing {
	address to{};
	std::uint64_t id = 0;     /**< of the request that it answers; 0: it is one */
	std::uint64_t cookie = 0; /**< of a request */
	std::shared_ptr<const std::vector<std::byte>> bytes{};
	std::optional<early_token> early{}; /**< of that request, if it came as early data */
	bool is_refusal = false;            /**< of a request that nobody took: it may be lost */
	/** Set when nobody wants it any more: who has sent it aborts it. */
	std::atomic<bool> is_unwanted = false;
};

/** A message that has come, or the failure of a request. */
struct arrival {
	std::uint64_t id = 0;
	std::uint64_t cookie = 0;
	address peer{};
	std::error_code error{}; /**< of the RPC; EMSGSIZE: the message was cut */
	bool is_request = false;
	bool secure = false;
	std::uint32_t session = 0;
	std::vector<std::byte> bytes{};
	std::optional<early_token> early{};     /**< it came as early data, */
	std::shared_ptr<const principal> who{}; /**< of this client */
};

/** A message header with room for all that belongs to it. */
struct envelope {
	static constexpr std::size_t control_room = 128;

	msghdr head{};
	sockaddr_storage name{};
	std::array<iovec, 2> pieces{};
	alignas(cmsghdr) std::array<std::byte, control_room> control{};
	std::array<std::byte, 64> prefix{}; /**< of transports that frame messages in their data */
};

/** Functions are safe from any thread. */
class transport {
public:
	transport() = default;
	virtual ~transport() = default;
	transport(const transport &) = delete;
	transport &operator=(const transport &) = delete;
	transport(transport &&) = delete;
	transport &operator=(transport &&) = delete;

	/** Readable when a message is there, writable when there is memory for another. */
	[[nodiscard]] virtual int fd() const noexcept = 0;
	/** Bytes that a buffer for recvmsg() has; the same for ever. */
	[[nodiscard]] virtual std::size_t room() const noexcept = 0;
	/** Makes @p into, for sendmsg(); it points into @p what and into itself. */
	virtual void wrap(const outgoing &what, envelope &into) const noexcept = 0;
	/**
	 * Reads what recvmsg() gave: @p head, and @p payload in place of its pieces.
	 * @return false if that makes no sense.
	 */
	[[nodiscard]] virtual bool unwrap(msghdr &head, bytes_view payload,
					  arrival &into) const = 0;
	/** Ends the request with @p cookie in the kernel; nothing comes of it any more. */
	virtual void abort(std::uint64_t cookie) noexcept = 0;
};

/**
 * What a send fails with while there is no memory, or no room: nothing has gone out; and a
 * receive, while nothing is there or could be taken.
 */
constexpr bool lacks_memory(int error) noexcept
{
	return error == EAGAIN || error == ENOMEM || error == ENOBUFS || error == EINTR;
}

/** Sends without waiting. @return 0 or an errno value. */
int send_now(const transport &by, const outgoing &what) noexcept;

/**
 * Receives without waiting, into @p buffer of transport::room() bytes, and from there.
 * @return 0 or an errno value; EPROTO: what came makes no sense.
 */
int receive_now(const transport &by, std::span<std::byte> buffer, arrival &into);

} // namespace sdp::inline v0::detail

#endif
