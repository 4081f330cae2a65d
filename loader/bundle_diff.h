/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is different between two versions of a workflow, in the words of its file. */
#ifndef FAAS_LOADER_BUNDLE_DIFF_H
#define FAAS_LOADER_BUNDLE_DIFF_H

#include <jansson.h>

#include "bundle.h"

/**
 * @brief Compare two bundles.
 *
 * @return Returns-owned: an array of {"path", "there", "here"}, texts both, null where
 * one side has nothing of that path: there is @p a, here is @p b. In the order of
 * paths: functions.NAME.params.NAME, triggers.NAME.match.destination_ports, ... NULL
 * only without memory.
 */
json_t *bundle_diff(const struct bundle *a, const struct bundle *b);

#endif
