// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_rest.h"

#include <stdlib.h>
#include <string.h>

#include "event_check.h"
#include "userspace/pool/worker_fds.h"
#include "worker.h"

/* As many as are taken together. */
#define COPIES FAAS_BATCH_MAX

_Static_assert(COPIES >= WORKER_LOOKAHEAD, "none is overwritten that is still to be processed");

struct worker_rest {
	const struct page_rest *tables;
	uint32_t field_count; /* of this version */
	uint32_t next;
	uint64_t copies[COPIES][FAAS_EVENT_BYTES_MAX / sizeof(uint64_t)];
};

int worker_rest_open(struct worker *worker)
{
	if (!worker->runtime_page->rest_generation)
		return 0;
	worker->rest = calloc(1, sizeof(*worker->rest));
	if (!worker->rest)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	worker->rest->tables = &worker->runtime_page->rest;
	worker->rest->field_count = worker->bundle->kernel_field_count;
	return 0;
}

static uint16_t look_up(const uint16_t *table, uint32_t count, uint32_t number)
{
	return number < count ? table[number] : PAGE_REST_NONE;
}

static void take_fields(const struct worker_rest *rest, const struct faas_event *from,
			struct faas_event *to)
{
	const uint64_t *values = (const uint64_t *)(const void *)faas_event_fields(from);
	uint64_t *own;

	to->field_count = (uint8_t)rest->field_count;
	to->fields_present = 0;
	own = (uint64_t *)(void *)((uint8_t *)to + FAAS_EVENT_KEY_OFFSET +
				   FAAS_ALIGN8(to->key_bytes));
	memset(own, 0, rest->field_count * sizeof(*own));
	for (uint32_t i = 0; i < from->field_count; i++) {
		uint16_t field = look_up(rest->tables->fields, FAAS_RECORD_FIELDS_MAX, i);

		if (!(from->fields_present >> i & 1) || field >= rest->field_count)
			continue;
		own[field] = values[i];
		to->fields_present |= 1u << field;
	}
	memcpy(own + rest->field_count, values + from->field_count,
	       FAAS_ALIGN8(from->payload_bytes));
}

bool worker_rest_take(struct worker_rest *rest, struct ring_record *record)
{
	const struct page_rest *tables = rest->tables;
	const struct faas_event *from = record->data;
	uint16_t entry, origin = FAAS_ORIGIN_TRIGGER;
	struct faas_event *to;

	if (!event_check(from, record->bytes))
		return true;
	entry = look_up(tables->entries, FAAS_ENTRIES_MAX, from->entry);
	if (from->origin != FAAS_ORIGIN_TRIGGER)
		origin = look_up(tables->origins, FAAS_ORIGINS_MAX, from->origin);
	if (entry == PAGE_REST_NONE ||
	    (from->origin != FAAS_ORIGIN_TRIGGER && origin == PAGE_REST_NONE))
		return false;
	to = (struct faas_event *)(void *)rest->copies[rest->next++ % COPIES];
	memcpy(to, from, FAAS_EVENT_KEY_OFFSET + FAAS_ALIGN8(from->key_bytes));
	take_fields(rest, from, to);
	to->entry = entry;
	to->origin = origin;
	record->data = to;
	record->bytes = event_bytes(to);
	return true;
}

bool worker_rest_is_strange(const struct worker_rest *rest, const struct ring_record *record)
{
	const uint8_t *data = record->data, *copies = (const uint8_t *)rest->copies;

	return (data < copies || data >= copies + sizeof(rest->copies)) &&
	       event_check(record->data, record->bytes);
}
