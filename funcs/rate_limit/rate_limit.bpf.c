// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rate_limit: a token bucket for each key. See README.md.
 *
 * A token bucket is kept as what has been taken from it and has not come back
 * yet: `taken` counts in packets times nanoseconds. A packet adds the period,
 * each nanosecond takes the rate away, all in whole numbers, so that nothing is
 * rounded. A bucket with nothing taken is as good as none, so its place can go
 * to another key without anybody noticing: no list of keys ages, none is swept.
 *
 * Places lie in groups of four, each group under its own lock; the hash of the
 * key picks the group.
 */
#include <ebpf_faas/key.h>

#define PLACES 4
#define NONE PLACES
/* Time is multiplied by the rate. Where that may be too much for 64 bits, the
 * coarse product says so first. */
#define COARSE_BITS 20

FAAS_KERNEL_FUNCTION("Lets so many packets of each key through in a period, and no more");
FAAS_PARAM_KEY(by, "source_address", "What packets of one bucket have in common");
FAAS_PARAM(u32, offset, 0, 0, 9000, "Which byte of the payload, when byte is in by");
FAAS_PARAM_CHANGEABLE(u32, rate, 100, 1, 10000000, "Packets of one key in each period");
FAAS_PARAM(duration, per, 1s, 1ms, 1h, "The period");
FAAS_PARAM_CHANGEABLE(u32, burst, 100, 1, 1000000, "Packets of one key that may come at once");
FAAS_PARAM(u32, entries, 4096, 64, 1048576,
	   "Keys that have used something of their burst, at a time; 104 bytes of memory each");
FAAS_OUTPUT(within, "The key's bucket has a token, and this packet takes it");
FAAS_OUTPUT(over, "It has none");
FAAS_OUTPUT(full, "Not limited: all places for buckets are taken");
FAAS_OUTPUT(too_short, "Not limited: the payload has no such byte, or is that of a later fragment");

struct place {
	__u64 hash; /* 0: never used */
	__u64 time_ns;
	__u64 taken; /* at that time, in packets * ns */
};

struct group {
	struct bpf_spin_lock lock;
	__u32 reserved;
	struct place places[PLACES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct group);
} buckets SEC(".maps");
FAAS_MAP_ENTRIES(buckets, entries);

static __u64 seed;

/* What is still taken at @p now_ns. Another CPU's clock may be a little ahead:
 * nothing comes back then. */
faas_inline __u64 still_taken(const struct place *place, __u64 now_ns, __u64 rate)
{
	__u64 age_ns = now_ns - place->time_ns, taken = place->taken;

	if ((__s64)age_ns < 0)
		return taken;
	if ((age_ns >> COARSE_BITS) * rate > taken >> COARSE_BITS)
		return 0;
	age_ns *= rate; /* below taken + 2^20 * rate */
	return age_ns < taken ? taken - age_ns : 0;
}

/* The place of @p hash, or a free one for it, or NONE. Under the lock. */
faas_inline __u32 find_place(struct group *group, __u64 hash, __u64 now_ns, __u64 rate)
{
#pragma unroll
	for (__u32 i = 0; i < PLACES; i++)
		if (group->places[i].hash == hash)
			return i;
#pragma unroll
	for (__u32 i = 0; i < PLACES; i++) {
		if (!still_taken(&group->places[i], now_ns, rate)) {
			group->places[i].hash = hash;
			group->places[i].taken = 0;
			group->places[i].time_ns = now_ns;
			return i;
		}
	}
	return NONE;
}

FAAS_EVENT(call)
{
	__u64 rate = faas_param(rate), burst = faas_param(burst), hash, now_ns, taken;
	int output = faas_output(full);
	struct faas_key key = {0};
	struct group *group;
	struct place *place;
	__u32 index;

	if (faas_key_make(call, faas_param(by), faas_param(offset), &key))
		return faas_output(too_short);
	hash = faas_key_hash(faas_seed(&seed), faas_param(by), &key) | 1;
	index = (__u32)(((hash >> 32) * faas_param(entries)) >> 32);
	group = bpf_map_lookup_elem(&buckets, &index);
	if (!group)
		return faas_output(full);
	now_ns = faas_now_ns();

	bpf_spin_lock(&group->lock);
	index = find_place(group, hash, now_ns, rate);
	if (index < PLACES) {
		place = &group->places[index];
		taken = still_taken(place, now_ns, rate);
		output = faas_output(over);
		if (taken <= (burst - 1) * faas_param(per)) {
			taken += faas_param(per);
			output = faas_output(within);
		}
		place->taken = taken;
		if ((__s64)(now_ns - place->time_ns) > 0)
			place->time_ns = now_ns;
	}
	bpf_spin_unlock(&group->lock);
	return output;
}
