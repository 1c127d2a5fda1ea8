// SPDX-License-Identifier: Apache-2.0
#include <sdp/tls_core.hpp>

#include "context.hpp"
#include "early_store.hpp"
#include "half_open.hpp"
#include "wire.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <openssl/crypto.h>
#include <system_error>
#include <utility>

namespace sdp::inline v0::tls {

namespace {

/** How long a client that seems to be translated waits for being seen as it sees itself. */
constexpr clock::duration patience = std::chrono::milliseconds(500);
/** What a cookie's time counts. */
constexpr std::chrono::seconds cookie_unit{10};
/** Of a server, that its tickets name it by. */
constexpr std::size_t own_mark = 16;
/** Pieces of a client's flight. */
constexpr std::size_t most_final = wire::most_pieces;

/** Whether it can be an address of one host: a session with another would be with nobody. */
bool is_of_one(const wire::place &where)
{
	constexpr std::size_t v4 = 12; // behind the prefix of mapped ones
	constexpr std::byte many_v6{0xff};
	constexpr std::byte least_many_v4{0xe0}; // multicast and above, with broadcast
	const auto &ip = where.ip;
	const auto zeros =
		std::ranges::find_if(ip, [](std::byte each) { return each != std::byte{}; });
	const bool mapped = zeros == ip.begin() + 10 && ip[10] == many_v6 && ip[11] == many_v6;
	if (mapped) {
		return ip[v4] < least_many_v4 &&
		       std::any_of(ip.begin() + v4, ip.end(),
				   [](std::byte each) { return each != std::byte{}; });
	}
	return zeros != ip.end() && ip[0] != many_v6;
}

std::vector<std::byte> bytes_of(std::uint64_t number)
{
	std::vector<std::byte> bytes(sizeof(number));
	for (std::byte &each : bytes) {
		each = static_cast<std::byte>(number);
		number >>= 8;
	}
	return bytes;
}

} // namespace

struct server_handshakes::state {
	state(std::shared_ptr<const credentials> given, const server_options &how,
	      std::uint16_t its_port, const host_id &its_host, server_hooks its_hooks,
	      std::optional<clock::time_point> begun)
		: with(std::move(given)),
		  options(how),
		  port(its_port),
		  host(its_host),
		  hooks(std::move(its_hooks)),
		  since(begun),
		  all(how.limits),
		  seen(how.early.remembered)
	{
		if (how.early.most > longest_early_data) {
			throw std::system_error(EINVAL, std::generic_category(),
						"early data are too long for a hello");
		}
	}

	datagram take_hello(const wire::packet &what, const address &from, clock::time_point now);
	datagram begin(const wire::packet &what, const address &from, clock::time_point now);
	datagram start(handshake &made, const wire::packet &what, const address &from,
		       clock::time_point now);
	datagram take_final(const wire::packet &what, const address &from, const address &to,
			    clock::time_point now);
	bool take_early(handshake &one, const address &from, clock::time_point now);
	void gathered(handshake &one, clock::time_point now);
	void decide(handshake &one, const address &from, const address &to, clock::time_point now);
	[[nodiscard]] reason objection(const handshake &one, const identity &who,
				       const wire::place &from, const wire::place &to) const;
	reason install(handshake &one, const identity &who, const address &from, const address &to);
	void tell(handshake &one, const wire::response &what);
	void answer(handshake &one, const wire::response &what);
	void close(handshake &one);
	datagram refuse(const wire::packet &what, reason why);
	[[nodiscard]] std::chrono::duration<std::uint16_t> age(clock::time_point now) const;
	[[nodiscard]] digest cookie(const wire::packet &hello, const address &from,
				    std::uint64_t when) const;

