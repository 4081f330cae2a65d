/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces: the root program of each, and the trigger table in front of it.
 */
#ifndef FAAS_LOADER_ATTACH_H
#define FAAS_LOADER_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "host.h"

/* An interface in a network namespace. */
struct interface {
	char name[IF_NAMESIZE];
	uint64_t netns_inode;
	unsigned int index;
};

/* How a root program is attached, as the kernel says. */
enum attach_mode { ATTACH_GONE, ATTACH_NATIVE, ATTACH_GENERIC, ATTACH_HARDWARE };

/* A network namespace that this process has entered, and the one it came from. */
struct netns {
	int from_fd; /* -1: none was entered */
	uint64_t inode;
	char path[256]; /* "" for the one it is in */
};

/* Enter namespace @p name of `ip netns` (NULL: stay). */
int netns_enter(struct netns *netns, const char *name, struct diags *diags)
	__attribute__((warn_unused_result));
/* The same by path; used for namespaces that were recorded. */
int netns_enter_path(struct netns *netns, const char *path) __attribute__((warn_unused_result));
/* Back to where it came from. */
void netns_leave(struct netns *netns);

/* Look an interface of the current namespace up. */
int interface_find(const char *name, const struct netns *netns, struct interface *ret,
		   struct diags *diags) __attribute__((warn_unused_result));

/* See that the trigger's ports are free there and no foreign program holds the
 * interface. Changes nothing. */
int attach_check(const struct host *host, const struct bundle_trigger *trigger,
		 const struct interface *interface, struct diags *diags)
	__attribute__((warn_unused_result));

/* Put the root program on the interface, if it is not there. */
int attach_root(const struct host *host, const struct interface *interface, enum bundle_hook hook,
		struct diags *diags) __attribute__((warn_unused_result));

/* Lead the trigger's ports to a slot: packets flow from here on. */
int attach_trigger(const struct bundle_trigger *trigger, const struct interface *interface,
		   uint32_t slot, struct diags *diags) __attribute__((warn_unused_result));

/* Clear every entry that leads to @p slot, on all interfaces. */
void attach_clear_slot(uint32_t slot);

/* Take root programs off that no entry needs. */
void attach_remove_unused(void);

/* The mode of the root program; ATTACH_GONE if interface or program are gone. */
enum attach_mode attach_query(const struct interface *interface);
const char *attach_mode_name(enum attach_mode mode);

/* Counters of packets that no workflow took, over all CPUs. 0 or -errno. */
int attach_counters(const struct interface *interface, struct faas_root_counters *ret)
	__attribute__((warn_unused_result));

#endif
