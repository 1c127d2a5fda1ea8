// SPDX-License-Identifier: Apache-2.0
#include "wire.hpp"

#include "bytes.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>
#include <span>

namespace sdp::inline v0::tls::wire {

namespace {

constexpr std::string_view magic = "SDP-TLS";
constexpr std::size_t coded_head = 32;
constexpr std::size_t hash_length = std::tuple_size_v<digest>;
constexpr std::byte offer_version{1};
/** Of TLS's records: type, version, length. */
constexpr std::size_t record_head = 5;
constexpr std::byte handshake_record{22};
constexpr std::byte encrypted_record{23};
/** Behind what is sealed: the true type, and the tag. */
constexpr std::size_t record_tail = 17;
constexpr std::byte major{3};

class writer {
public:
	template <typename T>
	writer &number(T value)
	{
		for (std::size_t i = sizeof(T); i-- > 0;) {
			bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >>
								(8 * i)));
		}
		return *this;
	}
	writer &raw(bytes_view from)
	{
		bytes_.insert(bytes_.end(), from.begin(), from.end());
		return *this;
	}
	std::vector<std::byte> done(std::size_t length)
	{
		bytes_.resize(std::max(bytes_.size(), length));
		return std::move(bytes_);
	}

private:
	std::vector<std::byte> bytes_;
};

using sdp::detail::reader;

void put_head(writer &into, const packet &what)
{
	into.raw(as_bytes(magic))
		.number(our_version)
		.number(static_cast<std::uint8_t>(what.kind))
		.number(static_cast<std::uint8_t>(what.reason))
		.number(what.index)
		.number(what.count)
		.number(static_cast<std::uint16_t>(what.data.size()))
		.raw(what.tag);
}

bool begins(bytes_view bytes)
{
	return bytes.size() >= head_length && bytes.size() <= datagram_length &&
	       std::ranges::equal(bytes.first(magic.size()), as_bytes(magic));
}

} // namespace

std::optional<std::uint8_t> other_version(bytes_view bytes)
{
	if (!begins(bytes)) {
		return std::nullopt;
	}
	const auto version = std::to_integer<std::uint8_t>(bytes[magic.size()]);
	return version == our_version ? std::nullopt : std::optional(version);
}

std::optional<packet> parse(bytes_view bytes)
{
	if (!begins(bytes)) {
		return std::nullopt;
	}
	reader in(bytes.subspan(magic.size()));
	if (in.number<std::uint8_t>() != our_version) {
		return std::nullopt;
	}
	packet what;
	const auto kind = in.number<std::uint8_t>();
	const auto reason = in.number<std::uint8_t>();
	what.index = in.number<std::uint16_t>();
	what.count = in.number<std::uint16_t>();
	const auto length = in.number<std::uint16_t>();
	in.raw(what.tag);
	in.raw(what.check);
	if (kind < 1 || kind > static_cast<std::uint8_t>(kind::refusal) || length > in.left() ||
	    reason > static_cast<std::uint8_t>(reason::refused) || what.count > most_pieces) {
		return std::nullopt;
	}
	what.kind = static_cast<wire::kind>(kind);
	what.reason = static_cast<tls::reason>(reason);
	what.data = in.take(length);
	return what;
}

datagram build(const packet &what, std::size_t length)
{
	writer out;
	put_head(out, what);
	out.raw(what.check).raw(what.data);
	return out.done(length);
}

tag tag_of(bytes_view hello)
{
	const digest all = sha256({hello});
	tag begin{};
	std::ranges::copy_n(all.begin(), begin.size(), begin.begin());
	return begin;
}

std::optional<std::size_t> early_in(bytes_view hello)
{
	const auto length_of = [](bytes_view record, std::byte type) -> std::size_t {
		if (record.size() <= record_head || record[0] != type || record[1] != major) {
			return 0;
		}
		reader in(record.subspan(3));
		return in.number<std::uint16_t>();
	};
	const std::size_t first = length_of(hello, handshake_record);
	if (first == 0 || first > hello.size() - record_head) {
		return std::nullopt;
	}
	const bytes_view rest = hello.subspan(record_head + first);
	if (rest.empty()) {
		return 0;
	}
	const std::size_t second = length_of(rest, encrypted_record);
	return second > record_tail && second == rest.size() - record_head
		       ? std::optional(second - record_tail)
		       : std::nullopt;
}

