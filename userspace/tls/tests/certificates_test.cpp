// SPDX-License-Identifier: Apache-2.0
// Who is believed, and the exact reason why not.
#include "context.hpp"
#include "talk.hpp"

#include <sdp/error.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace lab;

namespace {

const people &lab_people()
{
	return people::all();
}

/** What a client is told by a server that is @p who. */
reason of_server(settings who, settings client = client_settings(),
		 const std::string &name = "server.lab")
{
	service server(std::move(who));
	talk with(std::move(client), {.server_name = name, .timeout = 2s});
	with.run(server);
	EXPECT_EQ(server.installed.empty(), with.outcome() != reason::none);
	return with.outcome();
}

/** What a client that is @p who is told, and in which words. */
reason of_client(settings who, std::string *text = nullptr, settings server = server_settings())
{
	service there(std::move(server));
	talk with(std::move(who));
	with.run(there);
	EXPECT_TRUE(there.installed.empty());
	if (text != nullptr) {
		*text = with.core->details();
	}
	return with.outcome();
}

settings issued(const wish &what)
{
	return lab_people().of(lab_people().ca.issue(what));
}

int refused_settings(settings from)
{
	try {
		const credentials made(std::move(from));
		return 0;
	} catch (const std::system_error &error) {
		return error.code().value();
	}
}

} // namespace

TEST(certificates, of_a_server_by_another_authority)
{
	const authority other("another");
	const certificate forged = other.issue({.name = "server.lab"});
	settings who = server_settings();
	who.chain = forged.chain();
	who.key = forged.private_key();
	EXPECT_EQ(of_server(std::move(who)), reason::untrusted);
}

TEST(certificates, of_a_server_with_another_name)
{
	EXPECT_EQ(of_server(issued({.name = "other.lab"})), reason::wrong_name);
	EXPECT_EQ(of_server(server_settings(), client_settings(), "10.0.0.2"), reason::wrong_name);
	EXPECT_EQ(of_server(server_settings(), client_settings(), "server.lab.evil"),
		  reason::wrong_name);
}

TEST(certificates, of_a_server_out_of_its_time)
{
	EXPECT_EQ(of_server(issued({.name = "server.lab", .until = -10})), reason::expired);
	EXPECT_EQ(of_server(issued({.name = "server.lab", .from = 600})), reason::not_yet_valid);
}

TEST(certificates, of_a_server_for_another_purpose)
{
	EXPECT_EQ(of_server(issued({.name = "server.lab", .server = false})),
		  reason::wrong_purpose);
}

TEST(certificates, of_a_server_that_were_revoked)
{
	settings knows = client_settings();
	knows.revoked = lab_people().ca.revoke({});
	EXPECT_EQ(of_server(server_settings(), std::move(knows)), reason::none);
	knows = client_settings();
	knows.revoked = lab_people().ca.revoke({&lab_people().server});
	EXPECT_EQ(of_server(server_settings(), std::move(knows)), reason::revoked);
	knows = client_settings();
	knows.revoked = lab_people().ca.revoke({}, -10);
	EXPECT_EQ(of_server(server_settings(), std::move(knows)), reason::expired);
	knows = client_settings();
	knows.revoked = authority("another").revoke({});
	EXPECT_EQ(of_server(server_settings(), std::move(knows)), reason::no_list);
}

TEST(certificates, through_an_authority_between)
{
	const authority between("between", &lab_people().ca);
	const certificate leaf = between.issue({.name = "server.lab"});
	settings who = lab_people().of(leaf);
	EXPECT_EQ(of_server(std::move(who)), reason::untrusted);
	who = lab_people().of(leaf);
	who.chain += between.pem();
	EXPECT_EQ(of_server(std::move(who)), reason::none);
}

TEST(certificates, of_a_server_with_a_pinned_key)
{
	settings pinned = client_settings();
	pinned.pins = {lab_people().server.pin()};
	EXPECT_EQ(of_server(server_settings(), std::move(pinned)), reason::none);
	pinned = client_settings();
	pinned.pins = {lab_people().client.pin()};
	EXPECT_EQ(of_server(server_settings(), std::move(pinned)), reason::wrong_key);
	// A pin alone: no authority, no name.
	pinned = client_settings();
	pinned.authorities.clear();
	pinned.pins = {lab_people().client.pin(), lab_people().server.pin()};
	EXPECT_EQ(of_server(server_settings(), std::move(pinned), ""), reason::none);
	const certificate old = lab_people().ca.issue({.name = "old.lab", .until = -10});
	pinned = client_settings();
	pinned.authorities.clear();
	pinned.pins = {old.pin()};
	EXPECT_EQ(of_server(lab_people().of(old), std::move(pinned), ""), reason::expired);
}

TEST(certificates, of_a_client)
{
	std::string text;
	const authority other("another");
	const certificate forged = other.issue({.name = "client.lab"});
	settings who = client_settings();
	who.chain = forged.chain();
	who.key = forged.private_key();
	EXPECT_EQ(of_client(std::move(who), &text), reason::refused);
	EXPECT_EQ(text, "tlsv1 alert unknown ca");
	EXPECT_EQ(of_client(issued({.name = "client.lab", .until = -10}), &text), reason::refused);
	EXPECT_EQ(text, "sslv3 alert certificate expired");
	EXPECT_EQ(of_client(issued({.name = "client.lab", .client = false}), &text),
		  reason::refused);
	EXPECT_EQ(text, "sslv3 alert unsupported certificate");
	settings knows = server_settings();
	knows.revoked = lab_people().ca.revoke({&lab_people().client});
	EXPECT_EQ(of_client(client_settings(), &text, std::move(knows)), reason::refused);
	EXPECT_EQ(text, "sslv3 alert certificate revoked");
}

