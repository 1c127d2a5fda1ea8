// SPDX-License-Identifier: Apache-2.0
/*
 * The generated part of docs/program.md: the Homa program's tables, expanded
 * from the same files as the program itself.
 */
#include <stdio.h>
#include <string.h>

#include "homa.h"

struct row {
	const char *event;
	u32 contexts;
	const char *chain;
};

#define DO_0(name) #name " "
#define DO_R(name) #name " "
#define DO_C(name) #name " "
#define DO_P(name) #name " "
#define DO_RC(name) #name " "
#define DO_RP(name) #name " "
#define DO_RH(name) #name " "
#define DO_RPH(name) #name " "

static const struct row rows[] = {
#define EVENT(name, contexts, chain) { #name, contexts, chain },
#include "../../module/program/homa/homa.def"
#undef EVENT
};

static void contexts(u32 set)
{
	static const char *const names[] = { "RPC", "client", "peer", "host" };
	const char *separator = "";
	u32 i;

	for (i = 0; i < 4; i++) {
		if (!(set >> i & 1))
			continue;
		printf("%s%s", separator, names[i]);
		separator = ", ";
	}
	if (!set)
		printf("-");
}

static void chain(const char *words)
{
	const char *separator = "";

	while (*words) {
		int length = (int)strcspn(words, " ");

		printf("%s`%.*s`", separator, length, words);
		separator = ", ";
		words += length + 1;
	}
}

int main(void)
{
	u32 i;

	printf("| event | contexts | chain |\n|---|---|---|\n");
	for (i = 0; i < PROG_EVENTS; i++) {
		printf("| %s | ", rows[i].event);
		contexts(rows[i].contexts);
		printf(" | ");
		chain(rows[i].chain);
		printf(" |\n");
	}
	printf("\n| drop reason | meaning |\n|---|---|\n");
	for (i = 1; i < PROG_DROPS; i++)
		printf("| %s | %s |\n", prog_drop_name(i), prog_drop_text(i));
	return 0;
}
