/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of bench commit about records on the disk. */
#ifndef FAAS_BENCH_COMMIT_DURABLE_H
#define FAAS_BENCH_COMMIT_DURABLE_H

#include <stdbool.h>

#include "bench.h"

/* Measure all rounds, print the figures. Returns whether all goals were met. */
bool commit_durable(const struct bench *bench);

#endif
