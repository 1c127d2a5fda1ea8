// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that a program may not give: each rule once kept and once broken. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/run/insn.c"

#define LENGTH 5000
#define READY 3000

struct rule {
	const char *name;
	struct mtp_insn good;
	struct mtp_insn bad;
};

static const struct rule rules[] = {
	{ "an instruction that exists",
	  { .op = MTP_CTX_KEEP }, { .op = MTP_OPS } },
	{ "the length is known once", { .op = MTP_RX_FLUSH, .b = 1 },
	  { .op = MTP_RX_NEW, .a = LENGTH } },
	{ "bytes of the packet", { .op = MTP_RX_ADD, .a = 1000, .b = 2000 },
	  { .op = MTP_RX_ADD, .a = 999, .b = 2000 } },
	{ "no bytes after the packet's", { .op = MTP_RX_ADD, .a = 1500, .b = 2000 },
	  { .op = MTP_RX_ADD, .a = 1500, .b = 2001 } },
	{ "some bytes are added", { .op = MTP_RX_ADD, .a = 1999, .b = 2000 },
	  { .op = MTP_RX_ADD, .a = 2000, .b = 2000 } },
	{ "bytes of the message are forgotten",
	  { .op = MTP_RX_FLUSH, .a = 0, .b = LENGTH },
	  { .op = MTP_RX_FLUSH, .a = 0, .b = LENGTH + 1 } },
	{ "a range has its end last", { .op = MTP_RX_FLUSH, .a = 1, .b = 2 },
	  { .op = MTP_RX_FLUSH, .a = 2, .b = 1 } },
	{ "nothing is sent that is not ready",
	  { .op = MTP_TX_DATA, .a = 0, .b = READY },
	  { .op = MTP_TX_DATA, .a = 0, .b = READY + 1 } },
	{ "nothing is sent from beyond what is ready",
	  { .op = MTP_TX_DATA, .a = READY, .b = READY },
	  { .op = MTP_TX_DATA, .a = READY + 1, .b = READY } },
	{ "no more is announced than there is",
	  { .op = MTP_TX_DATA, .b = 1, .c = LENGTH },
	  { .op = MTP_TX_DATA, .b = 1, .c = LENGTH + 1 } },
	{ "a priority that exists", { .op = MTP_TX_DATA, .b = 1, .prio = 7 },
	  { .op = MTP_TX_DATA, .b = 1, .prio = 8 } },
	{ "flags that exist", { .op = MTP_TX_DATA, .b = 1, .flags = MTP_TX_FLAGS },
	  { .op = MTP_TX_DATA, .b = 1, .flags = 0x80 } },
	{ "a packet that exists",
	  { .op = MTP_PACKET, .what = PROG_PACKET_ABORT },
	  { .op = MTP_PACKET, .what = 0x16 } },
	{ "a priority of a packet", { .op = MTP_PACKET, .what = PROG_PACKET_BUSY },
	  { .op = MTP_PACKET, .what = PROG_PACKET_BUSY, .prio = 8 } },
	{ "a range that fits 32 bits",
	  { .op = MTP_PACKET, .what = PROG_PACKET_RESEND, .a = 8,
	    .b = PROG_LENGTH_ALL },
	  { .op = MTP_PACKET, .what = PROG_PACKET_RESEND, .a = 8,
	    .b = PROG_LENGTH_ALL - 1 } },
	{ "a time", { .op = MTP_TIMER_SET, .key = 1 }, { .op = MTP_TIMER_SET } },
	{ "a rank that exists", { .op = MTP_RANK_SET, .what = PROG_RANKS - 1 },
	  { .op = MTP_RANK_SET, .what = PROG_RANKS } },
	{ "a rank to leave", { .op = MTP_RANK_CLEAR, .what = PROG_RANKS - 1 },
	  { .op = MTP_RANK_CLEAR, .what = PROG_RANKS } },
	{ "a rank to kick", { .op = MTP_RANK_KICK, .what = PROG_RANKS - 1 },
	  { .op = MTP_RANK_KICK, .what = PROG_RANKS } },
	{ "a place in a rank by peers", { .op = MTP_RANK_PLACE, .what = PROG_RANK_LEND },
	  { .op = MTP_RANK_PLACE, .what = PROG_RANK_FIFO } },
	{ "a place in a rank that exists",
	  { .op = MTP_RANK_PLACE, .what = PROG_RANK_GRANT },
	  { .op = MTP_RANK_PLACE, .what = PROG_RANKS } },
	{ "an event that exists", { .op = MTP_RAISE, .what = PROG_EVENTS - 1 },
	  { .op = MTP_RAISE, .what = PROG_EVENTS } },
	{ "an error that is one",
	  { .op = MTP_NOTIFY, .what = MTP_NOTIFY_FAILED, .a = 1 },
	  { .op = MTP_NOTIFY, .what = MTP_NOTIFY_FAILED, .a = 0 } },
	{ "something to tell", { .op = MTP_NOTIFY, .what = MTP_NOTIFY_READY },
	  { .op = MTP_NOTIFY, .what = MTP_NOTIFIES } },
};

