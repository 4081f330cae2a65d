// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* limits: what a workflow may take. What they are is read with the rest of the workflow, so
 * that all mistakes are found together. Sizes are those that are allocated ahead: they are
 * compared when the bundle is there. */
#include "workflow_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle_size.h"

static const struct key_rule limits_rules[] = {
	{"outputs", KEY_OPTIONAL, NULL}, {"state", KEY_OPTIONAL, NULL},
	{"disk", KEY_OPTIONAL, NULL},	 {"logs", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

/* "1000/s": 1 to @p max. Whether it is one; *ret stays if not. */
static bool read_rate(struct model *model, const struct yaml_node *node, const char *what,
		      const char *things, uint64_t max, uint64_t *ret)
{
	const char *text = model_text(model, node, what), *per;
	char number[32] = "", advice[96];
	struct value value;

	if (!text)
		return false;
	per = strrchr(text, '/');
	if (per && !strcmp(per, "/s") && per - text < (int)sizeof(number))
		snprintf(number, sizeof(number), "%.*s", (int)(per - text), text);
	if (value_parse(PARAM_U64, number, &value) || value.integer < 1 ||
	    (uint64_t)value.integer > max) {
		snprintf(advice, sizeof(advice),
			 "write %s a second, such as 1000/s; 1/s to %" PRIu64 "/s", things, max);
		model_complain(model, node, advice, "%s: `%s` is no rate", what, text);
		return false;
	}
	*ret = (uint64_t)value.integer;
	return true;
}

static void read_outputs(struct model *model, const struct yaml_node *node)
{
	uint64_t *ret = &model->head.limits.outputs_per_second;

	if (read_rate(model, node, "`outputs`", "records", BUNDLE_OUTPUTS_MAX, ret) &&
	    !model->sink_count)
		model_complain(model, node, "remove it, or make a sink",
			       "`outputs` limits what goes to sinks, and there is none");
}

static void read_logs(struct model *model, const struct yaml_node *node)
{
	bool writes = false;
	uint64_t lines = 0;

	for (uint32_t i = 0; i < model->function_count; i++)
		writes |= !model->functions[i].declared || model->functions[i].tier == TIER_USER;
	if (read_rate(model, node, "`logs`", "lines", FAAS_LOG_LINES_PER_SECOND_MAX, &lines) &&
	    !writes)
		model_complain(model, node, "remove it, or use a user function",
			       "`logs` limits what user functions write, and there is none");
	model->head.limits.logs_per_second = (uint32_t)lines;
}

void model_read_limits(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *outputs, *state, *disk, *logs;

	if (!key || !model_keys(model, key->value, key, "`limits`", limits_rules))
		return;
	outputs = yaml_get(key->value, "outputs");
	state = yaml_get(key->value, "state");
	disk = yaml_get(key->value, "disk");
	logs = yaml_get(key->value, "logs");
	if (outputs)
		read_outputs(model, outputs);
	if (state)
		model_bounded(model, state, "`state`", PARAM_BYTES, "4Ki", "1024Gi",
			      &model->head.limits.state_bytes);
	if (disk)
		model_bounded(model, disk, "`disk`", PARAM_BYTES, "4Ki", "1024Gi",
			      &model->head.limits.disk_bytes);
	if (logs)
		read_logs(model, logs);
}

static void compare_state(struct model *model, const struct yaml_node *node,
			  const struct bundle *bundle)
{
	uint64_t need = bundle_state_bytes(bundle);

	if (need > bundle->limits.state_bytes)
		model_complain(
			model, node, "raise it, or lower `keys` of user functions with state",
			"the states take %" PRIu64 " bytes, and may take %s", need, node->text);
}

static void compare_disk(struct model *model, const struct yaml_node *node,
			 const struct bundle *bundle)
{
	uint64_t durable = bundle_disk_bytes(bundle), files = 0;
	uint64_t dead = bundle->entry_count ? SIZE_DEAD_LETTERS : 0;

	for (uint32_t i = 0; i < bundle->sink_count; i++) {
		uint64_t bytes = bundle_sink_bytes(&bundle->sinks[i]);

		if (bytes == UINT64_MAX || files + bytes < files) {
			model_complain(model, node, "give it `rotate` and `keep`",
				       "the file of sink %s grows without end",
				       bundle->sinks[i].name);
			return;
		}
		files += bytes;
	}
	if (files > UINT64_MAX / 2 || durable + dead + files > bundle->limits.disk_bytes)
		model_complain(model, node,
			       "raise it, or lower `storage`, `keys`, or `rotate` and `keep` of "
			       "sinks",
			       "durable state takes %" PRIu64 " bytes, dead letters %" PRIu64
			       " and files of sinks %" PRIu64 ", and together they may take %s",
			       durable, dead, files, node->text);
}

void model_compare_limits(struct model *model, const struct yaml_node *key,
			  const struct bundle *bundle)
{
	const struct yaml_node *state = key ? yaml_get(key->value, "state") : NULL;
	const struct yaml_node *disk = key ? yaml_get(key->value, "disk") : NULL;

	if (state)
		compare_state(model, state, bundle);
	if (disk)
		compare_disk(model, disk, bundle);
}
