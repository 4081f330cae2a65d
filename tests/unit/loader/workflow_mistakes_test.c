// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every mistake is found, at its place, with the next step. One sound workflow,
 * and rows that each change one thing in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "described.h"

static const char sound[] =
	"workflow: plant\n"						   /* 1 */
	"version: \"1.0\"\n"						   /* 2 */
	"triggers:\n"							   /* 3 */
	"  sensors:\n"							   /* 4 */
	"    packet:\n"							   /* 5 */
	"      interfaces: [eth0, eth1]\n"				   /* 6 */
	"      hook: xdp\n"						   /* 7 */
	"      match: {protocol: udp, destination_port: [5005, 5006]}\n"   /* 8 */
	"    mode: copy\n"						   /* 9 */
	"    to: plausible\n"						   /* 10 */
	"functions:\n"							   /* 11 */
	"  plausible:\n"						   /* 12 */
	"    kernel: filter\n"						   /* 13 */
	"    params: {offset: 4, type: s32be, min: -50, max: 150}\n"	   /* 14 */
	"    outputs: {inside: repeats, outside: alarm}\n"		   /* 15 */
	"  repeats:\n"							   /* 16 */
	"    kernel: dedup\n"						   /* 17 */
	"    params: {by: [source_address, payload], window: 500ms}\n"	   /* 18 */
	"    outputs: {first: trend, repeat: pass}\n"			   /* 19 */
	"  trend:\n"							   /* 20 */
	"    user: watch\n"						   /* 21 */
	"    key: source_address\n"					   /* 22 */
	"    state: memory\n"						   /* 23 */
	"    keys: 1000\n"						   /* 24 */
	"    outputs: {anomaly: [more, archive]}\n"			   /* 25 */
	"  more:\n"							   /* 26 */
	"    user: tally\n"						   /* 27 */
	"    outputs: {total: archive}\n"				   /* 28 */
	"workers: {queue: 4096}\n"					   /* 29 */
	"overload: {packet: pass, event: lose}\n"			   /* 30 */
	"on_failure: pass\n"						   /* 31 */
	"sinks:\n"							   /* 32 */
	"  alarm:\n"							   /* 33 */
	"    udp: {to: \"10.0.0.9:5140\"}\n"				   /* 34 */
	"  archive:\n"							   /* 35 */
	"    file: {path: /var/lib/plant.jsonl, rotate: 64Mi, keep: 8}\n"; /* 36 */

struct change {
	const char *from, *to;
	unsigned int line, column;
	const char *cause;  /* part of it; behind a "+" if another diagnostic goes with it */
	const char *advice; /* part of it */
};

/* The text with the first @p from replaced. Returns-owned. */
static char *make_text(const char *from, const char *to)
{
	const char *at = strstr(sound, from);
	size_t bytes = sizeof(sound) + strlen(to);
	char *text = malloc(bytes);

	if (!at || !text)
		fail_msg("\"%s\" does not stand in the sound workflow", from);
	snprintf(text, bytes, "%.*s%s%s", (int)(at - sound), sound, to, at + strlen(from));
	return text;
}

static int read_text(const char *text, struct workflow *workflow, struct diags *diags)
{
	const struct workflow_options options = {.functions = described_functions()};

	return workflow_parse(text, strlen(text), "w.yaml", &options, workflow, diags);
}

/* Whether exactly what the row says is found. Prints what is not. */
static bool is_found(const struct change *change)
{
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct diags *diags = calloc(1, sizeof(*diags));
	char *text = make_text(change->from, change->to);
	bool more = change->cause[0] == '+', found = false;
	int err;

	assert_true(workflow && diags);
	err = read_text(text, workflow, diags);
	for (unsigned int i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		found |= diag->class == DIAG_INVALID && diag->line == change->line &&
			 diag->column == change->column && !strcmp(diag->file, "w.yaml") &&
			 strstr(diag->cause, change->cause + more) &&
			 strstr(diag->advice, change->advice);
	}
	/* What merely follows from a mistake is not said. */
	found = found && err == -1 && diags->count == 1u + more;
	if (!found) {
		diags_print(diags, stderr);
		print_error("\"%s\" -> \"%s\": not %u:%u \"%s\"; \"%s\"\n\n", change->from,
			    change->to, change->line, change->column, change->cause,
			    change->advice);
	}
	free(text);
	free(workflow);
	free(diags);
	return found;
}

