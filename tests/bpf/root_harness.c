// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The root program alone: see root_harness.h. */
#include "counters.h"
#include "root_harness.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#define CPUS_MAX 1024
/* Of frames that the kernel runs a program with: an Ethernet header, for TC a whole
 * IP header as well. */
#define XDP_BYTES_MIN 14
#define TC_BYTES_MIN 54

const char *const root_count_names[ROOT_COUNTS] = {
	"unmatched", "fragments", "not_ip", "other_protocol", "malformed", "nonlinear", "matched"};

static int map_fd(struct root *root, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(root->object, name);

	if (fd < 0)
		fail_msg("the root program has no map %s", name);
	return fd;
}

static void stay_on_this_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

void root_open(struct root *ret, enum root_hook hook)
{
	bool xdp = hook == ROOT_XDP;

	stay_on_this_cpu();
	*ret = (struct root){.hook = hook,
			     .pass = xdp ? XDP_PASS : (uint32_t)TC_ACT_UNSPEC,
			     .frame_bytes_min = xdp ? XDP_BYTES_MIN : TC_BYTES_MIN};
	ret->object = bpf_object__open_file(
		xdp ? TEST_BUILD "/libexec/root.bpf.o" : TEST_BUILD "/libexec/root_tc.bpf.o", NULL);
	if (!ret->object)
		fail_msg("root program: %s", strerror(errno));
	assert_int_equal(counters_size(ret->object), 0);
	assert_int_equal(bpf_object__load(ret->object), 0);
	ret->program_fd = bpf_program__fd(
		bpf_object__find_program_by_name(ret->object, xdp ? "root" : "root_tc"));
	assert_true(ret->program_fd >= 0);
	ret->packet_fd = map_fd(ret, FAAS_PIN_PACKET);
	ret->ports_fd = map_fd(ret, FAAS_PIN_PORTS);
	ret->rules_fd = map_fd(ret, FAAS_PIN_RULES);
	ret->classes_fd = map_fd(ret, FAAS_PIN_CLASSES);
	ret->stages_fd = map_fd(ret, FAAS_PIN_STAGES);
	ret->ethertypes_fd = map_fd(ret, FAAS_PIN_ETHERTYPES);
	ret->sources_fd = map_fd(ret, FAAS_PIN_SOURCES);
	ret->destinations_fd = map_fd(ret, FAAS_PIN_DESTINATIONS);
	ret->slots_fd = map_fd(ret, xdp ? FAAS_PIN_SLOTS : FAAS_PIN_TC_SLOTS);
	ret->slot_counters_fd = map_fd(ret, FAAS_PIN_SLOT_COUNTERS);
	ret->counters_fd = map_fd(ret, FAAS_PIN_ROOT_COUNTERS);
	ret->cpus = (unsigned int)libbpf_num_possible_cpus();
	assert_in_range(ret->cpus, 1, CPUS_MAX);
}

void root_close(struct root *root)
{
	bpf_object__close(root->object);
}

void root_set_port(struct root *root, uint16_t port, const struct faas_port_entry *entry)
{
	uint32_t key = port;

	assert_int_equal(bpf_map_update_elem(root->ports_fd, &key, entry, BPF_ANY), 0);
}

static void put(int fd, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

/* Delete all entries of a hash or trie. */
static void clear(int fd)
{
	union {
		uint16_t ethertype;
		struct faas_prefix_key prefix;
	} key;

	while (!bpf_map_get_next_key(fd, NULL, &key))
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

static void clear_classes(int fd)
{
	static const struct faas_trigger_ref none;

	for (uint32_t class = 0; class < FAAS_CLASSES; class ++)
		put(fd, &class, &none);
}

void root_set_tables(struct root *root, const struct tables *tables)
{
	uint32_t zero = 0, stages = tables_stages(tables);

	clear(root->sources_fd);
	clear(root->destinations_fd);
	clear(root->ethertypes_fd);
	clear_classes(root->classes_fd);
	for (uint32_t i = 0; i < TABLES_PORTS_MAX; i++)
		if (tables->ports[i].port)
			root_set_port(root, tables->ports[i].port, &tables->ports[i].entry);
	for (uint32_t i = 1; i < TABLES_RULES_MAX; i++) {
		struct faas_rule rule = tables_rule(&tables->rules[i]);

		put(root->rules_fd, &i, &rule);
	}
	for (uint32_t i = 0; i < TABLES_PREFIXES_MAX && tables->prefixes[i].network; i++) {
		const struct tables_prefix *prefix = &tables->prefixes[i];
		struct faas_prefix_key key = tables_prefix_key(prefix);

		put(prefix->destination ? root->destinations_fd : root->sources_fd, &key,
		    &prefix->ref);
	}
	for (uint32_t i = 0; i < TABLES_ETHERTYPES_MAX && tables->ethertypes[i].ethertype; i++)
		put(root->ethertypes_fd, &tables->ethertypes[i].ethertype,
		    &tables->ethertypes[i].ref);
	for (uint32_t i = 0; i < TABLES_CLASSES_MAX; i++)
		if (tables->classes[i].ref.slot)
			put(root->classes_fd, &tables->classes[i].class, &tables->classes[i].ref);
	put(root->stages_fd, &zero, &stages);
}

void root_clear_ports(struct root *root, const struct tables *tables)
{
	static const struct faas_port_entry none;

	for (uint32_t i = 0; i < TABLES_PORTS_MAX; i++)
		if (tables->ports[i].port)
			root_set_port(root, tables->ports[i].port, &none);
}

void root_set_slot(struct root *root, uint32_t slot, int verdict)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict},
		{.code = BPF_JMP | BPF_EXIT},
	};
	/* What libbpf sets for section "xdp.frags": members of a prog array are alike in it. */
	LIBBPF_OPTS(bpf_prog_load_opts, options);
	int fd;

	if (verdict < 0) {
		bpf_map_delete_elem(root->slots_fd, &slot);
		return;
	}
	if (root->hook == ROOT_XDP) {
		options.expected_attach_type = BPF_XDP;
		options.prog_flags = BPF_F_XDP_HAS_FRAGS;
	}
	fd = bpf_prog_load(root->hook == ROOT_XDP ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS,
			   "verdict", "Dual BSD/GPL", program, 2, &options);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(root->slots_fd, &slot, &fd, BPF_ANY), 0);
	close(fd);
}

