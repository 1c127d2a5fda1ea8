// SPDX-License-Identifier: Apache-2.0
// Early data: taken once or not at all, and the client knows which.
#include "talk.hpp"

#include "context.hpp"
#include "early_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace lab;
namespace wire = sdp::tls::wire;
using sdp::early_fate;
using sdp::tls::early_data;
using sdp::tls::server_options;

namespace {

using bytes = std::vector<std::byte>;

bytes bytes_of(const std::string &text)
{
	const auto all = sdp::as_bytes(text);
	return {all.begin(), all.end()};
}

server_options with_early(std::size_t most = sdp::tls::longest_early_data,
			  std::size_t remembered = 4096)
{
	return {.early = {.most = most, .remembered = remembered}};
}

/** What a client knows its ticket by. */
const std::string ticket_name = "server.lab|" + server_sdp.text();

/** Whoever verifies by @p context does not believe @p which any more. */
void revoke_for(SSL_CTX *context, const certificate &which)
{
	const std::string list = people::all().ca.revoke({&which});
	const sdp::tls::bio_ptr text(BIO_new_mem_buf(list.data(), -1));
	const sdp::tls::crl_ptr crl(PEM_read_bio_X509_CRL(text.get(), nullptr, nullptr, nullptr));
	X509_STORE_add_crl(SSL_CTX_get_cert_store(context), crl.get());
	X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_CRL_CHECK);
}

/** A server that keeps what it was given early, and a client that has its ticket. */
struct early : testing::Test {
	explicit early(const server_options &options = with_early())
		: server(server_settings(), options)
	{
		listen(server);
	}

	void listen(service &at)
	{
		at.core.on_early([this](early_data &&what) {
			taken.push_back(std::move(what));
			return answer;
		});
	}
	/** A first handshake, which gives the client a ticket. */
	void meet(service &with)
	{
		talk first(who);
		first.now = now;
		first.run(with);
		first.expect_agreed(with);
		EXPECT_EQ(first.core->early(), early_fate::not_sent);
		now = first.now;
	}
	talk again(const std::string &text = "hello")
	{
		talk made(who, {.server_name = "server.lab", .early = bytes_of(text)}, now);
		return made;
	}
	/** One with @p text as early data; what becomes of those. */
	early_fate fate(service &with, const std::string &text = "hello",
			const talk::network &through = {})
	{
		talk client = again(text);
		client.run(with, through);
		client.expect_agreed(with);
		now = client.now;
		reply = client.core->early_reply();
		resumed = client.core->agreed()->peer.resumed;
		return client.core->early();
	}

	service server;
	std::shared_ptr<const credentials> who = ready(client_settings());
	sdp::tls::clock::time_point now{std::chrono::hours(1)};
	std::vector<early_data> taken;
	sdp::early_answer answer;
	bytes reply;
	bool resumed = false;
};

/** As the network would send it on, and keeps it. */
talk::network recorded(std::vector<letter> &into)
{
	return [&into](letter what) {
		if (what.to_server) {
			into.push_back(what);
		}
		return std::vector{std::move(what)};
	};
}

} // namespace

TEST_F(early, data_are_taken_before_the_client_has_heard_anything)
{
	meet(server);
	std::size_t when_first_answered = 0;
	const early_fate what = fate(server, "hello", [&](letter each) {
		if (!each.to_server && when_first_answered == 0) {
			when_first_answered = taken.size();
		}
		return std::vector{std::move(each)};
	});
	EXPECT_EQ(what, early_fate::accepted);
	EXPECT_TRUE(resumed);
	EXPECT_EQ(when_first_answered, 1U);
	ASSERT_EQ(taken.size(), 1U);
	EXPECT_EQ(taken[0].bytes, bytes_of("hello"));
	EXPECT_EQ(taken[0].peer.name, "client.lab");
	EXPECT_TRUE(taken[0].peer.resumed);
	EXPECT_EQ(taken[0].from, client_udp);
	EXPECT_EQ(server.core.counts().early, 1U);
	EXPECT_TRUE(reply.empty());
	// Each session brings the ticket for the next one.
	EXPECT_EQ(fate(server, "again"), early_fate::accepted);
	EXPECT_EQ(taken.size(), 2U);
}