static void check_all(const struct change *rows, size_t count)
{
	size_t missed = 0;

	for (size_t i = 0; i < count; i++)
		missed += !is_found(&rows[i]);
	assert_int_equal(missed, 0);
}
#define CHECK(rows) check_all(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_sound(void **state)
{
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct diags *diags = calloc(1, sizeof(*diags));

	(void)state;
	assert_true(workflow && diags);
	if (read_text(sound, workflow, diags))
		diags_print(diags, stderr);
	assert_int_equal(diags->count, 0);
	assert_string_equal(workflow->bundle.name, "plant");
	free(workflow);
	free(diags);
}

static const struct change top[] = {
	{"workflow: plant\n", "", 1, 1, "`workflow` is missing", "workflow: NAME"},
	{"workflow: plant", "workflow: Plant_1", 1, 11, "no name for a workflow", "a-z, 0-9 and -"},
	{"workflow: plant", "workflow: [a]", 1, 11, "single value", ""},
	{"workflow: plant", "workflow:", 1, 10, "not empty", ""},
	{"workflow: plant", "workflow: abcdefghijabcdefghijabcdefghijabc", 1, 11, "no name", "32"},
	{"version:", "verion:", 2, 1, "unknown key `verion`", "did you mean `version`"},
	{"version: \"1.0\"",
	 "version: 0123456789012345678901234567890123456789012345678901234567890123456789", 2, 10,
	 "longer than 64 bytes", ""},
	{"workers: {queue: 4096}", "workers: {queue: 15}", 29, 18, "15 is out of range", "16 to"},
	{"queue: 4096", "queue: many", 29, 18, "`many` is not a whole number", "16 to"},
	{"{queue: 4096}", "{queues: 4096}", 29, 11, "unknown key `queues`", "`queue`"},
	{"{queue: 4096}", "4096", 29, 10, "must be a mapping", ""},
	{"{queue: 4096}", "", 29, 1, "must be a mapping, not empty", ""},
	{"{queue: 4096}", "{instances: 2}", 29, 22, "other than 1 is not supported", "write 1"},
	{"{queue: 4096}", "{instances: {min: 2, max: 1}}", 29, 28,
	 "other than 0 and 1 is not supported", "write 0, or 1"},
	{"{queue: 4096}", "{instances: {min: 0, max: 2}}", 29, 36, "other than 1 is not supported",
	 "write 1"},
	{"{queue: 4096}", "{instances: {min: 1}, idle: 10s}", 29, 38, "never does",
	 "`instances: {min: 0}`"},
	{"{queue: 4096}", "{idle: 99ms}", 29, 17, "`idle`", ""},
	{"{queue: 4096}", "{memory: 1Mi}", 29, 19, "1Mi is out of range", "8Mi"},
	{"{queue: 4096}", "{cpu: half}", 29, 16, "is not 1%", "50%"},
	{"{queue: 4096}", "{class: latencies}", 29, 18, "`latencies` is not known", "latency"},
	{"packet: pass, event", "packet: redirect, event", 30, 20, "not known", "pass"},
	{"on_failure: pass", "limits: {outputs: 10}", 31, 19, "`10` is no rate", "1000/s"},
	{"on_failure: pass", "limits: {outputs: 0/s}", 31, 19, "`0/s` is no rate", "1000/s"},
	{"on_failure: pass", "limits: {outputs: 5/m}", 31, 19, "`5/m` is no rate", "1000/s"},
	{"on_failure: pass", "limits: {state: 4Ki}", 31, 17, "the states take ", "`keys`"},
	{"on_failure: pass", "limits: {state: 4}", 31, 17, "4 is out of range", "4Ki"},
	{"on_failure: pass", "limits: {logs: 5}", 31, 16, "`logs`: `5` is no rate", "10000/s"},
	{"on_failure: pass", "limits: {logs: 10001/s}", 31, 16, "is no rate", "1/s to 10000/s"},
	{"on_failure: pass", "limits: {disk: 500Mi}", 31, 16,
	 "dead letters 8388608 and files of sinks 603979776", "`rotate`"},
	/* Together with what is wrong elsewhere, or with each other. */
	{"on_failure: pass", "on_failure: open\nlimits: {outputs: 10}", 32, 19, "+`10` is no rate",
	 "1000/s"},
	{"on_failure: pass", "limits: {state: 4Ki, disk: 500Mi}", 31, 28, "+dead letters", "raise"},
	{"on_failure: pass", "on_failure: open\nretry: {backoff: 2s..1s}", 32, 18,
	 "+2s is longer than 1s", "shorter one first"},
	{"event: lose", "event: share", 30, 33, "`share` is not known", "shed"},
	{"event: lose", "event: shed", 30, 1, "`event: shed` needs a `deadline`", "deadline: 5ms"},
	{"event: lose", "event: shed, deadline: 1us", 30, 49, "1us is out of range", "1ms to 10s"},
	{"event: lose", "event: shed, deadline: 1m", 30, 49, "1m is out of range", "1ms to 10s"},
	{"event: lose", "deadline: 5ms", 30, 26, "`deadline` is for events that are shed", "shed"},
	{"event: lose", "event: lose, deadline: 5ms", 30, 39, "`deadline` is for events", "shed"},
	{"on_failure: pass", "on_failure: open", 31, 13, "`open` is not known", "pass"},
	{"on_failure: pass", "health: {}", 31, 1, "`for` is missing", "for: 30s"},
	{"on_failure: pass", "health: {for: 30}", 31, 15, "`30` is not a duration", "1s to 1d"},
	{"on_failure: pass", "health: {for: 10ms}", 31, 15, "10ms is out of range", "1s to 1d"},
	{"on_failure: pass", "health: {for: 9s, max_lost: -1}", 31, 29, "`-1`", ""},
	{"on_failure: pass", "health: {for: 9s, max_drop_ratio: 20}", 31, 35, "20 is out",
	 "0 to 1"},
	{"on_failure: pass", "health: {for: 9s, max_errors: 2}", 31, 19, "unknown key", "max_lost"},
	{"on_failure: pass", "retry: {attempts: 0}", 31, 19, "0 is out of range", "1 to 100"},
	{"on_failure: pass", "retry: {backoff: 1s..2}", 31, 18, "`2`", "1ms to 1h"},
	{"on_failure: pass", "retry: {backoff: 2s..1s}", 31, 18, "2s is longer than 1s", ""},
	{"on_failure: pass", "retry: {times: 2}", 31, 9, "unknown key", "attempts"},
	{"on_failure: pass", "mode: observe", 31, 1, "`mode` is not supported", "trigger"},
};

