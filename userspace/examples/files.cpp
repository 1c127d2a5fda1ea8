// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <openssl/evp.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace files {

std::uint64_t number_of(std::string_view text, std::uint64_t least, std::uint64_t most)
{
	std::uint64_t value = 0;
	const char *end = text.data() + text.size();
	const auto [stop, error] = std::from_chars(text.data(), end, value);
	if (error != std::errc{} || stop != end || value < least || value > most) {
		throw std::runtime_error("'" + std::string(text) + "' is no number from " +
					 std::to_string(least) + " to " + std::to_string(most));
	}
	return value;
}

void fail(int error, const std::string &what)
{
	throw std::system_error(error, std::generic_category(), what);
}

std::string printable(std::string_view text)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string safe;
	unsigned before = 0;
	for (const char each : text) {
		const auto byte = static_cast<unsigned char>(each);
		// Those of ASCII, and U+0080 to U+009F in UTF-8.
		const bool control = byte < 0x20 || byte == 0x7f ||
				     (before == 0xc2 && byte >= 0x80 && byte < 0xa0);
		before = byte;
		if (control) {
			safe.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
		} else {
			safe += each;
		}
	}
	return safe;
}

sdp::bytes_view reader::raw(std::size_t count)
{
	if (count > rest_.size()) {
		fail(EPROTO, "message");
	}
	const sdp::bytes_view taken = rest_.first(count);
	rest_ = rest_.subspan(count);
	return taken;
}

std::string reader::text()
{
	const sdp::bytes_view bytes = raw(number<std::uint16_t>());
	return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

void reader::end() const
{
	if (!rest_.empty()) {
		fail(EPROTO, "message");
	}
}

file::~file()
{
	if (fd_ >= 0) {
		::close(fd_);
	}
}

file::file(file &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

file &file::operator=(file &&other) noexcept
{
	std::swap(fd_, other.fd_);
	return *this;
}

bool is_plain(std::string_view path)
{
	if (path.empty() || path.size() > 4095 || path.find('\0') != std::string_view::npos) {
		return false;
	}
	for (std::size_t start = 0; start <= path.size();) {
		const std::size_t end = std::min(path.find('/', start), path.size());
		const std::string_view name = path.substr(start, end - start);
		if (name.empty() || name == "." || name == "..") {
			return false;
		}
		start = end + 1;
	}
	return true;
}

file open_beneath(int root, const std::string &path, int flags, unsigned mode)
{
	if (!is_plain(path)) {
		fail(EINVAL, path);
	}
	open_how how{};
	how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
	how.mode = mode;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	const long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how));
	if (fd < 0) {
		fail(errno, path);
	}
	return file(static_cast<int>(fd));
}

file open_folder(const std::string &path)
{
	const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fail(errno, path);
	}
	return file(fd);
}

digest sha256_of(int fd)
{
	const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state(EVP_MD_CTX_new(),
									    &EVP_MD_CTX_free);
	std::vector<unsigned char> buffer(65536);
	digest result{};
	if (!state || EVP_DigestInit_ex(state.get(), EVP_sha256(), nullptr) != 1) {
		fail(ENOMEM, "SHA-256");
	}
	for (off_t offset = 0;;) {
		const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), offset);
		if (got < 0) {
			fail(errno, "read");
		}
		if (got == 0) {
			break;
		}
		EVP_DigestUpdate(state.get(), buffer.data(), static_cast<std::size_t>(got));
		offset += got;
	}
	EVP_DigestFinal_ex(state.get(), reinterpret_cast<unsigned char *>(result.data()), nullptr);
	return result;
}

} // namespace files
