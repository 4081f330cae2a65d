/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Linking functions by libbpf, where there are no LLVM libraries: functions stay
 * functions, called by the driver, and cost what a call costs.
 */
#ifndef FAAS_LOADER_LINK_H
#define FAAS_LOADER_LINK_H

#include "bundle.h"
#include "diag.h"
#include "map_names.h"

/**
 * @brief Link the driver with one copy of each instance's function.
 *
 * Each copy has symbols, maps and data sections of its own, by name; its entry is
 * hidden, so that the verifier follows the call as it follows static functions, and
 * a packet's pointers keep their meaning.
 *
 * @param objects Of the kernel functions, in the order of the bundle.
 * @param driver  Object of the driver. Is changed.
 * @param scratch An existing directory for the copies.
 * @param names   Zero; gets the maps of the result.
 * @return 0, or -1 with a diagnostic.
 */
int link_objects(const char (*objects)[FAAS_PATH_BYTES], const struct bundle *bundle,
		 const char *driver, const char *scratch, const char *output,
		 struct map_names *names, struct diags *diags) __attribute__((warn_unused_result));

#endif
