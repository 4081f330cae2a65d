// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a sound workflow becomes: order, numbers, keys, defaults, overrides. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "described.h"

struct fixture {
	struct workflow workflow;
	struct diags diags;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int parse_with(struct fixture *fixture, const char *text, const char *const *sets,
		      unsigned int set_count)
{
	const struct workflow_options options = {
		.functions = described_functions(), .sets = sets, .set_count = set_count};

	memset(fixture, 0, sizeof(*fixture));
	return workflow_parse(text, strlen(text), "w.yaml", &options, &fixture->workflow,
			      &fixture->diags);
}

static void parse(struct fixture *fixture, const char *text)
{
	if (parse_with(fixture, text, NULL, 0)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("a sound workflow is refused");
	}
	assert_int_equal(fixture->diags.count, 0);
}

#define HEAD                                                                                       \
	"workflow: w\n"                                                                            \
	"triggers: {t: {packet: {interfaces: eth0, match: {protocol: udp, port: 5}}, to: "

/* The graph decides the order, not the file; indices follow. */
static void test_order(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture, HEAD "a}}\n"
			    "functions:\n"
			    "  z: {user: tally, outputs: {total: s}}\n"
			    "  c: {kernel: dedup, outputs: {first: [y, s], repeat: drop}}\n"
			    "  y: {user: relay, key: [source_address, vlan], outputs: {out: z}}\n"
			    "  b: {kernel: wide, outputs: {a: c, b: pass, c: reply, d: [c, s]}}\n"
			    "  a: {kernel: wide, outputs: {h: b, a: c}}\n"
			    "sinks: {s: {udp: {to: \"[fd00::1]:9\"}}}\n");
	assert_int_equal(bundle->kernel_count, 3);
	assert_string_equal(bundle->kernel[0].instance, "a");
	assert_string_equal(bundle->kernel[1].instance, "b");
	assert_string_equal(bundle->kernel[2].instance, "c");
	assert_int_equal(bundle->user_count, 2);
	assert_string_equal(bundle->user[0].instance, "y");
	assert_string_equal(bundle->user[1].instance, "z");
	assert_string_equal(fixture->workflow.kernel_objects[2], "/objects/dedup");
	assert_string_equal(fixture->workflow.user_objects[1], "/objects/tally");

	assert_int_equal(bundle->triggers[0].targets[0].kind, TARGET_KERNEL);
	assert_int_equal(bundle->triggers[0].targets[0].index, 0);
	assert_int_equal(bundle->kernel[0].outputs[7].targets[0].index, 1);
	assert_int_equal(bundle->kernel[1].outputs[2].targets[0].kind, TARGET_VERDICT);
	assert_int_equal(bundle->kernel[1].outputs[2].targets[0].index, VERDICT_REPLY);
	assert_int_equal(bundle->user[0].outputs[0].targets[0].kind, TARGET_USER);
	assert_int_equal(bundle->user[0].outputs[0].targets[0].index, 1);
	assert_int_equal(bundle->user[0].outputs[0].targets[0].entry, BUNDLE_NO_ENTRY);

	/* Entries: b.d -> s, c.first -> y, c.first -> s. */
	assert_int_equal(bundle->entry_count, 3);
	assert_int_equal(bundle->entries[0].kernel_function, 1);
	assert_int_equal(bundle->entries[0].output, 3);
	assert_int_equal(bundle->entries[0].kind, TARGET_SINK);
	assert_int_equal(bundle->entries[0].key_bytes, 0);
	assert_int_equal(bundle->kernel[1].outputs[3].targets[1].entry, 0);
	assert_int_equal(bundle->entries[1].kind, TARGET_USER);
	assert_int_equal(bundle->entries[1].index, 0);
	assert_int_equal(bundle->entries[1].key_count, 2);
	assert_int_equal(bundle->entries[1].key[1], KEY_VLAN);
	assert_int_equal(bundle->entries[1].key_bytes, 18);
	assert_int_equal(bundle->entries[1].payload_bytes_max, FAAS_EVENT_PAYLOAD_MAX);

