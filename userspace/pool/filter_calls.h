/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls of a filter by their names: of workers and of programs. */
#ifndef FAAS_POOL_FILTER_CALLS_H
#define FAAS_POOL_FILTER_CALLS_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* One action for all of them; what this architecture does not have is left out. 0 or
 * -errno. */
int filter_add_calls(scmp_filter_ctx context, uint32_t action, const char *const *names,
		     size_t count) __attribute__((warn_unused_result));

#endif
