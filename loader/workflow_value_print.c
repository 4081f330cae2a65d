// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Values as people write them: the other direction of value_parse(). */
#include "workflow_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ebpf_faas/event.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
	{"ms", 1000000},       {"us", 1000},	     {"ns", 1},
};

static const struct unit sizes[] = {
	{"Gi", 1ull << 30}, {"Mi", 1ull << 20}, {"Ki", 1ull << 10}, {"", 1}};

/* By the largest unit that divides it. */
static void print_scaled(uint64_t number, const struct unit *units, char *ret, size_t bytes)
{
	while (units->factor > 1 && (!number || number % units->factor))
		units++;
	snprintf(ret, bytes, "%" PRIu64 "%s", number / units->factor, units->name);
}

static void print_decimal(int64_t number, char *ret, size_t bytes)
{
	/* The most negative number has no counterpart: unsigned has room for it. */
	uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t chars;

	snprintf(ret, bytes, "%s%" PRIu64 ".%06" PRIu64, number < 0 ? "-" : "",
		 size / FAAS_DECIMAL_ONE, size % FAAS_DECIMAL_ONE);
	chars = strlen(ret);
	while (chars && ret[chars - 1] == '0')
		ret[--chars] = '\0';
	if (chars && ret[chars - 1] == '.')
		ret[--chars] = '\0';
}

void value_print(enum bundle_param_type type, const struct value *value, char *ret, size_t bytes)
{
	switch (type) {
	case PARAM_U32:
	case PARAM_U64:
	case PARAM_CHOICE:
	case PARAM_SET:
	case PARAM_FILE:
	case PARAM_TRIGGER:
	case PARAM_LAYOUT:
		snprintf(ret, bytes, "%" PRIu64, (uint64_t)value->integer);
		return;
	case PARAM_S64:
		snprintf(ret, bytes, "%" PRId64, value->integer);
		return;
	case PARAM_BOOL:
		snprintf(ret, bytes, "%s", value->integer ? "true" : "false");
		return;
	case PARAM_DURATION:
		print_scaled((uint64_t)value->integer, durations, ret, bytes);
		return;
	case PARAM_BYTES:
		print_scaled((uint64_t)value->integer, sizes, ret, bytes);
		return;
	case PARAM_DECIMAL:
		print_decimal(value->integer, ret, bytes);
		return;
	case PARAM_F64:
		snprintf(ret, bytes, "%.17g", value->real);
		return;
	}
}
