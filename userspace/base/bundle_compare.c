// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bundle_compare.h"

#include <stdio.h>
#include <string.h>

#include "bundle_names.h"
#include "bundle_state.h"

static bool differ_count(const char *what, uint32_t a, uint32_t b, char *ret, size_t bytes)
{
	if (a == b)
		return false;
	snprintf(ret, bytes, "%s: %u there, %u here", what, a, b);
	return true;
}

static bool differ_name(const char *what, const char *a, const char *b, char *ret, size_t bytes)
{
	if (!strcmp(a, b))
		return false;
	snprintf(ret, bytes, "%s: %s there, %s here", what, a, b);
	return true;
}

static bool same_fields(const struct bundle_output *a, const struct bundle_output *b)
{
	if (a->field_count != b->field_count)
		return false;
	for (uint32_t i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i].name, b->fields[i].name) ||
		    a->fields[i].type != b->fields[i].type)
			return false;
	return true;
}

static bool same_outputs(const struct bundle_function *a, const struct bundle_function *b,
			 char *ret, size_t bytes)
{
	char what[64];

	snprintf(what, sizeof(what), "number of outputs of %s", b->instance);
	if (differ_count(what, a->output_count, b->output_count, ret, bytes))
		return false;
	for (uint32_t i = 0; i < a->output_count; i++) {
		snprintf(what, sizeof(what), "output %u of %s", i + 1, b->instance);
		if (differ_name(what, a->outputs[i].name, b->outputs[i].name, ret, bytes))
			return false;
		if (!same_fields(&a->outputs[i], &b->outputs[i])) {
			snprintf(ret, bytes, "output %s of %s has other fields", b->outputs[i].name,
				 b->instance);
			return false;
		}
	}
	return true;
}

static bool same_verdicts(const struct bundle_function *a, const struct bundle_function *b,
			  char *ret, size_t bytes)
{
	char what[64];

	snprintf(what, sizeof(what), "number of verdicts of %s", b->instance);
	if (differ_count(what, a->verdict_count, b->verdict_count, ret, bytes))
		return false;
	for (uint32_t i = 0; i < a->verdict_count; i++) {
		snprintf(what, sizeof(what), "verdict %u of %s", i + 1, b->instance);
		if (differ_name(what, a->verdicts[i].name, b->verdicts[i].name, ret, bytes))
			return false;
	}
	return true;
}

/* The disk knows which tables are on it: they do not change below a log. */
static bool differ_state(const struct bundle_function *a, const struct bundle_function *b,
			 char *ret, size_t bytes)
{
	if ((a->state_mode == STATE_DURABLE) == (b->state_mode == STATE_DURABLE))
		return false;
	snprintf(ret, bytes, "state of %s: %s there, %s here", b->instance,
		 bundle_state_mode_words[a->state_mode], bundle_state_mode_words[b->state_mode]);
	return true;
}

bool bundle_same_user_tier(const struct bundle *a, const struct bundle *b, char *ret, size_t bytes)
{
	if (differ_count("number of user functions", a->user_count, b->user_count, ret, bytes) ||
	    differ_count("number of sinks", a->sink_count, b->sink_count, ret, bytes))
		return false;
	for (uint32_t i = 0; i < a->user_count; i++)
		if (differ_name("user function", a->user[i].instance, b->user[i].instance, ret,
				bytes) ||
		    differ_state(&a->user[i], &b->user[i], ret, bytes) ||
		    !same_outputs(&a->user[i], &b->user[i], ret, bytes) ||
		    !same_verdicts(&a->user[i], &b->user[i], ret, bytes))
			return false;
	for (uint32_t i = 0; i < a->sink_count; i++) {
		if (differ_name("sink", a->sinks[i].name, b->sinks[i].name, ret, bytes))
			return false;
		if (a->sinks[i].kind != b->sinks[i].kind) {
			snprintf(ret, bytes, "sink %s is of another kind", b->sinks[i].name);
			return false;
		}
	}
	return true;
}

bool bundle_same_outputs(const struct bundle_function *a, const struct bundle_function *b)
{
	char ignored[256];

	return same_outputs(a, b, ignored, sizeof(ignored));
}

