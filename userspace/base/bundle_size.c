// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bundle_size.h"

#include <unistd.h>

#include "stateview.h"
#include "words.h"

uint32_t bundle_ring_bytes(uint32_t events)
{
	uint64_t wanted = (uint64_t)events * FAAS_QUEUE_EVENT_BYTES;
	uint64_t bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	while (bytes < wanted)
		bytes *= 2;
	return (uint32_t)bytes;
}

uint32_t state_slot_bytes(uint32_t key_bytes, uint32_t value_bytes)
{
	uint32_t bytes =
		(uint32_t)sizeof(struct state_slot) + words_pad(key_bytes) + words_pad(value_bytes);

	/* A slot that fits a cache line does not straddle two. */
	return bytes > 32 && bytes <= 64 ? 64 : bytes;
}

uint64_t state_capacity(uint32_t keys_max)
{
	return (uint64_t)keys_max + (keys_max + 2) / 3 + 1;
}

uint64_t state_table_bytes(uint32_t keys_max, uint32_t key_bytes, uint32_t value_bytes)
{
	return STATE_DATA_OFFSET +
	       state_capacity(keys_max) * state_slot_bytes(key_bytes, value_bytes);
}

uint32_t state_key_bytes(const struct bundle *bundle, uint32_t function)
{
	uint32_t bytes[FAAS_USER_FUNCTIONS_MAX] = {0};

	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		const struct bundle_entry *entry = &bundle->entries[i];

		if (entry->kind == TARGET_USER && entry->key_bytes > bytes[entry->index])
			bytes[entry->index] = entry->key_bytes;
	}
	/* In topological order: one pass carries keys to the end. */
	for (uint32_t i = 0; i < function; i++) {
		const struct bundle_function *from = &bundle->user[i];

		for (uint32_t o = 0; o < from->output_count; o++) {
			for (uint32_t t = 0; t < from->outputs[o].target_count; t++) {
				const struct bundle_target *target = &from->outputs[o].targets[t];

				if (target->kind == TARGET_USER && bytes[i] > bytes[target->index])
					bytes[target->index] = bytes[i];
			}
		}
	}
	return bytes[function];
}

uint64_t state_file_bytes(const struct bundle *bundle, uint32_t function)
{
	const struct bundle_function *user = &bundle->user[function];

	if (!user->has_state)
		return 0;
	return state_table_bytes(user->state_keys, state_key_bytes(bundle, function),
				 state_value_bytes(user));
}

uint64_t bundle_state_bytes(const struct bundle *bundle)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < bundle->user_count; i++)
		bytes += state_file_bytes(bundle, i);
	return bytes;
}

uint64_t bundle_sink_bytes(const struct bundle_sink *sink)
{
	uint64_t bytes;

	if (sink->kind != SINK_FILE)
		return 0;
	if (!sink->rotate_bytes ||
	    __builtin_mul_overflow(sink->rotate_bytes, sink->keep + 1ull, &bytes))
		return UINT64_MAX;
	return bytes;
}

uint64_t durable_log_bytes(uint64_t circle_bytes, uint64_t staging_capacity)
{
	uint64_t times = (circle_bytes + staging_capacity - 1) / staging_capacity;

	return SIZE_DISK_SUPERBLOCKS + (times < 2 ? 2 : times) * staging_capacity;
}

uint64_t durable_image_bytes(uint64_t bytes)
{
	uint64_t body = SIZE_DISK_CHUNK_BYTES - SIZE_DISK_CHUNK_HEAD;

	return (bytes + body - 1) / body * SIZE_DISK_CHUNK_BYTES;
}

uint64_t bundle_disk_bytes(const struct bundle *bundle)
{
	uint64_t bytes;

	if (!bundle_is_durable(bundle))
		return 0;
	bytes = SIZE_DISK_DAMAGE +
		durable_log_bytes(bundle->storage_bytes,
				  (uint64_t)FAAS_LOG_SEGMENTS * FAAS_LOG_SEGMENT_BYTES);
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (bundle->user[i].state_mode == STATE_DURABLE)
			bytes += 2 * durable_image_bytes(state_file_bytes(bundle, i));
	return bytes;
}
