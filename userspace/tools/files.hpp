// SPDX-License-Identifier: Apache-2.0
/** @file Files that are made, never overwritten. */
#ifndef SDP_TOOLS_FILES_HPP
#define SDP_TOOLS_FILES_HPP

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace tool {

/** Text that is overwritten in memory when it goes. */
class wiped_text {
public:
	explicit wiped_text(std::string text) : text_(std::move(text)) {}
	~wiped_text();
	wiped_text(const wiped_text &) = delete;
	wiped_text &operator=(const wiped_text &) = delete;
	wiped_text(wiped_text &&) = delete;
	wiped_text &operator=(wiped_text &&) = delete;
	[[nodiscard]] std::string_view view() const { return text_; }

private:
	std::string text_;
};

struct new_file {
	std::string path;
	std::string_view content;
	mode_t mode = 0600;
};

/**
 * Makes all of @p files, with these modes whatever the umask, or none.
 * @throws std::system_error with the file's name; EEXIST where there is one already.
 */
void write_new(const std::vector<new_file> &files);

} // namespace tool

#endif
