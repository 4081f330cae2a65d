/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * States that are put into a running function: pieces that the command makes, the
 * runtime passes on, and the worker commits, each as one record of its log.
 *
 *   struct import_head
 *   count entries: struct import_entry, the key padded to 8, the state padded to 8
 */
#ifndef FAAS_BASE_IMPORT_H
#define FAAS_BASE_IMPORT_H

#include <stdint.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/limits.h>

/* What the runtime says of a piece that the worker refused; and of one of which it is not
 * known. */
#define IMPORT_REFUSED "the worker did not take it"
#define IMPORT_ENDED "its worker ended before it answered"

/* Twice that, in hexadecimal, and what goes with it, is one control message. */
#define IMPORT_BYTES_MAX 32000
#define IMPORT_WORD "import\n" /* what the worker tells it from other words by */

struct import_head {
	char word[8];	 /* IMPORT_WORD */
	uint64_t number; /* of this piece; the answer has it */
	uint32_t function;
	uint32_t state_version;
	uint32_t state_bytes;
	uint32_t count; /* from 1 */
};

struct import_entry {
	uint32_t key_bytes;
	uint32_t reserved; /* zero */
	uint64_t timer_ns; /* until the key's timer is due; 0: it is not set */
};

static inline uint32_t import_entry_bytes(uint32_t key_bytes, uint32_t state_bytes)
{
	return (uint32_t)sizeof(struct import_entry) + FAAS_ALIGN8(key_bytes) +
	       FAAS_ALIGN8(state_bytes);
}

/*
 * A dead letter that is tried again, by the same way. Replays of a log have numbers
 * from 1, and the worker takes the next one only: whoever does not know whether one was
 * committed looks at page_counters.replayed.
 */
#define REPLAY_WORD "replay\n"

struct replay_head {
	char word[8];	 /* REPLAY_WORD */
	uint64_t number; /* as above, of this message */
	uint64_t log_id; /* that the replay counts in */
	uint64_t replay;
	uint32_t bytes; /* of the struct faas_event that follows */
	uint32_t reserved;
};

_Static_assert(__builtin_offsetof(struct import_head, number) ==
		       __builtin_offsetof(struct replay_head, number),
	       "whoever numbers messages need not tell them apart");
_Static_assert(sizeof(struct replay_head) + FAAS_EVENT_BYTES_MAX <= IMPORT_BYTES_MAX, "it fits");

_Static_assert(4 * IMPORT_BYTES_MAX / 2 < FAAS_CONTROL_MESSAGE_BYTES_MAX - 256, "it fits");
_Static_assert(sizeof(struct import_head) + sizeof(struct import_entry) + FAAS_KEY_BYTES_MAX +
			       FAAS_STATE_BYTES_MAX <=
		       IMPORT_BYTES_MAX,
	       "one key always fits");

#endif