	/* What is behind the handoff has its key. */
	assert_int_equal(bundle->user[1].key_count, 2);
	assert_true(bundle->user[1].has_state);
	assert_int_equal(bundle->user[1].state_version, 2);
	assert_int_equal(bundle->user[1].state_keys, FAAS_STATE_KEYS_DEFAULT);

	/* Origins are all different, in order. */
	assert_int_equal(bundle->kernel[0].outputs[0].origin, 0);
	assert_int_equal(bundle->kernel[2].outputs[1].origin, 17);
	assert_int_equal(bundle->user[1].outputs[0].origin, 19);

	assert_string_equal(bundle->sinks[0].host, "fd00::1");
	assert_int_equal(bundle->sinks[0].port, 9);
	assert_true(bundle_needs_runtime(bundle));
}

static void test_overload(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;
	static const char triggers[] =
		"workflow: w\ntriggers:\n"
		"  t: {packet: {interfaces: [a], match: {protocol: udp, port: 9}}, to: a, "
		"importance: high}\n"
		"  u: {packet: {interfaces: [a], match: {protocol: tcp, port: 9}}, to: a, "
		"importance: low}\n";
	static const char sink[] = "sinks: {a: {file: {path: /a}}}\n";
	static const char shed[] = "overload: {packet: drop, event: shed, deadline: %s}\n%s";
	char text[1024], overload[200];

	snprintf(overload, sizeof(overload), shed, "20ms", "");
	snprintf(text, sizeof(text), "%s%s%s", triggers, sink, overload);
	parse(fixture, text);
	assert_true(bundle->overload_drop);
	assert_int_equal(bundle->deadline_ns, 20000000);
	assert_int_equal(bundle->triggers[0].importance, IMPORTANCE_HIGH);
	assert_int_equal(bundle->triggers[1].importance, IMPORTANCE_LOW);

	/* Who looks each millisecond keeps no deadline of one. */
	snprintf(overload, sizeof(overload), shed, "3ms", "workers: {class: economy}\n");
	snprintf(text, sizeof(text), "%s%s%s", triggers, sink, overload);
	assert_int_equal(parse_with(fixture, text, NULL, 0), -1);
	assert_string_equal(fixture->diags.list[0].advice, "allowed are 4ms to 10s");

	/* Without an event there is nothing to shed, or to drop a packet for. */
	snprintf(text, sizeof(text),
		 "%soverload: {packet: drop}\nfunctions: {a: {kernel: dedup, params: {by: "
		 "source_port}}}\n",
		 HEAD "a}}\n");
	assert_int_equal(parse_with(fixture, text, NULL, 0), -1);
	assert_non_null(strstr(fixture->diags.list[0].cause, "none leaves the kernel tier"));
}

static void test_defaults(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;
	const struct bundle_function *dedup = &bundle->kernel[0];

	parse(fixture, HEAD "a}}\nfunctions: {a: {kernel: dedup, params: {by: source_port}}}\n");
	assert_int_equal(bundle->queue_events, FAAS_QUEUE_EVENTS_DEFAULT);
	assert_int_equal(bundle->worker_class, WORKER_THROUGHPUT);
	assert_false(bundle->overload_drop);
	assert_int_equal(bundle->deadline_ns, 0);
	assert_int_equal(bundle->triggers[0].importance, IMPORTANCE_NORMAL);
	assert_false(bundle->on_failure_drop);
	assert_int_equal(bundle->triggers[0].mode, MODE_COPY);
	assert_int_equal(bundle->triggers[0].hook, HOOK_XDP);
	assert_int_equal(bundle->triggers[0].id, bundle_trigger_id("t"));
	/* `port` is both directions. */
	assert_true(bundle->triggers[0].match.either_port);
	assert_int_equal(bundle->triggers[0].match.destination_range_count, 1);
	assert_int_equal(bundle->triggers[0].match.destination_ranges[0].first, 5);
	assert_int_equal(bundle->triggers[0].match.destination_ranges[0].last, 5);
	assert_int_equal(dedup->param_count, 7);
	assert_int_equal(dedup->params[0].integer, 2);
	assert_string_equal(dedup->params[0].text, "source_port");
	assert_int_equal(dedup->params[1].integer, 500000000);
	assert_int_equal(dedup->params[3].integer, 0);
	assert_int_equal(dedup->params[4].integer, 4096);
	assert_int_equal(dedup->params[6].integer, -3);
	assert_int_equal(dedup->map_count, 1);
	assert_string_equal(dedup->maps[0].map, "seen");
	assert_int_equal(dedup->maps[0].entries, 4096);
	/* Nothing leaves the kernel: no worker is needed. */
	assert_false(bundle_needs_runtime(bundle));
}

