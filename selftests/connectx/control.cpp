// SPDX-License-Identifier: Apache-2.0
#include "control.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace cx {

namespace {

std::vector<std::string> words_of(const std::string &text)
{
	std::istringstream in(text);
	std::vector<std::string> out;
	for (std::string word; in >> word;)
		out.push_back(word);
	return out;
}

/// Of "NAME VALUE" lines those that are not expected, and not zero.
std::string unexpected(const std::string &lines, const std::set<std::string> &expected)
{
	std::istringstream in(lines);
	std::string out;
	for (std::string line; std::getline(in, line);) {
		const std::string name = line.substr(0, line.find(' '));
		if (!line.empty() && !line.ends_with(" 0") && !expected.contains(name))
			out += line + '\n';
	}
	return out;
}

} // namespace

Asked::Asked(std::string folder, Answer answer)
	: folder_(std::move(folder)), answer_(std::move(answer))
{
}

void Asked::poll()
{
	if (folder_.empty())
		return;
	std::ifstream in(folder_ + "/ask", std::ios::binary);
	if (!in || !in.seekg(read_))
		return;
	// A line that is not whole is read again.
	for (std::string line; std::getline(in, line) && !in.eof();) {
		read_ += static_cast<long>(line.size()) + 1;
		answer(line);
	}
}

void Asked::answer(const std::string &line)
{
	const size_t space = line.find(' ');
	const std::string number = line.substr(0, space);
	if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos)
		return;
	const std::string text = answer_(space == std::string::npos ? "" : line.substr(space + 1));
	const std::string name = folder_ + "/answer." + number;
	// Whoever waits for it is to see all of it.
	std::ofstream(name + ".new") << text;
	rename((name + ".new").c_str(), name.c_str());
}

std::string Controlled::change(const std::vector<std::string> &words)
{
	WireOptions changed = options;

	for (size_t i = 1; i < words.size(); i++) {
		const size_t equals = words[i].find('=');
		const std::string name = words[i].substr(0, equals);
		char *end = nullptr;
		const char *text = equals == std::string::npos ? "" : words[i].c_str() + equals + 1;
		const uint64_t value = strtoull(text, &end, 10);
		if (end == text || *end != '\0')
			return "error: no number: " + words[i] + '\n';
		if (name == "rate")
			changed.bits_per_second = value * 1'000'000;
		else if (name == "delay")
			changed.delay = static_cast<Nanoseconds>(value * 1000);
		else if (name == "loss")
			changed.loss = static_cast<uint32_t>(value);
		else if (name == "reorder")
			changed.reorder = static_cast<uint32_t>(value);
		else if (name == "duplicate")
			changed.duplicate = static_cast<uint32_t>(value);
		else if (name == "reorder_by")
			changed.reorder_by = static_cast<Nanoseconds>(value * 1000);
		else
			return "error: no such option of the wire: " + name + '\n';
	}
	options = changed;
	wire.change(options);
	return "ok\n";
}

std::string Controlled::command(const std::string &text)
{
	const std::vector<std::string> words = words_of(text);
	const std::string what = words.empty() ? "" : words[0];

	if (what == "link" && words.size() == 2 && (words[1] == "up" || words[1] == "down")) {
		wire.link(words[1] == "up");
		link(words[1] == "up");
		return "ok\n";
	}
	if (what == "wire")
		return change(words);
	if (what == "report")
		return report() + wire.report() + detector.report();
	if (what == "findings")
		return wrong();
	if (what == "expect") {
		expected.insert(words.begin() + 1, words.end());
		return "ok\n";
	}
	return "error: no such command: " + text + '\n';
}

std::string Controlled::wrong() const
{
	const Detector::Findings &found = detector.findings();
	std::ostringstream all;

	all << findings() << "detector_plaintext " << found.plaintext << "\ndetector_unopened "
	    << found.unopened << "\ndetector_reused " << found.reused << "\ndetector_malformed "
	    << found.malformed << '\n';
	return unexpected(all.str(), expected);
}

} // namespace cx
