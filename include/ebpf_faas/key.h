/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What packets have in common, chosen by a parameter: the key of a state map
 * that bpftool prints by names, or a hash.
 *
 *	FAAS_PARAM_KEY(by, "source_address", "What packets of one counter have in common");
 *	...
 *	struct faas_key key = {0};
 *
 *	if (faas_key_make(call, faas_param(by), faas_param(offset), &key))
 *		return faas_output(too_short);
 */
#ifndef EBPF_FAAS_KEY_H
#define EBPF_FAAS_KEY_H

#include <ebpf_faas/kernel.h>
#include <ebpf_faas/keyed.h>

/* Declare the parameter: a set of the parts below. */
#define FAAS_PARAM_KEY(name, default, doc)                                                         \
	FAAS_PARAM_SET(name, default, doc, source_address, destination_address, source_port,       \
		       destination_port, byte, protocol, vlan)

/* Its bits, in the same order. */
enum faas_key_part {
	FAAS_KEY_SOURCE_ADDRESS = 0x01,
	FAAS_KEY_DESTINATION_ADDRESS = 0x02,
	FAAS_KEY_SOURCE_PORT = 0x04,
	FAAS_KEY_DESTINATION_PORT = 0x08,
	FAAS_KEY_BYTE = 0x10,
	FAAS_KEY_PROTOCOL = 0x20,
	FAAS_KEY_VLAN = 0x40,
};

/*
 * Fill @p key, which is all zeros before, with the @p parts of a packet.
 * @p parts is a parameter: what is not chosen costs nothing. 0, or -1: the
 * payload has no byte at @p offset, or begins in the middle of the message, as
 * that of a later fragment does.
 */
faas_inline int faas_key_make(const struct faas_call *call, __u32 parts, __u32 offset,
			      struct faas_key *key)
{
	union faas_address address;

	if (parts & FAAS_KEY_SOURCE_ADDRESS) {
		faas_source_address(call, &address);
		__builtin_memcpy(key->source_address, &address, 16);
	}
	if (parts & FAAS_KEY_DESTINATION_ADDRESS) {
		faas_destination_address(call, &address);
		__builtin_memcpy(key->destination_address, &address, 16);
	}
	if (parts & FAAS_KEY_SOURCE_PORT)
		key->source_port = call->source_port;
	if (parts & FAAS_KEY_DESTINATION_PORT)
		key->destination_port = call->destination_port;
	if (parts & FAAS_KEY_VLAN)
		key->vlan = call->vlan;
	if (parts & FAAS_KEY_PROTOCOL)
		key->protocol = call->ip_protocol;
	if (parts & FAAS_KEY_BYTE) {
		if (call->flags & FAAS_EVENT_FRAGMENT)
			return -1;
		if (faas_read_u8(call, offset, &key->byte) &&
		    faas_payload_load(call, offset, &key->byte, 1))
			return -1;
	}
	return 0;
}

/* Hash the chosen parts of a packet's key. */
faas_inline __u64 faas_key_hash(__u64 seed, __u32 parts, const struct faas_key *key)
{
	const __u64 *words = (const __u64 *)key;
	__u64 hash = seed;

	if (parts & FAAS_KEY_SOURCE_ADDRESS)
		hash = faas_hash_mix(faas_hash_mix(hash, words[0]), words[1]);
	if (parts & FAAS_KEY_DESTINATION_ADDRESS)
		hash = faas_hash_mix(faas_hash_mix(hash, words[2]), words[3]);
	if (parts & ~(FAAS_KEY_SOURCE_ADDRESS | FAAS_KEY_DESTINATION_ADDRESS))
		hash = faas_hash_mix(hash, words[4]);
	return hash;
}

/*
 * A random number that stays the same, kept in @p seed: a static variable of
 * the function, 0 at first. With it in a hash, nobody can prepare packets that
 * collide with those of others.
 */
faas_inline __u64 faas_seed(__u64 *seed)
{
	__u64 value = *(volatile __u64 *)seed;

	if (value)
		return value;
	value = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
	__sync_val_compare_and_swap(seed, 0, value); /* the first CPU decides */
	return *(volatile __u64 *)seed;
}

_Static_assert(sizeof(struct faas_key) == 40, "whole words");

#endif
