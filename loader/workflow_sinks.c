// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sinks: where results go. */
#include "workflow_model.h"

#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"

static const struct key_rule sink_rules[] = {
	{"udp", KEY_OPTIONAL, NULL},
	{"file", KEY_OPTIONAL, NULL},
	{"mqtt", KEY_LATER, "use a udp or file sink"},
	{"http", KEY_LATER, "use a udp or file sink"},
	{"interface", KEY_LATER, "use a udp or file sink"},
	{"spool", KEY_LATER, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule udp_rules[] = {
	{"to", KEY_REQUIRED, "write `to: \"ADDRESS:PORT\"`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule file_rules[] = {
	{"path", KEY_REQUIRED, "write `path: /DIRECTORY/FILE`"},
	{"rotate", KEY_OPTIONAL, NULL},
	{"keep", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

/* "192.0.2.1:5005" or "[2001:db8::1]:5005". */
static bool split_address(const char *text, char *ret_host, size_t bytes, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	const char *host = text + bracketed;
	struct value port;
	size_t chars;

	if (!colon || value_parse(PARAM_U32, colon + 1, &port) || port.integer < 1 ||
	    port.integer >= FAAS_PORTS)
		return false;
	chars = (size_t)(colon - host);
	if (bracketed) {
		if (colon == text || colon[-1] != ']')
			return false;
		chars--;
	}
	if (!chars || chars >= bytes)
		return false;
	memcpy(ret_host, host, chars);
	ret_host[chars] = '\0';
	*ret_port = (uint16_t)port.integer;
	/* Brackets are for IPv6, and IPv6 needs them: its colons end nowhere. */
	return bundle_host_valid(ret_host) && bracketed == (strchr(ret_host, ':') != NULL);
}

static void read_udp(struct model *model, const struct yaml_node *key, struct bundle_sink *ret)
{
	const struct yaml_node *to;
	const char *text;

	ret->kind = SINK_UDP;
	if (!model_keys(model, key->value, key, "`udp`", udp_rules))
		return;
	to = yaml_get(key->value, "to");
	text = to ? model_text(model, to, "`to`") : NULL;
	if (text && !split_address(text, ret->host, sizeof(ret->host), &ret->port))
		model_complain(model, to,
			       "write a numeric address and a port in quotes, as in "
			       "\"192.0.2.1:5005\" or \"[2001:db8::1]:5005\"",
			       "`to`: `%s` is not ADDRESS:PORT", text);
}

static void read_path(struct model *model, const struct yaml_node *node, struct model_sink *sink)
{
	const char *text = model_text(model, node, "`path`");

	if (!text)
		return;
	if (text[0] != '/' || text[strlen(text) - 1] == '/') {
		model_complain(model, node, "write the whole path of a file, from / on",
			       "`path`: `%s` is not the absolute path of a file", text);
		return;
	}
	if (strlen(text) >= sizeof(sink->result.path)) {
		model_complain(model, node, NULL, "`path` is longer than %d bytes",
			       FAAS_PATH_BYTES - 1);
		return;
	}
	snprintf(sink->result.path, sizeof(sink->result.path), "%s", text);
	for (const struct model_sink *other = model->sinks; other < sink; other++)
		if (!strcmp(other->result.path, text))
			model_complain(model, node, "lead both outputs to one sink",
				       "sink %s writes to this file already", other->key->text);
}

static void read_file(struct model *model, const struct yaml_node *key, struct model_sink *sink)
{
	const struct yaml_node *path, *rotate, *keep;
	uint64_t count = 0;

	sink->result.kind = SINK_FILE;
	if (!model_keys(model, key->value, key, "`file`", file_rules))
		return;
	path = yaml_get(key->value, "path");
	rotate = yaml_get(key->value, "rotate");
	keep = yaml_get(key->value, "keep");
	if (path)
		read_path(model, path, sink);
	if (rotate)
		model_number(model, rotate, "`rotate`", PARAM_BYTES, 0, INT64_MAX,
			     &sink->result.rotate_bytes);
	if (keep && model_number(model, keep, "`keep`", PARAM_U32, 0, FAAS_SINK_KEEP_MAX, &count)) {
		sink->result.keep = (uint32_t)count;
		if (count && !rotate)
			model_complain(model, keep, "add `rotate: 64Mi`, or remove `keep`",
				       "`keep` counts rotated files, and nothing is rotated");
	}
}

static void read_sink(struct model *model, struct model_sink *sink)
{
	const struct yaml_node *key = sink->key, *udp, *file;
	char what[FAAS_NAME_BYTES + 16];

	snprintf(what, sizeof(what), "sink %.*s", FAAS_NAME_BYTES, key->text);
	if (!model_keys(model, key->value, key, what, sink_rules))
		return;
	udp = yaml_key(key->value, "udp");
	file = yaml_key(key->value, "file");
	if (udp && file)
		model_complain(model, file, "make two sinks", "%s: `udp` and `file`", what);
	else if (udp)
		read_udp(model, udp, &sink->result);
	else if (file)
		read_file(model, file, sink);
	else if (!yaml_key(key->value, "mqtt") && !yaml_key(key->value, "http") &&
		 !yaml_key(key->value, "interface"))
		model_complain(model, key, "write `udp:` or `file:` below it",
			       "%s: it does not say where records go", what);
}

void model_read_sinks(struct model *model, const struct yaml_node *node)
{
	if (!node || yaml_is_null(node))
		return;
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write `NAME:` lines below it, indented",
			       "`sinks` must be a mapping, not %s", yaml_kind_name(node));
		return;
	}
	yaml_for_each (key, node) {
		struct model_sink *sink;

		if (model->sink_count == FAAS_SINKS_MAX) {
			model_complain(model, key, "split the workflow", "more than %d sinks",
				       FAAS_SINKS_MAX);
			model->links_broken = true;
			return;
		}
		sink = &model->sinks[model->sink_count++];
		sink->key = key;
		if (model_name(model, key, "sink")) {
			snprintf(sink->result.name, sizeof(sink->result.name), "%s", key->text);
			if (bundle_word(bundle_verdict_words, key->text) >= 0 ||
			    !strcmp(key->text, "redirect"))
				model_complain(
					model, key, "choose another name",
					"`%s` is a verdict, and cannot be the name of a sink",
					key->text);
		}
		for (uint32_t i = 0; i < model->function_count; i++)
			if (!strcmp(model->functions[i].key->text, key->text))
				model_complain(model, key, "rename one of them",
					       "`%s` is a function already", key->text);
		read_sink(model, sink);
	}
}
