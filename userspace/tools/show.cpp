// SPDX-License-Identifier: Apache-2.0
#include "show.hpp"

#include "commands.hpp"

#include <sdp/session.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

namespace tool {

namespace {

std::string cipher_name(std::uint16_t code)
{
	return std::string(sdp::name(static_cast<sdp::cipher>(code)));
}

cell length_cell(std::int64_t length)
{
	return length < 0 ? cell(std::string()) : cell(static_cast<std::uint64_t>(length));
}

std::uint64_t remaining(const progress &of)
{
	return of.length > of.done ? static_cast<std::uint64_t>(of.length - of.done) : 0;
}

/** What is known of one host. */
struct host {
	std::uint64_t sessions = 0;
	std::uint64_t requests = 0; /**< of ours that it is to answer */
	std::uint64_t served = 0;   /**< of its own that are here */
	std::uint64_t to_send = 0, to_receive = 0;
	bool heard = false;
	std::uint64_t silent_ms = 0;
};

std::uint64_t counter(const std::string &name)
{
	for (const auto &[each, value] : parse_counters(read_sdp("counters"))) {
		if (each == name) {
			return value;
		}
	}
	return 0;
}

/** Hints go beside what is printed, so that programs do not stumble over them. */
void hint(const std::string &text)
{
	if (!text.empty()) {
		std::cerr << text << '\n';
	}
}

void hint_sockets(std::size_t shown, std::string_view what)
{
	const auto all = count_sockets(read_file_if("/proc/self/net/protocols"));
	hint(hidden_hint(all, shown, what));
}

void hint_sessions(std::size_t shown)
{
	const auto added = counter("sessions_added");
	const auto removed = counter("sessions_removed");
	hint(hidden_hint(added > removed ? added - removed : 0, shown, "sessions"));
}

} // namespace

table sockets_table(std::span<const socket_line> sockets)
{
	table result{.columns = {"local", "policy", "role", "uid", "inode", "rpcs", "ready", "rmem",
				 "rcvbuf", "wmem", "sndbuf", "region-free", "region", "device"},
		     .rows = {}};
	for (const socket_line &each : sockets) {
		result.rows.push_back({each.local, each.policy, each.role, each.uid, each.inode,
				       each.rpcs, each.ready, each.receive.used, each.receive.limit,
				       each.send.used, each.send.limit, each.region.used,
				       each.region.limit, each.device});
	}
	return result;
}

table sessions_table(std::span<const session_line> sessions)
{
	table result{.columns = {"id", "local", "peer", "role", "state", "cipher", "sealed-by",
				 "driver", "epoch", "peer-epoch", "sent", "left", "received",
				 "failed", "silent-ms", "copies-noticed"},
		     .rows = {}};
	for (const session_line &each : sessions) {
		result.rows.push_back(
			{each.id, each.local, each.peer, each.role, each.state,
			 cipher_name(each.cipher), std::string(each.nic ? "NIC" : "CPU"),
			 each.driver, each.tx_epoch, each.rx_epoch, each.sent,
			 each.has_left ? cell(each.left) : cell(std::string()), each.received,
			 each.failed, each.silent_ms, !each.copy_unnoticed});
	}
	return result;
}

table rpcs_table(std::span<const rpc_line> rpcs)
{
	table result{.columns = {"id", "role", "port", "peer", "session", "sent", "granted",
				 "length", "received", "peer-granted", "peer-length", "ready",
				 "local"},
		     .rows = {}};
	for (const rpc_line &each : rpcs) {
		result.rows.push_back({each.id, each.role, each.port, each.peer, each.session,
				       length_cell(each.send.done), length_cell(each.send.granted),
				       length_cell(each.send.length),
				       length_cell(each.receive.done),
				       length_cell(each.receive.granted),
				       length_cell(each.receive.length), each.ready, each.local});
	}
	return result;
}

table peers_table(std::span<const session_line> sessions, std::span<const rpc_line> rpcs)
{
	std::map<std::string, host> hosts;
	for (const session_line &each : sessions) {
		host &at = hosts[host_of(each.peer)];
		++at.sessions;
		at.silent_ms = at.heard ? std::min(at.silent_ms, each.silent_ms) : each.silent_ms;
		at.heard = true;
	}
	for (const rpc_line &each : rpcs) {
		host &at = hosts[host_of(each.peer)];
		++(each.role == "client" ? at.requests : at.served);
		at.to_send += remaining(each.send);
		at.to_receive += remaining(each.receive);
	}
	table result{.columns = {"peer", "sessions", "requests-to", "requests-from", "bytes-to",
				 "bytes-from", "silent-ms"},
		     .rows = {}};
	for (const auto &[name, at] : hosts) {
		result.rows.push_back({name, at.sessions, at.requests, at.served, at.to_send,
				       at.to_receive,
				       at.heard ? cell(at.silent_ms) : cell(std::string())});
	}
	return result;
}

std::string hidden_hint(std::uint64_t all, std::uint64_t shown, std::string_view what)
{
	if (all <= shown) {
		return {};
	}
	return std::to_string(all - shown) + " more " + std::string(what) +
	       " belong to other users: CAP_NET_ADMIN (root) sees them";
}

int show_totals(const style &how)
{
	std::map<std::string, std::uint64_t> counters;
	for (const auto &[name, value] : parse_counters(read_sdp("counters"))) {
		counters[name] = value;
	}
	const auto words = words_of(read_file_if("/sys/module/sdp/version"));
	const auto sockets = parse_sockets(read_sdp("sockets")).size();
	const auto sessions = parse_sessions(read_sdp("sessions")).size();
	record totals{{"version", words.empty() ? "unknown" : words[0]},
		      {"sockets", sockets},
		      {"sessions", sessions},
		      {"rpcs", parse_rpcs(read_sdp("rpcs")).size()}};
	for (const char *name : {"client_rpcs", "server_rpcs", "rpcs_failed", "tx_data",
				 "tx_retransmits", "tx_bytes", "rx_data", "rx_bytes"}) {
		totals.emplace_back(name, counters[name]);
	}
	print(std::cout, how, totals);
	hint_sockets(sockets, "sockets");
	return success;
}

int show_sockets(const style &how)
{
	const auto sockets = parse_sockets(read_sdp("sockets"));
	print(std::cout, how, sockets_table(sockets));
	hint_sockets(sockets.size(), "sockets");
	return success;
}

int show_sessions(const style &how)
{
	const auto sessions = parse_sessions(read_sdp("sessions"));
	print(std::cout, how, sessions_table(sessions));
	hint_sessions(sessions.size());
	return success;
}

int show_rpcs(const style &how)
{
	const auto rpcs = parse_rpcs(read_sdp("rpcs"));
	print(std::cout, how, rpcs_table(rpcs));
	hint_sockets(parse_sockets(read_sdp("sockets")).size(), "sockets, with their RPCs,");
	return success;
}

int show_peers(const style &how)
{
	const auto sessions = parse_sessions(read_sdp("sessions"));
	print(std::cout, how, peers_table(sessions, parse_rpcs(read_sdp("rpcs"))));
	hint_sessions(sessions.size());
	return success;
}

} // namespace tool
