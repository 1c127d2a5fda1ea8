// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The protocol of the file service, and what both ends need for it. Numbers are
 * big-endian; a path is relative, without "." and "..", and not through links.
 *
 *   list request   u8 1, u32 first file
 *   list response  u32 errno, u32 files in all, u32 files here, then for each:
 *                  u64 size, u32 mode, 32 bytes SHA-256, u16 length, path
 *   read request   u8 2, u64 offset, u32 length, u16 length, path
 *   read response  u32 errno, then the bytes; fewer where the file ends
 *
 * A request that is none of these gets EPROTO. Only regular files are listed.
 */
#ifndef EXAMPLES_FILES_HPP
#define EXAMPLES_FILES_HPP

#include <sdp/message.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace files {

enum class operation : std::uint8_t { list = 1, read = 2 };

using digest = std::array<std::byte, 32>;

/** One file of a listing. */
struct entry {
	std::string path;
	std::uint64_t size = 0;
	std::uint32_t mode = 0;
	digest sha256{};
};

/** Most bytes of one read: what fits a message of any mode, with its header. */
inline constexpr std::uint32_t longest_read = 900'000;

/**
 * A number of a command line.
 * @throws std::runtime_error unless @p text is one, from @p least to @p most.
 */
std::uint64_t number_of(std::string_view text, std::uint64_t least, std::uint64_t most);

/** Appends big-endian numbers and bytes. */
class writer {
public:
	template <typename T>
	writer &number(T value)
	{
		for (std::size_t i = sizeof(T); i-- > 0;) {
			const auto shifted = static_cast<std::uint64_t>(value) >> (8 * i);
			bytes_.push_back(static_cast<std::byte>(shifted));
		}
		return *this;
	}
	writer &raw(sdp::bytes_view bytes)
	{
		bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
		return *this;
	}
	/** With its length before it. */
	writer &text(std::string_view text)
	{
		return number(static_cast<std::uint16_t>(text.size())).raw(sdp::as_bytes(text));
	}

	[[nodiscard]] std::size_t size() const { return bytes_.size(); }
	[[nodiscard]] sdp::bytes_view view() const { return bytes_; }

private:
	std::vector<std::byte> bytes_;
};

/** Reads what a writer wrote. @throws std::system_error EPROTO where bytes are missing. */
class reader {
public:
	explicit reader(sdp::bytes_view bytes) : rest_(bytes) {}

	template <typename T>
	T number()
	{
		std::uint64_t value = 0;
		for (const std::byte each : raw(sizeof(T))) {
			value = value << 8 | std::to_integer<std::uint64_t>(each);
		}
		return static_cast<T>(value);
	}
	sdp::bytes_view raw(std::size_t count);
	std::string text();
	/** @throws std::system_error EPROTO if anything is left. */
	void end() const;

private:
	sdp::bytes_view rest_;
};

/** A file descriptor that closes itself. */
class file {
public:
	file() = default;
	explicit file(int fd) : fd_(fd) {}
	~file();
	file(file &&other) noexcept;
	file &operator=(file &&other) noexcept;
	file(const file &) = delete;
	file &operator=(const file &) = delete;

	[[nodiscard]] int get() const { return fd_; }
	[[nodiscard]] bool is_open() const { return fd_ >= 0; }

private:
	int fd_ = -1;
};

/** Throws std::system_error with errno @p error. */
[[noreturn]] void fail(int error, const std::string &what);

/** What the other end sent, for a terminal: control characters become \xNN. */
std::string printable(std::string_view text);

/** Whether @p path is one that the protocol allows. */
bool is_plain(std::string_view path);

/**
 * Opens @p path below the folder @p root: the kernel refuses ".." and links
 * (openat2). What is mounted below it is a part of it. @throws std::system_error
 */
file open_beneath(int root, const std::string &path, int flags, unsigned mode = 0);

/** Opens a folder to be used as a root. */
file open_folder(const std::string &path);

/** SHA-256 of all of an open file. */
digest sha256_of(int fd);

} // namespace files

#endif
