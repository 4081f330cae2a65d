// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/filter_calls.h"

int filter_add_calls(scmp_filter_ctx context, uint32_t action, const char *const *names,
		     size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0)
			err = seccomp_rule_add(context, action, number, 0);
	}
	return err;
}
