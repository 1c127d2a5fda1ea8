// SPDX-License-Identifier: Apache-2.0
// The library on a kernel that has the module: run in a guest.
#include <sdp/sdp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::address;
using sdp::ip;
using sdp::policy;

const address server_place = address::parse("127.0.0.1:4000");

sdp::secret key(char digit)
{
	return sdp::secret::from_hex(std::string(64, digit));
}

/** The errno of what @p work throws; 0 if it does not. */
int error_of(const std::function<void()> &work)
{
	try {
		work();
		return 0;
	} catch (const std::system_error &error) {
		EXPECT_STREQ(error.code().category().name(), "sdp") << error.what();
		return error.code().value();
	}
}

std::string pattern(std::size_t size)
{
	std::string text(size, '\0');
	for (std::size_t i = 0; i < size; ++i) {
		text[i] = static_cast<char>('a' + i * 7 % 23);
	}
	return text;
}

/** Answers every request with itself, until the end of the test. */
class echo {
public:
	explicit echo(sdp::server with) : server_(std::move(with)) {}
	~echo()
	{
		server_.underlying().shutdown();
		thread_.join();
	}
	echo(const echo &) = delete;
	echo &operator=(const echo &) = delete;

	sdp::server &server() { return server_; }

private:
	void run()
	{
		try {
			for (;;) {
				const sdp::message request = server_.receive();
				server_.underlying().respond(request, request.chunks());
			}
		} catch (const std::system_error &error) {
			EXPECT_EQ(error.code().value(), ESHUTDOWN) << error.what();
		}
	}

	sdp::server server_;
	std::jthread thread_{[this] { run(); }};
};

struct way {
	const char *name;
	bool secure;
	std::size_t region;
	const char *place;
};

class rpc : public testing::TestWithParam<way> {
protected:
	[[nodiscard]] address place() const { return address::parse(GetParam().place); }

	[[nodiscard]] sdp::server make_server() const
	{
		return GetParam().secure ? sdp::server(place(), key('1')) : sdp::server(place());
	}
	[[nodiscard]] sdp::client make_client() const
	{
		const sdp::socket_options options{.region = GetParam().region};
		return GetParam().secure ? sdp::client(place(), key('1'), {}, options)
					 : sdp::client(place(), options);
	}
};

TEST_P(rpc, of_many_sizes)
{
	const echo service(make_server());
	sdp::client client = make_client();
	for (const std::size_t size :
	     {1UL, 100UL, 1424UL, 16255UL, 16256UL, 65536UL, 65537UL, 300000UL, 1000000UL}) {
		const std::string sent = pattern(size);
		const sdp::message got = client.call(sent);
		EXPECT_EQ(got.size(), size);
		EXPECT_TRUE(got.text() == sent) << size;
		EXPECT_EQ(got.is_request(), false);
		EXPECT_EQ(got.secure(), GetParam().secure);
		EXPECT_EQ(got.peer(), place());
	}
}

TEST_P(rpc, many_at_once)
{
	const echo service(make_server());
	sdp::client client = make_client();
	constexpr std::uint64_t count = 200;
	for (std::uint64_t i = 1; i <= count; ++i) {
		client.start(sdp::as_bytes(pattern(i * 37)), i);
	}
	std::vector<int> seen(count + 1);
	for (std::uint64_t i = 1; i <= count; ++i) {
		const sdp::message got = client.receive();
		ASSERT_FALSE(got.error()) << got.error().message();
		EXPECT_EQ(got.size(), got.cookie() * 37);
		++seen.at(got.cookie());
	}
	EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), count);
}

TEST_P(rpc, held_messages_stay_as_they_are)
{
	const echo service(make_server());
	sdp::client client = make_client();
	std::vector<sdp::message> held;
	for (std::size_t i = 0; i < 8; ++i) {
		held.push_back(client.call(std::string(1000 + i, static_cast<char>('a' + i))));
	}
	for (std::size_t i = 0; i < 8; ++i) {
		EXPECT_EQ(held[i].text(), std::string(1000 + i, static_cast<char>('a' + i)));
	}
}

