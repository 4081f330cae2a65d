/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An update, as the runtime (updates.c) and who moves states for it (migrator.c) see it. */
#ifndef TESTS_SIM_UPDATES_H
#define TESTS_SIM_UPDATES_H

#include "sim.h"

enum phase {
	NONE,
	STOPPING,  /* the worker of the version before is to empty its ring */
	MOVING,	   /* the runtime is at work, and no worker */
	TRIAL,	   /* the new version runs */
	KEEPING,   /* the same, and the runtime makes it final */
	RETURNING, /* events go into the ring of before, as soon as no producer is amid one */
	LEAVING,   /* the worker of the version that does not stay is to end */
	EMPTYING,  /* the version before empties the other's ring */
	BOOTING	   /* the power was gone amid it: a version is loaded again */
};

enum step { BEGIN, SWAP, UNDO, END_REST, KEEP };

enum kind { STAYS, IS_REFUSED, GOES_BACK };

struct update {
	enum phase phase;
	enum step step;
	enum kind kind;
	uint32_t done;
	uint32_t last_generation;
	/* The version before, and the new one. */
	uint32_t generations[2], versions[2], rings[2];
	uint32_t goal;	/* which of them is to run */
	bool rest;	/* and whether with the ring of the other first */
	uint32_t until; /* the trial: so many events made */
	uint32_t moved; /* mask: functions with states */
	bool anew;	/* they begin anew, in the layout that they had */
	uint64_t calls; /* of faas_on_migrate */
	bool tried;	/* a worker of the new version was ready */
	bool kept;	/* it was said to stay: there is no way back */
	bool running;	/* the updater, in the step */
	/* The migrator's descriptors. */
	int from[SIM_FUNCTIONS_MAX], to[SIM_FUNCTIONS_MAX], disk;
	/* The tables of before on the disk, as the worker was given them; -1: none. */
	int before;
};

extern struct update update;
extern struct sim_process migrator;

void migrator_open(void); /* once */

void updates_processes_gone(void);
/* The version with the goal's number runs: what led back is removed. */
void updates_settle(void);

/* returns.c: behind so many events an update replaced the states, or let them begin anew;
 * behind so many the version before has its own again. False: it had them already, or the
 * update is one that stays. */
void returns_reset(void);
void returns_swapped(uint32_t event, bool anew);
void returns_stays(void); /* the last one: there is no way back, also when the power goes */
bool returns_back(uint32_t event);
void returns_forget(uint32_t survivors); /* what came behind so many events */

#endif
