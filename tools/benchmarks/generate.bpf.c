// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends every frame it is given out of the interface it is given for, not
 * sooner than one gap after the one before. Pacing is in here because a run of
 * live frames takes tens of milliseconds to begin: it must be one long run.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define SPINS_MAX 4096

__u64 gap_ns = 0; /* 0: as fast as it goes */
__u64 due_ns = 0;

SEC("xdp")
int generate(struct xdp_md *context)
{
	__u64 now_ns;

	if (!gap_ns)
		return XDP_TX;
	now_ns = bpf_ktime_get_ns();
	/* Behind by more than a moment: begin anew instead of catching up. */
	if (!due_ns || now_ns > due_ns + 1000000)
		due_ns = now_ns;
	for (int i = 0; i < SPINS_MAX && now_ns < due_ns; i++)
		now_ns = bpf_ktime_get_ns();
	due_ns += gap_ns;
	return XDP_TX;
}

char generate_license[] SEC("license") = "Dual BSD/GPL";
