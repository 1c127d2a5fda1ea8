// SPDX-License-Identifier: Apache-2.0
// One ring: a multishot recvmsg() for each transport, into buffers that the kernel takes as it
// needs them; sends in batches, with the wait for what comes next in the same system call.
#include "buffers.hpp"
#include "check.hpp"
#include "poller.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <liburing.h>
#include <map>
#include <new>
#include <poll.h>
#include <span>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace sdp::inline v0::detail {

namespace {

constexpr unsigned entries = 256;
/** Answers that the kernel holds before it has to take memory for them. */
constexpr unsigned completions = 4096;
/** Answers that are taken at once. */
constexpr unsigned batch = 256;
/** Of a transport; a power of two. Each is given back as soon as its message is copied. */
constexpr unsigned buffers = 32;
constexpr std::size_t alignment = 64; /**< of a buffer: control messages have to be */

enum class operation : std::uint8_t { wake, receive, writable, send, cancel };

/** What the kernel was asked, and hands back with its answer. */
struct asked {
	operation what;
};

template <typename T>
T &as(asked &what)
{
	// Its kind says that it is one.
	return static_cast<T &>(what); // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
}

/** A transport in the ring. Goes when it is removed and the kernel has answered for the last time.
 */
struct receiver : asked {
	receiver(std::shared_ptr<attached> of, std::uint16_t buffer_group)
		: asked{operation::receive},
		  is(std::move(of)),
		  group(buffer_group),
		  size((sizeof(io_uring_recvmsg_out) + sizeof(sockaddr_storage) +
			envelope::control_room + is->by->room() + alignment - 1) /
		       alignment * alignment),
		  memory(size * buffers),
		  ring_memory(buffers * sizeof(io_uring_buf)),
		  offered(reinterpret_cast<io_uring_buf_ring *>(ring_memory.bytes().data()))
	{
		wanted.msg_namelen = sizeof(sockaddr_storage);
		wanted.msg_controllen = envelope::control_room;
		io_uring_buf_ring_init(offered);
		for (unsigned i = 0; i < buffers; ++i) {
			give(i);
		}
	}

	[[nodiscard]] std::span<std::byte> buffer(unsigned index) const
	{
		return memory.bytes().subspan(index * size, size);
	}
	void give(unsigned index)
	{
		io_uring_buf_ring_add(offered, buffer(index).data(), static_cast<unsigned>(size),
				      static_cast<std::uint16_t>(index),
				      io_uring_buf_ring_mask(buffers), 0);
		io_uring_buf_ring_advance(offered, 1);
	}

	const std::shared_ptr<attached> is;
	const std::uint16_t group;
	const std::size_t size; /**< of a buffer */
	mapping memory;
	mapping ring_memory;
	io_uring_buf_ring *const offered;
	msghdr wanted{};
	bool is_armed = false;
	bool is_removed = false;
	bool is_cancelled = false;
};

struct write_watch : asked {
	explicit write_watch(std::uint64_t of) : asked{operation::writable}, key(of) {}
	const std::uint64_t key;
};

/** A send: all that the kernel may look at until it has answered. Used again and again. */
struct sending : asked {
	sending() : asked{operation::send} {}

	std::shared_ptr<attached> by;
	std::shared_ptr<outgoing> what;
	envelope all;
};

class uring_poller final : public poller {
public:
	uring_poller() : wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"))
	{
		// What completes is put together where the one thread that has the ring waits
		// for it, not by interrupting that. Kernels before 6.1 know no such rings.
		const unsigned one_thread = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
					    IORING_SETUP_DEFER_TASKRUN;
		int error = init(one_thread);
		if (error == -EINVAL) {
			error = init(0);
		}
		if (error < 0) {
			fail(-error, "io_uring");
		}
		arm_wake();
	}
	~uring_poller() override { io_uring_queue_exit(&ring_); }
	uring_poller(const uring_poller &) = delete;
	uring_poller &operator=(const uring_poller &) = delete;
	uring_poller(uring_poller &&) = delete;
	uring_poller &operator=(uring_poller &&) = delete;