static void test_top(void **state)
{
	(void)state;
	CHECK(top);
}

static const struct change triggers[] = {
	{"    packet:\n", "    paket:\n", 5, 5, "+unknown key `paket`", "`packet`"},
	{"    packet:\n", "    paket:\n", 4, 3, "+`packet` is missing", "interfaces: [NAME]"},
	{"    to: plausible\n", "", 4, 3, "`to` is missing", "to: FUNCTION"},
	{"to: plausible", "to: plausble", 10, 9, "named `plausble`", "`plausible`"},
	{"to: plausible", "to: pass", 10, 9, "not to the verdict `pass`", "kernel function"},
	{"to: plausible", "to: [plausible, repeats]", 10, 21, "both in the kernel", "one way"},
	{"to: plausible", "to: [plausible, plausible]", 10, 21, "`plausible` twice", "remove"},
	{"to: plausible", "to: []", 10, 9, "`to` is empty", ""},
	{"to: plausible", "to: {redirect: eth1}", 10, 9, "not to the verdict `redirect`", "kernel"},
	{"mode: copy", "mode: copy\n    priority: 1001", 10, 15, "`1001` is no priority", "1000"},
	{"mode: copy", "mode: copy\n    priority: high", 10, 15, "`high` is no priority", "1000"},
	{"mode: copy", "mode: copy\n    importance: low", 10, 5, "`importance` says whose",
	 "event: shed"},
	{"mode: copy", "mode: copy\n    importance: 3", 10, 17, "+`3` is not known", "low"},
	{"mode: copy", "mode: steal", 9, 11, "`steal` is not known", "copy, take"},
	{"hook: xdp", "hook: tc", 7, 13, "`tc` is not known", "tc-ingress"},
	{"hook: xdp", "hook: xpd", 7, 13, "`xpd` is not known", "did you mean `xdp`"},
	{"      interfaces: [eth0, eth1]\n", "", 5, 5, "`interfaces` is missing", "[NAME]"},
	{"[eth0, eth1]", "[]", 6, 19, "`interfaces` is empty", ""},
	{"[eth0, eth1]", "[eth0, eth0]", 6, 26, "eth0 is there twice", "remove"},
	{"[eth0, eth1]", "[eth0, any]", 6, 26, "`any` is every interface", "remove"},
	{"[eth0, eth1]", "[a/b]", 6, 20, "`a/b` cannot be the name", "ip link"},
	{"[eth0, eth1]", "[abcdefghijklmnop]", 6, 20, "cannot be the name", "ip link"},
	{"[eth0, eth1]", "[[eth0]]", 6, 20, "single value, not a list", ""},
	{"[eth0, eth1]", "[a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]", 6, 52, "one interface more", ""},
	{"functions:\n",
	 "  b:\n    packet: {interfaces: eth1, match: {protocol: udp, destination_port: 5006}}\n"
	 "    to: plausible\nfunctions:\n",
	 12, 26, "sensors and b both match destination port 5006 on eth1", "priority"},
	{"functions:\n",
	 "  b:\n    packet: {interfaces: eth1, hook: xdp-generic, match: {protocol: udp, port: 1}}"
	 "\n    to: plausible\nfunctions:\n",
	 12, 26, "attach to eth1 in two ways", "same `hook`"},
};