bool shows_ticket(bytes_view hello)
{
	constexpr std::size_t random_end = record_head + 4 + 2 + 32;
	constexpr std::uint16_t pre_shared_key = 41;
	reader in(hello);
	const auto skip = [&](std::size_t count) {
		const bool is_there = count <= in.left();
		in.take(is_there ? count : in.left());
		return is_there;
	};
	// Session id, cipher suites, ways of compression.
	if (!skip(random_end) || in.left() < 1 || !skip(in.number<std::uint8_t>()) ||
	    in.left() < 2 || !skip(in.number<std::uint16_t>()) || in.left() < 1 ||
	    !skip(in.number<std::uint8_t>()) || in.left() < 2) {
		return false;
	}
	const std::size_t length = in.number<std::uint16_t>();
	if (length > in.left()) {
		return false;
	}
	// By RFC 8446, 4.2.11, it is the last extension.
	bool is_shown = false;
	for (reader all(in.take(length)); all.left() != 0;) {
		constexpr std::size_t head = 4;
		if (all.left() < head) {
			return false;
		}
		is_shown = all.number<std::uint16_t>() == pre_shared_key;
		const std::size_t its = all.number<std::uint16_t>();
		if (its > all.left()) {
			return false;
		}
		all.take(its);
	}
	return is_shown;
}

bool is_flight(bytes_view flight)
{
	constexpr std::size_t message_head = 4;
	constexpr std::byte server_hello{2};
	bool first = true;
	while (!flight.empty()) {
		if (flight.size() <= record_head ||
		    flight[0] != (first ? handshake_record : encrypted_record) ||
		    flight[1] != major || flight[2] != major) {
			return false;
		}
		reader in(flight.subspan(3));
		const auto length = in.number<std::uint16_t>();
		if (length > in.left()) {
			return false;
		}
		if (first) {
			const bytes_view message = in.take(length);
			if (length < message_head || message[0] != server_hello) {
				return false;
			}
			reader inside(message);
			if (inside.number<std::uint32_t>() % (1U << 24) != length - message_head) {
				return false;
			}
		}
		first = false;
		flight = flight.subspan(record_head + length);
	}
	return !first;
}

digest code_of(bytes_view key, const packet &what)
{
	writer head;
	put_head(head, what);
	const auto bytes = head.done(coded_head);
	return hmac(key, {bytes, what.data});
}

pieces::pieces(bytes_view flight)
{
	const auto needed = [&](std::size_t count) {
		return (flight.size() + hash_length * count + room - 1) / room;
	};
	std::size_t count = 1;
	while (needed(count) > count) {
		++count;
	}
	if (count > most_pieces) {
		throw error(reason::malformed, "a flight is too long: so are the certificates");
	}
	const std::size_t first = std::min(flight.size(), room - hash_length * count);
	std::vector<bytes_view> parts{flight.first(first)};
	for (std::size_t at = first; at < flight.size(); at += room) {
		parts.push_back(flight.subspan(at, std::min(room, flight.size() - at)));
	}
	std::vector<std::byte> list;
	for (const bytes_view part : parts) {
		const digest hash = sha256({part});
		list.insert(list.end(), hash.begin(), hash.end());
		parts_.emplace_back(part.begin(), part.end());
	}
	head_ = sha256({list});
	parts_.front().insert(parts_.front().begin(), list.begin(), list.end());
}

std::optional<gathering> gathering::begin(const digest &head, std::size_t count, bytes_view first)
{
	if (count == 0 || count > most_pieces || first.size() < hash_length * count ||
	    sha256({first.first(hash_length * count)}) != head) {
		return std::nullopt;
	}
	gathering made;
	made.head_ = head;
	reader list(first);
	made.hashes_.resize(count);
	for (digest &each : made.hashes_) {
		list.raw(each);
	}
	made.parts_.resize(count);
	made.missing_ = count;
	return made.add(0, first) ? std::optional(std::move(made)) : std::nullopt;
}

bool gathering::add(std::size_t index, bytes_view data)
{
	const std::size_t before = index == 0 ? hash_length * count() : 0;
	if (index >= count() || data.size() < before ||
	    sha256({data.subspan(before)}) != hashes_[index]) {
		return false;
	}
	if (!parts_[index]) {
		const bytes_view own = data.subspan(before);
		parts_[index].emplace(own.begin(), own.end());
		--missing_;
	}
	return true;
}

std::vector<std::byte> gathering::flight() const
{
	std::vector<std::byte> all;
	for (const auto &part : parts_) {
		all.insert(all.end(), part->begin(), part->end());
	}
	return all;
}

