// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "phrase.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void phrase_add(char *text, size_t bytes, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, bytes - used, format, arguments);
	va_end(arguments);
}
