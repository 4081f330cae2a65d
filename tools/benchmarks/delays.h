/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How long things took, counted in steps. Shared by the two sides of a benchmark. */
#ifndef FAAS_BENCH_DELAYS_H
#define FAAS_BENCH_DELAYS_H

#include <stdint.h>

#define DELAYS_STEP_NS 50
#define DELAYS_STEPS 100000 /* the last one: 5 ms and more */

struct delays {
	uint64_t count;
	uint32_t steps[DELAYS_STEPS];
};

static inline void delays_add(struct delays *delays, uint64_t ns)
{
	uint64_t step = ns / DELAYS_STEP_NS;

	delays->steps[step < DELAYS_STEPS ? step : DELAYS_STEPS - 1]++;
	delays->count++;
}

/* The delay that @p part of 100 are not above, in nanoseconds. */
static inline uint64_t delays_percentile(const struct delays *delays, unsigned int part)
{
	uint64_t wanted = (delays->count * part + 99) / 100, seen = 0;
	uint64_t step = 0;

	while (step < DELAYS_STEPS - 1 && (seen += delays->steps[step]) < wanted)
		step++;
	return (step + 1) * DELAYS_STEP_NS;
}

#endif
