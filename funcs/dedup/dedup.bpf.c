// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * dedup: has the same packet been here a moment ago? See README.md.
 *
 * The memory is an array of small buckets, each under its own lock. The hash of
 * a packet picks the bucket; the bucket's four places hold hashes and times, and
 * the oldest gives way. There is one bucket for each packet that shall be
 * remembered, so a fifth packet seldom meets four younger ones. An LRU hash map
 * would need no such thought, and costs several times as much on a new packet.
 */
#include <ebpf_faas/key.h>

#define PLACES 4
#define HASHED_BYTES_MAX 1536 /* an Ethernet frame's payload */
#define BLOCK_BYTES 32
/* From this window on, a clock that is up to 10 ms late is good enough. */
#define COARSE_WINDOW_NS 250000000

FAAS_KERNEL_FUNCTION("Tells packets that were not there a moment ago from their repetitions");
FAAS_PARAM_SET(by, "source_address,payload", "What must be equal in two packets", source_address,
	       source_port, destination_address, destination_port, payload);
FAAS_PARAM(duration, window, 500ms, 1ms, 1h, "How long a packet is remembered");
FAAS_PARAM(u32, entries, 4096, 64, 1048576,
	   "Packets remembered at a time; each takes 72 bytes of memory");
FAAS_OUTPUT(first, "Not seen within the window");
FAAS_OUTPUT(repeat, "Seen within the window");
FAAS_OUTPUT(oversize, "Not compared: the payload has more than 1536 bytes, or its rest is missing");

struct place {
	__u64 hash; /* 0: never used */
	__u64 time_ns;
};

struct bucket {
	struct bpf_spin_lock lock;
	__u32 reserved;
	struct place places[PLACES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct bucket);
} seen SEC(".maps");
FAAS_MAP_ENTRIES(seen, entries);

/* Random, so that nobody can prepare packets that look like those of others. */
static __u64 seed;

/* One step of a lane, as xxHash64 does it: a bit anywhere in the word reaches
 * bits that the next word cannot simply flip back. */
faas_inline __u64 lane_mix(__u64 lane, __u64 word)
{
	lane += word * 0xc2b2ae3d27d4eb4full;
	lane = lane << 31 | lane >> 33;
	return lane * 0x9e3779b185ebca87ull;
}

#define LOAD(type, at) (*(const type *)(at))

/*
 * Hash the payload. 0, or -1 when it is too long or not all there. The rest
 * behind the last whole block comes first: the verifier then walks the loop
 * once, and not once for each length of the rest.
 */
faas_inline int hash_payload(const struct faas_call *call, __u64 *hash)
{
	void *start = call->payload;
	__u64 a = *hash, b = ~a, c = a ^ 0x165667b19e3779f9ull, d = ~c;
	__u64 bytes = call->payload_bytes;
	void *at;

	if (bytes > HASHED_BYTES_MAX ||
	    call->flags & (FAAS_EVENT_FIRST_FRAGMENT | FAAS_EVENT_FRAGMENT | FAAS_EVENT_TRUNCATED))
		return -1;
	d ^= bytes;
	/* A value of its own for the verifier: else what the loop learns about
	 * it sticks to call->payload_bytes, and everything behind the loop is
	 * verified once for each number of rounds. */
	asm volatile("%0 &= 0x7ff" : "+r"(bytes));
	at = start + (bytes & ~(__u64)(BLOCK_BYTES - 1));
	if (bytes & 16) {
		if (at + 16 > call->data_end)
			return -1;
		a = lane_mix(a, LOAD(__u64, at));
		b = lane_mix(b, LOAD(__u64, at + 8));
		at += 16;
	}
	if (bytes & 8) {
		if (at + 8 > call->data_end)
			return -1;
		c = lane_mix(c, LOAD(__u64, at));
		at += 8;
	}
	if (bytes & 4) {
		if (at + 4 > call->data_end)
			return -1;
		d = lane_mix(d, LOAD(__u32, at));
		at += 4;
	}
	if (bytes & 2) {
		if (at + 2 > call->data_end)
			return -1;
		d = lane_mix(d, LOAD(__u16, at));
		at += 2;
	}
	if (bytes & 1) {
		if (at + 1 > call->data_end)
			return -1;
		d = lane_mix(d, LOAD(__u8, at));
	}
	at = start;
	for (__u32 block = 0; block < HASHED_BYTES_MAX / BLOCK_BYTES; block++) {
		if (bytes < BLOCK_BYTES)
			break;
		/* Else the compiler counts down from data_end, which the
		 * verifier does not allow. */
		asm volatile("" : "+r"(at));
		if (at + BLOCK_BYTES > call->data_end)
			return -1;
		a = lane_mix(a, LOAD(__u64, at));
		b = lane_mix(b, LOAD(__u64, at + 8));
		c = lane_mix(c, LOAD(__u64, at + 16));
		d = lane_mix(d, LOAD(__u64, at + 24));
		at += BLOCK_BYTES;
		bytes -= BLOCK_BYTES;
	}
	*hash = faas_hash_mix(faas_hash_mix(faas_hash_mix(a, b), c), d);
	return 0;
}

