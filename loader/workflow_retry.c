// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* retry: how often an event is tried whose function fails. */
#include "workflow_model.h"

#include <string.h>

static const struct key_rule retry_rules[] = {
	{"attempts", KEY_OPTIONAL, NULL},
	{"backoff", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

/* "100ms..10s", or one duration. */
static void read_backoff(struct model *model, const struct yaml_node *node)
{
	struct bundle *head = &model->head;
	const char *text = model_text(model, node, "`backoff`");
	const char *dots = text ? strstr(text, "..") : NULL;
	struct yaml_node first = *node, last = *node;
	uint64_t shortest = 0, longest = 0; /* 0: not read */
	char parts[2][32];

	if (!text)
		return;
	if (!dots) {
		model_bounded(model, node, "`backoff`", PARAM_DURATION, "1ms", "1h",
			      &head->retry_backoff_min_ns);
		head->retry_backoff_max_ns = head->retry_backoff_min_ns;
		return;
	}
	snprintf(parts[0], sizeof(parts[0]), "%.*s", (int)(dots - text), text);
	snprintf(parts[1], sizeof(parts[1]), "%s", dots + 2);
	first.text = parts[0];
	last.text = parts[1];
	model_bounded(model, &first, "`backoff`", PARAM_DURATION, "1ms", "1h", &shortest);
	model_bounded(model, &last, "`backoff`", PARAM_DURATION, "1ms", "1h", &longest);
	head->retry_backoff_min_ns = shortest;
	head->retry_backoff_max_ns = longest;
	if (shortest && longest && longest < shortest)
		model_complain(model, node, "write the shorter one first",
			       "`backoff`: %s is longer than %s", parts[0], parts[1]);
}

void model_read_retry(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *attempts, *backoff;
	uint64_t count = BUNDLE_RETRY_ATTEMPTS_DEFAULT;

	if (!key || !model_keys(model, key->value, key, "`retry`", retry_rules))
		return;
	attempts = yaml_get(key->value, "attempts");
	backoff = yaml_get(key->value, "backoff");
	model->head.retry_backoff_min_ns = 100000000;
	model->head.retry_backoff_max_ns = 10000000000;
	if (attempts)
		model_number(model, attempts, "`attempts`", PARAM_U32, 1, BUNDLE_RETRY_ATTEMPTS_MAX,
			     &count);
	if (backoff)
		read_backoff(model, backoff);
	model->head.retry_attempts = (uint32_t)count;
}
