/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Synthetic sets of frames, by name: each set is a short list of special cases. */
#ifndef FAAS_TESTS_LIB_INJECT_SETS_H
#define FAAS_TESTS_LIB_INJECT_SETS_H

#include <stdint.h>
#include <stdio.h>

#include "frame.h"

/* Frame @p n of a set, to @p port: 1 with the frame, 0 past the end, -1 for a
 * set that does not exist. */
int inject_set_frame(const char *set, unsigned int n, uint16_t port, struct frame *ret);

void inject_sets_print(FILE *stream);

#endif