	std::shared_ptr<const credentials> with;
	const server_options options;
	const std::uint16_t port;
	const host_id host;
	const server_hooks hooks;
	std::function<early_answer(early_data &&)> early_taker;
	const secret cookie_key = secret::random();
	/**
	 * A ticket is good only at the one that gave it, which knows whether it was used; and until
	 * there are other credentials, under which nothing of it is known.
	 */
	secret mark = secret::random();
	std::optional<clock::time_point> since;
	half_open all;
	early_store seen;
	server_counts counts;
};

/** Bound to the address and the port that it goes to, the hello, and the time. */
digest server_handshakes::state::cookie(const wire::packet &hello, const address &from,
					std::uint64_t when) const
{
	const wire::place place = wire::place_of(from);
	return hmac(cookie_key.bytes(),
		    {place.ip, bytes_of(place.port), bytes_of(when), hello.tag});
}

/** Since when it remembers early data, in whole seconds. */
std::chrono::duration<std::uint16_t> server_handshakes::state::age(clock::time_point now) const
{
	constexpr std::int64_t most = std::numeric_limits<std::uint16_t>::max();
	const auto passed = std::chrono::floor<std::chrono::seconds>(now - since.value_or(now));
	return std::chrono::duration<std::uint16_t>(
		static_cast<std::uint16_t>(std::min(passed.count(), most)));
}

datagram server_handshakes::state::refuse(const wire::packet &what, reason why)
{
	return wire::build({.kind = wire::kind::refusal, .reason = why, .tag = what.tag}, 0);
}

datagram server_handshakes::state::take_hello(const wire::packet &what, const address &from,
					      clock::time_point now)
{
	// What failed only after the flight would cost a signature, and be forgotten at once.
	if (what.count != 1 || !wire::early_in(what.data) || wire::tag_of(what.data) != what.tag) {
		++counts.dropped;
		return {};
	}
	handshake *known = all.find(what.tag);
	if (known == nullptr) {
		return begin(what, from, now);
	}
	if (!known->flight || what.index >= known->flight->count()) {
		return {};
	}
	return wire::build({.kind = wire::kind::flight,
			    .index = what.index,
			    .count = static_cast<std::uint16_t>(known->flight->count()),
			    .tag = what.tag,
			    .check = known->flight->head(),
			    .data = known->flight->at(what.index)},
			   0);
}

datagram server_handshakes::state::begin(const wire::packet &what, const address &from,
					 clock::time_point now)
{
	const auto when = static_cast<std::uint64_t>(now.time_since_epoch() / cookie_unit);
	if (seen.has(what.tag, now)) {
		// It was answered, and who sent it has long gone on.
		++counts.dropped;
		return {};
	}
	const digest fresh = cookie(what, from, when);
	const bool is_there =
		equal(what.check, fresh) || equal(what.check, cookie(what, from, when - 1));
	// Only who is there is charged for it: anybody can write another's address.
	if (!is_there && !all.admit_stranger(now)) {
		++counts.cookies;
		return wire::build({.kind = wire::kind::cookie, .tag = what.tag, .check = fresh},
				   datagram_length);
	}
	const source its = source_of(from);
	const bool may = !is_there || all.admit(its, now);
	handshake *made = may ? all.add(what.tag, its, now) : nullptr;
	if (made == nullptr) {
		++counts.busy;
		return refuse(what, reason::busy);
	}
	try {
		return start(*made, what, from, now);
	} catch (...) {
		// Half made it has no keys, and anybody could go on with it.
		all.remove(what.tag);
		throw;
	}
}

datagram server_handshakes::state::start(handshake &made, const wire::packet &what,
					 const address &from, clock::time_point now)
{
	++counts.hellos;
	made.with = with;
	made.talking = std::make_unique<connection>(with->inside(), mark.bytes().first(own_mark));
	const std::size_t early = *wire::early_in(what.data);
	if (options.early.most != 0 && early_taker) {
		made.talking->allow_early(options.early.most, early != 0 &&
								      early <= options.early.most &&
								      seen.has_room(now));
	}
	made.talking->feed(what.data);
	const auto how = made.talking->shake();
	const std::vector<std::byte> flight = made.talking->drain();
	made.flight.emplace(flight);
	made.said.client_hello = sha256({what.data});
	made.said.server_flight = sha256({flight});
	const bool goes_on = how == connection::progress::wants_more && !flight.empty() &&
			     made.talking->unread() == 0;
	if (goes_on) {
		made.talking->export_secret(wire::flight_label, what.tag, made.keys);
	}
	if (goes_on && (early == 0 || take_early(made, from, now))) {
		return take_hello(what, from, now);
	}
	// An alert, which anybody could have sent: nothing is kept for it.
	++counts.refused;
	datagram said;
	if (how == connection::progress::failed && !flight.empty()) {
		said = take_hello(what, from, now);
	}
	made.talking->keep_ticket();
	all.remove(what.tag);
	return said;
}

/**
 * Takes the early data of @p one, if TLS has let them in. Whatever comes of them, no copy of this
 * hello is taken later: the client may send them otherwise.
 * @return false: they are not what was sealed.
 */
bool server_handshakes::state::take_early(handshake &one, const address &from,
					  clock::time_point now)
{
	if (!one.talking->is_early_taken()) {
		++counts.no_early;
		if (one.talking->is_resumed()) {
			one.talking->spend_ticket();
		}
		return true;
	}
	auto bytes = one.talking->take_early();
	if (bytes.empty()) {
		return false;
	}
	// Only now: what was changed on its way spends nothing.
	one.talking->spend_ticket();
	seen.add(one.tag, now);
	++counts.early;
	auto who = one.talking->peer();
	if (auto *known = std::get_if<identity>(&who); known != nullptr) {
		early_data given{std::move(bytes), std::move(*known), from};
		one.early = early_taker(std::move(given));
		// Unless the taker has kept them. NOLINTNEXTLINE(bugprone-use-after-move)
		bytes = std::move(given.bytes);
	}
	OPENSSL_cleanse(bytes.data(), bytes.size());
	return true;
}

datagram server_handshakes::state::take_final(const wire::packet &what, const address &from,
					      const address &to, clock::time_point now)
{
	handshake *known = all.find(what.tag);
	if (known == nullptr || !(known->flight || known->over) || what.count == 0 ||
	    what.index >= what.count || what.count > most_final ||
	    !equal(what.check, wire::code_of(std::span(known->keys).first<32>(), what))) {
		++counts.dropped;
		return {};
	}
	if (!known->over && !known->waits) {
		if (known->parts.empty()) {
			known->parts.resize(what.count);
			known->missing = what.count;
		}
		if (what.index >= known->parts.size()) {
			return {};
		}
		auto &part = known->parts[what.index];
		if (!part) {
			part.emplace(what.data.begin(), what.data.end());
			if (--known->missing == 0) {
				gathered(*known, now);
			}
		}
	}
	if (known->waits) {
		decide(*known, from, to, now);
	}
	return known->answer;
}

/** The client's flight is there, and nobody else's: now TLS decides. */
void server_handshakes::state::gathered(handshake &one, clock::time_point now)
{
	std::vector<std::byte> flight;
	for (const auto &part : one.parts) {
		flight.insert(flight.end(), part->begin(), part->end());
	}
	one.said.client_flight = sha256({flight});
	one.talking->feed(flight);
	if (one.talking->shake() != connection::progress::done) {
		++counts.refused;
		close(one);
		return;
	}
	auto who = one.talking->peer();
	const auto bytes = one.talking->read(wire::offer_length);
	const auto offered = bytes ? wire::parse_offer(*bytes) : std::nullopt;
	// Early data are in the hello, and nowhere else.
	if (!offered || one.talking->unread() != 0 || !one.talking->take_early().empty()) {
		++counts.refused;
		answer(one, {.status = reason::malformed});
		return;
	}
	one.said.offered = *offered;
	if (const auto *why = std::get_if<failure>(&who); why != nullptr) {
		++counts.refused;
		answer(one, {.status = why->why});
		return;
	}
	one.waits = std::move(std::get<identity>(who));
	one.waits_since = now;
}

reason server_handshakes::state::objection(const handshake &one, const identity &who,
					   const wire::place &from, const wire::place &to) const
{
	const wire::offer &offered = one.said.offered;
	if (offered.server_port != port || offered.client_port == 0) {
		return reason::other_peer;
	}
	// Within a host nothing is translated: otherwise it was turned around.
	if (offered.host == host && (offered.own != from || offered.called.ip != to.ip)) {
		return reason::itself;
	}
	const auto &allowed = one.with->inside().given.allowed;
	const auto is_allowed = [&](const std::string &name) {
		return std::ranges::find(allowed, name) != allowed.end();
	};
	if (!allowed.empty() && !is_allowed(who.name) &&
	    std::ranges::none_of(who.names, is_allowed)) {
		return reason::not_allowed;
	}
	const auto wish = static_cast<cipher>(offered.cipher);
	const bool known = wish == cipher::aes_128_gcm || wish == cipher::aes_256_gcm ||
			   wish == cipher::chacha20_poly1305;
	const bool taken = options.allowed.empty() ||
			   std::ranges::find(options.allowed, wish) != options.allowed.end();
	return known && taken && offered.record_size >= record_size_min &&
			       offered.record_size <= record_size_max
		       ? reason::none
		       : reason::declined;
}

/**
 * The client's datagram has come from @p from to @p to. Somebody may have sent a copy on from or
 * to elsewhere, and then the client's own comes, too: it is waited for, unless both addresses are
 * as the client sees them.
 */
void server_handshakes::state::decide(handshake &one, const address &from, const address &to,
				      clock::time_point now)
{
	const wire::place place = wire::place_of(from);
	const wire::place here = wire::place_of(to);
	const wire::offer &offered = one.said.offered;
	if (one.installed) {
		tell(one, *one.installed);
		return;
	}
	const identity who = *one.waits;
	if (const reason why = objection(one, who, place, here); why != reason::none) {
		// Turned around it may be by one who stops nothing.
		if (why != reason::itself || now - one.waits_since >= patience) {
			++counts.refused;
			answer(one, {.status = why});
		}
		return;
	}
	if ((offered.own != place || offered.called.ip != here.ip) &&
	    now - one.waits_since < patience) {
		return;
	}
	wire::response said;
	said.status = install(one, who, from, to);
	said.age = age(now);
	if (said.status == reason::none) {
		said.nonce = one.said.server_nonce; // Otherwise it is for another session.
	}
	if (said.status != reason::none) {
		answer(one, said);
		return;
	}
	one.installed = said;
	tell(one, said);
}

/**
 * The client learns that it is installed. Without memory for that it asks again, and there is to be
 * no other session then: all that needs some is there before something is written.
 */
void server_handshakes::state::tell(handshake &one, const wire::response &what)
{
	const std::vector<std::byte> bytes = wire::build(what);
	const auto early = one.early ? one.early(longest_early) : std::nullopt;
	static_cast<void>(one.talking->write(bytes));
	if (early) {
		static_cast<void>(one.talking->write(*early));
	}
	one.talking->end();
	close(one);
}

reason server_handshakes::state::install(handshake &one, const identity &who, const address &from,
					 const address &to)
{
	const wire::offer &offered = one.said.offered;
	try {
		one.said.server_nonce = hooks.new_nonce();
		// The kernel would refuse it, as if it were this end's fault.
		if (offered.nonce == one.said.server_nonce) {
			++counts.refused;
			return reason::malformed;
		}
		one.said.client = who.key;
		const auto &inside = one.with->inside();
		one.said.server = who.certificate ? inside.own : who.key;
		agreement made;
		made.parameters = {.peer = from.with_port(offered.client_port),
				   .role = role::server,
				   .cipher = static_cast<cipher>(offered.cipher),
				   .record_size = offered.record_size,
				   .own_nonce = one.said.server_nonce,
				   .peer_nonce = offered.nonce,
				   .local = to,
				   .context = wire::context_of(one.said)};
		std::array<std::byte, secret::length> exported{};
		one.talking->export_secret(wire::session_label, made.parameters.context, exported);
		made.keyed = secret(exported);
		OPENSSL_cleanse(exported.data(), exported.size());
		made.id = wire::session_id(made.parameters, made.keyed);
		made.peer = who;
		hooks.install(made);
	} catch (const std::system_error &) {
		++counts.busy;
		return reason::busy;
	}
	++counts.installed;
	counts.resumed += who.resumed ? 1 : 0;
	return reason::none;
}

void server_handshakes::state::answer(handshake &one, const wire::response &what)
{
	static_cast<void>(one.talking->write(wire::build(what)));
	close(one);
}

/** What TLS has to say is the answer: the response, or an alert. */
void server_handshakes::state::close(handshake &one)
{
	const std::vector<std::byte> said = one.talking->drain();
	wire::packet what{.kind = wire::kind::answer, .count = 1, .tag = one.tag};
	if (said.size() <= wire::room) {
		what.data = said;
	}
	what.check = wire::code_of(std::span(one.keys).last<32>(), what);
	one.answer = wire::build(what, 0);
	all.finish(one);
}

server_handshakes::server_handshakes(std::shared_ptr<const credentials> with,
				     const server_options &options, std::uint16_t port,
				     const host_id &host, server_hooks hooks,
				     std::optional<clock::time_point> since)
	: state_(std::make_unique<state>(std::move(with), options, port, host, std::move(hooks),
					 since))
{
}

server_handshakes::~server_handshakes() = default;

void server_handshakes::use(std::shared_ptr<const credentials> with)
{
	state_->mark = secret::random();
	state_->with = std::move(with);
}

void server_handshakes::on_early(std::function<early_answer(early_data &&)> taker)
{
	state_->early_taker = std::move(taker);
}

datagram server_handshakes::take(bytes_view bytes, const address &from, const address &to,
				 clock::time_point now)
{
	state &here = *state_;
	here.all.tick(now);
	if (!here.since) {
		here.since = now;
	}
	if (bytes.size() != datagram_length || !is_of_one(wire::place_of(to))) {
		++here.counts.dropped;
		return {};
	}
	if (wire::other_version(bytes)) {
		++here.counts.dropped;
		// In ours, as the other's tag may lie elsewhere.
		return wire::build({.kind = wire::kind::refusal, .reason = reason::version}, 0);
	}
	const auto what = wire::parse(bytes);
	datagram said;
	try {
		if (what && what->kind == wire::kind::hello) {
			said = here.take_hello(*what, from, now);
		} else if (what && what->kind == wire::kind::final) {
			said = here.take_final(*what, from, to, now);
		} else {
			++here.counts.dropped;
		}
	} catch (const error &) {
		// What OpenSSL cannot do for this client.
		++here.counts.refused;
		here.all.remove(what->tag);
	}
	here.counts.half_open = here.all.size();
	return said;
}

const server_counts &server_handshakes::counts() const noexcept
{
	return state_->counts;
}

} // namespace sdp::inline v0::tls
