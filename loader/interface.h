/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network interfaces: what there is in a namespace, which of them `any` and a
 * pattern mean, and whether one is of a kind that a hook can be on.
 */
#ifndef FAAS_LOADER_INTERFACE_H
#define FAAS_LOADER_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"

#define INTERFACE_KIND_BYTES 24
#define INTERFACE_TEXT_BYTES 512

/* An interface in a network namespace. */
struct interface {
	char name[IF_NAMESIZE];
	uint64_t netns_inode;
	unsigned int index;
};

/* One as the kernel describes it. */
struct interface_link {
	char name[IF_NAMESIZE];
	char kind[INTERFACE_KIND_BYTES]; /* "" for hardware, else as in `ip link add type` */
	unsigned int index;
	unsigned int hardware_type; /* ARPHRD_* */
	unsigned int flags;	    /* IFF_* */
	unsigned int mtu;
	unsigned int below;	/* index of what it is built on; 0: nothing, or not here */
	unsigned int master;	/* index of the bridge, bond or team it belongs to; 0 */
	unsigned int vlan;	/* of a VLAN interface */
	unsigned int bond_mode; /* BOND_MODE_* of a bond */
	unsigned int bond_hash; /* BOND_XMIT_POLICY_* of a bond */
};

/* All of a namespace. */
struct interface_list {
	struct interface_link *links;
	uint32_t count;
};

/* List the interfaces of the thread's namespace. 0 or -errno. */
int interface_list_read(struct interface_list *ret) __attribute__((warn_unused_result));
void interface_list_free(struct interface_list *list);

const struct interface_link *interface_by_name(const struct interface_list *list, const char *name);
const struct interface_link *interface_by_index(const struct interface_list *list,
						unsigned int index);

/* Whether a name of a workflow means several: `any`, or with *, ? or [. */
bool interface_is_pattern(const char *name);

/**
 * Whether @p pattern means this one. `any` means every interface that has packets
 * with Ethernet headers and is not built on others, which have them already; a
 * pattern every one whose name fits. Loopback is meant only by its name.
 */
bool interface_is_meant(const struct interface_link *link, const char *pattern);

/* Names of all, for "there are ...". */
void interface_list_text(const struct interface_list *list, char *ret, size_t bytes);

/**
 * @brief Whether a hook can be on an interface of this kind.
 *
 * @return 0; -1 with a cause and the interface to use instead in @p ret_cause and
 * @p ret_advice, INTERFACE_TEXT_BYTES each. What only the driver knows is not
 * looked at.
 */
int interface_check_kind(const struct interface_link *link, const struct interface_list *list,
			 enum bundle_hook hook, char *ret_cause, char *ret_advice)
	__attribute__((warn_unused_result));

#endif