struct rig {
	struct sdp_run run;
	struct sdp_rpc rpc;
	struct sk_buff skb;
};

static int rig_init(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->rpc.rx_length = LENGTH;
	rig->rpc.tx.length = LENGTH;
	rig->rpc.tx.ready = READY;
	rig->run.skb = &rig->skb;
	rig->run.ev.kind = PROG_EV_DATA;
	rig->run.ev.offset = 1000;
	rig->run.ev.length = 1000;
	test->priv = rig;
	return 0;
}

static bool sound(struct rig *rig, const struct mtp_insn *insn)
{
	rig->run.out.insn[0] = *insn;
	rig->run.out.count = 1;
	return sdp_insn_sound(&rig->run, &rig->rpc);
}

static void each_rule_is_looked_at(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		KUNIT_EXPECT_TRUE_MSG(test, sound(test->priv, &rules[i].good),
				      "%s: refused", rules[i].name);
		KUNIT_EXPECT_FALSE_MSG(test, sound(test->priv, &rules[i].bad),
				       "%s: not noticed", rules[i].name);
	}
}

static void a_length_counts_for_what_follows(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct mtp_out *out = &rig->run.out;

	rig->rpc.rx_length = 0;
	out->insn[0] = (struct mtp_insn){ .op = MTP_RX_ADD, .a = 1000, .b = 1001 };
	out->count = 1;
	KUNIT_EXPECT_FALSE(test, sdp_insn_sound(&rig->run, &rig->rpc));
	out->insn[1] = out->insn[0];
	out->insn[0] = (struct mtp_insn){ .op = MTP_RX_NEW, .a = LENGTH };
	out->count = 2;
	KUNIT_EXPECT_TRUE(test, sdp_insn_sound(&rig->run, &rig->rpc));
}

static void nothing_is_kept_without_a_packet(struct kunit *test)
{
	struct rig *rig = test->priv;

	rig->run.skb = NULL;
	KUNIT_EXPECT_FALSE(test, sound(rig, &rules[2].good));
}

static void acknowledgements_follow_their_packet(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct mtp_out *out = &rig->run.out;

	KUNIT_EXPECT_FALSE(test, sound(rig, &(struct mtp_insn){ .op = MTP_ACK }));
	out->insn[0] = (struct mtp_insn){ .op = MTP_PACKET,
					  .what = PROG_PACKET_ACK };
	out->insn[1] = (struct mtp_insn){ .op = MTP_ACK };
	out->insn[2] = (struct mtp_insn){ .op = MTP_ACK };
	out->count = 3;
	KUNIT_EXPECT_TRUE(test, sdp_insn_sound(&rig->run, &rig->rpc));
	out->insn[0].what = PROG_PACKET_BUSY;
	KUNIT_EXPECT_FALSE(test, sdp_insn_sound(&rig->run, &rig->rpc));
	rig->run.ev.kind = PROG_EV_TAKE_ACKS;
	KUNIT_EXPECT_TRUE(test, sound(rig, &(struct mtp_insn){ .op = MTP_ACK }));
}

static void without_an_rpc_there_are_only_packets(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct mtp_out *out = &rig->run.out;

	out->count = 1;
	out->insn[0] = (struct mtp_insn){ .op = MTP_PACKET,
					  .what = PROG_PACKET_RPC_UNKNOWN };
	KUNIT_EXPECT_TRUE(test, sdp_insn_sound(&rig->run, NULL));
	out->insn[0] = (struct mtp_insn){ .op = MTP_TIMER_SET, .key = 1 };
	KUNIT_EXPECT_FALSE(test, sdp_insn_sound(&rig->run, NULL));
}

static void no_more_than_fit(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct mtp_out *out = &rig->run.out;
	u32 i;

	for (i = 0; i < MTP_MAX_INSNS; i++)
		out->insn[i] = (struct mtp_insn){ .op = MTP_CTX_KEEP };
	out->count = MTP_MAX_INSNS;
	KUNIT_EXPECT_TRUE(test, sdp_insn_sound(&rig->run, &rig->rpc));
	out->count = MTP_MAX_INSNS + 1;
	KUNIT_EXPECT_FALSE(test, sdp_insn_sound(&rig->run, &rig->rpc));
}

static struct kunit_case insn_cases[] = {
	KUNIT_CASE(each_rule_is_looked_at),
	KUNIT_CASE(a_length_counts_for_what_follows),
	KUNIT_CASE(nothing_is_kept_without_a_packet),
	KUNIT_CASE(acknowledgements_follow_their_packet),
	KUNIT_CASE(without_an_rpc_there_are_only_packets),
	KUNIT_CASE(no_more_than_fit),
	{}
};

static struct kunit_suite insn_suite = {
	.name = "sdp_target_insn",
	.init = rig_init,
	.test_cases = insn_cases,
};

kunit_test_suite(insn_suite);

MODULE_DESCRIPTION("Tests of SDP's check of instructions");
MODULE_LICENSE("GPL");
