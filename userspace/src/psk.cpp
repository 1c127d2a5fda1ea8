// SPDX-License-Identifier: Apache-2.0
#include <sdp/psk.hpp>

#include "check.hpp"
#include "datagram.hpp"
#include "made_sessions.hpp"
#include "psk_caller.hpp"
#include "psk_responder.hpp"
#include "psk_wire.hpp"
#include "unspent.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <thread>
#include <utility>

namespace sdp::inline v0 {

namespace {

using clock = std::chrono::steady_clock;

/** Room for one byte more than a handshake has: too long is none either. */
using buffer = std::array<std::byte, psk::length + 1>;

constexpr std::chrono::hours longest_timeout{24};
constexpr std::chrono::milliseconds longest_patience{1000};
/** Datagrams that are taken before the clock, or anything else, is looked at again. */
constexpr int burst = 64;

/** Where the kernel has no room for a session, an idle one goes; tried so often. */
constexpr int room_tries = 20;
constexpr std::chrono::milliseconds room_wait{10};
/** After so long what has come is left for the next handle(). */
constexpr std::chrono::milliseconds longest_turn{20};

/** What tells this network namespace, of this boot of this machine, from all others. */
std::vector<std::byte> host_bytes(const detail::datagrams &in)
{
	constexpr const char *path = "/proc/sys/kernel/random/boot_id";
	const detail::file boot(detail::check(::open(path, O_RDONLY | O_CLOEXEC), path));
	std::array<std::byte, 36> id{};
	if (detail::check(::read(boot.get(), id.data(), id.size()), path) <
	    static_cast<ssize_t>(id.size())) {
		detail::fail(EIO, path);
	}
	std::vector<std::byte> all(id.begin(), id.end());
	const std::uint64_t cookie = in.namespace_cookie();
	const auto bytes = std::as_bytes(std::span(&cookie, 1));
	all.insert(all.end(), bytes.begin(), bytes.end());
	return all;
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

void install(socket &on, detail::unspent &own, const session_parameters &parameters,
	     const secret &keyed)
{
	try {
		on.add_session(parameters, keyed);
	} catch (const std::system_error &error) {
		// The kernel has forgotten it, as when the machine was suspended.
		if (error.code().value() == EINVAL) {
			own.spent();
		}
		throw;
	}
	own.spent();
}

/** What the client asks for with @p options. */
psk::wish wish_of(const psk_options &options, std::uint16_t own_port, const address &server)
{
	psk::wish wish;
	wish.client_port = own_port;
	wish.server_port = server.port();
	wish.cipher = options.cipher;
	wish.record_size = options.record_size;
	const secret random = secret::random();
	std::ranges::copy(random.bytes().first(wish.attempt.size()), wish.attempt.begin());
	return wish;
}

/** Says no in the words of @p why; @p caller has more of them. */
[[noreturn]] void say(psk::reason why, const psk::caller &caller)
{
	switch (why) {
	case psk::reason::version:
		detail::fail(EPROTO, ("handshake: the server speaks version " +
				      std::to_string(caller.their_version()) + ", this end " +
				      std::to_string(psk::our_version))
					     .c_str());
	case psk::reason::secret:
		detail::fail(EKEYREJECTED, "handshake");
	case psk::reason::itself:
		detail::fail(ELOOP, "handshake");
	case psk::reason::declined:
		detail::fail(ECONNREFUSED, "handshake: cipher or record size");
	case psk::reason::busy:
		detail::fail(ENOBUFS, "handshake: the server");
	default:
		detail::fail(EPROTO, "handshake");
	}
}

/** The end of a handshake without an answer; @p error is what the network last said, or 0. */
[[noreturn]] void give_up(const psk::caller &caller, int error)
{
	if (caller.hint() != psk::reason::none) {
		say(caller.hint(), caller);
	}
	detail::fail(error != 0 ? error : ETIMEDOUT, "handshake");
}

/** What has come to @p wire. Returns what the network says, or 0. */
int listen(psk::caller &caller, const detail::datagrams &wire)
{
	buffer room{};
	for (int left = burst; left-- > 0;) {
		try {
			const auto got = wire.receive(room);
			if (!got) {
				return 0;
			}
			caller.take(std::span(room).first(got->size), clock::now());
		} catch (const std::system_error &error) {
			// ICMP, which anybody can send.
			return error.code().value();
		}
	}
	return 0;
}

int speak(psk::caller &caller, const detail::datagrams &wire)
{
	try {
		if (const auto packet = caller.send(clock::now())) {
			wire.send(*packet);
		}
		return 0;
	} catch (const std::system_error &error) {
		return error.code().value();
	}
}

/** Sends and listens until the server has accepted. */
psk::fields converse(psk::caller &caller, const detail::datagrams &wire, clock::time_point until,
		     const std::stop_token &stop)
{
	for (int said = 0; !caller.accepted();) {
		if (caller.refused() != psk::reason::none) {
			say(caller.refused(), caller);
		}
		if (stop.stop_requested()) {
			detail::fail(ECANCELED, "handshake");
		}
		if (clock::now() >= until) {
			give_up(caller, said);
		}
		if (const int error = speak(caller, wire); error != 0) {
			said = error;
		}
		wire.wait(std::min(caller.next(), until) - clock::now());
		if (const int error = listen(caller, wire); error != 0) {
			said = error;
		}
	}
	return *caller.accepted();
}

} // namespace

void psk_connect(socket &on, const address &server, const secret &shared,
		 const psk_options &options)
{
	const psk::keys keys(shared, options.server_name);
	const clock::time_point start = clock::now();
	const auto timeout = std::clamp<std::chrono::milliseconds>(
		options.timeout, std::chrono::milliseconds(0), longest_timeout);
	tighten(on);
	psk::wish wish = wish_of(options, port_of(on), server);
	const detail::handshake_turn turn(on, server.unmapped());
	const auto wire = detail::datagrams::to(on, server);
	const address own = wire.local().unmapped();
	detail::unspent fresh(on);
	wish.client = fresh.get();
	wish.host = keys.host(host_bytes(wire));
	psk::caller caller(keys, wish, psk::place_of(own), psk::ip_of(server), clock::now(),
			   std::min<std::chrono::milliseconds>(timeout / 4, longest_patience));
	const psk::fields accepted = converse(caller, wire, start + timeout, options.stop);
	const psk::digest context = psk::context(accepted);
	install(on, fresh,
		{.peer = server,
		 .role = role::client,
		 .cipher = options.cipher,
		 .record_size = options.record_size,
		 .own_nonce = wish.client,
		 .peer_nonce = accepted.server_nonce,
		 .local = own,
		 .context = context},
		keys.session(context));
}

struct psk_acceptor::state {
	state(socket &of, const secret &shared, const psk_acceptor_options &options)
		: on(of),
		  keys(shared, options.name),
		  wire(make_wire(of)),
		  answers(keys, of.local().port(), keys.host(host_bytes(wire)),
			  ciphers(options.allowed),
			  [this](psk::fields &accept, const address &peer, const address &local) {
				  make_session(accept, peer, local);
			  })
	{
	}

