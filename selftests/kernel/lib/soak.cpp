// SPDX-License-Identifier: Apache-2.0
#include "soak.hpp"

#include <set>

#include "test.hpp"

namespace soak {
namespace {

// A request says which response it wants: its seed and length come first.
constexpr size_t wish_length = 12;

uint32_t pick(Random &random, const Load &load)
{
	uint32_t most = random.below(4) ? load.usual : load.largest;
	return static_cast<uint32_t>(wish_length + random.below(most));
}

Bytes make_request(Random &random, const Load &load, uint64_t seed, uint32_t back)
{
	Bytes bytes;
	put(bytes, seed, 8);
	put(bytes, back, 4);
	Bytes rest = pattern(pick(random, load), seed);
	bytes.insert(bytes.end(), rest.begin(), rest.end());
	return bytes;
}

/// False if the socket has been shut down.
bool answer(const PlainSocket &server, const PlainMessage &request)
{
	CHECK(request.is_request());
	CHECK(request.bytes.size() >= wish_length);
	uint64_t seed = get(request.bytes, 0, 8);
	auto back = static_cast<uint32_t>(get(request.bytes, 8, 4));
	EQ(pattern_error(View(request.bytes).subspan(wish_length), seed), "");
	sdp_rpc_cmsg rpc = rpc_cmsg(request.rpc->id);
	ssize_t sent = server.send(&request.from, pattern(back, seed + 1), &rpc);
	if (sent < 0 && errno == ESHUTDOWN)
		return false;
	EQ(OK(sent), back);
	return true;
}

struct Sent {
	uint64_t seed;
	uint32_t back;
	bool done;
};

void take(const PlainMessage &response, std::vector<Sent> &sent, Outcome &outcome)
{
	CHECK(response.rpc.has_value());
	CHECK(!response.is_request());
	CHECK(response.rpc->cookie > 0 && response.rpc->cookie <= sent.size());
	Sent &request = sent[response.rpc->cookie - 1];
	CHECK(!request.done);
	request.done = true;
	if (response.failed()) {
		outcome.failed++;
		test::note("an RPC failed with " +
			   test::errno_name(static_cast<int>(response.rpc->error)));
		return;
	}
	outcome.answered++;
	EQ(response.result, request.back);
	EQ(pattern_error(response.bytes, request.seed + 1), "");
}

} // namespace

void serve(const PlainSocket &server)
{
	for (;;) {
		PlainMessage request = server.receive();
		if (request.result < 0 && request.error == ESHUTDOWN)
			return;
		OK(request.result);
		if (!answer(server, request))
			return;
	}
}

Outcome run(const PlainSocket &client, const net::Address &to, const Load &load)
{
	Random random(load.seed);
	std::vector<Sent> sent;
	Outcome outcome;
	unsigned tenths = 0;
	while (outcome.answered + outcome.failed < load.rpcs) {
		unsigned done = outcome.answered + outcome.failed;
		if (load.tenth && done * 10 / load.rpcs > tenths)
			load.tenth(++tenths);
		if (sent.size() < load.rpcs && sent.size() - done < load.outstanding) {
			Sent next{random.next() >> 1, pick(random, load), false};
			sent.push_back(next);
			client.request(to, make_request(random, load, next.seed, next.back),
				       sent.size());
			continue;
		}
		PlainMessage response = client.receive();
		OK(response.result);
		take(response, sent, outcome);
		if (outcome.failed > load.failures)
			throw test::Failure(std::to_string(outcome.failed) + " RPCs failed");
	}
	FAILS(client.receive(MSG_DONTWAIT).result, EAGAIN);
	return outcome;
}

Outcome both(const PlainSocket &client, const PlainSocket &server, const net::Address &to,
	     const Load &load)
{
	test::Thread serving([&] { serve(server); });
	Outcome outcome = run(client, to, load);
	OK(shutdown(server.fd(), SHUT_RDWR));
	serving.join();
	return outcome;
}

} // namespace soak
