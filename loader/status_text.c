// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A workflow's status in words. */
#include "status.h"

#include <stdio.h>
#include <string.h>

#include "crash_report.h"
#include "timer_report.h"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static unsigned long long number(const json_t *object, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(object, key));
}

static void print_numbers(const char *title, json_t *object)
{
	const char *key;
	json_t *value;
	bool first = true;

	printf("%s", title);
	json_object_foreach (object, key, value) {
		printf("%s%s %lld", first ? "" : ", ", key, (long long)json_integer_value(value));
		first = false;
	}
	printf("\n");
}

static void print_storage(json_t *storage, const char *name)
{
	if (!storage)
		return;
	printf("  storage %s/%s: %s", text(storage, "directory"), name, text(storage, "state"));
	if (text(storage, "error")[0])
		printf(" (%s)", text(storage, "error"));
	printf(", %llu bytes of log on the disk, errors %llu, snapshots %llu\n",
	       number(storage, "durable_position"), number(storage, "errors"),
	       number(storage, "snapshots"));
	if (number(storage, "corrupt"))
		printf("    damaged when it was taken up: %llu places, %llu bytes; they are left "
		       "out, "
		       "and kept in %s/%s/damage\n",
		       number(storage, "corrupt"), number(storage, "corrupt_bytes"),
		       text(storage, "directory"), name);
}

static void print_overload(json_t *overload)
{
	const char *name;
	json_t *shed;

	if (!overload)
		return;
	if (number(overload, "budget_bytes"))
		printf("  deadline %.3g ms: the worker works off %llu bytes of its ring of %llu in "
		       "that time%s\n",
		       (double)number(overload, "deadline_ns") / 1e6,
		       number(overload, "budget_bytes"), number(overload, "ring_bytes"),
		       json_is_true(json_object_get(overload, "pressed")) ? "; under pressure"
									  : "");
	else
		printf("  deadline %.3g ms: not known yet what events take\n",
		       (double)number(overload, "deadline_ns") / 1e6);
	json_object_foreach (json_object_get(overload, "triggers"), name, shed)
		printf("    trigger %s, importance %s: shed by deadline %llu, sampled %llu\n", name,
		       text(shed, "importance"), number(shed, "deadline"), number(shed, "sampled"));
}

/* What it is, and what keeps it from its work. */
static void print_condition(json_t *status)
{
	json_t *item;

	printf("%s  version \"%s\"  generation %llu  slot %llu\n", text(status, "workflow"),
	       text(status, "version"), number(status, "generation"), number(status, "slot"));
	if (json_is_true(json_object_get(status, "bypassed")))
		printf("  bypassed: packets pass without it; `ebpf-faas resume` ends that\n");
	item = json_object_get(status, "quarantine");
	if (item)
		printf("  quarantined: its user functions ended %llu workers within %llu s, the "
		       "last "
		       "one: %s\n"
		       "    every packet %s meanwhile; update it, or `ebpf-faas resume %s` tries "
		       "again\n",
		       number(item, "deaths"), number(item, "within_ms") / 1000,
		       text(item, "reason"),
		       strcmp(text(item, "packets"), "drop") ? "passes" : "is dropped",
		       text(status, "workflow"));
	item = json_object_get(status, "trial");
	if (item && number(item, "goes_back_to"))
		printf("  on trial: without a verdict it goes back to generation %llu in %llu s\n",
		       number(item, "goes_back_to"), number(item, "left_ms") / 1000);
	else if (item)
		printf("  on trial: unless confirmed it is unloaded in %llu s\n",
		       number(item, "left_ms") / 1000);
}

static void print_interfaces(json_t *status)
{
	json_t *item;
	size_t i;

	if (!json_is_array(json_object_get(status, "interfaces")))
		printf("  interfaces: unknown, " FAAS_RUN_WORKFLOWS
		       "/%s/interfaces.json is gone or damaged; unload the workflow and load it "
		       "again\n",
		       text(status, "workflow"));
	json_array_foreach (json_object_get(status, "interfaces"), i, item) {
		printf("  trigger %s on %s (%s, %s): %s\n", text(item, "trigger"),
		       text(item, "interface"), text(item, "hook"), text(item, "trigger_mode"),
		       strcmp(text(item, "mode"), "gone")
			       ? text(item, "mode")
			       : "gone (the interface or its program was removed)");
		if (json_object_get(item, "not_taken"))
			print_numbers("    packets that no workflow took: ",
				      json_object_get(item, "not_taken"));
	}
}

