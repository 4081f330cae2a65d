/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* faas_event.key_hash of a key, as the kernel tier computes it (bpf/driver.h). */
#ifndef FAAS_BASE_EVENT_HASH_H
#define FAAS_BASE_EVENT_HASH_H

#include <stdint.h>
#include <string.h>

#include <ebpf_faas/limits.h>

/* @p key_bytes of 1..FAAS_KEY_BYTES_MAX; what pads them to 8 is zero. */
static inline uint32_t event_key_hash(const uint8_t *key, uint32_t key_bytes)
{
	uint64_t hash = 0x51ed270b7a3c1b5dull;

	for (uint32_t at = 0; at < key_bytes; at += 8) {
		uint32_t rest = key_bytes - at;
		uint64_t word = 0;

		memcpy(&word, key + at, rest < 8 ? rest : 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93ull;
		hash ^= hash >> 32;
	}
	return (uint32_t)(hash ^ (hash >> 29));
}

static inline uint16_t event_key_shard(uint32_t key_hash)
{
	return (uint16_t)(key_hash & (FAAS_SHARDS - 1));
}

#endif