TEST_P(rpc, an_empty_message)
{
	const echo service(make_server());
	sdp::client client = make_client();
	if (GetParam().secure) {
		EXPECT_EQ(client.call("").size(), 0);
	} else {
		EXPECT_EQ(error_of([&] { static_cast<void>(client.call("")); }), EINVAL);
	}
}

INSTANTIATE_TEST_SUITE_P(ways, rpc,
			 testing::Values(way{"clear", false, 0, "127.0.0.1:4000"},
					 way{"clear_region", false, 4 << 20, "127.0.0.1:4000"},
					 way{"secure", true, 0, "127.0.0.1:4000"},
					 way{"secure_region", true, 4 << 20, "127.0.0.1:4000"},
					 way{"secure_v6", true, 0, "[::1]:4000"}),
			 [](const auto &each) { return each.param.name; });

TEST(region, a_full_one_delays_messages_until_something_comes_back)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4, {.region = 2 * 65536});
	const std::string large = pattern(100000);
	socket.send_request(server_place, sdp::as_bytes(large), {.cookie = 1});
	std::optional<sdp::message> first = socket.receive_for(60s);
	ASSERT_TRUE(first);
	socket.send_request(server_place, sdp::as_bytes(large), {.cookie = 2});
	EXPECT_FALSE(socket.receive_for(300ms));
	// A receiver that sleeps already is woken by what another thread gives back.
	std::jthread later([&] {
		std::this_thread::sleep_for(100ms);
		first.reset();
	});
	const std::optional<sdp::message> second = socket.receive_for(60s);
	ASSERT_TRUE(second);
	EXPECT_EQ(second->cookie(), 2);
	EXPECT_EQ(second->text(), large);
}

TEST(region, thousands_of_messages_through_a_small_one)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4, {.region = 4 * 65536});
	for (std::uint64_t i = 0; i < 2000; ++i) {
		const std::string body = pattern(1 + i * 13 % 3000);
		EXPECT_EQ(socket.call(server_place, sdp::as_bytes(body)).size(), body.size());
	}
}

TEST(region, messages_outlive_their_socket)
{
	const echo service{sdp::server(server_place)};
	std::optional<sdp::message> kept;
	{
		sdp::socket socket(ip::v4, {.region = 65536});
		kept = socket.call(server_place, sdp::as_bytes("kept"));
	}
	EXPECT_EQ(kept->text(), "kept");
}

TEST(waits, end_without_a_message)
{
	sdp::socket socket(ip::v4);
	socket.bind(address::any(ip::v4, 4001));
	EXPECT_FALSE(socket.try_receive());
	const auto start = std::chrono::steady_clock::now();
	EXPECT_FALSE(socket.receive_for(200ms));
	EXPECT_GE(std::chrono::steady_clock::now() - start, 200ms);
}

TEST(waits, end_with_shutdown)
{
	for (const std::size_t region : {0UL, 65536UL}) {
		sdp::socket socket(ip::v4, {.region = region});
		socket.bind(address::any(ip::v4, 4001));
		std::jthread later([&] {
			std::this_thread::sleep_for(200ms);
			socket.shutdown();
		});
		EXPECT_EQ(error_of([&] { static_cast<void>(socket.receive()); }), ESHUTDOWN);
	}
}

TEST(failures, a_peer_that_is_not_there)
{
	sdp::socket socket(ip::v4);
	const address nobody = server_place.with_port(4099);
	const int error =
		error_of([&] { static_cast<void>(socket.call(nobody, sdp::as_bytes("x"))); });
	EXPECT_TRUE(error == ENOTCONN || error == ETIMEDOUT) << error;
}

