// SPDX-License-Identifier: Apache-2.0
// peer send|serve tcp|udp|tls128|tls256 [library] [ADDRESS]: one end sends bytes that
// depend on their place, the other checks each, and answers that it has them all. With
// TLS the kernel, and so a device if it can, seals what is sent; it is opened by the
// other kernel, or by OpenSSL here.
#include "selftests/kernel/lib/bytes.hpp"
#include "selftests/kernel/lib/fd.hpp"
#include <arpa/inet.h>
#include <cstring>
#include <iostream>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

namespace {

constexpr uint16_t port = 7001;
constexpr size_t total = 1'000'000, datagrams = 100;
constexpr int patience_ms = 100'000, again_ms = 500;

[[noreturn]] void fail(const std::string &what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

void need(bool condition, const std::string &what)
{
	if (!condition)
		fail(what);
}

sockaddr_in6 address_of(const std::string &text)
{
	sockaddr_in6 address{};
	address.sin6_family = AF_INET6;
	address.sin6_port = htons(port);
	const auto mapped = text.find(':') == std::string::npos ? "::ffff:" + text : text;
	if (inet_pton(AF_INET6, mapped.c_str(), &address.sin6_addr) != 1)
		throw std::runtime_error("no address: " + text);
	return address;
}

// The keys are no secret: what counts is who seals.
struct Keys {
	explicit Keys(size_t length) : key(pattern(length, 77)) {}
	Bytes key;
	Bytes salt = pattern(4, 78);
	static constexpr uint64_t first = 5; // record number
	static constexpr uint64_t iv = 0x1122334455667700;
};

template <typename Info>
void install(int fd, int direction, uint16_t cipher, const Keys &keys)
{
	Info info{};
	info.info.version = TLS_1_2_VERSION;
	info.info.cipher_type = cipher;
	memcpy(info.key, keys.key.data(), keys.key.size());
	memcpy(info.salt, keys.salt.data(), keys.salt.size());
	for (int i = 0; i < 8; i++) {
		info.iv[i] = static_cast<uint8_t>(Keys::first >> 8 * (7 - i));
		info.rec_seq[i] = static_cast<uint8_t>(Keys::first >> 8 * (7 - i));
	}
	need(setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 4) == 0, "TCP_ULP");
	need(setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)) == 0, "TLS");
}

void install(int fd, int direction, const Keys &keys)
{
	if (keys.key.size() == 16)
		install<tls12_crypto_info_aes_gcm_128>(fd, direction, TLS_CIPHER_AES_GCM_128, keys);
	else
		install<tls12_crypto_info_aes_gcm_256>(fd, direction, TLS_CIPHER_AES_GCM_256, keys);
}

void read_all(int fd, uint8_t *to, size_t length)
{
	while (length > 0) {
		const auto got = recv(fd, to, length, 0);
		need(got > 0, "recv");
		to += got;
		length -= static_cast<size_t>(got);
	}
}

// One record of TLS 1.2, by OpenSSL.
Bytes open_record(int fd, const Keys &keys, uint64_t number)
{
	uint8_t header[5];
	read_all(fd, header, sizeof(header));
	const size_t length = static_cast<size_t>(header[3]) << 8 | header[4];
	if (header[0] != 23 || header[1] != 3 || header[2] != 3 || length < 24)
		throw std::runtime_error("no record's header");
	Bytes sealed(length);
	read_all(fd, sealed.data(), length);
	Bytes nonce = keys.salt;
	nonce.insert(nonce.end(), sealed.begin(), sealed.begin() + 8);
	Bytes aad;
	put(aad, number, 8);
	put(aad, 0x170303, 3);
	put(aad, length - 24, 2);
	Bytes plain(length - 24);
	auto *context = EVP_CIPHER_CTX_new();
	int bytes = 0;
	const bool right =
		EVP_DecryptInit_ex(context,
				   keys.key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(),
				   nullptr, keys.key.data(), nonce.data()) == 1 &&
		EVP_DecryptUpdate(context, nullptr, &bytes, aad.data(),
				  static_cast<int>(aad.size())) == 1 &&
		EVP_DecryptUpdate(context, plain.data(), &bytes, &sealed[8],
				  static_cast<int>(plain.size())) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, &sealed[length - 16]) == 1 &&
		EVP_DecryptFinal_ex(context, plain.data(), &bytes) == 1;
	EVP_CIPHER_CTX_free(context);
	if (!right)
		throw std::runtime_error("record " + std::to_string(number) + " does not open");
	return plain;
}

Fd listening(int type)
{
	Fd fd(socket(AF_INET6, type, 0));
	const int on = 1;
	auto any = address_of("::");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	need(bind(fd, reinterpret_cast<sockaddr *>(&any), sizeof(any)) == 0, "bind");
	if (type == SOCK_STREAM)
		need(listen(fd, 1) == 0, "listen");
	return fd;
}

