// SPDX-License-Identifier: Apache-2.0
#include "psk_wire.hpp"

#include "bytes.hpp"
#include "check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <span>
#include <string>
#include <vector>

namespace sdp::inline v0::psk {

namespace {

constexpr std::string_view magic = "SDP-PSK";
constexpr std::string_view salt = "sdp psk 2";

constexpr std::size_t code_length = 32;
constexpr std::size_t coded_length = length - code_length;
/** Where the client's wish lies in every packet. */
constexpr std::size_t wish_begin = 10;
constexpr std::size_t wish_length = 54;

/** Writes big-endian fields one after another. */
class writer {
public:
	explicit writer(std::span<std::byte> room) : room_(room) {}

	template <typename T>
	void number(T value)
	{
		for (std::size_t i = sizeof(T); i-- > 0;) {
			room_[at_++] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >>
							      (8 * i));
		}
	}
	void bytes(bytes_view from)
	{
		std::ranges::copy(from, room_.begin() + static_cast<std::ptrdiff_t>(at_));
		at_ += from.size();
	}

private:
	std::span<std::byte> room_;
	std::size_t at_ = 0;
};

using detail::reader;

void write(writer &out, const wish &what)
{
	out.number(what.client_port);
	out.number(what.server_port);
	out.number(static_cast<std::uint16_t>(what.cipher));
	out.number(what.record_size);
	out.number(std::uint16_t{0});
	out.bytes(what.attempt);
	out.bytes(what.client);
	out.bytes(what.host);
}

wish read_wish(reader &in)
{
	wish what;
	what.client_port = in.number<std::uint16_t>();
	what.server_port = in.number<std::uint16_t>();
	what.cipher = in.number<sdp::cipher>();
	what.record_size = in.number<std::uint16_t>();
	in.number<std::uint16_t>();
	in.raw(what.attempt);
	in.raw(what.client);
	in.raw(what.host);
	return what;
}

std::array<std::byte, wish_length> bytes_of(const wish &what)
{
	std::array<std::byte, wish_length> bytes{};
	writer out(bytes);
	write(out, what);
	return bytes;
}

void write(writer &out, const place &what)
{
	out.bytes(what.ip);
	out.number(what.port);
}

place read_place(reader &in)
{
	place what;
	in.raw(what.ip);
	what.port = in.number<std::uint16_t>();
	return what;
}

digest sha256(std::initializer_list<bytes_view> pieces)
{
	std::vector<std::byte> all;
	for (const bytes_view each : pieces) {
		all.insert(all.end(), each.begin(), each.end());
	}
	digest result{};
	if (EVP_Digest(all.data(), all.size(), reinterpret_cast<unsigned char *>(result.data()),
		       nullptr, EVP_sha256(), nullptr) != 1) {
		detail::fail(ENOMEM, "SHA-256");
	}
	return result;
}

/** HKDF-SHA256; the parameters' values are not written, whatever their types say. */
secret hkdf(const secret &key, std::string_view info)
{
	const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
		EVP_KDF_fetch(nullptr, "HKDF", nullptr), &EVP_KDF_free);
	const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
		EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
	std::string hash = "SHA256";
	std::string salted(salt);
	std::string text(info);
	auto *secret_bytes = const_cast<std::byte *>(key.bytes().data());
	const std::array<OSSL_PARAM, 5> parameters{
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret_bytes, secret::length),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salted.data(),
						  salted.size()),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, text.data(), text.size()),
		OSSL_PARAM_construct_end(),
	};
	std::array<unsigned char, secret::length> derived{};
	const bool done = context && EVP_KDF_derive(context.get(), derived.data(), derived.size(),
						    parameters.data()) == 1;
	secret result(std::as_bytes(std::span(derived)));
	OPENSSL_cleanse(derived.data(), derived.size());
	if (!done) {
		detail::fail(ENOMEM, "HKDF");
	}
	return result;
}

secret labelled(const secret &shared, std::string_view label, std::string_view name)
{
	// What was moved from holds zeros, which everybody knows.
	if (shared.is_empty()) {
		detail::fail(EINVAL, "secret");
	}
	std::string info(label);
	info += '\0';
	info += name;
	return hkdf(shared, info);
}

} // namespace

