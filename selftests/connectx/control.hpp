// SPDX-License-Identifier: Apache-2.0
// How a test in the guest tells the model something, and asks it: by files in a folder
// that both see. The guest appends lines "NUMBER COMMAND..." to FOLDER/ask, the answer
// to each is a file FOLDER/answer.NUMBER.
//
//   link up|down             the cable
//   wire NAME=VALUE...       rate= (Mbit/s) delay= (microseconds) loss= reorder=
//                            duplicate= (of a million) reorder_by= (microseconds)
//   report                   "NAME VALUE" lines: all counters
//   findings                 of these what keeps a run from passing; none: all is well
//   expect NAME...           these are no failures from here on
//
// What is done wrong is answered by "error: ...".
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "selftests/connectx/detector.hpp"
#include "selftests/connectx/wire.hpp"

namespace cx {

/// Lines that are appended to a file, and answers.
class Asked {
public:
	using Answer = std::function<std::string(const std::string &command)>;

	/// An empty @a folder: nobody asks.
	Asked(std::string folder, Answer answer);

	/// Answers what is new. To be called every few milliseconds.
	void poll();

private:
	void answer(const std::string &line);

	std::string folder_;
	Answer answer_;
	long read_ = 0;
};

/// What the control commands act on.
struct Controlled {
	Wire &wire;
	WireOptions options; ///< the wire's as it is now
	Detector &detector;
	/// Sets the link, at both ends.
	std::function<void(bool up)> link;
	/// "NAME VALUE" lines of everything else.
	std::function<std::string()> report;
	/// Lines of what is wrong there, without the detector's.
	std::function<std::string()> findings;
	/// Names that are expected.
	std::set<std::string> expected;

	/// Carries a command out, and answers.
	std::string command(const std::string &text);
	/// All findings that nobody expects.
	[[nodiscard]] std::string wrong() const;

private:
	std::string change(const std::vector<std::string> &words);
};

} // namespace cx
