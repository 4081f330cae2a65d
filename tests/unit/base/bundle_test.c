// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Manifests: what is written is read back alike, and nothing that is changed in
 * one place gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <ebpf_faas/describe.h>

#include "described.h"

#define FORMAT FAAS_STRING(BUNDLE_FORMAT)

static const char workflow_text[] =
	"workflow: plant\n"
	"version: \"1.4 ä\"\n"
	"health: {for: 30s, max_lost: 3, max_drop_ratio: 0.2}\n"
	"triggers:\n"
	"  a: {packet: {interfaces: [eth0, eth1], match: {protocol: udp, port: [5, 6]}}, to: f}\n"
	"  b: {packet: {interfaces: eth0, match: {protocol: tcp, port: 7}}, mode: take, to: u}\n"
	"  m: {timer: {every: 60s}, to: u}\n"
	"workers: {class: economy, memory: 128Mi, cpu: 50%}\n"
	"functions:\n"
	"  f:\n"
	"    kernel: filter\n"
	"    params: {min: -0.000001, max: 1}\n"
	"    outputs: {inside: [d, s], outside: {redirect: eth9}, too_short: reply}\n"
	"  d: {kernel: dedup, params: {seed: 18446744073709551615}, outputs: {first: w}}\n"
	"  w: {user: watch, key: [source_address, vlan], params: {alpha: 0.12345678901234567},\n"
	"      outputs: {anomaly: [s, t]}}\n"
	"  u: {user: tally, key: source_port, keys: 5, outputs: {total: [s, x]}}\n"
	"  x:\n"
	"    user: decode\n"
	"    params:\n"
	"      layout:\n"
	"        - {name: value, offset: 4, type: u16be, scale: 0.01, unit: m}\n"
	"        - {name: door, offset: 6, type: s8, bit: 3, bits: 2}\n"
	"        - {name: load, offset: 8, type: f32le}\n"
	"    outputs: {decoded: [p, t]}\n"
	"  p: {user: pair, params: {left: b}}\n"
	"sinks:\n"
	"  s: {udp: {to: \"10.0.0.1:9\"}}\n"
	"  t: {file: {path: /x, rotate: 1Mi, keep: 2}}\n";

static struct bundle *sound;
static char *sound_text;

static int set_up(void **state)
{
	const struct workflow_options options = {.functions = described_functions()};
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct diags *diags = calloc(1, sizeof(*diags));
	int err = -1;

	(void)state;
	sound = calloc(1, sizeof(*sound));
	if (!workflow || !diags || !sound)
		return -1;
	err = workflow_parse(workflow_text, strlen(workflow_text), "w.yaml", &options, workflow,
			     diags);
	if (err)
		diags_print(diags, stderr);
	*sound = workflow->bundle;
	snprintf(sound->kernel[1].maps[0].name, sizeof(sound->kernel[1].maps[0].name), "d_seen");
	snprintf(sound->kernel[1].maps[0].contents, sizeof(sound->kernel[1].maps[0].contents),
		 "data/d.known");
	sound->kernel[1].params[1].changeable = true;
	sound->kernel[1].separate = true;
	sound->user[0].state_field_count = 2;
	sound->user[0].state_fields[0] = (struct bundle_state_field){.name = "buckets[].sum",
								     .type = STATE_FIELD_UNSIGNED,
								     .bytes = 4,
								     .dimensions = {{2, 8}},
								     .dimension_count = 1};
	sound->user[0].state_fields[1] = (struct bundle_state_field){.name = "flag",
								     .type = STATE_FIELD_BOOL,
								     .offset = 4,
								     .bytes = 1,
								     .bit = 3,
								     .bits = 1};
	sound->file_count = 3;
	snprintf(sound->files[0].path, sizeof(sound->files[0].path), "kernel.bpf.o");
	snprintf(sound->files[1].path, sizeof(sound->files[1].path), "user/w.so");
	snprintf(sound->files[2].path, sizeof(sound->files[2].path), "user/u.so");
	for (int i = 0; i < 3; i++) {
		memset(sound->files[i].sha256, 'a' + i, BUNDLE_DIGEST_BYTES - 1);
		sound->files[i].sha256[BUNDLE_DIGEST_BYTES - 1] = '\0';
	}
	sound_text = bundle_print(sound);
	free(workflow);
	free(diags);
	return err || !sound_text ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(sound);
	free(sound_text);
	return 0;
}

