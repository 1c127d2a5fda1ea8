// SPDX-License-Identifier: Apache-2.0
#include "transport.hpp"

#include <cerrno>

namespace sdp::inline v0::detail {

int send_now(const transport &by, const outgoing &what) noexcept
{
	envelope all;
	by.wrap(what, all);
	while (::sendmsg(by.fd(), &all.head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int receive_now(const transport &by, std::span<std::byte> buffer, arrival &into)
{
	envelope all;
	all.pieces[0] = {buffer.data(), buffer.size()};
	all.head.msg_name = &all.name;
	all.head.msg_namelen = sizeof(all.name);
	all.head.msg_iov = all.pieces.data();
	all.head.msg_iovlen = 1;
	all.head.msg_control = all.control.data();
	all.head.msg_controllen = all.control.size();
	const ssize_t size = ::recvmsg(by.fd(), &all.head, MSG_DONTWAIT);
	if (size < 0) {
		return errno;
	}
	const auto payload = buffer.first(static_cast<std::size_t>(size));
	return by.unwrap(all.head, payload, into) ? 0 : EPROTO;
}

} // namespace sdp::inline v0::detail
