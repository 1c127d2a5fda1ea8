// SPDX-License-Identifier: Apache-2.0
// What the tool makes: certificates, and files that nothing is lost for.
#include "certificate.hpp"
#include "files.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <system_error>

namespace {

namespace fs = std::filesystem;

using store_ptr = std::unique_ptr<X509_STORE, tool::releases<X509_STORE_free>>;
using check_ptr = std::unique_ptr<X509_STORE_CTX, tool::releases<X509_STORE_CTX_free>>;

/** X509_V_*: what OpenSSL thinks of @p leaf as a server's of that name. */
int verified(const tool::identity &ca, X509 &leaf, const std::string &name, int purpose)
{
	const store_ptr trusted(X509_STORE_new());
	X509_STORE_add_cert(trusted.get(), ca.certificate.get());
	const check_ptr check(X509_STORE_CTX_new());
	X509_STORE_CTX_init(check.get(), trusted.get(), &leaf, nullptr);
	X509_VERIFY_PARAM *wanted = X509_STORE_CTX_get0_param(check.get());
	X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_set_purpose(check.get(), purpose);
	if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) != 1) {
		X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), 0);
	}
	X509_verify_cert(check.get());
	return X509_STORE_CTX_get_error(check.get());
}

TEST(certificate, is_what_the_names_say_and_nothing_else)
{
	const auto ca = tool::make_ca("lab", 10);
	const auto host = tool::make_host(ca, {"a.example", "10.0.0.2", "fd00::2"}, 5);
	for (const char *name : {"a.example", "10.0.0.2", "fd00::2"}) {
		for (const int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
			EXPECT_EQ(verified(ca, *host.certificate, name, purpose), X509_V_OK)
				<< name;
		}
	}
	EXPECT_EQ(verified(ca, *host.certificate, "b.example", X509_PURPOSE_SSL_SERVER),
		  X509_V_ERR_HOSTNAME_MISMATCH);
	EXPECT_EQ(verified(ca, *host.certificate, "10.0.0.3", X509_PURPOSE_SSL_SERVER),
		  X509_V_ERR_IP_ADDRESS_MISMATCH);
	const auto other = tool::make_ca("lab", 10);
	EXPECT_NE(verified(other, *host.certificate, "a.example", X509_PURPOSE_SSL_SERVER),
		  X509_V_OK);
}

TEST(certificate, of_a_host_signs_nothing)
{
	const auto ca = tool::make_ca("lab", 10);
	const auto host = tool::make_host(ca, {"a"}, 5);
	EXPECT_EQ(X509_check_ca(host.certificate.get()), 0);
	EXPECT_EQ(X509_check_ca(ca.certificate.get()), 1);
	EXPECT_EQ(X509_get_pathlen(ca.certificate.get()), 0);
}

TEST(certificate, ends_with_its_ca)
{
	const auto ca = tool::make_ca("lab", 10);
	const auto host = tool::make_host(ca, {"a"}, 100);
	EXPECT_EQ(tool::valid_until(*host.certificate), tool::valid_until(*ca.certificate));
}

TEST(certificate, serials_differ_and_are_positive)
{
	const auto ca = tool::make_ca("lab", 10);
	const auto a = tool::make_host(ca, {"a"}, 1);
	const auto b = tool::make_host(ca, {"a"}, 1);
	EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.certificate.get()),
				   X509_get0_serialNumber(b.certificate.get())),
		  0);
	EXPECT_EQ(X509_get0_serialNumber(a.certificate.get())->type, V_ASN1_INTEGER);
}

TEST(certificate, is_read_back)
{
	const auto ca = tool::make_ca("lab", 10);
	const auto other = tool::make_ca("lab", 10);
	const auto text = tool::certificate_pem(*ca.certificate);
	const auto read = tool::read_identity(text, tool::key_pem(*ca.key));
	EXPECT_EQ(tool::fingerprint(*read.certificate), tool::fingerprint(*ca.certificate));
	EXPECT_EQ(tool::fingerprint(*ca.certificate).size(), 64U);
	EXPECT_THROW(tool::read_identity(text, tool::key_pem(*other.key)), std::runtime_error);
	EXPECT_THROW(tool::read_identity("nonsense", tool::key_pem(*ca.key)), std::runtime_error);
	EXPECT_THROW(tool::read_identity(text, ""), std::runtime_error);
}

TEST(certificate, names)
{
	for (const char *good : {"a", "a-b.example", "10.0.0.1", "fd00::1", "_x"}) {
		EXPECT_TRUE(tool::is_name(good)) << good;
	}
	for (const char *bad : {"", "../a", "a/b", "-a", ".a", "a b", "a,DNS:b", "*", "a\n"}) {
		EXPECT_FALSE(tool::is_name(bad)) << bad;
	}
	EXPECT_FALSE(tool::is_name(std::string(254, 'a')));
	const auto ca = tool::make_ca("lab", 10);
	EXPECT_THROW(tool::make_host(ca, {"a,DNS:b"}, 1), std::invalid_argument);
	EXPECT_THROW(tool::make_host(ca, {}, 1), std::invalid_argument);
}

class new_files : public testing::Test {
protected:
	new_files()
	{
		std::string name = (fs::temp_directory_path() / "sdp-XXXXXX").string();
		folder_ = ::mkdtemp(name.data());
	}
	~new_files() override { fs::remove_all(folder_); }
	new_files(const new_files &) = delete;
	new_files &operator=(const new_files &) = delete;
	new_files(new_files &&) = delete;
	new_files &operator=(new_files &&) = delete;

	[[nodiscard]] std::string at(const char *name) const { return (folder_ / name).string(); }
	fs::path folder_;
};

TEST_F(new_files, have_their_modes_whatever_the_umask)
{
	const mode_t before = ::umask(0077);
	tool::write_new({{.path = at("a"), .content = "x", .mode = 0600},
			 {.path = at("b"), .content = "y", .mode = 0644}});
	::umask(before);
	struct stat a {};
	struct stat b {};
	::stat(at("a").c_str(), &a);
	::stat(at("b").c_str(), &b);
	EXPECT_EQ(a.st_mode & 0777, 0600U);
	EXPECT_EQ(b.st_mode & 0777, 0644U);
}

TEST_F(new_files, overwrite_nothing_and_come_all_or_not_at_all)
{
	std::ofstream(at("b")) << "precious";
	try {
		tool::write_new(
			{{.path = at("a"), .content = "x"}, {.path = at("b"), .content = "y"}});
		FAIL() << "b was there";
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code(), std::errc::file_exists);
		EXPECT_NE(std::string(error.what()).find(at("b")), std::string::npos);
	}
	EXPECT_FALSE(fs::exists(at("a")));
	std::string kept;
	std::ifstream(at("b")) >> kept;
	EXPECT_EQ(kept, "precious");
}

TEST_F(new_files, follow_no_link)
{
	fs::create_symlink(at("elsewhere"), at("a"));
	EXPECT_THROW(tool::write_new({{.path = at("a"), .content = "x"}}), std::system_error);
	EXPECT_FALSE(fs::exists(at("elsewhere")));
}

} // namespace
