/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Somebody else's program on an interface: who it is, for a person who has to
 * decide. */
#ifndef FAAS_LOADER_ATTACH_HOLDER_H
#define FAAS_LOADER_ATTACH_HOLDER_H

#include "diag.h"
#include "interface.h"

/* Refuse @p interface because XDP program @p id holds it. Returns -1. */
int holder_report(const struct interface *interface, uint32_t id, struct diags *diags);

#endif
