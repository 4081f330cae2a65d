// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends every frame it is given out of the interface it is given for, not
 * sooner than one gap after the one before. Pacing is in here because a run of
 * live frames takes tens of milliseconds to begin: it must be one long run.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LOOKS_MAX (1 << 16)
/* Of a frame without options: IPv4 source address, UDP port and checksum, payload. */
#define SOURCE_OFFSET 26
#define PORT_OFFSET 36
#define CHECKSUM_OFFSET 40
#define PAYLOAD_OFFSET 42

/* Written by user space as one: struct tier_pace, then due_ns. */
struct {
	__u64 gap_ns; /* 0: as fast as it goes */
	__u64 stamp;  /* 1: the time goes into the first 8 bytes of the payload */
	__u64 keys;   /* source addresses 10.128.0.0 + 0..keys-1 take turns; 0: the frame's own */
	__u64 beside; /* so many follow each frame, to the port above, without gap and stamp */
	__u64 port;   /* of the frame itself, where some are beside it */
	__u64 due_ns;
	__u64 sent;
} pace = {0};

static long look(__u32 index, void *context)
{
	return bpf_ktime_get_ns() >= *(__u64 *)context;
}

static void wait_for_turn(void)
{
	__u64 now_ns = bpf_ktime_get_ns(), due_ns = pace.due_ns;

	/* Behind by more than a moment: begin anew instead of catching up. */
	if (!due_ns || now_ns > due_ns + 1000000)
		due_ns = now_ns;
	if (now_ns < due_ns)
		bpf_loop(LOOKS_MAX, look, &due_ns, 0);
	pace.due_ns = due_ns + pace.gap_ns;
}

/* Whether it is one of those beside. Frames come again as they were left. */
static bool is_beside(void *data)
{
	bool beside = pace.sent++ % (pace.beside + 1) != 0;

	*(__u16 *)(data + PORT_OFFSET) = bpf_htons((__u16)(pace.port + beside));
	*(__u16 *)(data + CHECKSUM_OFFSET) = 0; /* none, as IPv4 allows */
	return beside;
}

SEC("xdp")
int generate(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (data + PAYLOAD_OFFSET + 8 > end)
		return XDP_DROP;
	if (pace.beside && is_beside(data))
		return XDP_TX;
	if (pace.gap_ns)
		wait_for_turn();
	if (pace.keys) {
		/* In no order that memory could guess. */
		__u32 key = (__u32)((__u64)((__u32)pace.sent++ * 0x9e3779b1u) * pace.keys >> 32);

		*(__u32 *)(data + SOURCE_OFFSET) = __builtin_bswap32(0x0a800000 + key);
	}
	if (pace.stamp) {
		*(__u16 *)(data + CHECKSUM_OFFSET) = 0; /* none, as IPv4 allows */
		*(__u64 *)(data + PAYLOAD_OFFSET) = bpf_ktime_get_ns();
	}
	return XDP_TX;
}

char generate_license[] SEC("license") = "Dual BSD/GPL";
