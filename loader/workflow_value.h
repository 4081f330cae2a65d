/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Values as people write them in workflows and functions in their declarations:
 * 500ms, 64Mi, -0.5, 5005. Exact: no value is rounded.
 */
#ifndef FAAS_LOADER_WORKFLOW_VALUE_H
#define FAAS_LOADER_WORKFLOW_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"

struct value {
	int64_t integer; /* as in struct bundle_param */
	double real;
};

/**
 * Read a number of any type but those that have words, names or lists for values. 0, or with *ret
 * untouched: -EINVAL (not written as this type is), -ERANGE (the type does not
 * reach that far), -EDOM (finer than the type can tell).
 */
int value_parse(enum bundle_param_type type, const char *text, struct value *ret)
	__attribute__((warn_unused_result));

/* How values of the type are written, for messages: "a duration such as 500ms". */
const char *value_example(enum bundle_param_type type);

/* What @p error of value_parse() means: "is not ...", to follow the value. */
void value_explain(enum bundle_param_type type, int error, char *ret, size_t bytes);

/* The value as people write it, such that value_parse() reads the same. Of types
 * without value_parse(), the number. */
void value_print(enum bundle_param_type type, const struct value *value, char *ret, size_t bytes);

/* Below 0, 0 or above 0, as a is smaller than, equal to or larger than b. */
int value_compare(enum bundle_param_type type, const struct value *a, const struct value *b);

#endif