TEST_F(early, data_are_sealed)
{
	meet(server);
	std::vector<letter> all;
	const std::string text = "this is not to be read";
	EXPECT_EQ(fate(server, text, recorded(all)), early_fate::accepted);
	for (const letter &each : all) {
		const auto found = std::ranges::search(each.bytes, bytes_of(text));
		EXPECT_TRUE(found.empty());
	}
}

TEST_F(early, an_answer_that_is_there_comes_with_the_handshakes_end)
{
	meet(server);
	answer = [](std::size_t most) {
		EXPECT_EQ(most, sdp::longest_early);
		return std::optional(bytes_of(std::string(most, 'r')));
	};
	EXPECT_EQ(fate(server), early_fate::accepted);
	EXPECT_EQ(reply, bytes_of(std::string(sdp::longest_early, 'r')));
	answer = [](std::size_t) { return std::optional<bytes>(); };
	EXPECT_EQ(fate(server), early_fate::accepted);
	EXPECT_TRUE(reply.empty());
}

TEST_F(early, data_as_long_as_they_may_be_fit_a_hello)
{
	meet(server);
	EXPECT_EQ(fate(server, std::string(sdp::tls::longest_early_data, 'l')),
		  early_fate::accepted);
	EXPECT_EQ(taken.at(0).bytes.size(), sdp::tls::longest_early_data);
	EXPECT_EQ(fate(server, std::string(sdp::tls::longest_early_data + 1, 'l')),
		  early_fate::not_sent);
	EXPECT_EQ(taken.size(), 1U);
	EXPECT_THROW(service(server_settings(), with_early(sdp::tls::longest_early_data + 1)),
		     std::system_error);
}

TEST_F(early, no_data_are_sent_to_who_has_not_allowed_them)
{
	service off;
	listen(off);
	meet(off);
	EXPECT_EQ(fate(off), early_fate::not_sent);
	EXPECT_TRUE(resumed);
	// Nor to one who has nobody to take them.
	service deaf(server_settings(), with_early());
	who = ready(client_settings());
	meet(deaf);
	EXPECT_EQ(fate(deaf), early_fate::not_sent);
	EXPECT_TRUE(taken.empty());
}

TEST_F(early, no_data_are_sent_without_a_ticket)
{
	EXPECT_EQ(fate(server), early_fate::not_sent);
	EXPECT_FALSE(resumed);
	EXPECT_TRUE(taken.empty());
}

TEST_F(early, a_ticket_that_the_server_has_lost)
{
	meet(server);
	// As when it is pushed out of the cache, or has expired.
	SSL_CTX_flush_sessions(server.with->inside().server.get(), 1L << 40);
	now += 100s;
	EXPECT_EQ(fate(server), early_fate::refused);
	EXPECT_FALSE(resumed);
	EXPECT_TRUE(taken.empty());
	EXPECT_EQ(server.core.counts().no_early, 1U);
}

TEST_F(early, a_ticket_whose_age_is_not_as_the_client_says)
{
	meet(server);
	auto ticket = who->inside().take_session(ticket_name);
	ASSERT_TRUE(ticket);
	const auto later = [&](long seconds) {
		sdp::tls::ssl_session copy(SSL_SESSION_dup(ticket.get()));
		SSL_SESSION_set_time(copy.get(), SSL_SESSION_get_time(copy.get()) - seconds);
		who->inside().keep_session(ticket_name, std::move(copy));
	};
	// It says that the ticket is a minute old, and the server knows better.
	later(60);
	std::vector<letter> all;
	EXPECT_EQ(fate(server, "hello", recorded(all)), early_fate::refused);
	EXPECT_TRUE(resumed);
	EXPECT_TRUE(taken.empty());
	// The client may have sent it otherwise by now: it is not taken later, either.
	later(0);
	now += 100s;
	EXPECT_EQ(fate(server, "other"), early_fate::refused);
	EXPECT_FALSE(resumed);
	EXPECT_TRUE(taken.empty());
}

struct small_store : early {
	small_store() : early(with_early(sdp::tls::longest_early_data, 1)) {}
};

TEST_F(small_store, is_full_and_the_handshake_goes_on)
{
	meet(server);
	EXPECT_EQ(fate(server, "one"), early_fate::accepted);
	EXPECT_EQ(fate(server, "two"), early_fate::refused);
	EXPECT_TRUE(resumed);
	now += sdp::tls::early_store::lifetime;
	EXPECT_EQ(fate(server, "three"), early_fate::accepted);
	ASSERT_EQ(taken.size(), 2U);
	EXPECT_EQ(taken[1].bytes, bytes_of("three"));
}

