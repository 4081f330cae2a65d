// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The power is gone amid an update. Until the new version was said to stay, which is written
 * down on the disk, the boot brings back the version before: with its states as they were
 * when the new one began, if that has come so far, and with those of all events if not.
 */
#include "updates.h"
#include "world.h"

/* A version that did not stay may have had this number, and its states be on the disk. */
static void number_anew(void)
{
	if (sim_below(2))
		update.last_generation = update.generations[0];
}

void updates_power_loss(void)
{
	struct update *at = &update;

	if (!sim_plan.updates)
		return;
	updates_processes_gone();
	world.renewing = false;
	if (at->phase > STOPPING) {
		sim_totals.cuts++;
		sim_note("generation %u is loaded again", at->generations[at->kept]);
		at->generations[0] = at->generations[at->kept];
		at->versions[0] = at->versions[at->kept];
	}
	at->phase = at->phase > STOPPING ? BOOTING : NONE;
	at->goal = 0;
	at->kept = at->rest = at->tried = false;
	number_anew();
	workflow_use(at->versions[0]);
	store_power_loss();
	disk_fit();
	at->before = store_before();
	sim_kernel.version = at->versions[0];
	sim_system.reading = kernel_ring();
	at->rings[0] = kernel_ring();
}

void updates_expect_survivors(uint32_t survivors)
{
	returns_forget(survivors);
	/* An update that nobody said to stay is undone. */
	(void)returns_back(survivors);
}

void updates_booted(void)
{
	if (update.phase == BOOTING)
		updates_settle();
}
