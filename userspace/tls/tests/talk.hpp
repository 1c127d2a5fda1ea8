// SPDX-License-Identifier: Apache-2.0
// A client and a server whose network, clock and kernel are the test's.
#ifndef SDP_TLS_TESTS_TALK_HPP
#define SDP_TLS_TESTS_TALK_HPP

#include "lab.hpp"
#include "wire.hpp"

#include <sdp/tls_core.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lab {

using sdp::address;
using sdp::tls::agreement;
using sdp::tls::client_handshake;
using sdp::tls::credentials;
using sdp::tls::datagram;
using sdp::tls::reason;
using sdp::tls::server_handshakes;
using sdp::tls::settings;
using namespace std::chrono_literals;

inline const address client_udp = address::parse("10.0.0.1:50000");
inline const address server_sdp = address::parse("10.0.0.2:4000");
constexpr std::uint16_t client_port = 40000;

/** One authority for all tests, and who it signed. */
struct people {
	authority ca{"lab"};
	certificate client = ca.issue({.name = "client.lab"});
	certificate server = ca.issue({.name = "server.lab"});

	static const people &all();
	[[nodiscard]] settings of(const certificate &who) const;
};

std::shared_ptr<const credentials> ready(settings from);
settings client_settings();
settings server_settings();

/** A server, and what its kernel was told. */
struct service {
	explicit service(settings who = server_settings(),
			 const sdp::tls::server_options &options = {}, std::uint8_t host = 2);

	std::vector<agreement> installed;
	int nonces = 0;
	int error = 0; /**< of installing */
	const std::shared_ptr<const credentials> with;
	server_handshakes core;
};

/** By a datagram's head alone: whatever comes after that may be nonsense. */
sdp::tls::wire::kind kind_of(const datagram &bytes);

/** What is on its way. */
struct letter {
	bool to_server = true;
	datagram bytes;
	address from = client_udp; /**< where it seems to come from */
	address to = server_sdp.with_port(0);
};

/** A client that talks with a server over a network that may do anything. */
class talk {
public:
	/** Sees each letter, and returns what becomes of it. */
	using network = std::function<std::vector<letter>(letter)>;

	explicit talk(settings who = client_settings(),
		      sdp::tls::client_options options = {.server_name = "server.lab"});
	explicit talk(std::shared_ptr<const credentials> who,
		      sdp::tls::client_options options = {.server_name = "server.lab"},
		      sdp::tls::clock::time_point when = sdp::tls::clock::time_point(1h));

	/** Until the client is done, or its time is over. */
	void run(service &with, const network &through = {});
	/** What comes of it, in words: "agreed" or why not. */
	[[nodiscard]] reason outcome() const;
	/** Both ends have the same secret and context, and think the same of each other. */
	void expect_agreed(const service &with) const;

	sdp::tls::clock::time_point now;
	std::unique_ptr<client_handshake> core;
	sdp::nonce nonce{};

private:
	void deliver(service &with, const network &through, letter what, int depth);
};

} // namespace lab

#endif
