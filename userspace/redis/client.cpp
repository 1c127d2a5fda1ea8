// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include <charconv>
#include <stdexcept>
#include <utility>

namespace sdp::redis {

namespace {

void append_number(std::string &to, char kind, std::size_t number)
{
	to += kind;
	to += std::to_string(number);
	to += "\r\n";
}

[[noreturn]] void strange()
{
	throw std::invalid_argument("this is no reply of Redis");
}

} // namespace

void append_command(std::string &to, std::span<const std::string_view> words)
{
	append_number(to, '*', words.size());
	for (const std::string_view word : words) {
		append_number(to, '$', word.size());
		to += word;
		to += "\r\n";
	}
}

void append_command(std::string &to, std::initializer_list<std::string_view> words)
{
	append_command(to, std::span(words.begin(), words.size()));
}

std::optional<std::size_t> reply_length(std::string_view bytes)
{
	std::size_t at = 0;
	// Replies that are still to come, those within others too.
	for (std::uint64_t left = 1; left > 0; --left) {
		const std::size_t end = bytes.find("\r\n", at);
		if (end == std::string_view::npos) {
			return std::nullopt;
		}
		const std::string_view line = bytes.substr(at, end - at);
		if (line.empty()) {
			strange();
		}
		at = end + 2;
		const char kind = line.front();
		if (std::string_view("+-:_,#(").find(kind) != std::string_view::npos) {
			continue;
		}
		long long count = 0;
		const auto [stop, error] =
			std::from_chars(line.data() + 1, line.data() + line.size(), count);
		if (error != std::errc() || stop != line.data() + line.size() || count < -1 ||
		    count > 1'000'000'000) {
			strange();
		}
		if (kind == '$' || kind == '=' || kind == '!') {
			if (count >= 0) {
				at += static_cast<std::size_t>(count) + 2;
			}
		} else if (kind == '*' || kind == '~' || kind == '>') {
			left += count > 0 ? static_cast<std::uint64_t>(count) : 0;
		} else if (kind == '%' || kind == '|') {
			left += count > 0 ? 2 * static_cast<std::uint64_t>(count) : 0;
			left += kind == '|' ? 1 : 0; // Attributes: the reply is behind them.
		} else {
			strange();
		}
		if (at > bytes.size()) {
			return std::nullopt;
		}
	}
	return at;
}

result<std::string> client::execute(std::string_view commands, const call_options &options)
{
	auto got = start(commands, options).get();
	if (!got) {
		return got.error();
	}
	return std::string(got->text());
}

result<std::string> client_connection::execute(std::string_view commands,
					       const call_options &options)
{
	std::string all;
	for (;;) {
		auto got = on_->call(number_ | (is_open_ ? 0U : begins), commands, options).get();
		if (!got) {
			// The call may arrive still: what follows is not to be of its connection.
			// The server need not keep that until it is old.
			if (is_open_ || got.error().executed != executed::not_executed) {
				farewell_ = on_->call(number_ | ends, std::string_view());
			}
			is_open_ = false;
			number_ = numbers_->take();
			return got.error();
		}
		is_open_ = !got->metadata().get(ended);
		all += got->text();
		if (!got->metadata().get(more)) {
			return all;
		}
		commands = {};
	}
}

void client_connection::end()
{
	if (std::exchange(is_open_, false)) {
		static_cast<void>(on_->call(number_ | ends, std::string_view()).get());
	}
}

} // namespace sdp::redis
