/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF objects that tests made, kept below the build directory under a digest of
 * everything they were made from (but the compiler: clean after a new one). Making
 * one takes most of the time of a test, and nearly all on an emulated processor.
 */
#ifndef FAAS_TEST_STORE_H
#define FAAS_TEST_STORE_H

#define STORE_NAME_BYTES 65

/* The name of what is made from @p text and @p files, with this tree's headers
 * and loader. @p files ends with NULL; paths are below the build directory.
 * 0, or -1: something cannot be read. */
int store_name(const char *text, const char *const files[], char ret[STORE_NAME_BYTES]);

/* Copy the part @p part of what is kept to @p path. 0, or -1: it is not there. */
int store_get(const char *name, const char *part, const char *path);

/* Keep the file @p path as such a part. That it cannot is no failure. */
void store_put(const char *name, const char *part, const char *path);

#endif