#define MINUTE(every, to) "  minute:\n    timer: {" every "}\n    to: " to "\nfunctions:\n"

static const struct change timers[] = {
	{"functions:\n", MINUTE("every: 60s", "trend"), 13, 9, "trend (watch) has no faas_on_timer",
	 "`ebpf-faas functions`"},
	{"functions:\n", MINUTE("every: 60s", "repeats"), 13, 9, "repeats is a kernel function",
	 "user function"},
	{"functions:\n", MINUTE("every: 60s", "nobody"), 13, 9, "no function is named `nobody`",
	 "user function"},
	{"functions:\n", MINUTE("every: 60s", "archive"), 13, 9, "no function is named `archive`",
	 "user function"},
	{"functions:\n", MINUTE("every: 60s", "[more]"), 13, 9, "single value, not a list", ""},
	{"functions:\n", MINUTE("every: 60", "more"), 12, 20, "`every`: `60`", "60s"},
	{"functions:\n", MINUTE("every: 0s", "more"), 12, 20, "0s is out of range", "1ms"},
	{"functions:\n", MINUTE("every: 367d", "more"), 12, 20, "367d is out of range", "366d"},
	{"functions:\n", MINUTE("", "more"), 12, 5, "`every` is missing", "every: 60s"},
	{"functions:\n", MINUTE("every: 1s, from: 2s", "more"), 12, 24, "unknown key `from`",
	 "every"},
	{"functions:\n", "  minute: {timer: {every: 60s}}\nfunctions:\n", 11, 3, "`to` is missing",
	 "to: FUNCTION"},
	{"functions:\n", "  minute: {timer: {every: 1s}, mode: copy, to: more}\nfunctions:\n", 11,
	 32, "unknown key `mode`", "to"},
	{"mode: copy", "timer: {every: 60s}", 4, 3, "one of packets and one of time",
	 "two triggers"},
	{"functions:\n",
	 MINUTE("every: 60s", "beat") "  beat: {user: pulse, outputs: {beat: more}}\n", 11, 3,
	 "more keeps state for each key, and timer minute leads to it without a key",
	 "state: none"},
};

