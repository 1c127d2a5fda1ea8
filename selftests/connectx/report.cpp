// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/report.hpp"

#include <cstdio>

namespace cx {

namespace {
// A driver in a loop must not fill the disk.
constexpr uint64_t shown_of_each = 8;
} // namespace

std::string hex(uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%#llx", static_cast<unsigned long long>(value));
	return text;
}

void Report::say(const std::string &text) const
{
	fprintf(stderr, "connectx %s: %s\n", name_.c_str(), text.c_str());
}

void Report::unknown(const std::string &what)
{
	faults_++;
	if (++unknowns_[what] <= shown_of_each)
		say("UNKNOWN: " + what);
}

void Report::misuse(const std::string &kind, const std::string &detail)
{
	faults_++;
	if (++misuses_[kind] <= shown_of_each)
		say("MISUSE: " + kind + (detail.empty() ? "" : ": " + detail));
}

uint64_t Report::counted(const std::string &what) const
{
	const auto found = counters_.find(what);
	return found == counters_.end() ? 0 : found->second;
}

} // namespace cx
