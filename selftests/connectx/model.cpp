// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/model.hpp"

#include <algorithm>
#include <ctime>
#include <sstream>

namespace cx {

namespace {

// What may wait at the cable: a sender looks ahead no further.
constexpr Nanoseconds backlog = 50'000;
constexpr Nanoseconds millisecond = 1'000'000;
// The control folder is looked at this often.
constexpr int control_ms = 5;

EngineOptions engine_of(const ModelOptions &options, unsigned end)
{
	auto engine = options.nic.engine;
	engine.tls_1_2 = options.nic.tls_1_2;
	engine.tls_1_3 = options.nic.tls_1_3;
	engine.tell = [end](Misuse what, const std::string &text) {
		fprintf(stderr, "connectx nic%u: MISUSE: %s: %s\n", end, misuse_name(what),
			text.c_str());
	};
	return engine;
}

NicOptions nic_of(const ModelOptions &options, unsigned end)
{
	auto nic = options.nic;
	nic.mac = {0x02, 0xc0, 0xde, 0, 0, static_cast<uint8_t>(end + 1)};
	nic.engine = engine_of(options, end);
	return nic;
}

std::string as_name(std::string text)
{
	std::replace(text.begin(), text.end(), ' ', '_');
	return text;
}

} // namespace

Function::Function(const ModelOptions &options, unsigned end, NicPorts ports)
	: report("nic" + std::to_string(end), options.verbose),
	  memory(report),
	  nic(nic_of(options, end), std::move(ports), memory, report),
	  pci(most_vectors / 2, nic, report),
	  vhost(options.sockets[end], memory, pci, report)
{
	pci.send = [this](uint32_t data) { vhost.interrupt(data); };
}

Model::Model(const ModelOptions &options)
	: options_(options),
	  wire_(options.wire,
		[this](int end, View frame) {
			functions_[static_cast<size_t>(end)]->nic.receive(frame);
		}),
	  detector_({.file = options.control.empty() ? "" : options.control + "/keys",
		     .tell =
			     [](const std::string &text) {
				     fprintf(stderr, "connectx detector: %s\n", text.c_str());
			     }}),
	  controlled_{wire_,
		      options.wire,
		      detector_,
		      [this](bool up) {
			      cable_ = up;
			      links();
		      },
		      [this] { return counters(); },
		      [this] { return findings(); },
		      {}},
	  asked_(options.control,
		 [this](const std::string &text) { return controlled_.command(text); })
{
	for (unsigned end = 0; end < 2; end++)
		functions_[end] = std::make_unique<Function>(options_, end, ports(end));
	wire_.tap([this](int from, View frame, Nanoseconds) { detector_.see(from, frame); });
	links();
}

Nanoseconds Model::now()
{
	timespec time{};
	clock_gettime(CLOCK_MONOTONIC, &time);
	return static_cast<Nanoseconds>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

NicPorts Model::ports(unsigned end)
{
	const auto from = static_cast<int>(end);
	return {
		.interrupt = [this,
			      end](unsigned vector) { functions_[end]->pci.interrupt(vector); },
		.transmit = [this, from](View frame) { wire_.send(from, frame, now()); },
		.may_transmit = [this, from] { return wire_.free_at(from) <= now() + backlog; },
		.port_changed = [this] { links(); },
	};
}

// There is a link when the cable is in and both ends want it.
void Model::links()
{
	if (!functions_[0] || !functions_[1])
		return;
	const bool up =
		cable_ && functions_[0]->nic.port_enabled() && functions_[1]->nic.port_enabled();
	wire_.link(up);
	for (auto &function : functions_)
		function->nic.link(up);
}

int Model::wait() const
{
	auto next = now() + 3'600'000 * millisecond;
	if (const auto due = wire_.next())
		next = std::min(next, *due);
	for (unsigned end = 0; end < 2; end++)
		if (functions_[end]->nic.sending())
			next = std::min(next, wire_.free_at(static_cast<int>(end)) - backlog);
	const auto left = std::max<Nanoseconds>(0, next - now());
	const auto ms = static_cast<int>((left + millisecond - 1) / millisecond);
	return options_.control.empty() ? ms : std::min(ms, control_ms);
}

void Model::run(int signals)
{
	for (;;) {
		std::vector<pollfd> fds{{signals, POLLIN, 0}};
		for (auto &function : functions_)
			if (!function->gone)
				function->vhost.watch(fds);
		poll(fds.data(), fds.size(), wait());
		if (fds[0].revents)
			return;
		for (auto &function : functions_)
			if (!function->gone && !function->vhost.serve())
				function->gone = true;
		wire_.run(now());
		for (auto &function : functions_)
			function->nic.run();
		wire_.run(now());
		asked_.poll();
		if (functions_[0]->gone && functions_[1]->gone)
			return;
	}
}

std::string Model::counters() const
{
	std::ostringstream all;
	for (unsigned end = 0; end < 2; end++) {
		const auto prefix = "nic" + std::to_string(end) + "_";
		for (const auto &[name, value] : functions_[end]->nic.counters())
			all << prefix << as_name(name) << ' ' << value << '\n';
		std::istringstream lines(functions_[end]->nic.engine().report());
		for (std::string line; std::getline(lines, line);)
			all << prefix << line << '\n';
	}
	return all.str();
}

std::string Model::findings() const
{
	std::map<std::string, uint64_t> all;
	for (const auto &function : functions_) {
		for (const auto &[what, times] : function->report.unknowns())
			all["unknown"] += times;
		for (const auto &[what, times] : function->report.misuses())
			all["misuse_" + as_name(what)] += times;
		for (size_t i = 0; i < misuses; i++) {
			const auto what = static_cast<Misuse>(i);
			if (!options_.nic.engine.tolerated.count(what))
				all[std::string("misuse_") + misuse_name(what)] +=
					function->nic.engine().count(what);
		}
	}
	std::ostringstream text;
	for (const auto &[name, value] : all)
		text << name << ' ' << value << '\n';
	return text.str();
}

} // namespace cx
