/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Members of a manifest, each read with its type and its bounds. What is wrong is
 * said with its place, and reading goes on: what then comes back is within the
 * bounds, and must not be used. Shared by the bundle_read*.c files only.
 */
#ifndef FAAS_BASE_MANIFEST_H
#define FAAS_BASE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "diag.h"

/* The longest path is some 60 characters; it is cut, not trusted. */
#define MANIFEST_PATH_BYTES 128

struct manifest_reader {
	const char *place;
	struct diags *diags;
	bool failed;
};

/* A value and where it stands, as in "kernel[0].outputs[1]". */
struct manifest_at {
	struct manifest_reader *reader;
	const json_t *value; /* NULL: missing, which has been said */
	char path[MANIFEST_PATH_BYTES];
};

void manifest_complain(const struct manifest_at *at, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Member @p key, which must be there. */
struct manifest_at manifest_member(const struct manifest_at *object, const char *key);
struct manifest_at manifest_element(const struct manifest_at *array, size_t index);

/* Check that @p at is an object that has no members but @p keys. */
void manifest_object(struct manifest_at *at, const char *const keys[]);
#define MANIFEST_OBJECT(at, ...) manifest_object(at, (const char *const[]){__VA_ARGS__, NULL})

/* The array @p key; *ret_count is 0 unless it is one with at most @p max items. */
struct manifest_at manifest_array(const struct manifest_at *object, const char *key, uint32_t max,
				  uint32_t *ret_count);

/* Values; with a key, of a member that must be there. */
void manifest_read_text(const struct manifest_at *at, char *ret, size_t bytes);
void manifest_text(const struct manifest_at *object, const char *key, char *ret, size_t bytes);
int64_t manifest_read_integer(const struct manifest_at *at, int64_t min, int64_t max);
int64_t manifest_integer(const struct manifest_at *object, const char *key, int64_t min,
			 int64_t max);
uint32_t manifest_u32(const struct manifest_at *object, const char *key, uint32_t min,
		      uint32_t max);
unsigned int manifest_read_word(const struct manifest_at *at, const char *const words[]);
unsigned int manifest_word(const struct manifest_at *object, const char *key,
			   const char *const words[]);
bool manifest_bool(const struct manifest_at *object, const char *key);

#endif