TEST(failures, a_call_that_takes_too_long_is_aborted)
{
	sdp::server silent(server_place);
	sdp::socket socket(ip::v4);
	EXPECT_EQ(error_of([&] {
			  static_cast<void>(
				  socket.call(server_place, sdp::as_bytes("x"), {}, 100ms));
		  }),
		  ETIMEDOUT);
	// Its request is there; the response goes nowhere.
	const sdp::message request = silent.receive();
	silent.respond(request, "late");
	EXPECT_FALSE(socket.receive_for(100ms));
}

TEST(failures, aborted_requests_can_be_told_so)
{
	const sdp::server silent(server_place);
	for (const std::size_t region : {0UL, 65536UL}) {
		sdp::socket socket(ip::v4, {.region = region});
		socket.send_request(server_place, sdp::as_bytes("x"), {.cookie = 77});
		socket.abort(77, ECANCELED);
		const std::optional<sdp::message> told = socket.receive_for(60s);
		ASSERT_TRUE(told);
		EXPECT_EQ(told->error(), std::errc::operation_canceled);
		EXPECT_EQ(told->cookie(), 77);
		EXPECT_EQ(told->size(), 0);
	}
}

TEST(failures, too_long)
{
	sdp::socket server(ip::v4, {.max_message = 100});
	server.bind(server_place);
	sdp::socket socket(ip::v4);
	socket.send_request(server_place, sdp::as_bytes(pattern(101)));
	const sdp::message request = server.receive();
	EXPECT_TRUE(request.is_request());
	EXPECT_EQ(request.error(), std::errc::message_size);
	const std::string longest = pattern(1000001);
	EXPECT_EQ(error_of([&] { socket.send_request(server_place, sdp::as_bytes(longest)); }),
		  EMSGSIZE);
}

TEST(calls, keep_other_messages)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4);
	socket.send_request(server_place, sdp::as_bytes("first"), {.cookie = 5});
	std::this_thread::sleep_for(200ms);
	EXPECT_EQ(socket.call(server_place, sdp::as_bytes("second")).text(), "second");
	const std::optional<sdp::message> first = socket.try_receive();
	ASSERT_TRUE(first);
	EXPECT_EQ(first->cookie(), 5);
	EXPECT_EQ(first->text(), "first");
}

/** So many requests of 60,000 bytes to @p place are sent, and have come. */
void fill(sdp::socket &from, const address &place, std::uint64_t count)
{
	for (std::uint64_t i = 1; i <= count; ++i) {
		from.send_request(place, sdp::as_bytes(pattern(60000)), {.cookie = i});
	}
	std::this_thread::sleep_for(500ms);
}

/** A socket that takes requests, without a server's port. */
class both {
public:
	explicit both(std::size_t region) : socket(ip::v4, {.region = region})
	{
		socket.accept_requests(true);
	}
	[[nodiscard]] address place() const
	{
		return address::parse("127.0.0.1", socket.local().port());
	}

	sdp::socket socket;
};

TEST(calls, leave_requests_where_they_are_whatever_room_they_would_take)
{
	const echo service{sdp::server(server_place)};
	both end(2 * 65536);
	sdp::socket other(ip::v4);
	fill(other, end.place(), 8);
	const std::string body = pattern(100000);
	EXPECT_EQ(end.socket.call(server_place, sdp::as_bytes(body), {}, 60s).text(), body);
	EXPECT_EQ(end.socket.call(server_place, sdp::as_bytes(body)).text(), body);
	for (int i = 0; i < 8; ++i) {
		const std::optional<sdp::message> request = end.socket.receive_for(60s);
		ASSERT_TRUE(request);
		EXPECT_TRUE(request->is_request());
		EXPECT_EQ(request->text(), pattern(60000));
	}
}