uint32_t root_run(struct root *root, const void *frame, uint32_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = bytes,
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(root->program_fd, &options);

	if (err)
		fail_msg("BPF_PROG_TEST_RUN of %u bytes: %s", bytes, strerror(-err));
	return options.retval;
}

struct faas_slot_counters root_slot_counters(struct root *root, uint32_t slot)
{
	struct faas_slot_counters sum;

	assert_int_equal(counters_slot(root->slot_counters_fd, slot, &sum), 0);
	return sum;
}

struct faas_root_counters root_counters(struct root *root)
{
	static struct faas_root_counters values[CPUS_MAX];
	struct faas_root_counters sum = {0};
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(root->counters_fd, &zero, values), 0);
	for (unsigned int i = 0; i < root->cpus; i++) {
		sum.unmatched += values[i].unmatched;
		sum.fragments += values[i].fragments;
		sum.not_ip += values[i].not_ip;
		sum.other_protocol += values[i].other_protocol;
		sum.malformed += values[i].malformed;
		sum.nonlinear += values[i].nonlinear;
	}
	return sum;
}

/* The first slots are enough for tests. */
static void read_counts(struct root *root, uint64_t ret[ROOT_COUNTS])
{
	struct faas_root_counters counters = root_counters(root);

	ret[ROOT_UNMATCHED] = counters.unmatched;
	ret[ROOT_FRAGMENT] = counters.fragments;
	ret[ROOT_NOT_IP] = counters.not_ip;
	ret[ROOT_OTHER_PROTOCOL] = counters.other_protocol;
	ret[ROOT_MALFORMED] = counters.malformed;
	ret[ROOT_NONLINEAR] = counters.nonlinear;
	ret[ROOT_MATCHED] = 0;
	for (uint32_t slot = 0; slot < 8; slot++)
		ret[ROOT_MATCHED] += root_slot_counters(root, slot).matched;
}

struct faas_packet root_packet(struct root *root)
{
	static struct faas_packet values[CPUS_MAX];
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(root->packet_fd, &zero, values), 0);
	return values[sched_getcpu()];
}

/* Which counter went up between two looks. */
static enum root_count counted(const uint64_t before[ROOT_COUNTS],
			       const uint64_t after[ROOT_COUNTS])
{
	enum root_count found = ROOT_COUNTS;

	for (int i = 0; i < ROOT_COUNTS; i++) {
		if (after[i] == before[i])
			continue;
		if (after[i] != before[i] + 1 || found != ROOT_COUNTS)
			fail_msg("one frame was counted more than once");
		found = (enum root_count)i;
	}
	if (found == ROOT_COUNTS)
		fail_msg("a frame was not counted");
	return found;
}

/* Run a frame in parts of the kernel's choice, or as it is said. */
static bool run_split(struct root *root, const void *frame, uint32_t bytes, uint32_t linear_bytes)
{
	struct xdp_md xdp = {.data_end = linear_bytes};
	struct __sk_buff tc = {.data_end = linear_bytes};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = bytes,
		    .repeat = 1);

	if (linear_bytes) {
		options.ctx_in = root->hook == ROOT_XDP ? (void *)&xdp : (void *)&tc;
		options.ctx_size_in = root->hook == ROOT_XDP ? sizeof(xdp) : sizeof(tc);
	}
	if (bpf_prog_test_run_opts(root->program_fd, &options))
		return false;
	assert_int_equal(options.retval, root->pass);
	return true;
}

enum root_count root_count(struct root *root, const void *frame, uint32_t bytes,
			   struct faas_packet *ret_packet)
{
	uint64_t before[ROOT_COUNTS], after[ROOT_COUNTS];
	enum root_count found;

	read_counts(root, before);
	assert_int_equal(root_run(root, frame, bytes), root->pass);
	read_counts(root, after);
	found = counted(before, after);
	if (ret_packet && found == ROOT_MATCHED)
		*ret_packet = root_packet(root);
	return found;
}

uint16_t root_trigger(struct root *root, const void *frame, uint32_t bytes)
{
	struct faas_packet packet;

	if (root_count(root, frame, bytes, &packet) != ROOT_MATCHED)
		return 0;
	return packet.trigger & (uint16_t)~FAAS_PACKET_SAMPLED;
}

bool root_count_split(struct root *root, const void *frame, uint32_t bytes, uint32_t linear_bytes,
		      enum root_count *ret, struct faas_packet *ret_packet)
{
	uint64_t before[ROOT_COUNTS], after[ROOT_COUNTS];

	read_counts(root, before);
	if (!run_split(root, frame, bytes, linear_bytes))
		return false;
	read_counts(root, after);
	*ret = counted(before, after);
	if (*ret == ROOT_MATCHED)
		*ret_packet = root_packet(root);
	return true;
}
