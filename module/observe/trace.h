/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, as events of the group "sdp" in tracefs. They show names,
 * numbers and lengths: never a key, never bytes of a message. RPC ids are as
 * the host that traces sees them, ports in host byte order; ns is the inode
 * number of the network namespace (as in /proc/self/ns/net).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM SDP_NAME

#if !defined(SDP_OBSERVE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SDP_OBSERVE_TRACE_H

#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <net/net_namespace.h>

#include "name.h"
#include "observe.h"

/* An event of the transport program was run on an RPC. */
TRACE_EVENT(sdp_event,

	TP_PROTO(const struct net *net, const char *event, u64 id, u16 port,
		 int verdict),

	TP_ARGS(net, event, id, port, verdict),

	TP_STRUCT__entry(
		__field(u32, ns)
		__field(int, verdict)
		__field(u64, id)
		__field(u16, port)
		__string(event, event)
	),

	TP_fast_assign(
		__entry->ns = net->ns.inum;
		__entry->verdict = verdict;
		__entry->id = id;
		__entry->port = port;
		__assign_str(event);
	),

	TP_printk("ns=%u event=%s id=%llu port=%u verdict=%d",
		  __entry->ns, __get_str(event), __entry->id, __entry->port,
		  __entry->verdict)
);

/* An RPC changed its state. */
TRACE_EVENT(sdp_rpc_state,

	TP_PROTO(const struct net *net, u64 id, u16 port, const char *from,
		 const char *to),

	TP_ARGS(net, id, port, from, to),

	TP_STRUCT__entry(
		__field(u32, ns)
		__field(u16, port)
		__field(u64, id)
		__string(from, from)
		__string(to, to)
	),

	TP_fast_assign(
		__entry->ns = net->ns.inum;
		__entry->port = port;
		__entry->id = id;
		__assign_str(from);
		__assign_str(to);
	),

	TP_printk("ns=%u id=%llu port=%u %s -> %s",
		  __entry->ns, __entry->id, __entry->port, __get_str(from),
		  __get_str(to))
);

/* A packet of ours was sent or received; type as on the wire. */
TRACE_EVENT(sdp_packet,

	TP_PROTO(const struct net *net, bool sent, u8 type, u64 id, u16 port,
		 u16 peer_port, u32 offset, u32 length),

	TP_ARGS(net, sent, type, id, port, peer_port, offset, length),

	TP_STRUCT__entry(
		__field(u32, ns)
		__field(u16, port)
		__field(u16, peer_port)
		__field(u64, id)
		__field(u32, offset)
		__field(u32, length)
		__field(u8, type)
		__field(bool, sent)
	),

	TP_fast_assign(
		__entry->ns = net->ns.inum;
		__entry->port = port;
		__entry->peer_port = peer_port;
		__entry->id = id;
		__entry->offset = offset;
		__entry->length = length;
		__entry->type = type;
		__entry->sent = sent;
	),

	TP_printk("ns=%u %s type=0x%02x id=%llu port=%u peer=%u offset=%u length=%u",
		  __entry->ns, __entry->sent ? "tx" : "rx", __entry->type,
		  __entry->id, __entry->port, __entry->peer_port,
		  __entry->offset, __entry->length)
);

/* A packet was dropped. length is 0 where there is no packet at hand. */
TRACE_EVENT(sdp_drop,

	TP_PROTO(const struct net *net, enum sdp_drop reason,
		 const struct sk_buff *skb),

	TP_ARGS(net, reason, skb),

	TP_STRUCT__entry(
		__field(u32, ns)
		__field(u32, length)
		__field(u16, protocol)
		__string(reason, sdp_drop_name(reason))
	),

	TP_fast_assign(
		__entry->ns = net->ns.inum;
		__entry->length = skb ? skb->len : 0;
		__entry->protocol = skb ? ntohs(skb->protocol) : 0;
		__assign_str(reason);
	),

	TP_printk("ns=%u reason=%s protocol=0x%04x length=%u",
		  __entry->ns, __get_str(reason), __entry->protocol,
		  __entry->length)
);

/* A session changed its state: added, epoch, who seals, removed, limit, ... */
TRACE_EVENT(sdp_session,

	TP_PROTO(const struct net *net, u32 id, u16 port, const char *change,
		 u64 epoch),

	TP_ARGS(net, id, port, change, epoch),

	TP_STRUCT__entry(
		__field(u32, ns)
		__field(u32, id)
		__field(u64, epoch)
		__field(u16, port)
		__string(change, change)
	),

	TP_fast_assign(
		__entry->ns = net->ns.inum;
		__entry->id = id;
		__entry->epoch = epoch;
		__entry->port = port;
		__assign_str(change);
	),

	TP_printk("ns=%u session=%08x port=%u change=%s epoch=%llu",
		  __entry->ns, __entry->id, __entry->port, __get_str(change),
		  __entry->epoch)
);

#endif /* SDP_OBSERVE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