static void test_default_words(void **state)
{
	struct fixture *fixture = *state;

	parse(fixture, HEAD "a}}\nfunctions: {a: {kernel: dedup}}\n");
	assert_int_equal(fixture->workflow.bundle.kernel[0].params[0].integer, 1 | 4);
	parse(fixture, HEAD "a}}\nfunctions: {a: {kernel: filter, params: {min: 0, max: 1}}}\n");
	assert_int_equal(fixture->workflow.bundle.kernel[0].params[1].integer, 2);
	assert_int_equal(fixture->workflow.bundle.kernel[0].params[2].integer, FAAS_DECIMAL_ONE);
}

/* A field is one per instance, whichever outputs declare it. */
static void test_kernel_fields(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture,
	      HEAD "a}}\nfunctions:\n"
		   "  a: {kernel: filter, params: {min: 0, max: 1}, outputs: {inside: b}}\n"
		   "  b: {kernel: filter, params: {min: 0, max: 1}, outputs: {inside: c}}\n"
		   "  c: {user: watch, key: vlan}\n");
	assert_int_equal(bundle->kernel_field_count, 2);
	assert_int_equal(bundle->kernel_fields[1].kernel_function, 1);
	assert_string_equal(bundle->kernel_fields[1].field.name, "value");
	assert_string_equal(bundle->kernel_fields[1].field.unit, "mm/s");
	assert_int_equal(bundle->kernel_fields[1].field.type, FAAS_FIELD_DECIMAL);
	assert_int_equal(bundle->kernel[0].outputs[0].field_count, 0);
	assert_string_equal(bundle->user[0].inputs[0], "value");
	assert_int_equal(bundle->user[0].outputs[0].field_count, 1);
}

/* A field stays with its packet through all that follows in the kernel. */
static void test_field_goes_on(void **state)
{
	struct fixture *fixture = *state;

	parse(fixture,
	      HEAD "a}}\nfunctions:\n"
		   "  a: {kernel: filter, params: {min: 0, max: 1}, outputs: {inside: b}}\n"
		   "  b: {kernel: dedup, outputs: {first: c}}\n"
		   "  c: {kernel: dedup, outputs: {first: d}}\n"
		   "  d: {kernel: dedup, outputs: {first: e}}\n"
		   "  e: {user: watch, key: vlan}\n");
	assert_int_equal(fixture->workflow.bundle.kernel_count, 4);
	/* What a user function emits replaces it; `relay` emits a `value`, too. */
	parse(fixture, HEAD "a}}\nfunctions:\n"
			    "  a: {user: relay, key: vlan, outputs: {out: b}}\n"
			    "  b: {user: watch}\n");
}

