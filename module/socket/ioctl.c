// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl() on a socket: abort requests, look at RPCs. All structures have the
 * same layout for 32 and 64 bit.
 */
#include <linux/uaccess.h>

#include "pool.h"
#include "socket.h"

/* Bytes of struct sdp_abort_args as first published. */
#define ABORT_LEAST 24
static_assert(sizeof(struct sdp_abort_args) == ABORT_LEAST);

static int do_abort(struct sdp_sock *s, u64 id, u64 cookie, bool by_cookie,
		    u32 error)
{
	if (error > MAX_ERRNO)
		return -EINVAL;
	return sdp_message_abort(&s->ep, id, cookie, by_cookie, error);
}

static int abort_homa(struct sdp_sock *s, void __user *arg)
{
	struct homa_abort_args args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args._pad1 || args._pad2[0] || args._pad2[1])
		return -EINVAL;
	return do_abort(s, args.id, 0, false, args.error);
}

static int abort_plain(struct sdp_sock *s, void __user *arg)
{
	struct sdp_abort_args args;
	int err;

	/* The argument has no length of its own: its size field must do. */
	err = sdp_options_copy(&args, sizeof(args), ABORT_LEAST,
			       USER_SOCKPTR(arg), PAGE_SIZE);
	if (err)
		return err;
	if (args.id && args.cookie)
		return -EINVAL;
	return do_abort(s, args.id, args.cookie, !args.id, args.error);
}

/*
 * The dump of RPCs into the application's array.
 * @to:   where the next goes.
 * @room: entries left there.
 * @rpcs: counted so far.
 */
struct dump {
	struct sdp_sock *s;
	struct homa_rpc_info __user *to;
	u64 room;
	u32 rpcs;
};

static u16 rpc_flags(struct sdp_sock *s, const struct sdp_rpc_state *state)
{
	u16 flags = 0;

	if (state->private)
		flags |= HOMA_RPC_PRIVATE;
	if (!state->ready)
		return flags;
	flags |= HOMA_RPC_RX_READY;
	if (s->pool && state->info.rx_length > 0 &&
	    !sdp_pool_fits(s->pool, state->info.rx_length))
		flags |= HOMA_RPC_BUF_STALL;
	return flags;
}

static void fill_rpc(struct sdp_sock *s, const struct sdp_rpc_state *state,
		     struct homa_rpc_info *to)
{
	const struct prog_info *info = &state->info;

	memset(to, 0, sizeof(*to));
	to->id = state->id;
	sdp_address_fill(sdp_sock_sk(s), &state->peer, &to->peer);
	to->completion_cookie = state->cookie;
	to->tx_length = info->tx_length;
	to->tx_sent = info->tx_sent;
	to->tx_granted = info->tx_granted;
	to->tx_prio = info->tx_prio;
	to->rx_length = info->rx_length;
	to->rx_remaining = info->rx_remaining;
	to->rx_gaps = info->rx_gaps;
	to->rx_gap_bytes = info->rx_gap_bytes;
	to->rx_granted = info->rx_granted;
	to->flags = rpc_flags(s, state);
}

static int dump_rpc(const struct sdp_rpc_state *state, void *arg)
{
	struct dump *dump = arg;
	struct homa_rpc_info rpc;

	dump->rpcs++;
	if (!dump->room)
		return 0;
	fill_rpc(dump->s, state, &rpc);
	if (copy_to_user(dump->to, &rpc, sizeof(rpc)))
		return -EFAULT;
	dump->to++;
	dump->room--;
	return 0;
}

static int info_homa(struct sdp_sock *s, void __user *arg)
{
	struct homa_info info;
	struct dump dump = { .s = s };
	const char *text;
	u64 room;
	int err;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.rpc_info != (unsigned long)info.rpc_info)
		return -EFAULT;
	room = div_u64(info.rpc_info_length, sizeof(struct homa_rpc_info));
	dump.to = (void __user *)(unsigned long)info.rpc_info;
	dump.room = room;
	err = sdp_endpoint_autobind(&s->ep);
	if (!err)
		err = sdp_message_dump(&s->ep, dump_rpc, &dump);
	if (err)
		return err;

	memset(&info, 0, sizeof(info));
	info.rpc_info = (unsigned long)dump.to -
			(room - dump.room) * sizeof(struct homa_rpc_info);
	info.rpc_info_length = (room - dump.room) *
			       sizeof(struct homa_rpc_info);
	info.bpool_avail_bytes = s->pool ? sdp_pool_available(s->pool) : 0;
	info.port = READ_ONCE(s->ep.port);
	info.num_rpcs = dump.rpcs;
	text = READ_ONCE(s->error_text);
	if (text)
		strscpy(info.error_msg, text);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

int sdp_ioctl(struct sdp_sock *s, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case HOMAIOCABORT:
		return sdp_error(s, abort_homa(s, arg), NULL);
	case SDPIOCABORT:
		return sdp_error(s, abort_plain(s, arg), NULL);
	case HOMAIOCINFO:
		return info_homa(s, arg);
	case HOMAIOCFREEZE:
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}
