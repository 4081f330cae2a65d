// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "event_check.h"
#include "fault.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_timer.h"
#include "userspace/state/state_lookup.h"

/* One entry of the piece. */
struct item {
	const struct import_entry *entry;
	const uint8_t *key;
	const uint8_t *state;
};

/* Item after item, from offset sizeof(struct import_head) on. False: it is cut off. */
static bool next_item(const struct worker_import *import, const struct worker_function *function,
		      uint32_t *at, struct item *ret)
{
	const struct import_head *head = (const void *)import->message;
	const uint8_t *from = (const uint8_t *)import->message + *at;
	uint32_t left = import->bytes - *at;

	if (left < sizeof(*ret->entry))
		return false;
	ret->entry = (const void *)from;
	if (ret->entry->key_bytes > function->table.key_room ||
	    left < import_entry_bytes(ret->entry->key_bytes, head->state_bytes))
		return false;
	ret->key = from + sizeof(*ret->entry);
	ret->state = ret->key + FAAS_ALIGN8(ret->entry->key_bytes);
	*at += import_entry_bytes(ret->entry->key_bytes, head->state_bytes);
	return true;
}

static void answer(const struct worker *worker, const char *word, const char *reason)
{
	const struct import_head *head = (const void *)worker->import.message;
	char text[256];
	int chars = snprintf(text, sizeof(text), "%s %" PRIu64 "%s%s", word, head->number,
			     reason ? " " : "", reason ? reason : "");

	(void)!send(worker->control_fd, text, (size_t)chars, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The function that the piece is for; NULL with *ret_reason. */
static struct worker_function *find_function(struct worker *worker, const char **ret_reason)
{
	const struct worker_import *import = &worker->import;
	const struct import_head *head = (const void *)import->message;
	const struct bundle_function *description;
	struct worker_function *function;
	uint32_t at = sizeof(*head), fresh = 0;

	*ret_reason = "it is not of this version of the workflow";
	if (head->function >= worker->bundle->user_count)
		return NULL;
	description = &worker->bundle->user[head->function];
	function = &worker->functions[head->function];
	if (!function->has_state || head->state_bytes != description->state_bytes ||
	    head->state_version != description->state_version)
		return NULL;
	for (uint32_t i = 0; i < head->count; i++) {
		struct state_place place;
		struct item item;

		if (!next_item(import, function, &at, &item))
			return NULL;
		fresh += !state_find(&function->table, item.key, item.entry->key_bytes,
				     state_hash(&function->table, item.key, item.entry->key_bytes),
				     &place);
	}
	if (fresh > function->table.keys_max - function->table.keys) {
		*ret_reason = "there is no room for so many new keys";
		return NULL;
	}
	return function;
}

/* Make the function's working copy what the item says. */
static void make_value(struct worker *worker, struct worker_function *function,
		       const struct item *item)
{
	const struct import_head *head = (const void *)worker->import.message;

	memset(function->copy, 0, function->table.value_bytes);
	memcpy(function->copy, item->state, head->state_bytes);
	if (function->deadline && item->entry->timer_ns) {
		uint64_t now_ns = worker->import.now_ns;

		*function->deadline = item->entry->timer_ns < INT64_MAX - now_ns
					      ? now_ns + item->entry->timer_ns
					      : INT64_MAX;
	}
}

static bool log_items(struct worker *worker, struct worker_function *function)
{
	const struct import_head *head = (const void *)worker->import.message;
	uint32_t at = sizeof(*head);

	for (uint32_t i = 0; i < head->count; i++) {
		struct item item;
		void *value;

		if (!next_item(&worker->import, function, &at, &item))
			return false;
		value = log_state(&worker->log, function->number, item.key, item.entry->key_bytes,
				  function->table.value_bytes);
		if (!value)
			return false;
		make_value(worker, function, &item);
		memcpy(value, function->copy, function->table.value_bytes);
	}
	return true;
}

static void store_items(struct worker *worker, struct worker_function *function)
{
	const struct import_head *head = (const void *)worker->import.message;
	uint32_t at = sizeof(*head);

	for (uint32_t i = 0; i < head->count; i++) {
		struct item item;

		if (!next_item(&worker->import, function, &at, &item))
			return;
		make_value(worker, function, &item);
		(void)state_find(&function->table, item.key, item.entry->key_bytes,
				 state_hash(&function->table, item.key, item.entry->key_bytes),
				 &function->place);
		state_store(&function->table, &function->place, item.key, item.entry->key_bytes,
			    function->copy);
		if (function->deadline)
			worker_timer_note(worker, function);
		fault_point("import.inside");
	}
}

bool worker_import_take(struct worker *worker, const void *message, uint32_t bytes)
{
	struct worker_import *import = &worker->import;

	if (bytes < sizeof(struct import_head) || bytes > sizeof(import->message) ||
	    (memcmp(message, IMPORT_WORD, sizeof(IMPORT_WORD)) != 0 &&
	     memcmp(message, REPLAY_WORD, sizeof(REPLAY_WORD)) != 0))
		return false;
	if (!import->pending && !import->unanswered) {
		memcpy(import->message, message, bytes);
		import->bytes = bytes;
		import->pending = true;
	}
	return true;
}

/* With durable state what is shown is what is on the disk. */
static void answer_committed(struct worker *worker)
{
	if (!worker->import.unanswered || worker->shown->log_position < worker->import.position)
		return;
	worker->import.unanswered = false;
	answer(worker, "imported", NULL);
}

static bool is_replay(const struct worker_import *import)
{
	return !memcmp(import->message, REPLAY_WORD, sizeof(REPLAY_WORD));
}

/* What keeps a dead letter from being tried, before anything is tried. *ret_done: it was
 * committed before. */
static const char *refuse_replay(const struct worker *worker, bool *ret_done)
{
	const struct replay_head *head = (const void *)worker->import.message;
	const struct faas_event *event = (const void *)(head + 1);
	const struct bundle_entry *entry;

	if (worker->import.bytes < sizeof(*head) ||
	    head->bytes != worker->import.bytes - sizeof(*head) || !event_check(event, head->bytes))
		return "it is no event";
	*ret_done = head->log_id == worker->log.log_id && head->replay <= worker->live.replayed;
	if (*ret_done)
		return NULL;
	if (head->log_id != worker->log.log_id || head->replay != worker->live.replayed + 1)
		return "somebody else replays";
	if (worker->puts_aside)
		return "the workflow is in quarantine";
	entry = event->entry < worker->bundle->entry_count ? &worker->bundle->entries[event->entry]
							   : NULL;
	if (!entry || entry->kind != TARGET_USER || entry->key_bytes != event->key_bytes ||
	    event->origin == FAAS_ORIGIN_TIMER)
		return "it is no event of this version of the workflow";
	return NULL;
}

/* As worker_import(), for a dead letter. A function that fails again leaves it as it is. */
static int replay(struct worker *worker)
{
	static const char *const reasons[] = {
		[LOG_DEAD_ERROR] = "its function returned an error again",
		[LOG_DEAD_STATE] = "there is no room for the state of one more key",
		[LOG_DEAD_LIMIT] = "it led to too many outputs",
	};
	const struct replay_head *head = (const void *)worker->import.message;
	bool done = false;
	const char *reason = refuse_replay(worker, &done);
	int err;

	if (!reason && !done) {
		err = worker_replay(worker, (const void *)(head + 1), head->replay);
		if (err == -EAGAIN)
			return err;
		reason = err ? reasons[err] : NULL;
	}
	worker->import.pending = false;
	if (reason) {
		answer(worker, "refused", reason);
		return 0;
	}
	worker_show_progress(worker, true);
	worker_notify(worker);
	worker->import.position = worker->live.log_position;
	worker->import.unanswered = true;
	answer_committed(worker);
	return 0;
}

int worker_import(struct worker *worker)
{
	struct page_counters *live = &worker->live;
	struct worker_function *function;
	const char *reason;

	answer_committed(worker);
	if (!worker->import.pending)
		return 0;
	if (is_replay(&worker->import))
		return replay(worker);
	function = find_function(worker, &reason);
	if (!function) {
		worker->import.pending = false;
		answer(worker, "refused", reason);
		return 0;
	}
	if (log_begin(&worker->log))
		return -EAGAIN;
	worker->import.pending = false;
	worker->import.now_ns = worker->now_ns();
	if (!log_items(worker, function)) {
		log_abandon(&worker->log);
		answer(worker, "refused", "it does not fit into the log");
		return 0;
	}
	fault_point("import.before_commit");
	(void)log_commit(&worker->log, LOG_IMPORT, 0, worker->instance, live->ring_position,
			 live->processed, live->dead_lettered);
	fault_point("import.after_commit");
	live->sequence = worker->log.sequence;
	live->log_position = worker->log.head;
	store_items(worker, function);
	worker_show_progress(worker, true);
	/* It brings no output; but what it follows may have reached the disk just now. */
	worker_notify(worker);
	worker->import.position = live->log_position;
	worker->import.unanswered = true;
	answer_committed(worker);
	return 0;
}
