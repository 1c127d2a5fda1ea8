// SPDX-License-Identifier: Apache-2.0
// The plain API through io_uring: sends, receives, multishot receives.
#include <fstream>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

// io_uring of 6.12 keeps message headers in a cache whose entries KASAN writes
// into, and then uses what it finds there.
bool has_kasan()
{
	std::ifstream symbols("/proc/kallsyms");
	for (std::string line; std::getline(symbols, line);)
		if (line.find(" kasan_report") != std::string::npos)
			return true;
	return false;
}

class Ring {
public:
	Ring()
	{
		if (has_kasan())
			throw test::Skip("io_uring of this kernel fails under KASAN");
		int err = io_uring_queue_init(64, &ring_, 0);
		if (err < 0)
			throw test::Skip("no io_uring: " + test::errno_name(-err));
	}
	~Ring() { io_uring_queue_exit(&ring_); }
	Ring(const Ring &) = delete;

	io_uring_sqe *sqe(uint64_t tag)
	{
		io_uring_sqe *entry = io_uring_get_sqe(&ring_);
		CHECK(entry != nullptr);
		tag_ = tag;
		return entry;
	}
	void submit(io_uring_sqe *entry)
	{
		io_uring_sqe_set_data64(entry, tag_);
		EQ(io_uring_submit(&ring_), 1);
	}
	/// The next completion; throws after ten seconds.
	io_uring_cqe wait()
	{
		io_uring_cqe *entry = nullptr;
		__kernel_timespec limit{test::slow(10), 0};
		int err = io_uring_wait_cqe_timeout(&ring_, &entry, &limit);
		if (err < 0)
			throw test::Failure("no completion: " + test::errno_name(-err));
		io_uring_cqe copy = *entry;
		io_uring_cqe_seen(&ring_, entry);
		return copy;
	}
	bool idle()
	{
		io_uring_cqe *entry = nullptr;
		return io_uring_peek_cqe(&ring_, &entry) == -EAGAIN;
	}
	io_uring *raw() { return &ring_; }

private:
	io_uring ring_{};
	uint64_t tag_ = 0;
};

/// A msghdr with everything it points to.
struct Header {
	explicit Header(size_t room) : bytes(room)
	{
		vector = {bytes.data(), bytes.size()};
		header.msg_name = peer.raw();
		header.msg_namelen = sizeof(peer.storage);
		header.msg_iov = &vector;
		header.msg_iovlen = 1;
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
	}
	Header(const net::Address &to, View data, const sdp_rpc_cmsg &rpc) : Header(data.size())
	{
		std::copy(data.begin(), data.end(), bytes.begin());
		peer = to;
		header.msg_namelen = to.length;
		cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = IPPROTO_HOMA;
		c->cmsg_type = SDP_CMSG_RPC;
		c->cmsg_len = CMSG_LEN(sizeof(rpc));
		memcpy(CMSG_DATA(c), &rpc, sizeof(rpc));
	}
	Header(const Header &) = delete;

	net::Address peer;
	Bytes bytes;
	iovec vector{};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(sdp_rpc_cmsg))] = {};
	msghdr header{};
};

/// Buffers that the kernel chooses from.
class Buffers {
public:
	static constexpr int group = 7;
	static constexpr unsigned count = 16;
	static constexpr unsigned size = 8192;
	static constexpr size_t bytes = count * sizeof(io_uring_buf);

	explicit Buffers(Ring &ring) : ring_(ring.raw())
	{
		void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);
		CHECK(at != MAP_FAILED);
		buffers_ = static_cast<io_uring_buf_ring *>(at);
		io_uring_buf_ring_init(buffers_);
		io_uring_buf_reg wanted{};
		wanted.ring_addr = reinterpret_cast<uint64_t>(at);
		wanted.ring_entries = count;
		wanted.bgid = group;
		EQ(io_uring_register_buf_ring(ring_, &wanted, 0), 0);
		for (unsigned i = 0; i < count; i++)
			give(i);
	}
	~Buffers()
	{
		io_uring_unregister_buf_ring(ring_, group);
		munmap(buffers_, bytes);
	}
	Buffers(const Buffers &) = delete;

	uint8_t *at(unsigned i) { return &memory_[static_cast<size_t>(i) * size]; }
	void give(unsigned i)
	{
		io_uring_buf_ring_add(buffers_, at(i), size, static_cast<uint16_t>(i),
				      io_uring_buf_ring_mask(count), 0);
		io_uring_buf_ring_advance(buffers_, 1);
	}

