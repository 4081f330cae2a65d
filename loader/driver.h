/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The driver: C source generated from the graph of a workflow. It defines a
 * program for each kind of hook that the triggers need, XDP and TC, which share
 * all maps; the maps of the handoff; and the constants that the functions ask
 * for; it includes no source of any function.
 */
#ifndef FAAS_LOADER_DRIVER_H
#define FAAS_LOADER_DRIVER_H

#include <stdio.h>

#include "bundle.h"

/* The variables that `ebpf-faas set` changes: section of the object, and name of
 * their map. */
#define DRIVER_PARAMS_SECTION ".data.params"

/* An instance's name as a C identifier: '-' becomes '_'. */
void driver_identifier(const char *instance, char ret[FAAS_NAME_BYTES]);

/* The program's name, in the object and in bpftool: the workflow's, as an
 * identifier, cut to what the kernel keeps. */
void driver_program_name(const struct bundle *bundle, char ret[FAAS_OBJECT_NAME_BYTES]);

/* The same for the program of the TC hooks: cut shorter, with "_t" behind it. */
void driver_tc_program_name(const struct bundle *bundle, char ret[FAAS_OBJECT_NAME_BYTES]);

/* Whether the object has a program for this hook: one of its triggers needs it. */
bool driver_has_program(const struct bundle *bundle, enum bundle_hook hook);

/* Functions of their own (bundle_function.separate) are called by this, the hook's
 * name, "_" and the instance's identifier. */
#define DRIVER_APART_PREFIX "driver_apart_"

/* Write the source. Errors are those of @p stream. */
void driver_write(const struct bundle *bundle, FILE *stream);

#endif