static void test_timers(void **state)
{
	(void)state;
	CHECK(timers);
}

/* A gate after `repeats`, and a function that decides for it behind `trend`. */
#define PASSED "repeat: pass}\n  trend:\n"
#define JAIL(verdicts, by)                                                                         \
	"repeat: gate}\n"                                                                          \
	"  gate: {kernel: door, params: {by: " by "}, outputs: {open: jail}}\n"                    \
	"  jail: {user: jail, key: source_address, verdicts: " verdicts "}\n"                      \
	"  trend:\n"

static const struct change verdicts[] = {
	{PASSED, JAIL("{shut: gate}", "[vlan]"), 21, 60,
	 "jail decides about the key source_address, and `by` of gate is another: vlan",
	 "same parts"},
	{PASSED, JAIL("{shut: gate}", "[source_address, vlan]"), 21, 60, "`by` of gate is another",
	 "same parts"},
	{PASSED, JAIL("{shut: repeats}", "source_address"), 21, 60,
	 "repeats (dedup) takes no verdicts", "`gate`"},
	{PASSED, JAIL("{shut: jail}", "source_address"), 21, 60, "jail (jail) takes no verdicts",
	 "`gate`"},
	{PASSED, JAIL("{shut: nobody}", "source_address"), 21, 60, "no function is named `nobody`",
	 "`gate`"},
	{PASSED, JAIL("{shout: gate}", "source_address"), 21, 54, "jail has no verdict `shout`",
	 "did you mean `shut`"},
	{PASSED, JAIL("gate", "source_address"), 21, 53, "must be a mapping", "VERDICT: FUNCTION"},
	{"kernel: dedup", "kernel: dedup\n    verdicts: {shut: gate}", 18, 5,
	 "is for user functions", "by its outputs"},
	{"    outputs: {total: archive}\n",
	 "    outputs: {total: [archive, d]}\n  d: {user: burst}\n", 28, 32,
	 "d (burst) takes events in batches", "kernel function"},
};

static void test_verdicts(void **state)
{
	(void)state;
	CHECK(verdicts);
}

static void test_triggers(void **state)
{
	(void)state;
	CHECK(triggers);
}

#define TREND_KEY "    key: source_address\n"
#define TREND "user: watch\n" TREND_KEY "    state: memory\n    keys: 1000\n"

