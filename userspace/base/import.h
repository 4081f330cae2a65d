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

_Static_assert(4 * IMPORT_BYTES_MAX / 2 < FAAS_CONTROL_MESSAGE_BYTES_MAX - 256, "it fits");
_Static_assert(sizeof(struct import_head) + sizeof(struct import_entry) + FAAS_KEY_BYTES_MAX +
			       FAAS_STATE_BYTES_MAX <=
		       IMPORT_BYTES_MAX,
	       "one key always fits");

#endif
