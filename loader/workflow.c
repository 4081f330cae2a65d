// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "workflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"
#include "paths.h"
#include "workflow_model.h"

static const struct key_rule workflow_rules[] = {
	{"workflow", KEY_REQUIRED, "write `workflow: NAME` on the first line"},
	{"version", KEY_OPTIONAL, NULL},
	{"triggers", KEY_REQUIRED, "write which packets the workflow gets"},
	{"functions", KEY_OPTIONAL, NULL},
	{"sinks", KEY_OPTIONAL, NULL},
	{"workers", KEY_OPTIONAL, NULL},
	{"overload", KEY_OPTIONAL, NULL},
	{"on_failure", KEY_OPTIONAL, NULL},
	{"health", KEY_OPTIONAL, NULL},
	{"storage", KEY_OPTIONAL, NULL},
	{"mode", KEY_LATER, "write `mode` below a trigger"},
	{"retry", KEY_OPTIONAL, NULL},
	{"limits", KEY_OPTIONAL, NULL},
	{"update", KEY_LATER, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule workers_rules[] = {
	{"queue", KEY_OPTIONAL, NULL}, {"instances", KEY_OPTIONAL, NULL},
	{"class", KEY_OPTIONAL, NULL}, {"memory", KEY_OPTIONAL, NULL},
	{"cpu", KEY_OPTIONAL, NULL},   {"idle", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule instances_rules[] = {
	{"min", KEY_OPTIONAL, NULL},
	{"max", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule storage_rules[] = {
	{"size", KEY_OPTIONAL, NULL},
	{"when_unwritable", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule health_rules[] = {
	{"for", KEY_REQUIRED, "write `for: 30s`: how long a new version is watched"},
	{"max_lost", KEY_OPTIONAL, NULL},
	{"max_drop_ratio", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static void read_name(struct model *model, const struct yaml_node *root)
{
	const struct yaml_node *name = yaml_get(root, "workflow");
	const struct yaml_node *version = yaml_get(root, "version");
	const char *text;

	if (name && model_text(model, name, "`workflow`") && model_name(model, name, "workflow"))
		snprintf(model->head.name, sizeof(model->head.name), "%s", name->text);
	text = version ? model_text(model, version, "`version`") : NULL;
	if (text && strlen(text) >= sizeof(model->head.version))
		model_complain(model, version, NULL, "`version` is longer than %d bytes",
			       FAAS_VERSION_BYTES - 1);
	else if (text)
		snprintf(model->head.version, sizeof(model->head.version), "%s", text);
}

/* One at most is what there is. Whether it is always there. */
static bool read_instances(struct model *model, const struct yaml_node *node)
{
	const struct yaml_node *min, *max;
	uint64_t least = 0, most = 1;

	if (node->kind == YAML_MAPPING) {
		if (!model_keys(model, node, node, "`instances`", instances_rules))
			return false;
		min = yaml_get(node, "min");
		max = yaml_get(node, "max");
		if (min &&
		    model_number(model, min, "`min`", PARAM_U32, 0, FAAS_INSTANCES_MAX, &least) &&
		    least > 1)
			model_later(model, min, "write 0, or 1",
				    "`instances`: a `min` other than 0 and 1 is");
	} else {
		max = node;
		least = 1;
	}
	if (max &&
	    model_number(model, max, "`instances`", PARAM_U32, 0, FAAS_INSTANCES_MAX, &most) &&
	    most != 1)
		model_later(model, max, "write 1", "`instances`: a number other than 1 is");
	return least != 0;
}

static void read_class(struct model *model, const struct yaml_node *node)
{
	int class = model_word(model, node, "`class`", bundle_class_words, NULL);

	if (class >= 0)
		model->head.worker_class = (enum bundle_worker_class) class;
}

/* "50%": of one processor. */
static void read_cpu(struct model *model, const struct yaml_node *node)
{
	const char *text = model_text(model, node, "`cpu`");
	unsigned long percent;
	char *end;

	if (!text)
		return;
	percent = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || strcmp(end, "%") != 0 || !percent ||
	    percent > FAAS_WORKER_CPU_PERCENT_MAX)
		model_complain(model, node,
			       "write percent of one processor, such as 50%; 200% are two",
			       "`cpu`: `%s` is not 1%% to %d%%", text, FAAS_WORKER_CPU_PERCENT_MAX);
	else
		model->head.worker_cpu_percent = (uint32_t)percent;
}

static void read_workers(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *queue, *instances, *class, *memory, *cpu, *idle;
	uint64_t events = FAAS_QUEUE_EVENTS_DEFAULT;
	bool stays = false;

	model->head.queue_events = FAAS_QUEUE_EVENTS_DEFAULT;
	model->head.worker_memory_bytes = FAAS_WORKER_MEMORY_DEFAULT;
	model->head.worker_idle_ns = FAAS_WORKER_IDLE_NS_DEFAULT;
	if (!key || !model_keys(model, key->value, key, "`workers`", workers_rules))
		return;
	queue = yaml_get(key->value, "queue");
	instances = yaml_get(key->value, "instances");
	class = yaml_get(key->value, "class");
	memory = yaml_get(key->value, "memory");
	cpu = yaml_get(key->value, "cpu");
	idle = yaml_get(key->value, "idle");
	if (queue)
		model_number(model, queue, "`queue`", PARAM_U32, FAAS_QUEUE_EVENTS_MIN,
			     FAAS_QUEUE_EVENTS_MAX, &events);
	if (instances)
		stays = read_instances(model, instances);
	if (class)
		read_class(model, class);
	if (memory)
		model_bounded(model, memory, "`memory`", PARAM_BYTES, "8Mi", "64Gi",
			      &model->head.worker_memory_bytes);
	if (cpu)
		read_cpu(model, cpu);
	if (idle && stays)
		model_complain(model, idle, "write `instances: {min: 0}`, or remove it",
			       "`idle` says when a worker with nothing to do ends, and this one "
			       "never does");
	else if (idle)
		model_bounded(model, idle, "`idle`", PARAM_DURATION, "100ms", "1d",
			      &model->head.worker_idle_ns);
	if (stays)
		model->head.worker_idle_ns = 0;
	model->head.queue_events = (uint32_t)events;
}

static void read_health(struct model *model, const struct yaml_node *key)
{
	struct bundle_health *health = &model->head.health;
	const struct yaml_node *period, *lost, *ratio;

	if (!key || !model_keys(model, key->value, key, "`health`", health_rules))
		return;
	period = yaml_get(key->value, "for");
	lost = yaml_get(key->value, "max_lost");
	ratio = yaml_get(key->value, "max_drop_ratio");
	*health = (struct bundle_health){
		.given = true, .max_lost = UINT64_MAX, .max_drop_ratio_ppm = BUNDLE_RATIO_ONE};
	if (period)
		model_bounded(model, period, "`for`", PARAM_DURATION, "1s", "1d", &health->for_ns);
	if (lost)
		model_bounded(model, lost, "`max_lost`", PARAM_U64, "0", "1000000000000",
			      &health->max_lost);
	if (ratio)
		model_bounded(model, ratio, "`max_drop_ratio`", PARAM_DECIMAL, "0", "1",
			      &health->max_drop_ratio_ppm);
}

/* Behind the functions: there is storage where one of them has durable state. */
static void read_storage(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *size, *unwritable;
	uint64_t bytes = FAAS_STORAGE_BYTES_DEFAULT;
	bool durable = false;
	int word = 0;

	for (uint32_t i = 0; i < model->function_count; i++)
		durable |= model->functions[i].state_mode == STATE_DURABLE;
	if (key && model_keys(model, key->value, key, "`storage`", storage_rules)) {
		size = yaml_get(key->value, "size");
		unwritable = yaml_get(key->value, "when_unwritable");
		if (size)
			model_bounded(model, size, "`size`", PARAM_BYTES, "16Mi", "64Gi", &bytes);
		if (unwritable)
			word = model_word(model, unwritable, "`when_unwritable`",
					  bundle_unwritable_words, NULL);
		if (!durable && !model->failed)
			model_complain(model, key,
				       "remove it, or write `state: durable` below a "
				       "user function that keeps state",
				       "`storage` is for durable state, and there is none");
	}
	if (durable) {
		model->head.storage_bytes = bytes;
		model->head.storage_continue = word == 1;
	}
}

static void check(struct model *model, struct yaml_node *root, struct workflow *ret)
{
	const struct yaml_node *functions;

	if (root->kind == YAML_MAPPING && !model_apply_sets(model, root))
		return;
	if (!model_keys(model, root, root, "a workflow", workflow_rules))
		return;
	functions = yaml_key(root, "functions");
	read_name(model, root);
	model_declare_functions(model, functions, functions ? functions->value : NULL);
	model_read_sinks(model, yaml_get(root, "sinks"));
	model_read_triggers(model, yaml_get(root, "triggers"));
	model_read_functions(model);
	read_workers(model, yaml_key(root, "workers"));
	model_read_overload(model, root);
	model_read_retry(model, yaml_key(root, "retry"));
	read_storage(model, yaml_key(root, "storage"));
	read_health(model, yaml_key(root, "health"));
	model_read_limits(model, yaml_key(root, "limits"));
	if (model_check_graph(model))
		model_check_events(model);
	if (!model->failed)
		model_result(model, ret);
	if (!model->failed)
		model_compare_limits(model, yaml_key(root, "limits"), &ret->bundle);
}

/* Whether @p a belongs behind @p b: first the file, from its top, then the rest as
 * it came. */
static bool is_behind(const struct diag *a, const struct diag *b, const char *place)
{
	bool a_here = !strcmp(a->file, place), b_here = !strcmp(b->file, place);

	if (!a_here || !b_here)
		return !a_here && b_here;
	return a->line > b->line || (a->line == b->line && a->column > b->column);
}

/* Mistakes are found subject by subject; people read a file from its top. */
static void sort(struct diags *diags, unsigned int from, const char *place)
{
	for (unsigned int i = from + 1; i < diags->count; i++)
		for (unsigned int k = i;
		     k > from && is_behind(&diags->list[k - 1], &diags->list[k], place); k--) {
			struct diag swap = diags->list[k];

			diags->list[k] = diags->list[k - 1];
			diags->list[k - 1] = swap;
		}
}

/* Check a tree. @p parsed: it came without a mistake. */
static int finish(struct yaml_document *document, struct yaml_node *root, bool parsed,
		  const char *place, const struct workflow_options *options, struct workflow *ret,
		  struct diags *diags)
{
	struct model *model = calloc(1, sizeof(*model));
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	int err = -1;

	if (!model || !workflow) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	*model = (struct model){.document = document,
				.options = options,
				.diags = diags,
				.place = place,
				.failed = !parsed};
	check(model, root, workflow);
	if (model->failed)
		goto cleanup;
	/* What the checks above let through must be a sound bundle; if not, they
	 * have a gap, and this says where. */
	if (bundle_check(&workflow->bundle, place, diags))
		goto cleanup;
	*ret = *workflow;
	err = 0;
cleanup:
	for (uint32_t i = 0; model && i < model->function_count; i++)
		free(model->functions[i].declared);
	free(model);
	free(workflow);
	return err;
}

static int find_in_library(void *context, enum function_tier tier, const char *name,
			   struct function *ret, struct diags *diags)
{
	return function_find(context, tier, name, ret, diags);
}

static int list_library(void *context, struct function_name **ret, unsigned int *ret_count)
{
	return function_list(context, ret, ret_count);
}

/* The directories to look into: beside the file, the caller's, the installed one. */
static void make_library(const char *place, const struct workflow_options *options, char *beside,
			 size_t bytes, struct function_library *ret)
{
	const char *slash = strrchr(place, '/');

	if (slash)
		snprintf(beside, bytes, "%.*s/funcs", (int)(slash - place), place);
	else
		snprintf(beside, bytes, "funcs");
	ret->build_directory = options->build_directory;
	ret->directories[ret->count++] = beside;
	for (unsigned int i = 0;
	     i < options->directory_count && ret->count < FUNCTION_DIRECTORIES_MAX - 1; i++)
		ret->directories[ret->count++] = options->directories[i];
	ret->directories[ret->count++] = paths_functions();
}

/* Read the text, or the file @p place if there is none. */
static int read_workflow(const char *text, size_t bytes, const char *place,
			 const struct workflow_options *options, struct workflow *ret,
			 struct diags *diags)
{
	struct workflow_options settings = options ? *options : (struct workflow_options){0};
	struct yaml_document *document = yaml_document_new();
	struct function_library library = {0};
	char beside[FAAS_PATH_BYTES];
	struct yaml_node *root = NULL;
	unsigned int before = diags->count;
	int err, checked = -1;

	if (!document)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (!settings.functions.find) {
		make_library(place, &settings, beside, sizeof(beside), &library);
		settings.functions = (struct workflow_functions){
			.find = find_in_library, .list = list_library, .context = &library};
	}
	err = text ? yaml_parse(document, text, bytes, place, &root, diags)
		   : yaml_read(document, place, &root, diags);
	if (root)
		checked = finish(document, root, !err, place, &settings, ret, diags);
	else if (!err)
		diag_add(diags, DIAG_INVALID, place, 1, 1, "write `workflow: NAME` to begin with",
			 "there is no workflow in it");
	sort(diags, before, place);
	yaml_document_free(document);
	return err || checked ? -1 : 0;
}

int workflow_parse(const char *text, size_t bytes, const char *place,
		   const struct workflow_options *options, struct workflow *ret,
		   struct diags *diags)
{
	return read_workflow(text, bytes, place, options, ret, diags);
}

int workflow_read(const char *path, const struct workflow_options *options, struct workflow *ret,
		  struct diags *diags)
{
	return read_workflow(NULL, 0, path, options, ret, diags);
}
