// SPDX-License-Identifier: Apache-2.0
#include <sdp/socket.hpp>

#include "module.hpp"
#include "socket_state.hpp"
#include "unspent.hpp"

#include <fcntl.h>
#include <new>
#include <sys/ioctl.h>
#include <utility>

namespace sdp::inline v0 {

using detail::after;
using detail::get_option;
using detail::set_option;

namespace {

/** Ports behind it are given out by the kernel. */
constexpr std::uint16_t last_server_port = HOMA_MIN_DEFAULT_PORT - 1;

sdp_session_ref reference(const address &peer)
{
	auto ref = detail::sized<sdp_session_ref>();
	ref.peer = detail::mapped_raw(peer);
	return ref;
}

} // namespace

socket::socket(ip version, const socket_options &options) : state_(std::make_unique<state>())
{
	const int domain = version == ip::v4 ? AF_INET : AF_INET6;
	state_->version = version;
	state_->file = detail::file(
		detail::check(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA), "socket"));
	detail::require_module(fd());
	if (options.region == 0) {
		state_->pool = std::make_shared<detail::pool>(options.max_message);
		return;
	}
	state_->region = std::make_shared<detail::region>(options.region);
	homa_rcvbuf_args args{};
	// The kernel takes an address as a number
	args.start = reinterpret_cast<std::uintptr_t>(state_->region->bytes().data());
	args.length = state_->region->bytes().size();
	set_option(fd(), SO_HOMA_RCVBUF, args, "receive region");
	state_->look_at_policy();
}

socket::socket(std::unique_ptr<state> of) noexcept : state_(std::move(of)) {}

socket socket::adopt(int descriptor, const socket_options &options)
{
	auto made = std::make_unique<state>();
	made->file = detail::file(descriptor);
	detail::check(::fcntl(descriptor, F_SETFD, FD_CLOEXEC), "socket");
	int domain = 0;
	int protocol = 0;
	socklen_t length = sizeof(domain);
	detail::check(::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length), "socket");
	length = sizeof(protocol);
	detail::check(::getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &length),
		      "socket");
	if (protocol != IPPROTO_HOMA) {
		detail::fail(EPROTOTYPE, "an inherited socket is none of SDP");
	}
	if (options.region != 0) {
		detail::fail(EINVAL,
			     "receive region"); // Perhaps it has one, of its former owner's.
	}
	detail::require_module(descriptor);
	made->version = domain == AF_INET ? ip::v4 : ip::v6;
	made->pool = std::make_shared<detail::pool>(options.max_message);
	socket adopted(std::move(made));
	// It may have spoken in the clear before.
	adopted.state_->clear_sent = true;
	adopted.state_->look_at_policy();
	return adopted;
}

socket::~socket() = default;
socket::socket(socket &&other) noexcept = default;
socket &socket::operator=(socket &&other) noexcept = default;

int socket::fd() const noexcept
{
	return state_->fd();
}

address socket::local() const
{
	sockaddr_storage raw{};
	socklen_t length = sizeof(raw);
	auto *where = reinterpret_cast<sockaddr *>(&raw);
	detail::check(::getsockname(fd(), where, &length), "local address");
	return address::from(where, length);
}

void socket::bind(const address &local)
{
	if (local.port() > last_server_port) {
		detail::fail(EINVAL, ("bind to port " + std::to_string(local.port()) +
				      ": servers have ports from 1 to 32767")
					     .c_str());
	}
	const address fitting =
		state_->version == ip::v6 && local.version() == ip::v4 && local.is_any()
			? address::any(ip::v6, local.port())
			: state_->fit(local);
	detail::check(::bind(fd(), fitting.data(), fitting.size()), "bind");
}

void socket::connect(const address &peer)
{
	const address fitting = state_->fit(peer);
	detail::check(::connect(fd(), fitting.data(), fitting.size()), "connect");
}

void socket::accept_requests(bool yes)
{
	set_option(fd(), SO_HOMA_SERVER, static_cast<int>(yes), "accept requests");
}

void socket::set_policy(policy which)
{
	state_->set_policy(which);
}

policy socket::get_policy() const
{
	return state_->get_policy();
}

void socket::set_padding(std::uint32_t bytes)
{
	if (bytes > SDP_PADDING_MAX) {
		detail::fail(EINVAL, "padding");
	}
	set_option(fd(), SDP_PADDING, static_cast<int>(bytes), "padding");
}

std::uint32_t socket::get_padding() const
{
	int value = 0;
	get_option(fd(), SDP_PADDING, value, "padding");
	return static_cast<std::uint32_t>(value);
}

