/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bounds a worker, in words. */
#ifndef FAAS_BASE_LIMITS_TEXT_H
#define FAAS_BASE_LIMITS_TEXT_H

#include <stdint.h>

#define LIMITS_TEXT_BYTES 192

/* "seccomp, landlock, rlimits, namespaces user mount" out of enum page_limits. Returns @p ret. */
const char *limits_text(uint32_t limits, char ret[LIMITS_TEXT_BYTES]);

#endif
