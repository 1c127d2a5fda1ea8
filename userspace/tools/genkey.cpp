// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "files.hpp"

#include <sdp/secret.hpp>

#include <array>
#include <iostream>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace tool {

namespace {

/** 64 digits and a newline, as sdp::secret::load() reads them. */
std::string hexadecimal(const sdp::secret &of)
{
	static constexpr std::string_view digits = "0123456789abcdef";
	std::string text;
	text.reserve(2 * sdp::secret::length + 1);
	for (const std::byte each : of.bytes()) {
		const auto value = std::to_integer<unsigned>(each);
		text += digits[value >> 4];
		text += digits[value & 15];
	}
	return text + '\n';
}

/** As wg genkey does. */
void warn_of_readers()
{
	struct stat out {};
	if (::fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode) &&
	    (out.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		std::cerr << "sdp: others may read this file; sdp genkey FILE makes one that only "
			     "its owner can read\n";
	}
}

} // namespace

int genkey(const std::string &path)
{
	const wiped_text text(hexadecimal(sdp::secret::random()));
	if (path.empty()) {
		warn_of_readers();
		std::cout << text.view();
	} else {
		write_new({{.path = path, .content = text.view(), .mode = 0600}});
	}
	return success;
}

} // namespace tool