ip_bytes ip_of(const address &of)
{
	const address mapped = of.mapped();
	sockaddr_in6 raw{};
	std::memcpy(&raw, mapped.data(), sizeof(raw));
	ip_bytes bytes{};
	std::memcpy(bytes.data(), &raw.sin6_addr, bytes.size());
	return bytes;
}

place place_of(const address &of)
{
	return {.ip = ip_of(of), .port = of.port()};
}

secret hmac(const secret &key, bytes_view data)
{
	std::array<unsigned char, secret::length> code{};
	unsigned int code_size = code.size();
	const auto *input = reinterpret_cast<const unsigned char *>(data.data());
	const bool done = HMAC(EVP_sha256(), key.bytes().data(), secret::length, input, data.size(),
			       code.data(), &code_size) != nullptr;
	secret result(std::as_bytes(std::span(code)));
	OPENSSL_cleanse(code.data(), code.size());
	if (!done) {
		detail::fail(ENOMEM, "HMAC");
	}
	return result;
}

keys::keys(const secret &shared, std::string_view name)
	: client_(labelled(shared, "client code", name)),
	  server_(labelled(shared, "server code", name)),
	  host_(labelled(shared, "host", name)),
	  session_(labelled(shared, "session", name))
{
}

host_id keys::host(bytes_view bytes) const
{
	const secret code = hmac(host_, bytes);
	host_id id{};
	std::ranges::copy(code.bytes().first(id.size()), id.begin());
	return id;
}

secret keys::session(const digest &context) const
{
	return hmac(session_, context);
}

packet seal(const fields &what, const secret &code_key)
{
	packet bytes{};
	writer out(bytes);
	out.bytes(as_bytes(magic));
	out.number(our_version);
	out.number(static_cast<std::uint8_t>(what.kind));
	out.number(static_cast<std::uint8_t>(what.reason));
	write(out, what.wish);
	write(out, what.client);
	write(out, what.seen);
	out.bytes(what.host);
	out.bytes(what.server);
	out.bytes(what.server_nonce);
	out.number(what.cookie.time);
	out.bytes(what.cookie.code);
	const secret code = hmac(code_key, std::span(bytes).first(coded_length));
	out.bytes(code.bytes());
	return bytes;
}

std::optional<fields> open(bytes_view bytes, const secret &code_key)
{
	const auto begins = beginning_of(bytes);
	if (bytes.size() != length || !begins || begins->version != our_version) {
		return std::nullopt;
	}
	const secret code = hmac(code_key, bytes.first(coded_length));
	if (CRYPTO_memcmp(code.bytes().data(), &bytes[coded_length], code_length) != 0) {
		return std::nullopt;
	}
	reader in(bytes.subspan(wish_begin));
	fields what;
	what.kind = begins->kind;
	what.reason = begins->reason;
	what.wish = read_wish(in);
	what.client = read_place(in);
	what.seen = read_place(in);
	in.raw(what.host);
	in.raw(what.server);
	in.raw(what.server_nonce);
	what.cookie.time = in.number<std::uint64_t>();
	in.raw(what.cookie.code);
	return what;
}

std::optional<beginning> beginning_of(bytes_view bytes)
{
	if (bytes.size() < head_length ||
	    !std::ranges::equal(bytes.first(magic.size()), as_bytes(magic))) {
		return std::nullopt;
	}
	reader in(bytes.subspan(magic.size()));
	beginning found;
	found.version = in.number<std::uint8_t>();
	found.kind = in.number<psk::kind>();
	found.reason = in.number<psk::reason>();
	std::ranges::copy(bytes.subspan(head_length - found.attempt.size(), found.attempt.size()),
			  found.attempt.begin());
	return found;
}

head refuse(const beginning &asked, reason why)
{
	head bytes{};
	writer out(bytes);
	out.bytes(as_bytes(magic));
	out.number(our_version);
	out.number(static_cast<std::uint8_t>(kind::refusal));
	out.number(static_cast<std::uint8_t>(why));
	std::ranges::copy(asked.attempt, bytes.end() - asked.attempt.size());
	return bytes;
}

digest context(const fields &accepted)
{
	return sha256(
		{as_bytes(salt), bytes_of(accepted.wish), accepted.host, accepted.server_nonce});
}

digest fingerprint(const wish &wish, const ip_bytes &from)
{
	return sha256({bytes_of(wish), from});
}

} // namespace sdp::inline v0::psk
