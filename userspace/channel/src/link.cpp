// SPDX-License-Identifier: Apache-2.0
#include "link.hpp"

#include "check.hpp"
#include "socket_transport.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** A transport that keeps its socket. */
struct held {
	held(std::shared_ptr<socket> with, std::size_t room) : on(std::move(with)), by(*on, room) {}
	std::shared_ptr<socket> on;
	socket_transport by;
};

/** The name in "NAME:PORT"; empty if it is an address. @throws std::invalid_argument */
std::string name_in(const std::string &target)
{
	try {
		static_cast<void>(with_a_port(address::parse(target)));
		return {};
	} catch (const std::invalid_argument &) {
		const auto colon = target.rfind(':');
		const bool is_name =
			target.find_first_not_of("0123456789.:[]%/") != std::string::npos &&
			target.find_first_of("[]%/") == std::string::npos;
		if (!is_name || colon == 0 || colon == std::string::npos ||
		    colon + 1 == target.size() || target.find(':') != colon ||
		    target.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
			throw std::invalid_argument(target +
						    ": neither NAME:PORT nor ADDRESS:PORT");
		}
		return target.substr(0, colon);
	}
}

} // namespace

socket_link::socket_link(std::string target, std::shared_ptr<const credentials> who,
			 const channel_options &options)
	: target_(std::move(target)),
	  who_(std::move(who)),
	  server_name_(options.server_name),
	  timeout_(options.handshake_timeout),
	  most_reply_(options.most_reply)
{
	std::string name = name_in(target_);
	if (server_name_.empty()) {
		server_name_ = std::move(name);
	}
}

void socket_link::open(ip version)
{
	if (on_) {
		if (version_ == ip::v4 && version == ip::v6) {
			fail(EAFNOSUPPORT,
			     "the name has become one of IPv6: a new channel is needed");
		}
		return;
	}
	auto fresh = std::make_shared<socket>(version, socket_options{.max_message = 1});
	fresh->set_policy(who_->policy());
	auto all = std::make_shared<held>(fresh, most_reply_);
	on_ = std::move(fresh);
	by_ = std::shared_ptr<transport>(all, &all->by);
	version_ = version;
}

link::made socket_link::renew(const std::stop_token &stop, early_exchange *early)
{
	address server;
	try {
		server = address::resolve(target_);
	} catch (const std::invalid_argument &unknown) {
		// The resolver may know it later.
		fail(EHOSTUNREACH, unknown.what());
	}
	open(server.version());
	principal peer = who_->connect(*on_, {.server = server,
					      .server_name = server_name_,
					      .timeout = timeout_,
					      .stop = stop,
					      .early = early});
	server_ = server;
	return {.by = by_, .server = server, .peer = std::move(peer)};
}

bool socket_link::has_sessions() const noexcept
{
	return who_->policy() == policy::secure;
}

std::optional<session_use> socket_link::use() const
{
	return use_of(*on_, server_);
}

} // namespace sdp::inline v0::detail
