// SPDX-License-Identifier: Apache-2.0
#include "lab.hpp"

#include "context.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace lab {

namespace {

using sdp::tls::bio_ptr;
using sdp::tls::crl_ptr;
using sdp::tls::freed;

long next_serial = 1;

void add_name(X509_NAME *to, const std::string &name)
{
	X509_NAME_add_entry_by_NID(to, NID_commonName, MBSTRING_UTF8,
				   reinterpret_cast<const unsigned char *>(name.data()),
				   static_cast<int>(name.size()), -1, 0);
}

void extend(X509 *what, X509 *issuer, int id, const std::string &value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, what, nullptr, nullptr, 0);
	const std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>> made(
		X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
	EXPECT_TRUE(made) << value;
	X509_add_ext(what, made.get(), -1);
}

x509_ptr blank(const std::string &name, EVP_PKEY *key, long from, long until)
{
	x509_ptr made(X509_new());
	X509_set_version(made.get(), X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made.get()), next_serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.get()), from);
	X509_gmtime_adj(X509_getm_notAfter(made.get()), until);
	X509_set_pubkey(made.get(), key);
	add_name(X509_get_subject_name(made.get()), name);
	return made;
}

std::string text(const bio_ptr &from)
{
	char *data = nullptr;
	const long length = BIO_get_mem_data(from.get(), &data);
	return {data, static_cast<std::size_t>(length)};
}

} // namespace

std::string certificate::chain() const
{
	const bio_ptr out(BIO_new(BIO_s_mem()));
	PEM_write_bio_X509(out.get(), x509.get());
	return text(out);
}

std::string certificate::private_key() const
{
	const bio_ptr out(BIO_new(BIO_s_mem()));
	PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
	return text(out);
}

sdp::tls::digest certificate::pin() const
{
	return sdp::tls::identity_of(x509.get());
}

authority::authority(const std::string &name, const authority *above)
{
	own_.key.reset(EVP_EC_gen("P-256"));
	own_.x509 = blank(name, own_.key.get(), -7200, 7200);
	X509 *issuer = above == nullptr ? own_.x509.get() : above->own_.x509.get();
	X509_set_issuer_name(own_.x509.get(), X509_get_subject_name(issuer));
	extend(own_.x509.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
	extend(own_.x509.get(), issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	X509_sign(own_.x509.get(), above == nullptr ? own_.key.get() : above->own_.key.get(),
		  EVP_sha256());
}

certificate authority::issue(const wish &what) const
{
	certificate made;
	made.key.reset(EVP_EC_gen("P-256"));
	made.x509 = blank(what.name, made.key.get(), what.from, what.until);
	X509_set_issuer_name(made.x509.get(), X509_get_subject_name(own_.x509.get()));
	extend(made.x509.get(), own_.x509.get(), NID_subject_alt_name, "DNS:" + what.name);
	std::string usage = what.server ? "serverAuth" : "";
	if (what.client) {
		usage += usage.empty() ? "clientAuth" : ",clientAuth";
	}
	extend(made.x509.get(), own_.x509.get(), NID_ext_key_usage, usage);
	X509_sign(made.x509.get(), own_.key.get(), EVP_sha256());
	return made;
}

std::string authority::revoke(const std::vector<const certificate *> &which, long until) const
{
	const crl_ptr list(X509_CRL_new());
	X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(own_.x509.get()));
	const std::unique_ptr<ASN1_TIME, freed<ASN1_TIME_free>> last(
		X509_gmtime_adj(nullptr, -3600));
	const std::unique_ptr<ASN1_TIME, freed<ASN1_TIME_free>> next(
		X509_gmtime_adj(nullptr, until));
	X509_CRL_set1_lastUpdate(list.get(), last.get());
	X509_CRL_set1_nextUpdate(list.get(), next.get());
	for (const certificate *each : which) {
		X509_REVOKED *entry = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(each->x509.get()));
		X509_REVOKED_set_revocationDate(entry, last.get());
		X509_CRL_add0_revoked(list.get(), entry);
	}
	X509_CRL_sort(list.get());
	X509_CRL_sign(list.get(), own_.key.get(), EVP_sha256());
	const bio_ptr out(BIO_new(BIO_s_mem()));
	PEM_write_bio_X509_CRL(out.get(), list.get());
	return text(out);
}

} // namespace lab
