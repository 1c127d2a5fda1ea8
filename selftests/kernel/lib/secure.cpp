// SPDX-License-Identifier: Apache-2.0
#include "secure.hpp"

#include <algorithm>

#include "test.hpp"

namespace secure {
namespace {

constexpr uint16_t default_record_size = SDP_RECORD_SIZE_DEFAULT;

packet::Ends ends_of(View homa)
{
	return {static_cast<uint16_t>(get(homa, 0, 2)), static_cast<uint16_t>(get(homa, 2, 2)),
		get(homa, 20, 8)};
}

uint32_t session_of(View homa)
{
	size_t at = type_of(homa) == data_type ? 36 : homa.size() - trailer_length;
	return static_cast<uint32_t>(get(homa, at, 4));
}

bool among(uint8_t type, const std::vector<uint8_t> &types)
{
	return std::find(types.begin(), types.end(), type) != types.end();
}

} // namespace

Parameters parameters(const sdp_session_add &of_client)
{
	Parameters p;
	auto bytes = [](const uint8_t *start, size_t length) {
		return Bytes(start, start + length);
	};
	p.secret = bytes(of_client.secret, sizeof(of_client.secret));
	p.client_nonce = bytes(of_client.own_nonce, sizeof(of_client.own_nonce));
	p.server_nonce = bytes(of_client.peer_nonce, sizeof(of_client.peer_nonce));
	p.cipher = static_cast<sdp_test::Cipher>(of_client.cipher);
	p.context = bytes(of_client.context, sizeof(of_client.context));
	p.record_size = of_client.record_size ? of_client.record_size : default_record_size;
	return p;
}

uint8_t type_of(View homa)
{
	return static_cast<uint8_t>(get(homa, 11, 1));
}

Data parse_data(View homa)
{
	CHECK(homa.size() >= header_length);
	Data d;
	d.ends = ends_of(homa);
	d.sequence = static_cast<uint32_t>(get(homa, 4, 4));
	d.message_length = static_cast<uint32_t>(get(homa, 28, 4));
	d.incoming = static_cast<uint32_t>(get(homa, 32, 4));
	d.session = static_cast<uint32_t>(get(homa, 36, 4));
	d.number = get(homa, 40, 6);
	d.cutoff_version = static_cast<uint16_t>(get(homa, 46, 2));
	d.flags = homa[48];
	d.epoch = homa[49];
	d.packet_payload = static_cast<uint16_t>(get(homa, 50, 2));
	size_t end = homa.size() - (d.flags & flag_authenticated ? 24 : 0);
	d.payload.assign(homa.begin() + header_length, homa.begin() + static_cast<long>(end));
	return d;
}

Control parse_control(View homa)
{
	CHECK(homa.size() >= packet::common_length + trailer_length);
	size_t at = homa.size() - trailer_length;
	Control c;
	c.type = type_of(homa);
	c.ends = ends_of(homa);
	c.body.assign(homa.begin() + packet::common_length, homa.begin() + static_cast<long>(at));
	c.session = static_cast<uint32_t>(get(homa, at, 4));
	c.epoch = homa[at + 4];
	c.flags = homa[at + 5];
	c.request_epoch = homa[at + 6];
	c.request_number = get(homa, at + 8, 6);
	c.counter = get(homa, at + 16, 8);
	return c;
}

Peer::Peer(const net::Wire &wire, net::Address self, net::Address host, int fd, uint16_t cipher,
	   uint16_t record_size, bool host_is_client)
	: wire_(wire),
	  self_(self),
	  host_(host),
	  sends_(host_is_client ? Direction::ServerToClient : Direction::ClientToServer)
{
	session::Nonce own{};
	for (size_t i = 0; i < own.size(); i++)
		own[i] = static_cast<uint8_t>(self.port() + i);
	session::Nonce theirs = session::nonce(fd);
	uint16_t role = host_is_client ? SDP_ROLE_CLIENT : SDP_ROLE_SERVER;
	sdp_session_add args =
		session::make(role, self, cipher, theirs, own, session::secret(), record_size);
	OK(session::add(fd, args));
	if (!host_is_client)
		std::swap(args.own_nonce, args.peer_nonce);
	parameters_ = parameters(args);
}

sdp_test::Sender Peer::out(uint64_t epoch) const
{
	return sdp_test::sender(parameters_, sends_, epoch);
}

sdp_test::Sender Peer::in(uint64_t epoch) const
{
	bool back = sends_ == Direction::ClientToServer;
	return sdp_test::sender(
		parameters_, back ? Direction::ServerToClient : Direction::ClientToServer, epoch);
}

void Peer::send(const Bytes &homa) const
{
	wire_.send(packet::ip(self_, host_, homa));
}

Bytes Peer::data(const Message &message, uint32_t length, uint32_t place, View bytes,
		 uint64_t epoch, uint8_t flags) const
{
	sdp_test::DataHeader header;
	header.source = self_.port();
	header.destination = host_.port();
	header.sequence = place;
	header.rpc_id = message.rpc_id;
	header.message_length = length;
	header.incoming = length;
	header.message_number = message.number;
	header.cutoff_version = 1;
	header.flags = flags;
	header.packet_payload = static_cast<uint16_t>(payload);
	Bytes homa = sdp_test::data_header(out(epoch), header);
	homa.insert(homa.end(), bytes.begin(), bytes.end());
	return homa;
}

Bytes Peer::authenticated(const Message &message, uint32_t length, uint32_t place, View bytes,
			  uint64_t epoch)
{
	sdp_test::DataHeader header;
	header.source = self_.port();
	header.destination = host_.port();
	header.sequence = place;
	header.rpc_id = message.rpc_id;
	header.message_length = length;
	header.incoming = length;
	header.message_number = message.number;
	header.cutoff_version = 1;
	header.flags = flag_retransmit | flag_authenticated;
	header.packet_payload = static_cast<uint16_t>(bytes.size());
	return sdp_test::authenticated_data(out(epoch), header, bytes, counter++);
}

void Peer::send_message(const Message &message, uint64_t epoch) const
{
	Bytes sealed = sdp_test::seal_message(out(epoch), message);
	auto length = static_cast<uint32_t>(sealed.size());
	for (uint32_t at = 0; at < length; at += payload)
		send(data(message, length, at,
			  View(sealed).subspan(at, std::min(payload, length - at)), epoch));
}

Bytes Peer::control(uint8_t type, uint64_t rpc_id, View body, Trailer trailer, uint64_t epoch)
{
	trailer.counter = counter++;
	return sdp_test::control_packet(out(epoch), type, self_.port(), host_.port(), rpc_id, body,
					trailer);
}

std::optional<Bytes> Peer::next(int milliseconds) const
{
	for (;;) {
		auto raw = wire_.receive(milliseconds);
		if (raw.empty())
			return {};
		packet::Datagram ip = packet::parse_ip(raw);
		// What a session before this one has left is not ours.
		if (ip.next == packet::protocol && get(ip.payload, 2, 2) == self_.port() &&
		    (!is_secure(ip.payload) || session_of(ip.payload) == session()))
			return ip.payload;
	}
}

Bytes Peer::expect(uint8_t type, std::vector<uint8_t> passing) const
{
	passing.push_back(packet::cutoffs | packet::secure_bit);
	for (;;) {
		auto homa = next();
		if (!homa)
			throw test::Failure("no packet of type " + std::to_string(type));
		if (type_of(*homa) == type)
			return *homa;
		if (!among(type_of(*homa), passing))
			throw test::Failure("a packet of type " + std::to_string(type_of(*homa)) +
					    " before one of " + std::to_string(type));
	}
}

Message Peer::receive(uint64_t epoch) const
{
	Bytes sealed;
	std::vector<bool> have;
	for (;;) {
		auto homa = next();
		if (!homa)
			throw test::Failure("no message came");
		if (type_of(*homa) != data_type)
			continue;
		Data d = parse_data(*homa);
		EQ(d.session, session());
		EQ(d.epoch, epoch & 0xff);
		sealed.resize(d.message_length);
		have.resize(d.message_length);
		CHECK(d.sequence + d.payload.size() <= sealed.size());
		std::copy(d.payload.begin(), d.payload.end(), sealed.begin() + d.sequence);
		std::fill_n(have.begin() + d.sequence, d.payload.size(), true);
		if (std::find(have.begin(), have.end(), false) != have.end())
			continue;
		auto message = sdp_test::open_message(in(epoch), d.number, sealed);
		if (!message)
			throw test::Failure("the host's message does not verify");
		EQ(message->rpc_id, d.ends.id);
		return *message;
	}
}

void Peer::expect_silence(int milliseconds, std::vector<uint8_t> passing) const
{
	passing.push_back(packet::cutoffs | packet::secure_bit);
	while (auto homa = next(milliseconds))
		if (!among(type_of(*homa), passing))
			throw test::Failure("an unexpected packet of type " +
					    std::to_string(type_of(*homa)));
}

void Peer::acknowledge(uint64_t rpc_id)
{
	Bytes body;
	put(body, 0, 2);
	body.resize(52);
	send(control(packet::ack, rpc_id, body));
}

Message request(uint64_t number, uint64_t rpc_id, Bytes data)
{
	Message message;
	message.number = number;
	message.rpc_id = rpc_id;
	message.data = std::move(data);
	return message;
}

Message response(uint64_t number, const Message &to, Bytes data, uint64_t request_epoch)
{
	Message message = request(number, to.rpc_id | 1, std::move(data));
	message.response = true;
	message.request_epoch = static_cast<uint16_t>(request_epoch);
	message.request_number = to.number;
	return message;
}

} // namespace secure
