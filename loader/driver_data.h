/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The data of a driver: shared by the driver*.c files only. */
#ifndef FAAS_LOADER_DRIVER_DATA_H
#define FAAS_LOADER_DRIVER_DATA_H

#include <stdio.h>

#include "bundle.h"

/* What kernel function @p index asks for by name: parameters, output and field
 * numbers. Parameters that may change are variables in section .data.params. */
void driver_write_constants(FILE *out, const struct bundle *bundle, uint32_t index);

void driver_write_meters(FILE *out, const struct bundle *bundle);

/* With a deadline: what of a shed event depends on its trigger. */
void driver_write_shed(FILE *out, const struct bundle *bundle);
void driver_write_handoff_maps(FILE *out);

/* driver_entry_INDEX(): hand an event to entry @p index of the workflow. */
void driver_write_entry(FILE *out, const struct bundle *bundle, uint32_t index);

#endif
