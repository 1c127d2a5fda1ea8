// SPDX-License-Identifier: Apache-2.0
#include "socket_transport.hpp"

#include "wire.hpp"

#include <sdp/error.hpp>

#include <cerrno>
#include <cstring>
#include <sys/ioctl.h>

namespace sdp::inline v0::detail {

void socket_transport::wrap(const outgoing &what, envelope &into) const noexcept
{
	const address to = version_ == ip::v6 ? what.to.mapped() : what.to.unmapped();
	std::memcpy(&into.name, to.data(), to.size());
	into.pieces[0] = to_iovec(*what.bytes);
	into.head.msg_name = &into.name;
	into.head.msg_namelen = to.size();
	into.head.msg_iov = into.pieces.data();
	into.head.msg_iovlen = 1;

	auto rpc = sized<sdp_rpc_cmsg>();
	rpc.id = what.id;
	rpc.cookie = what.cookie;
	constexpr std::size_t room = CMSG_SPACE(sizeof(rpc));
	static_assert(room <= envelope::control_room);
	into.head.msg_control = into.control.data();
	into.head.msg_controllen = room;
	cmsghdr *first = CMSG_FIRSTHDR(&into.head);
	first->cmsg_level = IPPROTO_HOMA;
	first->cmsg_type = SDP_CMSG_RPC;
	first->cmsg_len = CMSG_LEN(sizeof(rpc));
	std::memcpy(CMSG_DATA(first), &rpc, sizeof(rpc));
}

bool socket_transport::unwrap(msghdr &head, bytes_view payload, arrival &into) const
{
	sdp_rpc_cmsg rpc{};
	if (!get_control(head, SDP_CMSG_RPC, rpc)) {
		return false;
	}
	into.id = rpc.id;
	into.cookie = rpc.cookie;
	into.is_request = (rpc.flags & SDP_RPC_REQUEST) != 0;
	into.secure = (rpc.flags & SDP_RPC_SECURE) != 0;
	into.session = rpc.session;
	into.peer = address::from(static_cast<const sockaddr *>(head.msg_name), head.msg_namelen)
			    .unmapped();
	if ((rpc.flags & SDP_RPC_FAILED) != 0) {
		into.error = make_code(static_cast<int>(rpc.error));
		return true;
	}
	if ((head.msg_flags & MSG_TRUNC) != 0) {
		into.error = make_code(EMSGSIZE);
		return true;
	}
	into.bytes.assign(payload.begin(), payload.end());
	return true;
}

void socket_transport::abort(std::uint64_t cookie) noexcept
{
	auto args = sized<sdp_abort_args>();
	args.cookie = cookie;
	// Fails only where its RPC has ended.
	static_cast<void>(::ioctl(fd(), SDPIOCABORT, &args));
}

} // namespace sdp::inline v0::detail
