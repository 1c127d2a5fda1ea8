// SPDX-License-Identifier: Apache-2.0
#include <sdp/tls.hpp>

#include "check.hpp"
#include "context.hpp"
#include "datagram.hpp"
#include "known_peers.hpp"
#include "made_sessions.hpp"
#include "unspent.hpp"
#include "wire.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <openssl/crypto.h>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

namespace sdp::inline v0::tls {

namespace {

/** Datagrams that are taken before anything else is looked at again. */
constexpr int burst = 64;
constexpr std::size_t identities_remembered = 65536;
/** Where the kernel has no room for a session, an idle one goes; tried so often. */
constexpr int room_tries = 20;
constexpr std::chrono::milliseconds room_wait{10};
/** After so long what has come is left for the next handle(). */
constexpr std::chrono::milliseconds longest_turn{20};

/** Room for one byte more than a datagram has: too long is none either. */
using buffer = std::array<std::byte, datagram_length + 1>;

host_id host_of(const sdp::detail::datagrams &in)
{
	constexpr const char *path = "/proc/sys/kernel/random/boot_id";
	const sdp::detail::file boot(sdp::detail::check(::open(path, O_RDONLY | O_CLOEXEC), path));
	std::array<std::byte, 36> id{};
	if (sdp::detail::check(::read(boot.get(), id.data(), id.size()), path) <
	    static_cast<ssize_t>(id.size())) {
		sdp::detail::fail(EIO, path);
	}
	const std::uint64_t cookie = in.namespace_cookie();
	const digest all =
		sha256({as_bytes("sdp/1 host"), id, std::as_bytes(std::span(&cookie, 1))});
	host_id made{};
	std::ranges::copy_n(all.begin(), made.size(), made.begin());
	return made;
}

void tighten(socket &on)
{
	if (on.get_policy() != policy::secure) {
		on.set_policy(policy::secure);
	}
}

std::uint16_t port_of(socket &on)
{
	if (const address now = on.local(); now.port() == 0) {
		on.bind(now);
	}
	return on.local().port();
}

/** An address as certificates have it. */
std::string host_text(const address &of)
{
	std::array<char, INET6_ADDRSTRLEN> text{};
	const address plain = of.unmapped();
	const void *raw =
		plain.version() == ip::v4
			? static_cast<const void *>(
				  &reinterpret_cast<const sockaddr_in *>(plain.data())->sin_addr)
			: &reinterpret_cast<const sockaddr_in6 *>(plain.data())->sin6_addr;
	::inet_ntop(plain.version() == ip::v4 ? AF_INET : AF_INET6, raw, text.data(), text.size());
	return text.data();
}

/**
 * One handshake at a time of a socket with a peer: the kernels of both ends are to install them
 * in the same order. Waits for the one before.
 */
class turn {
public:
	turn(const socket &of, const address &peer) : which_(of.fd(), peer.unmapped())
	{
		std::unique_lock held(lock);
		ended.wait(held, [&] { return going_on.insert(which_).second; });
	}
	~turn()
	{
		const std::scoped_lock held(lock);
		going_on.erase(which_);
		ended.notify_all();
	}
	turn(const turn &) = delete;
	turn &operator=(const turn &) = delete;
	turn(turn &&) = delete;
	turn &operator=(turn &&) = delete;

private:
	static inline std::mutex lock;
	static inline std::condition_variable ended;
	static inline std::set<std::pair<int, address>> going_on;