static void test_trigger_to_user(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture,
	      HEAD "[a]}}\nfunctions: {a: {user: tally, key: source_port, state: none}}\n");
	assert_int_equal(bundle->kernel_count, 0);
	assert_int_equal(bundle->triggers[0].targets[0].kind, TARGET_USER);
	assert_int_equal(bundle->triggers[0].targets[0].entry, 0);
	assert_int_equal(bundle->entries[0].kernel_function, BUNDLE_FROM_TRIGGER);
	assert_int_equal(bundle->entries[0].output, 0);
	assert_int_equal(bundle->entries[0].key_bytes, 2);
	assert_false(bundle->user[0].has_state);
	assert_int_equal(bundle->user[0].state_bytes, 0);
}

/* A function with state is called for each key, another once; a timer alone may
 * lead to it, and what is behind it has no key either. */
static void test_timers(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture, "workflow: w\nversion: v\ntriggers:\n"
		       "  soon: {timer: {every: 250ms}, to: b}\n"
		       "  t: {packet: {interfaces: e, match: {protocol: udp, port: 1}}, to: a}\n"
		       "  late: {timer: {every: 1d}, to: a}\n"
		       "functions:\n"
		       "  a: {user: tally, key: source_port}\n"
		       "  b: {user: pulse, outputs: {beat: [c, s]}}\n"
		       "  c: {user: tally, state: none}\n"
		       "sinks: {s: {file: {path: /x}}}\n");
	assert_int_equal(bundle->trigger_count, 1);
	assert_int_equal(bundle->timer_count, 2);
	assert_string_equal(bundle->timers[0].name, "soon");
	assert_int_equal(bundle->timers[0].id, bundle_trigger_id("soon"));
	assert_int_equal(bundle->timers[0].every_ns, 250000000);
	assert_string_equal(bundle->user[bundle->timers[0].function].instance, "b");
	assert_int_equal(bundle->timers[1].every_ns, 86400000000000);
	assert_string_equal(bundle->user[bundle->timers[1].function].instance, "a");
	assert_true(bundle->user[bundle->timers[1].function].has_timer);
	assert_int_equal(bundle->user[bundle->timers[0].function].key_count, 0);
}

static void test_verdicts(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture,
	      HEAD "a}}\nfunctions:\n"
		   "  a: {kernel: dedup, outputs: {first: gate}}\n"
		   "  gate: {kernel: door, params: {by: [vlan, source_address]},\n"
		   "         outputs: {open: [jail], shut: drop}}\n"
		   "  jail: {user: jail, key: [source_address, vlan], verdicts: {slow: gate}}\n");
	assert_true(bundle->kernel[1].maps[0].takes_verdicts);
	assert_string_equal(bundle->kernel[1].maps[0].map, "list");
	assert_int_equal(bundle->user[0].verdict_count, 2);
	assert_string_equal(bundle->user[0].verdicts[0].name, "shut");
	assert_int_equal(bundle->user[0].verdicts[0].kernel, BUNDLE_NO_FUNCTION);
	assert_int_equal(bundle->user[0].verdicts[1].kernel, 1);
	assert_true(bundle_gets_verdicts(bundle, 1));
	assert_false(bundle_gets_verdicts(bundle, 0));
}

static void test_durable_state(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture, HEAD "a}}\nfunctions:\n"
			    "  a: {user: tally, key: source_address, state: durable, "
			    "outputs: {total: b}}\n"
			    "  b: {user: tally, state: memory}\n");
	assert_int_equal(bundle->user[0].state_mode, STATE_DURABLE);
	assert_int_equal(bundle->user[1].state_mode, STATE_MEMORY);
	assert_true(bundle_is_durable(bundle));
	assert_int_equal(bundle->storage_bytes, FAAS_STORAGE_BYTES_DEFAULT);
	assert_false(bundle->storage_continue);
	parse(fixture,
	      HEAD "a}}\nfunctions: {a: {user: tally, key: source_address, state: durable}}\n"
		   "storage: {size: 128Mi, when_unwritable: continue}\n");
	assert_int_equal(bundle->storage_bytes, 128 << 20);
	assert_true(bundle->storage_continue);
}