static const struct change functions[] = {
	{"kernel: filter", "kernel: fliter", 13, 13, "no function `fliter`", "`filter`"},
	{"kernel: filter", "user: filter", 13, 11, "no function `filter` in the user tier",
	 "write `kernel: filter`"},
	{"    kernel: filter\n", "", 12, 3, "which function it is", "`kernel: NAME`"},
	{"kernel: filter\n", "kernel: filter\n    user: watch\n", 14, 5, "`kernel` and `user`", ""},
	{"kernel: filter\n", "kernel: filter\n    timeout: 5ms\n", 14, 5, "`timeout` is for user",
	 ""},
	{"kernel: filter\n", "kernel: filter\n    mode: watch\n", 14, 11, "`watch` is not known",
	 "enforce, observe"},
	{"user: tally\n", "user: tally\n    mode: observe\n", 28, 5, "`mode` is for kernel", ""},
	{"kernel: filter\n", "kernel: filter\n    key: vlan\n", 14, 5, "`key` is for user", ""},
	{"kernel: filter\n", "kernel: filter\n    state: none\n", 14, 5, "`state` is for user", ""},
	{TREND, "user: watch\n    exec: [a]\n" TREND_KEY, 21, 5, "`user` and `exec` do not", ""},
	{"kernel: filter\n", "kernel: filter\n    root: /opt\n", 14, 5,
	 "`root` is for functions with `exec`", "remove it"},
	{TREND, "exec: []\n" TREND_KEY, 21, 11, "`exec` names no program", "[PROGRAM, "},
	{TREND, "exec: [a]\n    root: opt\n" TREND_KEY, 22, 11, "`root` is not an absolute", ""},
	{TREND, "exec: [a]\n    mode: observe\n" TREND_KEY, 22, 5, "+`mode` and `exec` do not",
	 "kernel functions"},
	{TREND, "exec: [a]\n    params: {a: 1}\n" TREND_KEY, 22, 14, "no parameter `a`",
	 "declare it: `param_types: {a: TYPE}`"},
	{TREND, "exec: [a]\n    timer: maybe\n" TREND_KEY, 22, 12, "`timer`: `maybe`", ""},
	{"user: tally\n", "user: tally\n    timer: true\n", 28, 5,
	 "`timer` is for functions with `exec`", "remove it"},
	{"user: tally\n", "user: tally\n    param_types: {a: u64}\n", 28, 5,
	 "`param_types` is for functions with `exec`", "remove it"},
	{TREND, "exec: [a]\n    files: [gone.py]\n" TREND_KEY, 22, 13, "cannot read gone.py", ""},
	{TREND, "exec: [a]\n    fields: {gone: {a: u64}}\n" TREND_KEY, 22, 14,
	 "`fields` of output `gone`", "`outputs`"},
	{TREND, "exec: [a]\n    fields: {anomaly: {a: u65}}\n" TREND_KEY, 22, 27,
	 "`u65` is not known", "u64"},
	{TREND, "exec: [a]\n    state_version: 2\n" TREND_KEY, 22, 20, "without a state",
	 "`state_bytes`"},
	{TREND, "exec: [a]\n    state_bytes: 5000\n" TREND_KEY, 22, 18, "5000 is out of range", ""},
	{"user: tally\n", "exec: [a]\n", 25, 25, "takes events in batches", ""},
	{"offset: 4", "ofset: 4", 14, 14, "filter has no parameter `ofset`", "`offset`"},
	{"offset: 4", "offset: -4", 14, 22, "`-4` is beyond what a u32", "0 to 1400"},
	{"offset: 4", "offset: 1401", 14, 22, "1401 is out of range", "0 to 1400"},
	{"offset: 4", "offset: [4]", 14, 22, "single value, not a list", ""},
	{"type: s32be", "type: s32eb", 14, 31, "`s32eb` is not one of its words", "`s32be`"},
	{"type: s32be", "type: [u8, u16be]", 14, 31, "single value", ""},
	{"min: -50, ", "", 14, 5, "filter needs parameter `min`", "Smallest inside"},
	{"min: -50", "min: -0.0000001", 14, 43, "finer than a decimal", "-1000000 to 1000000"},
	{"min: -50", "min: low", 14, 43, "`low` is not a number with at most 6", ""},
	{"params: {offset: 4, type: s32be, min: -50, max: 150}", "params: [1]", 14, 13,
	 "`params` must be a mapping", ""},
	{"{inside: repeats, outside: alarm}", "{inside: repeats, otside: alarm}", 15, 32,
	 "filter has no output `otside`", "`outside`"},
	{"outside: alarm", "outside: [alarm, alram]", 15, 49, "named `alram`", "`alarm`"},
	{"outside: alarm", "outside: [alarm, alarm]", 15, 49, "leads to `alarm` twice", ""},
	{"outside: alarm", "outside: [alarm, drop, pass]", 15, 55, "both in the kernel", "one way"},
	{"inside: repeats", "inside: [repeats, drop]", 15, 33, "`repeats` and `drop`", "one way"},
	{"inside: repeats", "inside: [repeats, redirect]", 15, 33, "to which interface",
	 "{redirect"},
	{"inside: repeats", "inside: {redirect: a/b}", 15, 34, "`a/b` cannot be", "ip link"},
	{"inside: repeats", "inside: {redirect: 'eth*'}", 15, 34, "`eth*` cannot be", "ip link"},
	{"repeat: pass", "repeat: {redirect: eth1, x: 1}", 19, 54, "unknown key `x`", "redirect"},
	{"outside: alarm", "outside: [alarm, []]", 15, 49, "single value, not a list", ""},
	{"repeat: pass", "repeat: []", 19, 37, "empty list of targets", ""},
	{"by: [source_address, payload]", "by: [source_adress]", 18, 19,
	 "`source_adress` is not one", "`source_address`"},
	{"by: [source_address, payload]", "by: [payload, payload]", 18, 28,
	 "payload is there twice", ""},
	{"by: [source_address, payload]", "by: []", 18, 18, "the list is empty", ""},
	{"window: 500ms", "window: 500", 18, 53, "`500` is not a duration", "1ms to 1h"},
	{"window: 500ms", "window: 2h", 18, 53, "2h is out of range", "1ms to 1h"},
	{"window: 500ms", "strict: yes", 18, 53, "`yes` is not true or false", ""},
	{"window: 500ms", "limit: 4K", 18, 52, "`4K` is not a number of bytes", "1 to 1Mi"},
	{"  repeats:\n", "  pass:\n", 16, 3, "+`pass` is a verdict", "another name"},
};

