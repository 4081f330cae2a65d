/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces of a workflow: the root program of each interface and hook, and the
 * rules of the workflow's triggers in its tables.
 *
 *   load:    attach_resolve -> attach_check -> attach_put
 *   update:  attach_resolve -> attach_check -> attach_retain(new) -> ... -> attach_put
 *   unload:  attach_retain(nothing) -> host_barrier -> ... -> attach_remove_unused
 *
 * All but attach_retain() and attach_remove_unused() expect to be in the network
 * namespace of the interfaces.
 */
#ifndef FAAS_LOADER_ATTACH_H
#define FAAS_LOADER_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "host.h"
#include "interface.h"
#include "netns.h"

struct attachment;
struct record;

#define ATTACH_DRIVER_BYTES 32

/* Where a root program can be; each has tables of its own. Native and generic XDP
 * are one. */
enum attach_hook { ATTACH_XDP, ATTACH_TC_INGRESS, ATTACH_TC_EGRESS, ATTACH_HOOKS };

/* How a root program is attached, as the kernel says. */
enum attach_mode {
	ATTACH_GONE,
	ATTACH_NATIVE,
	ATTACH_GENERIC,
	ATTACH_HARDWARE,
	ATTACH_TCX,
	ATTACH_CLSACT,
};

enum attach_hook attach_hook_of(enum bundle_hook hook);
const char *attach_hook_name(enum attach_hook hook); /* as in bpffs */

/* Find the interfaces that the triggers name, and fill @p ret but for its netns_path.
 * Changes nothing. */
int attach_resolve(const struct bundle *bundle, const struct netns *netns, struct record *ret,
		   struct diags *diags) __attribute__((warn_unused_result));

/* Whether attach_put() would succeed after what the workflow in @p own_slot (0: none)
 * no longer wants is taken out. Changes nothing. */
int attach_check(const struct host *host, uint32_t own_slot, const struct bundle *bundle,
		 const struct record *record, struct diags *diags)
	__attribute__((warn_unused_result));

/* Whether attaching there stops and starts the rings of the driver, so that the link
 * may be down for a moment; then says which driver. */
bool attach_resets(const struct attachment *attachment, const struct bundle *bundle,
		   char ret_driver[ATTACH_DRIVER_BYTES]);

/* Make the root programs that are missing, and put in every rule that is missing:
 * packets flow from here on. What is there stays. An interface that has gone since it
 * was written down is passed over. */
int attach_put(const struct host *host, uint32_t slot, const struct bundle *bundle,
	       const struct record *record, struct diags *diags)
	__attribute__((warn_unused_result));

/* Take the rules of a slot out of every table of the host, in all namespaces, except
 * those that @p keep (NULL: none) still wants where @p keep_record says. Programs may
 * be running by the old rules until a barrier. 0 or the first -errno; what can be
 * taken out is. */
int attach_retain(const struct host *host, uint32_t slot, const struct bundle *keep,
		  const struct record *keep_record) __attribute__((warn_unused_result));

/* Take root programs off that no rule needs. */
void attach_remove_unused(void);

/* Call @p found for each root that no rule needs or whose interface is gone, and with
 * @p remove take it off. */
void attach_sweep(bool remove, void (*found)(const char *directory, void *context), void *context);

/* The mode of the root program; ATTACH_GONE if interface or program are gone. */
enum attach_mode attach_query(const struct interface *interface, enum attach_hook hook);
const char *attach_mode_name(enum attach_mode mode);

/* Counters of packets that no workflow took, over all CPUs. 0 or -errno. */
int attach_counters(const struct interface *interface, enum attach_hook hook,
		    struct faas_root_counters *ret) __attribute__((warn_unused_result));

#endif
