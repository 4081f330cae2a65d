/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * list and status for who is not root, and in the group that may look: what the runtime
 * says. The counters in the kernel are root's to read.
 */
#ifndef FAAS_LOADER_ONLOOKER_H
#define FAAS_LOADER_ONLOOKER_H

#include "command.h"

/* 0 or an exit status, as verbs. */
int onlooker_list(const struct options *options, struct diags *diags);
int onlooker_status(const struct options *options, struct diags *diags);

#endif