place place_of(const address &from)
{
	sockaddr_in6 raw{};
	const address mapped = from.mapped();
	std::memcpy(&raw, mapped.data(), sizeof(raw));
	place made;
	std::memcpy(made.ip.data(), &raw.sin6_addr, made.ip.size());
	made.port = from.port();
	return made;
}

std::vector<std::byte> build(const offer &what)
{
	return writer()
		.number(std::to_integer<std::uint8_t>(offer_version))
		.number(std::uint8_t{0})
		.number(what.client_port)
		.number(what.server_port)
		.number(what.cipher)
		.number(what.record_size)
		.raw(what.nonce)
		.raw(what.host)
		.raw(what.own.ip)
		.number(what.own.port)
		.raw(what.called.ip)
		.number(what.called.port)
		.done(offer_length);
}

std::optional<offer> parse_offer(bytes_view bytes)
{
	if (bytes.size() != offer_length || bytes[0] != offer_version) {
		return std::nullopt;
	}
	reader in(bytes.subspan(2));
	offer what;
	what.client_port = in.number<std::uint16_t>();
	what.server_port = in.number<std::uint16_t>();
	what.cipher = in.number<std::uint16_t>();
	what.record_size = in.number<std::uint16_t>();
	in.raw(what.nonce);
	in.raw(what.host);
	in.raw(what.own.ip);
	what.own.port = in.number<std::uint16_t>();
	in.raw(what.called.ip);
	what.called.port = in.number<std::uint16_t>();
	return what;
}

std::vector<std::byte> build(const response &what)
{
	return writer()
		.number(std::to_integer<std::uint8_t>(offer_version))
		.number(static_cast<std::uint8_t>(what.status))
		.number(what.age.count())
		.raw(what.nonce)
		.done(response_length);
}

std::optional<response> parse_response(bytes_view bytes)
{
	if (bytes.size() != response_length || bytes[0] != offer_version) {
		return std::nullopt;
	}
	reader in(bytes.subspan(1));
	response what;
	const auto status = in.number<std::uint8_t>();
	if (status > static_cast<std::uint8_t>(reason::refused)) {
		return std::nullopt;
	}
	what.status = static_cast<tls::reason>(status);
	what.age = decltype(what.age)(in.number<std::uint16_t>());
	in.raw(what.nonce);
	return what;
}

std::vector<std::byte> build(const early &what)
{
	return writer()
		.number(std::to_integer<std::uint8_t>(offer_version))
		.number(std::uint8_t{0})
		.number(what.client_port)
		.raw(what.token)
		.raw(what.request)
		.done(0);
}

std::optional<early> parse_early(bytes_view bytes)
{
	constexpr std::size_t length = 4 + std::tuple_size_v<early_token>;
	if (bytes.size() < length || bytes[0] != offer_version) {
		return std::nullopt;
	}
	reader in(bytes.subspan(2));
	early what;
	what.client_port = in.number<std::uint16_t>();
	in.raw(what.token);
	what.request = bytes.subspan(length);
	return what;
}

digest context_of(const transcript &all)
{
	writer out;
	out.raw(as_bytes("sdp/1 tls context"))
		.raw(all.client_hello)
		.raw(all.server_flight)
		.raw(all.client_flight)
		.number(all.offered.client_port)
		.number(all.offered.server_port)
		.number(all.offered.cipher)
		.number(all.offered.record_size)
		.raw(all.offered.nonce)
		.raw(all.server_nonce)
		.raw(all.client)
		.raw(all.server);
	return sha256({out.done(0)});
}

std::uint32_t session_id(const session_parameters &of, const secret &keyed)
{
	const bool client = of.role == role::client;
	const auto salt = writer().raw(client ? of.own_nonce : of.peer_nonce)
				  .raw(client ? of.peer_nonce : of.own_nonce)
				  .done(0);
	const auto info = writer().raw(as_bytes("sdp2 id"))
				  .number(std::uint8_t{0})
				  .number(std::uint64_t{0})
				  .number(static_cast<std::uint8_t>(of.cipher))
				  .number(of.record_size)
				  .raw(of.context)
				  .done(0);
	std::array<std::byte, 4> out{};
	hkdf(salt, keyed.bytes(), info, out);
	const auto id = reader(out).number<std::uint32_t>();
	return id == 0 ? 1 : id;
}

} // namespace sdp::inline v0::tls::wire
