// SPDX-License-Identifier: Apache-2.0
#include <sdp/tls_core.hpp>

#include "context.hpp"
#include "wire.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <deque>
#include <openssl/crypto.h>
#include <set>
#include <utility>

namespace sdp::inline v0::tls {

namespace {

constexpr clock::duration first_interval = std::chrono::milliseconds(100);
constexpr clock::duration longest_interval = std::chrono::seconds(1);
/** A server that was there and has been silent for so long has forgotten this handshake. */
constexpr clock::duration forgotten_after = std::chrono::seconds(2);
/** Flights that are being put together, and heads of those that were no good. */
constexpr std::size_t most_gathered = 64;
constexpr std::size_t most_rejected = 1024;
/** Flights that were good: of the server, and of others that may have its name. */
constexpr std::size_t most_candidates = 16;
/** After a "no" a server that says yes is waited for. */
constexpr clock::duration second_opinion = std::chrono::seconds(2);
/** Cookies that were tried in this interval: anybody can send them. */
constexpr std::size_t most_cookies = 1024;
constexpr std::size_t most_queued = 64;
/** For so long a server remembers, at least, what early data it has taken. */
constexpr clock::duration surely_remembered = std::chrono::seconds(30);

/** Any number below @p end, which is small: nobody knows which. */
std::size_t any_below(std::size_t end)
{
	const secret random = secret::random();
	return (std::to_integer<std::size_t>(random.bytes()[0]) << 8 |
		std::to_integer<std::size_t>(random.bytes()[1])) %
	       end;
}

/** Without a server's name, or what stands for it, anybody with a certificate would do. */
void check(const credentials::state &with, const client_options &options)
{
	if (options.server_name.empty() && with.given.pins.empty() && with.given.keys.empty()) {
		throw error(reason::wrong_name, "the server has to be named, or its key pinned");
	}
}

/** A server whose flight has verified; which of them is the right one shows when it answers. */
struct candidate {
	candidate() = default;
	~candidate() { OPENSSL_cleanse(keys.data(), keys.size()); }
	candidate(const candidate &) = delete;
	candidate &operator=(const candidate &) = delete;
	candidate(candidate &&) = delete;
	candidate &operator=(candidate &&) = delete;

	std::unique_ptr<connection> talking; /**< until it has said no */
	bool is_early_taken = false;
	identity peer;
	wire::transcript said;
	std::array<std::byte, 64> keys{}; /**< of the codes: the client's, the server's */
	std::vector<std::vector<std::byte>> final_parts;
};

} // namespace

struct client_handshake::state {
	state(std::shared_ptr<const credentials> given, client_options wish,
	      const client_place &here, clock::time_point now)
		: with(std::move(given)),
		  options(std::move(wish)),
		  place(here),
		  deadline(now + options.timeout)
	{
		check(with->inside(), options);
		begin(now);
	}
	~state() { OPENSSL_cleanse(options.early.data(), options.early.size()); }
	state(const state &) = delete;
	state &operator=(const state &) = delete;
	state(state &&) = delete;
	state &operator=(state &&) = delete;

	void begin(clock::time_point now);
	std::unique_ptr<connection> say_hello();
	void queue_hello(std::size_t index);
	void queue_final(const candidate &one);
	void queue_round();
	[[nodiscard]] bool is_refused() const;
	[[nodiscard]] bool is_forgotten(clock::time_point now) const;
	void note(reason why, std::string text);
	void fail(failure what);
	void take_flight(const wire::packet &what, clock::time_point now);
	void try_flight(const wire::gathering &whole, clock::time_point now);
	void believe(std::unique_ptr<connection> with_server, identity who, bytes_view flight,
		     clock::time_point now);
	void take_cookie(const wire::packet &what);
	void take_answer(const wire::packet &what, clock::time_point now);
	void agree(candidate &one, const wire::response &response, clock::time_point now);
	[[nodiscard]] early_fate fate(const candidate &one, const wire::response &response,
				      clock::time_point now) const;
	[[nodiscard]] std::string session_name() const;

	const std::shared_ptr<const credentials> with;
	client_options options;
	const client_place place;
	const clock::time_point deadline;

	// Of the hello: made anew for each attempt.
	std::optional<tape> randomness;
	ssl_session resumed;
	long resumed_age = 0; /**< seconds, as the hello tells */
	std::vector<std::byte> hello;
	wire::tag tag{};
	bool has_early = false; /**< the hello has early data, */
	bool is_out = false;    /**< and was sent, */
	clock::time_point out_at{};
	unsigned times_out = 0; /**< so often; those that ask for pieces not counted */
	bool was_out = false;   /**< or an earlier attempt's was */
	digest cookie{};
	std::deque<digest> cookies;        /**< tried in this interval */
	std::unique_ptr<connection> fresh; /**< has said hello, and heard nothing */
	std::deque<wire::gathering> gathered;
	std::deque<digest> rejected;

