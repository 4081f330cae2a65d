// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* count: packets and bytes by what they have in common. See README.md. */
#include <ebpf_faas/key.h>

FAAS_KERNEL_FUNCTION("Counts packets and bytes by address, port, protocol, VLAN or payload byte");
FAAS_PARAM_KEY(by, "source_address", "What packets of one counter have in common");
FAAS_PARAM(u32, offset, 0, 0, 9000, "Which byte of the payload, when byte is in by");
FAAS_PARAM(u32, entries, 4096, 1, 4194304, "Counters at most");
FAAS_OUTPUT(counted, "The packet was counted");
FAAS_OUTPUT(full, "Not counted: it needs a new counter, and all are taken");
FAAS_OUTPUT(too_short, "Not counted: the payload has no such byte, or is that of a later fragment");
FAAS_FIELD(counted, count, u64, "packets", "Packets of this counter, this one included");

struct counter {
	__u64 packets;
	__u64 bytes; /* of frames, without the frame check sequence */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct faas_key);
	__type(value, struct counter);
} counters SEC(".maps");
FAAS_MAP_ENTRIES(counters, entries);

FAAS_EVENT(call)
{
	struct faas_key key = {0};
	struct counter *counter, fresh = {0};

	if (faas_key_make(call, faas_param(by), faas_param(offset), &key))
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
	__sync_fetch_and_add(&counter->bytes, faas_frame_bytes(call));
	return faas_output(counted);
}