/* Packets and events up to where they were lost. */
static void print_ledger(json_t *ledger)
{
	json_t *item;

	printf("  packets: matched %llu = dropped %llu + passed %llu + replied %llu + redirected "
	       "%llu + "
	       "no_program %llu + in_kernel %llu\n",
	       number(ledger, "matched"), number(ledger, "dropped"), number(ledger, "passed"),
	       number(ledger, "replied"), number(ledger, "redirected"),
	       number(json_object_get(ledger, "lost"), "no_program"), number(ledger, "in_kernel"));
	printf("  events: emitted %llu = processed %llu + dead_lettered %llu + in_flight %llu\n",
	       number(ledger, "emitted"), number(ledger, "processed"),
	       number(ledger, "dead_lettered"), number(ledger, "in_flight"));
	item = json_object_get(ledger, "timers");
	if (number(item, "processed") || number(item, "dead_lettered"))
		printf("  timers: processed %llu, dead_lettered %llu\n", number(item, "processed"),
		       number(item, "dead_lettered"));
	if (number(ledger, "replayed"))
		printf("  of the dead letters, %llu were processed after all\n",
		       number(ledger, "replayed"));
	item = json_object_get(ledger, "verdicts");
	if (number(item, "written") || number(item, "refused"))
		printf("  verdicts: written %llu, refused %llu\n", number(item, "written"),
		       number(item, "refused"));
	print_numbers("  lost: ", json_object_get(ledger, "lost"));
	item = json_object_get(ledger, "shed");
	if (number(item, "deadline") || number(item, "sampled"))
		print_numbers("  shed: ", item);
}

/* Of the packets that passed, which a function had no say in. */
static void print_unenforced(json_t *ledger)
{
	json_t *item;

	item = json_object_get(ledger, "stopped");
	if (number(item, "dropped") || number(item, "passed"))
		printf("  while it could not run, %llu of those were dropped and %llu passed\n",
		       number(item, "dropped"), number(item, "passed"));
	if (number(ledger, "bypassed"))
		printf("  of those that passed, %llu were bypassed\n", number(ledger, "bypassed"));
	item = json_object_get(ledger, "observed");
	if (number(item, "dropped") || number(item, "turned"))
		printf("  of those that passed, %llu would have been dropped and %llu replied or "
		       "redirected, were they not only observed\n",
		       number(item, "dropped"), number(item, "turned"));
}

static void print_parts(json_t *status)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(status, "functions"), i, item) {
		json_t *time = json_object_get(item, "time");

		printf("  %s function %s (%s): events %llu, errors %llu, about %llu ns each\n",
		       text(item, "tier"), text(item, "name"), text(item, "function"),
		       number(item, "events"), number(item, "errors"), number(time, "mean_ns"));
		print_numbers("    outputs: ", json_object_get(item, "outputs"));
	}
	json_array_foreach (json_object_get(status, "sinks"), i, item)
		printf("  %s sink %s: delivered %llu, errors %llu, refused %llu, above the limit "
		       "%llu%s%s\n",
		       text(item, "kind"), text(item, "name"), number(item, "delivered"),
		       number(item, "errors"), number(item, "refused"), number(item, "limited"),
		       text(item, "last_error")[0] ? "; last error: " : "",
		       text(item, "last_error"));
}

static void print_worker(json_t *status)
{
	json_t *item = json_object_get(status, "worker");

	if (!item)
		return;
	printf("  worker %s: class %s, pid %llu, uid %llu, restarts %llu, limited by %s; "
	       "courier pid "
	       "%llu; "
	       "runtime %s\n",
	       text(item, "state"), text(item, "class"), number(item, "pid"), number(item, "uid"),
	       number(item, "restarts"), text(item, "limits"), number(item, "courier_pid"),
	       json_is_true(json_object_get(status, "runtime")) ? "running"
								: "not running: `ebpf-faas gc` "
								  "starts it");
	if (json_object_get(item, "program_limits"))
		printf("    programs of its exec functions: limited by %s\n",
		       text(item, "program_limits"));
	if (number(item, "restarts"))
		printf("    the last one before it: %s\n", text(item, "last_reason"));
	if (number(item, "lines_suppressed"))
		printf("    lines that its functions wrote above `limits.logs`: %llu; they are not "
		       "in the log\n",
		       number(item, "lines_suppressed"));
	/* Only a function that wrote where it may not makes them. */
	if (number(item, "log_damaged"))
		printf("    places of its log that are not the worker's own: %llu; they were not "
		       "delivered\n",
		       number(item, "log_damaged"));
	if (number(item, "ring_released_unread"))
		printf("    bytes of its ring that were released unread: %llu; the events in them "
		       "are lost\n",
		       number(item, "ring_released_unread"));
}

void status_print_workflow(json_t *status)
{
	json_t *ledger = json_object_get(status, "ledger");

	print_condition(status);
	print_interfaces(status);
	timer_report_print(json_object_get(status, "timers"), "  ");
	print_ledger(ledger);
	print_overload(json_object_get(status, "overload"));
	print_unenforced(ledger);
	print_parts(status);
	print_worker(status);
	crash_report_print(json_object_get(status, "crashes"), "    ");
	print_storage(json_object_get(status, "storage"), text(status, "workflow"));
}
