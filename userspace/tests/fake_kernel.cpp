// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.hpp"

#include <cstdarg>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

kernel *played = nullptr;

namespace {

void set_peer(msghdr &head, std::uint16_t port)
{
	sockaddr_in peer{};
	peer.sin_family = AF_INET;
	peer.sin_port = htons(port);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*static_cast<sockaddr_in *>(head.msg_name) = peer;
	head.msg_namelen = sizeof(peer);
}

int receive_region(msghdr &head)
{
	auto &args = *static_cast<homa_recvmsg_args *>(head.msg_control);
	played->awaited.push_back(args.id);
	if (played->receives.empty()) {
		played->take_back(args);
		return -EAGAIN;
	}
	const receiver next = std::move(played->receives.front());
	played->receives.pop_front();
	const int result = next(args);
	if (result >= 0) {
		set_peer(head, 1);
	}
	return result;
}

int receive_plain(msghdr &head)
{
	const arrival next = played->plain();
	if (next.error != 0) {
		return -next.error;
	}
	std::ranges::copy(next.body, static_cast<char *>(head.msg_iov->iov_base));
	sdp_rpc_cmsg rpc{};
	rpc.size = sizeof(rpc);
	rpc.id = next.id;
	rpc.cookie = next.cookie;
	cmsghdr *first = CMSG_FIRSTHDR(&head);
	first->cmsg_level = IPPROTO_HOMA;
	first->cmsg_type = SDP_CMSG_RPC;
	first->cmsg_len = CMSG_LEN(sizeof(rpc));
	std::memcpy(CMSG_DATA(first), &rpc, sizeof(rpc));
	set_peer(head, 1);
	return static_cast<int>(next.body.size());
}

} // namespace

extern "C" {

// A TCP socket stands in for one of SDP's: it can be bound, and leaves the UDP port free.
int socket(int domain, int type, int protocol) noexcept
{
	const bool ours = protocol == IPPROTO_HOMA;
	const auto fd =
		static_cast<int>(ours ? ::syscall(SYS_socket, domain, SOCK_STREAM | SOCK_CLOEXEC, 0)
				      : ::syscall(SYS_socket, domain, type, protocol));
	if (played != nullptr) {
		played->sockets.erase(fd);
		if (ours) {
			played->sockets.insert(fd);
		}
	}
	return fd;
}

int ioctl(int, unsigned long request, ...) noexcept
{
	va_list list;
	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (request == SDPIOCABORT) {
		played->aborted.push_back(*static_cast<const sdp_abort_args *>(argument));
	} else if (request == HOMAIOCINFO) {
		played->tell(*static_cast<homa_info *>(argument));
	}
	return 0;
}

ssize_t sendmsg(int fd, const msghdr *head, int flags)
{
	if (played == nullptr || !played->sockets.contains(fd)) {
		return ::syscall(SYS_sendmsg, fd, head, flags);
	}
	if (head->msg_controllen != 0) {
		sdp_rpc_cmsg rpc{};
		std::memcpy(&rpc, CMSG_DATA(CMSG_FIRSTHDR(head)), sizeof(rpc));
		played->plainly.push_back(rpc);
		return static_cast<ssize_t>(head->msg_iov->iov_len);
	}
	auto &args = *static_cast<homa_sendmsg_args *>(head->msg_control);
	args.id = 2 * played->requests.size() + 100;
	played->requests.push_back(args);
	return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) noexcept
{
	if (level != IPPROTO_HOMA) {
		return static_cast<int>(
			::syscall(SYS_setsockopt, fd, level, option, value, length));
	}
	int error = 0;
	if (option == SDP_POLICY) {
		played->policy = *static_cast<const int *>(value);
		played->policies.push_back(played->policy);
	} else if (option == SDP_SESSION_ADD) {
		error = played->add_session(*static_cast<const sdp_session_add *>(value));
	} else if (option == SDP_SESSION_DEL) {
		const auto &ref = *static_cast<const sdp_session_ref *>(value);
		error = played->sessions.erase(ntohs(ref.peer.sin6_port)) == 0 ? ENOENT : 0;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length) noexcept
{
	if (level != IPPROTO_HOMA) {
		return static_cast<int>(
			::syscall(SYS_getsockopt, fd, level, option, value, length));
	}
	if (option == SDP_POLICY) {
		*static_cast<int *>(value) = played->policy;
	} else if (option == SDP_VERSION) {
		auto &version = *static_cast<sdp_version *>(value);
		if (played != nullptr && played->interface == 0) {
			errno = ENOPROTOOPT;
			return -1;
		}
		version.uapi = played != nullptr ? played->interface : SDP_UAPI_VERSION;
		version.wire = 2;
	} else if (option == SDP_NONCE) {
		std::memset(value, ++played->nonces, *length);
	} else if (option == SDP_SESSION_INFO) {
		auto &info = *static_cast<sdp_session_info *>(value);
		const auto found = played->sessions.find(ntohs(info.peer.sin6_port));
		if (found == played->sessions.end()) {
			errno = ENOENT;
			return -1;
		}
		info.local.sin6_family = AF_INET6;
		info.silent_ns = static_cast<std::uint64_t>(found->second.count());
	}
	return 0;
}

// The C library declares that poll() only writes to what it is given.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
int poll(pollfd *files, nfds_t count, int milliseconds)
{
	if (played != nullptr && played->sockets.contains(files->fd)) {
		return 0;
	}
	const timespec time{.tv_sec = milliseconds / 1000,
			    .tv_nsec = milliseconds % 1000 * 1000000};
	return ::ppoll(files, count, milliseconds < 0 ? nullptr : &time, nullptr);
}
#pragma GCC diagnostic pop

ssize_t recvmsg(int fd, msghdr *head, int flags)
{
	if (!played->sockets.contains(fd)) {
		return ::syscall(SYS_recvmsg, fd, head, flags);
	}
	const int result = played->plain ? receive_plain(*head) : receive_region(*head);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}
}
