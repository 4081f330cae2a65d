// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* functions: instances of functions of the library, and where their outputs lead. */
#include "workflow_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"
#include "suggest.h"

static const struct key_rule function_rules[] = {
	{"kernel", KEY_OPTIONAL, NULL},
	{"user", KEY_OPTIONAL, NULL},
	{"params", KEY_OPTIONAL, NULL},
	{"outputs", KEY_OPTIONAL, NULL},
	{"key", KEY_OPTIONAL, NULL},
	{"state", KEY_OPTIONAL, NULL},
	{"keys", KEY_OPTIONAL, NULL},
	{"mode", KEY_OPTIONAL, NULL},
	{"verdicts", KEY_OPTIONAL, NULL},
	{"exec", KEY_OPTIONAL, NULL},
	{"files", KEY_OPTIONAL, NULL},
	{"root", KEY_OPTIONAL, NULL},
	{"fields", KEY_OPTIONAL, NULL},
	{"state_bytes", KEY_OPTIONAL, NULL},
	{"state_version", KEY_OPTIONAL, NULL},
	{"param_types", KEY_OPTIONAL, NULL},
	{"timer", KEY_OPTIONAL, NULL},
	{"timeout", KEY_OPTIONAL, NULL},
	{"retry", KEY_LATER, "write it once, for the workflow"},
	{"health", KEY_LATER, NULL},
	{"memory", KEY_LATER, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const char *const mode_words[] = {"enforce", "observe", NULL};

/* ---- the function of the library behind an instance ---- */

static int find(struct model *model, enum function_tier tier, const char *name,
		struct function *ret)
{
	const struct workflow_functions *from = &model->options->functions;

	return from->find(from->context, tier, name, ret, model->diags);
}

/* Returns whether it is a function of the other tier. */
static bool complain_unknown(struct model *model, const struct yaml_node *node,
			     enum function_tier tier)
{
	const struct workflow_functions *from = &model->options->functions;
	const char *words[FUNCTION_NAMES_MAX];
	struct function_name *names = NULL;
	unsigned int name_count = 0, count = 0;
	bool other_tier = false;
	char advice[512];

	if (from->list(from->context, &names, &name_count))
		name_count = 0;
	for (unsigned int i = 0; i < name_count; i++) {
		if (names[i].tier == tier)
			words[count++] = names[i].name;
		else if (!strcmp(names[i].name, node->text))
			other_tier = true;
	}
	if (other_tier)
		snprintf(advice, sizeof(advice),
			 "it is a function of the other tier: write `%s: %s`",
			 tier == TIER_KERNEL ? "user" : "kernel", node->text);
	else
		suggest_advice(node->text, words, count, "functions of this tier", advice,
			       sizeof(advice));
	model_complain(model, node,
		       advice[0] ? advice
				 : "put it into funcs/NAME beside the workflow, or name "
				   "its directory with --funcs",
		       "no function `%s` in the %s tier", node->text, function_tier_name(tier));
	free(names);
	return other_tier;
}

/*
 * Instances of one function read it once, and say once why it does not compile.
 * Returns true if an earlier instance has settled it.
 */
static bool reuse(struct model *model, struct model_function *function)
{
	for (struct model_function *other = model->functions; other < function; other++) {
		if (!other->library_name || other->tier != function->tier ||
		    strcmp(other->library_name, function->library_name))
			continue;
		if (other->declared)
			*function->declared = *other->declared;
		if (other->declared || other->unusable) {
			function->unusable = other->unusable;
			return true;
		}
	}
	return false;
}

static void declare(struct model *model, struct model_function *function,
		    const struct yaml_node *node)
{
	int err = 0;

	function->library_name = model_text(model, node, "the name of a function");
	if (!function->library_name)
		return;
	function->declared = calloc(1, sizeof(*function->declared));
	if (!function->declared) {
		diag_fail(model->diags, DIAG_FAILED, NULL, "out of memory");
		model->failed = true;
		return;
	}
	if (!reuse(model, function))
		err = find(model, function->tier, function->library_name, function->declared);
	if (err == -ENOENT)
		function->tier_known = !complain_unknown(model, node, function->tier);
	else if (err)
		function->unusable = true;
	if (err || function->unusable) {
		free(function->declared);
		function->declared = NULL;
		model->failed = true;
	}
}

/* Which tier an instance is of, and its function. */
static void declare_function(struct model *model, struct model_function *function)
{
	const struct yaml_node *kernel = yaml_get(function->body, "kernel");
	const struct yaml_node *user = yaml_get(function->body, "user");
	char what[FAAS_NAME_BYTES + 16];

	snprintf(what, sizeof(what), "function %.*s", FAAS_NAME_BYTES, function->key->text);
	if (!model_keys(model, function->body, function->key, what, function_rules)) {
		function->body = NULL;
		return;
	}
	if (yaml_key(function->body, "exec")) {
		model_declare_exec(model, function);
		return;
	}
	model_refuse_exec_keys(model, function);
	if (kernel && user) {
		model_complain(model, yaml_key(function->body, "user"), "remove one of them",
			       "%s: `kernel` and `user`; an instance is in one tier", what);
		return;
	}
	if (!kernel && !user) {
		model_complain(model, function->key,
			       "write `kernel: NAME`, `user: NAME` or `exec: [PROGRAM]` below it",
			       "%s: it does not say which function it is", what);
		return;
	}
	function->tier = kernel ? TIER_KERNEL : TIER_USER;
	function->tier_known = true;
	declare(model, function, kernel ? kernel : user);
}

static bool is_reserved(const char *name)
{
	return bundle_word(bundle_verdict_words, name) >= 0;
}

void model_declare_functions(struct model *model, const struct yaml_node *key,
			     const struct yaml_node *node)
{
	uint32_t tiers[2] = {0, 0};

	model->functions_key = key;
	if (!node || yaml_is_null(node))
		return;
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write `NAME:` lines below it, indented",
			       "`functions` must be a mapping, not %s", yaml_kind_name(node));
		return;
	}
	yaml_for_each (name, node) {
		struct model_function *function;

		if (model->function_count == MODEL_FUNCTIONS_MAX) {
			model_complain(model, name, "split the workflow", "more than %d functions",
				       MODEL_FUNCTIONS_MAX);
			model->links_broken = true;
			return;
		}
		if (model_name(model, name, "function") && is_reserved(name->text))
			model_complain(model, name, "choose another name",
				       "`%s` is a verdict, and cannot be the name of a function",
				       name->text);
		function = &model->functions[model->function_count++];
		function->key = name;
		function->body = name->value;
		declare_function(model, function);
		if (!function->tier_known)
			continue;
		tiers[function->tier]++;
		if (function->tier == TIER_KERNEL &&
		    tiers[TIER_KERNEL] == FAAS_KERNEL_FUNCTIONS_MAX + 1)
			model_complain(model, name, "split the workflow",
				       "more than %d kernel functions", FAAS_KERNEL_FUNCTIONS_MAX);
		if (function->tier == TIER_USER && tiers[TIER_USER] == FAAS_USER_FUNCTIONS_MAX + 1)
			model_complain(model, name, "split the workflow",
				       "more than %d user functions", FAAS_USER_FUNCTIONS_MAX);
	}
}

