// SPDX-License-Identifier: Apache-2.0
#include "sim_measure.hpp"

#include "sim_tcp.hpp"

namespace sim {

namespace {

void plan(World &world, const Load &load, u64 start)
{
	for (int client = 1; client <= load.clients; client++)
		for (int i = 0; i < load.messages; i++)
			world.at(start + static_cast<u64>(i) * load.interval_ns, [&world, load,
										  client] {
				world.request(client, 0, load.secure, load.length, load.response);
			});
}

// The next request of a client when the one before has its response.
void follow(World &world, const Load &load)
{
	auto left = std::make_shared<std::map<int, int>>();

	world.ended = [&world, load, left](const Outcome &outcome) {
		if (++(*left)[outcome.client] < load.messages)
			world.request(outcome.client, 0, load.secure, load.length, load.response);
	};
	for (int client = 1; client <= load.clients; client++)
		world.request(client, 0, load.secure, load.length, load.response);
}

void times(const World &world, u64 start, Figures &figures)
{
	for (const auto &[key, outcome] : world.outcomes()) {
		if (outcome.done == 0)
			continue;
		const u64 took = outcome.done - outcome.sent;
		if (figures.shortest_ns == 0 || took < figures.shortest_ns)
			figures.shortest_ns = took;
		figures.longest_ns = std::max(figures.longest_ns, took);
		figures.all_ns = std::max(figures.all_ns, outcome.done - start);
	}
}

} // namespace

Figures measure(World &world, const Load &load, u64 limit)
{
	const u64 start = world.now();
	const Account &account = world.network().account;
	Figures figures;

	if (load.one_by_one)
		follow(world, load);
	else
		plan(world, load, start);
	world.run(limit);
	figures.broken = world.broken;
	figures.rpcs = world.outcomes().size();
	figures.failed = world.failed();
	figures.needed = figures.rpcs * (load.length + static_cast<u64>(load.response));
	figures.data_bytes = world.data_bytes;
	figures.data_packets = world.data_packets;
	figures.again_bytes = world.retransmitted;
	figures.control_packets = world.control_packets;
	figures.lost_packets = account.gone(false) + account.gone(true);
	figures.loss = account.loss(true);
	times(world, start, figures);
	return figures;
}

u64 tcp_takes(const Settings &settings, const Load &load, u64 limit)
{
	Clock clock;
	Network network(load.clients + 1, settings.nic, settings.link,
			settings.back.value_or(settings.link), clock, settings.seed);
	std::deque<TcpConnection> connections;
	const u64 start = clock.now();
	u64 took = 0;

	for (int client = 1; client <= load.clients; client++) {
		TcpConnection &connection = connections.emplace_back(clock, network, client, 0);
		for (int i = 0; i < load.messages; i++)
			clock.at(start + static_cast<u64>(i) * load.interval_ns, [&connection, load,
										  settings] {
				connection.call(load.length, load.response, settings.service_ns);
			});
	}
	while (clock.next() <= start + limit)
		clock.step();
	for (const TcpConnection &connection : connections) {
		const bool all = connection.ended() == static_cast<size_t>(load.messages);
		took = std::max(took, all ? connection.last() - start : ~0ULL);
	}
	return took;
}

} // namespace sim
