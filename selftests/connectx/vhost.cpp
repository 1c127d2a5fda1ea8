// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/vhost.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace cx {

namespace {

enum : uint32_t {
	get_features = 1,
	set_features = 2,
	set_owner = 3,
	set_mem_table = 5,
	set_vring_num = 8,
	set_vring_addr = 9,
	set_vring_base = 10,
	get_vring_base = 11,
	set_vring_kick = 12,
	set_vring_call = 13,
	set_vring_err = 14,
	get_protocol_features = 15,
	set_protocol_features = 16,
	set_vring_enable = 18,
	set_backend_req_fd = 21,
};

constexpr uint64_t features = 1ull << 32 | 1ull << 30; // version 1, protocol features
// A channel for our requests: the guest finds no queues without it.
constexpr uint64_t protocol_features = 1ull << 5;
constexpr uint32_t version = 1, reply = 4;

enum : uint16_t { descriptor_next = 1, descriptor_write = 2 };
// The guest takes back what we are done with when it is told, or when it reads. A
// signal for each doorbell would be an interrupt for each.
constexpr unsigned writes_per_signal = 64;
constexpr size_t most_of_a_request = 1 << 16;
constexpr size_t most_interrupts = 4096;

uint16_t load16(const uint8_t *p)
{
	return __atomic_load_n(reinterpret_cast<const uint16_t *>(p), __ATOMIC_ACQUIRE);
}

template <typename T>
T copied(const uint8_t *p)
{
	T value;
	memcpy(&value, p, sizeof(value));
	return value;
}

} // namespace

bool Ring::resize(uint32_t size)
{
	stop();
	size_ = size;
	return size > 0 && size <= 32768 && (size & (size - 1)) == 0;
}

bool Ring::place(Memory &memory, uint64_t descriptors, uint64_t available, uint64_t used)
{
	if (size_ == 0 || descriptors % 16 != 0 || available % 2 != 0 || used % 4 != 0)
		return false;
	descriptors_ = memory.find(descriptors, 16ull * size_);
	available_ = memory.find(available, 6 + 2ull * size_);
	used_ = memory.find(used, 6 + 8ull * size_);
	if (!available_ || !used_)
		descriptors_ = nullptr;
	return ready();
}

bool Ring::waiting() const
{
	return ready() && load16(available_ + 2) != next_;
}

bool Ring::take(Memory &memory, Chain &chain, std::string &error)
{
	if (!waiting())
		return false;
	// More than fits would make us serve stale entries over and over.
	if (static_cast<uint16_t>(load16(available_ + 2) - next_) > size_) {
		error = "the ring claims more chains than it has room for";
		stop();
		return false;
	}
	chain = {};
	chain.head = copied<uint16_t>(available_ + 4 + 2 * (next_ & (size_ - 1)));
	next_++;
	if (gather(memory, chain, error))
		return true;
	stop();
	return false;
}

bool Ring::gather(Memory &memory, Chain &chain, std::string &error) const
{
	struct Descriptor {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	};
	size_t total = 0;
	uint32_t index = chain.head;
	for (uint32_t links = 0;; links++) {
		if (index >= size_ || links >= size_) {
			error = "a chain leaves the ring, or has no end";
			return false;
		}
		const auto at = copied<Descriptor>(descriptors_ + 16ull * index);
		auto *bytes = memory.find(at.address, at.length);
		total += at.length;
		if (!bytes || total > 2 * most_of_a_request || (at.flags & ~3) != 0) {
			error = "a descriptor is outside memory, too long, or of unknown kind";
			return false;
		}
		if (at.flags & descriptor_write)
			chain.in.emplace_back(bytes, at.length);
		else
			chain.out.insert(chain.out.end(), bytes, bytes + at.length);
		if (!(at.flags & descriptor_next))
			return true;
		index = at.next;
	}
}

void Ring::give(const Chain &chain, uint32_t written)
{
	if (!ready())
		return;
	const auto index = copied<uint16_t>(used_ + 2);
	auto *entry = used_ + 4 + 8 * (index & (size_ - 1));
	const uint32_t values[2] = {chain.head, written};
	memcpy(entry, values, sizeof(values));
	__atomic_store_n(reinterpret_cast<uint16_t *>(used_ + 2), static_cast<uint16_t>(index + 1),
			 __ATOMIC_RELEASE);
}

struct VhostServer::Message {
	struct {
		uint32_t request, flags, size;
	} header;
	Bytes body;
	std::vector<Fd> fds;

