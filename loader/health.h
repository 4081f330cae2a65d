/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a new version does well: `health` of its workflow against what it counted. */
#ifndef FAAS_LOADER_HEALTH_H
#define FAAS_LOADER_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "bundle.h"
#include "ledger.h"

/* Packets before a share of them says something; at the end any number does. */
#define HEALTH_PACKETS_MIN 1000

/**
 * @brief Judge what was counted since @p before.
 *
 * @param last Whether the time is over: until then a good answer is not final.
 * @param ret  Why it is not well, in words. Untouched if it is.
 * @return whether nothing speaks against it.
 */
bool health_good(const struct bundle_health *health, const struct ledger *before,
		 const struct ledger *now, bool last, char *ret, size_t bytes);

#endif