static void test_worker_limits(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture, HEAD "a}}\nfunctions: {a: {user: tally, key: source_address}}\n");
	assert_int_equal(bundle->worker_memory_bytes, FAAS_WORKER_MEMORY_DEFAULT);
	assert_int_equal(bundle->worker_cpu_percent, 0);
	assert_int_equal(bundle_log_lines(bundle), FAAS_LOG_LINES_PER_SECOND);
	parse(fixture, HEAD "a}}\nfunctions: {a: {user: tally, key: source_address}}\n"
			    "workers: {memory: 8Mi, cpu: 150%}\nlimits: {logs: 7/s}\n");
	assert_int_equal(bundle->worker_memory_bytes, 8 << 20);
	assert_int_equal(bundle->worker_cpu_percent, 150);
	assert_int_equal(bundle_log_lines(bundle), 7);
}

static void test_idle(void **state)
{
	static const struct {
		const char *workers;
		uint64_t idle_ns;
	} cases[] = {
		{"{queue: 64}", FAAS_WORKER_IDLE_NS_DEFAULT},
		{"{instances: {min: 0, max: 1}, idle: 2s}", 2000000000},
		{"{instances: {max: 1}}", FAAS_WORKER_IDLE_NS_DEFAULT},
		{"{instances: {min: 1}}", 0},
		{"{instances: 1}", 0},
	};
	struct fixture *fixture = *state;
	char text[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%sworkers: %s\n",
			 HEAD "a}}\nfunctions: {a: {user: tally, key: source_address}}\n",
			 cases[i].workers);
		parse(fixture, text);
		assert_int_equal(fixture->workflow.bundle.worker_idle_ns, cases[i].idle_ns);
	}
}

static void test_trigger_to_sink(void **state)
{
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	parse(fixture, HEAD "s}}\nsinks: {s: {file: {path: /x}}}\n");
	assert_int_equal(bundle->triggers[0].targets[0].kind, TARGET_SINK);
	assert_int_equal(bundle->entries[0].kind, TARGET_SINK);
	assert_int_equal(bundle->entry_count, 1);
	assert_int_equal(bundle->sinks[0].rotate_bytes, 0);
}

/* One name in two tiers is two functions. */
static void test_both_tiers(void **state)
{
	struct fixture *fixture = *state;

	parse(fixture, HEAD "a}}\nfunctions:\n"
			    "  a: {kernel: dedup, outputs: {first: b}}\n"
			    "  b: {user: dedup}\n");
	assert_int_equal(fixture->workflow.bundle.kernel[0].output_count, 2);
	assert_int_equal(fixture->workflow.bundle.user[0].output_count, 1);
}

static const char overridden[] = HEAD "a}}\nfunctions: {a: {kernel: dedup}}\n";

static void test_sets(void **state)
{
	static const char *const sets[] = {
		"triggers.t.packet.interfaces=[eth7, eth8]",
		"triggers.t.packet.match={protocol: tcp, destination_port: 80}",
		"functions.a.params.window=2s", /* `params` is made on the way */
		"workers.queue=64",
		"workers.class=latency",
		"version=1.10",
		"triggers.t.packet.interfaces=[eth9]", /* the last one counts */
	};
	struct fixture *fixture = *state;
	const struct bundle *bundle = &fixture->workflow.bundle;

	if (parse_with(fixture, overridden, sets, sizeof(sets) / sizeof(sets[0])))
		diags_print(&fixture->diags, stderr);
	assert_int_equal(fixture->diags.count, 0);
	assert_int_equal(bundle->triggers[0].interface_count, 1);
	assert_string_equal(bundle->triggers[0].interfaces[0], "eth9");
	assert_int_equal(bundle->triggers[0].match.ip_protocol, IPPROTO_TCP);
	assert_int_equal(bundle->kernel[0].params[1].integer, 2000000000);
	assert_int_equal(bundle->queue_events, 64);
	assert_int_equal(bundle->worker_class, WORKER_LATENCY);
	assert_string_equal(bundle->version, "1.10");
}