bool bundle_same_log(const struct bundle *a, const struct bundle *b, char *ret, size_t bytes)
{
	if (bundle_is_durable(a) != bundle_is_durable(b)) {
		snprintf(ret, bytes, "durable state: %s there, %s here",
			 bundle_is_durable(a) ? "some" : "none",
			 bundle_is_durable(b) ? "some" : "none");
		return false;
	}
	if (a->storage_bytes != b->storage_bytes) {
		snprintf(ret, bytes, "size of the storage: %llu bytes there, %llu here",
			 (unsigned long long)a->storage_bytes,
			 (unsigned long long)b->storage_bytes);
		return false;
	}
	return true;
}

uint32_t bundle_user_of(const struct bundle *bundle, const char *instance)
{
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (!strcmp(bundle->user[i].instance, instance))
			return i;
	return BUNDLE_NO_FUNCTION;
}

bool bundle_same_records(const struct bundle *a, const struct bundle *b)
{
	char ignored[256];

	if (!bundle_same_user_tier(a, b, ignored, sizeof(ignored)) ||
	    a->trigger_count != b->trigger_count || a->kernel_count != b->kernel_count ||
	    a->kernel_field_count != b->kernel_field_count ||
	    memcmp(a->kernel_fields, b->kernel_fields,
		   a->kernel_field_count * sizeof(a->kernel_fields[0])))
		return false;
	for (uint32_t i = 0; i < a->trigger_count; i++)
		if (a->triggers[i].id != b->triggers[i].id)
			return false;
	for (uint32_t i = 0; i < a->kernel_count; i++)
		if (strcmp(a->kernel[i].instance, b->kernel[i].instance) ||
		    !same_outputs(&a->kernel[i], &b->kernel[i], ignored, sizeof(ignored)))
			return false;
	return true;
}

static bool differ_fields(const struct bundle_function *a, const struct bundle_function *b,
			  char *ret, size_t bytes)
{
	const char *there, *here;

	if (bundle_state_same_fields(a, b, &there, &here))
		return false;
	snprintf(ret, bytes,
		 "the state has %s there and %s here, or it is of another type or at another "
		 "place, and its version is the same",
		 there, here);
	return true;
}

bool bundle_same_state(const struct bundle_function *a, const struct bundle_function *b, char *ret,
		       size_t bytes)
{
	if (differ_name("function", a->function, b->function, ret, bytes) ||
	    differ_count("has state", a->has_state, b->has_state, ret, bytes) ||
	    differ_count("version of the state", a->state_version, b->state_version, ret, bytes) ||
	    differ_count("bytes of the state", a->state_bytes, b->state_bytes, ret, bytes) ||
	    differ_count("has timers", a->has_timer, b->has_timer, ret, bytes) ||
	    differ_fields(a, b, ret, bytes) ||
	    differ_count("number of keys", a->state_keys, b->state_keys, ret, bytes) ||
	    differ_count("parts of the key", a->key_count, b->key_count, ret, bytes))
		return false;
	for (uint32_t i = 0; i < a->key_count; i++)
		if (differ_name("part of the key", bundle_key_part_name(a->key[i]),
				bundle_key_part_name(b->key[i]), ret, bytes))
			return false;
	return true;
}

enum bundle_state_fate bundle_state_fate(const struct bundle_function *a,
					 const struct bundle_function *b, char *ret, size_t bytes)
{
	char ignored[256];

	if (bundle_same_state(a, b, ret, bytes))
		return STATE_KEPT;
	if (strcmp(a->function, b->function) || !a->has_state || !b->has_state ||
	    a->key_count != b->key_count ||
	    memcmp(a->key, b->key, a->key_count * sizeof(a->key[0])))
		return STATE_NOT_KEPT;
	if (bundle_state_converted(a, b))
		return b->has_migrate ? STATE_MIGRATED : STATE_NOT_KEPT;
	return a->state_bytes == b->state_bytes && !differ_fields(a, b, ignored, sizeof(ignored))
		       ? STATE_MIGRATED
		       : STATE_NOT_KEPT;
}