struct short_data : early {
	short_data() : early(with_early(8)) {}
};

// A client of another library, which does not look at what the ticket says.
TEST_F(short_data, are_all_that_is_taken)
{
	meet(server);
	EXPECT_EQ(fate(server, "123456789"), early_fate::not_sent);
	EXPECT_EQ(fate(server, "12345678"), early_fate::accepted);
	auto ticket = who->inside().take_session(ticket_name);
	SSL_SESSION_set_max_early_data(ticket.get(), 100);
	who->inside().keep_session(ticket_name, std::move(ticket));
	EXPECT_EQ(fate(server, "123456789"), early_fate::refused);
	EXPECT_TRUE(resumed);
	EXPECT_EQ(taken.size(), 1U);
}

TEST_F(early, a_cookie_is_shown_first)
{
	meet(server);
	for (int i = 0; i < 64; ++i) {
		talk other(ready(client_settings()));
		static_cast<void>(
			server.core.take(*other.core->send(now), client_udp, server_sdp, now));
	}
	const auto asked = server.core.counts().cookies;
	EXPECT_EQ(fate(server), early_fate::accepted);
	EXPECT_EQ(server.core.counts().cookies, asked + 1);
	EXPECT_EQ(taken.size(), 1U);
}

TEST_F(early, a_first_flight_that_is_sent_again_is_executed_once)
{
	meet(server);
	std::vector<letter> all;
	EXPECT_EQ(fate(server, "hello", recorded(all)), early_fate::accepted);
	ASSERT_EQ(taken.size(), 1U);
	const auto installed = server.installed.size();
	// At once, while it is remembered, when the handshake is forgotten, and when all is.
	for (const auto wait : {0s, 5s, 6s, 20s, 31s, 600s}) {
		now += wait;
		for (const letter &each : all) {
			static_cast<void>(server.core.take(each.bytes, each.from, each.to, now));
			static_cast<void>(server.core.take(each.bytes, address::parse("10.0.0.9:1"),
							   each.to, now));
		}
	}
	EXPECT_EQ(taken.size(), 1U);
	EXPECT_EQ(server.installed.size(), installed);
}

TEST_F(early, a_first_flight_that_was_refused_is_not_taken_later)
{
	server_options options = with_early(sdp::tls::longest_early_data, 1);
	service small(server_settings(), options);
	listen(small);
	meet(small);
	EXPECT_EQ(fate(small, "one"), early_fate::accepted);
	std::vector<letter> all;
	EXPECT_EQ(fate(small, "two", recorded(all)), early_fate::refused);
	now += 100s; // There is room again.
	for (const letter &each : all) {
		static_cast<void>(small.core.take(each.bytes, each.from, each.to, now));
	}
	EXPECT_EQ(taken.size(), 1U);
}

TEST_F(early, duplicated_and_reordered)
{
	meet(server);
	std::vector<letter> kept;
	EXPECT_EQ(fate(server, "hello",
		       [&](letter what) {
			       std::vector<letter> now_sent{what, what};
			       now_sent.insert(now_sent.end(), kept.rbegin(), kept.rend());
			       if (what.to_server && kept.size() < 4) {
				       kept.push_back(std::move(what));
			       }
			       return now_sent;
		       }),
		  early_fate::accepted);
	EXPECT_EQ(taken.size(), 1U);
}

TEST_F(early, changed_and_cut_hellos_spend_nothing)
{
	meet(server);
	const auto again_as = [&](const letter &what, const auto &change) {
		auto hello = wire::parse(what.bytes);
		bytes data(hello->data.begin(), hello->data.end());
		change(data);
		hello->data = data;
		hello->tag = wire::tag_of(data);
		return letter{true, wire::build(*hello, sdp::tls::datagram_length), what.from};
	};
	const early_fate what = fate(server, "hello", [&](letter each) {
		std::vector<letter> all;
		const auto hello = wire::parse(each.bytes);
		if (hello && hello->kind == wire::kind::hello) {
			const std::size_t length = *wire::early_in(hello->data) + 22;
			for (const std::size_t at : {1UL, 5UL, 17UL, length}) {
				all.push_back(again_as(each, [&](bytes &of) {
					of.at(of.size() - at) ^= std::byte{1};
				}));
			}
			all.push_back(again_as(each, [&](bytes &of) { // Without them.
				of.resize(of.size() - length);
			}));
			all.push_back(again_as(each, [&](bytes &of) { // Twice.
				of.insert(of.end(), of.end() - static_cast<std::ptrdiff_t>(length),
					  of.end());
			}));
		}
		all.push_back(std::move(each));
		return all;
	});
	EXPECT_EQ(what, early_fate::accepted);
	ASSERT_EQ(taken.size(), 1U);
	EXPECT_EQ(taken[0].bytes, bytes_of("hello"));
}

