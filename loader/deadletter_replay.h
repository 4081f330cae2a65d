/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A dead letter is tried again by the worker that runs, as any event, and takes effect
 * once. It is written down that its replay begins, with its number, before the worker
 * hears of it; the worker takes the next number only, and counts in its log. So whoever is
 * killed in between is followed by one who can tell.
 */
#ifndef FAAS_LOADER_DEADLETTER_REPLAY_H
#define FAAS_LOADER_DEADLETTER_REPLAY_H

#include "dead_letters.h"

/* Finish the replay that somebody began who was killed: it may be with the worker still.
 * 0, whatever became of it, or -1 with a diagnostic: nothing can be replayed now. */
int deadletter_finish(struct dead_letters *letters, struct diags *diags)
	__attribute__((warn_unused_result));

/* 0: it is processed. -1 with a diagnostic: it is kept. */
int deadletter_replay(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