/* Parse; *ret_cause is the first diagnostic's. */
static int parse(const char *text, size_t bytes, struct bundle *ret, char *ret_cause)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	int err;

	assert_non_null(diags);
	err = bundle_parse(text, bytes, "manifest.json", ret, diags);
	snprintf(ret_cause, DIAG_TEXT_BYTES, "%s", diags->list[0].cause);
	/* Refused with a reason, accepted without one. */
	assert_int_equal(err, diags->count ? -1 : 0);
	free(diags);
	return err;
}

static void test_round_trip(void **state)
{
	struct bundle *copy = calloc(1, sizeof(*copy));
	char cause[DIAG_TEXT_BYTES], *again;

	(void)state;
	assert_non_null(copy);
	if (parse(sound_text, strlen(sound_text), copy, cause))
		fail_msg("%s", cause);
	again = bundle_print(copy);
	assert_string_equal(again, sound_text);
	/* Every bit, also of what the text rounds or leaves out. */
	assert_memory_equal(copy, sound, sizeof(*copy));
	assert_int_equal(copy->kernel[1].params[5].integer, -1);
	assert_true(copy->user[0].params[0].real == 0.12345678901234567);
	free(again);
	free(copy);
}

/* "a.b[2].c" below @p value. */
static json_t *find(json_t *value, const char *path, char *last)
{
	char word[64];
	json_t *parent = value;

	while (*path) {
		size_t chars = strcspn(path, ".[]");

		if (chars) {
			snprintf(word, sizeof(word), "%.*s", (int)chars, path);
			path += chars;
			parent = value;
			value = json_is_array(parent) ? json_array_get(parent, (size_t)atoi(word))
						      : json_object_get(parent, word);
		} else {
			path++;
		}
	}
	snprintf(last, sizeof(word), "%s", word);
	return parent;
}

/* The sound manifest with one value replaced; NULL: removed. Returns-owned. */
static char *change(const char *path, const char *value)
{
	json_t *manifest = json_loads(sound_text, 0, NULL), *parent;
	json_t *with = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	char last[64], *text;

	assert_true(manifest && (with || !value));
	parent = find(manifest, path, last);
	assert_non_null(parent);
	if (json_is_array(parent))
		assert_int_equal(json_array_set_new(parent, (size_t)atoi(last), with), 0);
	else if (with)
		assert_int_equal(json_object_set_new(parent, last, with), 0);
	else
		assert_int_equal(json_object_del(parent, last), 0);
	text = json_dumps(manifest, 0);
	json_decref(manifest);
	return text;
}

