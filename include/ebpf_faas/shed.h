/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which events are shed. The worker says how many bytes of its ring it works off
 * within the deadline, its budget; the kernel tier compares with what the ring
 * holds. Each importance has a fourth of the budget in which the share that is shed
 * grows from none to all, one above the other:
 *
 *   eighths of the budget   0    1    2    3    4    5    6    7    8
 *   low                      ----/////########################
 *   normal                   --------------/////##############
 *   high                     ------------------------/////####
 *
 * A share, not a switch: what comes in settles at what the worker manages, and the
 * ring neither runs empty nor full. The last eighth is for what was not foreseen.
 */
#ifndef EBPF_FAAS_SHED_H
#define EBPF_FAAS_SHED_H

#include <linux/types.h>

/* Levels, in the order in which they are shed. */
#define FAAS_SHED_LOW 0
#define FAAS_SHED_NORMAL 1
#define FAAS_SHED_HIGH 2

enum faas_shed {
	FAAS_SHED_NO,
	FAAS_SHED_SAMPLED,  /* one of the share */
	FAAS_SHED_DEADLINE, /* all are: the worker would come too late */
};

/*
 * @p depth: bytes in the ring. @p budget: as above, not 0. @p number: of the event;
 * consecutive ones are spread evenly over the share, whatever pattern events come in.
 */
static inline __attribute__((always_inline)) enum faas_shed
faas_shed_decide(__u64 depth, __u32 budget, __u32 level, __u64 number)
{
	__u64 part = budget / 8, over;
	/* Multiples of the golden ratio, as parts of 2^32. */
	__u64 place = (__u32)(number * 0x9e3779b9u);

	if (depth <= part * (1 + 2 * level))
		return FAAS_SHED_NO;
	over = depth - part * (1 + 2 * level);
	if (over >= 2 * part)
		return FAAS_SHED_DEADLINE;
	return over > (place * 2 * part) >> 32 ? FAAS_SHED_SAMPLED : FAAS_SHED_NO;
}

#endif
