/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Time in nanoseconds. */
#ifndef FAAS_BASE_CLOCK_H
#define FAAS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_MS 1000000ull
#define CLOCK_NS_PER_S 1000000000ull

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* For deadlines: CLOCK_MONOTONIC, the clock of events. */
static inline uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* What to add to the monotonic clock to get the wall clock, as of now. */
static inline int64_t clock_wall_offset_ns(void)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	uint64_t wall = clock_ns(CLOCK_REALTIME);
	uint64_t after = clock_ns(CLOCK_MONOTONIC);

	return (int64_t)(wall - (before + (after - before) / 2));
}

#endif