void serve_stream(const Keys *keys, bool library)
{
	const auto listener = listening(SOCK_STREAM);
	const Fd fd(accept(listener, nullptr, nullptr));
	need(fd >= 0, "accept");
	if (keys && !library)
		install(fd, TLS_RX, *keys);
	// The sender has keys from here on.
	need(send(fd, "k", 1, 0) == 1, "send");
	Bytes all;
	for (uint64_t number = Keys::first; all.size() < total; number++) {
		Bytes part(65536);
		if (keys && library) {
			part = open_record(fd, *keys, number);
		} else {
			const auto got = recv(fd, part.data(), part.size(), 0);
			need(got > 0, "recv");
			part.resize(static_cast<size_t>(got));
		}
		all.insert(all.end(), part.begin(), part.end());
	}
	if (const auto wrong = pattern_error(all); !wrong.empty())
		throw std::runtime_error(wrong);
	need(send(fd, "y", 1, 0) == 1, "send");
	char end = 0;
	(void)recv(fd, &end, 1, 0);
}

void send_stream(const std::string &to, const Keys *keys)
{
	const auto address = address_of(to);
	Fd fd;
	for (int left = 200;; left--) {
		fd.reset(socket(AF_INET6, SOCK_STREAM, 0));
		if (connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0)
			break;
		need(left > 0, "connect");
		poll(nullptr, 0, 50);
	}
	char answer = 0;
	need(recv(fd, &answer, 1, 0) == 1, "no start");
	if (keys)
		install(fd, TLS_TX, *keys);
	const auto all = pattern(total);
	Random random(1);
	for (size_t at = 0; at < all.size();) {
		const auto part = std::min<size_t>(all.size() - at, 1 + random.below(100'000));
		const auto sent = send(fd, &all[at], part, 0);
		need(sent > 0, "send");
		at += static_cast<size_t>(sent);
	}
	need(recv(fd, &answer, 1, 0) == 1 && answer == 'y', "no answer");
}

// Each datagram is told of, and sent again until it is.
size_t datagram_length(size_t number)
{
	return 4 + number * 37 % 3000;
}

void serve_datagrams()
{
	const auto fd = listening(SOCK_DGRAM);
	size_t next = 0;
	for (int idle = 0; next < datagrams || idle < 2;) {
		pollfd ready{fd, POLLIN, 0};
		if (poll(&ready, 1, next < datagrams ? patience_ms : again_ms) <= 0) {
			need(next >= datagrams, "no datagram");
			idle++;
			continue;
		}
		Bytes bytes(65536);
		sockaddr_in6 from{};
		socklen_t length = sizeof(from);
		const auto got = recvfrom(fd, bytes.data(), bytes.size(), 0,
					  reinterpret_cast<sockaddr *>(&from), &length);
		need(got >= 4, "recvfrom");
		const size_t number = get(bytes, 0, 4);
		bytes.resize(static_cast<size_t>(got));
		const View body = View(bytes).subspan(4);
		if (number > next || bytes.size() != datagram_length(number) ||
		    !pattern_error(body, number).empty())
			throw std::runtime_error("datagram " + std::to_string(number));
		next = std::max(next, number + 1);
		sendto(fd, bytes.data(), 4, 0, reinterpret_cast<sockaddr *>(&from), length);
	}
}

void send_datagrams(const std::string &to)
{
	const auto address = address_of(to);
	const Fd fd(socket(AF_INET6, SOCK_DGRAM, 0));
	need(connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0,
	     "connect");
	for (size_t number = 0; number < datagrams;) {
		Bytes bytes;
		put(bytes, number, 4);
		const auto body = pattern(datagram_length(number) - 4, number);
		bytes.insert(bytes.end(), body.begin(), body.end());
		(void)send(fd, bytes.data(), bytes.size(), 0);
		for (int left = patience_ms / again_ms;;) {
			pollfd ready{fd, POLLIN, 0};
			Bytes answer(4);
			if (poll(&ready, 1, again_ms) > 0) {
				if (recv(fd, answer.data(), 4, 0) == 4 &&
				    get(answer, 0, 4) == number)
					break;
				poll(nullptr, 0, 20); // nobody listens yet
			}
			need(left-- > 0, "no answer");
			(void)send(fd, bytes.data(), bytes.size(), 0);
		}
		number++;
	}
}

} // namespace

int main(int count, char **arguments)
{
	const std::vector<std::string> words(arguments + 1, arguments + count);
	try {
		if (words.size() < 2 ||
		    (words[0] == "send") != (words.size() > 2 && words.back() != "library"))
			throw std::runtime_error(
				"peer send|serve tcp|udp|tls128|tls256 [library] [ADDRESS]");
		const auto &kind = words[1];
		const bool library = words.size() > 2 && words[2] == "library";
		const Keys keys(kind == "tls256" ? 32 : 16);
		const auto *used = kind == "tls128" || kind == "tls256" ? &keys : nullptr;
		if (!used && kind != "tcp" && kind != "udp")
			throw std::runtime_error("no such kind: " + kind);
		if (words[0] == "serve")
			kind == "udp" ? serve_datagrams() : serve_stream(used, library);
		else
			kind == "udp" ? send_datagrams(words.back())
				      : send_stream(words.back(), used);
	} catch (const std::exception &error) {
		std::cerr << "peer: " << error.what() << '\n';
		return 1;
	}
	return 0;
}
