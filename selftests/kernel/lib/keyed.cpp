// SPDX-License-Identifier: Apache-2.0
#include "keyed.hpp"

#include <poll.h>

#include "leaks.hpp"
#include "test.hpp"

namespace keyed {

std::unique_ptr<net::Alone> place;

void alone()
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
}

void ask_again_after(const char *microseconds)
{
	CHECK(place->host.ns.sysctl("resend_us", microseconds));
	CHECK(place->host.ns.sysctl("need_ack_us", microseconds));
}

net::Address peer_at(uint16_t at)
{
	return net::Address::of("10.0.0.9", at);
}

net::Address host_at(uint16_t at)
{
	return place->host.at(net::Family::v4, at);
}

Serving::Serving(uint16_t cipher, uint16_t record_size)
	: server(place->host.ns, AF_INET, port),
	  peer(place->wire, peer_at(5000), host_at(), server.fd(), cipher, record_size),
	  counters(place->host.ns)
{
}

PlainMessage Serving::deliver(const secure::Message &request) const
{
	PlainMessage got = server.expect();
	EQ(got.rpc->flags, SDP_RPC_REQUEST | SDP_RPC_SECURE);
	EQ(got.rpc->session, peer.session());
	// The bit tells it from a clear one of the same id.
	EQ(got.rpc->id, request.rpc_id | 1 | 1ULL << 63);
	EQ(got.bytes, request.data);
	return got;
}

void Serving::echo(uint64_t number, uint64_t rpc_id, size_t length)
{
	secure::Message request = secure::request(number, rpc_id, pattern(length));
	peer.send_message(request);
	server.reply(deliver(request), request.data);
	secure::Message response = peer.receive();
	EQ(response.data, request.data);
	EQ(response.rpc_id, rpc_id | 1);
	CHECK(response.response);
	EQ(response.request_number, number);
	EQ(response.request_epoch, 0);
	peer.acknowledge(rpc_id);
}

void Serving::nothing_happened() const
{
	CHECK(!server.ready(POLLIN, 100));
	EQ(counters.moved("server_rpcs"), 0);
	CHECK(proc::lines(place->host.ns, "rpcs").empty());
}

Calling::Calling()
	: client(place->host.ns, AF_INET, 6000),
	  peer(place->wire, peer_at(99), host_at(6000), client.fd(), SDP_CIPHER_AES_128_GCM, 0,
	       true),
	  counters(place->host.ns)
{
}

secure::Message Calling::call(size_t length, uint64_t cookie)
{
	client.request(peer_at(99), pattern(length), cookie);
	secure::Message request = peer.receive();
	EQ(request.data, pattern(length));
	CHECK(!request.response);
	return request;
}

void Calling::answer(uint64_t number, const secure::Message &request)
{
	peer.send_message(secure::response(number, request, pattern(33)));
	PlainMessage got = client.expect();
	EQ(got.rpc->id, request.rpc_id);
	EQ(got.rpc->flags, SDP_RPC_SECURE);
	EQ(got.bytes, pattern(33));
}

Bytes grant_body(uint32_t offset)
{
	Bytes body;
	put(body, offset, 4);
	put(body, 0, 2);
	return body;
}

Bytes resend_body(uint32_t offset, uint32_t length)
{
	Bytes body;
	put(body, offset, 4);
	put(body, length, 4);
	put(body, 7, 1);
	return body;
}

Bytes ack_body(const std::vector<uint64_t> &ids)
{
	Bytes body;
	put(body, ids.size(), 2);
	for (uint64_t id : ids) {
		put(body, id, 8);
		put(body, port, 2);
	}
	body.resize(52);
	return body;
}

Bytes abort_body(uint32_t reason)
{
	Bytes body;
	put(body, reason, 4);
	return body;
}

} // namespace keyed