/* ---- outputs ---- */

/* Which of the function's outputs this is; one more when nothing is declared. */
static struct model_output *find_output(struct model *model, struct model_function *function,
					const struct yaml_node *key)
{
	const struct function *declared = function->declared;
	const char *words[FAAS_OUTPUTS_MAX];
	char advice[512];

	if (!declared)
		return function->output_count < FAAS_OUTPUTS_MAX
			       ? &function->outputs[function->output_count++]
			       : NULL;
	for (uint32_t i = 0; i < declared->output_count; i++) {
		if (!strcmp(declared->outputs[i].name, key->text))
			return &function->outputs[i];
		words[i] = declared->outputs[i].name;
	}
	suggest_advice(key->text, words, declared->output_count, "its outputs", advice,
		       sizeof(advice));
	if (!declared->output_count)
		snprintf(advice, sizeof(advice), "it has no outputs");
	model_complain(model, key, advice, "%s has no output `%s`", declared->name, key->text);
	return NULL;
}

static void read_outputs(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "outputs");

	if (function->declared)
		function->output_count = function->declared->output_count;
	if (!node)
		return;
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write {OUTPUT: TARGET}",
			       "`outputs` must be a mapping, not %s", yaml_kind_name(node));
		model->links_broken = true;
		return;
	}
	yaml_for_each (key, node) {
		struct model_output *output = find_output(model, function, key);
		struct model_output unknown = {0};
		struct link_list list;
		char what[FAAS_IDENTIFIER_BYTES + 16];

		if (!output) {
			/* Its targets are reached by what was meant. */
			model->links_broken = true;
			output = &unknown;
		}
		output->key = key;
		list = (struct link_list){output->links, FAAS_OUTPUT_TARGETS_MAX,
					  &output->link_count};
		snprintf(what, sizeof(what), "output `%.*s`", FAAS_IDENTIFIER_BYTES, key->text);
		if (key->value->kind == YAML_SEQUENCE && !key->value->count)
			model_complain(model, key->value, "name a target, or remove the output",
				       "output `%s` has an empty list of targets", key->text);
		model_for_each_item (item, key->value)
			model_add_link(model, &list, what, function->tier == TIER_KERNEL, item);
	}
}