TEST(calls, say_that_a_response_has_no_room)
{
	const echo service{sdp::server(server_place)};
	both end(2 * 65536);
	const std::string body = pattern(100000);
	std::optional<sdp::message> held = end.socket.call(server_place, sdp::as_bytes(body));
	for (const auto timeout : {1000ms, 0ms}) {
		EXPECT_EQ(error_of([&] {
				  static_cast<void>(end.socket.call(
					  server_place, sdp::as_bytes(body), {}, timeout));
			  }),
			  ENOBUFS);
	}
	// Somebody else may give back what there is no room for.
	std::jthread later([&] {
		std::this_thread::sleep_for(300ms);
		held.reset();
	});
	EXPECT_EQ(end.socket.call(server_place, sdp::as_bytes(body)).text(), body);
}

TEST(calls, end_in_time_while_requests_arrive)
{
	const sdp::server silent(server_place);
	for (const std::size_t region : {0UL, 65536UL}) {
		both end(region);
		std::atomic<bool> over = false;
		std::jthread other([&, place = end.place()] {
			sdp::socket socket(ip::v4);
			while (!over) {
				socket.send_request(place, sdp::as_bytes("x"));
				std::this_thread::sleep_for(5ms);
			}
		});
		const auto start = std::chrono::steady_clock::now();
		EXPECT_EQ(error_of([&] {
				  static_cast<void>(end.socket.call(server_place,
								    sdp::as_bytes("x"), {}, 500ms));
			  }),
			  ETIMEDOUT);
		EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
		over = true;
		other.join();
		const std::optional<sdp::message> first = end.socket.receive_for(60s);
		ASSERT_TRUE(first);
		EXPECT_TRUE(first->is_request());
		EXPECT_EQ(first->text(), "x");
	}
}

TEST(calls, of_several_threads_on_one_region)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4, {.region = 1 << 20});
	std::vector<std::jthread> all;
	for (std::size_t thread = 1; thread <= 4; ++thread) {
		all.emplace_back([&socket, thread] {
			for (std::size_t i = 0; i < 200; ++i) {
				const std::string body = pattern(thread * 1000 + i);
				EXPECT_TRUE(socket.call(server_place, sdp::as_bytes(body)).text() ==
					    body);
			}
		});
	}
}

TEST(calls, of_several_pieces)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4);
	std::vector<sdp::bytes_view> pieces(20, sdp::as_bytes("piece "));
	socket.send_request(server_place, pieces);
	EXPECT_EQ(socket.receive().size(), 120);
}

TEST(session, tells_its_state_and_moves_to_another_epoch)
{
	const echo service{sdp::server(server_place, key('1'))};
	sdp::client client(server_place, key('1'),
			   {.cipher = sdp::cipher::aes_256_gcm, .record_size = 4096});
	EXPECT_EQ(client.call("one").text(), "one");
	sdp::socket &socket = client.underlying();
	EXPECT_EQ(socket.get_policy(), policy::secure);
	const sdp::session_info before = socket.info(server_place);
	EXPECT_EQ(before.cipher, sdp::cipher::aes_256_gcm);
	EXPECT_EQ(before.record_size, 4096);
	EXPECT_EQ(before.role, sdp::role::client);
	EXPECT_EQ(before.peer, server_place);
	EXPECT_EQ(before.tx_epoch, 0);
	EXPECT_FALSE(before.driver.empty());
	socket.rekey(server_place);
	EXPECT_EQ(client.call("two").text(), "two");
	EXPECT_EQ(socket.info(server_place).tx_epoch, 1);
}

TEST(session, padded_messages_are_what_they_were)
{
	const echo service{sdp::server(server_place, key('1'))};
	sdp::client client(server_place, key('1'));
	sdp::socket &socket = client.underlying();
	EXPECT_EQ(socket.get_padding(), 0U);
	socket.set_padding(4096);
	EXPECT_EQ(socket.get_padding(), 4096U);
	EXPECT_EQ(error_of([&] { socket.set_padding(65537); }), EINVAL);
	EXPECT_EQ(client.call("one").text(), "one");
}

TEST(session, removed_means_no_key_never_clear)
{
	const echo service{sdp::server(server_place, key('1'))};
	sdp::client client(server_place, key('1'));
	client.underlying().remove_session(server_place);
	EXPECT_EQ(error_of([&] { static_cast<void>(client.call("x")); }), ENOKEY);
	EXPECT_EQ(error_of([&] { static_cast<void>(client.underlying().info(server_place)); }),
		  ENOENT);
}

