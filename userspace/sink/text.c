// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/text.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ebpf_faas/event.h>

#include "clock.h"

static const char hex_digits[] = "0123456789abcdef";

void text_put(struct text *text, const char *data, size_t bytes)
{
	if (text->overrun || bytes > text->room - text->used) {
		text->overrun = true;
		return;
	}
	memcpy(text->data + text->used, data, bytes);
	text->used += bytes;
}

void text_string(struct text *text, const char *string)
{
	text_put(text, string, strlen(string));
}

void text_unsigned(struct text *text, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	text_put(text, digits + at, sizeof(digits) - at);
}

void text_hex_number(struct text *text, uint64_t value, unsigned int digits)
{
	while (digits--)
		text_put(text, &hex_digits[(value >> (4 * digits)) & 15], 1);
}

void text_hex(struct text *text, const uint8_t *data, size_t bytes)
{
	if (text->overrun || 2 * bytes > text->room - text->used) {
		text->overrun = true;
		return;
	}
	for (size_t i = 0; i < bytes; i++) {
		text->data[text->used++] = hex_digits[data[i] >> 4];
		text->data[text->used++] = hex_digits[data[i] & 15];
	}
}

void text_json_string(struct text *text, const char *string)
{
	text_put(text, "\"", 1);
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;

		if (byte == '"' || byte == '\\') {
			text_put(text, "\\", 1);
			text_put(text, string, 1);
		} else if (byte < 0x20) {
			text_string(text, "\\u00");
			text_hex(text, &byte, 1);
		} else {
			text_put(text, string, 1);
		}
	}
	text_put(text, "\"", 1);
}

void text_signed(struct text *text, int64_t value)
{
	if (value < 0)
		text_put(text, "-", 1);
	text_unsigned(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_decimal(struct text *text, int64_t millionths)
{
	uint64_t magnitude = millionths < 0 ? 0 - (uint64_t)millionths : (uint64_t)millionths;
	uint64_t rest = magnitude % FAAS_DECIMAL_ONE;
	char digits[7];
	size_t length = 6;

	if (millionths < 0)
		text_put(text, "-", 1);
	text_unsigned(text, magnitude / FAAS_DECIMAL_ONE);
	if (!rest)
		return;
	for (size_t i = 6; i > 0; i--) {
		digits[i] = (char)('0' + rest % 10);
		rest /= 10;
	}
	digits[0] = '.';
	while (digits[length] == '0')
		length--;
	text_put(text, digits, length + 1);
}

void text_double(struct text *text, double value)
{
	char digits[32];

	if (!isfinite(value)) {
		text_string(text, "null");
		return;
	}
	/* 17 significant digits always read back; mostly fewer do. */
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	text_string(text, digits);
}

void text_time(struct text *text, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / CLOCK_NS_PER_S);
	char buffer[48];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	snprintf(buffer, sizeof(buffer), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
		 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
		 parts.tm_sec, (unsigned int)(wall_ns % CLOCK_NS_PER_S));
	text_string(text, buffer);
}

static bool is_mapped(const uint8_t *address)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(address, prefix, sizeof(prefix));
}

void text_address(struct text *text, const uint8_t *address)
{
	char buffer[INET6_ADDRSTRLEN];
	bool mapped = is_mapped(address);

	inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? address + 12 : address, buffer,
		  sizeof(buffer));
	text_string(text, buffer);
}

void text_endpoint(struct text *text, const uint8_t *address, uint16_t port)
{
	bool mapped = is_mapped(address);

	if (!mapped)
		text_put(text, "[", 1);
	text_address(text, address);
	text_string(text, mapped ? ":" : "]:");
	text_unsigned(text, port);
}
