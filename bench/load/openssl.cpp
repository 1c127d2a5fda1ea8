// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 in user space, as a program has it from OpenSSL: a record in each call.
#include "openssl.hpp"

#include "pipe.hpp"
#include "wire.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <fcntl.h>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

template <auto Free>
struct freed {
	template <typename T>
	void operator()(T *what) const
	{
		Free(what);
	}
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;

/** @throws std::runtime_error with OpenSSL's last error unless @p fine. */
void must(bool fine, const char *what)
{
	if (!fine) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());
		throw std::runtime_error(std::string(what) + ": " + (why ? why : "failed"));
	}
}

void make_certificate(SSL_CTX *context)
{
	const key_ptr key(EVP_EC_gen("P-256"));
	const certificate_ptr is(X509_new());
	must(key && is, "a certificate");
	X509_set_version(is.get(), X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(is.get()), 1);
	X509_gmtime_adj(X509_getm_notBefore(is.get()), -3600);
	X509_gmtime_adj(X509_getm_notAfter(is.get()), 86400);
	X509_NAME *name = X509_get_subject_name(is.get());
	const std::string text = "bench";
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   reinterpret_cast<const unsigned char *>(text.data()), -1, -1, 0);
	X509_set_issuer_name(is.get(), name);
	must(X509_set_pubkey(is.get(), key.get()) == 1 &&
		     X509_sign(is.get(), key.get(), EVP_sha256()) > 0 &&
		     SSL_CTX_use_certificate(context, is.get()) == 1 &&
		     SSL_CTX_use_PrivateKey(context, key.get()) == 1,
	     "a certificate");
}

ssl_context_ptr make_context(bool server)
{
	ssl_context_ptr context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
	must(context != nullptr, "SSL_CTX_new");
	SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
	must(SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") == 1, "cipher");
	// One call reads all that there is, and a record may be written from other memory.
	SSL_CTX_set_read_ahead(context.get(), 1);
	SSL_CTX_set_mode(context.get(),
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (server) {
		make_certificate(context.get());
	}
	return context;
}

void set_blocking(int fd, bool yes)
{
	const int flags = check(::fcntl(fd, F_GETFL), "F_GETFL");
	check(::fcntl(fd, F_SETFL, yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), "F_SETFL");
}

class ssl_wire final : public wire {
public:
	ssl_wire(int fd, bool server) : wire(fd), ssl_(ssl_handshake(fd, server, nullptr)) {}

	std::optional<std::size_t> read(std::span<std::byte> into, bool block) override
	{
		wait_or_not(block);
		return done(SSL_read(ssl_.get(), into.data(), length(into.size())));
	}
	std::optional<std::size_t> write(std::span<const std::byte> from, bool block) override
	{
		wait_or_not(block);
		return done(SSL_write(ssl_.get(), from.data(), length(from.size())));
	}
	[[nodiscard]] bool holds() const override { return SSL_has_pending(ssl_.get()) == 1; }

private:
	void wait_or_not(bool block)
	{
		if (block != blocking_) {
			set_blocking(fd(), block);
			blocking_ = block;
		}
	}

	static int length(std::size_t bytes)
	{
		return static_cast<int>(std::min<std::size_t>(bytes, INT_MAX));
	}

	std::optional<std::size_t> done(int result)
	{
		if (result > 0) {
			return static_cast<std::size_t>(result);
		}
		const int error = SSL_get_error(ssl_.get(), result);
		if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
			return {};
		}
		if (error == SSL_ERROR_SYSCALL && errno == EINTR) {
			check(-1, "TLS");
		}
		throw closed{};
	}

	ssl_ptr ssl_;
	bool blocking_ = true;
};

} // namespace

ssl_ptr ssl_handshake(int fd, bool server, SSL_SESSION *resumed)
{
	static const ssl_context_ptr contexts[] = {make_context(false), make_context(true)};
	ssl_ptr ssl(SSL_new(contexts[server ? 1 : 0].get()));
	must(ssl && SSL_set_fd(ssl.get(), fd) == 1, "SSL_new");
	if (resumed != nullptr) {
		SSL_set_session(ssl.get(), resumed);
	}
	must((server ? SSL_accept(ssl.get()) : SSL_connect(ssl.get())) == 1, "TLS handshake");
	return ssl;
}

std::unique_ptr<wire> make_openssl(int fd, bool server)
{
	return std::make_unique<ssl_wire>(fd, server);
}

} // namespace bench
