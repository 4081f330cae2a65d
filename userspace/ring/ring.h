/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The consuming end of a BPF ring buffer, without bpf(): a worker may not call
 * it. One consumer at a time: the old worker is reaped before its successor
 * maps the ring.
 */
#ifndef FAAS_RING_RING_H
#define FAAS_RING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ringview.h"

/* Owns its mappings. */
struct ring {
	uint64_t *consumer;	  /* shared: what the kernel may overwrite up to */
	const uint64_t *producer; /* shared */
	const uint8_t *data;
	uint64_t bytes;
	uint64_t page_bytes;
	uint64_t position; /* where the next record begins; runs ahead of *consumer */
	uint64_t known;	   /* the producer's position as last read */
	uint32_t map_id;
};

/* One record, valid until its position is released. */
struct ring_record {
	const void *data; /* 8-byte aligned */
	uint32_t bytes;
	uint64_t begin; /* position of its header */
	uint64_t end;	/* position behind it */
};

/**
 * @brief Map the ring and take up at its consumer's position.
 * @param fd  Borrowed for the call.
 * @return 0, -EINVAL (not a ring buffer, or its positions contradict each
 * other), or -errno. *ret is untouched on failure.
 */
int ring_open(int fd, struct ring *ret) __attribute__((warn_unused_result));
void ring_close(struct ring *ring);

/* Take up at @p position instead. -ERANGE: it is not between the consumer's
 * and the producer's. */
int ring_seek(struct ring *ring, uint64_t position) __attribute__((warn_unused_result));

/*
 * Take the next record. False when there is none to take now: all are taken,
 * or the next is still being written (its producer holds up those behind it
 * for as long as one program runs). Discarded records are stepped over.
 */
static inline bool ring_take(struct ring *ring, struct ring_record *ret)
{
	for (;;) {
		const void *header = ring->data + (ring->position & (ring->bytes - 1));
		uint32_t length;

		if (ring->position >= ring->known) {
			ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
			if (ring->position >= ring->known)
				return false;
		}
		/* Pairs with the release of the submit: the data is there. */
		length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
		if (length & RING_BUSY_BIT)
			return false;
		ret->begin = ring->position;
		ret->end = ring->position + ring_record_span(length);
		ring->position = ret->end;
		if (length & RING_DISCARD_BIT)
			continue;
		ret->data = (const uint8_t *)header + RING_HEADER_BYTES;
		ret->bytes = ring_record_bytes(length);
		return true;
	}
}

/* Let the kernel have everything before the current position again. */
static inline void ring_release(struct ring *ring)
{
	__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}

/* Let it have everything before @p position, which is not behind the current one. */
static inline void ring_release_to(struct ring *ring, uint64_t position)
{
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

/* Whether nothing is there, counting what is reserved and not yet submitted as
 * something. Not to be asked before a fence: see worker_wait.c. */
static inline bool ring_is_empty(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) == ring->position;
}

#endif