	static detail::datagrams make_wire(socket &of);
	static std::vector<cipher> ciphers(const std::vector<cipher> &allowed);
	void make_session(psk::fields &accept, const address &peer, const address &local);
	bool make_room(const address &peer);
	bool answer_one();

	socket &on;
	const psk::keys keys;
	const detail::datagrams wire;
	psk::responder answers;
	detail::made_sessions sessions;
};

detail::datagrams psk_acceptor::state::make_wire(socket &of)
{
	if (of.local().port() == 0) {
		detail::fail(EINVAL, "handshake: the socket has no port");
	}
	tighten(of);
	return detail::datagrams::at(of);
}

std::vector<cipher> psk_acceptor::state::ciphers(const std::vector<cipher> &allowed)
{
	return allowed.empty() ? std::vector{cipher::aes_128_gcm, cipher::aes_256_gcm,
					     cipher::chacha20_poly1305}
			       : allowed;
}

/** Installs a session, and sets the nonce of ours in @p accept; without room, another goes. */
void psk_acceptor::state::make_session(psk::fields &accept, const address &peer,
				       const address &local)
{
	detail::unspent own(on);
	accept.server_nonce = own.get();
	const psk::digest context = psk::context(accept);
	const session_parameters session{.peer = peer,
					 .role = role::server,
					 .cipher = accept.wish.cipher,
					 .record_size = accept.wish.record_size,
					 .own_nonce = own.get(),
					 .peer_nonce = accept.wish.client,
					 .local = local,
					 .context = context};
	const secret keyed = keys.session(context);
	sessions.remember(peer);
	for (int left = room_tries;;) {
		try {
			install(on, own, session, keyed);
			return;
		} catch (const std::system_error &error) {
			const bool first = left == room_tries;
			if (error.code().value() != ENOBUFS || --left == 0 ||
			    (first && !make_room(peer))) {
				throw;
			}
			// The kernel counts what was removed a little longer.
			std::this_thread::sleep_for(room_wait);
		}
	}
}

/**
 * Removes the session with @p peer, which is to be replaced, or the one that was silent
 * longest, of the next few; false if none was for long.
 */
bool psk_acceptor::state::make_room(const address &peer)
{
	try {
		on.remove_session(peer);
		return true;
	} catch (const std::system_error &error) {
		if (error.code().value() != ENOENT) {
			throw;
		}
	}
	return sessions.remove_idle(on);
}

/** False: nothing has come. */
bool psk_acceptor::state::answer_one()
{
	buffer room{};
	const auto got = wire.receive(room);
	if (!got) {
		return false;
	}
	if (got->for_many) {
		return true;
	}
	const psk::answer back =
		answers.take(std::span(room).first(got->size), got->from, got->to, clock::now());
	if (!back.bytes().empty()) {
		wire.send(back.bytes(), got->to, got->from);
	}
	return true;
}

psk_acceptor::psk_acceptor(socket &on, const secret &shared, const psk_acceptor_options &options)
	: state_(std::make_unique<state>(on, shared, options))
{
}

psk_acceptor::~psk_acceptor() = default;
psk_acceptor::psk_acceptor(psk_acceptor &&other) noexcept = default;
psk_acceptor &psk_acceptor::operator=(psk_acceptor &&other) noexcept = default;

int psk_acceptor::fd() const noexcept
{
	return state_->wire.fd();
}

void psk_acceptor::handle() noexcept
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

} // namespace sdp::inline v0