	// Once a server's flight has verified.
	std::vector<std::unique_ptr<candidate>> candidates;
	clock::time_point heard{}; /**< the first of them */
	failure no;                /**< of one of them, the last */
	clock::time_point no_at{};

	std::deque<datagram> queue;
	clock::time_point next_round{};
	clock::duration interval = first_interval;
	std::optional<agreement> agreed;
	early_fate early = early_fate::not_sent;
	std::vector<std::byte> early_reply;
	reason failed = reason::none;
	reason hint = reason::no_answer;
	bool is_hint = false; /**< what it has failed with */
	std::string details;
};

std::string client_handshake::state::session_name() const
{
	return options.server_name + '|' + place.server.text();
}

/** A new hello, to be answered by a new flight. */
void client_handshake::state::begin(clock::time_point now)
{
	randomness.emplace();
	if (with->inside().given.keys.empty()) {
		resumed = with->inside().take_session(session_name());
	}
	candidates.clear();
	no = {};
	gathered.clear();
	rejected.clear();
	queue.clear();
	hello.clear();
	cookie = {};
	cookies.clear();
	was_out = was_out || is_out;
	is_out = false;
	// Once: whether the server has them is known of one hello only.
	has_early = !was_out && !options.early.empty() &&
		    options.early.size() <= longest_early_data && resumed &&
		    SSL_SESSION_get_max_early_data(resumed.get()) >= options.early.size();
	fresh = say_hello();
	// Where OpenSSL has left the ticket out they are sealed with a key that all know.
	const bool is_sound = fresh && (!has_early || wire::shows_ticket(hello));
	if (has_early && (!is_sound || hello.size() > wire::room)) {
		has_early = false;
		if (!is_sound) {
			resumed.reset();
		}
		hello.clear();
		fresh = say_hello();
	}
	if (!fresh || hello.size() > wire::room) {
		throw error(reason::malformed, "no hello can be made");
	}
	tag = wire::tag_of(hello);
	interval = first_interval;
	next_round = now;
}

/**
 * A connection that has said the hello of this attempt, and heard nothing yet; empty if that
 * cannot be made again. OpenSSL's cannot go back once it was fed, so each answer is tried on
 * one of its own.
 */
std::unique_ptr<connection> client_handshake::state::say_hello()
{
	// The hello tells a session's age in seconds, which may change in between.
	constexpr int tries = 3;
	for (int left = tries; left-- > 0;) {
		auto made = std::make_unique<connection>(with->inside(), true, options.server_name);
		if (resumed) {
			const ssl_session copy(SSL_SESSION_dup(resumed.get()));
			const long age = hello.empty() ? std::time(nullptr) -
								 SSL_SESSION_get_time(resumed.get())
						       : resumed_age;
			resumed_age = age;
			SSL_SESSION_set_time(copy.get(), std::time(nullptr) - age);
			SSL_set_session(made->get(), copy.get());
		}
		const tape::playing now(*randomness);
		if (has_early ? !made->say_early(options.early)
			      : made->shake() != connection::progress::wants_more) {
			return nullptr;
		}
		auto bytes = made->drain();
		if (hello.empty()) {
			hello = std::move(bytes);
			return made;
		}
		if (bytes == hello) {
			return made;
		}
	}
	return nullptr;
}

void client_handshake::state::queue_hello(std::size_t index)
{
	datagram made = wire::build({.kind = wire::kind::hello,
				     .index = static_cast<std::uint16_t>(index),
				     .count = 1,
				     .tag = tag,
				     .check = cookie,
				     .data = hello},
				    datagram_length);
	if (std::ranges::find(queue, made) != queue.end()) {
		return; // One answer serves all that wait for it.
	}
	if (queue.size() < most_queued) {
		queue.push_back(std::move(made));
		return;
	}
	// Any goes: who makes us ask for much cannot know which.
	datagram &victim = queue[any_below(queue.size())];
	if (wire::parse(victim)->kind == wire::kind::hello) {
		victim = std::move(made);
	}
}

void client_handshake::state::queue_final(const candidate &one)
{
	for (std::size_t i = 0; i < one.final_parts.size(); ++i) {
		wire::packet part{.kind = wire::kind::final,
				  .index = static_cast<std::uint16_t>(i),
				  .count = static_cast<std::uint16_t>(one.final_parts.size()),
				  .tag = tag,
				  .data = one.final_parts[i]};
		part.check = wire::code_of(std::span(one.keys).first<32>(), part);
		queue.push_back(wire::build(part, datagram_length));
	}
}

/** All that the server may not have got, or sent for nothing. */
void client_handshake::state::queue_round()
{
	for (const auto &each : candidates) {
		if (each->talking) {
			queue_final(*each);
		}
	}
	// Where there is a candidate, too: it may be another than the server.
	queue_hello(0);
	std::set<std::size_t> wanted;
	for (const wire::gathering &each : gathered) {
		for (std::size_t i = 1; i < each.count(); ++i) {
			if (!each.has(i)) {
				wanted.insert(i);
			}
		}
	}
	for (const std::size_t i : wanted) {
		queue_hello(i);
	}
}

/** Remembers what seems to be wrong: said when the time is over. What says more stays. */
void client_handshake::state::note(reason why, std::string text)
{
	const auto weight = [](reason of) {
		switch (of) {
		case reason::none:
		case reason::no_answer:
			return 0;
		case reason::malformed:
		case reason::truncated:
			return 1;
		case reason::busy:
		case reason::refused:
		case reason::version:
			return 2;
		default:
			return 3;
		}
	};
	if (weight(why) >= weight(hint)) {
		hint = why;
		details = std::move(text);
	}
}

void client_handshake::state::fail(failure what)
{
	// Whatever was said: it is over.
	failed = what.why == reason::none ? reason::no_answer : what.why;
	details = std::move(what.details);
	queue.clear();
}

void client_handshake::state::take_cookie(const wire::packet &what)
{
	if (what.check == digest{} || std::ranges::find(cookies, what.check) != cookies.end()) {
		return;
	}
	if (cookies.size() == most_cookies) {
		cookies.pop_front();
	}
	cookies.push_back(what.check);
	cookie = what.check;
	queue_hello(0);
}

void client_handshake::state::take_flight(const wire::packet &what, clock::time_point now)
{
	if (candidates.size() == most_candidates ||
	    std::ranges::find(rejected, what.check) != rejected.end()) {
		return;
	}
	auto found = std::ranges::find(gathered, what.check, &wire::gathering::head);
	if (found == gathered.end()) {
		auto made = what.index == 0
				    ? wire::gathering::begin(what.check, what.count, what.data)
				    : std::nullopt;
		if (!made) {
			return;
		}
		if (gathered.size() == most_gathered) {
			// Any: who sends many forged ones cannot know which.
			gathered.erase(gathered.begin() +
				       static_cast<std::ptrdiff_t>(any_below(most_gathered)));
		}
		gathered.push_back(std::move(*made));
		found = std::prev(gathered.end());
		for (std::size_t i = 1; i < found->count(); ++i) {
			queue_hello(i);
		}
	} else {
		found->add(what.index, what.data);
	}
	if (found->complete()) {
		const wire::gathering whole = std::move(*found);
		gathered.erase(found);
		try_flight(whole, now);
	}
}

void client_handshake::state::try_flight(const wire::gathering &whole, clock::time_point now)
{
	const std::vector<std::byte> flight = whole.flight();
	auto tried = fresh ? std::move(fresh) : say_hello();
	if (!tried) {
		return;
	}
	tried->feed(flight);
	const auto how = tried->shake();
	if (how == connection::progress::done && tried->unread() == 0 && wire::is_flight(flight)) {
		auto who = tried->peer();
		if (auto *known = std::get_if<identity>(&who); known != nullptr) {
			believe(std::move(tried), std::move(*known), flight, now);
		} else {
			auto &why = std::get<failure>(who);
			note(why.why, std::move(why.details));
		}
	} else if (how == connection::progress::failed) {
		failure why = tried->why();
		note(why.why, std::move(why.details));
	} else {
		note(how == connection::progress::done ? reason::malformed : reason::truncated, {});
	}
	if (rejected.size() == most_rejected) {
		rejected.pop_front();
	}
	rejected.push_back(whole.head());
}

/** The server is who it should be: now it is told who this is, and what is wanted. */
void client_handshake::state::believe(std::unique_ptr<connection> with_server, identity who,
				      bytes_view flight, clock::time_point now)
{
	auto made = std::make_unique<candidate>();
	candidate &one = *made;
	one.talking = std::move(with_server);
	one.peer = std::move(who);
	one.talking->export_secret(wire::flight_label, tag, one.keys);
	// The same in other pieces: to one flight there is to be one answer.
	if (std::ranges::any_of(candidates, [&](const std::unique_ptr<candidate> &each) {
		    return equal(std::span(each->keys).first<32>(),
				 std::span(one.keys).first<32>());
	    })) {
		return;
	}
	one.is_early_taken = one.talking->is_early_taken();
	wire::transcript &said = one.said;
	said.client_hello = sha256({hello});
	said.server_flight = sha256({flight});
	said.offered = {.client_port = place.port,
			.server_port = place.server.port(),
			.cipher = static_cast<std::uint16_t>(options.cipher),
			.record_size = options.record_size,
			.nonce = place.nonce,
			.host = place.host,
			.own = wire::place_of(place.own),
			.called = wire::place_of(place.server)};
	if (!one.talking->write(wire::build(said.offered))) {
		fail({reason::malformed, complaint()});
		return;
	}
	const std::vector<std::byte> bytes = one.talking->drain();
	if (bytes.size() > wire::longest_flight) {
		fail({reason::malformed, "this end's certificates are too long"});
		return;
	}
	said.client_flight = sha256({bytes});
	const auto &inside = with->inside();
	said.client = inside.given.keys.empty() ? inside.own
						: identity_of_key(inside.given.keys.front().id);
	said.server = one.peer.key;
	for (std::size_t at = 0; at < bytes.size(); at += wire::room) {
		const auto part =
			std::span(bytes).subspan(at, std::min(wire::room, bytes.size() - at));
		one.final_parts.emplace_back(part.begin(), part.end());
	}
	queue_final(one);
	if (candidates.empty()) {
		heard = now;
		next_round = now + first_interval;
		interval = 2 * first_interval;
	}
	candidates.push_back(std::move(made));
}

void client_handshake::state::take_answer(const wire::packet &what, clock::time_point now)
{
	const auto found =
		std::ranges::find_if(candidates, [&](const std::unique_ptr<candidate> &each) {
			return each->talking &&
			       equal(what.check,
				     wire::code_of(std::span(each->keys).last<32>(), what));
		});
	if (found == candidates.end()) {
		return;
	}
	candidate &one = **found;
	one.talking->feed(what.data);
	const auto bytes = one.talking->read(wire::response_length);
	const auto response = bytes ? wire::parse_response(*bytes) : std::nullopt;
	failure why;
	if (!bytes) {
		why = one.talking->why();
	} else if (!response) {
		why = {reason::malformed, {}};
	} else if (response->status != reason::none) {
		why = {response->status, "says the server"};
	} else if (response->nonce == place.nonce) {
		why = {reason::malformed, "the server's nonce is the client's"};
	} else {
		agree(one, *response, now);
		return;
	}
	// It may be another's than the server's, who is led to be asked.
	one.talking.reset();
	note(why.why, why.details);
	no = std::move(why);
	no_at = now;
}

/** The server has begun this handshake, and goes on with it no more: another hello is needed. */
bool client_handshake::state::is_forgotten(clock::time_point now) const
{
	if (candidates.empty()) {
		// A hello with early data is no hello the second time.
		return is_out && now - out_at >= forgotten_after;
	}
	return !is_refused() && now - heard >= forgotten_after;
}

/** All that have answered say no. */
bool client_handshake::state::is_refused() const
{
	return no.why != reason::none &&
	       std::ranges::none_of(candidates, [](const auto &each) { return !!each->talking; });
}

/**
 * What is certain of the early data, now that @p one has installed the session. A ticket serves at
 * the server that gave it, and once: who has resumed by it knows. Who has not was there before they
 * were sent, and would remember them; or was not, and then one before it may have had them. Nor
 * does it know what became of a second copy, or of one whose answer was not looked at.
 */
early_fate client_handshake::state::fate(const candidate &one, const wire::response &response,
					 clock::time_point now) const
{
	if (!is_out && !was_out) {
		return early_fate::not_sent;
	}
	if (was_out) {
		return early_fate::unknown;
	}
	if (one.is_early_taken) {
		return early_fate::accepted;
	}
	const auto age = now - out_at;
	const bool is_certain =
		one.peer.resumed ||
		(times_out == 1 && candidates.size() < most_candidates && age < surely_remembered &&
		 age < response.age - std::chrono::seconds(1));
	// It may be another server of the same name, whom an injector has asked.
	const bool has_another = std::ranges::any_of(
		candidates, [](const auto &each) { return each->is_early_taken; });
	return is_certain && !has_another ? early_fate::refused : early_fate::unknown;
}

void client_handshake::state::agree(candidate &one, const wire::response &response,
				    clock::time_point now)
{
	early = fate(one, response, now);
	if (early == early_fate::accepted) {
		early_reply = one.talking->read(longest_early).value_or(std::vector<std::byte>());
	}
	one.said.server_nonce = response.nonce;
	agreement made;
	made.parameters = {.peer = place.server,
			   .role = role::client,
			   .cipher = options.cipher,
			   .record_size = options.record_size,
			   .own_nonce = place.nonce,
			   .peer_nonce = response.nonce,
			   .local = place.own.with_port(0),
			   .context = wire::context_of(one.said)};
	std::array<std::byte, secret::length> exported{};
	one.talking->export_secret(wire::session_label, made.parameters.context, exported);
	made.keyed = secret(exported);
	OPENSSL_cleanse(exported.data(), exported.size());
	made.id = wire::session_id(made.parameters, made.keyed);
	made.peer = one.peer;
	one.talking->end();
	if (auto next = one.talking->new_session(); next && with->inside().given.resumption) {
		with->inside().keep_session(session_name(), std::move(next));
	}
	queue.clear();
	agreed = std::move(made);
}

client_handshake::client_handshake(std::shared_ptr<const credentials> with,
				   const client_options &options, const client_place &place,
				   clock::time_point now)
	: state_(std::make_unique<state>(std::move(with), options, place, now))
{
}

client_handshake::~client_handshake() = default;

clock::time_point client_handshake::next() const
{
	if (!state_->queue.empty()) {
		return clock::time_point{}; // Long ago, but not so that a difference overflows.
	}
	const auto end = state_->is_refused() ? state_->no_at + second_opinion : state_->deadline;
	return std::min({state_->next_round, end, state_->deadline});
}

std::optional<datagram> client_handshake::send(clock::time_point now)
{
	state &here = *state_;
	if (here.agreed || here.failed != reason::none) {
		return std::nullopt;
	}
	if (here.no.why != reason::none &&
	    (now >= here.deadline || (here.is_refused() && now - here.no_at >= second_opinion))) {
		here.fail(here.no);
		return std::nullopt;
	}
	if (now >= here.deadline) {
		here.is_hint = true;
		here.fail({here.hint, here.details});
		return std::nullopt;
	}
	if (here.queue.empty() && now >= here.next_round) {
		if (here.is_forgotten(now)) {
			here.begin(now);
		}
		here.queue_round();
		here.cookies.clear(); // What was answered to the right one may be lost.
		here.next_round = now + here.interval;
		here.interval = std::min(2 * here.interval, longest_interval);
	}
	if (here.queue.empty()) {
		return std::nullopt;
	}
	datagram first = std::move(here.queue.front());
	here.queue.pop_front();
	if (here.has_early && !here.is_out) {
		here.is_out = true;
		here.out_at = now;
		here.early = early_fate::unknown;
	}
	if (here.has_early) {
		const auto what = wire::parse(first);
		here.times_out += what->kind == wire::kind::hello && what->index == 0 ? 1 : 0;
	}
	return first;
}

void client_handshake::take(bytes_view bytes, clock::time_point now)
{
	state &here = *state_;
	if (here.agreed || here.failed != reason::none) {
		return;
	}
	if (const auto version = wire::other_version(bytes)) {
		here.note(reason::version, "of the handshake: " + std::to_string(*version));
	}
	const auto what = wire::parse(bytes);
	if (!what || what->tag != here.tag) {
		return;
	}
	switch (what->kind) {
	case wire::kind::flight:
		here.take_flight(*what, now);
		break;
	case wire::kind::answer:
		here.take_answer(*what, now);
		break;
	case wire::kind::cookie:
		// As long as what is sent for it: then there is nothing to be counted.
		if (bytes.size() == datagram_length) {
			here.take_cookie(*what);
		}
		break;
	case wire::kind::refusal:
		if (what->reason != reason::none) {
			here.note(what->reason, "seems to say the server");
		}
		break;
	default:
		break;
	}
}

const std::optional<agreement> &client_handshake::agreed() const noexcept
{
	return state_->agreed;
}

early_fate client_handshake::early() const noexcept
{
	return state_->early;
}

const std::vector<std::byte> &client_handshake::early_reply() const noexcept
{
	return state_->early_reply;
}

reason client_handshake::failed() const noexcept
{
	return state_->failed;
}

bool client_handshake::is_certain() const noexcept
{
	return !state_->is_hint;
}

const std::string &client_handshake::details() const noexcept
{
	return state_->details;
}

} // namespace sdp::inline v0::tls
