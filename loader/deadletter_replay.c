// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "deadletter_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ebpf_faas/pins.h>

#include "bundle_compare.h"
#include "control_client.h"
#include "event_check.h"
#include "fault.h"
#include "generation.h"
#include "import.h"

/* A worker whose log is full takes it when its sinks have made room. */
#define REPLAY_TIMEOUT_MS 30000
/* For the successor of a worker that a replay ended. */
#define SUCCESSOR_TRIES 50
#define SUCCESSOR_PAUSE_MS 100

/* What leads out of the kernel tier has numbers: do they mean the same in both? */
static bool same_entries(const struct bundle *a, const struct bundle *b)
{
	if (!bundle_same_records(a, b) || a->entry_count != b->entry_count)
		return false;
	for (uint32_t i = 0; i < a->entry_count; i++)
		if (a->entries[i].kind != b->entries[i].kind ||
		    a->entries[i].index != b->entries[i].index ||
		    a->entries[i].key_count != b->entries[i].key_count ||
		    memcmp(a->entries[i].key, b->entries[i].key,
			   a->entries[i].key_count * sizeof(a->entries[i].key[0])))
			return false;
	return true;
}

/* An event of a version before, for the one that runs. */
static int check_generation(const struct dead_letters *letters, const struct dead_letter *letter,
			    struct diags *diags)
{
	uint32_t generation = letter->data->event.generation;
	struct bundle *bundles;
	int error = 0;

	if (generation == letters->clock.generation)
		return 0;
	bundles = calloc(2, sizeof(*bundles));
	if (!bundles)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (generation_bundle(letters->workflow, generation, &bundles[0], diags) ||
	    generation_bundle(letters->workflow, letters->clock.generation, &bundles[1], diags) ||
	    !same_entries(&bundles[0], &bundles[1]))
		error = diag_fail(diags, DIAG_FAILED,
				  "`ebpf-faas deadletter show` prints it; drop it, or roll back",
				  "%s is of generation %u, and what its kernel functions hand over "
				  "is not known to mean the same in generation %u",
				  letter->id, generation, letters->clock.generation);
	free(bundles);
	return error;
}

static json_t *make_request(const struct dead_letters *letters, const struct dead_letter *letter)
{
	static const char digits[] = "0123456789abcdef";
	const uint32_t bytes = (uint32_t)sizeof(struct replay_head) + letter->bytes;
	struct replay_head head = {.word = REPLAY_WORD,
				   .log_id = letter->log_id,
				   .replay = letter->replay,
				   .bytes = letter->bytes};
	uint8_t *message = calloc(1, bytes);
	char *hex = malloc(2 * (size_t)bytes + 1);
	json_t *request = NULL;

	if (message && hex) {
		memcpy(message, &head, sizeof(head));
		memcpy(message + sizeof(head), letter->data, letter->bytes);
		for (uint32_t i = 0; i < bytes; i++) {
			hex[2 * (size_t)i] = digits[message[i] >> 4];
			hex[2 * (size_t)i + 1] = digits[message[i] & 15];
		}
		hex[2 * (size_t)bytes] = '\0';
		request = json_pack("{s:s, s:s, s:I, s:s}", "op", "import", "workflow",
				    letters->workflow, "generation",
				    (json_int_t)letters->clock.generation, "piece", hex);
	}
	free(message);
	free(hex);
	return request;
}

/* The worker that had it is gone: its successor, when it has recovered, knows whether it
 * was committed. */
static void wait_for_successor(struct dead_letters *letters)
{
	const struct timespec pause = {0, SUCCESSOR_PAUSE_MS * 1000000L};
	struct dead_letter_clock clock;

	for (int i = 0; i < SUCCESSOR_TRIES; i++) {
		nanosleep(&pause, NULL);
		if (!dead_letters_clock(letters->workflow, &clock) && clock.is_running)
			return;
	}
}

/* Ask; what came of it says the worker's counter, not the answer. */
static int ask(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
{
	struct control control = {.fd = -1};
	json_t *request, *answer = NULL;
	unsigned int before = diags->count;
	int error;

	if (control_start_runtime(diags))
		return -1;
	error = control_connect(FAAS_RUN_SOCKET, &control);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", FAAS_RUN_SOCKET,
				 strerror(-error));
	request = make_request(letters, letter);
	if (!request) {
		control_close(&control);
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	}
	error = control_request(&control, request, REPLAY_TIMEOUT_MS, &answer, diags);
	json_decref(request);
	json_decref(answer);
	control_close(&control);
	fault_point("deadletter.asked");
	if (error && diags->count > before &&
	    strstr(diags->list[diags->count - 1].cause, IMPORT_ENDED))
		wait_for_successor(letters);
	return error;
}

/* Ask, and write down what came of it, if that is certain. */
static int go(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
{
	unsigned int before = diags->count;
	int error = ask(letters, letter, diags), noted = 0;
	struct dead_letter_clock clock;
	const char *cause = diags->count > before ? diags->list[diags->count - 1].cause : "";
	bool same, certain = strstr(cause, IMPORT_REFUSED) || strstr(cause, IMPORT_ENDED);

	if (!error) {
		noted = dead_letters_note(letters, letter, DEAD_LETTER_REPLAYED);
	} else if (certain && !dead_letters_clock(letters->workflow, &clock)) {
		same = clock.log_id == letter->log_id && clock.boot_hash == letter->boot_hash;
		if (same && clock.replayed >= letter->replay)
			noted = dead_letters_note(letters, letter, DEAD_LETTER_REPLAYED);
		else if (same && (clock.is_running || strstr(cause, IMPORT_REFUSED)))
			noted = dead_letters_note(letters, letter, DEAD_LETTER_FAILED);
	}
	if (dead_letters_clock(letters->workflow, &letters->clock))
		letters->clock = (struct dead_letter_clock){0};
	if (noted)
		return diag_fail(diags, DIAG_FAILED, "is /var full?",
				 "what became of %s cannot be written down: %s", letter->id,
				 strerror(-noted));
	if (error)
		diag_fail(diags, DIAG_FAILED, "`ebpf-faas deadletter show` prints it", "%s is kept",
			  letter->id);
	return error;
}

static int check_running(const struct dead_letters *letters, struct diags *diags)
{
	if (letters->clock.log_id)
		return 0;
	return diag_fail(diags, DIAG_NOT_FOUND, "load it first", "workflow %s is not loaded",
			 letters->workflow);
}

int deadletter_finish(struct dead_letters *letters, struct diags *diags)
{
	const struct dead_letter_clock *clock = &letters->clock;

	if (check_running(letters, diags))
		return -1;
	for (size_t i = 0; i < letters->count; i++) {
		struct dead_letter *letter = &letters->list[i];

		if (letter->state != DEAD_LETTER_KEPT || letter->log_id != clock->log_id ||
		    letter->boot_hash != clock->boot_hash || letter->replay != clock->replayed + 1)
			continue;
		return go(letters, letter, diags);
	}
	return 0;
}

int deadletter_replay(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
{
	int error;

	if (letter->state == DEAD_LETTER_GONE) /* deadletter_finish() has done it */
		return 0;
	if (check_running(letters, diags))
		return -1;
	if (!letter->data || !event_check(letter->data, letter->bytes))
		return diag_fail(diags, DIAG_FAILED, "drop it",
				 "%s is no event that could be processed", letter->id);
	if (check_generation(letters, letter, diags))
		return -1;
	error = dead_letters_note(letters, letter, DEAD_LETTER_BEGUN);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is /var full?", "%s is kept: %s", letter->id,
				 strerror(-error));
	return go(letters, letter, diags);
}
