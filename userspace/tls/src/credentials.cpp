// SPDX-License-Identifier: Apache-2.0
#include <sdp/tls_credentials.hpp>

#include "context.hpp"
#include "wire.hpp"

#include <sdp/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sdp::inline v0::tls {

namespace {

struct meaning {
	tls::reason why;
	int error;
	std::string_view text;
};

constexpr auto meanings = std::to_array<meaning>({
	{reason::none, 0, "nothing went wrong"},
	{reason::no_answer, ETIMEDOUT, "the peer did not answer in time"},
	{reason::unreachable, ECONNREFUSED, "nobody answers there"},
	{reason::version, EPROTO, "the peer speaks another version"},
	{reason::malformed, EPROTO, "the peer's answer makes no sense"},
	{reason::truncated, EPROTO, "the peer's answer ends too soon"},
	{reason::untrusted, EKEYREJECTED, "no authority that is believed signed the certificate"},
	{reason::wrong_name, EKEYREJECTED, "the certificate is for another name"},
	{reason::expired, EKEYREJECTED,
	 "the certificate, or the list of revoked ones, has expired"},
	{reason::not_yet_valid, EKEYREJECTED, "the certificate is not valid yet"},
	{reason::revoked, EKEYREJECTED, "the certificate has been revoked"},
	{reason::no_list, EKEYREJECTED, "there is no list of revoked certificates of its issuer"},
	{reason::wrong_purpose, EKEYREJECTED, "the certificate is not for this purpose"},
	{reason::wrong_key, EKEYREJECTED, "the certificate's key is not a pinned one"},
	{reason::no_certificate, EKEYREJECTED, "the peer showed no certificate"},
	{reason::no_shared_key, EKEYREJECTED, "the two ends have no external key in common"},
	{reason::wrong_protocol, EPROTO, "the peer agreed to another application protocol"},
	{reason::other_peer, EPROTO, "the two ends do not mean each other"},
	{reason::itself, ELOOP, "what was sent to the peer came back to this host"},
	{reason::declined, ECONNREFUSED, "the server declined the cipher or the record size"},
	{reason::not_allowed, EACCES, "the server does not serve this client"},
	{reason::busy, ENOBUFS, "the server has no room, or was asked too often"},
	{reason::refused, EKEYREJECTED, "the peer refused"},
});

const meaning &meaning_of(reason why) noexcept
{
	return *std::ranges::find(meanings, why, &meaning::why);
}

[[noreturn]] void invalid(const std::string &what)
{
	throw std::system_error(make_code(EINVAL), what);
}

bio_ptr bio_of(const std::string &text)
{
	return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/** No key of ours is locked by a password, and nobody is to be asked for one. */
int no_password(char *, int, int, void *)
{
	return -1;
}

std::vector<x509_ptr> certificates(const std::string &text, const char *what)
{
	const bio_ptr from = bio_of(text);
	std::vector<x509_ptr> all;
	for (;;) {
		X509 *next = X509_new_ex(library(), nullptr);
		if (PEM_read_bio_X509(from.get(), &next, no_password, nullptr) == nullptr) {
			X509_free(next);
			break;
		}
		all.emplace_back(next);
	}
	complaint();
	if (all.empty()) {
		invalid(std::string(what) + ": there is no certificate in it");
	}
	return all;
}

void use_chain(SSL_CTX *context, const settings &from)
{
	const auto chain = certificates(from.chain, "chain");
	const bio_ptr text = bio_of(from.key);
	const key_ptr key(PEM_read_bio_PrivateKey_ex(text.get(), nullptr, no_password, nullptr,
						     library(), nullptr));
	if (!key) {
		invalid("key: no private key without a password: " + complaint());
	}
	if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
		invalid("chain: " + complaint());
	}
	if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
		invalid("key: not the certificate's: " + complaint());
	}
	for (std::size_t i = 1; i < chain.size(); ++i) {
		if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
			invalid("chain: " + complaint());
		}
	}
}

void use_authorities(SSL_CTX *context, const settings &from)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	for (const x509_ptr &each : certificates(from.authorities, "authorities")) {
		if (X509_STORE_add_cert(store, each.get()) != 1) {
			invalid("authorities: " + complaint());
		}
	}
	if (from.revoked.empty()) {
		return;
	}
	const bio_ptr text = bio_of(from.revoked);
	std::size_t count = 0;
	for (;; ++count) {
		const crl_ptr list(
			PEM_read_bio_X509_CRL(text.get(), nullptr, no_password, nullptr));
		if (!list) {
			break;
		}
		if (X509_STORE_add_crl(store, list.get()) != 1) {
			invalid("revoked: " + complaint());
		}
	}
	complaint();
	if (count == 0) {
		invalid("revoked: there is no list in it");
	}
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

