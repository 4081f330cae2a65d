/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The states of one user function, looked at while a worker changes them. A table is
 * a mapped file (userspace/state/state.h has who writes it and how):
 *
 *   offset 0     struct state_header, padded to STATE_DATA_OFFSET
 *          4096  capacity slots of slot_bytes: 8 bytes of struct state_slot,
 *                the key padded to 8, the value padded to 8
 *
 * Slots never move and keys are never removed. A value is being copied while
 * `changes` is odd, and may stay half copied when its worker is killed: the next one
 * puts it right before it is WORKER_RUNNING.
 */
#ifndef FAAS_BASE_STATEVIEW_H
#define FAAS_BASE_STATEVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "pages.h"

#define STATE_MAGIC 0x65746174732d6661ull
#define STATE_VERSION 1
#define STATE_DATA_OFFSET 4096

struct state_header {
	uint64_t magic;
	uint32_t version;
	uint32_t key_bytes;	/* longest key */
	uint32_t value_bytes;	/* state_value_bytes */
	uint32_t value_version; /* of its layout, as the function declares it */
	uint32_t keys_max;
	uint32_t slot_bytes;
	uint64_t capacity; /* slots */
	uint64_t seed;	   /* of the hash: who sends keys does not know it */
	uint64_t changes;  /* begun and ended, of values that were there: odd while one is copied */
};

/* Head of a slot. */
struct state_slot {
	uint32_t mark; /* 0: free; else a part of the key's hash, never 0 */
	uint32_t key_bytes;
};

/* Bytes of a value in the table of @p function: its state, and for a function
 * with timers behind it 8 bytes, the key's deadline (CLOCK_MONOTONIC in
 * nanoseconds, 0: none). */
uint32_t state_value_bytes(const struct bundle_function *function);

/* A read-only mapping. Owns it. */
struct stateview {
	const struct state_header *live;
	struct state_header header; /* as it was found; checked against the file */
	uint64_t bytes;
	const struct worker_page *page; /* of the worker that writes it */
};

struct stateview_entry {
	uint32_t key_bytes;
	uint8_t key[FAAS_KEY_BYTES_MAX];
	uint8_t value[FAAS_STATE_BYTES_MAX + 8];
};

/**
 * @brief Map a table and the page of its worker.
 *
 * @param directory Of the workflow's run-time files, a descriptor. Borrowed.
 * @param function  Which user function it is of, by number.
 * @return 0, or with *ret untouched: -ENOENT (no such file), -ENODATA (no worker has
 * laid it out yet), -EINVAL (no table of this version), or -errno.
 */
int stateview_open(int directory, uint32_t function, struct stateview *ret)
	__attribute__((warn_unused_result));
void stateview_close(struct stateview *view);

/**
 * @brief Read one slot, whole as of some moment.
 *
 * @param index Below header.capacity.
 * @param ret   The entry. Untouched unless 1.
 * @return 1; 0: the slot is free; -EAGAIN: it does not hold still: the worker is being
 * replaced, or writes without end; try again after a while. Never blocks.
 */
int stateview_read(const struct stateview *view, uint64_t index, struct stateview_entry *ret)
	__attribute__((warn_unused_result));

/* Keys in use, as of about now. */
uint64_t stateview_count(const struct stateview *view);

/* As stateview_read; waits, for some seconds at most, while the answer is -EAGAIN. */
int stateview_read_wait(const struct stateview *view, uint64_t index, struct stateview_entry *ret)
	__attribute__((warn_unused_result));

#endif
