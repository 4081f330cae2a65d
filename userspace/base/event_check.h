/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether bytes are a struct faas_event, before anything in them is believed. */
#ifndef FAAS_BASE_EVENT_CHECK_H
#define FAAS_BASE_EVENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/event.h>

/* Bytes that the event's own lengths claim. At most 6 KiB for any contents. */
static inline uint32_t event_bytes(const struct faas_event *event)
{
	return FAAS_EVENT_BYTES((uint32_t)event->key_bytes, (uint32_t)event->field_count,
				(uint32_t)event->payload_bytes);
}

/*
 * True if @p data, @p bytes long and 8-byte aligned, holds an event all of
 * whose parts lie within it, with lengths within limits.h. Bytes behind the
 * event are allowed: a ring record may be longer. Whether entry, origin and
 * trigger exist is for who knows the workflow.
 */
static inline bool event_check(const void *data, uint32_t bytes)
{
	const struct faas_event *event = (const struct faas_event *)data;

	return bytes >= FAAS_EVENT_KEY_OFFSET && event->key_bytes <= FAAS_KEY_BYTES_MAX &&
	       event->field_count <= FAAS_RECORD_FIELDS_MAX &&
	       event->payload_bytes <= FAAS_EVENT_PAYLOAD_MAX && event_bytes(event) <= bytes &&
	       event->fields_present >> event->field_count == 0 && event->shard < FAAS_SHARDS;
}

#endif