static void test_functions(void **state)
{
	(void)state;
	CHECK(functions);
}

static const struct change graph[] = {
	{"repeat: pass", "repeat: plausible", 19, 37, "a cycle: plausible -> repeats -> plausible",
	 ""},
	{"repeat: pass", "repeat: repeats", 19, 37, "a cycle: repeats -> repeats", ""},
	{"total: archive", "total: trend", 28, 22, "a cycle: trend -> more -> trend", ""},
	{"total: archive", "total: drop", 28, 22, "cannot drop the packet", "in a kernel function"},
	{"total: archive", "total: {redirect: e}", 28, 22, "cannot redirect the packet", "kernel"},
	{"total: archive", "total: reply", 28, 22, "`reply` from a user function is not supp", ""},
	{"workers:", "  idle: {user: relay}\nworkers:", 29, 3, "idle is never reached", "lead a"},
	{"outside: alarm", "outside: drop", 33, 3, "nothing is sent to sink alarm", "remove it"},
	{"    key: source_address\n", "", 20, 3, "+trend keeps state and has no key",
	 "key: source_address"},
	{"    key: source_address\n", "", 25, 3, "+more keeps state and has no key",
	 "where the kernel"},
	{"key: source_address", "key: [source_address, source_adress]", 22, 27,
	 "`source_adress` is not known", "`source_address`"},
	{"key: source_address", "key: [vlan, vlan]", 22, 17, "vlan stands there twice", ""},
	{"key: source_address", "key: []", 22, 10, "`key` is empty", ""},
	{"key: source_address",
	 "key: [source_address, destination_address, source_port, destination_port, vlan]", 22, 79,
	 "vlan is one part more", ""},
	{"user: tally\n", "user: tally\n    key: vlan\n", 28, 10,
	 "has the key of its events, which is source_address (from trend)", "remove it"},
	{"state: memory", "state: disk", 23, 12, "`disk` is not known", "none, memory, durable"},
	{"user: tally", "user: relay\n    state: durable", 28, 12, "+relay keeps no state",
	 "remove it"},
	{"workers:", "storage: {size: 32Mi}\nworkers:", 29, 1, "there is none", "state: durable"},
	{"workers:", "storage: {size: 1Mi}\nworkers:", 29, 17, "1Mi is out of range", "16Mi"},
	{"workers:", "storage: {when_unwritable: stop}\nworkers:", 29, 28, "`stop` is not known",
	 "wait, continue"},
	{"state: memory", "state: none", 24, 5, "there is none", "remove it"},
	{"keys: 1000", "keys: 1000\n    timeout: 1us", 25, 14, "1us is out", "1ms to 1h"},
	{"keys: 1000", "keys: 0", 24, 11, "0 is out of range", "1 to"},
	{"user: tally", "user: relay\n    state: memory", 28, 12, "+relay keeps no state",
	 "remove it"},
	{"first: trend", "first: [trend, more]", 26, 3,
	 "two keys: none (from more) and source_address (from trend)", "the same `key`"},
	{"{inside: repeats, outside: alarm}", "{too_short: repeats, outside: alarm}", 20, 3,
	 "reads the field `value`", "ebpf-faas functions"},
	{"user: tally\n    outputs: {total", "user: watch\n    outputs: {anomaly", 26, 3,
	 "more reads the field `value`", ""},
};

