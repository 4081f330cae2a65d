// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* count: packets and bytes by what they have in common. See README.md. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Counts packets and bytes by address, port, protocol, VLAN or payload byte");
FAAS_PARAM_SET(by, "source_address", "What packets of one counter have in common", source_address,
	       destination_address, source_port, destination_port, byte, protocol, vlan);
FAAS_PARAM(u32, offset, 0, 0, 9000, "Which byte of the payload, when byte is in by");
FAAS_PARAM(u32, entries, 4096, 1, 4194304, "Counters at most");
FAAS_OUTPUT(counted, "The packet was counted");
FAAS_OUTPUT(full, "Not counted: it needs a new counter, and all are taken");
FAAS_OUTPUT(too_short, "Not counted: the payload has no such byte");
FAAS_FIELD(counted, count, u64, "packets", "Packets of this counter, this one included");

/* What is not in "by" stays zero. */
struct counter_key {
	__u8 source_address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 destination_address[16];
	__u16 source_port;
	__u16 destination_port;
	__u16 vlan;
	__u8 protocol;
	__u8 byte;
};

struct counter {
	__u64 packets;
	__u64 bytes; /* of frames, without the frame check sequence */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct counter_key);
	__type(value, struct counter);
} counters SEC(".maps");
FAAS_MAP_ENTRIES(counters, entries);

faas_inline int make_key(const struct faas_call *call, struct counter_key *key)
{
	union faas_address address;

	if (faas_param_has(by, source_address)) {
		faas_source_address(call, &address);
		__builtin_memcpy(key->source_address, &address, 16);
	}
	if (faas_param_has(by, destination_address)) {
		faas_destination_address(call, &address);
		__builtin_memcpy(key->destination_address, &address, 16);
	}
	if (faas_param_has(by, source_port))
		key->source_port = call->source_port;
	if (faas_param_has(by, destination_port))
		key->destination_port = call->destination_port;
	if (faas_param_has(by, vlan))
		key->vlan = call->vlan;
	if (faas_param_has(by, protocol))
		key->protocol = call->ip_protocol;
	if (faas_param_has(by, byte) && faas_read_u8(call, faas_param(offset), &key->byte))
		return -1;
	return 0;
}

FAAS_EVENT(call)
{
	struct counter_key key = {0};
	struct counter *counter, fresh = {0};

	if (make_key(call, &key))
		return faas_output(too_short);
	counter = bpf_map_lookup_elem(&counters, &key);
	if (!counter) {
		/* Another CPU may make the same counter now; whoever comes
		 * second finds it by the second look. */
		bpf_map_update_elem(&counters, &key, &fresh, BPF_NOEXIST);
		counter = bpf_map_lookup_elem(&counters, &key);
		if (!counter)
			return faas_output(full);
	}
	faas_field_set(call, count, __sync_fetch_and_add(&counter->packets, 1) + 1);
	__sync_fetch_and_add(&counter->bytes, (__u64)(call->data_end - call->data));
	return faas_output(counted);
}
