// SPDX-License-Identifier: GPL-2.0-only
/*
 * A text for each error, for HOMAIOCINFO and diagnostics; sdp(7) has the same.
 */
#include "socket.h"

static const struct {
	int err;
	const char *text;
} texts[] = {
	{ EACCES, "the port needs CAP_NET_BIND_SERVICE" },
	{ E2BIG, "a structure has fields that this kernel does not know" },
	{ EADDRINUSE, "the port is in use, or none is free" },
	{ EADDRNOTAVAIL, "not an address of this host" },
	{ EAFNOSUPPORT, "not an address of the socket's family" },
	{ EBADMSG, "a message did not verify" },
	{ EBUSY, "not now: the machine goes to sleep, or the peer lacks the last keys" },
	{ ECONNRESET, "the peer or a session ended the RPC: it may have been executed" },
	{ EDESTADDRREQ, "no destination" },
	{ EDQUOT, "this user has net.sdp.user_ports ports" },
	{ EEXIST, "these keys or this nonce have been used" },
	{ EFAULT, "an address outside of the process" },
	{ EHOSTUNREACH, "no way to the peer" },
	{ EINVAL, "an argument is not valid" },
	{ EIO, "the cipher fails" },
	{ EKEYEXPIRED, "the keys of the session are used up" },
	{ EMSGSIZE, "the message is too long" },
	{ ENETDOWN, "the loopback device is down" },
	{ ENETUNREACH, "no route to the peer" },
	{ ENOBUFS, "a limit is reached" },
	{ ENODEV, "no such device" },
	{ ENOENT, "no such session, or no such cipher" },
	{ ENOKEY, "no session with the peer, and the policy forbids the clear" },
	{ ENOMEM, "no memory" },
	{ ENOPROTOOPT, "the peer does not speak the protocol" },
	{ ENOTCONN, "nobody listens at the peer's port" },
	{ EOPNOTSUPP, "not supported" },
	{ EPERM, "forbidden by the policy, or by the administrator" },
	{ ESHUTDOWN, "the socket was shut down" },
	{ ETIMEDOUT, "the peer is silent: the request may have been executed" },
};

const char *sdp_error_text(int err)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].err == abs(err))
			return texts[i].text;
	return err ? "error" : "";
}

static bool is_error(int err)
{
	return err < 0 && err != -EAGAIN && err != -EINTR &&
	       err != -ERESTARTSYS && err != -EINPROGRESS;
}

int sdp_error(struct sdp_sock *s, int err, const char *text)
{
	if (unlikely(is_error(err)))
		WRITE_ONCE(s->error_text, text ?: sdp_error_text(err));
	return err;
}
