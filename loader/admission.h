/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a workflow fits on the machine, by arithmetic, before anything is made. What
 * the workflows that are loaded take is allocated ahead: it is in what is left.
 */
#ifndef FAAS_LOADER_ADMISSION_H
#define FAAS_LOADER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"

struct bpf_object;
struct takeover;

/* Bytes that a workflow takes. */
struct admission_need {
	uint64_t ring;	 /* kernel memory */
	uint64_t maps;	 /* kernel memory: state of kernel functions, counters */
	uint64_t tables; /* run-time files, which are memory: states of user functions, */
	uint64_t log;	 /* and the log */
	uint64_t worker; /* memory of the process */
	uint64_t disk;	 /* durable state, as far as it is not there yet */
};

#define ADMISSION_UNLIMITED UINT64_MAX

/* What a machine has. */
struct admission_host {
	uint64_t memory_total, memory_left;
	uint64_t cgroup_left; /* below the tightest limit; ADMISSION_UNLIMITED: none */
	uint64_t run_left;    /* of the file system of run-time files; may be unlimited */
	uint64_t disk_total, disk_left;
};

/* Of the memory and of the disk, what stays free: a machine without any drops packets,
 * and fails others. */
#define ADMISSION_MEMORY_RESERVE 32 /* one part in */
#define ADMISSION_DISK_RESERVE 64

/* What one worker's process takes beside what is mapped. */
#define ADMISSION_WORKER_BYTES (4u << 20)

#define ADMISSION_TEXT_BYTES 1000

struct admission_report {
	struct admission_need need;
	char text[ADMISSION_TEXT_BYTES]; /* the arithmetic, a line for each resource */
};

/**
 * @brief Count what a workflow takes.
 *
 * @param object    Its kernel object, open and not loaded, with the maps' sizes set.
 * @param disk_made Its durable state is on the disk already.
 */
void admission_count(const struct bundle *bundle, struct bpf_object *object, bool disk_made,
		     struct admission_need *ret);

/* Look at the machine. What cannot be read is unlimited: it is not known to be too little. */
void admission_look(struct admission_host *ret);

/* Whether it fits. @p text gets the arithmetic, a line for each resource, those that do
 * not suffice marked. */
bool admission_fits(const struct admission_need *need, const struct admission_host *host,
		    char *text, size_t bytes);

/**
 * @brief The three above for a workflow that is to be loaded.
 *
 * @param directory Of its bundle.
 * @param overcommit Go on, with a warning on stderr.
 * @param ret       May be NULL.
 * @return 0, or -1 with a diagnostic.
 */
int admission_check(const struct bundle *bundle, const char *directory, bool overcommit,
		    struct admission_report *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* The same for a new version: what it takes beside the one that runs, until that is gone.
 * Maps, tables and files that it takes over count nothing. */
int admission_check_update(const struct bundle *bundle, const char *directory, bool overcommit,
			   struct takeover *takeover, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
