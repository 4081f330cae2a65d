// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas explain: which workflow takes a packet, what each function answers, and
 * why. The programs are the real ones; see explain.h. Captures may be long: what is
 * printed goes into a temporary file first, which becomes the output at the end.
 */
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attach.h"
#include "build.h"
#include "bundle_names.h"
#include "clock.h"
#include "command.h"
#include "output.h"
#include "paths.h"
#include "record.h"
#include "source.h"

/* A workflow to be explained. */
struct candidate {
	struct source source;
	char beside[FAAS_PATH_BYTES]; /* funcs/ beside its file; "" */
};

struct request {
	const struct options *options;
	struct candidate **candidates;
	uint32_t candidate_count;
	const char *interface; /* NULL: all triggers are at one */
	enum bundle_hook hook;
	struct diags *diags;
};

static struct candidate *add_candidate(struct request *request)
{
	struct candidate **more = reallocarray(request->candidates, request->candidate_count + 1,
					       sizeof(struct candidate *));
	struct candidate *candidate = calloc(1, sizeof(*candidate));

	if (more)
		request->candidates = more;
	if (!more || !candidate) {
		free(candidate);
		diag_fail(request->diags, DIAG_FAILED, NULL, "out of memory");
		return NULL;
	}
	request->candidates[request->candidate_count++] = candidate;
	return candidate;
}

static int take_file(struct request *request, const char *path)
{
	struct candidate *candidate = add_candidate(request);
	const char *slash = strrchr(path, '/');

	if (!candidate)
		return -1;
	if (source_open(request->options, path, &candidate->source, request->diags))
		return -1;
	if (candidate->source.scratch.path[0]) /* it was a file */
		snprintf(candidate->beside, sizeof(candidate->beside), "%.*sfuncs",
			 slash ? (int)(slash + 1 - path) : 0, path);
	return 0;
}

/* Whether the workflow is attached to the interface, as its load wrote down. */
static bool is_attached(const struct request *request, const char *workflow,
			const struct netns *netns)
{
	struct record *record = calloc(1, sizeof(*record));
	bool attached = false;

	if (record && !record_read(workflow, record))
		for (uint32_t i = 0; i < record->attachment_count; i++) {
			const struct interface *interface = &record->attachments[i].interface;

			if (interface->netns_inode == netns->inode &&
			    !strcmp(interface->name, request->interface))
				attached = true;
		}
	free(record);
	return attached;
}

static int take_one_loaded(struct request *request, const char *workflow)
{
	struct candidate *candidate = add_candidate(request);
	char path[FAAS_PATH_BYTES];
	const struct options none = {0};

	if (!candidate)
		return -1;
	snprintf(path, sizeof(path), "%s/%s/bundle", FAAS_STATE_WORKFLOWS, workflow);
	return source_open(&none, path, &candidate->source, request->diags);
}

static int take_loaded(struct request *request)
{
	struct netns netns;
	struct host host;
	int error = 0;

	if (!request->interface)
		return diag_fail(request->diags, DIAG_USAGE,
				 "give --interface, or workflow files to explain instead",
				 "which interface's workflows?");
	if (host_open(&host, HOST_READ, request->diags))
		return -1;
	if (netns_enter(&netns, request->options->netns, request->diags)) {
		host_close(&host);
		return -1;
	}
	netns_leave(&netns); /* only its number was needed */
	for (uint32_t slot = 1; !error && host.registry && slot < FAAS_SLOTS_MAX; slot++)
		if (host.registry[slot].state != FAAS_REGISTRY_FREE &&
		    is_attached(request, host.registry[slot].name, &netns))
			error = take_one_loaded(request, host.registry[slot].name);
	host_close(&host);
	if (!error && !request->candidate_count)
		error = diag_fail(request->diags, DIAG_NOT_FOUND,
				  "`ebpf-faas status` shows the interfaces of workflows; for a "
				  "namespace of `ip netns` give --netns",
				  "no workflow is attached to %s", request->interface);
	return error;
}

/* Triggers at different interfaces never compete: without a name all must be at
 * the same. */
static int choose_interface(struct request *request)
{
	const char *only = NULL;

	for (uint32_t i = 0; !request->interface && i < request->candidate_count; i++) {
		const struct bundle *bundle = request->candidates[i]->source.bundle;

		for (uint32_t k = 0; k < bundle->trigger_count; k++)
			for (uint32_t n = 0; n < bundle->triggers[k].interface_count; n++) {
				const char *name = bundle->triggers[k].interfaces[n];

				if (only && strcmp(only, name))
					return diag_fail(request->diags, DIAG_USAGE,
							 "say with --interface where the packet "
							 "comes in",
							 "the triggers are at several interfaces: "
							 "%s, %s",
							 only, name);
				only = name;
			}
	}
	return 0;
}