static const struct {
	const char *path;
	const char *value;
	const char *cause;
} changes[] = {
	{"format", "1", "not of format " FORMAT},
	{"format", NULL, "not of format " FORMAT},
	{"workflow", "\"../x\"", "bad workflow name"},
	{"workflow", "\"\"", "bad workflow name"},
	{"workflow", "5", "workflow is not a string"},
	{"workflow", "\"abcdefghijabcdefghijabcdefghijabc\"", "longer than 32 bytes"},
	{"version", NULL, "version is missing"},
	{"colour", "1", "unknown member \"colour\""},
	{"on_failure", "\"open\"", "on_failure is not one of the words"},
	{"deadline_ns", "999999", "a deadline below 4000000 ns"},
	{"deadline_ns", "10000000001", "deadline_ns is 10000000001"},
	{"deadline_ns", NULL, "deadline_ns is missing"},
	{"limits", NULL, "limits is missing"},
	{"limits.outputs_per_second", "-1", "outputs_per_second is -1"},
	{"limits.state_bytes", "4096", "limits: the states take"},
	{"limits.logs_per_second", "10001", "logs_per_second is 10001"},
	{"limits.logs_per_second", NULL, "logs_per_second is missing"},
	{"triggers[0].importance", "\"low\"", "an importance, and nothing is shed"},
	{"triggers[0].importance", "\"great\"", "importance is not one of the words"},
	{"retry", NULL, "retry is missing"},
	{"retry", "{\"attempts\": 0, \"backoff_min_ns\": 1000000, \"backoff_max_ns\": 1000000}",
	 "retry.attempts is 0"},
	{"retry", "{\"attempts\": 2, \"backoff_min_ns\": 2000000, \"backoff_max_ns\": 1000000}",
	 "retry.backoff_max_ns is 1000000"},
	{"queue_events", "0", "queue_events is 0"},
	{"queue_events", "16.5", "queue_events is not an integer"},
	{"worker_class", NULL, "worker_class is missing"},
	{"worker_class", "\"idle\"", "worker_class is not one of the words"},
	{"worker_memory_bytes", "5", "worker_memory_bytes is 5"},
	{"worker_cpu_percent", "6401", "worker_cpu_percent is 6401"},
	{"worker_idle_ns", "99999999", "worker_idle_ns below 100000000"},
	{"worker_idle_ns", NULL, "worker_idle_ns is missing"},
	{"triggers", "{}", "triggers is not an array"},
	{"triggers", "[]", "no trigger"},
	{"triggers[0]", "5", "triggers[0] is not an object"},
	{"triggers[0].name", "\"b\"", "its id is not that of its name"},
	{"triggers[1].id", "1", "its id is not that of its name"},
	{"triggers[0].id", "32768", "triggers[0].id is 32768"},
	{"triggers[0].interfaces", "[]", "no interface"},
	{"triggers[0].interfaces[1]", "\"../e\"", "bad interface name"},
	{"timers[0]", "5", "timers[0] is not an object"},
	{"timers[0].name", "\"a b\"", "bad timer name"},
	{"timers[0].id", "77", "its id is not that of its name"},
	{"timers[0].name", "\"a\"", "its id is not that of its name"},
	{"timers[0].every_ns", "999999", "every_ns is 999999"},
	{"timers[0].function", "0", "leads to no function with a timer"},
	{"timers[0].function", "9", "leads to no function with a timer"},
	{"timers[0].whom", "9", "whom"},
	{"triggers[0].priority", "1001", "priority is 1001"},
	{"triggers[0].match.protocol", "\"udp\"", "protocol is not an integer"},
	{"triggers[0].match.protocol", "256", "protocol is 256"},
	{"triggers[0].match.protocol", "null", "without a protocol"},
	{"triggers[0].match.any", "1", "neither true nor false"},
	{"triggers[0].match.any", "true", "stands alone"},
	{"triggers[0].match.either_port", "null", "neither true nor false"},
	{"triggers[0].match.destination_ports[0]", "5", "not a range"},
	{"triggers[0].match.destination_ports[0]", "[5]", "not a range"},
	{"triggers[0].match.destination_ports[0]", "[0, 5]", "[0] is 0"},
	{"triggers[0].match.destination_ports[0]", "[5, 65536]", "[1] is 65536"},
	{"triggers[0].match.destination_ports[0]", "[\"5\", 5]", "not an integer"},
	{"triggers[0].match.destination_ports[0]", "[7, 5]", "no range"},
	{"triggers[0].match.destination_ports[0]", "[6, 9]", "port 6 is there twice"},
	{"triggers[0].match.source_ports", "[[1, 1]]", "either direction"},
	{"triggers[0].match.sources", "[\"10.0.0.1/8\"]", "not a prefix"},
	{"triggers[0].match.sources", "[\"::ffff:10.0.0.0/104\"]", "not a prefix"},
	{"triggers[0].match.sources", "[\"10.0.0.0/8\", \"10.0.0.0/8\"]", "there twice"},
	{"triggers[0].match.destinations", "[5]", "not a string"},
	{"triggers[0].match.icmp_types", "[8]", "without ICMP"},
	{"triggers[0].match.icmp_types", "[256]", "icmp_types[0] is 256"},
	{"triggers[0].match.ethertypes", "[2054]", "have no IP"},
	{"triggers[0].match.vlans", "[4095]", "4095 is no VLAN"},
	{"triggers[0].match.vlans", "[65536]", "vlans[0] is 65536"},
	{"triggers[0].targets", "[]", "leads nowhere"},
	{"triggers[0].hook", "\"tc\"", "not one of the words"},
	{"triggers[0].mode", "\"drop\"", "not one of the words"},
	{"health", "{\"for_ns\": 1, \"max_lost\": 0, \"max_drop_ratio_ppm\": 0}", "for_ns is 1"},
	{"health.max_lost", "-1", "max_lost is -1"},
	{"health.max_drop_ratio_ppm", "1000001", "is 1000001"},
	{"redirects[0]", "\"a/b\"", "bad interface name \"a/b\""},
	{"redirects[0]", "5", "redirects[0] is not a string"},
	{"redirects", "[]", "no interface 0 to redirect to"},
	{"triggers[0].targets[0].index", "2", "does not come after"},
	{"triggers[0].targets[0].index", "-1", "is -1"},
	{"triggers[0].targets[0]", "{\"kind\": \"verdict\", \"verdict\": \"drop\"}",
	 "leads to a verdict"},
	{"triggers[0].targets[0].entry", "0", "stays in the kernel and has an entry"},
	{"triggers[1].targets[0].entry", "1", "leads elsewhere"},
	{"triggers[1].targets[0].entry", NULL, "no entry"},
	{"triggers[1].targets[0].index", "4", "no user function 4"},
	{"kernel[0].instance", "\"D\"", "bad instance name"},
	{"kernel[0].instance", "\"w\"", "two things are named w"},
	{"kernel[0].function", "\"a-b\"", "bad function name"},
	{"kernel[0].params[0].name", "\"a;b\"", "bad parameter name"},
	{"kernel[0].params[0].name", "\"type\"", "two parameters type"},
	{"kernel[0].params[0].integer", "4294967296", "out of range"},
	{"kernel[0].params[0].integer", "-1", "out of range"},
	{"kernel[0].params[1].integer", "16", "out of range"},
	{"kernel[0].params[0].type", "\"f64\"", "unknown member"},
	{"kernel[0].params[0].changeable", "0", "neither true nor false"},
	{"kernel[0].observe", NULL, "observe is missing"},
	{"kernel[0].separate", "\"yes\"", "neither true nor false"},
	{"user[0].params[0].changeable", "true", "cannot be changed while it runs"},
	{"kernel[1].maps[0].contents", "\"../secret\"", "not below data/"},
	{"kernel[1].maps[0].contents", "\"data/../secret\"", "not below data/"},
	{"kernel[1].maps[0].contents", "\"data/\"", "not below data/"},
	{"kernel[1].maps[0].contents", "\"data/.x\"", "not below data/"},
	{"kernel[0].outputs[0].name", "\"outside\"", "there are two"},
	{"kernel[0].outputs[0].origin", "1", "origin 1 is taken"},
	{"kernel[0].outputs[0].origin", "256", "origin is 256"},
	{"kernel[0].outputs[0].targets[0].index", "0", "does not come after it"},
	{"kernel[0].outputs[0].targets[0].index", "2", "does not come after it"},
	{"kernel[0].outputs[0].targets[1]", "{\"kind\": \"verdict\", \"verdict\": \"drop\"}",
	 "goes on in two ways"},
	{"kernel[0].outputs[0].targets[1].index", "2", "no sink 2"},
	{"kernel[0].outputs[0].targets[1].entry", "64", "is 64"},
	{"kernel[0].outputs[0].fields", "[{\"name\": \"x\", \"type\": \"u64\", \"unit\": \"\"}]",
	 "stand in kernel_fields"},
	{"kernel[1].maps[0].map", "\"a b\"", "bad map name"},
	{"kernel[1].maps[0].entries", "4294967296", "entries is 4294967296"},
	{"kernel_fields[0].kernel_function", "2", "no function 2"},
	{"kernel_fields[0].field.type", "\"f64\"", "floating point"},
	{"user[0].file", "\"../../etc/passwd\"", "file is not \"user/"},
	{"user[0].state", "{\"mode\": \"memory\", \"bytes\": 4097, \"version\": 1, \"keys\": 1}",
	 "bytes is 4097"},
	{"user[0].exec", NULL, "exec is missing"},
	{"user[0].exec", "{\"arguments\": [], \"root\": \"\"}", "names no program"},
	{"user[0].exec", "{\"arguments\": [\"a\"], \"root\": \"\"}", "w.tar"},
	{"user[0].timeout_ns", NULL, "timeout_ns is missing"},
	{"user[0].timeout_ns", "999999", "timeout_ns is 999999"},
	{"user[0].timer", "1", "neither true nor false"},
	{"user[0].batch", "1", "neither true nor false"},
	{"user[0].batch", "true", "batches with state or timers"},
	{"user[0].verdicts", "[5]", "not an object"},
	{"user[0].verdicts", "[{\"name\": \"a b\", \"kernel\": null}]", "bad verdict name"},
	{"user[0].verdicts", "[{\"name\": \"a\", \"kernel\": 0}]", "takes verdicts"},
	{"user[0].verdicts", "[{\"name\": \"a\", \"kernel\": 9}]", "takes verdicts"},
	{"user[0].state", "{\"mode\": \"memory\", \"bytes\": 0, \"version\": 1, \"keys\": 1}",
	 "bytes is 0"},
	{"user[0].state", "{\"mode\": \"memory\", \"bytes\": 8, \"version\": 1, \"keys\": 0}",
	 "keys is 0"},
	{"user[0].state.fields", NULL, "fields is missing"},
	{"user[0].state.fields[0].name", "\"sum\"", "the member \"sum\" of its state makes no"},
	{"user[0].state.fields[0].name", "\"a[].b[]\"", "makes no sense"},
	{"user[0].state.fields[0].name", "\"a..b[]\"", "makes no sense"},
	{"user[0].state.fields[0].name", "\"a[].\"", "makes no sense"},
	{"user[0].state.fields[0].name", "\"a[]x\"", "makes no sense"},
	{"user[0].state.fields[0].type", "\"u32\"", "not one of the words"},
	{"user[0].state.fields[0].bytes", "3", "makes no sense"},
	{"user[0].state.fields[0].bytes", "0", "bytes is 0"},
	{"user[0].state.fields[0].dimensions[0][1]", "4096", "makes no sense"},
	{"user[0].state.fields[0].dimensions[0][0]", "0", "[0] is 0"},
	{"user[0].state.fields[0].dimensions[0]", "[1]", "dimensions[0]"},
	{"user[0].state.fields[1].bits", "6", "makes no sense"},
	{"user[0].state.fields[1].offset", "4095", "makes no sense"},
	{"user[0].key", "[]", "state without a key"},
	{"user[0].key[0]", "\"colour\"", "not one of the words"},
	{"user[0].key", "[\"vlan\", \"vlan\"]", "stands twice in the key"},
	{"user[0].outputs[0].targets[0].kind", "\"kernel\"", "back into the kernel tier"},
	{"user[0].outputs[0].targets[0].index", "2", "no sink 2"},
	{"user[0].outputs[0].targets[0].entry", "0", "has an entry"},
	{"user[2].layout[0].offset", "3072", "offset is 3072"},
	{"user[2].layout[0].offset", "3071", "field 0 of its layout is not possible"},
	{"user[2].layout[0].type", "\"u24be\"", "not one of the words"},
	{"user[2].layout[0].scale", "1000000001", "scale is 1000000001"},
	{"user[2].layout[0].scale", "0", "field 0 of its layout is not possible"},
	{"user[2].layout[1].first_bit", "7", "bits that are not there"},
	{"user[2].layout[1].bit_count", "0", "bits that are not there"},
	{"user[2].layout[1].bit_count", "64", "bit_count is 64"},
	{"user[2].layout[2].bit_count", "1", "bits that are not there"},
	{"user[2].layout[2].field_type", "\"u64\"", "field 2 of its layout is not possible"},
	{"user[2].layout", NULL, "layout is missing"},
	{"user[3].params[0].integer", "32768", "out of range"},
	{"entries[0].key_bytes", "1", "is said to have 1"},
	{"entries[0].kind", "\"verdict\"", "leads elsewhere"},
	{"entries[0].index", "65535", "leads elsewhere"},
	{"entries[0].payload_bytes_max", "3073", "is 3073"},
	{"entries[0].from", "{\"kernel\": 0, \"output\": 7}", "leads elsewhere"},
	{"entries[0].from", "{\"trigger\": 0}", "leads elsewhere"},
	{"entries[3]",
	 "{\"from\": {\"trigger\": 0}, \"kind\": \"sink\", \"index\": 0, \"key\": [], "
	 "\"key_bytes\": 0, \"payload_bytes_max\": 0}",
	 "is used 0 times"},
	{"sinks[0].host", "\"example.org\"", "no address and port"},
	{"sinks[0].port", "0", "is 0"},
	{"sinks[1].path", "\"x\"", "not absolute"},
	{"sinks[1].rotate_bytes", "-1", "is -1"},
	{"sinks[1].keep", "1001", "is 1001"},
	{"sinks[1].name", "\"s\"", "two things are named s"},
	{"files[1].path", "\"/etc/passwd\"", "belongs to nothing"},
	{"files[1].path", "\"kernel.bpf.o\"", "two digests"},
	{"files[1].sha256", "\"abc\"", "not a SHA-256 digest"},
};

