// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* limits: what a workflow may take. Sizes are those that are allocated ahead, so they are
 * compared here; outputs are counted by the courier. */
#include "workflow_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle_size.h"

static const struct key_rule limits_rules[] = {
	{"outputs", KEY_OPTIONAL, NULL}, {"state", KEY_OPTIONAL, NULL},
	{"disk", KEY_OPTIONAL, NULL},	 {"logs", KEY_LATER, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static void read_outputs(struct model *model, const struct yaml_node *node, struct bundle *bundle)
{
	const char *text = model_text(model, node, "`outputs`"), *per;
	char number[32] = "";
	struct value value;

	if (!text)
		return;
	per = strrchr(text, '/');
	if (per && !strcmp(per, "/s") && per - text < (int)sizeof(number))
		snprintf(number, sizeof(number), "%.*s", (int)(per - text), text);
	if (value_parse(PARAM_U64, number, &value) || value.integer < 1 ||
	    (uint64_t)value.integer > BUNDLE_OUTPUTS_MAX)
		model_complain(model, node,
			       "write records a second, such as 1000/s; 1/s to "
			       "1000000000/s",
			       "`outputs`: `%s` is no rate", text);
	else if (!bundle->sink_count)
		model_complain(model, node, "remove it, or make a sink",
			       "`outputs` limits what goes to sinks, and there is none");
	else
		bundle->limits.outputs_per_second = (uint64_t)value.integer;
}

static void read_state(struct model *model, const struct yaml_node *node, struct bundle *bundle)
{
	uint64_t need = bundle_state_bytes(bundle);

	model_bounded(model, node, "`state`", PARAM_BYTES, "4Ki", "1024Gi",
		      &bundle->limits.state_bytes);
	if (!model->failed && need > bundle->limits.state_bytes)
		model_complain(
			model, node, "raise it, or lower `keys` of user functions with state",
			"the states take %" PRIu64 " bytes, and may take %s", need, node->text);
}

static void read_disk(struct model *model, const struct yaml_node *node, struct bundle *bundle)
{
	uint64_t durable = bundle_disk_bytes(bundle), files = 0;
	uint64_t dead = bundle->entry_count ? SIZE_DEAD_LETTERS : 0;

	model_bounded(model, node, "`disk`", PARAM_BYTES, "4Ki", "1024Gi",
		      &bundle->limits.disk_bytes);
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
	if (!model->failed &&
	    (files > UINT64_MAX / 2 || durable + dead + files > bundle->limits.disk_bytes))
		model_complain(model, node,
			       "raise it, or lower `storage`, `keys`, or `rotate` and `keep` of "
			       "sinks",
			       "durable state takes %" PRIu64 " bytes, dead letters %" PRIu64
			       " and files of sinks %" PRIu64 ", and together they may take %s",
			       durable, dead, files, node->text);
}

void model_read_limits(struct model *model, const struct yaml_node *key, struct bundle *bundle)
{
	const struct yaml_node *outputs, *state, *disk;

	if (!key || !model_keys(model, key->value, key, "`limits`", limits_rules))
		return;
	outputs = yaml_get(key->value, "outputs");
	state = yaml_get(key->value, "state");
	disk = yaml_get(key->value, "disk");
	if (outputs)
		read_outputs(model, outputs, bundle);
	if (state)
		read_state(model, state, bundle);
	if (disk)
		read_disk(model, disk, bundle);
}
