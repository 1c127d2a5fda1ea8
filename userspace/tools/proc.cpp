// SPDX-License-Identifier: Apache-2.0
#include "proc.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace tool {

namespace {

/** A line: words in order, and name=value wherever they are. */
struct parts {
	std::vector<std::string> words;
	std::map<std::string, std::string, std::less<>> values;

	[[nodiscard]] std::string word(std::size_t i) const
	{
		return i < words.size() ? words[i] : std::string();
	}
	[[nodiscard]] std::string text(std::string_view name) const
	{
		const auto found = values.find(name);
		return found == values.end() ? std::string() : found->second;
	}
	[[nodiscard]] std::uint64_t value(std::string_view name) const
	{
		return number(text(name));
	}
	[[nodiscard]] bool has_word(std::string_view wanted, std::size_t from) const
	{
		for (std::size_t i = from; i < words.size(); ++i) {
			if (words[i] == wanted) {
				return true;
			}
		}
		return false;
	}
};

parts take_apart(const std::string &line)
{
	parts result;
	for (std::string &word : words_of(line)) {
		const auto sign = word.find('=');
		// A driver's name may hold anything, a value's name only these.
		if (sign != std::string::npos && sign > 0 &&
		    word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == sign) {
			result.values.emplace(word.substr(0, sign), word.substr(sign + 1));
		} else {
			result.words.push_back(std::move(word));
		}
	}
	return result;
}

/** Lines below the heading that have so many words. */
std::vector<parts> rows(std::string_view text, std::size_t least)
{
	std::vector<parts> result;
	bool heading = true;
	for (const std::string &line : lines_of(text)) {
		if (heading) {
			heading = false;
			continue;
		}
		parts row = take_apart(line);
		if (row.words.size() >= least) {
			result.push_back(std::move(row));
		}
	}
	return result;
}

std::vector<std::string> split(const std::string &text, char at)
{
	std::vector<std::string> result;
	std::istringstream in(text);
	for (std::string piece; std::getline(in, piece, at);) {
		result.push_back(piece);
	}
	return result;
}

share to_share(const std::string &text)
{
	const auto pieces = split(text, '/');
	return {pieces.empty() ? 0 : number(pieces[0]), pieces.size() < 2 ? 0 : number(pieces[1])};
}

progress to_progress(const std::string &text)
{
	std::array<std::int64_t, 3> values{0, 0, -1};
	const auto pieces = split(text, '/');
	for (std::size_t i = 0; i < values.size() && i < pieces.size(); ++i) {
		std::from_chars(pieces[i].data(), pieces[i].data() + pieces[i].size(),
				values.at(i));
	}
	return {values[0], values[1], values[2]};
}

std::uint16_t hexadecimal(std::string_view text)
{
	std::uint16_t value = 0;
	if (text.starts_with("0x")) {
		text.remove_prefix(2);
	}
	std::from_chars(text.data(), text.data() + text.size(), value, 16);
	return value;
}

} // namespace

std::vector<std::string> lines_of(std::string_view text)
{
	std::vector<std::string> result;
	std::istringstream in{std::string(text)};
	for (std::string line; std::getline(in, line);) {
		result.push_back(line);
	}
	return result;
}

std::vector<std::string> words_of(std::string_view text)
{
	std::vector<std::string> result;
	std::istringstream in{std::string(text)};
	for (std::string word; in >> word;) {
		result.push_back(word);
	}
	return result;
}

std::uint64_t number(std::string_view digits, std::uint64_t otherwise)
{
	std::uint64_t value = 0;
	const char *end = digits.data() + digits.size();
	const auto [stopped, error] = std::from_chars(digits.data(), end, value);
	return digits.empty() || error != std::errc() || stopped != end ? otherwise : value;
}

std::vector<socket_line> parse_sockets(std::string_view text)
{
	std::vector<socket_line> result;
	for (const parts &row : rows(text, 5)) {
		result.push_back({.uid = number(row.words[0]),
				  .inode = number(row.words[1]),
				  .local = row.words[2],
				  .policy = row.words[3],
				  .role = row.words[4],
				  .rpcs = row.value("rpcs"),
				  .ready = row.value("ready"),
				  .receive = to_share(row.text("rmem")),
				  .send = to_share(row.text("wmem")),
				  .region = to_share(row.text("region")),
				  .device = row.value("device")});
	}
	return result;
}

std::vector<session_line> parse_sessions(std::string_view text)
{
	std::vector<session_line> result;
	for (const parts &row : rows(text, 5)) {
		session_line line{.id = row.words[0],
				  .local = row.words[1],
				  .peer = row.words[2],
				  .role = row.words[3],
				  .cipher = hexadecimal(row.words[4]),
				  .record_size = row.value("record"),
				  .tx_epoch = row.value("tx_epoch"),
				  .rx_epoch = row.value("rx_epoch"),
				  .sent = row.value("tx"),
				  .left = row.value("left"),
				  .has_left = row.values.contains("left"),
				  .received = row.value("rx"),
				  .failed = row.value("failed"),
				  .silent_ms = row.value("silent_ms"),
				  .state = row.text("state"),
				  .copy_unnoticed = row.has_word("copy-unnoticed", 5),
				  .nic = row.has_word("nic", 5),
				  .driver = {}};
		const std::string &last = row.words.back();
		if (row.words.size() > 6 && last != "nic" && last != "cpu") {
			line.driver = last;
		}
		result.push_back(std::move(line));
	}
	return result;
}

std::vector<rpc_line> parse_rpcs(std::string_view text)
{
	std::vector<rpc_line> result;
	for (const parts &row : rows(text, 4)) {
		result.push_back({.id = number(row.words[0]),
				  .role = row.words[1],
				  .port = number(row.words[2]),
				  .peer = row.words[3],
				  .send = to_progress(row.text("tx")),
				  .receive = to_progress(row.text("rx")),
				  .session = row.text("session"),
				  .local = row.text("local"),
				  .ready = row.has_word("ready", 4)});
	}
	return result;
}

std::vector<std::pair<std::string, std::uint64_t>> parse_counters(std::string_view text)
{
	std::vector<std::pair<std::string, std::uint64_t>> result;
	for (const std::string &line : lines_of(text)) {
		const auto words = words_of(line);
		if (words.size() == 2) {
			result.emplace_back(words[0], number(words[1]));
		}
	}
	return result;
}

std::uint64_t count_sockets(std::string_view protocols)
{
	std::uint64_t sum = 0;
	for (const std::string &line : lines_of(protocols)) {
		const auto words = words_of(line);
		if (words.size() > 2 && (words[0] == "SDP" || words[0] == "SDPv6")) {
			sum += number(words[2]);
		}
	}
	return sum;
}

std::string host_of(const std::string &endpoint)
{
	std::string host = endpoint.substr(0, endpoint.rfind(':'));
	if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
		return host.substr(1, host.size() - 2);
	}
	return host;
}

std::string read_file(const std::string &path)
{
	std::ifstream file(path, std::ios::binary);
	std::ostringstream text;
	if (!file ||
	    (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
		throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path);
	}
	return text.str();
}

std::string read_file_if(const std::string &path)
{
	try {
		return read_file(path);
	} catch (const std::system_error &) {
		return {};
	}
}

std::string read_sdp(const std::string &name)
{
	const std::string path = "/proc/self/net/sdp/" + name;
	try {
		return read_file(path);
	} catch (const std::system_error &error) {
		throw std::runtime_error("cannot read " + path + ": " + error.code().message() +
					 "; is the module loaded? (modprobe sdp, or sdp doctor)");
	}
}

} // namespace tool
