/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How late a bare process wakes up on the consumer's core that nothing there goes before: of
 * the scheduler's first class, it sleeps until a time, looks at the clock, and sleeps again.
 * What it waits for, whoever sleeps there waits for as well.
 */
#ifndef FAAS_BENCH_SLEEPER_H
#define FAAS_BENCH_SLEEPER_H

#include <stdint.h>

#define SLEEPER_GAP_US 250

struct sleeper;

/* It ends with the program, which ends if it cannot be started. Borrowed. */
struct sleeper *sleeper_start(void);

/* It counts from here on, from none; and no more. */
void sleeper_begin(struct sleeper *sleeper);
void sleeper_end(struct sleeper *sleeper);

/* Between them: what 99 of 100 were late at most. */
double sleeper_p99_us(const struct sleeper *sleeper);

#endif