	[[nodiscard]] engine_kind kind() const noexcept override { return engine_kind::io_uring; }
	void begin() noexcept override
	{
		// This thread has it from now on. Fails where it was never disabled. Debian 12's
		// liburing declares a function for it, and has none.
		static_cast<void>(::syscall(__NR_io_uring_register, ring_.ring_fd,
					    IORING_REGISTER_ENABLE_RINGS, nullptr, 0));
	}
	void end() noexcept override
	{
		// The ring ends a little later than its descriptor; what the kernel uses goes now.
		io_uring_sync_cancel_reg all{};
		all.fd = -1;
		all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
		all.timeout.tv_sec = 1;
		// Kernels before 6.0 do not know it.
		static_cast<void>(io_uring_register_sync_cancel(&ring_, &all));
	}
	void add(const std::shared_ptr<attached> &what) override;
	void remove(const std::shared_ptr<attached> &what) noexcept override;
	void want_write(const std::shared_ptr<attached> &what) override;
	bool send(const std::shared_ptr<attached> &what,
		  const std::shared_ptr<outgoing> &message) override;
	void turn(std::optional<clock::time_point> until) override;
	[[nodiscard]] bool has_sends() const noexcept override { return !queued_.empty(); }
	void wake() noexcept override
	{
		// Cannot fail: the counter is far from its end.
		static_cast<void>(::eventfd_write(wake_.get(), 1));
	}

private:
	/** @return 0 or a negative errno value. */
	int init(unsigned flags)
	{
		io_uring_params wanted{};
		wanted.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
		wanted.cq_entries = completions;
		return io_uring_queue_init_params(entries, &ring_, &wanted);
	}
	io_uring_sqe *entry();
	void arm_wake();
	void arm(receiver &which);
	void cancel(receiver &which);
	/** Asks for what could not be asked for before. */
	void catch_up();
	/** Does @p what, which asks the kernel for something; if that fails, catch_up() does. */
	template <typename F>
	void ask(F what) noexcept
	{
		try {
			what();
		} catch (const std::exception &) {
			is_behind_ = true;
		}
	}
	void wait(std::optional<clock::time_point> until);
	void handle(const io_uring_cqe &done);
	void handle_receive(receiver &from, const io_uring_cqe &done);
	static void handle_send(sending &which, int error);
	/** The first @p many that are queued went with the last submission: tells of success. */
	void finish_sends(std::size_t many);
	void handle_writable(write_watch &which);
	static bool read(const receiver &from, std::span<std::byte> bytes, arrival &into);
	void drop_if_done(receiver &which);

	file wake_;
	io_uring ring_{};
	asked wake_asked_{operation::wake};
	asked cancel_asked_{operation::cancel};
	bool is_wake_armed_ = false;
	bool is_behind_ = false; /**< something is to be asked for */
	std::map<std::uint64_t, std::unique_ptr<receiver>> all_;
	std::vector<std::unique_ptr<receiver>> removed_; /**< not yet answered for the last time */
	std::vector<std::uint16_t> free_groups_;
	std::uint16_t next_group_ = 0;
	std::vector<std::unique_ptr<sending>> sends_; /**< as many as there ever were at once */
	std::vector<sending *> free_sends_;
	/** Put into the ring, in their order; what became of them has not been told. */
	std::vector<sending *> queued_;
	std::map<std::uint64_t, std::unique_ptr<write_watch>> watches_; /**< by key */
};

io_uring_sqe *uring_poller::entry()
{
	io_uring_sqe *made = io_uring_get_sqe(&ring_);
	while (made == nullptr) {
		const int error = io_uring_submit(&ring_);
		if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN) {
			fail(-error, "io_uring");
		}
		made = io_uring_get_sqe(&ring_);
	}
	return made;
}

void uring_poller::arm_wake()
{
	io_uring_sqe *made = entry();
	io_uring_prep_poll_multishot(made, wake_.get(), POLLIN);
	io_uring_sqe_set_data(made, &wake_asked_);
	is_wake_armed_ = true;
}

void uring_poller::arm(receiver &which)
{
	io_uring_sqe *made = entry();
	io_uring_prep_recvmsg_multishot(made, which.is->by->fd(), &which.wanted, 0);
	made->flags |= IOSQE_BUFFER_SELECT;
	made->buf_group = which.group;
	io_uring_sqe_set_data(made, static_cast<asked *>(&which));
	which.is_armed = true;
}

void uring_poller::add(const std::shared_ptr<attached> &what)
{
	const bool is_new = free_groups_.empty();
	const std::uint16_t group = is_new ? next_group_ : free_groups_.back();
	// Whatever is removed later finds a place.
	free_groups_.reserve(std::size_t{next_group_} + 1);
	removed_.reserve(std::size_t{next_group_} + 1);
	auto made = std::make_unique<receiver>(what, group);
	io_uring_buf_reg wanted{};
	wanted.ring_addr = reinterpret_cast<std::uintptr_t>(made->offered);
	wanted.ring_entries = buffers;
	wanted.bgid = group;
	const auto place = all_.emplace(what->key, std::move(made)).first;
	receiver &which = *place->second;
	if (const int error = io_uring_register_buf_ring(&ring_, &wanted, 0); error < 0) {
		all_.erase(place);
		fail(-error, "io_uring");
	}
	if (is_new) {
		++next_group_;
	} else {
		free_groups_.pop_back();
	}
	ask([&] { arm(which); });
}