// It began before the hello was sent: whoever was there before has never had it.
TEST_F(early, a_server_that_was_started_anew)
{
	meet(server);
	service after(server_settings(), with_early());
	listen(after);
	talk other(ready(client_settings()));
	other.now = now;
	other.run(after);
	now = other.now + 10s;
	std::vector<letter> all;
	EXPECT_EQ(fate(after, "hello", recorded(all)), early_fate::refused);
	EXPECT_FALSE(resumed);
	EXPECT_TRUE(taken.empty());
	for (const letter &each : all) {
		static_cast<void>(after.core.take(each.bytes, each.from, each.to, now + 100s));
	}
	EXPECT_TRUE(taken.empty());
}

TEST_F(early, a_server_that_is_started_anew_after_it_was_sent)
{
	meet(server);
	service after(server_settings(), with_early());
	listen(after);
	// The first one takes it, and is gone before its answer was.
	const early_fate what = fate(after, "hello", [&](letter each) {
		if (taken.empty() && each.to_server) {
			static_cast<void>(server.core.take(each.bytes, each.from, each.to, now));
			return std::vector<letter>();
		}
		return std::vector{std::move(each)};
	});
	EXPECT_EQ(taken.size(), 1U);
	EXPECT_EQ(what, early_fate::unknown);
}

// Its certificate is asked for as if it were a new one.
TEST_F(early, who_was_revoked_has_no_early_data)
{
	meet(server);
	revoke_for(server.with->inside().server.get(), people::all().client);
	talk client = again();
	client.run(server);
	EXPECT_EQ(client.outcome(), reason::revoked);
	EXPECT_EQ(client.core->early(), early_fate::unknown);
	EXPECT_TRUE(taken.empty());
}

TEST_F(early, other_credentials_know_no_tickets)
{
	meet(server);
	server.core.use(ready(server_settings()));
	now += 10s;
	EXPECT_EQ(fate(server), early_fate::refused);
	EXPECT_FALSE(resumed);
	EXPECT_TRUE(taken.empty());
}

// Two ports of one process may have the same credentials.
TEST_F(early, a_ticket_is_no_good_at_another_port_of_the_same_server)
{
	meet(server);
	sdp::tls::server_handshakes other(server.with, with_early(), 4001, {},
					  {.new_nonce = [] { return sdp::nonce{}; }});
	other.on_early([this](early_data &&what) {
		taken.push_back(std::move(what));
		return sdp::early_answer();
	});
	std::vector<letter> all;
	talk client = again();
	const auto hello = client.core->send(now);
	EXPECT_FALSE(other.take(*hello, client_udp, server_sdp, now).empty());
	EXPECT_TRUE(taken.empty());
	EXPECT_EQ(other.counts().no_early, 1U);
	// And is as good as before at its own.
	EXPECT_FALSE(server.core.take(*hello, client_udp, server_sdp, now).empty());
	EXPECT_EQ(taken.size(), 1U);
}

