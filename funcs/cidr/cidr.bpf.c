// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* cidr: is an address of the packet in a list of prefixes? See README.md. */
#include <ebpf_faas/kernel.h>

#define ADDRESS_BITS 128

FAAS_KERNEL_FUNCTION("Splits packets by whether an address of theirs is in a list of prefixes");
FAAS_PARAM_FILE(
	list,
	"The prefixes: one a line, 10.0.0.0/8 or 2001:db8::/32; with a 0 behind it, an exception");
FAAS_PARAM_CHOICE(by, source, "Which address is looked up", source, destination);
FAAS_PARAM(u32, entries, 1024, 1, 131072, "Prefixes at most");
FAAS_OUTPUT(listed, "The longest prefix that holds the address is listed");
FAAS_OUTPUT(unlisted,
	    "No prefix holds the address, or the longest is an exception; or there is no IP");

struct prefix {
	__u32 bits; /* IPv4 as ::ffff:a.b.c.d, so from 96 on */
	__u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct prefix);
	__type(value, __u32); /* 1: listed, 0: an exception */
} prefixes SEC(".maps");
FAAS_MAP_ENTRIES(prefixes, entries);
FAAS_MAP_CONTENTS(prefixes, list);

FAAS_EVENT(call)
{
	struct prefix key = {.bits = ADDRESS_BITS};
	union faas_address address;
	__u32 *listed;

	if (!call->ip_version)
		return faas_output(unlisted);
	if (faas_param(by) == by_source)
		faas_source_address(call, &address);
	else
		faas_destination_address(call, &address);
	__builtin_memcpy(key.address, &address, sizeof(key.address));
	listed = bpf_map_lookup_elem(&prefixes, &key);
	return listed && *listed ? faas_output(listed) : faas_output(unlisted);
}