TEST(certificates, a_client_without_one)
{
	settings none = client_settings();
	none.chain.clear();
	none.key.clear();
	none.keys.push_back({"unknown", sdp::secret::from_hex(std::string(64, '1'))});
	service server;
	talk client(std::move(none));
	client.run(server);
	EXPECT_EQ(client.outcome(), reason::no_shared_key);
	EXPECT_TRUE(server.installed.empty());
}

TEST(certificates, a_client_that_is_not_served)
{
	settings picky = server_settings();
	picky.allowed = {"other.lab"};
	EXPECT_EQ(of_client(client_settings(), nullptr, std::move(picky)), reason::not_allowed);
	picky = server_settings();
	picky.allowed = {"other.lab", "client.lab"};
	EXPECT_EQ(of_server(std::move(picky)), reason::none);
}

TEST(certificates, only_who_has_shown_to_be_the_server_says_something_certain)
{
	settings picky = server_settings();
	picky.allowed = {"other.lab"};
	service server(std::move(picky));
	talk refused;
	refused.run(server);
	EXPECT_EQ(refused.outcome(), reason::not_allowed);
	EXPECT_TRUE(refused.core->is_certain());
	talk elsewhere(client_settings(), {.server_name = "other.lab"});
	elsewhere.run(server);
	EXPECT_EQ(elsewhere.outcome(), reason::wrong_name);
	EXPECT_FALSE(elsewhere.core->is_certain());
}

// OpenSSL would believe what it verified an hour ago.
TEST(certificates, are_checked_again_when_a_session_is_resumed)
{
	const auto learns = [](SSL_CTX *context, const certificate &revoked) {
		const std::string list = lab_people().ca.revoke({&revoked});
		const sdp::tls::bio_ptr text(BIO_new_mem_buf(list.data(), -1));
		const sdp::tls::crl_ptr crl(
			PEM_read_bio_X509_CRL(text.get(), nullptr, nullptr, nullptr));
		X509_STORE_add_crl(SSL_CTX_get_cert_store(context), crl.get());
		X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_CRL_CHECK);
	};
	for (const bool at_server : {true, false}) {
		service server;
		const auto who = ready(client_settings());
		talk first(who);
		first.run(server);
		first.expect_agreed(server);
		talk again(who);
		again.run(server);
		again.expect_agreed(server);
		EXPECT_TRUE(again.core->agreed()->peer.resumed);
		if (at_server) {
			learns(server.with->inside().server.get(), lab_people().client);
		} else {
			learns(who->inside().client.get(), lab_people().server);
		}
		talk last(who);
		last.run(server);
		EXPECT_EQ(last.outcome(), reason::revoked);
		EXPECT_EQ(last.core->details(),
			  at_server ? "says the server" : "in a resumed session");
		EXPECT_EQ(server.installed.size(), 2U);
	}
}

// Between two handshakes the list has changed: no ticket helps.
TEST(certificates, that_were_revoked_are_not_resumed)
{
	service server;
	const auto who = ready(client_settings());
	talk first(who);
	first.run(server);
	first.expect_agreed(server);
	settings knows = server_settings();
	knows.revoked = lab_people().ca.revoke({&lab_people().client});
	server.core.use(ready(std::move(knows)));
	talk second(who);
	second.run(server);
	EXPECT_EQ(second.outcome(), reason::refused);
	EXPECT_EQ(server.installed.size(), 1U);
}

TEST(certificates, a_client_names_its_server)
{
	EXPECT_THROW(talk(client_settings(), {}), sdp::tls::error);
}

TEST(certificates, settings_that_make_no_sense)
{
	EXPECT_EQ(refused_settings({}), EINVAL);
	settings none = client_settings();
	none.authorities.clear();
	EXPECT_EQ(refused_settings(std::move(none)), EINVAL);
	settings keyless = client_settings();
	keyless.key.clear();
	EXPECT_EQ(refused_settings(std::move(keyless)), EINVAL);
	settings other = client_settings();
	other.key = lab_people().server.private_key();
	EXPECT_EQ(refused_settings(std::move(other)), EINVAL);
	for (std::string settings::*which :
	     {&settings::chain, &settings::key, &settings::authorities, &settings::revoked}) {
		settings junk = client_settings();
		junk.*which = "-----BEGIN JUNK-----\n";
		EXPECT_EQ(refused_settings(std::move(junk)), EINVAL);
	}
	settings id = {};
	id.keys.push_back({"", sdp::secret::from_hex(std::string(64, '1'))});
	EXPECT_EQ(refused_settings(std::move(id)), EINVAL);
	settings zeros = {};
	zeros.keys.push_back({"zeros", sdp::secret::from_hex(std::string(64, '0'))});
	EXPECT_EQ(refused_settings(std::move(zeros)), EINVAL);
}

TEST(certificates, a_key_that_others_may_read_is_not_loaded)
{
	const std::filesystem::path folder =
		std::filesystem::temp_directory_path() / ("sdp-tls-" + std::to_string(::getpid()));
	std::filesystem::create_directory(folder);
	const auto write = [&](const char *name, const std::string &text, mode_t mode) {
		std::ofstream(folder / name) << text;
		::chmod((folder / name).c_str(), mode);
		return folder / name;
	};
	const sdp::tls::files from{.chain = write("chain", lab_people().client.chain(), 0644),
				   .key = write("key", lab_people().client.private_key(), 0600),
				   .authorities = write("ca", lab_people().ca.pem(), 0644)};
	EXPECT_EQ(refused_settings(sdp::tls::load(from)), 0);
	::chmod(from.key.c_str(), 0640);
	try {
		static_cast<void>(sdp::tls::load(from));
		ADD_FAILURE() << "it was loaded";
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code().value(), EPERM);
	}
	std::filesystem::remove_all(folder);
}
