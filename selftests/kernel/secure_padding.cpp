// SPDX-License-Identifier: Apache-2.0
// SDP_PADDING: what the network learns of the length of secure messages, seen on
// the link.
#include <memory>
#include <mutex>

#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/secure.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

constexpr uint16_t port = 4000;
constexpr uint32_t largest = 65536;

std::unique_ptr<net::Wired> wired;

/// A client, a server and a session; of what passes between them, the lengths of
/// the messages.
class Padded {
public:
	explicit Padded(uint16_t record_size = 0)
		: server_(wired->b.ns, AF_INET, port),
		  client_(wired->a.ns, AF_INET, 0),
		  to_(wired->b.at(net::Family::v4, port))
	{
		session::join(client_.fd(), wired->a.at(net::Family::v4, client_.port()),
			      server_.fd(), to_, SDP_CIPHER_AES_128_GCM, record_size);
		wired->set([this](net::Way way, net::Wired::Packet packet) {
			Bytes homa = net::homa_of(packet);
			if (secure::type_of(homa) == secure::data_type) {
				std::scoped_lock hold(lock_);
				lengths_[way == net::Way::to_b ? 0 : 1] =
					secure::parse_data(homa).message_length;
			}
			wired->pass(way, packet);
		});
	}
	~Padded() { wired->set({}); }

	/// Sealed lengths of a request of @a length bytes, and of its echo.
	std::pair<uint32_t, uint32_t> echo(size_t length)
	{
		client_.request(to_, pattern(length));
		server_.echo();
		Bytes got = client_.expect().bytes;
		EQ(got.size(), length);
		EQ(pattern_error(got), "");
		std::scoped_lock hold(lock_);
		return {lengths_[0], lengths_[1]};
	}

	[[nodiscard]] int client() const { return client_.fd(); }
	[[nodiscard]] int server() const { return server_.fd(); }

private:
	PlainSocket server_;
	PlainSocket client_;
	net::Address to_;
	std::mutex lock_;
	uint32_t lengths_[2] = {};
};

int set(int fd, int bytes)
{
	return setsockopt(fd, IPPROTO_HOMA, SDP_PADDING, &bytes, sizeof(bytes));
}

int get(int fd)
{
	int bytes = -1;
	socklen_t size = sizeof(bytes);
	OK(getsockopt(fd, IPPROTO_HOMA, SDP_PADDING, &bytes, &size));
	return bytes;
}

/// Of one record: header 5, content, type 1, tag 16.
constexpr uint32_t sealed(uint32_t content)
{
	return content + 22;
}

} // namespace

SETUP
{
	// Its thread is the one of the process that a case runs in.
	wired = std::make_unique<net::Wired>(1500, false);
	leaks::watch(wired->a.ns);
	leaks::watch(wired->b.ns);
}

TEST(option)
{
	PlainSocket socket(wired->a.ns, AF_INET);
	EQ(get(socket.fd()), 0);
	for (int bytes : {1, 64, static_cast<int>(largest), 0}) {
		OK(set(socket.fd(), bytes));
		EQ(get(socket.fd()), bytes);
	}
	FAILS(set(socket.fd(), -1), EINVAL);
	FAILS(set(socket.fd(), largest + 1), EINVAL);
	int value = 64;
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SDP_PADDING, &value, sizeof(value) - 1),
	      EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SDP_PADDING, nowhere, sizeof(value)), EFAULT);
	EQ(get(socket.fd()), 0);
}

TEST(none)
{
	wired->start();
	Padded talk;
	// Message headers: 16 bytes of a request, 24 of a response.
	EQ(talk.echo(100).first, sealed(116));
	EQ(talk.echo(0).second, sealed(24));
	OK(set(talk.client(), 1));
	EQ(talk.echo(10000).second, sealed(10024));
}

TEST(lengths_are_hidden)
{
	wired->start();
	Padded talk;
	OK(set(talk.client(), 256));
	// Acknowledgements in the header take room from the padding.
	for (size_t length : {0, 1, 99, 100, 200})
		EQ(talk.echo(length).first, sealed(256));
	EQ(talk.echo(256).first, sealed(512));
	EQ(talk.echo(1000).first, sealed(1024));
	EQ(talk.echo(1001).second, sealed(1025)); // the server does not pad
	OK(set(talk.server(), 1024));
	for (size_t length : {0, 1, 999, 1000})
		EQ(talk.echo(length).second, sealed(1024));
	EQ(talk.echo(1001).second, sealed(2048));
	OK(set(talk.client(), 0));
	OK(set(talk.server(), 0));
	EQ(talk.echo(1001).second, sealed(1025));
}

TEST(records_of_nothing_but_padding)
{
	wired->start();
	Padded talk(256);
	OK(set(talk.client(), largest));
	OK(set(talk.server(), 5000));
	// Records of 256 bytes hold 255.
	uint32_t of_request = largest + (largest + 254) / 255 * 22;
	uint32_t of_response = 5000 + (5000 + 254) / 255 * 22;
	for (size_t length : {0, 1, 239, 240, 4900}) {
		auto [request, response] = talk.echo(length);
		EQ(request, of_request);
		EQ(response, of_response);
	}
}

TEST(longest_message)
{
	wired->start();
	Padded talk;
	OK(set(talk.client(), largest));
	OK(set(talk.server(), largest));
	// Records hold 16,255 bytes.
	uint32_t content = 16 * largest;
	EQ(talk.echo(1000000).first, content + (content + 16254) / 16255 * 22);
}
