// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <span>

namespace tool {

namespace {

std::string shown(const cell &value)
{
	if (const auto *text = std::get_if<std::string>(&value)) {
		return text->empty() ? "-" : *text;
	}
	if (const auto *flag = std::get_if<bool>(&value)) {
		return *flag ? "yes" : "no";
	}
	return to_json(value);
}

bool is_number(const cell &value)
{
	return std::holds_alternative<std::uint64_t>(value) ||
	       std::holds_alternative<double>(value);
}

/** Length of the UTF-8 sequence that @p text begins with, 0 if it is none. */
std::size_t sequence(std::string_view text)
{
	const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
	const unsigned lead = byte(0);
	const std::size_t length = lead < 0x80                   ? 1
				   : lead >= 0xc2 && lead < 0xe0 ? 2
				   : lead >= 0xe0 && lead < 0xf0 ? 3
				   : lead >= 0xf0 && lead < 0xf5 ? 4
								 : 0;
	if (length == 0 || text.size() < length) {
		return 0;
	}
	for (std::size_t i = 1; i < length; ++i) {
		if ((byte(i) & 0xc0) != 0x80) {
			return 0;
		}
	}
	// Overlong forms, surrogates, and what lies behind the last code point.
	const unsigned second = length > 1 ? byte(1) : 0;
	if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
	    (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
		return 0;
	}
	return length;
}

/** What a terminal might obey is shown as a question mark. */
std::string harmless(std::string text)
{
	std::ranges::replace_if(
		text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
	return text;
}

std::string padded(const std::string &text, std::size_t width, bool right)
{
	const std::string room(width > text.size() ? width - text.size() : 0, ' ');
	return right ? room + text : text + room;
}

void print_line(std::ostream &out, std::span<const std::string> cells,
		std::span<const std::size_t> widths, const std::vector<bool> &right)
{
	std::string line;
	for (std::size_t i = 0; i < cells.size(); ++i) {
		line += (i == 0 ? "" : "  ") + padded(cells[i], widths[i], right[i]);
	}
	line.erase(line.find_last_not_of(' ') + 1);
	out << line;
}

} // namespace

bool wants_colour(bool is_terminal, const char *no_color, const char *term)
{
	return is_terminal && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
	       std::string_view(term) != "dumb";
}

std::string paint(const style &how, hue in, std::string_view text)
{
	static constexpr std::array codes{"32", "33", "31", "1"};
	if (!how.colour) {
		return std::string(text);
	}
	return "\033[" + std::string(codes.at(static_cast<std::size_t>(in))) + "m" +
	       std::string(text) + "\033[0m";
}

std::string in_quotes(std::string_view text)
{
	std::string result = "\"";
	while (!text.empty()) {
		const std::size_t length = sequence(text);
		const char first = text.front();
		if (length == 0) {
			result += "\\ufffd";
		} else if (first == '"' || first == '\\') {
			result += std::string("\\") + first;
		} else if (static_cast<unsigned char>(first) < 0x20) {
			std::array<char, 7> code{};
			std::snprintf(code.data(), code.size(), "\\u%04x",
				      static_cast<unsigned>(first));
			result += code.data();
		} else {
			result += text.substr(0, length);
		}
		text.remove_prefix(std::max<std::size_t>(length, 1));
	}
	return result + '"';
}

std::string to_json(const cell &value)
{
	if (const auto *text = std::get_if<std::string>(&value)) {
		return in_quotes(*text);
	}
	if (const auto *flag = std::get_if<bool>(&value)) {
		return *flag ? "true" : "false";
	}
	if (const auto *number = std::get_if<std::uint64_t>(&value)) {
		return std::to_string(*number);
	}
	const double number = std::get<double>(value);
	if (!std::isfinite(number)) {
		return "null";
	}
	std::array<char, 340> digits{};
	std::snprintf(digits.data(), digits.size(), "%.3f", number);
	return digits.data();
}

std::string to_json(const record &of)
{
	std::string result;
	for (const auto &[name, value] : of) {
		result += (result.empty() ? "" : ", ") + in_quotes(name) + ": " + to_json(value);
	}
	return "{" + result + "}";
}

std::string to_json(const table &of)
{
	std::string result;
	for (const auto &row : of.rows) {
		record named;
		for (std::size_t i = 0; i < row.size() && i < of.columns.size(); ++i) {
			named.emplace_back(of.columns[i], row[i]);
		}
		result += (result.empty() ? "" : ",\n ") + to_json(named);
	}
	return "[" + result + "]";
}

void print(std::ostream &out, const style &how, const table &of)
{
	if (how.json) {
		out << to_json(of) << '\n';
		return;
	}
	std::vector<std::size_t> widths;
	std::vector<bool> right(of.columns.size(), false);
	std::vector<std::vector<std::string>> texts;
	for (const std::string &name : of.columns) {
		widths.push_back(name.size());
	}
	for (const auto &row : of.rows) {
		auto &cells = texts.emplace_back();
		for (std::size_t i = 0; i < row.size(); ++i) {
			cells.push_back(harmless(shown(row[i])));
			widths[i] = std::max(widths[i], cells[i].size());
			right[i] = right[i] || is_number(row[i]);
		}
	}
	out << (how.colour ? "\033[1m" : "");
	print_line(out, of.columns, widths, right);
	out << (how.colour ? "\033[0m" : "") << '\n';
	for (const auto &cells : texts) {
		print_line(out, cells, widths, right);
		out << '\n';
	}
}

void print(std::ostream &out, const style &how, const record &of)
{
	if (how.json) {
		out << to_json(of) << '\n';
		return;
	}
	std::size_t name_width = 0;
	std::size_t value_width = 0;
	for (const auto &[name, value] : of) {
		name_width = std::max(name_width, name.size());
		if (is_number(value)) {
			value_width = std::max(value_width, shown(value).size());
		}
	}
	for (const auto &[name, value] : of) {
		out << padded(name, name_width, false) << "  "
		    << padded(harmless(shown(value)), is_number(value) ? value_width : 0, true)
		    << '\n';
	}
}

} // namespace tool
