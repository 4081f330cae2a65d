// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "sink_fixture.h"
#include "userspace/sink/encode.h"

/* 2026-01-02T03:04:05.123456789Z less the event's time. */
#define OFFSET_NS (1767323045123456789ll - 1000000001ll)

#define HEAD                                                                                       \
	"{\"id\":\"00000000000000ab-2-70000000000-3\",\"time\":\"2026-01-02T03:04:05."             \
	"123456789Z\","                                                                            \
	"\"workflow\":\"vibration-watch\","
#define WAY "\"source\":\"10.20.0.7:4242\",\"destination\":\"10.20.0.1:5005\",\"generation\":1"

static struct encoder *encoder;
static char line[ENCODE_LINE_BYTES_MAX + 1];

static const struct encode_id id = {
	.log_id = 0xab, .incarnation = 2, .sequence = 70000000000ull, .output = 3};

static int set_up(void **state)
{
	struct bundle *bundle = fixture_bundle();

	(void)state;
	encoder = encoder_new(bundle);
	free(bundle);
	return !encoder;
}

static int tear_down(void **state)
{
	(void)state;
	encoder_free(encoder);
	return 0;
}

static const char *encode(const union fixture_event *event)
{
	int bytes = encode_output(encoder, &id, event, event_bytes(&event->event), OFFSET_NS, line);
	json_t *parsed;

	assert_true(bytes > 0);
	line[bytes] = '\0';
	/* u64 goes further than what jansson calls an integer. */
	parsed = json_loads(line, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	assert_non_null(parsed);
	json_decref(parsed);
	return line;
}

static uint64_t bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void test_user_output(void **state)
{
	const uint64_t fields[] = {UINT64_MAX, (uint64_t)-5, bits_of(0.1), 151250000};
	union fixture_event event;

	(void)state;
	fixture_event(&event, ORIGIN_ANOMALY, fields, 4, "");
	assert_string_equal(
		encode(&event),
		HEAD "\"function\":\"trend\",\"output\":\"anomaly\",\"key\":\"10.20.0.7\"," WAY
		     ",\"fields\":{\"count\":18446744073709551615,\"change\":-5,"
		     "\"mean\":0.1,\"value\":151.25}}");
	/* No packet made it. */
	event.event.interface_index = 0;
	assert_null(strstr(encode(&event), "source"));
	assert_null(strstr(encode(&event), "destination"));
}

static void test_not_a_number(void **state)
{
	const uint64_t fields[] = {0, 0, bits_of(NAN), 0};
	union fixture_event event;

	(void)state;
	fixture_event(&event, ORIGIN_ANOMALY, fields, 4, "");
	assert_non_null(strstr(encode(&event), "\"mean\":null,"));
}

/* A field that is not set is not there; the name that two functions set is the
 * value of the later one. */
static void test_kernel_fields(void **state)
{
	static const struct {
		uint32_t present;
		const char *fields;
	} rows[] = {
		{0x1, ",\"fields\":{\"value\":-0.5}}"},
		{0x2, ",\"fields\":{\"code\":69}}"},
		{0x5, ",\"fields\":{\"value\":7}}"},
		{0x7, ",\"fields\":{\"code\":69,\"value\":7}}"},
		{0x0, WAY "}"},
	};
	const uint64_t fields[] = {(uint64_t)-500000, 69, 7};
	union fixture_event event;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *found;

		fixture_event(&event, ORIGIN_ODD, fields, 3, "");
		event.event.fields_present = rows[i].present;
		found = strstr(encode(&event), rows[i].fields);
		assert_non_null(found);
		assert_string_equal(found, rows[i].fields);
		assert_non_null(strstr(line, "\"function\":\"checked\",\"output\":\"odd\""));
	}
}

static void test_payload_without_fields(void **state)
{
	union fixture_event event;

	(void)state;
	fixture_event(&event, ORIGIN_OUTSIDE, NULL, 0, "\x01\xfeok");
	assert_non_null(strstr(encode(&event), WAY ",\"payload\":\"01fe6f6b\"}"));
	event.event.flags = FAAS_EVENT_PAYLOAD_CUT;
	assert_non_null(strstr(encode(&event), ",\"payload\":\"01fe6f6b\",\"payload_cut\":true}"));
}

static void test_trigger(void **state)
{
	union fixture_event event;

	(void)state;
	fixture_event(&event, FAAS_ORIGIN_TRIGGER, NULL, 0, "x");
	event.event.entry = 2;
	event.event.key_bytes = 0;
	assert_string_equal(encode(&event), HEAD "\"trigger\":\"sensors\"," WAY
						 /* what was the key is fields and payload now */
						 ",\"payload\":\"00\"}");
	event.event.trigger = 9;
	assert_int_equal(encode_output(encoder, &id, &event, event_bytes(&event.event), 0, line),
			 -EBADMSG);
}

