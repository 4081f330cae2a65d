// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/health.h"

struct counted {
	uint64_t matched, dropped, no_program, ring_full, dead;
};

/* Before everything stood at 1000, so that only what came since may count. */
static struct ledger ledger_of(const struct counted *counted, bool now)
{
	return (struct ledger){.matched = 1000 + (now ? counted->matched : 0),
			       .dropped = 1000 + (now ? counted->dropped : 0),
			       .lost_no_program = 1000 + (now ? counted->no_program : 0),
			       .lost_ring_full = 1000 + (now ? counted->ring_full : 0),
			       .dead_lettered = 1000 + (now ? counted->dead : 0)};
}

static const struct {
	const char *name;
	uint64_t max_lost;
	uint64_t max_drop_ppm;
	struct counted counted;
	bool last;
	const char *reason; /* NULL: good */
} rows[] = {
	{"nothing came", 0, 0, {0}, true, NULL},
	{"no loss", 0, 1000000, {.matched = 50, .dropped = 50}, true, NULL},
	{"one lost", 0, 1000000, {.ring_full = 1}, false, "1 packets and events were lost"},
	{"as many as allowed",
	 3,
	 1000000,
	 {.ring_full = 1, .no_program = 1, .dead = 1},
	 true,
	 NULL},
	{"one more", 2, 1000000, {.ring_full = 1, .no_program = 1, .dead = 1}, true, "3 packets"},
	{"share at the limit", 0, 200000, {.matched = 50, .dropped = 10}, true, NULL},
	{"share above",
	 0,
	 200000,
	 {.matched = 50, .dropped = 11},
	 true,
	 "11 of 50 packets were dropped, allowed 20 %"},
	{"few say nothing before the end", 0, 0, {.matched = 999, .dropped = 999}, false, NULL},
	{"many do", 0, 0, {.matched = 1000, .dropped = 1}, false, "1 of 1000"},
	{"counts do not overflow",
	 0,
	 999999,
	 {.matched = 1ull << 62, .dropped = 1ull << 62},
	 true,
	 "were dropped"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bundle_health health = {.given = true,
						     .max_lost = rows[i].max_lost,
						     .max_drop_ratio_ppm = rows[i].max_drop_ppm};
		struct ledger before = ledger_of(&rows[i].counted, false);
		struct ledger now = ledger_of(&rows[i].counted, true);
		char reason[256] = "";
		bool good =
			health_good(&health, &before, &now, rows[i].last, reason, sizeof(reason));

		if (good != !rows[i].reason || (rows[i].reason && !strstr(reason, rows[i].reason)))
			fail_msg("%s: %s \"%s\"", rows[i].name, good ? "good" : "bad", reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
