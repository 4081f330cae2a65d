/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of a workflow take up, by arithmetic: who makes them and who asks
 * before whether there is room count alike. */
#ifndef FAAS_BASE_BUNDLE_SIZE_H
#define FAAS_BASE_BUNDLE_SIZE_H

#include <stdint.h>

#include "bundle.h"

/* Bytes of the ring of a queue of so many events: a power of two of pages. */
uint32_t bundle_ring_bytes(uint32_t events);

/* Bytes of a table's file. At most three quarters of the slots are used, which
 * keeps the search for a key at a few slots. */
uint64_t state_capacity(uint32_t keys_max);
uint32_t state_slot_bytes(uint32_t key_bytes, uint32_t value_bytes);
uint64_t state_table_bytes(uint32_t keys_max, uint32_t key_bytes, uint32_t value_bytes);

/* Bytes of key that events have when they reach user function @p function: the
 * longest of the entries that lead to it, on whatever way. */
uint32_t state_key_bytes(const struct bundle *bundle, uint32_t function);

/* Bytes of the state file of user function @p function, 0 without state. The
 * runtime allocates that much, zeroed. */
uint64_t state_file_bytes(const struct bundle *bundle, uint32_t function);

/* The mapped log: a head and its segments. */
#define SIZE_LOG_HEAD 4096
static inline uint64_t log_file_bytes(uint32_t segment_count, uint64_t segment_bytes)
{
	return SIZE_LOG_HEAD + segment_count * segment_bytes;
}

/* A log on the disk: two superblocks, and a circle that is a multiple of the mapped
 * log's, two at least. Snapshots are made of chunks, each with a head of its own. */
#define SIZE_DISK_SUPERBLOCKS 8192ull
#define SIZE_DISK_CHUNK_BYTES 65536u
#define SIZE_DISK_CHUNK_HEAD 64u
#define SIZE_DISK_DAMAGE (1u << 20)
uint64_t durable_log_bytes(uint64_t circle_bytes, uint64_t staging_capacity);

/* Of the chunks of an image of so many bytes. */
uint64_t durable_image_bytes(uint64_t bytes);

/* All files of durable state on the disk; 0 without. */
uint64_t bundle_disk_bytes(const struct bundle *bundle);

/* The tables of all user functions. */
uint64_t bundle_state_bytes(const struct bundle *bundle);

/* The file of dead letters, and the one before it. */
#define SIZE_DEAD_LETTERS (2 * (4u << 20))

/* The files of a sink, at most; UINT64_MAX: they grow without end. */
uint64_t bundle_sink_bytes(const struct bundle_sink *sink);

#endif
