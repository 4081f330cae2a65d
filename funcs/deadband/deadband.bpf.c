// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* deadband: has the value changed enough to be worth telling? See README.md. */
#include <ebpf_faas/key.h>
#include <ebpf_faas/number.h>

FAAS_KERNEL_FUNCTION("Lets a value through when it differs from the last one that was let through");
FAAS_PARAM(u32, offset, 0, 0, 9000, "Where the number begins in the payload, in bytes");
FAAS_PARAM_NUMBER(type, s32be, "How the number is stored; be is network byte order");
FAAS_PARAM(decimal, scale, 1, -2000, 2000, "The stored number times this is the value");
FAAS_PARAM_CHANGEABLE(decimal, threshold, 0, 0, 9000000000000,
		      "Differences up to this are no change");
FAAS_PARAM(duration, at_least_every, 0ms, 0ms, 24h,
	   "After this time any value is a change; 0: never");
FAAS_PARAM_KEY(by, "source_address", "What values of one series have in common");
FAAS_PARAM(u32, key_offset, 0, 0, 9000, "Which byte of the payload, when byte is in by");
FAAS_PARAM(u32, entries, 4096, 1, 1048576, "Series at most");
FAAS_OUTPUT(changed,
	    "The first value of its series, one beyond the threshold, or one after at_least_every");
FAAS_OUTPUT(unchanged, "Within the threshold of the last value that was a change");
FAAS_OUTPUT(too_short,
	    "The payload ends before the number or the byte, or is that of a later fragment");
FAAS_OUTPUT(full, "Not compared: it is a new series, and all are taken");
FAAS_FIELD(changed, value, decimal, "", "The number, scaled");
FAAS_FIELD(changed, previous, decimal, "",
	   "The last value that was a change; not set for the first");
FAAS_FIELD(unchanged, value, decimal, "", "The number, scaled");
FAAS_FIELD(unchanged, previous, decimal, "", "The last value that was a change");

struct last {
	struct bpf_spin_lock lock;
	__u32 known; /* 0: no value yet */
	__s64 value; /* in millionths */
	__u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct faas_key);
	__type(value, struct last);
} series SEC(".maps");
FAAS_MAP_ENTRIES(series, entries);

/* As unsigned numbers, which hold the difference of any two. */
faas_inline __u64 difference(__s64 a, __s64 b)
{
	return a > b ? (__u64)a - (__u64)b : (__u64)b - (__u64)a;
}

/* Its series, made if need be; NULL: there is no room for it. */
faas_inline struct last *find_series(const struct faas_key *key)
{
	struct last *last = bpf_map_lookup_elem(&series, key), fresh = {0};

	if (last)
		return last;
	/* Another CPU may make it now; the second look finds either. */
	bpf_map_update_elem(&series, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&series, key);
}

FAAS_EVENT(call)
{
	__u64 threshold = faas_param(threshold), now_ns = 0;
	struct faas_key key = {0};
	__u32 known, change;
	struct last *last;
	__s64 value, previous;

	if (faas_number_read(call, faas_param(type), faas_param(offset), &value) ||
	    faas_key_make(call, faas_param(by), faas_param(key_offset), &key))
		return faas_output(too_short);
	/* In millionths. It cannot overflow: 2^32 times 2000 million is below 2^63. */
	value *= faas_param(scale);
	last = find_series(&key);
	if (!last)
		return faas_output(full);
	if (faas_param(at_least_every))
		now_ns = faas_now_coarse_ns();

	bpf_spin_lock(&last->lock);
	known = last->known;
	previous = last->value;
	change = !known || difference(value, previous) > threshold;
	/* Another CPU's clock may be a little ahead. */
	if (faas_param(at_least_every) &&
	    (__s64)(now_ns - last->time_ns) >= (__s64)faas_param(at_least_every))
		change = 1;
	if (change) {
		last->known = 1;
		last->value = value;
		last->time_ns = now_ns;
	}
	bpf_spin_unlock(&last->lock);

	faas_field_set(call, value, value);
	if (known)
		faas_field_set(call, previous, previous);
	return change ? faas_output(changed) : faas_output(unchanged);
}