/* ---- key and state ---- */

static void read_key(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "key");

	if (!node)
		return;
	function->key_node = node;
	model_for_each_item (item, node) {
		int part = model_word(model, item, "`key`", bundle_key_part_words, NULL);
		bool twice = false;

		function->key_broken |= part < 0;
		for (uint32_t i = 0; i < function->event_key_count; i++)
			twice |= (int)function->event_key[i] == part;
		if (twice || (part >= 0 && function->event_key_count == FAAS_KEY_PARTS_MAX)) {
			model_complain(model, item, "remove it",
				       twice ? "`key`: %s stands there twice"
					     : "`key`: %s is one part more than are allowed",
				       item->text);
			function->key_broken = true;
		} else if (part >= 0) {
			function->event_key[function->event_key_count++] =
				(enum bundle_key_part)part;
		}
	}
	if (node->kind == YAML_SEQUENCE && !node->count) {
		model_complain(model, node, "name a part, such as source_address",
			       "`key` is empty");
		function->key_broken = true;
	}
}

static void read_state(struct model *model, struct model_function *function)
{
	const struct yaml_node *state = yaml_get(function->body, "state");
	const struct yaml_node *keys = yaml_get(function->body, "keys");
	const struct function *declared = function->declared;
	uint64_t limit = FAAS_STATE_KEYS_DEFAULT;
	int word = STATE_MEMORY;

	function->has_state = declared && declared->has_state;
	if (state)
		word = model_word(model, state, "`state`", bundle_state_mode_words, NULL);
	if (!word)
		function->has_state = false;
	if (state && word >= STATE_MEMORY && declared && !declared->has_state)
		model_complain(model, state,
			       function->exec.argument_count ? "write `state_bytes` too"
							     : "remove it, or write `state: none`",
			       "%s keeps no state", declared->name);
	if (keys &&
	    model_number(model, keys, "`keys`", PARAM_U32, 1, FAAS_STATE_KEYS_MAX, &limit) &&
	    declared && !function->has_state)
		model_complain(model, yaml_key(function->body, "keys"), "remove it",
			       "`keys` limits the state, and there is none");
	function->state_keys = (uint32_t)limit;
	function->state_mode = STATE_NONE;
	if (function->has_state)
		function->state_mode = word == STATE_DURABLE ? STATE_DURABLE : STATE_MEMORY;
}

static void read_mode(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "mode");

	if (node)
		function->observe = model_word(model, node, "`mode`", mode_words, NULL) == 1;
}

static void read_timeout(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "timeout");

	function->timeout_ns = BUNDLE_TIMEOUT_DEFAULT_NS;
	if (node)
		model_bounded(model, node, "`timeout`", PARAM_DURATION, "1ms", "1h",
			      &function->timeout_ns);
}

static void refuse_user_keys(struct model *model, const struct model_function *function)
{
	static const char *const keys[] = {"key", "state", "keys"};
	const struct yaml_node *verdicts = yaml_key(function->body, "verdicts");
	const struct yaml_node *timeout = yaml_key(function->body, "timeout");

	if (timeout)
		model_complain(model, timeout, "remove it; the verifier bounds its time",
			       "`timeout` is for user functions, %s is a kernel function",
			       function->key->text);
	if (verdicts)
		model_complain(model, verdicts,
			       "a kernel function decides by its outputs; lead verdicts of user "
			       "functions to it",
			       "`verdicts` is for user functions, %s is a kernel function",
			       function->key->text);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct yaml_node *key = yaml_key(function->body, keys[i]);

		if (key)
			model_complain(
				model, key,
				"remove it; the state of a kernel function is its maps, sized "
				"by its parameters",
				"`%s` is for user functions, %s is a kernel function", keys[i],
				function->key->text);
	}
}

void model_read_functions(struct model *model)
{
	for (uint32_t i = 0; i < model->function_count; i++) {
		struct model_function *function = &model->functions[i];

		if (!function->body) {
			model->links_broken = true;
			continue;
		}
		if (function->declared)
			model_read_params(model, function);
		read_outputs(model, function);
		if (yaml_key(function->body, "kernel")) {
			refuse_user_keys(model, function);
			read_mode(model, function);
			continue;
		}
		if (yaml_key(function->body, "mode"))
			model_complain(model, yaml_key(function->body, "mode"), "remove it",
				       "`mode` is for kernel functions, %s is a user function",
				       function->key->text);
		read_key(model, function);
		read_state(model, function);
		read_timeout(model, function);
		model_read_verdicts(model, function);
	}
}