static void test_key_by_parts(void **state)
{
	union fixture_event event;
	uint8_t *key = event.bytes + FAAS_EVENT_KEY_OFFSET;

	(void)state;
	fixture_event(&event, ORIGIN_QUIET, NULL, 0, "");
	event.event.entry = 1;
	event.event.key_bytes = 19;
	fixture_set_address(key, "2001:db8::7");
	memcpy(key + 16, "\x10\x92\x11", 3);
	fixture_set_address(event.bytes + 64, "2001:db8::7");
	assert_non_null(strstr(encode(&event), "\"key\":\"2001:db8::7,4242,17\","
					       "\"source\":\"[2001:db8::7]:4242\""));
	/* A key that is not what the entry says is shown as it is. */
	event.event.key_bytes = 2;
	assert_non_null(strstr(encode(&event), "\"key\":\"2001\""));
}

/* Lengths, numbers and bits that no event has; and none is read out of bounds
 * (run with the address sanitizer). */
static void test_hostile(void **state)
{
	union fixture_event good, bad;
	uint64_t random = 88172645463325252ull;

	(void)state;
	fixture_event(&good, ORIGIN_OUTSIDE, NULL, 0, "payload");
	for (uint32_t bytes = 0; bytes < event_bytes(&good.event); bytes++) {
		void *exact = malloc(bytes ? bytes : 1);

		memcpy(exact, &good, bytes);
		assert_int_equal(encode_output(encoder, &id, exact, bytes, 0, line), -EBADMSG);
		free(exact);
	}
	bad = good;
	bad.event.origin = 77;
	assert_int_equal(encode_output(encoder, &id, &bad, sizeof(bad), 0, line), -EBADMSG);
	bad.event.origin = FAAS_ORIGINS_MAX;
	assert_int_equal(encode_output(encoder, &id, &bad, sizeof(bad), 0, line), -EBADMSG);
	for (int i = 0; i < 20000; i++) {
		int bytes;

		bad = good;
		for (int k = 0; k < 4; k++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bad.bytes[random % FAAS_EVENT_KEY_OFFSET] = (uint8_t)(random >> 32);
		}
		bytes = encode_output(encoder, &id, &bad, FAAS_EVENT_BYTES_MAX, 0, line);
		assert_true(bytes == -EBADMSG || (bytes > 0 && bytes <= ENCODE_LINE_BYTES_MAX));
	}
}

static void test_largest(void **state)
{
	static char payload[FAAS_EVENT_PAYLOAD_MAX + 1];
	union fixture_event event;

	(void)state;
	memset(payload, 0xff, FAAS_EVENT_PAYLOAD_MAX);
	fixture_event(&event, ORIGIN_OUTSIDE, NULL, 0, payload);
	assert_true(strlen(encode(&event)) > 2 * FAAS_EVENT_PAYLOAD_MAX);
}

static void test_dead(void **state)
{
	struct log_entry entry = {.kind = LOG_ENTRY_DEAD, .reason = LOG_DEAD_POISON, .bytes = 3};
	static uint8_t data[2 * FAAS_EVENT_BYTES_MAX] = {1, 2, 0xff};
	int bytes;

	(void)state;
	bytes = encode_dead(encoder, &id, &entry, data, 1767323045123456789ull, line);
	assert_true(bytes > 0);
	line[bytes] = '\0';
	assert_string_equal(line, HEAD "\"reason\":\"crash\",\"attempts\":0,\"function\":\"trend\","
				       "\"event\":\"0102ff\"}");
	entry.function = 9;
	entry.reason = 99;
	entry.bytes = sizeof(data);
	bytes = encode_dead(encoder, &id, &entry, data, 0, line);
	assert_true(bytes > 0);
	line[bytes] = '\0';
	assert_non_null(strstr(line, "\"reason\":\"unknown\",\"attempts\":0,\"event\":\"0102ff00"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_output),   cmocka_unit_test(test_not_a_number),
		cmocka_unit_test(test_kernel_fields), cmocka_unit_test(test_payload_without_fields),
		cmocka_unit_test(test_trigger),	      cmocka_unit_test(test_key_by_parts),
		cmocka_unit_test(test_hostile),	      cmocka_unit_test(test_largest),
		cmocka_unit_test(test_dead),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