	[[nodiscard]] uint32_t word(size_t at) const { return copied<uint32_t>(&body[at]); }
	[[nodiscard]] uint64_t long_word(size_t at) const { return copied<uint64_t>(&body[at]); }
};

VhostServer::VhostServer(const std::string &path, Memory &memory, Accessed &device, Report &report)
	: path_(path),
	  memory_(memory),
	  device_(device),
	  report_(report),
	  listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
{
	sockaddr_un name{};
	name.sun_family = AF_UNIX;
	if (path.size() >= sizeof(name.sun_path))
		throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
	path.copy(name.sun_path, path.size());
	unlink(path.c_str());
	if (bind(listener_, reinterpret_cast<sockaddr *>(&name), sizeof(name)) != 0 ||
	    listen(listener_, 1) != 0)
		throw std::system_error(errno, std::generic_category(), path);
}

VhostServer::~VhostServer()
{
	unlink(path_.c_str());
}

void VhostServer::watch(std::vector<pollfd> &fds) const
{
	for (const int fd : {peer_.get() >= 0 ? peer_.get() : listener_.get(),
			     queues_[0].kick.get(), queues_[1].kick.get()})
		if (fd >= 0)
			fds.push_back({fd, POLLIN, 0});
}

bool VhostServer::serve()
{
	if (!connected()) {
		peer_.reset(accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
		return true;
	}
	pollfd ready{peer_, POLLIN, 0};
	while (poll(&ready, 1, 0) > 0)
		if (!receive())
			return false;
	for (auto &queue : queues_) {
		uint64_t kicks = 0;
		if (queue.kick >= 0 && read(queue.kick, &kicks, sizeof(kicks)) < 0 &&
		    errno != EAGAIN)
			return refuse("a kick descriptor cannot be read");
	}
	accesses();
	flush_interrupts();
	return true;
}

void VhostServer::accesses()
{
	auto &queue = queues_[0];
	Ring::Chain chain;
	std::string error;
	Bytes answer;
	while (queue.ring.take(memory_, chain, error)) {
		size_t room = 0;
		for (const auto area : chain.in)
			room += area.size();
		answer.assign(room, 0xff);
		const auto written = std::min(device_.access(chain.out, answer), room);
		auto from = answer.begin();
		for (const auto area : chain.in) {
			std::copy_n(from, area.size(), area.begin());
			from += static_cast<ptrdiff_t>(area.size());
		}
		queue.ring.give(chain, static_cast<uint32_t>(written));
		if (room == 0 && ++queue.unsignalled >= writes_per_signal)
			signal(0);
	}
	if (!error.empty())
		refuse(error);
}

void VhostServer::interrupt(uint32_t data)
{
	if (std::find(interrupts_.begin(), interrupts_.end(), data) == interrupts_.end() &&
	    interrupts_.size() < most_interrupts)
		interrupts_.push_back(data);
	flush_interrupts();
}

void VhostServer::flush_interrupts()
{
	auto &queue = queues_[1];
	bool any = false;
	Ring::Chain chain;
	std::string error;
	while (!interrupts_.empty() && queue.ring.take(memory_, chain, error)) {
		// struct virtio_pcidev_msg: op MSI, 4 bytes of data behind 16 of header
		uint8_t message[20] = {7};
		const uint32_t size = 4, data = interrupts_.front();
		memcpy(message + 4, &size, sizeof(size));
		memcpy(message + 16, &data, sizeof(data));
		if (chain.in.empty() || chain.in[0].size() < sizeof(message)) {
			error = "a buffer for interrupts is too small";
			break;
		}
		std::copy(std::begin(message), std::end(message), chain.in[0].begin());
		queue.ring.give(chain, sizeof(message));
		interrupts_.pop_front();
		report_.count("interrupts");
		any = true;
	}
	if (any)
		signal(1);
	if (!error.empty())
		refuse(error);
}

// The guest's end is a socket that holds few of these, and a full one already tells
// what there is to tell: never wait for it.
void VhostServer::signal(int queue)
{
	auto &to = queues_[static_cast<size_t>(queue)];
	const uint64_t one = 1;
	to.unsignalled = 0;
	if (to.call >= 0 && send(to.call, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == ENOTSOCK && ::write(to.call, &one, sizeof(one)) < 0)
		report_.count("signals not sent");
}

bool VhostServer::refuse(const std::string &why)
{
	report_.misuse("vhost-user", why);
	return false;
}

bool VhostServer::receive()
{
	Message message;
	int fds[8];
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		cmsghdr align;
	} control;
	iovec part{&message.header, sizeof(message.header)};
	msghdr head{};
	head.msg_iov = &part;
	head.msg_iovlen = 1;
	head.msg_control = control.bytes;
	head.msg_controllen = sizeof(control.bytes);
	const auto got = recvmsg(peer_, &head, MSG_CMSG_CLOEXEC);
	if (got <= 0) {
		peer_.reset();
		return false;
	}
	for (auto *c = CMSG_FIRSTHDR(&head); c; c = CMSG_NXTHDR(&head, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const auto count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			message.fds.emplace_back(fds[i]);
	}
	if (got != sizeof(message.header) || message.header.size > 512)
		return refuse("a message's header is short, or its body too long");
	message.body.resize(message.header.size);
	// The guest writes a message by one call, so the body is here or never comes.
	for (size_t at = 0; at < message.body.size();) {
		pollfd ready{peer_, POLLIN, 0};
		if (poll(&ready, 1, 5000) <= 0)
			return refuse("a message's body does not come");
		const auto more = recv(peer_, &message.body[at], message.body.size() - at, 0);
		if (more <= 0)
			return refuse("a message is cut off");
		at += static_cast<size_t>(more);
	}
	// Nothing reads fields past the end.
	message.body.resize(std::max<size_t>(message.body.size(), 40));
	return handle(message);
}

bool VhostServer::answer(uint32_t request, uint64_t value)
{
	uint8_t bytes[20];
	const uint32_t header[3] = {request, version | reply, sizeof(value)};
	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + sizeof(header), &value, sizeof(value));
	return send(peer_, bytes, sizeof(bytes), MSG_NOSIGNAL) == sizeof(bytes);
}

bool VhostServer::handle(Message &message)
{
	switch (message.header.request) {
	case get_features:
		return answer(get_features, features);
	case get_protocol_features:
		return answer(get_protocol_features, protocol_features);
	case set_owner:
	case set_features:
	case set_protocol_features:
		return true;
	case set_backend_req_fd:
		if (message.fds.empty())
			return refuse("no descriptor for requests");
		requests_ = std::move(message.fds[0]);
		return true;
	case set_mem_table:
		return map(message);
	default:
		return handle_ring(message);
	}
}

bool VhostServer::map(Message &message)
{
	const auto count = message.word(0);
	for (auto &queue : queues_)
		queue.ring.stop();
	memory_.clear();
	if (count > 8 || message.header.size < 8 + 32ull * count || message.fds.size() != count)
		return refuse("a memory table without the descriptors it needs");
	for (uint32_t i = 0; i < count; i++) {
		const size_t at = 8 + 32ull * i; // address, size, their address, offset
		if (!memory_.map(message.fds[i], message.long_word(at), message.long_word(at + 8),
				 message.long_word(at + 24)))
			return refuse("memory that cannot be mapped");
	}
	return true;
}

bool VhostServer::handle_ring(const Message &message)
{
	const auto index = message.word(0) & 0xff;
	if (index >= queues_.size())
		return refuse("no such queue: " + std::to_string(index));
	auto &queue = queues_[index];
	auto &fds = const_cast<std::vector<Fd> &>(message.fds);
	switch (message.header.request) {
	case set_vring_num:
		return queue.ring.resize(message.word(4)) || refuse("a ring's size");
	case set_vring_base:
		queue.ring.start(static_cast<uint16_t>(message.word(4)));
		return true;
	case set_vring_addr:
		return queue.ring.place(memory_, message.long_word(8), message.long_word(24),
					message.long_word(16)) ||
		       refuse("a ring's address");
	case set_vring_kick:
	case set_vring_call:
	case set_vring_err:
		if (fds.empty())
			return refuse("a descriptor is missing");
		if (message.header.request == set_vring_kick) {
			queue.kick = std::move(fds[0]);
			fcntl(queue.kick, F_SETFL, O_NONBLOCK);
		} else if (message.header.request == set_vring_call) {
			queue.call = std::move(fds[0]);
		}
		return true;
	case set_vring_enable:
		if (message.word(4) == 0)
			queue.ring.stop();
		return true;
	}
	return refuse("request " + std::to_string(message.header.request) + " is not known");
}

} // namespace cx
