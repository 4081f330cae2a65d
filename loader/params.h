/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parameters that change while a workflow runs: the variables of its map `params`,
 * which its programs read for each packet. BTF says where each lies, by the name
 * INSTANCE__PARAM. Every change is one aligned store, so a program sees the old
 * value or the new one.
 */
#ifndef FAAS_LOADER_PARAMS_H
#define FAAS_LOADER_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "bundle.h"
#include "diag.h"

struct bpf_object;
struct btf;

/* The values of a loaded workflow, mapped. */
struct params {
	struct btf *btf;
	uint32_t section; /* BTF type of the map's value */
	void *values;
	size_t bytes;
};

/* The values of the running generation. 0, -ENOENT without a diagnostic if the
 * workflow has none, or -1 with one. */
int params_open(const char *workflow, struct params *ret, struct diags *diags)
	__attribute__((warn_unused_result));
void params_close(struct params *params);

/* Read or change a value, as struct bundle_param has it. 0, or -ENOENT: the map has
 * no such variable. */
int params_get(const struct params *params, const char *instance, const struct bundle_param *param,
	       int64_t *ret) __attribute__((warn_unused_result));
int params_put(const struct params *params, const char *instance, const struct bundle_param *param,
	       int64_t value) __attribute__((warn_unused_result));

/* What is not as the running generation @p bundle says, because it was changed: an array
 * of {function, param, value, file}, as text; `file` is what the bundle says.
 * Returns-owned. */
json_t *params_changed(const struct bundle *bundle);
/* Change the same again. 0, or -errno: one of them is none of the bundle's. */
int params_put_back(const struct bundle *bundle, const json_t *changed)
	__attribute__((warn_unused_result));

/* Whether a value is one that the function allows. */
bool params_in_range(const struct bundle_param *param, int64_t number);

/**
 * @brief Keep over an update what was changed while the workflow ran.
 *
 * @param running The generation that is pinned; its values are read now, so hold
 *                the host's lock until the switch.
 * @param next    The generation that @p object was loaded from. Its first values
 *                stay where the running one's were never changed, or where function,
 *                parameter or type are not the same.
 * @return 0, or -1 with a diagnostic: a changed value is out of the range that the
 * new version allows.
 */
int params_carry(const struct bundle *running, const struct bundle *next, struct bpf_object *object,
		 struct diags *diags) __attribute__((warn_unused_result));

#endif
