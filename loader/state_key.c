// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state_key.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_print.h"

static uint32_t bytes_of(const struct bundle_function *function)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < function->key_count; i++)
		sum += bundle_key_part_bytes(function->key[i]);
	return sum;
}

static bool is_address(enum bundle_key_part part)
{
	return part == KEY_SOURCE_ADDRESS || part == KEY_DESTINATION_ADDRESS;
}

void state_key_print(const struct bundle_function *function, const uint8_t *key, uint32_t bytes,
		     char ret[STATE_KEY_CHARS])
{
	size_t used = 0;

	ret[0] = '\0';
	if (bytes != bytes_of(function)) {
		for (uint32_t i = 0; i < bytes && i < FAAS_KEY_BYTES_MAX; i++)
			used += (size_t)snprintf(ret + used, STATE_KEY_CHARS - used, "%02x",
						 key[i]);
		return;
	}
	for (uint32_t i = 0; i < function->key_count; i++) {
		uint32_t part_bytes = bundle_key_part_bytes(function->key[i]);
		char text[BTF_ADDRESS_CHARS];

		if (is_address(function->key[i]))
			btf_print_address(key, text);
		else
			snprintf(text, sizeof(text), "%u",
				 part_bytes == 2 ? (unsigned int)key[0] << 8 | key[1] : key[0]);
		used += (size_t)snprintf(ret + used, STATE_KEY_CHARS - used, "%s%s", i ? "," : "",
					 text);
		key += part_bytes;
	}
}

static int parse_address(const char *text, uint8_t *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + 12) == 1 || inet_pton(AF_INET6, text, ret) == 1 ? 0
											      : -1;
}

static int parse_number(const char *text, uint32_t bytes, uint8_t *ret)
{
	unsigned long most = bytes == 2 ? UINT16_MAX : UINT8_MAX, value;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	value = strtoul(text, &end, 10);
	if (*end || value > most)
		return -1;
	if (bytes == 2)
		*ret++ = (uint8_t)(value >> 8);
	*ret = (uint8_t)value;
	return 0;
}

int state_key_parse(const struct bundle_function *function, const char *text, uint8_t *ret,
		    uint32_t *ret_bytes, char *why, size_t why_bytes)
{
	uint8_t key[FAAS_KEY_BYTES_MAX] = {0};
	uint32_t used = 0;

	for (uint32_t i = 0; i < function->key_count; i++) {
		enum bundle_key_part part = function->key[i];
		uint32_t bytes = bundle_key_part_bytes(part);
		size_t chars = strcspn(text, ",");
		bool last = i + 1 == function->key_count;
		char word[BTF_ADDRESS_CHARS];

		if (last ? text[chars] != '\0' : text[chars] != ',') {
			snprintf(why, why_bytes, "%s has %s than %u parts", text,
				 last ? "more" : "fewer", function->key_count);
			return -1;
		}
		snprintf(word, sizeof(word), "%.*s", (int)chars, text);
		if (chars >= sizeof(word) ||
		    (is_address(part) ? parse_address(word, key + used)
				      : parse_number(word, bytes, key + used))) {
			snprintf(why, why_bytes, "\"%s\" is no %s", word,
				 bundle_key_part_name(part));
			return -1;
		}
		used += bytes;
		text += chars + 1;
	}
	memcpy(ret, key, used);
	*ret_bytes = used;
	return 0;
}

void state_key_parts(const struct bundle_function *function, char *ret, size_t bytes)
{
	size_t used = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; i < function->key_count && used < bytes; i++)
		used += (size_t)snprintf(ret + used, bytes - used, "%s%s", i ? "," : "",
					 bundle_key_part_name(function->key[i]));
}