	const std::pair<int, address> which_;
};

/** What has come to @p wire. Returns what the network says, or 0. */
int listen(client_handshake &with, const sdp::detail::datagrams &wire)
{
	buffer room{};
	for (int left = burst; left-- > 0;) {
		try {
			const auto got = wire.receive(room);
			if (!got) {
				return 0;
			}
			with.take(std::span(room).first(got->size), clock::now());
		} catch (const error &) {
			throw;
		} catch (const std::system_error &failed) {
			// ICMP, which anybody can send.
			return failed.code().value();
		}
	}
	return 0;
}

/** Before early data are sent for the first time. @return false: they have been withdrawn. */
bool claim(early_exchange &early)
{
	early_fate fate = early_fate::not_sent;
	return early.fate.compare_exchange_strong(fate, early_fate::unknown) ||
	       fate != early_fate::withdrawn;
}

/**
 * All that there is to send. Returns what the network says, or 0; empty, and nothing was sent, if
 * the early data in it are not wanted any more.
 */
std::optional<int> speak(client_handshake &with, const sdp::detail::datagrams &wire,
			 early_exchange *early)
{
	int said = 0;
	while (const auto bytes = with.send(clock::now())) {
		if (early != nullptr && with.early() != early_fate::not_sent && !claim(*early)) {
			return std::nullopt;
		}
		try {
			wire.send(*bytes);
		} catch (const std::system_error &failed) {
			// Of an earlier one, it may be: the others are to go.
			said = failed.code().value();
		}
	}
	return said;
}

} // namespace

established connect(socket &on, const address &server,
		    const std::shared_ptr<const credentials> &with, const client_options &options,
		    const std::stop_token &stop, early_exchange *early)
{
	tighten(on);
	const std::uint16_t port = port_of(on);
	client_options wish = options;
	const settings &given = with->inside().given;
	if (wish.server_name.empty() && given.pins.empty() && given.keys.empty()) {
		wish.server_name = host_text(server);
	}
	const turn mine(on, server);
	const auto wire = sdp::detail::datagrams::to(on, server);
	sdp::detail::unspent fresh(on);
	const client_place place{.port = port,
				 .own = wire.local().unmapped(),
				 .server = server,
				 .host = host_of(wire),
				 .nonce = fresh.get()};
	std::optional<client_handshake> begun;
	const auto begin = [&] {
		wish.early.clear();
		if (early != nullptr) {
			wish.early = wire::build(wire::early{.client_port = port,
							     .token = early->token,
							     .request = early->request});
		}
		begun.emplace(with, wish, place, clock::now());
		OPENSSL_cleanse(wish.early.data(), wish.early.size());
	};
	begin();
	client_handshake &talk = *begun; // Also the next one.
	int said = 0;
	while (!talk.agreed()) {
		const auto failed_send = speak(talk, wire, early);
		if (!failed_send) {
			// The session is wanted all the same: by calls that follow.
			early = nullptr;
			begin();
			continue;
		}
		if (*failed_send != 0) {
			said = *failed_send;
		}
		if (talk.failed() != reason::none) {
			if (talk.failed() == reason::no_answer && said != 0) {
				throw error(reason::unreachable, sdp::describe(said));
			}
			throw error(talk.failed(), talk.details(), talk.is_certain());
		}
		if (stop.stop_requested()) {
			sdp::detail::fail(ECANCELED, "handshake");
		}
		wire.wait(std::max(talk.next() - clock::now(), clock::duration::zero()));
		if (const int failed = listen(talk, wire); failed != 0) {
			said = failed;
		}
	}
	const agreement &made = *talk.agreed();
	try {
		on.add_session(made.parameters, made.keyed);
		fresh.spent();
	} catch (const std::system_error &failed) {
		// EINVAL: the kernel has forgotten it, as when the machine was suspended.
		if (failed.code().value() == EINVAL || failed.code().value() == EEXIST) {
			fresh.spent();
		}
		throw;
	}
	if (early != nullptr && talk.early() != early_fate::not_sent) {
		early->fate = talk.early();
		if (!talk.early_reply().empty()) {
			early->reply = talk.early_reply();
		}
	}
	return {made.peer, made.id};
}

struct acceptor::state {
	state(socket &of, std::shared_ptr<const credentials> with, const server_options &options)
		: on(of),
		  wire(make_wire(of)),
		  core(std::move(with), options, of.local().port(), host_of(wire),
		       {.new_nonce = [this] { return take_nonce(); },
			.install = [this](const agreement &made) { install(made); }},
		       clock::now())
	{
	}

	~state()
	{
		try {
			if (spare) {
				on.return_nonce(*spare);
			}
		} catch (const std::bad_alloc &) {
			return; // One of 1,024 is lost.
		}
	}
	state(const state &) = delete;
	state &operator=(const state &) = delete;
	state(state &&) = delete;
	state &operator=(state &&) = delete;

	static sdp::detail::datagrams make_wire(socket &of);
	nonce take_nonce();
	void install(const agreement &made);
	void remember(const agreement &made);
	bool answer_one();

