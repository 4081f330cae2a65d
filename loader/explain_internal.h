/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of explain share: see explain.h. */
#ifndef FAAS_LOADER_EXPLAIN_INTERNAL_H
#define FAAS_LOADER_EXPLAIN_INTERNAL_H

#include <bpf/libbpf.h>

#include "explain.h"
#include "host.h"

struct loaded {
	struct bundle bundle;
	struct bpf_object *object;
	struct ring_buffer *ring; /* NULL: emits nothing */
	struct function *functions[FAAS_KERNEL_FUNCTIONS_MAX];
	struct explain_meters meters; /* until now */
	uint64_t matched;
	uint32_t slot;
	int meters_fd;
	struct faas_rule *rules;
	uint32_t rule_count;
	struct explain_outcome *outcome; /* that events go to at this moment */
};

struct explain {
	enum bundle_hook hook;
	const char *interface;
	struct host host; /* maps of our own, not those of this machine */
	struct bpf_object *host_object, *deciding, *describing;
	int deciding_fd, describing_fd; /* programs */
	struct loaded **workflows;	/* slot n is workflows[n - 1] */
	uint32_t workflow_count;
	int cpus;
	struct faas_root_counters decided, described; /* until now */
	uint64_t described_count;
};

static inline bool explain_is_xdp(enum bundle_hook hook)
{
	return hook == HOOK_XDP || hook == HOOK_XDP_GENERIC;
}

/* The sum over all CPUs of what a root program counted for packets it did not take: @p fd is
 * its map. 0 or -errno. */
int explain_read_root_counters(const struct explain *explain, int fd,
			       struct faas_root_counters *ret) __attribute__((warn_unused_result));
/* 0 or -errno. */
int explain_read_meters(const struct loaded *loaded, struct explain_meters *ret)
	__attribute__((warn_unused_result));

/* Whose rule it is: bundle and trigger are NULL if nobody's. */
struct explain_match explain_match_of(const struct explain *explain, const struct faas_rule *rule);

#endif
