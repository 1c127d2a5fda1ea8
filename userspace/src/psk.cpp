// SPDX-License-Identifier: Apache-2.0
#include <sdp/psk.hpp>

#include "check.hpp"
#include "unspent.hpp"

#include <algorithm>
#include <cerrno>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace sdp {

namespace psk_wire {

namespace {

constexpr std::string_view magic = "SDP-PSK";
constexpr std::uint8_t version = 1;
constexpr std::size_t sealed_length = 56;

secret hmac(const secret &key, bytes_view data)
{
	std::array<unsigned char, secret::length> digest{};
	unsigned int length = digest.size();
	const auto *input = reinterpret_cast<const unsigned char *>(data.data());
	if (HMAC(EVP_sha256(), key.bytes().data(), secret::length, input, data.size(),
		 digest.data(), &length) == nullptr) {
		detail::fail(ENOMEM, "HMAC");
	}
	secret result(std::as_bytes(std::span(digest)));
	OPENSSL_cleanse(digest.data(), digest.size());
	return result;
}

/** Writes and reads big-endian fields one after another. */
class writer {
public:
	explicit writer(std::span<std::byte> room) : room_(room) {}

	template <typename T>
	void number(T value)
	{
		for (std::size_t i = sizeof(T); i-- > 0;) {
			room_[at_++] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >>
							      (8 * i));
		}
	}
	void bytes(bytes_view from)
	{
		std::ranges::copy(from, room_.begin() + static_cast<std::ptrdiff_t>(at_));
		at_ += from.size();
	}

private:
	std::span<std::byte> room_;
	std::size_t at_ = 0;
};

class reader {
public:
	explicit reader(bytes_view from) : from_(from) {}

	template <typename T>
	T number()
	{
		std::uint64_t value = 0;
		for (const std::byte each : bytes(sizeof(T))) {
			value = value << 8 | std::to_integer<std::uint64_t>(each);
		}
		return static_cast<T>(value);
	}
	bytes_view bytes(std::size_t count)
	{
		at_ += count;
		return from_.subspan(at_ - count, count);
	}
	nonce salt()
	{
		nonce value{};
		std::ranges::copy(bytes(value.size()), value.begin());
		return value;
	}

private:
	bytes_view from_;
	std::size_t at_ = 0;
};

secret code(bytes_view sealed, const secret &shared)
{
	return hmac(hmac(shared, as_bytes("sdp psk 1 mac")), sealed);
}

} // namespace

secret session_secret(const secret &shared)
{
	return hmac(shared, as_bytes("sdp psk 1 session"));
}

packet seal(const handshake &what, const secret &shared)
{
	packet bytes{};
	writer out(bytes);
	out.bytes(as_bytes(magic));
	out.number(version);
	out.number(static_cast<std::uint8_t>(what.kind));
	out.number(static_cast<std::uint8_t>(what.status));
	out.number(static_cast<std::uint16_t>(what.cipher));
	out.number(what.record_size);
	out.number(std::uint16_t{0});
	out.number(what.time);
	out.bytes(what.client);
	out.bytes(what.server);
	const secret mac = code(std::span(bytes).first(sealed_length), shared);
	out.bytes(mac.bytes().first(size - sealed_length));
	return bytes;
}

handshake open(bytes_view bytes, const secret &shared)
{
	if (bytes.size() != size ||
	    !std::ranges::equal(bytes.first(magic.size()), as_bytes(magic)) ||
	    std::to_integer<std::uint8_t>(bytes[magic.size()]) != version) {
		detail::fail(EPROTO, "handshake");
	}
	const secret mac = code(bytes.first(sealed_length), shared);
	if (CRYPTO_memcmp(mac.bytes().data(), &bytes[sealed_length], size - sealed_length) != 0) {
		detail::fail(EKEYREJECTED, "handshake");
	}
	reader in(bytes.subspan(magic.size() + 1));
	handshake what;
	what.kind = in.number<psk_wire::kind>();
	what.status = in.number<psk_wire::status>();
	what.cipher = in.number<sdp::cipher>();
	what.record_size = in.number<std::uint16_t>();
	in.number<std::uint16_t>();
	what.time = in.number<std::uint64_t>();
	what.client = in.salt();
	what.server = in.salt();
	return what;
}

} // namespace psk_wire

