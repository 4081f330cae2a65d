// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * aggregate: smallest, largest, mean and number of the values of a window. See
 * README.md.
 *
 * Sums are of stored numbers, not of scaled ones: below 2^32 each, so that 2^31
 * of them fit. The window that would have more ends early.
 */
#include <ebpf_faas/key.h>
#include <ebpf_faas/number.h>

#define VALUES_MAX 0x7fffffff

FAAS_KERNEL_FUNCTION("Makes one record of all values of a window: min, max, mean and count");
FAAS_PARAM(u32, offset, 0, 0, 9000, "Where the number begins in the payload, in bytes");
FAAS_PARAM_NUMBER(type, s32be, "How the number is stored; be is network byte order");
FAAS_PARAM(decimal, scale, 1, -2000, 2000, "The stored number times this is the value");
FAAS_PARAM(duration, window, 60s, 100ms, 24h, "How long values are gathered");
FAAS_PARAM_KEY(by, "source_address", "What values of one series have in common");
FAAS_PARAM(u32, key_offset, 0, 0, 9000, "Which byte of the payload, when byte is in by");
FAAS_PARAM(u32, entries, 4096, 1, 1048576, "Series at most");
FAAS_OUTPUT(window, "The first value after the end of a window; the fields tell of that window");
FAAS_OUTPUT(gathered, "The value belongs to a window that goes on");
FAAS_OUTPUT(too_short,
	    "The payload ends before the number or the byte, or is that of a later fragment");
FAAS_OUTPUT(full, "Not gathered: it is a new series, and all are taken");
FAAS_FIELD(window, min, decimal, "", "Smallest value of the window");
FAAS_FIELD(window, max, decimal, "", "Largest value of the window");
FAAS_FIELD(window, mean, decimal, "", "Sum of the values divided by their number, towards zero");
FAAS_FIELD(window, count, u64, "values", "How many there were");

struct gathering {
	struct bpf_spin_lock lock;
	__u32 count;	/* 0: no value yet */
	__u64 start_ns; /* of the window: a multiple of its length */
	__s64 min, max; /* as stored */
	__s64 sum;
};

/* A window that has ended. */
struct ended {
	__u32 count; /* 0: none has */
	__s64 min, max, sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct faas_key);
	__type(value, struct gathering);
} series SEC(".maps");
FAAS_MAP_ENTRIES(series, entries);

/* Its series, made if need be; NULL: there is no room for it. */
faas_inline struct gathering *find_series(const struct faas_key *key)
{
	struct gathering *gathering = bpf_map_lookup_elem(&series, key), fresh = {0};

	if (gathering)
		return gathering;
	/* Another CPU may make it now; the second look finds either. */
	bpf_map_update_elem(&series, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&series, key);
}

/* In millionths. The machine divides numbers without sign only. Neither product
 * overflows: the quotient is below 2^32, the rest below the count, and the scale
 * below 2^31. */
faas_inline __s64 mean(__s64 sum, __u32 count)
{
	__u64 size = sum < 0 ? -(__u64)sum : (__u64)sum;
	__u64 scale = faas_param(scale) < 0 ? -(__u64)faas_param(scale) : faas_param(scale);
	__u64 whole, rest;

	if (!count)
		return 0;
	whole = size / count;
	rest = size - whole * count;
	size = whole * scale + rest * scale / count;
	return (sum < 0) == (faas_param(scale) < 0) ? (__s64)size : -(__s64)size;
}

/* Add a value. A window that it does not belong to any more ends, and is copied
 * to @p ended. Under the lock. */
faas_inline void gather(struct gathering *gathering, __s64 value, __u64 start_ns,
			struct ended *ended)
{
	/* A CPU whose clock is behind may see the window before: then the value
	 * is counted here. */
	if (gathering->count &&
	    ((__s64)(start_ns - gathering->start_ns) > 0 || gathering->count >= VALUES_MAX)) {
		ended->count = gathering->count;
		ended->min = gathering->min;
		ended->max = gathering->max;
		ended->sum = gathering->sum;
		gathering->count = 0;
	}
	if (!gathering->count) {
		gathering->start_ns = start_ns;
		gathering->min = value;
		gathering->max = value;
		gathering->sum = 0;
	}
	gathering->count++;
	gathering->sum += value;
	if (value < gathering->min)
		gathering->min = value;
	if (value > gathering->max)
		gathering->max = value;
}

FAAS_EVENT(call)
{
	struct gathering *gathering;
	struct faas_key key = {0};
	struct ended ended = {0};
	__u64 start_ns;
	__s64 value;

	if (faas_number_read(call, faas_param(type), faas_param(offset), &value) ||
	    faas_key_make(call, faas_param(by), faas_param(key_offset), &key))
		return faas_output(too_short);
	gathering = find_series(&key);
	if (!gathering)
		return faas_output(full);
	start_ns = faas_now_coarse_ns();
	start_ns -= start_ns % faas_param(window);

	bpf_spin_lock(&gathering->lock);
	gather(gathering, value, start_ns, &ended);
	bpf_spin_unlock(&gathering->lock);

	if (!ended.count)
		return faas_output(gathered);
	/* A negative scale turns smallest and largest round. */
	faas_field_set(call, min,
		       (faas_param(scale) < 0 ? ended.max : ended.min) * faas_param(scale));
	faas_field_set(call, max,
		       (faas_param(scale) < 0 ? ended.min : ended.max) * faas_param(scale));
	faas_field_set(call, mean, mean(ended.sum, ended.count));
	faas_field_set(call, count, ended.count);
	return faas_output(window);
}
