// SPDX-License-Identifier: Apache-2.0
/** @file What the tool prints: tables for people, JSON for programs. */
#ifndef SDP_TOOLS_OUTPUT_HPP
#define SDP_TOOLS_OUTPUT_HPP

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tool {

/** A value of a table. A fraction has three digits behind the point. */
using cell = std::variant<std::string, std::uint64_t, double, bool>;

/** Names and values in the order in which they are shown. */
using record = std::vector<std::pair<std::string, cell>>;

/** Rows with the same names: columns are named once. */
struct table {
	std::vector<std::string> columns;
	std::vector<std::vector<cell>> rows;
};

/** How to print. */
struct style {
	bool json = false;
	bool colour = false;
};

enum class hue : std::uint8_t { good, doubtful, bad, heading };

/** Colour belongs on a terminal, and where NO_COLOR (no-color.org) does not forbid it. */
bool wants_colour(bool is_terminal, const char *no_color, const char *term);

/** @p text in a colour, if @p how has any. */
std::string paint(const style &how, hue in, std::string_view text);

/** As a JSON string, with its quotes; bytes that are no UTF-8 become U+FFFD. */
std::string in_quotes(std::string_view text);
std::string to_json(const cell &value);
std::string to_json(const record &of);
std::string to_json(const table &of);

/** Columns that line up: numbers to the right, everything else to the left. */
void print(std::ostream &out, const style &how, const table &of);
/** A name and a value a line. */
void print(std::ostream &out, const style &how, const record &of);

} // namespace tool

#endif