namespace {

constexpr int tries = 3;
constexpr std::size_t peers_remembered = 65536;

/** To make room for a session: so many others are looked at, and one that silent may go. */
constexpr std::size_t sessions_looked_at = 64;
constexpr std::chrono::minutes long_silent{1};
constexpr int room_tries = 20;
constexpr std::chrono::milliseconds room_wait{10};

std::uint64_t time_now()
{
	const auto since = std::chrono::system_clock::now().time_since_epoch();
	return static_cast<std::uint64_t>(std::chrono::nanoseconds(since).count());
}

psk_wire::handshake make_hello(const nonce &own, const psk_options &options)
{
	psk_wire::handshake hello;
	hello.kind = psk_wire::kind::hello;
	hello.cipher = options.cipher;
	hello.record_size = options.record_size;
	hello.time = time_now();
	hello.client = own;
	return hello;
}

bool record_size_allowed(std::uint16_t size)
{
	return size >= record_size_min && size <= record_size_max;
}

void install(socket &on, detail::unspent &own, const session_parameters &parameters,
	     const secret &shared)
{
	try {
		on.add_session(parameters, psk_wire::session_secret(shared));
	} catch (const std::system_error &error) {
		// The kernel has forgotten it, as when the machine was suspended.
		if (error.code().value() == EINVAL) {
			own.spent();
		}
		throw;
	}
	own.spent();
}

/** The reply to @p hello, checked. */
psk_wire::handshake exchange(socket &on, const address &server, const secret &shared,
			     const psk_wire::handshake &hello, std::chrono::milliseconds timeout)
{
	const psk_wire::packet packet = psk_wire::seal(hello, shared);
	const message answer = on.call(server, packet, {.clear = true}, timeout);
	const psk_wire::handshake reply = psk_wire::open(answer.bytes(), shared);
	if (reply.kind != psk_wire::kind::reply || reply.client != hello.client ||
	    reply.time != hello.time || reply.cipher != hello.cipher ||
	    reply.record_size != hello.record_size) {
		detail::fail(EPROTO, "handshake");
	}
	if (reply.status != psk_wire::status::ok) {
		detail::fail(ECONNREFUSED, "handshake");
	}
	return reply;
}

} // namespace

namespace {

/** What was moved from holds zeros, which everybody knows. */
void check_secret(const secret &shared)
{
	if (shared.is_empty()) {
		detail::fail(EINVAL, "secret");
	}
}

/** One handshake, of up to three tries, on a mixed socket. */
void shake_hands(socket &on, const address &server, const secret &shared,
		 const psk_options &options)
{
	for (int left = tries; left-- > 0;) {
		detail::unspent own(on);
		const psk_wire::handshake hello = make_hello(own.get(), options);
		try {
			const auto reply = exchange(on, server, shared, hello, options.timeout);
			install(on, own,
				{.peer = server,
				 .role = role::client,
				 .cipher = options.cipher,
				 .record_size = options.record_size,
				 .own_nonce = hello.client,
				 .peer_nonce = reply.server},
				shared);
			return;
		} catch (const std::system_error &error) {
			// A hello that was lost late counts as repeated: the next one is new.
			const bool again =
				is_transient(error.code()) || error.code().value() == ECONNREFUSED;
			if (!again || left == 0) {
				throw;
			}
		}
	}
}

} // namespace

void psk_connect(socket &on, const address &server, const secret &shared,
		 const psk_options &options)
{
	check_secret(shared);
	const policy before = on.get_policy();
	on.set_policy(policy::mixed);
	try {
		shake_hands(on, server, shared, options);
	} catch (...) {
		if (before == policy::secure) {
			on.set_policy(before);
		}
		throw;
	}
	on.set_policy(policy::secure);
}