static int choose_hook(struct request *request)
{
	const char *word = request->options->hook;
	int hook = word ? bundle_word(bundle_hook_words, word) : -1, found = -1;

	for (uint32_t i = 0; i < request->candidate_count; i++) {
		const struct bundle *bundle = request->candidates[i]->source.bundle;

		for (uint32_t k = 0; k < bundle->trigger_count; k++) {
			const struct bundle_trigger *trigger = &bundle->triggers[k];

			if (!explain_trigger_counts(trigger, trigger->hook, request->interface))
				continue;
			if (hook < 0 && found >= 0 &&
			    !explain_trigger_counts(trigger, (enum bundle_hook)found, NULL))
				return diag_fail(request->diags, DIAG_USAGE,
						 "say with --hook which one is meant",
						 "the triggers are at several hooks: %s, %s",
						 bundle_hook_words[found],
						 bundle_hook_words[trigger->hook]);
			if (hook < 0 ||
			    explain_trigger_counts(trigger, (enum bundle_hook)hook, NULL))
				found = (int)trigger->hook;
		}
	}
	if (found < 0)
		return diag_fail(request->diags, DIAG_NOT_FOUND, "see the triggers of the workflow",
				 "no trigger is at %s%s%s",
				 request->interface ? request->interface : "any interface",
				 word ? ", hook " : "", word ? word : "");
	request->hook = hook < 0 ? (enum bundle_hook)found : (enum bundle_hook)hook;
	return 0;
}

/* What the functions say of their outputs, where their declarations are at hand: a
 * bundle does not have them. */
static void find_functions(const struct request *request, const struct candidate *candidate,
			   const struct build_scratch *scratch,
			   struct function *functions[FAAS_KERNEL_FUNCTIONS_MAX])
{
	struct function_library library = {.build_directory = scratch->path};
	struct diags *ignored = calloc(1, sizeof(*ignored));

	if (candidate->beside[0])
		library.directories[library.count++] = candidate->beside;
	for (unsigned int i = 0; i < request->options->directory_count; i++)
		library.directories[library.count++] = request->options->directories[i];
	library.directories[library.count++] = paths_functions();
	for (uint32_t i = 0; ignored && i < candidate->source.bundle->kernel_count; i++) {
		functions[i] = calloc(1, sizeof(*functions[i]));
		if (functions[i] && function_find(&library, TIER_KERNEL,
						  candidate->source.bundle->kernel[i].function,
						  functions[i], ignored)) {
			free(functions[i]);
			functions[i] = NULL;
		}
	}
	free(ignored);
}

static int add_workflows(struct request *request, struct explain *explain)
{
	struct build_scratch scratch = {.path = ""};
	int error = 0;

	if (build_scratch_make(&scratch, request->diags))
		return -1;
	for (uint32_t i = 0; !error && i < request->candidate_count; i++) {
		struct function *functions[FAAS_KERNEL_FUNCTIONS_MAX] = {NULL};
		struct candidate *candidate = request->candidates[i];

		find_functions(request, candidate, &scratch, functions);
		error = explain_add(explain, candidate->source.bundle, candidate->source.directory,
				    request->interface, (const struct function *const *)functions,
				    request->diags);
		for (uint32_t k = 0; k < FAAS_KERNEL_FUNCTIONS_MAX; k++)
			free(functions[k]);
	}
	build_scratch_remove(&scratch);
	return error;
}

/* ---- totals ------------------------------------------------------------------ */

static void count(json_t *totals, const char *group, const char *name)
{
	json_t *counts = json_object_get(totals, group);

	json_object_set_new(counts, name,
			    json_integer(json_integer_value(json_object_get(counts, name)) + 1));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static void count_packet(json_t *totals, json_t *packet)
{
	const json_t *by = json_object_get(packet, "taken_by");
	char name[256];
	json_t *item;
	size_t i;

	count(totals, "verdicts", text(packet, "verdict"));
	if (text(packet, "observed")[0])
		count(totals, "observed", text(packet, "observed"));
	if (!by) {
		count(totals, "not_taken", text(packet, "not_taken"));
		return;
	}
	snprintf(name, sizeof(name), "%s.%s", text(by, "workflow"), text(by, "trigger"));
	count(totals, "triggers", name);
	json_array_foreach (json_object_get(packet, "functions"), i, item) {
		snprintf(name, sizeof(name), "%s.%s.%s", text(by, "workflow"), text(item, "name"),
			 text(item, "output")[0] ? text(item, "output") : "(error)");
		count(totals, "outputs", name);
	}
	json_array_foreach (json_object_get(packet, "events"), i, item) {
		snprintf(name, sizeof(name), "%s.%s", text(by, "workflow"), text(item, "to"));
		count(totals, "events", name);
	}
}

static void print_totals(json_t *totals, uint64_t packets, FILE *out)
{
	static const struct {
		const char *group, *title;
	} groups[] = {{"triggers", "taken by trigger"},
		      {"not_taken", "taken by none"},
		      {"outputs", "outputs"},
		      {"events", "events to"},
		      {"verdicts", "verdicts"},
		      {"observed", "of those that passed, would be, were they not only observed"}};

	fprintf(out, "%llu packets\n", (unsigned long long)packets);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		json_t *counts = json_object_get(totals, groups[i].group), *value;
		const char *name, *before = " ";

		if (!json_object_size(counts))
			continue;
		fprintf(out, "  %s:", groups[i].title);
		json_object_foreach (counts, name, value) {
			fprintf(out, "%s%s %lld", before, name,
				(long long)json_integer_value(value));
			before = ", ";
		}
		fputc('\n', out);
	}
}

