// SPDX-License-Identifier: Apache-2.0
/** @file OpenSSL's objects, which go with their scope. */
#ifndef SDP_TLS_OPENSSL_HPP
#define SDP_TLS_OPENSSL_HPP

#include <sdp/message.hpp>
#include <sdp/tls_credentials.hpp>

#include <memory>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <span>
#include <vector>

namespace sdp::inline v0::tls {

template <auto Free>
struct freed {
	template <typename T>
	void operator()(T *what) const noexcept
	{
		Free(what);
	}
};

using ssl_context = std::unique_ptr<SSL_CTX, freed<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed<SSL_free>>;
using ssl_session = std::unique_ptr<SSL_SESSION, freed<SSL_SESSION_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free_all>>;
using x509_ptr = std::unique_ptr<X509, freed<X509_free>>;
using crl_ptr = std::unique_ptr<X509_CRL, freed<X509_CRL_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using store_context = std::unique_ptr<X509_STORE_CTX, freed<X509_STORE_CTX_free>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, freed<GENERAL_NAMES_free>>;

inline const unsigned char *raw(const std::byte *bytes)
{
	return reinterpret_cast<const unsigned char *>(bytes);
}
inline unsigned char *raw(std::byte *bytes)
{
	return reinterpret_cast<unsigned char *>(bytes);
}

/** OpenSSL's objects of this library live here, with randomness that can be played again. */
OSSL_LIB_CTX *library();

/**
 * Randomness for one ClientHello. While it is played, on this thread, library() draws from
 * it from its beginning, so that the same hello is made again; the answer that a hello gets
 * can then be tried more than once. It serves a hello and no more: signatures and all else
 * have fresh randomness each time.
 */
class tape {
public:
	tape();
	~tape();
	tape(const tape &) = delete;
	tape &operator=(const tape &) = delete;
	tape(tape &&) = delete;
	tape &operator=(tape &&) = delete;

	class playing {
	public:
		explicit playing(const tape &which) noexcept;
		~playing();
		playing(const playing &) = delete;
		playing &operator=(const playing &) = delete;
		playing(playing &&) = delete;
		playing &operator=(playing &&) = delete;
	};

	/** Bytes: a hello takes 64, of which 32 are the key's. */
	static constexpr std::size_t length = 512;
	[[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

private:
	std::array<std::byte, length> bytes_{};
};

/** SHA-256 of all @p parts, one after another. */
digest sha256(std::initializer_list<bytes_view> parts);
digest hmac(bytes_view key, std::initializer_list<bytes_view> parts);
/** HKDF with SHA-256: extract, and expand to @p out. */
void hkdf(bytes_view salt, bytes_view key, bytes_view info, std::span<std::byte> out);
/** In time that does not depend on the contents. */
bool equal(bytes_view a, bytes_view b);
/** What OpenSSL last complained of, and forgets it. */
std::string complaint();

} // namespace sdp::inline v0::tls

#endif
