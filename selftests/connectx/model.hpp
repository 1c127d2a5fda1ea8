// SPDX-License-Identifier: Apache-2.0
// Two functions and the cable between them: what a process of the model is.
#pragma once

#include "selftests/connectx/control.hpp"
#include "selftests/connectx/nic.hpp"
#include "selftests/connectx/vhost.hpp"
#include <memory>

namespace cx {

struct ModelOptions {
	std::array<std::string, 2> sockets;
	std::string control; ///< a folder; empty: none
	NicOptions nic;
	WireOptions wire;
	bool verbose = false;
};

/// One function with all that is around it.
struct Function {
	Function(const ModelOptions &options, unsigned end, NicPorts ports);

	Report report;
	Memory memory;
	Nic nic;
	PciFunction pci;
	VhostServer vhost;
	bool gone = false;
};

class Model {
public:
	explicit Model(const ModelOptions &options);

	/// Until both guests' ends are gone, or a signal comes at @a signals.
	void run(int signals);
	/// All counters, and all that is wrong: "NAME VALUE" lines.
	[[nodiscard]] std::string report() const { return controlled_.report(); }
	std::string command(const std::string &text) { return controlled_.command(text); }
	[[nodiscard]] std::string wrong() const { return controlled_.wrong(); }

private:
	static Nanoseconds now();
	NicPorts ports(unsigned end);
	[[nodiscard]] std::string counters() const;
	[[nodiscard]] std::string findings() const;
	[[nodiscard]] int wait() const;
	void links();

	ModelOptions options_;
	Wire wire_;
	std::array<std::unique_ptr<Function>, 2> functions_;
	Detector detector_;
	bool cable_ = true;
	Controlled controlled_;
	Asked asked_;
};

} // namespace cx