void uring_poller::cancel(receiver &which)
{
	io_uring_sqe *made = entry();
	io_uring_prep_cancel(made, static_cast<asked *>(&which), 0);
	io_uring_sqe_set_data(made, &cancel_asked_);
	which.is_cancelled = true;
}

void uring_poller::catch_up()
{
	if (!is_wake_armed_) {
		arm_wake();
	}
	for (const auto &[key, each] : all_) {
		if (!each->is_armed) {
			arm(*each);
		}
	}
	for (const auto &each : removed_) {
		if (!each->is_cancelled) {
			cancel(*each);
		}
	}
	is_behind_ = false;
}

void uring_poller::remove(const std::shared_ptr<attached> &what) noexcept
{
	const auto found = all_.find(what->key);
	if (found == all_.end()) {
		return;
	}
	receiver &which = *found->second;
	which.is_removed = true;
	removed_.push_back(std::move(found->second));
	all_.erase(found);
	if (which.is_armed) {
		ask([&] { cancel(which); });
	}
	drop_if_done(which);
}

void uring_poller::drop_if_done(receiver &which)
{
	if (!which.is_removed || which.is_armed) {
		return;
	}
	io_uring_unregister_buf_ring(&ring_, which.group);
	free_groups_.push_back(which.group);
	std::erase_if(removed_, [&](const auto &each) { return each.get() == &which; });
}

void uring_poller::want_write(const std::shared_ptr<attached> &what)
{
	if (!all_.contains(what->key)) {
		return; // Removed meanwhile.
	}
	auto fresh = std::make_unique<write_watch>(what->key);
	auto &watch = watches_[what->key];
	if (watch) {
		return;
	}
	io_uring_sqe *made = entry();
	watch = std::move(fresh);
	io_uring_prep_poll_add(made, what->by->fd(), POLLOUT);
	io_uring_sqe_set_data(made, static_cast<asked *>(watch.get()));
}

bool uring_poller::send(const std::shared_ptr<attached> &what,
			const std::shared_ptr<outgoing> &message)
{
	if (free_sends_.empty()) {
		free_sends_.reserve(sends_.size() + 1);
		queued_.reserve(sends_.size() + 1);
		sends_.push_back(std::make_unique<sending>());
		free_sends_.push_back(sends_.back().get());
	}
	io_uring_sqe *made = entry();
	sending &one = *free_sends_.back();
	free_sends_.pop_back();
	one.by = what;
	one.what = message;
	one.all = envelope();
	what->by->wrap(*message, one.all);
	io_uring_prep_sendmsg(made, what->by->fd(), &one.all.head, MSG_NOSIGNAL | MSG_DONTWAIT);
	// It is done when it has been submitted, and an answer would end the wait that goes with
	// that. Only of failure there is one.
	made->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data(made, static_cast<asked *>(&one));
	queued_.push_back(&one);
	return true;
}

/** One system call, for what is queued and for the wait. */
void uring_poller::wait(std::optional<clock::time_point> until)
{
	io_uring_cqe *first = nullptr;
	int error = 0;
	if (until) {
		const auto left = std::max(*until - clock::now(), clock::duration::zero());
		__kernel_timespec time{};
		time.tv_sec = std::chrono::floor<std::chrono::seconds>(left).count();
		time.tv_nsec = (left % std::chrono::seconds(1)).count();
		error = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
	} else {
		error = io_uring_submit_and_wait(&ring_, 1);
	}
	// ETIME: the deadline. EBUSY, EAGAIN: first the answers that are there are to be taken.
	if (error < 0 && error != -ETIME && error != -EINTR && error != -EBUSY &&
	    error != -EAGAIN) {
		fail(-error, "io_uring");
	}
}

void uring_poller::turn(std::optional<clock::time_point> until)
{
	if (is_behind_) {
		catch_up();
	}
	wait(until);
	const bool all_went = io_uring_sq_ready(&ring_) == 0 && !io_uring_cq_has_overflow(&ring_);
	const std::size_t sent = all_went ? queued_.size() : 0;
	std::array<io_uring_cqe *, batch> there;
	const unsigned count = io_uring_peek_batch_cqe(&ring_, there.data(), there.size());
	// Copied: while they are handled, others may be asked for, and answered at once.
	std::array<io_uring_cqe, batch> done;
	for (unsigned i = 0; i < count; ++i) {
		done[i] = *there[i];
	}
	io_uring_cq_advance(&ring_, count);
	for (const io_uring_cqe &each : std::span(done).first(count)) {
		try {
			handle(each);
		} catch (const std::exception &) {
			// No memory for this one: those behind it are taken still.
			continue;
		}
	}
	// Otherwise there may be an answer of one that failed still.
	if (count < batch) {
		finish_sends(sent);
	}
}

