// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas validate */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <jansson.h>

#include "build.h"
#include "bundle.h"
#include "bundle_match.h"
#include "bundle_names.h"
#include "command.h"
#include "output.h"
#include "timer_report.h"
#include "workflow.h"

static const char *target_name(const struct bundle *bundle, const struct bundle_target *target)
{
	if (target->kind == TARGET_SINK)
		return bundle->sinks[target->index].name;
	return target->kind == TARGET_KERNEL ? bundle->kernel[target->index].instance
					     : bundle->user[target->index].instance;
}

/* Returns-owned; NULL without memory. */
static char *match_text(const struct bundle_match *match)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	bundle_match_describe(match, out);
	return fclose(out) ? NULL : text;
}

static json_t *trigger_json(const struct bundle *bundle, const struct bundle_trigger *trigger)
{
	json_t *interfaces = json_array(), *targets = json_array(), *value;
	char *match = match_text(&trigger->match);

	for (uint32_t i = 0; i < trigger->interface_count; i++)
		json_array_append_new(interfaces, json_string(trigger->interfaces[i]));
	for (uint32_t i = 0; i < trigger->target_count; i++)
		json_array_append_new(targets,
				      json_string(target_name(bundle, &trigger->targets[i])));
	value = json_pack("{s:s, s:i, s:o, s:s, s:s, s:i, s:s, s:I, s:o}", "trigger", trigger->name,
			  "id", (int)trigger->id, "interfaces", interfaces, "hook",
			  bundle_hook_words[trigger->hook], "mode",
			  bundle_mode_words[trigger->mode], "priority", (int)trigger->priority,
			  "match", match ? match : "", "rules",
			  (json_int_t)bundle_match_rules(&trigger->match), "to", targets);
	free(match);
	return value;
}

/* One line: what it comes to, in the order of the way of a packet. */
static void print_trigger(const struct bundle *bundle, const struct bundle_trigger *trigger)
{
	printf("trigger %s: on", trigger->name);
	for (uint32_t i = 0; i < trigger->interface_count; i++)
		printf("%s %s", i ? "," : "", trigger->interfaces[i]);
	printf(" (%s, %s", bundle_hook_words[trigger->hook], bundle_mode_words[trigger->mode]);
	if (trigger->priority)
		printf(", priority %d", trigger->priority);
	printf("): ");
	bundle_match_describe(&trigger->match, stdout);
	printf(" ->");
	for (uint32_t i = 0; i < trigger->target_count; i++)
		printf("%s %s", i ? "," : "", target_name(bundle, &trigger->targets[i]));
	printf(" (rules %llu)\n", (unsigned long long)bundle_match_rules(&trigger->match));
}

static void print_valid(const struct options *options, const struct bundle *bundle)
{
	json_t *triggers, *timers = timer_report(bundle);

	if (options->json) {
		triggers = json_array();
		for (uint32_t i = 0; i < bundle->trigger_count; i++)
			json_array_append_new(triggers, trigger_json(bundle, &bundle->triggers[i]));
		output_json(json_pack(
			"{s:s, s:s, s:b, s:o, s:o, s:i, s:i, s:i, s:[]}", "workflow", bundle->name,
			"version", bundle->version, "valid", 1, "triggers", triggers, "timers",
			timers, "kernel_functions", (int)bundle->kernel_count, "user_functions",
			(int)bundle->user_count, "sinks", (int)bundle->sink_count, "errors"));
		return;
	}
	printf("%s: valid: triggers %u, kernel functions %u, user functions %u, sinks %u\n",
	       bundle->name, bundle->trigger_count + bundle->timer_count, bundle->kernel_count,
	       bundle->user_count, bundle->sink_count);
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		print_trigger(bundle, &bundle->triggers[i]);
	timer_report_print(timers, "");
	json_decref(timers);
}

static int validate_bundle(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	int err;

	if (!bundle)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (options->set_count)
		err = diag_fail(diags, DIAG_USAGE, "build the workflow's file again with it",
				"--set cannot change a bundle, which is built already");
	else
		err = bundle_open(options->arguments[0], bundle, diags);
	if (!err)
		print_valid(options, bundle);
	free(bundle);
	return err;
}

static int validate_file(const struct options *options, struct diags *diags)
{
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct build_scratch scratch = {.path = ""};
	int err;

	if (!workflow)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	err = build_scratch_make(&scratch, diags);
	if (!err) {
		const struct workflow_options settings = {
			.sets = options->sets,
			.set_count = options->set_count,
			.directories = options->directories,
			.directory_count = options->directory_count,
			.build_directory = scratch.path,
		};

		err = workflow_read(options->arguments[0], &settings, workflow, diags);
		build_scratch_remove(&scratch);
	}
	if (!err)
		print_valid(options, &workflow->bundle);
	free(workflow);
	return err;
}

int verb_validate(const struct options *options, struct diags *diags)
{
	struct stat status;
	int err;

	if (!stat(options->arguments[0], &status) && S_ISDIR(status.st_mode))
		err = validate_bundle(options, diags);
	else
		err = validate_file(options, diags);
	return err ? diags_exit_status(diags) : 0;
}
