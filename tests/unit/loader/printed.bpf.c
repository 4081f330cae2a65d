// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Types whose values btf_print_test.c prints. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum colour { RED, GREEN = 7 };

union faas_address {
	__u8 bytes[16];
	__u64 halves[2];
};

struct inner {
	__s16 low;
	__u8 colours;
};

struct printed {
	__u64 large;
	__s64 negative;
	__s32 small;
	enum colour colour;
	_Bool yes;
	char name[7];
	__u8 source_address[16];
	__u8 hash[4];
	__u32 first_bits : 3;
	__s32 last_bits : 5;
	const struct inner *pointer;
	struct inner pair[2];
	union faas_address to;
	union {
		__u32 either;
		__u16 or [2];
	};
	struct bpf_spin_lock lock;
	double real;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct printed);
} printed SEC(".maps");

__u32 alone__count SEC(".data.alone") = 5;
__u64 alone__sum[2] SEC(".data.alone") = {1, 2};
