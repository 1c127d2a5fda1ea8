// SPDX-License-Identifier: Apache-2.0
/** @file OpenSSL's handshake: TLS 1.3, AES-128-GCM, the server with a certificate of its own. */
#ifndef BENCH_OPENSSL_HPP
#define BENCH_OPENSSL_HPP

#include <memory>
#include <openssl/ssl.h>

namespace bench {

struct ssl_free {
	void operator()(SSL *what) const { SSL_free(what); }
	void operator()(SSL_CTX *what) const { SSL_CTX_free(what); }
	void operator()(SSL_SESSION *what) const { SSL_SESSION_free(what); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_free>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, ssl_free>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, ssl_free>;

/**
 * A handshake on @p fd, which stays the caller's; blocks. The client does not look at the
 * certificate; it resumes @p resumed unless that is null.
 * @throws std::runtime_error
 */
ssl_ptr ssl_handshake(int fd, bool server, SSL_SESSION *resumed);

} // namespace bench

#endif
