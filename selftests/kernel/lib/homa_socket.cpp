// SPDX-License-Identifier: Apache-2.0
#include "homa_socket.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/mman.h>

#include "test.hpp"

HomaSocket::HomaSocket(const net::Netns &ns, int domain, uint16_t port, unsigned pages)
	: fd_(ns.socket(domain, SOCK_DGRAM, IPPROTO_HOMA))
{
	set_timeout(30000);
	if (port) {
		net::Address any = net::Address::any(domain, port);
		OK(bind(fd_, any.raw(), any.length));
	}
	if (!pages)
		return;
	size_ = static_cast<size_t>(pages) * HOMA_BPAGE_SIZE;
	void *region =
		mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(region != MAP_FAILED);
	region_ = static_cast<uint8_t *>(region);
	homa_rcvbuf_args args{reinterpret_cast<uint64_t>(region), size_};
	OK(setsockopt(fd_, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)));
}

HomaSocket::HomaSocket(HomaSocket &&other) noexcept
	: fd_(std::move(other.fd_)),
	  region_(std::exchange(other.region_, nullptr)),
	  size_(other.size_),
	  back_(other.back_)
{
}

HomaSocket::~HomaSocket()
{
	abort_at_close(fd_);
	fd_.reset();
	if (region_)
		munmap(region_, size_);
}

void HomaSocket::set_timeout(unsigned milliseconds) const
{
	milliseconds = test::slow(milliseconds);
	timeval limit{milliseconds / 1000, static_cast<suseconds_t>(milliseconds % 1000) * 1000};
	OK(setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	OK(setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
}

ssize_t HomaSocket::send(const net::Address &to, View bytes, homa_sendmsg_args &args) const
{
	iovec vector{const_cast<uint8_t *>(bytes.data()), bytes.size()};
	msghdr message{};
	message.msg_name = const_cast<sockaddr *>(to.raw());
	message.msg_namelen = to.length;
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	message.msg_control = &args;
	return sendmsg(fd_, &message, 0);
}

uint64_t HomaSocket::request(const net::Address &to, View bytes, uint64_t cookie,
			     uint32_t flags) const
{
	homa_sendmsg_args args{0, cookie, flags, 0};
	EQ(OK(send(to, bytes, args)), 0);
	CHECK(args.id != 0 && args.id % 2 == 0);
	return args.id;
}

void HomaSocket::reply(const HomaMessage &request, View bytes) const
{
	homa_sendmsg_args args{request.args.id, 0, 0, 0};
	EQ(OK(send(request.from, bytes, args)), 0);
	EQ(args.id, request.args.id);
}

HomaMessage HomaSocket::receive_raw(homa_recvmsg_args args, int flags) const
{
	HomaMessage message;
	message.args = args;
	msghdr header{};
	header.msg_name = message.from.raw();
	header.msg_namelen = sizeof(message.from.storage);
	header.msg_control = &message.args;
	header.msg_controllen = sizeof(message.args);
	message.result = recvmsg(fd_, &header, flags);
	message.error = message.result < 0 ? errno : 0;
	message.from.length = header.msg_namelen;
	message.flags = header.msg_flags;
	if (message.result >= 0)
		message.bytes = gather(message.args, static_cast<size_t>(message.result));
	errno = message.error;
	return message;
}

HomaMessage HomaSocket::receive(uint64_t id, int flags)
{
	homa_recvmsg_args args = back_;
	args.id = id;
	args.completion_cookie = 0;
	HomaMessage message = receive_raw(args, flags);
	back_ = {};
	if (message.result >= 0) {
		back_.num_bpages = message.args.num_bpages;
		std::copy(std::begin(message.args.bpage_offsets),
			  std::end(message.args.bpage_offsets), back_.bpage_offsets);
	}
	errno = message.error;
	return message;
}

HomaMessage HomaSocket::expect(uint64_t id)
{
	HomaMessage message = receive(id);
	OK(message.result);
	return message;
}

void HomaSocket::echo()
{
	HomaMessage request = expect();
	EQ(request.args.id % 2, 1);
	reply(request, request.bytes);
}

Bytes HomaSocket::gather(const homa_recvmsg_args &args, size_t length) const
{
	EQ(args.num_bpages, (length + HOMA_BPAGE_SIZE - 1) / HOMA_BPAGE_SIZE);
	Bytes bytes;
	bytes.reserve(length);
	for (unsigned i = 0; i < args.num_bpages; i++) {
		size_t part = std::min(length - bytes.size(), static_cast<size_t>(HOMA_BPAGE_SIZE));
		CHECK(args.bpage_offsets[i] + part <= size_);
		const uint8_t *start = region_ + args.bpage_offsets[i];
		bytes.insert(bytes.end(), start, start + part);
	}
	return bytes;
}

bool HomaSocket::ready(short events, int milliseconds) const
{
	pollfd waiting{fd_, events, 0};
	int count = OK(poll(&waiting, 1, milliseconds));
	return count == 1 && (waiting.revents & events);
}

homa_info HomaSocket::info(std::vector<homa_rpc_info> *rpcs) const
{
	std::vector<homa_rpc_info> space(rpcs ? 64 : 0);
	homa_info info{};
	info.rpc_info = reinterpret_cast<uint64_t>(space.data());
	info.rpc_info_length = space.size() * sizeof(space[0]);
	OK(ioctl(fd_, HOMAIOCINFO, &info));
	if (rpcs) {
		space.resize(info.rpc_info_length / sizeof(space[0]));
		*rpcs = space;
	}
	return info;
}

int HomaSocket::abort(uint64_t id, uint32_t error) const
{
	homa_abort_args args{};
	args.id = id;
	args.error = error;
	return ioctl(fd_, HOMAIOCABORT, &args);
}

uint16_t HomaSocket::port() const
{
	net::Address own;
	OK(getsockname(fd_, own.raw(), &own.length));
	return own.port();
}
