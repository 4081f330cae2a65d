// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "undelivered.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ebpf_faas/limits.h>

#include "bundle_compare.h"
#include "clock.h"
#include "control_client.h"
#include "generation.h"
#include "host.h"
#include "ledger.h"
#include "phrase.h"
#include "workflow_value.h"

#define LOOK_EVERY_MS 20
#define BOUND_NS_MAX (24ull * 3600 * CLOCK_NS_PER_S)

int undelivered_bound(const char *drain, uint64_t *ret_ns, struct diags *diags)
{
	struct value value = {.integer = (int64_t)(FAAS_DRAIN_MS * CLOCK_NS_PER_MS)};

	if (drain && (value_parse(PARAM_DURATION, drain, &value) || value.integer < 0 ||
		      (uint64_t)value.integer > BOUND_NS_MAX))
		return diag_fail(diags, DIAG_USAGE, "write a duration up to 24h, such as 60s",
				 "--drain %s", drain);
	*ret_ns = (uint64_t)value.integer;
	return 0;
}

/* "sink records: 20 outputs (No space left on device)" */
static void describe(const struct bundle *from, const json_t *list, char *text, size_t bytes)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		json_int_t number = json_integer_value(json_object_get(item, "sink"));
		json_int_t outputs = json_integer_value(json_object_get(item, "outputs"));
		int error = (int)json_integer_value(json_object_get(item, "error"));

		phrase_add(text, bytes, "%s", i ? ", " : "");
		if (number >= 0 && number < from->sink_count)
			phrase_add(text, bytes, "sink %s: %lld outputs", from->sinks[number].name,
				   (long long)outputs);
		else
			phrase_add(text, bytes, "%lld dead letters", (long long)outputs);
		if (error)
			phrase_add(text, bytes, " (%s)", strerror(error));
	}
}

int undelivered_fail(const struct bundle *from, struct diags *diags)
{
	struct diags *ignored = calloc(1, sizeof(*ignored));
	json_t *list = NULL;
	char text[512] = "";

	if (ignored && !control_undelivered(from->name, &list, ignored))
		describe(from, list, text, sizeof(text));
	json_decref(list);
	free(ignored);
	return diag_fail(
		diags, DIAG_FAILED,
		"mend what holds them up, `ebpf-faas status` shows it, or wait longer with "
		"--drain TIME",
		"what %s has still to deliver, the new version would write in another "
		"way: %s",
		from->name, text[0] ? text : "outputs that were made meanwhile");
}

/* Until the cursor of the courier is where the log ends now. */
static int wait_for_courier(const struct host *host, uint32_t slot, const struct bundle *from,
			    uint64_t bound_ns, struct diags *diags)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	uint64_t deadline = clock_monotonic_ns() + bound_ns, until = 0;
	int error = -1;

	if (!ledger)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	for (;;) {
		/* What cannot be read is for the update to complain about. */
		if (ledger_read(host, from, slot, ledger) || !ledger->user_tier_readable) {
			error = 0;
			break;
		}
		if (!until)
			until = ledger->user.output_position;
		if (ledger->courier.log_position >= until) {
			error = 0;
			break;
		}
		if (clock_monotonic_ns() >= deadline) {
			error = undelivered_fail(from, diags);
			break;
		}
		nanosleep(&pause, NULL);
	}
	free(ledger);
	return error;
}

int undelivered_wait(const struct bundle *to, uint64_t bound_ns, struct diags *diags)
{
	struct bundle *from = calloc(1, sizeof(*from));
	struct host host;
	uint32_t slot = 0;
	int error = 0;

	if (!from)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	error = host_open(&host, HOST_READ, diags);
	if (!error && host.registry)
		slot = host_find(&host, to->name);
	if (slot)
		error = generation_bundle(to->name, host.registry[slot].generation, from, diags);
	if (slot && !error && bundle_needs_runtime(from) && !bundle_same_records(from, to))
		error = wait_for_courier(&host, slot, from, bound_ns, diags);
	host_close(&host);
	free(from);
	return error;
}
