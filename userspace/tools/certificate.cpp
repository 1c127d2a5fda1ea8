// SPDX-License-Identifier: Apache-2.0
#include "certificate.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>

namespace tool {

namespace {

using bio_ptr = std::unique_ptr<BIO, releases<BIO_free_all>>;
using name_ptr = std::unique_ptr<X509_NAME, releases<X509_NAME_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, releases<X509_EXTENSION_free>>;
using number_ptr = std::unique_ptr<BIGNUM, releases<BN_free>>;

constexpr long seconds_a_day = 86400;
/** Clocks of two hosts may differ. */
constexpr long seconds_before = 3600;

[[noreturn]] void fail(const std::string &what)
{
	std::array<char, 256> reason{};
	ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
	ERR_clear_error();
	throw std::runtime_error(what + ": " + reason.data());
}

/** OpenSSL's functions give 1, or a pointer. */
template <typename T>
T require(T result, const char *what)
{
	if (!result) {
		fail(what);
	}
	return result;
}

key_ptr make_key()
{
	return key_ptr(require(EVP_EC_gen("P-256"), "making a key"));
}

/** 127 random bits: positive, and never the same twice (RFC 5280, 4.1.2.2). */
void set_serial(X509 &of)
{
	const number_ptr value(require(BN_new(), "serial number"));
	require(BN_rand(value.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1,
		"serial number");
	require(BN_to_ASN1_INTEGER(value.get(), X509_get_serialNumber(&of)), "serial number");
}

void set_subject(X509 &of, const std::string &name)
{
	const name_ptr subject(require(X509_NAME_new(), "subject"));
	require(X509_NAME_add_entry_by_NID(subject.get(), NID_commonName, MBSTRING_UTF8,
					   reinterpret_cast<const unsigned char *>(name.data()),
					   static_cast<int>(name.size()), -1, 0) == 1,
		"subject");
	require(X509_set_subject_name(&of, subject.get()) == 1, "subject");
}

void set_validity(X509 &of, int days)
{
	require(X509_gmtime_adj(X509_getm_notBefore(&of), -seconds_before), "validity");
	require(X509_gmtime_adj(X509_getm_notAfter(&of), days * seconds_a_day), "validity");
}

void extend(X509 &of, X509 &issuer, int what, const std::string &value)
{
	X509V3_CTX context{};
	X509V3_set_ctx(&context, &issuer, &of, nullptr, nullptr, 0);
	const extension_ptr extension(
		require(X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()), "extension"));
	require(X509_add_ext(&of, extension.get(), -1) == 1, "extension");
}

bool is_address(const std::string &name)
{
	std::array<unsigned char, 16> room{};
	return inet_pton(AF_INET, name.c_str(), room.data()) == 1 ||
	       inet_pton(AF_INET6, name.c_str(), room.data()) == 1;
}

std::string alternative_names(const std::vector<std::string> &names)
{
	std::string result;
	for (const std::string &each : names) {
		result += (result.empty() ? "" : ",") +
			  std::string(is_address(each) ? "IP:" : "DNS:") + each;
	}
	return result;
}

/** A certificate for @p key without its extensions. */
x509_ptr blank(EVP_PKEY &key, const std::string &name, int days)
{
	constexpr long version_3 = 2;
	x509_ptr made(require(X509_new(), "certificate"));
	require(X509_set_version(made.get(), version_3) == 1, "certificate");
	require(X509_set_pubkey(made.get(), &key) == 1, "certificate");
	set_serial(*made);
	set_subject(*made, name);
	set_validity(*made, days);
	return made;
}

void sign(X509 &what, X509 &issuer, EVP_PKEY &key)
{
	require(X509_set_issuer_name(&what, X509_get_subject_name(&issuer)) == 1, "issuer");
	require(X509_sign(&what, &key, EVP_sha256()) > 0, "signing");
}

std::string content_of(BIO &memory)
{
	char *data = nullptr;
	const long length = BIO_get_mem_data(&memory, &data);
	return {data, static_cast<std::size_t>(length)};
}

bio_ptr reading(std::string_view text)
{
	return bio_ptr(
		require(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), "reading"));
}

/** A pass phrase is asked of nobody. */
int no_phrase(char *, int, int, void *)
{
	return -1;
}

} // namespace