void uring_poller::handle(const io_uring_cqe &done)
{
	auto *what = static_cast<asked *>(io_uring_cqe_get_data(&done));
	switch (what->what) {
	case operation::wake: {
		eventfd_t value = 0;
		static_cast<void>(::eventfd_read(wake_.get(), &value));
		is_wake_armed_ = (done.flags & IORING_CQE_F_MORE) != 0;
		if (!is_wake_armed_) {
			ask([&] { arm_wake(); });
		}
		break;
	}
	case operation::receive:
		handle_receive(as<receiver>(*what), done);
		break;
	case operation::writable:
		handle_writable(as<write_watch>(*what));
		break;
	case operation::send:
		handle_send(as<sending>(*what), done.res < 0 ? -done.res : 0);
		break;
	case operation::cancel:
		break;
	}
}

void uring_poller::handle_writable(write_watch &which)
{
	const auto key = which.key;
	watches_.erase(key);
	const auto found = all_.find(key);
	if (found == all_.end()) {
		return;
	}
	if (const auto user = found->second->is->user.lock()) {
		user->writable();
	}
}

void uring_poller::handle_send(sending &which, int error)
{
	const auto by = std::move(which.by);
	const auto what = std::move(which.what);
	if (const auto user = by->user.lock()) {
		user->sent(what, error);
	}
}

void uring_poller::finish_sends(std::size_t many)
{
	for (std::size_t i = 0; i < many; ++i) {
		sending &each = *queued_[i];
		try {
			if (each.by) {
				handle_send(each, 0);
			}
		} catch (const std::exception &) {
			// No memory to be told: it was sent.
		}
		free_sends_.push_back(&each);
	}
	queued_.erase(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(many));
}

/** @p bytes: the kernel's report, name, control messages and data, one after another. */
bool uring_poller::read(const receiver &from, std::span<std::byte> bytes, arrival &into)
{
	msghdr wanted = from.wanted;
	io_uring_recvmsg_out *out =
		io_uring_recvmsg_validate(bytes.data(), static_cast<int>(bytes.size()), &wanted);
	if (out == nullptr) {
		return false;
	}
	auto *name = static_cast<std::byte *>(io_uring_recvmsg_name(out));
	msghdr head{};
	head.msg_name = name;
	head.msg_namelen = std::min<socklen_t>(out->namelen, wanted.msg_namelen);
	head.msg_control = name + wanted.msg_namelen;
	head.msg_controllen = std::min<std::size_t>(out->controllen, wanted.msg_controllen);
	head.msg_flags = static_cast<int>(out->flags);
	const auto *payload =
		static_cast<const std::byte *>(io_uring_recvmsg_payload(out, &wanted));
	const std::size_t length =
		io_uring_recvmsg_payload_length(out, static_cast<int>(bytes.size()), &wanted);
	return from.is->by->unwrap(head, {payload, length}, into);
}

void uring_poller::handle_receive(receiver &from, const io_uring_cqe &done)
{
	// Without more to come, it has ended: by an empty message, for lack of buffers, or for
	// good.
	from.is_armed = (done.flags & IORING_CQE_F_MORE) != 0;
	arrival what;
	bool is_read = false;
	if ((done.flags & IORING_CQE_F_BUFFER) != 0) {
		const unsigned index = done.flags >> IORING_CQE_BUFFER_SHIFT;
		if (done.res > 0) {
			const auto bytes =
				from.buffer(index).first(static_cast<std::size_t>(done.res));
			try {
				is_read = read(from, bytes, what);
			} catch (const std::bad_alloc &) {
				is_read = false;
			}
		}
		from.give(index);
	}
	const auto is = from.is;
	const auto user = is->user.lock();
	const bool goes_on = done.res >= 0 || lacks_memory(-done.res);
	const bool breaks = !from.is_removed && !from.is_armed && !goes_on;
	if (from.is_removed) {
		drop_if_done(from);
	} else if (breaks) {
		remove(is);
	} else if (!from.is_armed) {
		ask([&] { arm(from); });
	}
	if (user && is_read) {
		user->arrived(std::move(what));
	} else if (user && breaks) {
		user->broken(-done.res);
	}
}

} // namespace

std::unique_ptr<poller> make_uring_poller()
{
	return std::make_unique<uring_poller>();
}

} // namespace sdp::inline v0::detail
