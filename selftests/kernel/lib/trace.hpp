// SPDX-License-Identifier: Apache-2.0
// A tracepoint, as tracefs tells of it.
#pragma once

#include <fstream>
#include <functional>
#include <string>

#include <sys/mount.h>

#include "test.hpp"

/// One tracepoint, on while this lives; the trace before is forgotten.
class Trace {
public:
	/// @a event is SYSTEM/NAME.
	explicit Trace(const std::string &event) : event_(root + "events/" + event + "/")
	{
		mount("none", "/sys/kernel/tracing", "tracefs", 0, nullptr);
		put(root + "trace", "");
		put(event_ + "enable", "1");
	}
	Trace(const Trace &) = delete;
	Trace &operator=(const Trace &) = delete;
	~Trace() { put(event_ + "enable", "0"); }

	/// Calls @a line with each that contains @a text.
	static void lines(const std::string &text,
			  const std::function<void(const std::string &)> &line)
	{
		std::ifstream file(root + "trace");
		for (std::string one; std::getline(file, one);)
			if (one.find(text) != std::string::npos)
				line(one);
	}

private:
	static void put(const std::string &path, const std::string &text)
	{
		std::ofstream file(path);
		file << text << std::flush;
		CHECK(file.good());
	}

	static inline const std::string root = "/sys/kernel/tracing/";
	std::string event_;
};