static void test_changes(void **state)
{
	struct bundle *copy = calloc(1, sizeof(*copy));
	char cause[DIAG_TEXT_BYTES];
	size_t missed = 0;

	(void)state;
	assert_non_null(copy);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		bool append = !strcmp(changes[i].path, "entries[3]");
		char *text;

		if (append) {
			json_t *manifest = json_loads(sound_text, 0, NULL);

			json_array_append_new(json_object_get(manifest, "entries"),
					      json_loads(changes[i].value, 0, NULL));
			text = json_dumps(manifest, 0);
			json_decref(manifest);
		} else {
			text = change(changes[i].path, changes[i].value);
		}
		if (!parse(text, strlen(text), copy, cause) || !strstr(cause, changes[i].cause)) {
			print_error("%s = %s: \"%s\" is not \"%s\"\n", changes[i].path,
				    changes[i].value ? changes[i].value : "nothing", cause,
				    changes[i].cause);
			missed++;
		}
		free(text);
	}
	assert_int_equal(missed, 0);
	/* On failure the result is untouched. */
	assert_int_equal(copy->trigger_count, 0);
	free(copy);
}

static void test_not_json(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"5",
		"{\"format\": " FORMAT ", \"format\": 1}",
		"{\"format\": " FORMAT "}x",
		"\xff",
		"{\"format\": " FORMAT ", \"workflow\": \"a\\u0000b\"}",
	};
	struct bundle *copy = calloc(1, sizeof(*copy));
	char cause[DIAG_TEXT_BYTES], *large = calloc(1, FAAS_MANIFEST_BYTES_MAX + 2);

	(void)state;
	assert_true(copy && large);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i], strlen(texts[i]), copy, cause), -1);
	memset(large, ' ', FAAS_MANIFEST_BYTES_MAX + 1);
	memcpy(large, "{}", 2);
	assert_int_equal(parse(large, FAAS_MANIFEST_BYTES_MAX + 1, copy, cause), -1);
	assert_non_null(strstr(cause, "the limit is"));
	free(large);
	free(copy);
}

