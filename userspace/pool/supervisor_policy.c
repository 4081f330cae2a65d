// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_policy.h"

#include <signal.h>

_Static_assert((POLICY_DELAY_MIN_MS << 10) >= POLICY_DELAY_MAX_MS, "ten doublings reach the most");

/* In quarters of a death. */
static uint32_t weigh(const struct policy_death *death)
{
	return death->signal == SIGKILL && !death->timeout ? 1 : 4;
}

static void blame(struct policy *policy, const struct policy_death *death)
{
	/* Outside callbacks no event is to blame, nor is any acquitted: workers
	 * are also killed while they recover. */
	if (!death->attempt_position)
		return;
	if (death->attempt_position != policy->position) {
		policy->position = death->attempt_position;
		policy->quarters = 0;
		policy->condemned = false;
	}
	policy->quarters += weigh(death);
	policy->timeout = death->timeout;
	if (policy->quarters >=
	    4 * (policy->retry.attempts ? policy->retry.attempts : POLICY_DEATHS_MAX))
		policy->condemned = true;
}

static void note_own(struct policy *policy, uint64_t now_ms)
{
	uint32_t next = (policy->oldest + 1) % POLICY_QUARANTINE_DEATHS;

	policy->deaths_ms[policy->oldest] = now_ms;
	policy->oldest = next;
	policy->quarantined =
		policy->deaths_ms[next] && now_ms - policy->deaths_ms[next] <= POLICY_QUARANTINE_MS;
}

uint64_t policy_backoff_ms(const struct policy_retry *retry, uint32_t number)
{
	uint64_t ms = retry->backoff_min_ms;

	for (; number > 2 && ms < retry->backoff_max_ms; number--)
		ms *= 2;
	return ms < retry->backoff_max_ms ? ms : retry->backoff_max_ms;
}

uint32_t policy_death(struct policy *policy, const struct policy_death *death)
{
	uint32_t doublings;

	blame(policy, death);
	if (death->own)
		note_own(policy, death->now_ms);
	/* The event has one attempt more, and time before it. */
	if (policy->retry.attempts && death->attempt_position && !policy->condemned &&
	    policy->quarters >= 4)
		return (uint32_t)policy_backoff_ms(&policy->retry, policy->quarters / 4 + 1);
	/* Whoever kills a worker that works gets another one at once. */
	if (death->progress || death->lived_ms >= POLICY_LONG_LIFE_MS) {
		policy->fruitless = 0;
		return 0;
	}
	doublings = policy->fruitless++;
	if (death->signal == SIGKILL && !death->timeout) {
		if (!doublings)
			return 0;
		doublings--;
	}
	if (doublings >= 10)
		return POLICY_DELAY_MAX_MS;
	return POLICY_DELAY_MIN_MS << doublings;
}