// An injector who leads the client to another server of the name, while the first has them.
TEST_F(early, two_servers_answer)
{
	meet(server);
	service other;
	talk client = again();
	std::vector<datagram> late;
	client.run(other, [&](letter what) {
		if (what.to_server) {
			const auto said =
				server.core.take(what.bytes, what.from, what.to, client.now);
			const auto kind = said.size() > 8 ? static_cast<wire::kind>(said[8])
							  : wire::kind::refusal;
			if (kind == wire::kind::flight) {
				client.core->take(said, client.now);
			}
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(other);
	EXPECT_EQ(taken.size(), 1U);
	EXPECT_EQ(client.core->early(), early_fate::unknown);
}

// The server has taken them, and its handshake was pushed out: another hello is said.
TEST_F(early, a_handshake_that_the_server_forgets)
{
	meet(server);
	talk client = again();
	const auto hello = client.core->send(now);
	static_cast<void>(server.core.take(*hello, client_udp, server_sdp, now));
	EXPECT_EQ(taken.size(), 1U);
	client.now = now + 11s - 9s;
	// Its answers are lost for as long as it remembers.
	int lost = 0;
	client.run(server, [&](letter what) {
		if (taken.size() == 1 && ++lost < 6) {
			return std::vector<letter>();
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(taken.size(), 1U);
	EXPECT_NE(client.core->early(), early_fate::refused);
}

TEST_F(early, nobody_answers)
{
	meet(server);
	talk client = again();
	client.run(server, [](const letter &) { return std::vector<letter>(); });
	EXPECT_EQ(client.outcome(), reason::no_answer);
	EXPECT_EQ(client.core->early(), early_fate::unknown);
}

// As an hour later, and as when the clock is set back: OpenSSL leaves such a ticket out.
TEST_F(early, a_ticket_that_seems_too_old_or_of_the_future_is_not_used)
{
	for (const long age : {3597L, 3600L, 100'000L, -30L, -4000L}) {
		who = ready(client_settings());
		meet(server);
		auto ticket = who->inside().take_session(ticket_name);
		ASSERT_TRUE(ticket);
		SSL_SESSION_set_time(ticket.get(), std::time(nullptr) - age);
		who->inside().keep_session(ticket_name, std::move(ticket));
		EXPECT_EQ(fate(server), early_fate::not_sent) << age;
		EXPECT_FALSE(resumed);
	}
	EXPECT_TRUE(taken.empty());
}

// One that is to live so long that its age in milliseconds is no number of 32 bits.
TEST_F(early, no_data_go_where_the_ticket_was_left_out)
{
	meet(server);
	const auto ticket = who->inside().take_session(ticket_name);
	ASSERT_TRUE(ticket);
	unsigned char *der = nullptr;
	const int length = i2d_SSL_SESSION(ticket.get(), &der);
	ASSERT_GT(length, 0);
	std::vector<unsigned char> all(der, der + length);
	OPENSSL_free(der);
	constexpr std::array<unsigned char, 6> hour{0xa9, 4, 2, 2, 0x0e, 0x10};
	constexpr std::array<unsigned char, 9> for_ever{0xa9, 7, 2, 5, 0, 0xff, 0xff, 0xff, 0xff};
	const auto hint = std::ranges::search(all, hour);
	ASSERT_EQ(hint.size(), hour.size());
	all.insert(all.erase(hint.begin(), hint.end()), for_ever.begin(), for_ever.end());
	ASSERT_EQ(all[1], 0x82); // Two bytes of length.
	const std::size_t whole = all.size() - 4;
	all[2] = static_cast<unsigned char>(whole >> 8);
	all[3] = static_cast<unsigned char>(whole);
	const unsigned char *from = all.data();
	sdp::tls::ssl_session changed(
		d2i_SSL_SESSION(nullptr, &from, static_cast<long>(all.size())));
	ASSERT_TRUE(changed);
	SSL_SESSION_set_time(changed.get(), std::time(nullptr) - 5'000'000);
	who->inside().keep_session(ticket_name, std::move(changed));
	std::vector<letter> sent;
	EXPECT_EQ(fate(server, "hello", recorded(sent)), early_fate::not_sent);
	EXPECT_FALSE(resumed);
	EXPECT_EQ(wire::early_in(wire::parse(sent.at(0).bytes)->data), 0U);
	EXPECT_TRUE(taken.empty());
}

TEST_F(early, whether_a_hello_shows_a_ticket)
{
	const auto hello = [](talk &of) {
		const auto datagram = of.core->send(of.now);
		const auto data = wire::parse(*datagram)->data;
		return bytes(data.begin(), data.end());
	};
	talk first(who);
	EXPECT_FALSE(wire::shows_ticket(hello(first)));
	meet(server);
	talk second = again();
	const bytes shown = hello(second);
	EXPECT_TRUE(wire::shows_ticket(shown));
	const std::size_t behind = *wire::early_in(shown) + 22;
	for (std::size_t length = 0; length < shown.size() - behind; ++length) {
		EXPECT_FALSE(wire::shows_ticket(std::span(shown).first(length))) << length;
	}
}

TEST_F(early, no_data_are_sent_to_a_server_that_was_revoked)
{
	meet(server);
	revoke_for(who->inside().client.get(), people::all().server);
	talk client = again();
	client.run(server);
	EXPECT_EQ(client.outcome(), reason::revoked);
	EXPECT_EQ(client.core->early(), early_fate::not_sent);
	EXPECT_TRUE(taken.empty());
}

// What was refused meanwhile has gone under the session.
TEST_F(early, credentials_that_come_back_know_no_tickets)
{
	meet(server);
	server.core.use(ready(server_settings()));
	now += 10s;
	std::vector<letter> all;
	EXPECT_EQ(fate(server, "hello", recorded(all)), early_fate::refused);
	server.core.use(server.with);
	now += 100s;
	for (const letter &each : all) {
		static_cast<void>(server.core.take(each.bytes, each.from, each.to, now));
	}
	EXPECT_TRUE(taken.empty());
}

// The first copy may have gone to another server behind this address.
TEST_F(early, that_were_sent_twice)
{
	meet(server);
	SSL_CTX_flush_sessions(server.with->inside().server.get(), 1L << 40);
	now += 100s;
	int sent = 0;
	EXPECT_EQ(fate(server, "hello",
		       [&](letter what) {
			       return ++sent == 1 ? std::vector<letter>()
						  : std::vector{std::move(what)};
		       }),
		  early_fate::unknown);
	EXPECT_FALSE(resumed);
}

// Of servers beyond those nothing is looked at: one may have taken them.
TEST_F(early, as_many_servers_answer_as_are_looked_at)
{
	meet(server);
	SSL_CTX_flush_sessions(server.with->inside().server.get(), 1L << 40);
	now += 100s;
	std::vector<std::unique_ptr<service>> others(15);
	for (auto &each : others) {
		each = std::make_unique<service>();
	}
	talk client = again();
	client.run(server, [&](letter what) {
		for (auto &each : others) {
			if (!what.to_server) {
				continue;
			}
			const auto said =
				each->core.take(what.bytes, what.from, what.to, client.now);
			const auto parsed = wire::parse(said);
			if (parsed && parsed->kind == wire::kind::flight) {
				client.core->take(said, client.now);
			}
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(client.core->early(), early_fate::unknown);
}

TEST_F(early, a_hello_that_cannot_be_taken_leaves_nothing)
{
	meet(server);
	server.core.on_early([](early_data &&) -> sdp::early_answer { throw std::bad_alloc(); });
	const auto before = server.core.counts().half_open;
	talk client = again();
	const auto hello = client.core->send(now);
	EXPECT_THROW(static_cast<void>(server.core.take(*hello, client_udp, server_sdp, now)),
		     std::bad_alloc);
	// It may have been executed.
	EXPECT_TRUE(server.core.take(*hello, client_udp, server_sdp, now).empty());
	EXPECT_EQ(server.core.counts().half_open, before);
}

TEST_F(early, a_session_that_cannot_be_told_of_is_installed_once)
{
	meet(server);
	bool has_memory = false;
	answer = [&](std::size_t) -> std::optional<bytes> {
		return std::exchange(has_memory, true) ? std::nullopt : throw std::bad_alloc();
	};
	std::vector<letter> all;
	talk client = again();
	EXPECT_THROW(client.run(server, recorded(all)), std::bad_alloc);
	const letter &last = all.back();
	EXPECT_FALSE(server.core.take(last.bytes, last.from, last.to, client.now).empty());
	EXPECT_EQ(server.installed.size(), 2U);
}

TEST(early_store, forgets_after_a_minute)
{
	sdp::tls::early_store store(2);
	sdp::tls::clock::time_point now{};
	store.add({std::byte{1}}, now);
	EXPECT_TRUE(store.has_room(now));
	store.add({std::byte{2}}, now + 1s);
	EXPECT_FALSE(store.has_room(now + 59s));
	EXPECT_TRUE(store.has({std::byte{1}}, now + 59s));
	EXPECT_FALSE(store.has({std::byte{3}}, now + 59s));
	EXPECT_TRUE(store.has_room(now + 60s));
	EXPECT_FALSE(store.has({std::byte{1}}, now + 60s));
	EXPECT_TRUE(store.has({std::byte{2}}, now + 60s));
}
