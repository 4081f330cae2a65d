// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* keeper: remembers every packet in each kind of state that a function can have. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Remembers every packet in maps of several kinds and in variables");
FAAS_OUTPUT(kept, "Always");

struct flow_count {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 100);
	__type(key, __u16);
	__type(value, struct flow_count);
} by_port SEC(".maps");

struct network {
	__u32 bits;
	__u8 source_address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 50);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct network);
	__type(value, __u32);
} networks SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	__u16 port;
	__u64 sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3000);
	__type(key, __u32);
	__type(value, struct locked);
} places SEC(".maps");

static __u64 seen;
static volatile char title[8] = "keeper";

static void keep_network(struct faas_call *call)
{
	struct network network = {.bits = 96 + 24};
	union faas_address address;
	__u32 one = 1;

	faas_source_address(call, &address);
	__builtin_memcpy(network.source_address, &address, 15);
	bpf_map_update_elem(&networks, &network, &one, BPF_ANY);
}

FAAS_EVENT(call)
{
	struct flow_count *count, fresh = {0};
	__u16 port = call->source_port;
	__u32 place = port % 3000;
	struct locked *locked;

	seen++;
	title[6] = '!';
	keep_network(call);
	count = bpf_map_lookup_elem(&by_port, &port);
	if (!count) {
		bpf_map_update_elem(&by_port, &port, &fresh, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&by_port, &port);
	}
	if (count) {
		count->packets++;
		count->bytes += call->payload_bytes;
	}
	locked = bpf_map_lookup_elem(&places, &place);
	if (locked) {
		bpf_spin_lock(&locked->lock);
		locked->port = port;
		locked->sum++;
		bpf_spin_unlock(&locked->lock);
	}
	return faas_output(kept);
}
