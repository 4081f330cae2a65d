// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The root program alone: see root_harness.h. */
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
#include <unistd.h>

#define CPUS_MAX 1024

const char *const root_count_names[ROOT_COUNTS] = {"unmatched",	     "fragments", "not_ip",
						   "other_protocol", "malformed", "matched"};

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

void root_open(struct root *ret)
{
	stay_on_this_cpu();
	ret->object = bpf_object__open_file(TEST_BUILD "/libexec/root.bpf.o", NULL);
	if (!ret->object)
		fail_msg("root.bpf.o: %s", strerror(errno));
	assert_int_equal(bpf_object__load(ret->object), 0);
	ret->program_fd = bpf_program__fd(bpf_object__find_program_by_name(ret->object, "root"));
	assert_true(ret->program_fd >= 0);
	ret->packet_fd = map_fd(ret, FAAS_PIN_PACKET);
	ret->ports_fd = map_fd(ret, FAAS_PIN_PORTS);
	ret->slots_fd = map_fd(ret, FAAS_PIN_SLOTS);
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

void root_set_slot(struct root *root, uint32_t slot, int verdict)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict},
		{.code = BPF_JMP | BPF_EXIT},
	};
	/* What libbpf sets for section "xdp.frags": members of a prog array are alike in it. */
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP,
		    .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd;

	if (verdict < 0) {
		bpf_map_delete_elem(root->slots_fd, &slot);
		return;
	}
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "verdict", "Dual BSD/GPL", program, 2, &options);
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
	static struct faas_slot_counters values[CPUS_MAX];
	struct faas_slot_counters sum = {0};

	assert_int_equal(bpf_map_lookup_elem(root->slot_counters_fd, &slot, values), 0);
	for (unsigned int i = 0; i < root->cpus; i++) {
		sum.matched += values[i].matched;
		sum.matched_bytes += values[i].matched_bytes;
		sum.no_program += values[i].no_program;
	}
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
	ret[ROOT_MATCHED] = 0;
	for (uint32_t slot = 0; slot < 8; slot++)
		ret[ROOT_MATCHED] += root_slot_counters(root, slot).matched;
}

static void read_packet(struct root *root, struct faas_packet *ret)
{
	static struct faas_packet values[CPUS_MAX];
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(root->packet_fd, &zero, values), 0);
	*ret = values[sched_getcpu()];
}

enum root_count root_count(struct root *root, const void *frame, uint32_t bytes,
			   struct faas_packet *ret_packet)
{
	uint64_t before[ROOT_COUNTS], after[ROOT_COUNTS];
	enum root_count found = ROOT_COUNTS;

	read_counts(root, before);
	assert_int_equal(root_run(root, frame, bytes), XDP_PASS);
	read_counts(root, after);
	for (int i = 0; i < ROOT_COUNTS; i++) {
		if (after[i] == before[i])
			continue;
		if (after[i] != before[i] + 1 || found != ROOT_COUNTS)
			fail_msg("one frame was counted more than once");
		found = (enum root_count)i;
	}
	if (found == ROOT_COUNTS)
		fail_msg("a frame was not counted");
	if (ret_packet && found == ROOT_MATCHED)
		read_packet(root, ret_packet);
	return found;
}