static const struct {
	const char *set;
	enum diag_class class;
	unsigned int column;
	const char *cause, *advice;
} wrong_sets[] = {
	{"workers.queue", DIAG_USAGE, 0, "has no =", "PATH=VALUE"},
	{"=5", DIAG_USAGE, 0, "has no path", "PATH=VALUE"},
	{"workers.=5", DIAG_USAGE, 15, "is an empty key", "PATH=VALUE"},
	{".workers=5", DIAG_USAGE, 7, "is an empty key", "PATH=VALUE"},
	{"workers=", DIAG_USAGE, 15, "has no value", "YAML"},
	{"triggers.u.mode=copy", DIAG_USAGE, 16, "`u` is not in the workflow", "t"},
	{"functions.b={}", DIAG_USAGE, 17, "`b` is not in the workflow", "a"},
	{"version.major.x=1", DIAG_INVALID, 23, "`version` must be a single value", ""},
	{"triggers.t.to.x=1", DIAG_USAGE, 18, "`to` holds no keys", "end the path"},
	{"workers.queu=64", DIAG_INVALID, 20, "unknown key `queu`", "`queue`"},
	{"workers.queue=[64", DIAG_INVALID, 1, "not YAML", ""},
	{"workers.queue=1", DIAG_INVALID, 21, "1 is out of range", "16 to"},
	{"workers.memory=7Mi", DIAG_INVALID, 22, "7Mi is out of range", "8Mi to 64Gi"},
	{"workers.cpu=50", DIAG_INVALID, 19, "`50` is not 1% to 6400%", "percent of one"},
	{"workers.cpu=0%", DIAG_INVALID, 19, "`0%` is not 1% to 6400%", "percent of one"},
	{"triggers.t.packet.interfaces=[a, &x b]", DIAG_INVALID, 40, "the anchor", ""},
};

static void test_wrong_sets(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(wrong_sets) / sizeof(wrong_sets[0]); i++) {
		const struct diag *diag = &fixture->diags.list[0];
		int err = parse_with(fixture, overridden, &wrong_sets[i].set, 1);

		if (err != -1 || diag->class != wrong_sets[i].class ||
		    strncmp(diag->file, "--set ", 6) || strcmp(diag->file + 6, wrong_sets[i].set) ||
		    (diag->column != wrong_sets[i].column && !strstr(diag->cause, "not YAML")) ||
		    !strstr(diag->cause, wrong_sets[i].cause) ||
		    !strstr(diag->advice, wrong_sets[i].advice)) {
			diags_print(&fixture->diags, stderr);
			fail_msg("%s: not \"%s\"", wrong_sets[i].set, wrong_sets[i].cause);
		}
	}
}

/* Mistakes come from the top of the file to its end, all at once. */
static void test_all_at_once(void **state)
{
	struct fixture *fixture = *state;
	const struct diags *diags = &fixture->diags;

	assert_int_equal(parse_with(fixture,
				    "workflow: W\n"
				    "triggers: {t: {packet: {interfaces: a/b}, to: q}}\n"
				    "functions:\n"
				    "  a: {kernel: nothing, outputs: {x: a}}\n"
				    "  b: {user: watch, outputs: {anomaly: drop}}\n"
				    "sinks: {s: {file: {path: x}}}\n"
				    "colour: red\n",
				    NULL, 0),
			 -1);
	assert_int_equal(diags->count, 9);
	for (unsigned int i = 1; i < diags->count; i++)
		assert_true(diags->list[i - 1].line <= diags->list[i].line);
	assert_int_equal(diags_exit_status(diags), DIAG_INVALID);
}

static void __attribute__((format(printf, 3, 4)))
add_line(char *text, size_t bytes, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, bytes - used, format, arguments);
	va_end(arguments);
}

