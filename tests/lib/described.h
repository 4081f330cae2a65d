/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions that exist as declarations only, for tests of the workflow reader:
 * nothing is compiled and no file is read.
 */
#ifndef FAAS_TEST_DESCRIBED_H
#define FAAS_TEST_DESCRIBED_H

#include "loader/workflow.h"

/*
 * kernel: filter (min, max required; outputs inside, outside with field value,
 * too_short), dedup (by, window, entries; first, repeat; map seen), wide (8 outputs,
 * fields f0..f3), guard (file list, changeable limit; listed, other; map allowed),
 * broken (declares nonsense).
 * user: watch (input value, state, output anomaly with field score), tally
 * (state, output total), relay (no state, output out with field value), dedup.
 */
struct workflow_functions described_functions(void);

#endif
