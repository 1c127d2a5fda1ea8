// SPDX-License-Identifier: Apache-2.0
// The other end is OpenSSL alone, used by hand: what this library says is TLS 1.3, and the
// session's secret is what RFC 8446 says it is.
#include "talk.hpp"

#include "context.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

using namespace lab;
namespace wire = sdp::tls::wire;
using sdp::tls::digest;

namespace {

using bytes = std::vector<std::byte>;

std::string logged; // What OpenSSL's key log says.

void keep_log(const SSL *, const char *line)
{
	logged += std::string(line) + '\n';
}

/** One end, with OpenSSL's own defaults and its own library context. */
class plain {
public:
	plain(bool client, const certificate &who, int version = TLS1_3_VERSION,
	      const std::string &protocol = "\5sdp/1")
		: context_(SSL_CTX_new(TLS_method()))
	{
		SSL_CTX_set_max_proto_version(context_.get(), version);
		// Ours has none of the records that only middleboxes look at.
		SSL_CTX_clear_options(context_.get(), SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
		SSL_CTX_use_certificate(context_.get(), who.x509.get());
		SSL_CTX_use_PrivateKey(context_.get(), who.key.get());
		SSL_CTX_set_keylog_callback(context_.get(), keep_log);
		protocol_ = protocol;
		SSL_CTX_set_alpn_select_cb(context_.get(), choose, this);
		ssl_.reset(SSL_new(context_.get()));
		SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		if (client) {
			SSL_set_alpn_protos(
				ssl_.get(),
				reinterpret_cast<const unsigned char *>(protocol.data()),
				static_cast<unsigned>(protocol.size()));
			SSL_set_connect_state(ssl_.get());
		} else {
			SSL_set_accept_state(ssl_.get());
		}
	}

	SSL *get() { return ssl_.get(); }
	/** Feeds, goes on, and drains. */
	bytes step(sdp::bytes_view in = {})
	{
		if (!in.empty()) {
			BIO_write(SSL_get_rbio(get()), in.data(), static_cast<int>(in.size()));
		}
		result = SSL_do_handshake(get());
		return drain();
	}
	bytes drain()
	{
		bytes out(BIO_ctrl_pending(SSL_get_wbio(get())));
		if (!out.empty()) {
			BIO_read(SSL_get_wbio(get()), out.data(), static_cast<int>(out.size()));
		}
		return out;
	}
	int result = 0;

private:
	static int choose(SSL *, const unsigned char **out, unsigned char *length,
			  const unsigned char *, unsigned, void *self)
	{
		const std::string &name = static_cast<plain *>(self)->protocol_;
		if (name.empty()) {
			return SSL_TLSEXT_ERR_NOACK;
		}
		*out = reinterpret_cast<const unsigned char *>(name.data()) + 1;
		*length = static_cast<unsigned char>(name.size() - 1);
		return SSL_TLSEXT_ERR_OK;
	}

	std::string protocol_;
	sdp::tls::ssl_context context_;
	sdp::tls::ssl_ptr ssl_;
};

/** HKDF-Expand-Label of RFC 8446, 7.1, over OpenSSL's HKDF in its expanding half. */
bytes expand_label(const bytes &key, const std::string &label, const digest &hash,
		   std::size_t length)
{
	bytes info{static_cast<std::byte>(length >> 8), static_cast<std::byte>(length),
		   static_cast<std::byte>(label.size() + 6)};
	for (const char each : "tls13 " + label) {
		info.push_back(static_cast<std::byte>(each));
	}
	info.push_back(static_cast<std::byte>(hash.size()));
	info.insert(info.end(), hash.begin(), hash.end());
	EVP_KDF *hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	std::array<char, 7> sha{"SHA256"};
	const std::array params{
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha.data(), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						  const_cast<std::byte *>(key.data()), key.size()),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
		OSSL_PARAM_construct_end()};
	bytes out(length);
	EXPECT_EQ(EVP_KDF_derive(context, reinterpret_cast<unsigned char *>(out.data()), length,
				 params.data()),
		  1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
	return out;
}

digest sha(const bytes &of)
{
	digest out{};
	EVP_Digest(of.data(), of.size(), reinterpret_cast<unsigned char *>(out.data()), nullptr,
		   EVP_sha256(), nullptr);
	return out;
}

/** The exporter of RFC 8446, 7.5. */
bytes exported(const bytes &master, const std::string &label, const bytes &context,
	       std::size_t length)
{
	const bytes derived = expand_label(master, label, sha({}), 32);
	return expand_label(derived, "exporter", sha(context), length);
}

bytes from_log(const std::string &name)
{
	const auto at = logged.rfind(name + ' ');
	EXPECT_NE(at, std::string::npos);
	const std::string line = logged.substr(at, logged.find('\n', at) - at);
	const std::string digits = line.substr(line.rfind(' ') + 1);
	bytes out;
	for (std::size_t i = 0; i < digits.size(); i += 2) {
		out.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
	}
	return out;
}

void add(bytes &to, sdp::bytes_view what)
{
	to.insert(to.end(), what.begin(), what.end());
}

const auto now = sdp::tls::clock::time_point(std::chrono::hours(1));

datagram hello_of(const bytes &said, std::uint16_t index = 0)
{
	return wire::build({.kind = wire::kind::hello,
			    .index = index,
			    .count = 1,
			    .tag = wire::tag_of(said),
			    .data = said},
			   sdp::tls::datagram_length);
}

/** The flight with which @p with answers. */
bytes flight_of(service &with, const bytes &hello)
{
	std::optional<wire::gathering> whole;
	for (std::uint16_t i = 0; !whole || !whole->complete(); ++i) {
		const auto got = with.core.take(hello_of(hello, i), client_udp, server_sdp, now);
		const auto piece = wire::parse(got);
		if (!piece || i > wire::most_pieces) {
			ADD_FAILURE() << "no flight";
			return {};
		}
		if (i == 0) {
			whole = wire::gathering::begin(piece->check, piece->count, piece->data);
		} else {
			EXPECT_TRUE(whole->add(i, piece->data));
		}
	}
	return whole->flight();
}

/** Has a client of ours answered by @p server's flight, changed by @p change; how that ends. */
reason answered(plain &server, const std::function<bytes(bytes)> &change,
		std::string *text = nullptr)
{
	service unused;
	talk client(client_settings(), {.server_name = "server.lab", .timeout = 1s});
	bytes flight;
	client.run(unused, [&](const letter &what) {
		const auto asked = wire::parse(what.bytes);
		if (what.to_server && flight.empty()) {
			flight = change(server.step(asked->data));
		}
		if (what.to_server && asked->kind == wire::kind::hello) {
			const wire::pieces parts(flight);
			if (asked->index >= parts.count()) {
				return std::vector<letter>();
			}
			const auto count = static_cast<std::uint16_t>(parts.count());
			return std::vector{letter{false,
						  wire::build({.kind = wire::kind::flight,
							       .index = asked->index,
							       .count = count,
							       .tag = asked->tag,
							       .check = parts.head(),
							       .data = parts.at(asked->index)},
							      0),
						  what.from}};
		}
		return std::vector<letter>();
	});
	if (text != nullptr) {
		*text = client.core->details();
	}
	return client.outcome();
}

bytes same(bytes flight)
{
	return flight;
}

/** Its TLS records. */
std::vector<bytes> records(const bytes &flight)
{
	std::vector<bytes> all;
	for (std::size_t at = 0; at + 5 <= flight.size();) {
		const auto length = 5 + std::to_integer<std::size_t>(flight[at + 3]) * 256 +
				    std::to_integer<std::size_t>(flight[at + 4]);
		all.emplace_back(flight.begin() + static_cast<std::ptrdiff_t>(at),
				 flight.begin() + static_cast<std::ptrdiff_t>(at + length));
		at += length;
	}
	return all;
}

bytes joined(const std::vector<bytes> &all)
{
	bytes one;
	for (const bytes &each : all) {
		add(one, each);
	}
	return one;
}

/** What this library's end takes. */
void as_ours(plain &client)
{
	SSL_set_ciphersuites(client.get(), "TLS_AES_128_GCM_SHA256");
	SSL_set1_groups_list(client.get(), "X25519");
}

/** A client's end of a handshake. */
struct ending {
	bytes final;
	bytes master; /**< the exporter's */
	bytes codes;
	datagram answer;
};

/** Has @p client, which has said @p hello and heard the flight, say what it wants. */
ending conclude(plain &client, service &server, const bytes &hello, bytes final)
{
	wire::offer offered{.client_port = client_port,
			    .server_port = server_sdp.port(),
			    .cipher = 0x1301,
			    .record_size = 16256,
			    .own = wire::place_of(client_udp),
			    .called = wire::place_of(server_sdp)};
	offered.nonce.fill(std::byte{0xc1});
	const auto offer = wire::build(offered);
	EXPECT_GT(SSL_write(client.get(), offer.data(), static_cast<int>(offer.size())), 0);
	add(final, client.drain());

	const auto tag = wire::tag_of(hello);
	ending made;
	made.master = from_log("EXPORTER_SECRET");
	made.codes = exported(made.master, "EXPERIMENTAL sdp/1 flights",
			      bytes(tag.begin(), tag.end()), 64);
	const auto count = static_cast<std::uint16_t>((final.size() + wire::room - 1) / wire::room);
	for (std::uint16_t i = 0; i < count; ++i) {
		const auto rest = std::span(final).subspan(i * wire::room);
		wire::packet part{.kind = wire::kind::final,
				  .index = i,
				  .count = count,
				  .tag = tag,
				  .data = rest.first(std::min(rest.size(), wire::room))};
		part.check = wire::code_of(std::span(made.codes).first(32), part);
		made.answer = server.core.take(wire::build(part, sdp::tls::datagram_length),
					       client_udp, server_sdp, now);
	}
	made.final = std::move(final);
	return made;
}

} // namespace

// A client made of OpenSSL and this file, which derives all keys from the key log.
TEST(independent, the_secret_is_an_exporters)
{
	service server;
	plain client(true, people::all().client);
	as_ours(client);
	const bytes hello = client.step();
	const bytes flight = flight_of(server, hello);
	bytes begun = client.step(flight);
	ASSERT_EQ(client.result, 1);
	const auto [final, master, codes, answer] =
		conclude(client, server, hello, std::move(begun));
	ASSERT_EQ(server.installed.size(), 1U);
	const auto said = wire::parse(answer);
	ASSERT_TRUE(said);
	EXPECT_EQ(said->check, wire::code_of(std::span(codes).last(32), *said));
	client.step(said->data);
	bytes response(64);
	const int length = SSL_read(client.get(), response.data(), 64);
	ASSERT_EQ(length, 20);
	EXPECT_EQ(response[1], std::byte{0});
	EXPECT_EQ(response[4], std::byte{1}); // The server's first nonce.

	// The context, as docs/handshake.md has it.
	bytes context;
	add(context, sdp::as_bytes("sdp/1 tls context"));
	for (const bytes &each : {hello, flight, final}) {
		add(context, sha(each));
	}
	for (const unsigned number : {40000U, 4000U, 0x1301U, 16256U}) {
		context.push_back(static_cast<std::byte>(number >> 8));
		context.push_back(static_cast<std::byte>(number));
	}
	add(context, bytes(16, std::byte{0xc1}));
	add(context, bytes(16, std::byte{1}));
	add(context, people::all().client.pin());
	add(context, people::all().server.pin());
	const digest hash = sha(context);
	EXPECT_EQ(server.installed[0].parameters.context, hash);
	const bytes secret =
		exported(master, "EXPERIMENTAL sdp/1 session", bytes(hash.begin(), hash.end()), 32);
	EXPECT_TRUE(server.installed[0].keyed == sdp::secret(secret));
}

// Early data of OpenSSL's client, by a ticket of this library's server.
TEST(independent, a_client_sends_early_data)
{
	service server(server_settings(), {.early = {.most = 100}});
	std::vector<sdp::tls::early_data> taken;
	server.core.on_early([&](sdp::tls::early_data &&what) {
		taken.push_back(std::move(what));
		return [](std::size_t) {
			const auto text = sdp::as_bytes("back");
			return std::optional(bytes(text.begin(), text.end()));
		};
	});
	plain first(true, people::all().client);
	as_ours(first);
	const bytes hello = first.step();
	bytes begun = first.step(flight_of(server, hello));
	const auto ended = conclude(first, server, hello, std::move(begun));
	first.step(wire::parse(ended.answer)->data);
	bytes response(64);
	ASSERT_EQ(SSL_read(first.get(), response.data(), 64), 20);
	const sdp::tls::ssl_session ticket(SSL_get1_session(first.get()));
	ASSERT_EQ(SSL_SESSION_get_max_early_data(ticket.get()), 100U);

	plain second(true, people::all().client);
	as_ours(second);
	ASSERT_EQ(SSL_set_session(second.get(), ticket.get()), 1);
	std::size_t written = 0;
	ASSERT_EQ(SSL_write_early_data(second.get(), "early", 5, &written), 1);
	const bytes again = second.drain();
	bytes more = second.step(flight_of(server, again));
	ASSERT_EQ(second.result, 1);
	EXPECT_EQ(SSL_get_early_data_status(second.get()), SSL_EARLY_DATA_ACCEPTED);
	ASSERT_EQ(taken.size(), 1U);
	const auto text = sdp::as_bytes("early");
	EXPECT_EQ(taken[0].bytes, bytes(text.begin(), text.end()));
	const auto end = conclude(second, server, again, std::move(more));
	second.step(wire::parse(end.answer)->data);
	ASSERT_EQ(SSL_read(second.get(), response.data(), 64), 20);
	ASSERT_EQ(SSL_read(second.get(), response.data(), 64), 4);
	EXPECT_EQ(response[0], std::byte{'b'});
	EXPECT_EQ(server.installed.size(), 2U);
	EXPECT_TRUE(server.installed[1].peer.resumed);
}

TEST(independent, a_client_of_an_older_version_is_refused)
{
	service server;
	plain client(true, people::all().client, TLS1_2_VERSION);
	client.step(flight_of(server, client.step()));
	EXPECT_EQ(client.result, -1);
	EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	EXPECT_EQ(server.core.counts().half_open, 0U);
}

TEST(independent, a_client_of_another_protocol_is_refused)
{
	service server;
	plain client(true, people::all().client, TLS1_3_VERSION, "\2h2");
	SSL_set1_groups_list(client.get(), "X25519");
	client.step(flight_of(server, client.step()));
	EXPECT_EQ(client.result, -1);
	EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}

TEST(independent, servers_that_are_not_as_they_should_be)
{
	const certificate &who = people::all().server;
	plain older(false, who, TLS1_2_VERSION);
	EXPECT_EQ(answered(older, same), reason::version);
	plain nothing(false, who, TLS1_3_VERSION, "");
	EXPECT_EQ(answered(nothing, same), reason::wrong_protocol);
	plain other(false, who, TLS1_3_VERSION, "\2h2");
	EXPECT_NE(answered(other, same), reason::none);
	const authority forger("another");
	plain forged(false, forger.issue({.name = "server.lab"}));
	EXPECT_EQ(answered(forged, same), reason::untrusted);
	// As it should be, but that nobody answers what the client says then.
	plain good(false, who);
	EXPECT_EQ(answered(good, same), reason::no_answer);
}

// A ServerHello of TLS 1.2, as if a man in the middle had made the versions fewer.
TEST(independent, a_downgrade_is_noticed)
{
	plain server(false, people::all().server);
	const auto downgrade = [](const bytes &) {
		bytes hello{std::byte{0x16}, std::byte{3}, std::byte{3}, std::byte{0},
			    std::byte{42},   std::byte{2}, std::byte{0}, std::byte{0},
			    std::byte{38},   std::byte{3}, std::byte{3}};
		hello.resize(hello.size() + 32, std::byte{7});
		add(hello,
		    std::array{std::byte{0}, std::byte{0xc0}, std::byte{0x2f}, std::byte{0}});
		return hello;
	};
	EXPECT_EQ(answered(server, downgrade), reason::version);
}

TEST(independent, flights_that_are_not_as_they_were)
{
	const certificate &who = people::all().server;
	plain order(false, who);
	EXPECT_EQ(answered(order,
			   [](const bytes &flight) {
				   auto all = records(flight);
				   EXPECT_GT(all.size(), 2U);
				   std::swap(all[all.size() - 2], all.back());
				   return joined(all);
			   }),
		  reason::malformed);
	plain twice(false, who);
	EXPECT_EQ(answered(twice,
			   [](const bytes &flight) {
				   auto all = records(flight);
				   all.insert(all.begin() + 1, all.front());
				   return joined(all);
			   }),
		  reason::malformed);
	plain more(false, who);
	EXPECT_EQ(answered(more,
			   [](bytes flight) {
				   flight.push_back(std::byte{0x17});
				   return flight;
			   }),
		  reason::malformed);
	plain changed(false, who);
	std::string text;
	EXPECT_EQ(answered(
			  changed,
			  [](bytes flight) {
				  flight.back() ^= std::byte{1};
				  return flight;
			  },
			  &text),
		  reason::malformed);
	EXPECT_EQ(text, "decryption failed or bad record mac");
	for (const std::size_t cut : {1UL, 10UL, 100UL, 200UL}) {
		plain cutting(false, who);
		EXPECT_EQ(answered(cutting,
				   [&](bytes flight) {
					   flight.resize(flight.size() - cut);
					   return flight;
				   }),
			  reason::truncated)
			<< cut;
	}
}