	socket &on;
	const sdp::detail::datagrams wire;
	mutable std::mutex lock; /**< of all below, but identities */
	server_handshakes core;
	std::optional<nonce> spare;   /**< that made no session */
	std::optional<nonce> doubted; /**< of which the kernel has said EINVAL */
	sdp::detail::made_sessions sessions;

	/** Not held while TLS reckons: who handles requests asks for identities. */
	mutable std::mutex identities_lock;
	known_peers identities{identities_remembered};
};

sdp::detail::datagrams acceptor::state::make_wire(socket &of)
{
	if (of.local().port() == 0) {
		sdp::detail::fail(EINVAL, "handshake: the socket has no port");
	}
	tighten(of);
	return sdp::detail::datagrams::at(of);
}

nonce acceptor::state::take_nonce()
{
	// Kept until it is spent, whatever comes of the handshake.
	if (!spare) {
		spare = on.new_nonce();
	}
	return *spare;
}

void acceptor::state::install(const agreement &made)
{
	for (int left = room_tries;;) {
		try {
			on.add_session(made.parameters, made.keyed);
			spare.reset();
			break;
		} catch (const std::system_error &failed) {
			const bool first = left == room_tries;
			const int why = failed.code().value();
			if (why == ENOBUFS && --left > 0 && (!first || sessions.remove_idle(on))) {
				// The kernel counts what was removed a little longer.
				std::this_thread::sleep_for(room_wait);
				continue;
			}
			// EINVAL: the kernel has forgotten it, as when the machine was suspended;
			// or the client asked for what cannot be. So it is tried with another
			// one's.
			if (why == EEXIST || (why == EINVAL && doubted == spare)) {
				spare.reset();
			} else if (why == EINVAL) {
				doubted = spare;
			}
			throw;
		}
	}
	remember(made);
}

void acceptor::state::remember(const agreement &made)
{
	{
		const std::scoped_lock held(identities_lock);
		identities.remember(made.parameters.peer, made.id, made.peer);
	}
	sessions.remember(made.parameters.peer);
}

/** False: nothing has come. */
bool acceptor::state::answer_one()
{
	buffer room{};
	const auto got = wire.receive(room);
	if (!got) {
		return false;
	}
	if (got->for_many) {
		return true;
	}
	datagram back;
	{
		const std::scoped_lock held(lock);
		back = core.take(std::span(room).first(got->size), got->from, got->to,
				 clock::now());
	}
	if (!back.empty()) {
		wire.send(back, got->to, got->from);
	}
	return true;
}

acceptor::acceptor(socket &on, std::shared_ptr<const credentials> with,
		   const server_options &options)
	: state_(std::make_unique<state>(on, std::move(with), options))
{
}

acceptor::~acceptor() = default;
acceptor::acceptor(acceptor &&other) noexcept = default;
acceptor &acceptor::operator=(acceptor &&other) noexcept = default;

void acceptor::on_early(std::function<early_answer(early_arrival &&, const identity &)> taker)
{
	const std::scoped_lock held(state_->lock);
	state_->core.on_early([to = std::move(taker)](early_data &&what) {
		const auto said = wire::parse_early(what.bytes);
		if (!said || said->client_port == 0) {
			return early_answer();
		}
		return to({.peer = what.from.with_port(said->client_port).unmapped(),
			   .token = said->token,
			   .request = {said->request.begin(), said->request.end()}},
			  what.peer);
	});
}

int acceptor::fd() const noexcept
{
	return state_->wire.fd();
}

void acceptor::handle() noexcept
{
	const auto until = clock::now() + longest_turn;
	for (int left = burst; left-- > 0 && clock::now() < until;) {
		try {
			if (!state_->answer_one()) {
				return;
			}
		} catch (const std::exception &) {
			// No memory, or what the network says of an answer: the client asks again.
			continue;
		}
	}
}

void acceptor::use(std::shared_ptr<const credentials> with)
{
	if (!with) {
		throw std::invalid_argument("a server without credentials");
	}
	const std::scoped_lock held(state_->lock);
	state_->core.use(std::move(with));
}

std::optional<identity> acceptor::peer_of(const address &peer, std::uint32_t id) const
{
	const std::scoped_lock held(state_->identities_lock);
	return state_->identities.find(peer, id);
}

server_counts acceptor::counts() const
{
	const std::scoped_lock held(state_->lock);
	return state_->core.counts();
}

} // namespace sdp::inline v0::tls