static void test_graph(void **state)
{
	(void)state;
	CHECK(graph);
}

static const struct change sinks[] = {
	{"udp: {to: \"10.0.0.9:5140\"}", "udp: {}", 34, 5, "`to` is missing", "ADDRESS:PORT"},
	{"10.0.0.9:5140", "collector:5140", 34, 15, "`collector:5140` is not ADDRESS:PORT", "192"},
	{"10.0.0.9:5140", "10.0.0.9", 34, 15, "is not ADDRESS:PORT", "192"},
	{"10.0.0.9:5140", "10.0.0.9:0", 34, 15, "is not ADDRESS:PORT", "192"},
	{"10.0.0.9:5140", "10.0.0.9:65536", 34, 15, "is not ADDRESS:PORT", "192"},
	{"10.0.0.9:5140", "fd00::1:5140", 34, 15, "is not ADDRESS:PORT", "[2001"},
	{"10.0.0.9:5140", "[10.0.0.9]:5140", 34, 15, "is not ADDRESS:PORT", "192"},
	{"10.0.0.9:5140", "[fd00::1:5140", 34, 15, "is not ADDRESS:PORT", "[2001"},
	{"/var/lib/plant.jsonl", "plant.jsonl", 36, 18, "not the absolute path", "from / on"},
	{"/var/lib/plant.jsonl", "/var/lib/", 36, 18, "not the absolute path", "from / on"},
	{"path: /var/lib/plant.jsonl, ", "", 36, 5, "`path` is missing", "path: /"},
	{"rotate: 64Mi", "rotate: 64M", 36, 48, "`64M` is not a number of bytes", ""},
	{"rotate: 64Mi, ", "", 36, 46, "nothing is rotated", "rotate: 64Mi"},
	{"keep: 8", "keep: 1001", 36, 60, "1001 is out of range", "0 to 1000"},
	{"    udp: {to: \"10.0.0.9:5140\"}", "    mqtt: {}", 34, 5, "`mqtt` is not supported",
	 "udp"},
	{"    udp: {to: \"10.0.0.9:5140\"}", "    http: {}", 34, 5, "`http` is not supported",
	 "udp"},
	{"5140\"}\n", "5140\"}\n    spool: {}\n", 35, 5, "`spool` is not supported by this", ""},
	{"    udp: {to: \"10.0.0.9:5140\"}", "    {}", 33, 3, "does not say where", "`udp:`"},
	{"    udp: {to: \"10.0.0.9:5140\"}\n", "    file: {path: /var/lib/plant.jsonl}\n", 36, 18,
	 "sink alarm writes to this file already", "one sink"},
	{"  alarm:\n", "  trend:\n", 33, 3, "+`trend` is a function already", "rename"},
};

static void test_sinks(void **state)
{
	(void)state;
	CHECK(sinks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),	 cmocka_unit_test(test_top),
		cmocka_unit_test(test_triggers), cmocka_unit_test(test_timers),
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_functions),
		cmocka_unit_test(test_graph),	 cmocka_unit_test(test_sinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
