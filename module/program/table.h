/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What follows from a program's tables: enumerators and names. PROG_TABLE and
 * PROG_DROP_TABLE name the tables, as seen from here.
 */
#ifndef SDP_PROGRAM_TABLE_H
#define SDP_PROGRAM_TABLE_H

#include "event.h"

/* Drop reasons: positive verdicts, from 1. */
enum prog_drop {
	PROG_DROP_NONE,
#define DROP(name, text) PROG_DROP_##name,
#include PROG_DROP_TABLE
#undef DROP
	PROG_DROPS
};

/* Kinds of event, in the order of the table. */
enum prog_event {
#define EVENT(name, contexts, chain) PROG_EV_##name,
#include PROG_TABLE
#undef EVENT
	PROG_EVENTS
};

/**
 * prog_event_contexts() - contexts (MTP_CTX_*) that an event's chain needs.
 * @kind: enum prog_event; a constant folds.
 */
static inline u32 prog_event_contexts(u32 kind)
{
	switch (kind) {
#define EVENT(name, contexts, chain)		\
	case PROG_EV_##name:			\
		return contexts;
#include PROG_TABLE
#undef EVENT
	}
	return 0;
}

/** prog_event_name() - name of an event, for traces and tests. */
static inline const char *prog_event_name(u32 kind)
{
	static const char *const names[] = {
#define EVENT(name, contexts, chain) #name,
#include PROG_TABLE
#undef EVENT
	};

	return kind < PROG_EVENTS ? names[kind] : "?";
}

/** prog_drop_name() - name of a drop reason, as counters have it. */
static inline const char *prog_drop_name(u32 drop)
{
	static const char *const names[] = {
		"NONE",
#define DROP(name, text) #name,
#include PROG_DROP_TABLE
#undef DROP
	};

	return drop < PROG_DROPS ? names[drop] : "?";
}

/** prog_drop_text() - what a drop reason means. */
static inline const char *prog_drop_text(u32 drop)
{
	static const char *const texts[] = {
		"not dropped",
#define DROP(name, text) text,
#include PROG_DROP_TABLE
#undef DROP
	};

	return drop < PROG_DROPS ? texts[drop] : "?";
}

#endif /* SDP_PROGRAM_TABLE_H */
