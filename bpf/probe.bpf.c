// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whether this kernel refuses overlapping reservations in a ring whose consumer
 * position was set ahead of the data. One that does not would let a worker's
 * own mapping corrupt records under construction (fixed by "bpf: Fix overrunning
 * reservations in ringbuf", in Linux 6.10 and the stable trees).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define RING_BYTES 16384
#define RECORD_BYTES 12288 /* two do not fit */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} probe_ring SEC(".maps");

/* The number of records that could be reserved at once: 1 is right. */
SEC("xdp")
int probe(struct xdp_md *context)
{
	void *first = bpf_ringbuf_reserve(&probe_ring, RECORD_BYTES, 0);
	void *second = bpf_ringbuf_reserve(&probe_ring, RECORD_BYTES, 0);
	int count = 0;

	if (first) {
		count++;
		bpf_ringbuf_discard(first, BPF_RB_NO_WAKEUP);
	}
	if (second) {
		count++;
		bpf_ringbuf_discard(second, BPF_RB_NO_WAKEUP);
	}
	return count;
}

char probe_license[] SEC("license") = "Dual BSD/GPL";
