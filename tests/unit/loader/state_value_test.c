// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* States as JSON and back; keys as text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layout.h"
#include "loader/function.h"
#include "loader/state_key.h"
#include "loader/state_value.h"

static struct bundle_function *description;

static int set_up(void **state)
{
	struct function *function = calloc(1, sizeof(*function));
	struct diags *diags = calloc(1, sizeof(*diags));
	int err;

	(void)state;
	description = calloc(1, sizeof(*description));
	if (!function || !diags || !description)
		return -1;
	err = function_read_object(TEST_BUILD "/tests/unit/loader/layout.so", TIER_USER, function,
				   diags);
	description->state_bytes = function->state_bytes;
	description->state_field_count = function->state_field_count;
	memcpy(description->state_fields, function->state_fields,
	       sizeof(description->state_fields));
	free(diags);
	free(function);
	return err;
}

static int tear_down(void **state)
{
	(void)state;
	free(description);
	return 0;
}

static char *text_of(const struct layout_state *value)
{
	json_t *json = state_value_print(description, (const uint8_t *)value);
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	assert_true(json && stream);
	state_value_write(json, stream);
	fclose(stream);
	json_decref(json);
	return text;
}

static const char *const sound =
	"{\"count\":\"18446744073709551615\",\"low\":-32768,\"mean\":0.1,\"up\":true,\"color\":1,"
	"\"name\":\"café\",\"mac\":\"0001020304ff\",\"table\":[[1,2,3],[-4,5,6]],"
	"\"place\":{\"latitude\":52.1,\"longitude\":-1e-300},"
	"\"buckets\":[{\"sum\":7,\"pair\":[-1,2]},{\"sum\":0,\"pair\":[0,0]},"
	"{\"sum\":0,\"pair\":[0,0]},{\"sum\":4294967295,\"pair\":[0,127]}],"
	"\"words\":[\"\",\"five5\"],\"three\":5,\"five\":-16,\"wide\":1099511627775,"
	"\"either\":\"01000000\",\"first\":\"0200\",\"inner\":9,\"qualified\":0,"
	"\"huge\":\"00000000000000000000000000000000\"}";

static void make(struct layout_state *value)
{
	memset(value, 0, sizeof(*value));
	value->count = UINT64_MAX;
	value->low = INT16_MIN;
	value->mean = 0.1;
	value->up = true;
	value->color = LAYOUT_BLUE;
	strcpy(value->name, "café");
	memcpy(value->mac, "\0\1\2\3\4\377", 6);
	value->table[0][0] = 1;
	value->table[0][1] = 2;
	value->table[0][2] = 3;
	value->table[1][0] = -4;
	value->table[1][1] = 5;
	value->table[1][2] = 6;
	value->place.latitude = 52.1f;
	value->place.longitude = -1e-300;
	value->buckets[0].sum = 7;
	value->buckets[0].pair[0] = -1;
	value->buckets[0].pair[1] = 2;
	value->buckets[3].sum = UINT32_MAX;
	value->buckets[3].pair[1] = 127;
	memcpy(value->words[1], "five5", 5);
	value->three = 5;
	value->five = -16;
	value->wide = (1ull << 40) - 1;
	value->either.integer = 1;
	value->second = 2;
	value->inner = 9;
}

static void test_round_trip(void **state)
{
	struct layout_state value, back;
	char why[160] = "", *text;
	json_t *json;

	(void)state;
	make(&value);
	text = text_of(&value);
	if (sizeof(long double) == 16)
		assert_string_equal(text, sound);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	memset(&back, 0xff, sizeof(back));
	if (state_value_parse(description, json, (uint8_t *)&back, why, sizeof(why)))
		fail_msg("%s", why);
	assert_memory_equal(&back, &value, sizeof(value));
	json_decref(json);
	free(text);
}

/* Any bytes make JSON, and come back; but for what lies between members, and which NaN
 * it is. */
static void test_any_bytes(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct layout_state value, back, again;
		char why[160] = "";
		json_t *json;

		for (size_t i = 0; i < sizeof(value); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			((uint8_t *)&value)[i] = (uint8_t)seed;
		}
		json = state_value_print(description, (const uint8_t *)&value);
		assert_non_null(json);
		if (state_value_parse(description, json, (uint8_t *)&back, why, sizeof(why)))
			fail_msg("%s", why);
		json_decref(json);
		assert_int_equal(back.count, value.count);
		assert_memory_equal(back.name, value.name, sizeof(value.name));
		assert_memory_equal(back.words, value.words, sizeof(value.words));
		assert_memory_equal(back.table, value.table, sizeof(value.table));
		assert_memory_equal(back.mac, value.mac, sizeof(value.mac));
		assert_int_equal(back.wide, value.wide);
		assert_int_equal(back.five, value.five);
		json = state_value_print(description, (const uint8_t *)&back);
		assert_int_equal(
			state_value_parse(description, json, (uint8_t *)&again, why, sizeof(why)),
			0);
		assert_memory_equal(&again, &back, sizeof(back));
		json_decref(json);
	}
}

