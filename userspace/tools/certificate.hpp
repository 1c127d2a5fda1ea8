// SPDX-License-Identifier: Apache-2.0
/** @file Certificates of a lab: a certification authority (CA) and what it signs. */
#ifndef SDP_TOOLS_CERTIFICATE_HPP
#define SDP_TOOLS_CERTIFICATE_HPP

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

template <auto release>
struct releases {
	template <typename T>
	void operator()(T *what) const
	{
		release(what);
	}
};
using key_ptr = std::unique_ptr<EVP_PKEY, releases<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, releases<X509_free>>;

/** A certificate and its private key (ECDSA, P-256). */
struct identity {
	key_ptr key;
	x509_ptr certificate;
};

/** A CA that signs itself, and no other CAs. @throws std::runtime_error with OpenSSL's reason. */
identity make_ca(const std::string &name, int days);

/**
 * A certificate for client and server, for @p names: DNS names and IP addresses, the first
 * of which is its subject. It does not outlive the CA.
 */
identity make_host(const identity &ca, const std::vector<std::string> &names, int days);

/** Whether a certificate, and a file, may have this name: letters, digits and .-_: alone. */
bool is_name(std::string_view name);

std::string certificate_pem(const X509 &of);
/** PKCS #8, not encrypted. The caller wipes it. */
std::string key_pem(const EVP_PKEY &of);
/** @throws std::runtime_error where it is none, or key and certificate are not a pair. */
identity read_identity(std::string_view certificate, std::string_view key);

/** SHA-256 of the certificate in hexadecimal digits. */
std::string fingerprint(const X509 &of);
/** Last day of validity, "YYYY-MM-DD", UTC. */
std::string valid_until(const X509 &of);

} // namespace tool

#endif
