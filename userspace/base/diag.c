// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "diag.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "utf8.h"

/*
 * Diagnostics quote what strangers wrote: file contents, names in ELF objects.
 * They go to terminals and into JSON, so control characters (escape sequences)
 * and broken UTF-8 (also a sequence that the buffer's end cut) become '?'. Only
 * diag_lines()'s line breaks stay: what follows them is indented, so no quoted
 * text can look like a diagnostic of its own.
 */
#define LINE_BREAK "\n    "

static void make_printable(char *text)
{
	while (*text) {
		size_t bytes = utf8_character(text);

		if (!strncmp(text, LINE_BREAK, strlen(LINE_BREAK))) {
			text += strlen(LINE_BREAK);
			continue;
		}
		if (!bytes || utf8_is_control(text, bytes)) {
			*text = '?';
			bytes = 1; /* the rest of a control is no character of its own */
		}
		text += bytes;
	}
}

void diag_lines(const char *text, char *ret, size_t bytes)
{
	size_t used = 0;

	ret[0] = '\0';
	while (*text) {
		size_t chars = strcspn(text, "\n");
		int written =
			snprintf(ret + used, bytes - used, LINE_BREAK "%.*s", (int)chars, text);

		if (written < 0 || (size_t)written >= bytes - used)
			return;
		used += (size_t)written;
		text += chars + (text[chars] == '\n');
	}
}

static void add(struct diags *diags, const struct diag *place, const char *advice,
		const char *format, va_list arguments)
{
	struct diag *diag;

	if (diags->count == DIAGS_MAX) {
		diags->dropped++;
		return;
	}
	diag = &diags->list[diags->count++];
	*diag = *place;
	snprintf(diag->advice, sizeof(diag->advice), "%s", advice ? advice : "");
	vsnprintf(diag->cause, sizeof(diag->cause), format, arguments);
	make_printable(diag->file);
	make_printable(diag->cause);
	make_printable(diag->advice);
}

void diag_add(struct diags *diags, enum diag_class class, const char *file, unsigned int line,
	      unsigned int column, const char *advice, const char *format, ...)
{
	struct diag place = {.class = class, .line = line, .column = column};
	va_list arguments;

	snprintf(place.file, sizeof(place.file), "%s", file ? file : "");
	va_start(arguments, format);
	add(diags, &place, advice, format, arguments);
	va_end(arguments);
}

int diag_fail(struct diags *diags, enum diag_class class, const char *advice, const char *format,
	      ...)
{
	struct diag place = {.class = class};
	va_list arguments;

	va_start(arguments, format);
	add(diags, &place, advice, format, arguments);
	va_end(arguments);
	return -1;
}

int diags_exit_status(const struct diags *diags)
{
	return diags->count ? (int)diags->list[0].class : 0;
}

void diags_print(const struct diags *diags, FILE *stream)
{
	for (unsigned int i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		if (diag->file[0])
			fprintf(stream, "%s:", diag->file);
		if (diag->file[0] && diag->line)
			fprintf(stream, "%u:", diag->line);
		if (diag->file[0] && diag->line && diag->column)
			fprintf(stream, "%u:", diag->column);
		fprintf(stream, "%serror: %s", diag->file[0] ? " " : "", diag->cause);
		if (diag->advice[0])
			fprintf(stream, "%s%s", strchr(diag->cause, '\n') ? "\n  " : "; ",
				diag->advice);
		fputc('\n', stream);
	}
	if (diags->dropped)
		fprintf(stream, "error: and %u more\n", diags->dropped);
}
