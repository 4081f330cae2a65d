// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Verdicts: decisions of user functions about keys, for maps of the kernel tier. */
#include "worker.h"

#include <errno.h>
#include <string.h>

static uint16_t read_port(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The key of an event, as maps of the kernel tier have it. */
static void spread_key(const struct bundle_function *function, const uint8_t *at,
		       struct faas_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < function->key_count; i++) {
		switch (function->key[i]) {
		case KEY_SOURCE_ADDRESS:
			memcpy(ret->source_address, at, sizeof(ret->source_address));
			break;
		case KEY_DESTINATION_ADDRESS:
			memcpy(ret->destination_address, at, sizeof(ret->destination_address));
			break;
		case KEY_SOURCE_PORT:
			ret->source_port = read_port(at);
			break;
		case KEY_DESTINATION_PORT:
			ret->destination_port = read_port(at);
			break;
		case KEY_VLAN:
			ret->vlan = read_port(at);
			break;
		case KEY_PROTOCOL:
			ret->protocol = *at;
			break;
		}
		at += bundle_key_part_bytes(function->key[i]);
	}
}

int faas_verdict(struct faas_call *call, unsigned int verdict, uint64_t value, uint64_t ttl_ns)
{
	struct worker *worker = call->worker;
	const struct bundle_function *function = &worker->bundle->user[call->function->number];
	const struct faas_event *event = worker->run.event;
	struct worker_verdict *place;
	uint64_t now_ns;

	if (verdict >= function->verdict_count || !event->key_bytes || call->gathered)
		return -EINVAL;
	if (function->verdicts[verdict].kernel == BUNDLE_NO_FUNCTION)
		return 0;
	if (worker->run.verdict_count == FAAS_VERDICTS_EVENT_MAX)
		return -ENOBUFS;
	place = &worker->run.verdicts[worker->run.verdict_count++];
	*place = (struct worker_verdict){
		.function = call->function->number,
		.verdict = (uint8_t)verdict,
		.log.boot_hash = worker->runtime_page->ring_boot_hash,
	};
	spread_key(function, faas_event_key(event), &place->log.key);
	if (!ttl_ns)
		return 0; /* an entry whose time is over */
	now_ns = worker->now_ns();
	place->log.entry.value = value;
	place->log.entry.expires_ns = ttl_ns < INT64_MAX - now_ns ? now_ns + ttl_ns : INT64_MAX;
	return 0;
}
