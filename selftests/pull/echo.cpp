// SPDX-License-Identifier: Apache-2.0
// echo PROTOCOL serve PORT            answers each request with its own bytes
// echo PROTOCOL ask ADDRESS PORT SIZE...
//                                     asks for each size, one after the other,
//                                     then for all at once; checks what returns
//
// Plain API, clear, over any IP protocol that a module made of these rooms speaks.
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

struct Message {
	sdp_rpc_cmsg rpc{};
	sockaddr_in6 peer{};
	Bytes bytes;
};

ssize_t check(ssize_t result, const char *call)
{
	if (result < 0)
		throw std::system_error(errno, std::generic_category(), call);
	return result;
}

// An IPv6 socket, which speaks IPv4 too.
int open_socket(int protocol)
{
	int fd = static_cast<int>(check(socket(AF_INET6, SOCK_DGRAM, protocol), "socket"));
	timeval limit{60, 0};
	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "SO_RCVTIMEO");
	return fd;
}

void send(int fd, const Message &message)
{
	iovec vector{const_cast<uint8_t *>(message.bytes.data()), message.bytes.size()};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(sdp_rpc_cmsg))] = {};
	msghdr header{};
	header.msg_name = const_cast<sockaddr_in6 *>(&message.peer);
	header.msg_namelen = sizeof(message.peer);
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	cmsghdr *c = CMSG_FIRSTHDR(&header);
	c->cmsg_level = IPPROTO_HOMA;
	c->cmsg_type = SDP_CMSG_RPC;
	c->cmsg_len = CMSG_LEN(sizeof(message.rpc));
	memcpy(CMSG_DATA(c), &message.rpc, sizeof(message.rpc));
	check(sendmsg(fd, &header, 0), "sendmsg");
}

Message receive(int fd)
{
	Message message;
	message.bytes.resize(HOMA_MAX_MESSAGE_LENGTH);
	iovec vector{message.bytes.data(), message.bytes.size()};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(sdp_rpc_cmsg))] = {};
	msghdr header{};
	header.msg_name = &message.peer;
	header.msg_namelen = sizeof(message.peer);
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	message.bytes.resize(static_cast<size_t>(check(recvmsg(fd, &header, 0), "recvmsg")));
	const cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (!c || c->cmsg_level != IPPROTO_HOMA || c->cmsg_type != SDP_CMSG_RPC)
		throw std::runtime_error("recvmsg: no control message");
	memcpy(&message.rpc, CMSG_DATA(c), sizeof(message.rpc));
	return message;
}

[[noreturn]] void serve(int protocol, uint16_t port)
{
	int fd = open_socket(protocol);
	timeval forever{};
	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)), "SO_RCVTIMEO");
	sockaddr_in6 any{};
	any.sin6_family = AF_INET6;
	any.sin6_port = htons(port);
	check(bind(fd, reinterpret_cast<sockaddr *>(&any), sizeof(any)), "bind");
	std::cout << "serving" << std::endl;
	for (;;) {
		Message message = receive(fd);
		if (!(message.rpc.flags & SDP_RPC_REQUEST))
			continue;
		uint64_t id = message.rpc.id;
		message.rpc = {};
		message.rpc.size = sizeof(message.rpc);
		message.rpc.id = id;
		send(fd, message);
	}
}

// Differs between messages, and at every place where a packet may begin.
Bytes pattern(size_t size)
{
	Bytes bytes(size);
	auto value = static_cast<uint32_t>(size * 2654435761U);
	for (uint8_t &byte : bytes) {
		value = value * 1664525U + 1013904223U;
		byte = static_cast<uint8_t>(value >> 24);
	}
	return bytes;
}

void ask(int fd, const sockaddr_in6 &peer, size_t size)
{
	Message message;
	message.rpc.size = sizeof(message.rpc);
	message.rpc.cookie = size;
	message.peer = peer;
	message.bytes = pattern(size);
	send(fd, message);
}

// The size of the message that came back.
size_t answer(int fd)
{
	Message message = receive(fd);
	const std::string size = std::to_string(message.rpc.cookie);
	if (message.rpc.flags & SDP_RPC_FAILED)
		throw std::system_error(static_cast<int>(message.rpc.error),
					std::generic_category(), size + " bytes");
	if (message.rpc.flags & SDP_RPC_REQUEST)
		throw std::runtime_error("a request, at a client");
	if (message.bytes != pattern(message.rpc.cookie))
		throw std::runtime_error(size + " bytes came back changed");
	return message.bytes.size();
}

void ask_all(int protocol, const char *address, uint16_t port, const std::vector<size_t> &sizes)
{
	int fd = open_socket(protocol);
	sockaddr_in6 peer{};
	peer.sin6_family = AF_INET6;
	peer.sin6_port = htons(port);
	if (inet_pton(AF_INET6, address, &peer.sin6_addr) != 1)
		throw std::invalid_argument(address);
	for (size_t size : sizes) {
		ask(fd, peer, size);
		if (answer(fd) != size)
			throw std::runtime_error("the answer to another request");
	}
	std::multiset<size_t> open(sizes.begin(), sizes.end());
	for (size_t size : sizes)
		ask(fd, peer, size);
	while (!open.empty()) {
		auto found = open.find(answer(fd));
		if (found == open.end())
			throw std::runtime_error("an answer that came before");
		open.erase(found);
	}
	close(fd);
	std::cout << sizes.size() * 2 << " RPCs over IP protocol " << protocol << '\n';
}

int run(const std::vector<std::string> &args)
{
	auto number = [&](size_t i) { return static_cast<unsigned>(std::stoul(args.at(i))); };
	auto protocol = static_cast<int>(number(0));
	if (args.at(1) == "serve")
		serve(protocol, static_cast<uint16_t>(number(2)));
	std::vector<size_t> sizes;
	for (size_t i = 4; i < args.size(); i++)
		sizes.push_back(number(i));
	ask_all(protocol, args.at(2).c_str(), static_cast<uint16_t>(number(3)), sizes);
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return run({argv + 1, argv + argc});
	} catch (const std::exception &error) {
		std::cerr << "echo: " << error.what() << '\n';
		return 1;
	}
}