void socket::shutdown()
{
	detail::check(::shutdown(fd(), SHUT_RDWR), "shutdown");
}

void socket::send_request(const address &to, bytes_view body, const send_options &options)
{
	send_request(to, std::span(&body, 1), options);
}

void socket::send_request(const address &to, std::span<const bytes_view> body,
			  const send_options &options)
{
	state_->begin_request();
	auto rpc = detail::sized<sdp_rpc_cmsg>();
	rpc.cookie = options.cookie;
	rpc.flags = options.clear ? SDP_MSG_CLEAR : 0;
	state_->send(to, body, rpc);
}

void socket::respond(const message &request, bytes_view body)
{
	respond(request, std::span(&body, 1));
}

void socket::respond(const message &request, std::span<const bytes_view> body)
{
	respond(request.peer(), request.id(), body);
}

void socket::respond(const address &peer, std::uint64_t id, std::span<const bytes_view> body)
{
	auto rpc = detail::sized<sdp_rpc_cmsg>();
	rpc.id = id;
	state_->send(peer, body, rpc);
}

message socket::receive()
{
	if (auto kept = state_->take_kept()) {
		return std::move(*kept);
	}
	auto got = state_->next(true, std::nullopt);
	return std::move(*got);
}

std::optional<message> socket::receive_for(std::chrono::milliseconds timeout)
{
	if (auto kept = state_->take_kept()) {
		return kept;
	}
	return state_->next(true, after(timeout));
}

std::optional<message> socket::try_receive()
{
	if (auto kept = state_->take_kept()) {
		return kept;
	}
	return state_->next(false, std::nullopt);
}

void socket::abort(std::uint64_t cookie, int error)
{
	auto args = detail::sized<sdp_abort_args>();
	args.cookie = cookie;
	args.error = static_cast<std::uint32_t>(error);
	detail::check(::ioctl(fd(), SDPIOCABORT, &args), "abort");
}

nonce socket::new_nonce()
{
	{
		const std::scoped_lock held(state_->lock);
		if (!state_->spares.empty()) {
			const nonce spare = state_->spares.back();
			state_->spares.pop_back();
			return spare;
		}
	}
	nonce fresh{};
	get_option(fd(), SDP_NONCE, fresh, "nonce");
	return fresh;
}

void socket::return_nonce(const nonce &unused)
{
	const std::scoped_lock held(state_->lock);
	state_->spares.push_back(unused);
}

detail::handshake_turn::handshake_turn(socket &of, const address &peer) : of_(of), peer_(peer)
{
	std::unique_lock held(of_.state_->turns_lock);
	of_.state_->turn_ended.wait(held, [&] { return of_.state_->shaking.insert(peer_).second; });
}

detail::handshake_turn::~handshake_turn()
{
	const std::scoped_lock held(of_.state_->turns_lock);
	of_.state_->shaking.erase(peer_);
	of_.state_->turn_ended.notify_all();
}

void socket::add_session(const session_parameters &parameters, const secret &shared)
{
	auto args = detail::sized<sdp_session_add>();
	args.local = detail::mapped_raw(parameters.local.with_port(0));
	if (parameters.local.is_any()) {
		args.local.sin6_addr = in6addr_any;
	}
	args.peer = detail::mapped_raw(parameters.peer);
	args.role = static_cast<std::uint16_t>(parameters.role);
	args.cipher = static_cast<std::uint16_t>(parameters.cipher);
	args.record_size = parameters.record_size;
	detail::copy_bytes(shared.bytes(), args.secret);
	detail::copy_bytes(std::span(parameters.own_nonce), args.own_nonce);
	detail::copy_bytes(std::span(parameters.peer_nonce), args.peer_nonce);
	detail::copy_bytes(std::span(parameters.context), args.context);
	const int result = ::setsockopt(fd(), IPPROTO_HOMA, SDP_SESSION_ADD, &args, sizeof(args));
	const int error = errno;
	explicit_bzero(&args, sizeof(args));
	if (result < 0) {
		detail::fail(error, "session");
	}
	// A clear socket is a secure one now.
	state_->look_at_policy();
}

void socket::remove_session(const address &peer)
{
	set_option(fd(), SDP_SESSION_DEL, reference(peer), "session");
}

void socket::rekey(const address &peer)
{
	set_option(fd(), SDP_SESSION_REKEY, reference(peer), "rekey");
}

session_info socket::info(const address &peer) const
{
	auto raw = detail::sized<sdp_session_info>();
	raw.peer = detail::mapped_raw(peer);
	get_option(fd(), SDP_SESSION_INFO, raw, "session");
	return detail::from_kernel(raw);
}

} // namespace sdp::inline v0