TEST(session, a_nonce_serves_once)
{
	sdp::socket socket(ip::v4);
	sdp::session_parameters session;
	session.peer = server_place;
	EXPECT_EQ(error_of([&] { socket.add_session(session, key('1')); }), EINVAL);
	session.own_nonce = socket.new_nonce();
	EXPECT_EQ(error_of([&] { socket.add_session(session, key('1')); }), 0);
	EXPECT_EQ(error_of([&] { socket.add_session(session, key('1')); }), EEXIST);
}

/** Soon over: nobody answers. */
const sdp::psk_options impatient{.timeout = 1s};

TEST(psk, another_secret_is_noticed)
{
	const echo service{sdp::server(server_place, key('1'))};
	EXPECT_EQ(error_of([&] { const sdp::client other(server_place, key('2'), impatient); }),
		  EKEYREJECTED);
	EXPECT_EQ(sdp::client(server_place, key('1')).call("x").text(), "x");
}

TEST(psk, names_have_to_be_the_same)
{
	const echo service{sdp::server(server_place, key('1'), {.name = "files"})};
	EXPECT_EQ(error_of([&] { const sdp::client other(server_place, key('1'), impatient); }),
		  EKEYREJECTED);
	EXPECT_EQ(sdp::client(server_place, key('1'), {.server_name = "files"}).call("x").text(),
		  "x");
}

TEST(psk, a_server_in_the_clear_is_noticed)
{
	const echo service{sdp::server(server_place)};
	EXPECT_EQ(error_of([&] { const sdp::client other(server_place, key('1'), impatient); }),
		  ECONNREFUSED);
}

TEST(psk, a_server_allows_what_it_is_told_to)
{
	const echo service{
		sdp::server(server_place, key('1'), {.allowed = {sdp::cipher::aes_256_gcm}})};
	EXPECT_EQ(error_of([&] { const sdp::client other(server_place, key('1')); }), ECONNREFUSED);
	const sdp::psk_options right{.cipher = sdp::cipher::aes_256_gcm};
	EXPECT_EQ(sdp::client(server_place, key('1'), right).call("x").text(), "x");
}

TEST(psk, requests_in_the_clear_get_no_further)
{
	sdp::server service(server_place, key('1'));
	EXPECT_EQ(service.underlying().get_policy(), policy::secure);
	sdp::socket clear(ip::v4);
	clear.send_request(server_place, sdp::as_bytes("please"));
	EXPECT_FALSE(service.underlying().receive_for(300ms));
	EXPECT_FALSE(clear.try_receive());
}

TEST(psk, a_socket_is_secure_before_during_and_after)
{
	sdp::socket socket(ip::v4);
	socket.bind(address::any(ip::v4, 0));
	socket.accept_requests(true);
	sdp::socket clear(ip::v4);
	const address place = address::parse("127.0.0.1", socket.local().port());
	std::atomic<bool> over = false;
	std::jthread attacker([&] {
		while (!over) {
			clear.send_request(place, sdp::as_bytes("clear"));
			std::this_thread::sleep_for(5ms);
		}
	});
	// Nobody is there; then somebody is.
	EXPECT_EQ(error_of([&] { sdp::psk_connect(socket, server_place, key('1'), impatient); }),
		  ECONNREFUSED);
	EXPECT_EQ(socket.get_policy(), policy::secure);
	const echo service{sdp::server(server_place, key('1'))};
	sdp::psk_connect(socket, server_place, key('1'));
	EXPECT_EQ(socket.get_policy(), policy::secure);
	over = true;
	EXPECT_EQ(socket.call(server_place, sdp::as_bytes("x")).text(), "x");
	EXPECT_FALSE(socket.receive_for(200ms));
}

