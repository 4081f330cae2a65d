// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel tier of the worker's tests: each run of the program makes one
 * event as the driver of a workflow would, by what the test wrote into `config`.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/pins.h>

#include "events.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct events_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_INSTANCES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct faas_wake);
} wake SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* tests set it */
} ring SEC(".maps");

static int wait_until(__u32 index, void *context)
{
	return bpf_ktime_get_ns() >= *(__u64 *)context;
}

SEC("xdp")
int make_event(struct xdp_md *context)
{
	__u32 zero = 0;
	struct events_config *now = bpf_map_lookup_elem(&config, &zero);
	struct faas_wake *flag = bpf_map_lookup_elem(&wake, &zero);
	__u64 flags = BPF_RB_NO_WAKEUP;
	struct events_record *record;
	__u64 number, fence;

	if (!now || !flag)
		return XDP_ABORTED;
	if (now->gap_max_ns) {
		__u64 until_ns = bpf_ktime_get_ns() + bpf_get_prandom_u32() % now->gap_max_ns;

		bpf_loop(100000, wait_until, &until_ns, 0);
	}
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		now->lost++;
		return XDP_DROP;
	}
	number = now->made++;
	if (now->discard_every && number % now->discard_every == 0) {
		now->discarded++;
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return XDP_DROP;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->event.time_ns = number;
	record->event.entry = now->entry;
	record->event.trigger = 1;
	record->event.key_bytes = sizeof(record->key);
	record->event.field_count = 1;
	record->event.fields_present = 1;
	record->event.payload_bytes = sizeof(record->payload);
	record->event.packet_payload_bytes = sizeof(record->payload);
	if (now->spoil_every && number % now->spoil_every == 0)
		record->event.payload_bytes = 3000; /* more than there is */
	record->key[0] = 0;
	record->key[1] = now->keys ? number % now->keys : number;
	record->event.key_hash = (__u32)record->key[1];
	record->event.shard = (__u16)(record->key[1] & 0xff);
	record->field = number;
	record->payload[0] = number;

	fence = __sync_fetch_and_add(&now->fence, 0);
	asm volatile("" : : "r"(fence) : "memory");
	/* The word behind the flag is zero, and 64 bits exchange with any compiler. */
	if (*(volatile __u64 *)&flag->sleeping &&
	    __sync_lock_test_and_set((__u64 *)(void *)flag, 0)) {
		now->woken++;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	now->submitted++;
	bpf_ringbuf_submit(record, flags);
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
