// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "utf8.h"

size_t utf8_character(const char *characters)
{
	const unsigned char *text = (const unsigned char *)characters;
	size_t bytes;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		bytes = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		bytes = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		bytes = 4;
	else
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0; /* a terminating NUL ends up here, too */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return bytes;
}

bool utf8_is_control(const char *characters, size_t bytes)
{
	const unsigned char *text = (const unsigned char *)characters;

	return (bytes == 1 && (text[0] < 0x20 || text[0] == 0x7f)) ||
	       (bytes == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}
