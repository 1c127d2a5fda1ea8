// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tool {

namespace {

/** errno, or 0. */
int write_one(const new_file &file)
{
	// Nobody may open it before it has its mode.
	const int fd = ::open(file.path.c_str(),
			      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return errno;
	}
	int error = 0;
	std::string_view rest = file.content;
	while (!rest.empty() && error == 0) {
		const ssize_t written = ::write(fd, rest.data(), rest.size());
		if (written > 0) {
			rest.remove_prefix(static_cast<std::size_t>(written));
		} else if (errno != EINTR) {
			error = written == 0 ? EIO : errno;
		}
	}
	if (error == 0 && (::fchmod(fd, file.mode) < 0 || ::fsync(fd) < 0)) {
		error = errno;
	}
	if (::close(fd) < 0 && error == 0) {
		error = errno;
	}
	if (error != 0) {
		::unlink(file.path.c_str());
	}
	return error;
}

} // namespace

wiped_text::~wiped_text()
{
	::explicit_bzero(text_.data(), text_.size());
}

void write_new(const std::vector<new_file> &files)
{
	for (std::size_t i = 0; i < files.size(); ++i) {
		const int error = write_one(files[i]);
		if (error == 0) {
			continue;
		}
		while (i-- > 0) {
			::unlink(files[i].path.c_str());
		}
		const auto failed = std::error_code(error, std::generic_category());
		for (const new_file &each : files) {
			struct stat found {};
			if (error == EEXIST && ::lstat(each.path.c_str(), &found) == 0) {
				throw std::system_error(failed, each.path + " is not overwritten");
			}
		}
		throw std::system_error(failed, files.front().path);
	}
}

} // namespace tool
