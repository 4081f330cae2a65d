/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The driver: C source generated from the graph of a workflow. It defines the
 * XDP program, the maps of the handoff, and the constants that the functions
 * ask for; it includes no source of any function.
 */
#ifndef FAAS_LOADER_DRIVER_H
#define FAAS_LOADER_DRIVER_H

#include <stdio.h>

#include "bundle.h"

/* An instance's name as a C identifier: '-' becomes '_'. */
void driver_identifier(const char *instance, char ret[FAAS_NAME_BYTES]);

/* The program's name, in the object and in bpftool: the workflow's, as an
 * identifier, cut to what the kernel keeps. */
void driver_program_name(const struct bundle *bundle, char ret[FAAS_OBJECT_NAME_BYTES]);

/* Write the source. Errors are those of @p stream. */
void driver_write(const struct bundle *bundle, FILE *stream);

#endif
