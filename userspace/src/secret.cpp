// SPDX-License-Identifier: Apache-2.0
#include <sdp/secret.hpp>

#include "check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/random.h>
#include <sys/stat.h>

namespace sdp::inline v0 {

namespace {

/** Room for one byte more than the longest valid file: hexadecimal digits and a newline. */
constexpr std::size_t longest_file = 2 * secret::length + 2;

/** Bytes on the stack that are overwritten when they go. */
struct scratch {
	std::array<std::byte, longest_file> bytes{};

	scratch() = default;
	~scratch() { explicit_bzero(bytes.data(), bytes.size()); }
	scratch(const scratch &) = delete;
	scratch &operator=(const scratch &) = delete;
	scratch(scratch &&) = delete;
	scratch &operator=(scratch &&) = delete;
};

int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9') {
		return digit - '0';
	}
	if (digit >= 'a' && digit <= 'f') {
		return digit - 'a' + 10;
	}
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool decode_hex(std::string_view digits, std::span<std::byte> to)
{
	if (digits.size() != 2 * to.size()) {
		return false;
	}
	for (std::size_t i = 0; i < to.size(); ++i) {
		const int high = hex_value(digits[2 * i]);
		const int low = hex_value(digits[2 * i + 1]);
		if (high < 0 || low < 0) {
			return false;
		}
		to[i] = static_cast<std::byte>(high * 16 + low);
	}
	return true;
}

/** Opens @p path if it is a file that others cannot read. */
detail::file open_private(const std::filesystem::path &path)
{
	// O_NONBLOCK: opening a fifo must not wait for its writer.
	const int fd = detail::check(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK),
				     path.c_str());
	detail::file file(fd);
	struct stat found {};
	detail::check(::fstat(fd, &found), path.c_str());
	if (!S_ISREG(found.st_mode)) {
		detail::fail(EINVAL, (path.string() + ": not a regular file").c_str());
	}
	constexpr mode_t others = 07177;
	const bool ours = found.st_uid == ::geteuid() || found.st_uid == 0;
	if (!ours || (found.st_mode & others) != 0) {
		detail::fail(EPERM,
			     (path.string() + ": must be this user's, of mode 0600").c_str());
	}
	return file;
}

std::size_t read_all(int fd, std::span<std::byte> to, const char *path)
{
	std::size_t length = 0;
	while (length < to.size()) {
		const ssize_t got =
			detail::check(::read(fd, &to[length], to.size() - length), path);
		if (got == 0) {
			break;
		}
		length += static_cast<std::size_t>(got);
	}
	return length;
}

} // namespace

secret::secret() noexcept : bytes_{} {}

secret::secret(std::span<const std::byte> bytes) : bytes_{}
{
	if (bytes.size() != length) {
		throw std::invalid_argument("a secret has 32 bytes");
	}
	std::ranges::copy(bytes, bytes_.begin());
}

secret secret::load(const std::filesystem::path &file)
{
	const detail::file opened = open_private(file);
	scratch content;
	const std::size_t size = read_all(opened.get(), content.bytes, file.c_str());
	secret result;
	// Otherwise the bytes are text.
	std::string_view text(reinterpret_cast<const char *>(content.bytes.data()), size);
	if (text.ends_with('\n')) {
		text.remove_suffix(1);
	}
	if (size == length) {
		result = secret(std::span(content.bytes).first(length));
	} else if (!decode_hex(text, result.bytes_)) {
		detail::fail(EINVAL,
			     (file.string() + ": holds neither 32 bytes nor 64 hexadecimal digits")
				     .c_str());
	}
	if (result.is_empty()) {
		detail::fail(EINVAL, (file.string() + ": holds zeros").c_str());
	}
	return result;
}

secret secret::from_hex(std::string_view digits)
{
	secret result;
	if (!decode_hex(digits, result.bytes_)) {
		throw std::invalid_argument("a secret has 64 hexadecimal digits");
	}
	return result;
}

secret secret::random()
{
	secret result;
	// Up to 256 bytes come whole, without interruption by signals.
	detail::check(::getrandom(result.bytes_.data(), length, 0), "getrandom");
	return result;
}

secret::~secret()
{
	explicit_bzero(bytes_.data(), length);
}

secret::secret(secret &&other) noexcept : bytes_(other.bytes_)
{
	explicit_bzero(other.bytes_.data(), length);
}

secret &secret::operator=(secret &&other) noexcept
{
	if (this != &other) {
		bytes_ = other.bytes_;
		explicit_bzero(other.bytes_.data(), length);
	}
	return *this;
}

secret secret::clone() const
{
	return secret(bytes_);
}

std::span<const std::byte, secret::length> secret::bytes() const noexcept
{
	return bytes_;
}

bool secret::is_empty() const noexcept
{
	return *this == secret();
}

bool operator==(const secret &a, const secret &b) noexcept
{
	std::byte difference{};
	for (std::size_t i = 0; i < secret::length; ++i) {
		difference |= a.bytes_[i] ^ b.bytes_[i];
	}
	return difference == std::byte{};
}

} // namespace sdp::inline v0
