// SPDX-License-Identifier: Apache-2.0
/*
 * A QEMU plugin that counts instructions by the address of their block, between
 * the marks of ../load/mark.hpp. At each second mark it writes "address count" lines, 16
 * hex digits and a decimal number, to FILE.N of its argument out=FILE, N from 0 on; with
 * edges=FILE, at exit, also "from to count" for each pair of blocks that ran one after
 * the other, from which calls can be told.
 *
 * Debian ships no header for plugins; the few functions used are declared here
 * (API version 1: QEMU 4.2 and later).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { QEMU_PLUGIN_INLINE_ADD_U64 };
enum { QEMU_PLUGIN_CB_NO_REGS };

typedef void (*tb_callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_callback)(unsigned int cpu, void *data);
typedef void (*exit_callback)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_callback callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation, void *where,
					      uint64_t value);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, insn_callback callback,
					  int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, insn_callback callback,
					    int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_callback callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* One block of code. Chained by hash; never freed, so that counters stay put. */
struct block {
	uint64_t address;
	uint64_t running;	/* since the first mark; the emulator adds to it */
	struct block *next;
	struct edge *edges;	/* blocks that ran before this one */
};

struct edge {
	struct block *from;
	uint64_t count;
	struct edge *next;
};

#define BUCKETS (1 << 18)
static struct block *buckets[BUCKETS];
static const char *out_path;
static const char *edges_path;
static bool active;		/* between the marks */
static struct block *last;

static void *zeroed(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

static struct block *block_at(uint64_t address)
{
	struct block **head = &buckets[(address >> 2 ^ address >> 20) % BUCKETS];
	struct block *block;

	for (block = *head; block; block = block->next)
		if (block->address == address)
			return block;
	block = zeroed(sizeof(*block));
	block->address = address;
	block->next = *head;
	*head = block;
	return block;
}

static void each_block(void (*call)(struct block *block, void *data), void *data)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct block *block = buckets[i]; block; block = block->next)
			call(block, data);
}

static void forget(struct block *block, void *data)
{
	(void)data;
	block->running = 0;
}

static void write_line(struct block *block, void *data)
{
	if (block->running)
		fprintf(data, "%016llx %llu\n", (unsigned long long)block->address,
			(unsigned long long)block->running);
}

static void write_edges(struct block *block, void *data)
{
	for (struct edge *edge = block->edges; edge; edge = edge->next)
		fprintf(data, "%016llx %016llx %llu\n", (unsigned long long)edge->from->address,
			(unsigned long long)block->address, (unsigned long long)edge->count);
}

/* A block has few that come before it, nearly always the same. */
static void count_edge(struct block *from, struct block *to)
{
	struct edge **at, *edge;

	for (at = &to->edges; *at; at = &(*at)->next)
		if ((*at)->from == from)
			break;
	edge = *at;
	if (edge) {
		*at = edge->next;
	} else {
		edge = zeroed(sizeof(*edge));
		edge->from = from;
	}
	edge->count++;
	edge->next = to->edges;
	to->edges = edge;
}

static void on_block(unsigned int cpu, void *data)
{
	(void)cpu;
	if (active && last)
		count_edge(last, data);
	last = data;
}

static void on_start(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	active = true;
	each_block(forget, NULL);
}

static void write_file(const char *path, void (*line)(struct block *block, void *data))
{
	FILE *out = fopen(path, "w");

	if (!out) {
		perror(path);
		return;
	}
	each_block(line, out);
	fclose(out);
}

static void on_stop(unsigned int cpu, void *data)
{
	static unsigned int number;
	char path[4096];

	(void)cpu;
	(void)data;
	active = false;
	snprintf(path, sizeof(path), "%s.%u", out_path, number++);
	write_file(path, write_line);
}

static void look_for_mark(struct qemu_plugin_insn *insn)
{
	static const uint8_t mark[] = { 0x0f, 0x1f, 0x80, 'S', 'D', 'P' };
	const uint8_t *bytes = qemu_plugin_insn_data(insn);

	if (qemu_plugin_insn_size(insn) != sizeof(mark) + 1 || memcmp(bytes, mark, sizeof(mark)))
		return;
	if (bytes[sizeof(mark)] == '1')
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start, QEMU_PLUGIN_CB_NO_REGS, NULL);
	if (bytes[sizeof(mark)] == '2')
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_stop, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	struct block *block;

	(void)id;
	if (!count)
		return;
	block = block_at(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)));
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->running,
						 count);
	if (edges_path)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
	for (size_t i = 0; i < count; i++)
		look_for_mark(qemu_plugin_tb_get_insn(tb, i));
}

static void on_exit_write(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	if (edges_path)
		write_file(edges_path, write_edges);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
								const struct qemu_info_t *info,
								int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out_path = strdup(argv[i] + 4);
		if (!strncmp(argv[i], "edges=", 6))
			edges_path = strdup(argv[i] + 6);
	}
	if (!out_path) {
		fprintf(stderr, "plugin: out=FILE is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
	return 0;
}
