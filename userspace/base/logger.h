/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Logs of the runtime and the courier: one line "level=... event=... KEY=VALUE
 * ..." a message, to standard error (journald adds the rest) or to a file,
 * where it begins with the time and the file is bounded. Only programs log;
 * libraries return what they met.
 */
#ifndef FAAS_BASE_LOGGER_H
#define FAAS_BASE_LOGGER_H

#include <stdbool.h>
#include <stddef.h>

#define LOGGER_FILE_BYTES_MAX (1 << 20) /* then the file becomes FILE.1 */
#define LOGGER_LINE_BYTES 2048

/* Room for a text of @p bytes bytes as logger_quote makes it. */
#define LOGGER_QUOTED_BYTES(bytes) (4 * (bytes) + 3)

enum logger_level { LOGGER_ERROR, LOGGER_WARNING, LOGGER_INFO };

/* Write to @p path from now on; copies it. 0, or -errno: everything as before. */
int logger_open(const char *path) __attribute__((warn_unused_result));

/* Whether logger_open was called with success. */
bool logger_has_file(void);

/* @p event is a word or some, joined by dots; @p format makes KEY=VALUE pairs. */
void logger_write(enum logger_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Put a text that others made between double quotes: control characters, quotes
 * and backslashes escaped, cut to fit @p room. Returns @p buffer. */
const char *logger_quote(char *buffer, size_t room, const char *text);

#endif
