// SPDX-License-Identifier: Apache-2.0
#include <sdp/secret.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace {

using sdp::secret;

const std::string digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1E1F";

std::string raw_bytes()
{
	std::string raw;
	for (char each = 0; each < 32; ++each) {
		raw += each;
	}
	return raw;
}

class secret_file : public testing::Test {
protected:
	void TearDown() override { ::unlink(path.c_str()); }

	/** The errno of loading a file with this content and mode; 0 if it loads. */
	[[nodiscard]] int load(const std::string &content, mode_t mode) const
	{
		::unlink(path.c_str());
		std::ofstream(path, std::ios::binary) << content;
		::chmod(path.c_str(), mode);
		try {
			return secret::load(path) == secret::from_hex(digits) ? 0 : -1;
		} catch (const std::system_error &error) {
			return error.code().value();
		}
	}

	std::string path = testing::TempDir() + "sdp-secret-" + std::to_string(::getpid());
};

TEST_F(secret_file, raw_or_hexadecimal)
{
	EXPECT_EQ(load(raw_bytes(), 0600), 0);
	EXPECT_EQ(load(digits, 0600), 0);
	EXPECT_EQ(load(digits + "\n", 0600), 0);
	EXPECT_EQ(load(raw_bytes(), 0400), 0);
}

TEST_F(secret_file, wider_modes_are_refused)
{
	for (const mode_t mode : {0640U, 0604U, 0660U, 0606U, 0644U, 0666U, 0610U, 0700U, 0620U}) {
		EXPECT_EQ(load(raw_bytes(), mode), EPERM) << std::oct << mode;
	}
}

TEST_F(secret_file, other_contents_are_refused)
{
	const std::string raw = raw_bytes();
	for (const std::string &content :
	     {std::string(), raw.substr(1), raw + "x", raw + "\n", digits.substr(1), digits + "00",
	      digits + "\n\n", "g" + digits.substr(1), digits + "\r\n", std::string(32, '\0'),
	      std::string(64, '0')}) {
		EXPECT_EQ(load(content, 0600), EINVAL) << content.size();
	}
}

TEST_F(secret_file, other_owners_are_refused)
{
	if (::geteuid() != 0) {
		GTEST_SKIP() << "needs root";
	}
	EXPECT_EQ(load(raw_bytes(), 0600), 0);
	ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
	EXPECT_THROW(secret::load(path), std::system_error);
}

TEST_F(secret_file, not_a_file)
{
	EXPECT_THROW(secret::load(path), std::system_error);
	EXPECT_THROW(secret::load("/"), std::system_error);
	ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
	EXPECT_THROW(secret::load(path), std::system_error);
}

TEST(secret, from_bytes)
{
	const std::string raw = raw_bytes();
	const auto bytes = std::as_bytes(std::span(raw));
	EXPECT_EQ(secret(bytes), secret::from_hex(digits));
	EXPECT_THROW(secret(bytes.first(31)), std::invalid_argument);
	EXPECT_THROW(secret::from_hex(digits.substr(2)), std::invalid_argument);
	EXPECT_FALSE(secret::random() == secret::random());
}

TEST(secret, is_empty_once_moved_from)
{
	secret first = secret::from_hex(digits);
	EXPECT_FALSE(first.is_empty());
	const secret second(std::move(first));
	EXPECT_TRUE(first.is_empty()); // NOLINT(bugprone-use-after-move)
}

bool holds(const void *memory, const std::string &what)
{
	return ::memmem(memory, sizeof(secret), what.data(), what.size()) != nullptr;
}

TEST(secret, is_wiped_when_destroyed_or_moved_from)
{
	const std::string part = raw_bytes().substr(8, 8);
	alignas(secret) std::array<std::byte, sizeof(secret)> room{};
	auto *placed = new (room.data()) secret(secret::from_hex(digits));
	EXPECT_TRUE(holds(room.data(), part));
	const secret moved(std::move(*placed));
	EXPECT_FALSE(holds(room.data(), part));
	*placed = moved.clone();
	EXPECT_TRUE(holds(room.data(), part));
	placed->~secret();
	EXPECT_FALSE(holds(room.data(), part));
	EXPECT_EQ(moved, secret::from_hex(digits));
}

} // namespace
