// SPDX-License-Identifier: Apache-2.0
// What the model has to say about its driver: what it asked for that is not modelled,
// and what it did that hardware would not have forgiven. Either makes the run fail.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace cx {

class Report {
public:
	/// @a name prefixes every line; @a verbose tells of each command and doorbell.
	explicit Report(std::string name, bool verbose = false)
		: name_(std::move(name)), verbose_(verbose)
	{
	}

	/// Asked for, and not modelled.
	void unknown(const std::string &what);
	/// Wrong. The first of each kind are shown in full, all are counted.
	void misuse(const std::string &kind, const std::string &detail = "");
	/// For reading afterwards only.
	void say(const std::string &text) const;
	void trace(const std::string &text) const
	{
		if (verbose_)
			say(text);
	}
	[[nodiscard]] bool verbose() const { return verbose_; }

	/// Counts something that is no fault.
	void count(const std::string &what, uint64_t by = 1) { counters_[what] += by; }
	[[nodiscard]] uint64_t counted(const std::string &what) const;
	[[nodiscard]] uint64_t faults() const { return faults_; }
	[[nodiscard]] const std::map<std::string, uint64_t> &counters() const { return counters_; }
	[[nodiscard]] const std::map<std::string, uint64_t> &unknowns() const { return unknowns_; }
	[[nodiscard]] const std::map<std::string, uint64_t> &misuses() const { return misuses_; }
	[[nodiscard]] const std::string &name() const { return name_; }

private:
	std::string name_;
	bool verbose_;
	uint64_t faults_ = 0;
	std::map<std::string, uint64_t> misuses_, unknowns_, counters_;
};

/// 0x1f
std::string hex(uint64_t value);

} // namespace cx