/* Which of two members counts would depend on the reader. */
static void test_duplicate(void **state)
{
	struct bundle *copy = calloc(1, sizeof(*copy));
	size_t bytes = strlen(sound_text) + 32;
	char cause[DIAG_TEXT_BYTES], *text = malloc(bytes);

	(void)state;
	assert_true(copy && text);
	snprintf(text, bytes, "{\"workflow\": \"x\",%s", sound_text + 1);
	assert_int_equal(parse(text, strlen(text), copy, cause), -1);
	assert_non_null(strstr(cause, "duplicate"));
	free(text);
	free(copy);
}

/* Cut anywhere, it is no manifest. */
static void test_cut(void **state)
{
	struct bundle *copy = calloc(1, sizeof(*copy));
	size_t bytes = strlen(sound_text);
	char cause[DIAG_TEXT_BYTES];

	(void)state;
	assert_non_null(copy);
	for (size_t i = 0; i < bytes; i += 61)
		assert_int_equal(parse(sound_text, i, copy, cause), -1);
	free(copy);
}

static char *read_seed(const char *name, size_t *ret_bytes)
{
	char path[512], *text = malloc(FAAS_MANIFEST_BYTES_MAX + 1);
	FILE *file;

	assert_non_null(text);
	snprintf(path, sizeof(path), TEST_SOURCE "/tests/fuzz/corpus/bundle/%s", name);
	file = fopen(path, "r");
	assert_non_null(file);
	*ret_bytes = fread(text, 1, FAAS_MANIFEST_BYTES_MAX, file);
	text[*ret_bytes] = '\0';
	assert_int_equal(fclose(file), 0);
	return text;
}

/* What fuzzing begins with are manifests of today. SEED_OUT=FILE writes the first. */
static void test_fuzz_seeds(void **state)
{
	struct bundle *copy = calloc(1, sizeof(*copy));
	const char *out = getenv("SEED_OUT");
	char cause[DIAG_TEXT_BYTES], *seed;
	size_t bytes;

	(void)state;
	assert_non_null(copy);
	if (out) {
		FILE *file = fopen(out, "w");

		assert_non_null(file);
		assert_true(fputs(sound_text, file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
	seed = read_seed("both-tiers.json", &bytes);
	assert_string_equal(seed, sound_text);
	free(seed);
	seed = read_seed("sink-only.json", &bytes);
	if (parse(seed, bytes, copy, cause))
		fail_msg("%s", cause);
	free(seed);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_changes),
		cmocka_unit_test(test_not_json),   cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_fuzz_seeds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
