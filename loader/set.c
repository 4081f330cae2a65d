// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas set: parameters of kernel functions, while their workflow runs. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "command.h"
#include "generation.h"
#include "host.h"
#include "output.h"
#include "params.h"
#include "remember.h"
#include "suggest.h"
#include "workflow_value.h"

#define CHANGEABLE_MAX ((size_t)FAAS_KERNEL_FUNCTIONS_MAX * FAAS_PARAMS_MAX)
#define NAME_CHARS (FAAS_NAME_BYTES + FAAS_IDENTIFIER_BYTES + 1)

/* A changeable parameter, and what was asked for it. */
struct setting {
	const char *instance;
	const struct bundle_param *param;
	char name[NAME_CHARS]; /* INSTANCE.PARAM */
	int64_t now, wanted;
	bool is_asked;
};

struct set {
	struct bundle *bundle;
	struct params params;
	struct setting *settings;
	uint32_t count;
};

static int collect(struct set *set, struct diags *diags)
{
	set->settings = calloc(CHANGEABLE_MAX, sizeof(*set->settings));
	if (!set->settings)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	for (uint32_t i = 0; i < set->bundle->kernel_count; i++)
		for (uint32_t k = 0; k < set->bundle->kernel[i].param_count; k++) {
			struct setting *setting = &set->settings[set->count];

			setting->instance = set->bundle->kernel[i].instance;
			setting->param = &set->bundle->kernel[i].params[k];
			if (!setting->param->changeable)
				continue;
			snprintf(setting->name, sizeof(setting->name), "%s.%s", setting->instance,
				 setting->param->name);
			if (params_get(&set->params, setting->instance, setting->param,
				       &setting->now))
				return diag_fail(diags, DIAG_FAILED, "load the workflow again",
						 "%s is not in the kernel as the bundle says",
						 setting->name);
			set->count++;
		}
	return 0;
}

static struct setting *find(struct set *set, const char *name, size_t chars, struct diags *diags)
{
	const char *words[CHANGEABLE_MAX] = {NULL};
	char wanted[NAME_CHARS], advice[512];

	for (uint32_t i = 0; set->settings && i < set->count; i++) {
		words[i] = set->settings[i].name;
		if (strlen(words[i]) == chars && !strncmp(words[i], name, chars))
			return &set->settings[i];
	}
	snprintf(wanted, sizeof(wanted), "%.*s", (int)chars, name);
	suggest_advice(wanted, words, set->count, "changeable are", advice, sizeof(advice));
	diag_fail(diags, DIAG_INVALID,
		  set->count ? advice : "none of its functions has a changeable parameter",
		  "%s has no changeable parameter `%s`", set->bundle->name, wanted);
	return NULL;
}

static void range_text(const struct bundle_param *param, char *ret, size_t bytes)
{
	char min[64], max[64];

	value_print(param->type, &(struct value){.integer = param->min}, min, sizeof(min));
	value_print(param->type, &(struct value){.integer = param->max}, max, sizeof(max));
	snprintf(ret, bytes, "%s to %s", min, max);
}

/* FUNCTION.PARAM=VALUE */
static int ask(struct set *set, const char *argument, struct diags *diags)
{
	const char *equals = strchr(argument, '=');
	char range[160], advice[192], why[160];
	struct setting *setting;
	struct value value;
	int error;

	if (!equals)
		return diag_fail(diags, DIAG_USAGE, NULL, "%s is not FUNCTION.PARAM=VALUE",
				 argument);
	setting = find(set, argument, (size_t)(equals - argument), diags);
	if (!setting)
		return -1;
	range_text(setting->param, range, sizeof(range));
	snprintf(advice, sizeof(advice), "allowed are %s", range);
	error = value_parse(setting->param->type, equals + 1, &value);
	if (error) {
		value_explain(setting->param->type, error, why, sizeof(why));
		return diag_fail(diags, DIAG_INVALID, advice, "%s: `%s` %s", setting->name,
				 equals + 1, why);
	}
	if (!params_in_range(setting->param, value.integer))
		return diag_fail(diags, DIAG_INVALID, advice, "%s: %s is out of range",
				 setting->name, equals + 1);
	if (setting->is_asked)
		return diag_fail(diags, DIAG_USAGE, NULL, "%s is given twice", setting->name);
	setting->is_asked = true;
	setting->wanted = value.integer;
	return 0;
}

/* Everything is checked before anything is stored. */
static int change(struct set *set, const struct options *options, struct diags *diags)
{
	int error = 0;

	for (unsigned int i = 1; i < options->argument_count; i++)
		error |= ask(set, options->arguments[i], diags);
	for (uint32_t i = 0; !error && i < set->count; i++)
		if (set->settings[i].is_asked)
			error = params_put(&set->params, set->settings[i].instance,
					   set->settings[i].param, set->settings[i].wanted);
	return error ? -1 : 0;
}

static void print_setting(const struct setting *setting, bool changed, json_t *list)
{
	char now[FAAS_VALUE_BYTES], wanted[FAAS_VALUE_BYTES], range[160];
	const struct bundle_param *param = setting->param;

	assert(param);
	value_print(param->type, &(struct value){.integer = setting->now}, now, sizeof(now));
	value_print(param->type, &(struct value){.integer = setting->wanted}, wanted,
		    sizeof(wanted));
	range_text(param, range, sizeof(range));
	if (list)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "function",
						      setting->instance, "param", param->name,
						      "type", bundle_param_type_name(param->type),
						      "value", changed ? wanted : now, "before",
						      changed ? now : NULL, "allowed", range));
	else if (changed)
		printf("%s: %s -> %s\n", setting->name, now, wanted);
	else
		printf("%s = %s  (%s, %s)\n", setting->name, now,
		       bundle_param_type_name(param->type), range);
}

static void print(const struct set *set, const struct options *options)
{
	bool changed = options->argument_count > 1;
	json_t *list = options->json ? json_array() : NULL;

	for (uint32_t i = 0; i < set->count; i++)
		if (!changed || set->settings[i].is_asked)
			print_setting(&set->settings[i], changed, list);
	if (options->json)
		output_json(json_pack("{s:s, s:o}", "workflow", set->bundle->name, "params", list));
}

static int run(struct set *set, const struct host *host, const char *name,
	       const struct options *options, struct diags *diags)
{
	int error;

	if (generation_running_bundle(name, set->bundle, diags))
		return -1;
	error = params_open(name, &set->params, diags);
	if (!error && collect(set, diags))
		return -1;
	if (error && error != -ENOENT)
		return -1;
	if (change(set, options, diags))
		return -1;
	if (options->argument_count > 1 &&
	    remember(host, host_find(host, name), set->bundle, diags))
		return -1;
	print(set, options);
	return 0;
}

int verb_set(const struct options *options, struct diags *diags)
{
	struct set set = {.bundle = calloc(1, sizeof(*set.bundle))};
	const char *name = options->arguments[0];
	struct host host;
	int error;

	if (!set.bundle) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return DIAG_FAILED;
	}
	/* Under the lock: an update carries values over. */
	error = host_open(&host, options->argument_count > 1 ? HOST_CHANGE : HOST_READ, diags);
	if (!error) {
		if (host_find(&host, name))
			error = run(&set, &host, name, options, diags);
		else
			error = diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows what is",
					  "no workflow %s is loaded", name);
		host_close(&host);
	}
	params_close(&set.params);
	free(set.settings);
	free(set.bundle);
	return error ? diags_exit_status(diags) : 0;
}
