// SPDX-License-Identifier: Apache-2.0
// sdp info | sessions | rpcs | sockets | counters [-a]: what /proc/net/sdp says,
// with columns that line up.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

const std::filesystem::path proc = "/proc/self/net/sdp";

using row = std::vector<std::string>;

std::vector<row> read_table(const std::string &name)
{
	std::ifstream file(proc / name);
	if (!file) {
		throw std::runtime_error("cannot read " + (proc / name).string() +
					 ": is the module loaded (modprobe sdp)?");
	}
	std::vector<row> rows;
	for (std::string line; std::getline(file, line);) {
		std::istringstream words(line);
		row cells;
		for (std::string cell; words >> cell;) {
			cells.push_back(cell);
		}
		rows.push_back(std::move(cells));
	}
	return rows;
}

bool is_number(const std::string &text)
{
	return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/** Numbers to the right, everything else to the left. */
void print(const std::vector<row> &rows)
{
	std::vector<std::size_t> widths;
	for (const row &cells : rows) {
		widths.resize(std::max(widths.size(), cells.size()));
		for (std::size_t i = 0; i < cells.size(); ++i) {
			widths[i] = std::max(widths[i], cells[i].size());
		}
	}
	for (const row &cells : rows) {
		for (std::size_t i = 0; i < cells.size(); ++i) {
			std::cout << (i == 0 ? "" : "  ")
				  << (is_number(cells[i]) ? std::right : std::left);
			const bool last_text = i + 1 == cells.size() && !is_number(cells[i]);
			std::cout << std::setw(last_text ? 0 : static_cast<int>(widths[i]))
				  << cells[i];
		}
		std::cout << '\n';
	}
}

void print_counters(bool also_zero)
{
	std::vector<row> rows = read_table("counters");
	std::erase_if(rows, [also_zero](const row &cells) {
		return cells.size() != 2 || (!also_zero && cells[1] == "0");
	});
	print(rows);
}

/** Lines of a table below its heading. */
std::size_t entries(const std::string &name)
{
	const std::size_t lines = read_table(name).size();
	return lines == 0 ? 0 : lines - 1;
}

void print_info()
{
	std::map<std::string, std::string> counters;
	for (const row &cells : read_table("counters")) {
		if (cells.size() == 2) {
			counters[cells[0]] = cells[1];
		}
	}
	std::ifstream version("/sys/module/sdp/version");
	std::string text;
	std::vector<row> rows = {{"version", version >> text ? text : "unknown"},
				 {"sockets", std::to_string(entries("sockets"))},
				 {"sessions", std::to_string(entries("sessions"))},
				 {"RPCs", std::to_string(entries("rpcs"))}};
	for (const char *name : {"client_rpcs", "server_rpcs", "rpcs_failed", "tx_data",
				 "tx_retransmits", "tx_bytes", "rx_data", "rx_bytes"}) {
		rows.push_back({name, counters[name]});
	}
	print(rows);
}

int usage()
{
	std::cerr << "usage: sdp info | sessions | rpcs | sockets | counters [-a]\n"
		     "  shows this network namespace; other users' entries need CAP_NET_ADMIN\n";
	return 2;
}

int run(const std::vector<std::string> &words)
{
	const bool all = words.size() == 2 && words[1] == "-a";
	const std::string what = words.empty() ? "" : words[0];
	if (what == "counters" && (words.size() == 1 || all)) {
		print_counters(all);
	} else if (words.size() != 1) {
		return usage();
	} else if (what == "info") {
		print_info();
	} else if (what == "sessions" || what == "rpcs" || what == "sockets") {
		print(read_table(what));
	} else {
		return usage();
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return run({argv + 1, argv + argc});
	} catch (const std::exception &error) {
		std::cerr << "sdp: " << error.what() << '\n';
		return 1;
	}
}