TEST(psk, one_socket_and_several_servers)
{
	const echo one{sdp::server(server_place, key('1'))};
	const echo two{sdp::server(server_place.with_port(4002), key('2'))};
	sdp::socket socket(ip::v4);
	std::jthread other(
		[&] { sdp::psk_connect(socket, server_place.with_port(4002), key('2')); });
	sdp::psk_connect(socket, server_place, key('1'));
	other.join();
	EXPECT_EQ(socket.call(server_place, sdp::as_bytes("x")).text(), "x");
	EXPECT_EQ(socket.call(server_place.with_port(4002), sdp::as_bytes("y")).text(), "y");
}

TEST(psk, several_threads_and_one_server)
{
	const echo service{sdp::server(server_place, key('1'))};
	sdp::socket socket(ip::v4);
	{
		std::vector<std::jthread> all;
		for (int i = 0; i < 4; ++i) {
			all.emplace_back([&] { sdp::psk_connect(socket, server_place, key('1')); });
		}
	}
	EXPECT_EQ(socket.call(server_place, sdp::as_bytes("x")).text(), "x");
}

TEST(psk, many_clients_at_once)
{
	const echo service{sdp::server(server_place, key('1'))};
	std::vector<std::jthread> all;
	for (int i = 0; i < 16; ++i) {
		all.emplace_back([&] {
			EXPECT_EQ(sdp::client(server_place, key('1')).call("x").text(), "x");
		});
	}
}

TEST(psk, a_server_may_move)
{
	sdp::server first(server_place, key('1'));
	sdp::server second(server_place.with_port(4002), key('2'));
	second = std::move(first);
	const echo service(std::move(second));
	EXPECT_EQ(sdp::client(server_place, key('1')).call("x").text(), "x");
	// What it was before is gone, its UDP port too.
	const sdp::server third(server_place.with_port(4002), key('2'));
}

TEST(psk, a_udp_port_that_is_taken_is_said)
{
	const int taken = ::socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(::bind(taken, server_place.data(), server_place.size()), 0);
	EXPECT_EQ(error_of([&] { const sdp::server service(server_place, key('1')); }), EADDRINUSE);
	::close(taken);
}

TEST(psk, another_network_namespace_is_said)
{
	sdp::socket socket(ip::v4);
	std::jthread elsewhere([&] {
		ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
		EXPECT_EQ(error_of([&] { sdp::psk_connect(socket, server_place, key('1')); }),
			  EXDEV);
	});
}

TEST(psk, a_restarted_server_makes_a_new_session)
{
	std::optional<echo> service(std::in_place, sdp::server(server_place, key('1')));
	sdp::client client(server_place, key('1'));
	EXPECT_EQ(client.call("x").text(), "x");
	service.reset();
	service.emplace(sdp::server(server_place, key('1')));
	EXPECT_EQ(error_of([&] { static_cast<void>(client.call("y")); }), ETIMEDOUT);
	sdp::psk_connect(client.underlying(), server_place, key('1'));
	EXPECT_EQ(client.call("z").text(), "z");
}

TEST(psk, a_server_that_comes_late_is_waited_for)
{
	std::optional<echo> service;
	std::jthread later([&] {
		std::this_thread::sleep_for(500ms);
		service.emplace(sdp::server(server_place, key('1')));
	});
	sdp::client client(server_place, key('1'));
	later.join();
	EXPECT_EQ(client.call("x").text(), "x");
}

TEST(region, a_response_that_may_have_come_in_the_clear_is_not_told_secure)
{
	const echo service{sdp::server(server_place)};
	sdp::socket socket(ip::v4, {.region = 1 << 20});
	socket.send_request(server_place, sdp::as_bytes("x"), {.cookie = 1});
	std::this_thread::sleep_for(200ms);
	socket.set_policy(policy::secure);
	// The kernel ends it; whatever is told of it is nothing secure.
	if (const std::optional<sdp::message> response = socket.receive_for(1s)) {
		EXPECT_FALSE(response->secure());
	}
}

} // namespace