psk_acceptor::psk_acceptor(secret shared, std::vector<cipher> allowed)
	: shared_(std::move(shared)), allowed_(std::move(allowed))
{
	check_secret(shared_);
	if (allowed_.empty()) {
		allowed_ = {cipher::aes_128_gcm, cipher::aes_256_gcm, cipher::chacha20_poly1305};
	}
}

/** Whether @p hello is new, and later than the last one of @p peer; remembers it. */
bool psk_acceptor::fresh(const address &peer, const psk_wire::handshake &hello)
{
	// Whose it is nobody has signed: another's may come from any address.
	const std::pair unique{hello.time, hello.client};
	if (hellos_.contains(unique)) {
		return false;
	}
	const auto known = last_.find(peer);
	if (known != last_.end()) {
		if (hello.time <= known->second) {
			return false;
		}
		known->second = hello.time;
	} else {
		if (last_.size() >= peers_remembered) {
			last_.erase(std::ranges::min_element(
				last_, {}, [](const auto &each) { return each.second; }));
		}
		last_.emplace(peer, hello.time);
	}
	if (hellos_.size() >= peers_remembered) {
		hellos_.erase(hellos_.begin());
	}
	hellos_.insert(unique);
	return true;
}

/** Installs, with a nonce of ours that it returns; without room, another session goes. */
nonce psk_acceptor::install_with_room(socket &on, session_parameters session)
{
	detail::unspent own(on);
	session.own_nonce = own.get();
	for (int left = room_tries;;) {
		try {
			install(on, own, session, shared_);
			return session.own_nonce;
		} catch (const std::system_error &error) {
			const bool first = left == room_tries;
			if (error.code().value() != ENOBUFS || --left == 0 ||
			    (first && !make_room(on, session.peer))) {
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
bool psk_acceptor::make_room(socket &on, const address &peer)
{
	try {
		on.remove_session(peer);
		return true;
	} catch (const std::system_error &error) {
		if (error.code().value() != ENOENT) {
			throw;
		}
	}
	std::optional<address> longest;
	std::chrono::nanoseconds silent = long_silent;
	for (std::size_t i = 0; i < std::min(sessions_looked_at, last_.size()); ++i) {
		auto next = last_.upper_bound(looked_at_);
		looked_at_ = (next == last_.end() ? last_.begin() : next)->first;
		try {
			const session_info info = on.info(looked_at_);
			if (info.silent >= silent) {
				longest = looked_at_;
				silent = info.silent;
			}
		} catch (const std::system_error &) {
			continue; // Removed before.
		}
	}
	if (longest) {
		on.remove_session(*longest);
	}
	return longest.has_value();
}

bool psk_acceptor::handle(socket &on, const message &request)
{
	if (request.secure() || !request.is_request()) {
		return false;
	}
	psk_wire::handshake reply;
	reply.kind = psk_wire::kind::reply;
	reply.status = psk_wire::status::refused;
	try {
		// One byte more than there may be: too long is no handshake either.
		std::array<std::byte, psk_wire::size + 1> room{};
		const std::size_t length = request.copy_to(room);
		const psk_wire::handshake hello =
			psk_wire::open(std::span(room).first(length), shared_);
		reply.cipher = hello.cipher;
		reply.record_size = hello.record_size;
		reply.time = hello.time;
		reply.client = hello.client;
		const bool known = std::ranges::find(allowed_, hello.cipher) != allowed_.end();
		if (hello.kind == psk_wire::kind::hello && known &&
		    record_size_allowed(hello.record_size) && fresh(request.peer(), hello)) {
			reply.server = install_with_room(on, {.peer = request.peer(),
							      .role = role::server,
							      .cipher = hello.cipher,
							      .record_size = hello.record_size,
							      .peer_nonce = hello.client});
			reply.status = psk_wire::status::ok;
		}
	} catch (const std::system_error &) {
		// Malformed, of another secret, or the kernel declines: the refusal says so.
		reply.status = psk_wire::status::refused;
	}
	try {
		on.respond(request, psk_wire::seal(reply, shared_));
	} catch (const std::system_error &) {
		// The client is out of reach: it asks again, with another hello.
		return true;
	}
	return true;
}

} // namespace sdp
