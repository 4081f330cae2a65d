/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A generation on trial: it stays when its `health` is good and, where --confirm was
 * given, somebody says so in time; else it goes back to the one before by itself, or
 * out if there is none. The programs of the one before stay in the kernel until then.
 *
 * A process of our own watches, apart from terminal and session. Nothing depends on
 * its life: the deadline stands in the registry, and the next command that changes
 * anything acts on it.
 */
#ifndef FAAS_LOADER_TRIAL_H
#define FAAS_LOADER_TRIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bundle.h"
#include "diag.h"
#include "host.h"

struct trial {
	struct bundle_health health; /* given: judged */
	uint64_t confirm_ns;	     /* 0: nobody has to confirm */
	/* The process that watches. */
	pid_t guard; /* 0: none */
	int to_guard, from_guard;
};

/* What the options and the bundle ask for. -1 with a diagnostic: --confirm is not a
 * time. */
int trial_terms(const char *confirm, const struct bundle_health *health, struct trial *ret,
		struct diags *diags) __attribute__((warn_unused_result));

/* Whether there is one. */
static inline bool trial_wanted(const struct trial *trial)
{
	return trial->health.given || trial->confirm_ns;
}

/* Make the guard, before anything changes: from now on a hang-up of the terminal does
 * not end this process either. Without a trial nothing is done. */
int trial_begin(struct trial *trial, const char *workflow, struct diags *diags)
	__attribute__((warn_unused_result));

/* Put it into the registry, before packets are led to the generation. */
void trial_mark(const struct trial *trial, struct faas_registry_entry *entry);

/* The workflow is changed, or is not (@p changed): the guard starts, or ends. With
 * health to judge this waits for the verdict. -1 with a diagnostic: it went back. */
int trial_wait(struct trial *trial, const char *workflow, bool changed, struct diags *diags)
	__attribute__((warn_unused_result));

/* The generation stays. The lock is held. */
int trial_pass(const struct host *host, uint32_t slot, const char *event, struct diags *diags)
	__attribute__((warn_unused_result));

/* It goes back, or out. The lock is held. */
int trial_go_back(struct host *host, uint32_t slot, const char *reason, struct diags *diags)
	__attribute__((warn_unused_result));

/* Whether its time is over for so long that its guard is gone. */
bool trial_overdue(const struct faas_registry_entry *entry);

#endif
