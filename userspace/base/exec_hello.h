/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the program of an exec function is told in the beginning, see <ebpf_faas/exec.h>. */
#ifndef FAAS_BASE_EXEC_HELLO_H
#define FAAS_BASE_EXEC_HELLO_H

#include <stdint.h>

#include "bundle.h"

/* JSON about user function @p number. Returns-owned, free(); NULL without memory. */
char *exec_hello(const struct bundle *bundle, uint32_t number) __attribute__((warn_unused_result));

#endif