bool is_name(std::string_view name)
{
	constexpr std::size_t longest = 253;
	return !name.empty() && name.size() <= longest && name.front() != '.' &&
	       name.front() != '-' && std::ranges::all_of(name, [](unsigned char c) {
		       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
			      c == ':';
	       });
}

identity make_ca(const std::string &name, int days)
{
	identity made{.key = make_key(), .certificate = {}};
	made.certificate = blank(*made.key, name, days);
	X509 &self = *made.certificate;
	extend(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	extend(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
	extend(self, self, NID_subject_key_identifier, "hash");
	sign(self, self, *made.key);
	return made;
}

identity make_host(const identity &ca, const std::vector<std::string> &names, int days)
{
	if (names.empty() || !std::ranges::all_of(names, is_name)) {
		throw std::invalid_argument("a name is missing, or is none of a host");
	}
	identity made{.key = make_key(), .certificate = {}};
	// A common name has at most 64 characters; the alternative names are what counts.
	made.certificate = blank(*made.key, names.front().substr(0, 64), days);
	X509 &self = *made.certificate;
	X509 &issuer = *ca.certificate;
	const ASN1_TIME *end = X509_get0_notAfter(&issuer);
	if (ASN1_TIME_compare(X509_get0_notAfter(&self), end) > 0) {
		require(X509_set1_notAfter(&self, end) == 1, "validity");
	}
	extend(self, issuer, NID_basic_constraints, "critical,CA:FALSE");
	extend(self, issuer, NID_key_usage, "critical,digitalSignature");
	extend(self, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
	extend(self, issuer, NID_subject_key_identifier, "hash");
	extend(self, issuer, NID_authority_key_identifier, "keyid:always");
	extend(self, issuer, NID_subject_alt_name, alternative_names(names));
	sign(self, issuer, *ca.key);
	return made;
}

std::string certificate_pem(const X509 &of)
{
	const bio_ptr memory(require(BIO_new(BIO_s_mem()), "writing"));
	require(PEM_write_bio_X509(memory.get(), &of) == 1, "writing a certificate");
	return content_of(*memory);
}

std::string key_pem(const EVP_PKEY &of)
{
	// Of memory that OpenSSL wipes when it is freed.
	const bio_ptr memory(require(BIO_new(BIO_s_secmem()), "writing"));
	require(PEM_write_bio_PKCS8PrivateKey(memory.get(), &of, nullptr, nullptr, 0, nullptr,
					      nullptr) == 1,
		"writing a key");
	return content_of(*memory);
}

identity read_identity(std::string_view certificate, std::string_view key)
{
	identity made;
	made.certificate.reset(
		require(PEM_read_bio_X509(reading(certificate).get(), nullptr, no_phrase, nullptr),
			"reading the certificate"));
	made.key.reset(
		require(PEM_read_bio_PrivateKey(reading(key).get(), nullptr, no_phrase, nullptr),
			"reading the key"));
	require(X509_check_private_key(made.certificate.get(), made.key.get()) == 1,
		"key and certificate are not a pair");
	return made;
}

std::string fingerprint(const X509 &of)
{
	std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
	unsigned length = 0;
	require(X509_digest(&of, EVP_sha256(), digest.data(), &length) == 1, "fingerprint");
	static constexpr std::string_view digits = "0123456789abcdef";
	std::string text;
	for (unsigned i = 0; i < length; ++i) {
		text += digits[digest.at(i) >> 4];
		text += digits[digest.at(i) & 15];
	}
	return text;
}

std::string valid_until(const X509 &of)
{
	std::tm when{};
	require(ASN1_TIME_to_tm(X509_get0_notAfter(&of), &when) == 1, "validity");
	std::array<char, 32> text{};
	std::strftime(text.data(), text.size(), "%Y-%m-%d", &when);
	return text.data();
}

} // namespace tool
