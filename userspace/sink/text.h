/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Appending text to a bounded buffer: whoever runs over is told at the end. */
#ifndef FAAS_SINK_TEXT_H
#define FAAS_SINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrows the buffer. The text is not terminated. */
struct text {
	char *data;
	size_t room;
	size_t used;
	bool overrun; /* something did not fit; `used` means nothing then */
};

void text_put(struct text *text, const char *data, size_t bytes);
void text_string(struct text *text, const char *string);
void text_unsigned(struct text *text, uint64_t value);
/* Exactly @p digits hexadecimal digits, leading zeros included. */
void text_hex_number(struct text *text, uint64_t value, unsigned int digits);
/* Two lower-case hexadecimal digits a byte. */
void text_hex(struct text *text, const uint8_t *data, size_t bytes);

/* As JSON values. A string is quoted and escaped; bytes that are not UTF-8 are
 * the caller's to keep away. */
void text_json_string(struct text *text, const char *string);
void text_signed(struct text *text, int64_t value);
/* Millionths, exactly, without trailing zeros. */
void text_decimal(struct text *text, int64_t millionths);
/* The shortest text that reads back as the same double; null for what is no
 * number. */
void text_double(struct text *text, double value);

/* RFC 3339 in UTC with nanoseconds. Years 1970 to 9999 (wall_ns is not negative). */
void text_time(struct text *text, uint64_t wall_ns);

/* 16 bytes in network order; IPv4-mapped ones as a dotted quad. */
void text_address(struct text *text, const uint8_t *address);
/* ADDRESS:PORT, [ADDRESS]:PORT for IPv6. */
void text_endpoint(struct text *text, const uint8_t *address, uint16_t port);

#endif
