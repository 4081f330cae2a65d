// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health.h"

#include <stdio.h>

/* Packets and events that did not get what they came for. */
static uint64_t lost(const struct ledger *ledger)
{
	return ledger->lost_no_program + ledger->lost_ring_full + ledger->lost_no_route +
	       ledger->lost_error + ledger->lost_stale_trigger + ledger->shed_deadline +
	       ledger->shed_sampled + ledger->dead_lettered + ledger->user.timers_dead;
}

bool health_good(const struct bundle_health *health, const struct ledger *before,
		 const struct ledger *now, bool last, char *ret, size_t bytes)
{
	uint64_t gone = lost(now) - lost(before), drops = now->dropped - before->dropped;
	uint64_t packets = now->matched - before->matched;

	if (gone > health->max_lost) {
		snprintf(ret, bytes,
			 "%llu packets and events were lost, shed or dead-lettered, allowed %llu",
			 (unsigned long long)gone, (unsigned long long)health->max_lost);
		return false;
	}
	/* In 128 bits, as nobody bounds the number of packets. */
	if (packets && (last || packets >= HEALTH_PACKETS_MIN) &&
	    (__uint128_t)drops * 1000000u > (__uint128_t)packets * health->max_drop_ratio_ppm) {
		snprintf(ret, bytes, "%llu of %llu packets were dropped, allowed %.4g %%",
			 (unsigned long long)drops, (unsigned long long)packets,
			 (double)health->max_drop_ratio_ppm / 10000);
		return false;
	}
	return true;
}
