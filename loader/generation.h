/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The versions of a loaded workflow that are on the host, by the number that its
 * loads and updates get. All that belongs to one stands under its number, in
 * three places; three links say which one runs:
 *
 *   FAAS_PIN_GENERATIONS/NAME/4/            pins         FAAS_PIN_WORKFLOWS/NAME
 *   FAAS_STATE_WORKFLOWS/NAME/generations/4/  its bundle   .../NAME/bundle
 *   FAAS_RUN_WORKFLOWS/NAME/generations/4/    its record   .../NAME/interfaces.json
 *
 * Nothing is renamed from one meaning to another, so that a command that is killed
 * leaves nothing that could be taken for something else: whoever repairs leads the
 * links to the number that the registry says and removes the others. What is on the
 * disk is there to stay before anything says so: a loss of power leaves bundles whole,
 * or not there.
 */
#ifndef FAAS_LOADER_GENERATION_H
#define FAAS_LOADER_GENERATION_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "record.h"

#define GENERATION_FIRST 1

/* Directory of its pins, and of its bundle. */
void generation_pins(const char *name, uint32_t generation, char *path, size_t bytes);
void generation_directory(const char *name, uint32_t generation, char *path, size_t bytes);

/* Copy the bundle in @p from and the record to where they belong. */
int generation_store(const struct bundle *bundle, const char *from, uint32_t generation,
		     const struct record *record, struct diags *diags)
	__attribute__((warn_unused_result));

/* Only the record, of one that is stored. */
int generation_store_record(const char *name, uint32_t generation, const struct record *record,
			    struct diags *diags) __attribute__((warn_unused_result));

/* Open what is stored. What is damaged is said to be, with what to do about it. */
int generation_bundle(const char *name, uint32_t generation, struct bundle *ret,
		      struct diags *diags) __attribute__((warn_unused_result));
/* The same, of the one that the link leads to. */
int generation_running_bundle(const char *name, struct bundle *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* 0, -ENOENT, or -EINVAL. */
int generation_record(const char *name, uint32_t generation, struct record *ret)
	__attribute__((warn_unused_result));

/* Lead the three links to it. Each changes at once. */
int generation_publish(const char *name, uint32_t generation, struct diags *diags)
	__attribute__((warn_unused_result));

/* The one before it of which pins, or the bundle, are there; 0: none. */
uint32_t generation_pinned_before(const char *name, uint32_t generation);
uint32_t generation_stored_before(const char *name, uint32_t generation);

/* Remove the pins of all but @p generation and those from @p pins_from on that are
 * before it, and the bundles of all but it and those from @p bundles_from on. */
void generation_prune(const char *name, uint32_t generation, uint32_t pins_from,
		      uint32_t bundles_from);

/* Remove all of all, and the links. */
void generation_remove_all(const char *name);
/* The same, but for what is stored. */
void generation_remove_running(const char *name);

#endif