faas_inline __u64 hash_address(__u64 hash, const union faas_address *address)
{
	return lane_mix(lane_mix(hash, address->halves[0]), address->halves[1]);
}

faas_inline int hash_packet(const struct faas_call *call, __u64 *ret)
{
	union faas_address address;
	__u64 hash = faas_seed(&seed);
	__u64 ports = 0;

	if (faas_param_has(by, source_address)) {
		faas_source_address(call, &address);
		hash = hash_address(hash, &address);
	}
	if (faas_param_has(by, destination_address)) {
		faas_destination_address(call, &address);
		hash = hash_address(hash, &address);
	}
	if (faas_param_has(by, source_port))
		ports = call->source_port;
	if (faas_param_has(by, destination_port))
		ports |= (__u64)call->destination_port << 16;
	if (faas_param_has(by, source_port) || faas_param_has(by, destination_port))
		hash = lane_mix(hash, ports);
	if (faas_param_has(by, payload)) {
		if (hash_payload(call, &hash))
			return -1;
	} else {
		hash = faas_hash_mix(hash, 0);
	}
	*ret = hash ? hash : 1;
	return 0;
}

/* Nanoseconds since @p time_ns. Another CPU's clock may be a little ahead. */
faas_inline __u64 age(__u64 now_ns, __u64 time_ns)
{
	return now_ns > time_ns ? now_ns - time_ns : 0;
}

FAAS_EVENT(call)
{
	int output = faas_output(first);
	struct bucket *bucket;
	__u64 hash, now_ns, oldest_ns = ~0ull;
	__u32 index, oldest = 0;

	if (hash_packet(call, &hash))
		return faas_output(oversize);
	/* Spreads over any number of buckets, without a division. */
	index = (__u32)(((hash >> 32) * faas_param(entries)) >> 32);
	bucket = bpf_map_lookup_elem(&seen, &index);
	if (!bucket)
		return faas_output(first);
	now_ns = faas_param(window) >= COARSE_WINDOW_NS ? faas_now_coarse_ns() : faas_now_ns();

	bpf_spin_lock(&bucket->lock);
#pragma unroll
	for (__u32 i = 0; i < PLACES; i++) {
		if (bucket->places[i].hash == hash) {
			if (age(now_ns, bucket->places[i].time_ns) < faas_param(window))
				output = faas_output(repeat);
			oldest_ns = 0; /* its place, whoever is older */
			oldest = i;
			break;
		}
		if (bucket->places[i].time_ns < oldest_ns) {
			oldest_ns = bucket->places[i].time_ns;
			oldest = i;
		}
	}
	/* A repetition does not start the window anew, or a value that is sent
	 * all the time would never be let through again. */
	if (output == faas_output(first)) {
#pragma unroll
		for (__u32 i = 0; i < PLACES; i++) {
			if (i == oldest) {
				bucket->places[i].hash = hash;
				bucket->places[i].time_ns = now_ns;
			}
		}
	}
	bpf_spin_unlock(&bucket->lock);
	return output;
}