private:
	io_uring *ring_;
	io_uring_buf_ring *buffers_;
	Bytes memory_ = Bytes(static_cast<size_t>(count) * size);
};

unsigned buffer_of(const io_uring_cqe &done)
{
	CHECK(done.flags & IORING_CQE_F_BUFFER);
	return done.flags >> IORING_CQE_BUFFER_SHIFT;
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(send_and_receive)
{
	PlainTalk talk;
	Ring ring;
	Header in(4096);
	Header out(talk.to, pattern(3000), rpc_cmsg(0, 42));
	// Nothing is there yet: the receive waits in the ring.
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recvmsg(sqe, talk.server.fd(), &in.header, 0);
	ring.submit(sqe);
	CHECK(ring.idle());
	sqe = ring.sqe(2);
	io_uring_prep_sendmsg(sqe, talk.client.fd(), &out.header, 0);
	ring.submit(sqe);
	for (int i = 0; i < 2; i++)
		EQ(ring.wait().res, 3000);
	EQ(pattern_error(View(in.bytes).first(3000)), "");
	auto request = find_rpc_cmsg(in.header);
	CHECK(request && request->flags == SDP_RPC_REQUEST);
	Header reply(in.peer, pattern(5, 2), rpc_cmsg(request->id));
	sqe = ring.sqe(3);
	io_uring_prep_sendmsg(sqe, talk.server.fd(), &reply.header, 0);
	ring.submit(sqe);
	EQ(ring.wait().res, 5);
	PlainMessage response = talk.client.expect();
	EQ(response.rpc->cookie, 42);
	EQ(pattern_error(response.bytes, 2), "");
}

TEST(plain_send_and_recv)
{
	PlainTalk talk;
	Ring ring;
	OK(net::connect_to(talk.client.fd(), talk.to));
	Bytes out = pattern(100);
	Bytes in(200);
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_send(sqe, talk.client.fd(), out.data(), out.size(), 0);
	ring.submit(sqe);
	EQ(ring.wait().res, 100);
	sqe = ring.sqe(2);
	io_uring_prep_recv(sqe, talk.client.fd(), in.data(), in.size(), 0);
	ring.submit(sqe);
	talk.server.echo();
	EQ(ring.wait().res, 100);
	in.resize(100);
	EQ(pattern_error(in), "");
}

TEST(send_error)
{
	PlainTalk talk;
	Ring ring;
	Header out(talk.to, pattern(10), rpc_cmsg(0, 0, 0x100));
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_sendmsg(sqe, talk.client.fd(), &out.header, 0);
	ring.submit(sqe);
	EQ(ring.wait().res, -EINVAL);
}

TEST(poll)
{
	PlainTalk talk;
	Ring ring;
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_poll_add(sqe, talk.server.fd(), POLLIN);
	ring.submit(sqe);
	CHECK(ring.idle());
	talk.client.request(talk.to, pattern(10));
	CHECK(ring.wait().res & POLLIN);
	talk.server.echo();
	talk.client.expect();
}

TEST(cancelled_receive)
{
	PlainTalk talk;
	Ring ring;
	Header in(100);
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recvmsg(sqe, talk.client.fd(), &in.header, 0);
	ring.submit(sqe);
	sqe = ring.sqe(2);
	io_uring_prep_cancel64(sqe, 1, 0);
	ring.submit(sqe);
	for (int i = 0; i < 2; i++) {
		io_uring_cqe done = ring.wait();
		EQ(done.res, done.user_data == 1 ? -ECANCELED : 0);
	}
	// The next message is nobody else's.
	talk.client.request(talk.to, pattern(10));
	talk.server.echo();
	talk.client.expect();
}

TEST(multishot_recvmsg)
{
	PlainTalk talk;
	Ring ring;
	Buffers buffers(ring);
	msghdr wanted{};
	wanted.msg_namelen = sizeof(sockaddr_in);
	wanted.msg_controllen = CMSG_SPACE(sizeof(sdp_rpc_cmsg));
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recvmsg_multishot(sqe, talk.server.fd(), &wanted, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = Buffers::group;
	ring.submit(sqe);
	for (unsigned i = 0; i < 3 * Buffers::count; i++) {
		talk.client.request(talk.to, pattern(1000 + i, i), i);
		io_uring_cqe done = ring.wait();
		CHECK(done.res > 0);
		CHECK(done.flags & IORING_CQE_F_MORE);
		unsigned buffer = buffer_of(done);
		io_uring_recvmsg_out *out =
			io_uring_recvmsg_validate(buffers.at(buffer), done.res, &wanted);
		CHECK(out != nullptr);
		EQ(out->flags & (MSG_TRUNC | MSG_CTRUNC), 0U);
		unsigned length = io_uring_recvmsg_payload_length(out, done.res, &wanted);
		EQ(length, 1000 + i);
		const auto *bytes =
			static_cast<const uint8_t *>(io_uring_recvmsg_payload(out, &wanted));
		EQ(pattern_error(View(bytes, length), i), "");
		cmsghdr *control = io_uring_recvmsg_cmsg_firsthdr(out, &wanted);
		CHECK(control && control->cmsg_type == SDP_CMSG_RPC);
		sdp_rpc_cmsg rpc;
		memcpy(&rpc, CMSG_DATA(control), sizeof(rpc));
		EQ(rpc.flags, SDP_RPC_REQUEST);
		PlainMessage request;
		request.rpc = rpc;
		memcpy(&request.from.storage, io_uring_recvmsg_name(out), sizeof(sockaddr_in));
		request.from.length = sizeof(sockaddr_in);
		talk.server.reply(request, pattern(7));
		EQ(talk.client.expect().rpc->cookie, i);
		buffers.give(buffer);
	}
}

TEST(multishot_recv)
{
	PlainTalk talk;
	Ring ring;
	Buffers buffers(ring);
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recv_multishot(sqe, talk.client.fd(), nullptr, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = Buffers::group;
	ring.submit(sqe);
	for (unsigned i = 0; i < 5; i++)
		talk.client.request(talk.to, pattern(100 + i, 100 + i));
	for (unsigned i = 0; i < 5; i++)
		talk.server.echo();
	for (unsigned i = 0; i < 5; i++) {
		io_uring_cqe done = ring.wait();
		CHECK(done.res >= 100);
		CHECK(done.flags & IORING_CQE_F_MORE);
		unsigned buffer = buffer_of(done);
		View bytes(buffers.at(buffer), static_cast<size_t>(done.res));
		EQ(pattern_error(bytes, bytes.size()), "");
		buffers.give(buffer);
	}
}

// A failed RPC is a message of 0 bytes, which ends the multishot receive.
TEST(failure_ends_multishot)
{
	PlainTalk talk;
	Ring ring;
	Buffers buffers(ring);
	msghdr wanted{};
	wanted.msg_controllen = CMSG_SPACE(sizeof(sdp_rpc_cmsg));
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recvmsg_multishot(sqe, talk.client.fd(), &wanted, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = Buffers::group;
	ring.submit(sqe);
	talk.client.request(talk.to, pattern(10), 5);
	OK(talk.client.abort(0, 5, ECANCELED));
	io_uring_cqe done = ring.wait();
	io_uring_recvmsg_out *out =
		io_uring_recvmsg_validate(buffers.at(buffer_of(done)), done.res, &wanted);
	CHECK(out != nullptr);
	EQ(io_uring_recvmsg_payload_length(out, done.res, &wanted), 0U);
	sdp_rpc_cmsg rpc;
	memcpy(&rpc, CMSG_DATA(io_uring_recvmsg_cmsg_firsthdr(out, &wanted)), sizeof(rpc));
	EQ(rpc.flags, SDP_RPC_FAILED);
	EQ(rpc.error, ECANCELED);
	EQ(rpc.cookie, 5);
}

TEST(shutdown_ends_multishot)
{
	PlainTalk talk;
	Ring ring;
	Buffers buffers(ring);
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recv_multishot(sqe, talk.client.fd(), nullptr, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = Buffers::group;
	ring.submit(sqe);
	CHECK(ring.idle());
	OK(shutdown(talk.client.fd(), SHUT_RDWR));
	io_uring_cqe done = ring.wait();
	EQ(done.res, -ESHUTDOWN);
	CHECK(!(done.flags & IORING_CQE_F_MORE));
}

TEST(secure_multishot)
{
	PlainTalk talk;
	make_secure(talk);
	Ring ring;
	Buffers buffers(ring);
	io_uring_sqe *sqe = ring.sqe(1);
	io_uring_prep_recv_multishot(sqe, talk.client.fd(), nullptr, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = Buffers::group;
	ring.submit(sqe);
	for (unsigned i = 0; i < 5; i++) {
		talk.client.request(talk.to, pattern(5000, i));
		talk.server.echo();
		io_uring_cqe done = ring.wait();
		EQ(done.res, 5000);
		CHECK(done.flags & IORING_CQE_F_MORE);
		unsigned buffer = buffer_of(done);
		EQ(pattern_error(View(buffers.at(buffer), 5000), i), "");
		buffers.give(buffer);
	}
}
