/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's part in bpffs: maps that all workflows share, the registry of
 * workflows, the lock that one changing command at a time holds.
 */
#ifndef FAAS_LOADER_HOST_H
#define FAAS_LOADER_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "diag.h"
#include "slots.h"

struct host {
	int lock_fd;
	int slots_fd;
	int tc_slots_fd;
	int slot_counters_fd;
	int packet_fd;
	int registry_fd;
	int barrier_fd;
	/* Maps that nobody else sees, for trying packets: interfaces of this machine
	 * are not looked up. */
	bool detached;
	struct faas_registry_entry *registry; /* mapped, FAAS_SLOTS_MAX entries; NULL: none there */
};

enum host_access {
	HOST_READ,   /* look only: no lock, what is not there stays so */
	HOST_CHANGE, /* take the lock, repair what a killed command left */
	HOST_CREATE, /* the same, and make what is missing: bpffs, directories, maps */
};

/**
 * Open the host's maps. With HOST_READ and HOST_CHANGE a host without any
 * workflow is no error: host->registry is NULL then.
 */
int host_open(struct host *host, enum host_access access, struct diags *diags)
	__attribute__((warn_unused_result));

/* Close; remove the maps if no workflow is left (under the lock only). */
void host_close(struct host *host);

/* The maps that slots are changed by. */
static inline struct slots host_slots(const struct host *host)
{
	return (struct slots){host->slots_fd, host->tc_slots_fd, host->slot_counters_fd,
			      host->registry_fd};
}

/* Slot of a workflow, 0 if there is none of that name. */
uint32_t host_find(const struct host *host, const char *name);

/* A free slot, or 0. */
uint32_t host_free_slot(const struct host *host);

/* Wait until every program that is running now has ended. 0 or -errno. */
int host_barrier(const struct host *host) __attribute__((warn_unused_result));

/* Sum of a slot's counters over all CPUs. 0 or -errno. */
int host_slot_counters(const struct host *host, uint32_t slot, struct faas_slot_counters *ret)
	__attribute__((warn_unused_result));

/* Take everything of a workflow off the host, whatever of it is there; used
 * by unload, by a load that failed, and on what a killed command left. What is stored of
 * one that was being restored stays. 0, or -errno:
 * rules that lead to it could not be taken out. Then it stays as it is, for the next
 * command to remove, and keeps its slot: the next workflow there would get its packets. */
int host_remove_workflow(struct host *host, uint32_t slot, const char *name)
	__attribute__((warn_unused_result));

/* Remove what is stored of a workflow that is not loaded; dead letters and durable state
 * stay. */
void host_forget_workflow(const char *name);

/* mkdir -p with mode 0700 for what is new. 0 or -errno. */
int host_make_directory(const char *path) __attribute__((warn_unused_result));

/* rm -r, of plain files and directories below @p path; nothing is followed. */
void host_remove_tree(const char *path);

#endif