void check(const settings &from)
{
	if (from.keys.empty() && from.authorities.empty() && from.pins.empty()) {
		invalid("credentials: neither authorities, nor pins, nor an external key: "
			"nobody would be believed");
	}
	if (from.keys.empty() && from.chain.empty()) {
		invalid("credentials: neither a certificate nor an external key");
	}
	if (from.chain.empty() != from.key.empty()) {
		invalid("credentials: a certificate needs its private key, and the other way");
	}
	for (const external_psk &each : from.keys) {
		if (each.id.empty() || each.id.size() > 128) {
			invalid("external key: its id has 1 to 128 bytes");
		}
		if (each.key.is_empty()) {
			invalid("external key: its bytes are zero");
		}
	}
}

std::string read_file(const std::filesystem::path &from)
{
	if (from.empty()) {
		return {};
	}
	std::ifstream in(from, std::ios::binary);
	std::string text((std::istreambuf_iterator<char>(in)), {});
	if (!in) {
		throw std::system_error(make_code(errno == 0 ? EIO : errno), from.string());
	}
	return text;
}

/** A file for its owner alone, who is this user or root. */
std::string read_private(const std::filesystem::path &from)
{
	if (from.empty()) {
		return {};
	}
	struct stat found {};
	if (::stat(from.c_str(), &found) != 0) {
		throw std::system_error(make_code(errno), from.string());
	}
	if (!S_ISREG(found.st_mode) || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
	    (found.st_uid != ::geteuid() && found.st_uid != 0)) {
		throw std::system_error(make_code(EPERM),
					from.string() + ": others have access; needs mode 0600");
	}
	return read_file(from);
}

void set_up(ssl_context &context, const settings &from)
{
	if (!from.chain.empty()) {
		use_chain(context.get(), from);
	}
	if (!from.authorities.empty()) {
		use_authorities(context.get(), from);
	}
}

/**
 * Whether OpenSSL will show its ticket: one that seems too old, or to be of the future as after the
 * clock was set, it leaves out without a word.
 */
bool is_fresh(const SSL_SESSION &which)
{
	// What passes until the hello is made, and what the server's clock runs ahead.
	constexpr unsigned long margin = 5;
	const std::time_t now = std::time(nullptr);
	const std::time_t given = SSL_SESSION_get_time(&which);
	return given <= now && static_cast<unsigned long>(now - given) + margin <
				       SSL_SESSION_get_ticket_lifetime_hint(&which);
}

} // namespace

std::string_view describe(reason why) noexcept
{
	return meaning_of(why).text;
}

int errno_of(reason why) noexcept
{
	return meaning_of(why).error;
}

error::error(tls::reason why, const std::string &details, bool certain)
	: std::system_error(make_code(errno_of(why)),
			    "handshake: " + std::string(describe(why)) +
				    (details.empty() ? "" : " (" + details + ")")),
	  why_(why),
	  is_certain_(certain)
{
}

error::~error() = default;

credentials::credentials(settings from) : state_(std::make_unique<state>(std::move(from))) {}
credentials::~credentials() = default;

credentials::state::state(settings from) : given(std::move(from))
{
	check(given);
	client = new_context(true);
	server = new_context(false);
	set_up(client, given);
	set_up(server, given);
	if (const X509 *leaf = SSL_CTX_get0_certificate(client.get()); leaf != nullptr) {
		own = identity_of(leaf);
	}
	// OpenSSL has it now.
	OPENSSL_cleanse(given.key.data(), given.key.size());
	given.key.clear();
}

const external_psk *credentials::state::find_key(bytes_view id) const
{
	const auto found = std::ranges::find_if(given.keys, [&](const external_psk &each) {
		return std::ranges::equal(as_bytes(each.id), id);
	});
	return found == given.keys.end() ? nullptr : &*found;
}

ssl_session credentials::state::take_session(const std::string &name)
{
	const std::scoped_lock held(lock_);
	auto found = sessions_.extract(name);
	return found.empty() || !is_fresh(*found.mapped()) ? nullptr : std::move(found.mapped());
}

void credentials::state::keep_session(const std::string &name, ssl_session what)
{
	constexpr std::size_t most_sessions = 4096;
	const std::scoped_lock held(lock_);
	if (sessions_.size() >= most_sessions && !sessions_.contains(name)) {
		sessions_.erase(sessions_.begin());
	}
	sessions_[name] = std::move(what);
}

settings load(const files &from)
{
	return {.chain = read_file(from.chain),
		.key = read_private(from.key),
		.authorities = read_file(from.authorities),
		.revoked = read_file(from.revoked)};
}

settings load_folder(const std::filesystem::path &folder)
{
	files from{.chain = folder / "chain.pem",
		   .key = folder / "key.pem",
		   .authorities = folder / "ca.pem"};
	if (std::filesystem::exists(folder / "revoked.pem")) {
		from.revoked = folder / "revoked.pem";
	}
	return load(from);
}

} // namespace sdp::inline v0::tls