/* ---- packets ----------------------------------------------------------------- */

/* Wait until it is this packet's turn: as long after the first one as it came. */
static void keep_pace(const struct capture_packet *packet, uint64_t *first_ns, uint64_t *begin_ns)
{
	struct timespec due;
	uint64_t due_ns;

	if (!*begin_ns) {
		*first_ns = packet->time_ns;
		*begin_ns = clock_monotonic_ns();
	}
	if (packet->time_ns <= *first_ns)
		return; /* times of captures may go back */
	due_ns = *begin_ns + (packet->time_ns - *first_ns);
	due = (struct timespec){(time_t)(due_ns / CLOCK_NS_PER_S), (long)(due_ns % CLOCK_NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static int explain_packets(struct request *request, struct explain *explain,
			   struct capture *capture, json_t *totals, FILE *out)
{
	struct explain_outcome *outcome = malloc(sizeof(*outcome));
	struct capture_packet packet;
	uint64_t number = 0, first_ns = 0, begin_ns = 0;
	int more = outcome ? 1 : -1;

	if (request->options->json)
		fprintf(out, "{\"hook\": \"%s\", \"packets\": [", bundle_hook_words[request->hook]);
	while (more == 1) {
		json_t *value;

		more = capture_next(capture, &packet, request->diags);
		if (more != 1)
			break;
		if (request->options->pace)
			keep_pace(&packet, &first_ns, &begin_ns);
		if (explain_run(explain, packet.data, packet.bytes, outcome, request->diags)) {
			more = -1;
			break;
		}
		value = explain_json(outcome, ++number, &packet);
		count_packet(totals, value);
		if (request->options->json) {
			fprintf(out, "%s\n", number > 1 ? "," : "");
			json_dumpf(value, out, JSON_COMPACT);
		} else {
			explain_print(value, out);
		}
		json_decref(value);
	}
	free(outcome);
	if (more)
		return -1;
	if (request->options->json) {
		fprintf(out, "\n], \"totals\": ");
		json_object_set_new(totals, "packets", json_integer((json_int_t)number));
		json_dumpf(totals, out, JSON_COMPACT);
		fprintf(out, "}\n");
	} else if (number != 1) {
		print_totals(totals, number, out);
	}
	return 0;
}

static int run(struct request *request)
{
	const struct options *options = request->options;
	json_t *totals = json_pack("{s:{}, s:{}, s:{}, s:{}, s:{}, s:{}}", "triggers", "not_taken",
				   "outputs", "events", "verdicts", "observed");
	FILE *out = output_spool(request->diags);
	struct explain *explain = NULL;
	struct capture *capture = NULL;
	int error;

	error = !out;
	if (!error && options->packet)
		error = capture_hex(options->packet, &capture, request->diags);
	else if (!error)
		error = capture_open(options->pcap, &capture, request->diags);
	if (!error)
		error = explain_open(request->hook, &explain, request->diags) ||
			add_workflows(request, explain) || explain_begin(explain, request->diags);
	if (!error)
		error = explain_packets(request, explain, capture, totals, out);
	if (!error)
		error = output_spooled(out, request->diags);
	if (out)
		fclose(out);
	explain_close(explain);
	capture_close(capture);
	json_decref(totals);
	return error;
}

int verb_explain(const struct options *options, struct diags *diags)
{
	struct request request = {
		.options = options, .interface = options->interface, .diags = diags};
	int error = 0;

	if (!options->packet == !options->pcap)
		return diag_fail(diags, DIAG_USAGE, "give --packet HEX or --pcap FILE, one of them",
				 "there are no packets to explain, or two sources of them");
	if (options->hook && bundle_word(bundle_hook_words, options->hook) < 0)
		return diag_fail(diags, DIAG_USAGE, "xdp, xdp-generic, tc-ingress or tc-egress",
				 "no hook `%s`", options->hook);
	for (unsigned int i = 0; !error && i < options->argument_count; i++)
		error = take_file(&request, options->arguments[i]);
	if (!options->argument_count)
		error = take_loaded(&request);
	if (!error)
		error = choose_interface(&request) || choose_hook(&request) || run(&request);
	for (uint32_t i = 0; i < request.candidate_count; i++) {
		source_close(&request.candidates[i]->source);
		free(request.candidates[i]);
	}
	free(request.candidates);
	return error ? DIAG_FAILED : 0;
}