static void assert_refused(struct fixture *fixture, const char *text, const char *cause)
{
	assert_int_equal(parse_with(fixture, text, NULL, 0), -1);
	if (fixture->diags.count != 1 || !strstr(fixture->diags.list[0].cause, cause)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("not refused by \"%s\"", cause);
	}
}

/* 63 ways from the kernel tier, and those to @p more. */
static void make_ways_out(char *text, size_t bytes, const char *more)
{
	snprintf(text, bytes,
		 HEAD "a}}\nfunctions:\n  b: {kernel: dedup, outputs: {first: %s}}\n  a:\n"
		      "    kernel: wide\n    outputs:\n      a: [s0, s1, s2, s3, s4, s5, s6, b]\n",
		 more);
	for (int i = 1; i < 8; i++)
		add_line(text, bytes, "      %c: [s0, s1, s2, s3, s4, s5, s6, s7]\n", 'a' + i);
	snprintf(text + strlen(text), bytes - strlen(text), "sinks:\n");
	for (int i = 0; i < 8; i++)
		add_line(text, bytes, "  s%d: {file: {path: /x%d}}\n", i, i);
}

static void test_limits(void **state)
{
	struct fixture *fixture = *state;
	const size_t bytes = 16384;
	char *text = malloc(bytes);

	assert_non_null(text);
	snprintf(text, bytes, HEAD "f0}}\nfunctions:\n");
	for (int i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		add_line(text, bytes, "  f%d: {kernel: dedup, outputs: {first: f%d}}\n", i, i + 1);
	add_line(text, bytes, "  f%d: {kernel: dedup}\n", FAAS_KERNEL_FUNCTIONS_MAX);
	assert_refused(fixture, text, "more than 32 kernel functions");

	snprintf(text, bytes, HEAD "f0}}\nfunctions:\n");
	for (int i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		add_line(text, bytes, "  f%d: {user: relay, outputs: {out: f%d}}\n", i, i + 1);
	add_line(text, bytes, "  f%d: {user: relay}\n", FAAS_USER_FUNCTIONS_MAX);
	assert_refused(fixture, text, "more than 16 user functions");

	snprintf(text, bytes, HEAD "s0}}\nsinks:\n");
	for (int i = 0; i <= FAAS_SINKS_MAX; i++)
		add_line(text, bytes, "  s%d: {file: {path: /x%d}}\n", i, i);
	assert_refused(fixture, text, "more than 16 sinks");

	snprintf(text, bytes, "workflow: w\nfunctions: {a: {kernel: dedup}}\ntriggers:\n");
	for (int i = 0; i <= FAAS_TRIGGERS_MAX; i++)
		add_line(text, bytes,
			 "  t%d: {packet: {interfaces: e, match: {protocol: udp, port: %d}}, "
			 "to: a}\n",
			 i, i + 1);
	assert_refused(fixture, text, "more than 16 triggers");

	/* Each instance of `wide` sets four fields. */
	assert_refused(fixture,
		       HEAD "a}}\nfunctions:\n  a: {kernel: wide, outputs: {a: b}}\n"
			    "  b: {kernel: wide, outputs: {a: c}}\n  c: {kernel: wide}\n",
		       "one more than the kernel functions of a workflow may set together, 8");

	assert_refused(fixture, HEAD "a}}\nfunctions: {a: {kernel: dedup}}\nlimits: {logs: 7/s}\n",
		       "`logs` limits what user functions write, and there is none");

	make_ways_out(text, bytes, "s0");
	parse(fixture, text);
	assert_int_equal(fixture->workflow.bundle.entry_count, FAAS_ENTRIES_MAX);
	make_ways_out(text, bytes, "[s0, s1]");
	assert_refused(fixture, text, "more than 64 ways from the kernel tier");
	free(text);
}

/* Paths begin at the workflow file; what is changed live is known to be. */
static void test_file(void **state)
{
	static const char text[] =
		HEAD "a}}\nfunctions:\n"
		     "  a: {kernel: guard, params: {list: ./Makefile}, outputs: {listed: b}}\n"
		     "  b: {kernel: guard, mode: observe, params: {list: Makefile, limit: 7}}\n";
	const struct workflow_options options = {.functions = described_functions()};
	struct fixture *fixture = *state;
	const struct workflow *workflow = &fixture->workflow;
	const struct bundle *bundle = &workflow->bundle;

	if (workflow_parse(text, strlen(text), TEST_SOURCE "/tests/w.yaml", &options,
			   &fixture->workflow, &fixture->diags) != -1)
		fail_msg("tests/Makefile is there");
	assert_int_equal(fixture->diags.count, 2);
	assert_non_null(strstr(fixture->diags.list[0].cause, "/tests/./Makefile"));
	assert_non_null(strstr(fixture->diags.list[0].cause, "No such file"));
	assert_int_equal(fixture->diags.list[0].line, 4);
	memset(&fixture->diags, 0, sizeof(fixture->diags));
	if (workflow_parse(text, strlen(text), TEST_SOURCE "/tests/../w.yaml", &options,
			   &fixture->workflow, &fixture->diags)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("a sound workflow is refused");
	}
	assert_int_equal(workflow->data_count, 2);
	assert_string_equal(workflow->data[0].path, "data/a.list");
	assert_string_equal(workflow->data[1].source, TEST_SOURCE "/tests/../Makefile");
	assert_string_equal(bundle->kernel[0].maps[0].contents, "data/a.list");
	assert_string_equal(bundle->kernel[1].maps[0].contents, "data/b.list");
	assert_string_equal(bundle->kernel[1].params[0].text, "Makefile");
	assert_int_equal(bundle->kernel[0].maps[0].entries, 0);
	assert_true(bundle->kernel[0].params[1].changeable);
	assert_int_equal(bundle->kernel[0].params[1].integer, 5);
	assert_int_equal(bundle->kernel[1].params[1].integer, 7);
	assert_false(bundle->kernel[0].observe);
	assert_true(bundle->kernel[1].observe);
}

/* A function that does not compile is blamed once, not once per instance. */
static void test_broken_function(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse_with(fixture,
				    HEAD "a}}\nfunctions:\n"
					 "  a: {kernel: broken, outputs: {x: b}}\n"
					 "  b: {kernel: broken, outputs: {y: pass}}\n",
				    NULL, 0),
			 -1);
	assert_int_equal(fixture->diags.count, 1);
	assert_string_equal(fixture->diags.list[0].file, "/objects/broken");
}

/* The demonstration's workflows, with the real library. */
static void test_demonstration(void **state)
{
	static const char *const files[] = {"vibration-watch", "coap-meter"};
	static const char *const directories[] = {TEST_SOURCE "/funcs"};
	struct fixture *fixture = *state;
	char build[] = "/tmp/workflow_test.XXXXXX", command[128];

	assert_non_null(mkdtemp(build));
	for (size_t i = 0; i < 2; i++) {
		const struct workflow_options options = {
			.directories = directories, .directory_count = 1, .build_directory = build};
		char path[256];

		memset(fixture, 0, sizeof(*fixture));
		snprintf(path, sizeof(path), TEST_SOURCE "/tests/data/workflows/%s.yaml", files[i]);
		if (workflow_read(path, &options, &fixture->workflow, &fixture->diags)) {
			diags_print(&fixture->diags, stderr);
			fail_msg("%s is refused", path);
		}
		assert_string_equal(fixture->workflow.bundle.name, files[i]);
		assert_int_equal(access(fixture->workflow.kernel_objects[0], R_OK), 0);
		assert_int_equal(access(fixture->workflow.user_objects[0], R_OK), 0);
	}
	snprintf(command, sizeof(command), "rm -r %s", build);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_overload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_default_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kernel_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_field_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trigger_to_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verdicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_durable_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_worker_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trigger_to_sink, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_both_tiers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_sets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_function, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_demonstration, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
