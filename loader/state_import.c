// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas state import: keys of a file into a running function. The whole file is
 * checked first; then it goes to the worker piece by piece. Killed in the middle, some
 * keys are in and others are not, each of them whole; to do it again does the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf_faas/pins.h>

#include "control_client.h"
#include "import.h"
#include "output.h"
#include "state_file.h"
#include "user_state.h"

/* A worker whose log is full takes it when its sinks have made room. */
#define PIECE_TIMEOUT_MS 30000

struct importing {
	const struct user_state *state;
	const struct state_file *file;
	struct control control;
	uint8_t message[IMPORT_BYTES_MAX];
	char hex[2 * IMPORT_BYTES_MAX + 1];
};

/* ---- is there room? ---- */

struct counting {
	const struct state_file *file;
	uint64_t keys, known;
};

static int visit_count(void *context, const struct stateview_entry *entry)
{
	struct counting *counting = context;

	counting->keys++;
	counting->known += state_file_has(counting->file, entry);
	return 0;
}

static int check_room(const struct user_state *state, const struct state_file *file,
		      uint64_t *ret_new, struct diags *diags)
{
	struct counting counting = {.file = file};
	uint32_t most = state->view.header.keys_max;

	if (user_state_each(state, visit_count, &counting, diags))
		return -1;
	*ret_new = file->count - counting.known;
	if (counting.keys + *ret_new <= most)
		return 0;
	return diag_fail(diags, DIAG_FAILED, "raise `keys` of the function and update",
			 "%llu new keys, and %s has room for %llu more of %u",
			 (unsigned long long)*ret_new, state->function->instance,
			 (unsigned long long)(most - counting.keys), most);
}

/* ---- pieces ---- */

/* Put as many entries as fit into the message, from @p from on. Returns its length. */
static uint32_t make_piece(struct importing *importing, size_t from, uint32_t *ret_count)
{
	const struct bundle_function *function = importing->state->function;
	uint32_t state_bytes = function->state_bytes, used = sizeof(struct import_head);
	struct import_head head = {.word = IMPORT_WORD,
				   .function = importing->state->number,
				   .state_version = function->state_version,
				   .state_bytes = state_bytes};

	memset(importing->message, 0, sizeof(importing->message));
	for (size_t i = from; i < importing->file->count; i++) {
		const struct state_file_entry *entry =
			(const void *)(importing->file->entries + i * importing->file->entry_bytes);
		struct import_entry out = {.key_bytes = entry->key_bytes,
					   .timer_ns = entry->timer_ns};
		uint8_t *to = importing->message + used;

		if (used + import_entry_bytes(entry->key_bytes, state_bytes) > IMPORT_BYTES_MAX)
			break;
		memcpy(to, &out, sizeof(out));
		memcpy(to + sizeof(out), entry->key, entry->key_bytes);
		memcpy(to + sizeof(out) + FAAS_ALIGN8(entry->key_bytes), entry + 1, state_bytes);
		used += import_entry_bytes(entry->key_bytes, state_bytes);
		head.count++;
	}
	memcpy(importing->message, &head, sizeof(head));
	*ret_count = head.count;
	return used;
}

static int send_piece(struct importing *importing, uint32_t bytes, struct diags *diags)
{
	static const char digits[] = "0123456789abcdef";
	json_t *request, *answer = NULL;
	int error;

	for (uint32_t i = 0; i < bytes; i++) {
		importing->hex[2 * (size_t)i] = digits[importing->message[i] >> 4];
		importing->hex[2 * (size_t)i + 1] = digits[importing->message[i] & 15];
	}
	importing->hex[2 * (size_t)bytes] = '\0';
	request = json_pack("{s:s, s:s, s:I, s:s}", "op", "import", "workflow",
			    importing->state->bundle->name, "generation",
			    (json_int_t)importing->state->generation, "piece", importing->hex);
	if (!request)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	error = control_request(&importing->control, request, PIECE_TIMEOUT_MS, &answer, diags);
	json_decref(request);
	json_decref(answer);
	return error;
}

static int send_all(struct importing *importing, struct diags *diags)
{
	size_t sent = 0;
	int error = control_connect(FAAS_RUN_SOCKET, &importing->control);

	if (error == -ENOENT || error == -ECONNREFUSED) {
		if (control_start_runtime(diags))
			return -1;
		error = control_connect(FAAS_RUN_SOCKET, &importing->control);
	}
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", FAAS_RUN_SOCKET,
				 strerror(-error));
	while (!error && sent < importing->file->count) {
		uint32_t count;
		uint32_t bytes = make_piece(importing, sent, &count);

		error = send_piece(importing, bytes, diags);
		if (error)
			diag_fail(diags, DIAG_FAILED, "import the file again: no key counts twice",
				  "%zu of %zu keys are in", sent, importing->file->count);
		else
			sent += count;
	}
	control_close(&importing->control);
	return error;
}

static int import(const struct options *options, const struct user_state *state,
		  const struct state_file *file, struct diags *diags)
{
	struct importing *importing = malloc(sizeof(*importing));
	uint64_t new_keys = 0;
	int error;

	if (!importing)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	importing->state = state;
	importing->file = file;
	error = check_room(state, file, &new_keys, diags);
	if (!error)
		error = send_all(importing, diags);
	free(importing);
	if (error)
		return -1;
	if (options->json)
		output_json(json_pack("{s:s, s:s, s:I, s:I}", "workflow", state->bundle->name,
				      "function", state->function->instance, "keys",
				      (json_int_t)file->count, "new", (json_int_t)new_keys));
	else
		printf("imported %zu keys into %s, %llu of them new\n", file->count,
		       state->function->instance, (unsigned long long)new_keys);
	return 0;
}

int state_import(const struct options *options, struct diags *diags)
{
	struct user_state state;
	struct state_file file;
	int error;

	if (user_state_open(options->arguments[1], options->arguments[2], &state, diags))
		return -1;
	error = state_file_read(options->arguments[3], &state, &file, diags);
	if (!error) {
		error = import(options, &state, &file, diags);
		state_file_free(&file);
	}
	user_state_close(&state);
	return error;
}
