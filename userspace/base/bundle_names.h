/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words and names of a workflow: one spelling for the YAML, the manifest and
 * messages. Tables of words are indexed by the enum they spell and end in NULL.
 */
#ifndef FAAS_BASE_BUNDLE_NAMES_H
#define FAAS_BASE_BUNDLE_NAMES_H

#include <stdbool.h>

#include "bundle.h"

extern const char *const bundle_hook_words[];	     /* enum bundle_hook */
extern const char *const bundle_mode_words[];	     /* enum bundle_mode */
extern const char *const bundle_target_words[];	     /* enum bundle_target_kind */
extern const char *const bundle_verdict_words[];     /* enum bundle_verdict */
extern const char *const bundle_param_type_words[];  /* enum bundle_param_type */
extern const char *const bundle_key_part_words[];    /* enum bundle_key_part */
extern const char *const bundle_sink_words[];	     /* enum bundle_sink_kind */
extern const char *const bundle_field_type_words[];  /* enum faas_field_type */
extern const char *const bundle_state_type_words[];  /* enum bundle_state_type */
extern const char *const bundle_layout_type_words[]; /* enum faas_layout_type */
extern const char *const bundle_class_words[];	     /* enum bundle_worker_class */
extern const char *const bundle_state_mode_words[];  /* enum bundle_state_mode */
extern const char *const bundle_unwritable_words[];  /* false, true */
extern const char *const bundle_importance_words[];  /* enum bundle_importance */
extern const char *const bundle_pass_drop_words[];   /* false, true */

/* Place of @p word in a table, or -1. */
int bundle_word(const char *const words[], const char *word);

/* Of workflows, triggers, instances and sinks: [a-z][a-z0-9-]*, 32 characters. */
bool bundle_name_valid(const char *name);

/* Of functions, parameters, outputs and fields: a C identifier, 32 characters. */
bool bundle_identifier_valid(const char *name);

/* Of a member of a state's type: identifiers joined by dots, [] behind arrays. */
bool bundle_state_path_valid(const char *path, uint32_t dimensions);

/* A name that cannot be a member of a structure of counters, one for each output
 * of a kernel function: a keyword of C, or one that is taken. */
bool bundle_output_reserved(const char *name);

/* Of a network interface: what the kernel accepts (dev_valid_name). */
bool bundle_interface_valid(const char *name);

/* A file of a bundle below data/: one name without slashes, not hidden. */
bool bundle_data_path_valid(const char *path);

/* An address as inet_pton reads it. */
bool bundle_host_valid(const char *host);

#endif
