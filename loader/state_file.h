/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file of exported states, JSON lines:
 *
 *	{"ebpf_faas_state":1,"workflow":"vibration-watch","function":"trend","library":"ewma",
 *	 "generation":3,"time":"2026-01-02T03:04:05Z","key":"source_address","version":1,
 *	 "bytes":24,"fields":[...]}                  what it is of, on one line
 *	{"key":"10.20.0.7","value":{"mean":1.5},"timer_ns":2500000000}
 *	...
 *	{"keys":1}                                   the end
 */
#ifndef FAAS_LOADER_STATE_FILE_H
#define FAAS_LOADER_STATE_FILE_H

#include <stdint.h>

#include "user_state.h"

#define STATE_FILE_FORMAT_KEY "ebpf_faas_state"
#define STATE_FILE_FORMAT 1
#define STATE_FILE_END_KEY "keys"
#define STATE_FILE_LINE_BYTES_MAX (1 << 20)

/* The keys of a file, in the order of their bytes. */
struct state_file {
	uint8_t *entries; /* owned; entry_bytes each */
	size_t entry_bytes;
	size_t count, room;
};

/* One of them, followed by the state, padded to 8. */
struct state_file_entry {
	uint8_t key[FAAS_KEY_BYTES_MAX];
	uint32_t key_bytes;
	uint32_t line;	   /* of the file */
	uint64_t timer_ns; /* from the moment on when it is taken in; 0: none */
};

/**
 * @brief Read a file, and check all of it against the function it is for.
 *
 * @param path "-": standard input.
 * @param ret  Returns-owned, state_file_free(). Nothing to free on failure.
 * @return 0, or -1 with a diagnostic for each line that is wrong.
 */
int state_file_read(const char *path, const struct user_state *state, struct state_file *ret,
		    struct diags *diags) __attribute__((warn_unused_result));
void state_file_free(struct state_file *file);

/* Whether a key is among them. */
bool state_file_has(const struct state_file *file, const struct stateview_entry *entry);

#endif