static const struct {
	const char *path, *value; /* NULL: removed */
	const char *why;
} mistakes[] = {
	{"count", "-1", "count: is not an integer from 0 on"},
	{"count", "\"18446744073709551616\"", "count: \"18446744073709551616\" is no number"},
	{"count", "\"1x\"", "count: \"1x\" is no number"},
	{"count", NULL, "count: is missing"},
	{"low", "32768", "low: 32768 does not fit into 16 bits"},
	{"low", "1.5", "low: is not an integer"},
	{"mean", "\"much\"", "mean: is not a number"},
	{"up", "1", "up: is neither true nor false"},
	{"name", "\"thirteenchars\"", "name: is longer than 12 bytes"},
	{"name", "\"\\\\x00\"", "name: is not 24 hexadecimal digits"},
	{"mac", "\"0001020304\"", "mac: is not 12 hexadecimal digits"},
	{"mac", "\"00010203040G\"", "mac: is not 12 hexadecimal digits"},
	{"table", "[[1,2,3]]", "table[][]: is not an array of 2"},
	{"table", "[[1,2,3],[4,5]]", "table[][]: is not an array of 3"},
	{"table", "5", "table[][]: is not an array of 2"},
	{"place", "{\"latitude\":1}", "place.longitude: is missing"},
	{"place", "{\"latitude\":1e300,\"longitude\":1}", "place.latitude: 1e+300 does not fit"},
	{"place", "{\"latitude\":1,\"longitude\":1,\"height\":1}",
	 "the state has no member place.height"},
	{"colour", "5", "the state has no member colour"},
	{"three", "8", "three: 8 does not fit into 3 bits"},
	{"five", "16", "five: 16 does not fit into 5 bits"},
	{"wide", "1099511627776", "wide: 1099511627776 does not fit into 40 bits"},
};

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct layout_state value;
		char why[160] = "", *text;
		json_t *json;

		make(&value);
		text = text_of(&value);
		json = json_loads(text, 0, NULL);
		free(text);
		if (mistakes[i].value)
			json_object_set_new(json, mistakes[i].path,
					    json_loads(mistakes[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(json, mistakes[i].path);
		assert_int_equal(
			state_value_parse(description, json, (uint8_t *)&value, why, sizeof(why)),
			-1);
		if (strncmp(why, mistakes[i].why, strlen(mistakes[i].why)) != 0)
			fail_msg("\"%s\" is not \"%s\"", why, mistakes[i].why);
		json_decref(json);
	}
}

static void test_without_names(void **state)
{
	struct bundle_function plain = {.state_bytes = 3};
	const uint8_t bytes[3] = {1, 0xab, 0};
	uint8_t back[3];
	char why[160];
	json_t *json = state_value_print(&plain, bytes);

	(void)state;
	assert_string_equal(json_string_value(json), "01ab00");
	assert_int_equal(state_value_parse(&plain, json, back, why, sizeof(why)), 0);
	assert_memory_equal(back, bytes, 3);
	json_decref(json);
}

static const struct {
	enum bundle_key_part parts[FAAS_KEY_PARTS_MAX];
	uint32_t count;
	const char *text;
	const char *bytes; /* hexadecimal; NULL: no key, and what is said */
	const char *why;
} keys[] = {
	{{KEY_SOURCE_ADDRESS}, 1, "10.20.0.7", "00000000000000000000ffff0a140007", NULL},
	{{KEY_SOURCE_ADDRESS}, 1, "fd77::1", "fd770000000000000000000000000001", NULL},
	{{KEY_DESTINATION_PORT, KEY_PROTOCOL}, 2, "5005,17", "138d11", NULL},
	{{KEY_SOURCE_ADDRESS, KEY_DESTINATION_ADDRESS, KEY_SOURCE_PORT, KEY_VLAN},
	 4,
	 "::,1.2.3.4,65535,7",
	 "0000000000000000000000000000000000000000000000000000ffff01020304ffff0007",
	 NULL},
	{{KEY_SOURCE_ADDRESS}, 1, "10.20.0", NULL, "\"10.20.0\" is no source_address"},
	{{KEY_SOURCE_ADDRESS}, 1, "", NULL, "\"\" is no source_address"},
	{{KEY_SOURCE_PORT}, 1, "65536", NULL, "\"65536\" is no source_port"},
	{{KEY_SOURCE_PORT}, 1, "-1", NULL, "\"-1\" is no source_port"},
	{{KEY_PROTOCOL}, 1, "256", NULL, "\"256\" is no protocol"},
	{{KEY_VLAN, KEY_PROTOCOL}, 2, "5", NULL, "5 has fewer than 2 parts"},
	{{KEY_VLAN, KEY_PROTOCOL}, 2, "5,6,7", NULL, "6,7 has more than 2 parts"},
};

static void test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct bundle_function function = {.key_count = keys[i].count};
		char why[160] = "", text[STATE_KEY_CHARS], hex[2 * FAAS_KEY_BYTES_MAX + 1] = "";
		uint8_t key[FAAS_KEY_BYTES_MAX];
		uint32_t bytes = 0;
		int err;

		memcpy(function.key, keys[i].parts, sizeof(function.key));
		err = state_key_parse(&function, keys[i].text, key, &bytes, why, sizeof(why));
		assert_int_equal(err, keys[i].bytes ? 0 : -1);
		if (err) {
			assert_string_equal(why, keys[i].why);
			continue;
		}
		for (uint32_t k = 0; k < bytes; k++)
			snprintf(hex + 2 * k, 3, "%02x", key[k]);
		assert_string_equal(hex, keys[i].bytes);
		state_key_print(&function, key, bytes, text);
		assert_string_equal(text, keys[i].text);
		/* One that is not of these parts. */
		state_key_print(&function, key, 1, text);
		assert_true(strlen(text) == 2 && !strncmp(text, hex, 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_mistakes),   cmocka_unit_test(test_without_names),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
