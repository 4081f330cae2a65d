/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A workflow while it is being checked: shared by the workflow_*.c files only.
 * Parts keep the YAML node they come from, so that later checks can point at it.
 * A part that is wrong is marked and left out of checks that would only repeat
 * its mistake.
 */
#ifndef FAAS_LOADER_WORKFLOW_MODEL_H
#define FAAS_LOADER_WORKFLOW_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "workflow.h"
#include "yaml.h"

#define MODEL_FUNCTIONS_MAX (FAAS_KERNEL_FUNCTIONS_MAX + FAAS_USER_FUNCTIONS_MAX)

enum link_kind {
	LINK_BROKEN, /* leads nowhere; has been said */
	LINK_FUNCTION,
	LINK_SINK,
	LINK_VERDICT,
};

/* A target, as the file has it. */
struct link {
	enum link_kind kind;
	uint32_t index; /* function, sink, or enum bundle_verdict */
	const struct yaml_node *node;
	uint32_t redirect; /* VERDICT_REDIRECT: index in the redirects of the bundle */
	/* Set when the bundle is put together: its entry, if it leaves the kernel. */
	uint32_t entry;
};

struct model_output {
	const struct yaml_node *key; /* NULL: not mapped */
	struct link links[FAAS_OUTPUT_TARGETS_MAX];
	uint32_t link_count;
};

struct model_trigger {
	const struct yaml_node *key;
	const struct yaml_node *interfaces[FAAS_TRIGGER_INTERFACES_MAX];
	struct bundle_trigger result;
	struct link links[FAAS_TRIGGER_TARGETS_MAX];
	uint32_t link_count;
};

/* A trigger of time. */
struct model_timer {
	const struct yaml_node *key;
	const struct yaml_node *to; /* the function's name; NULL: has been said to be wrong */
	uint32_t function;
	struct bundle_timer result;
};

struct model_function {
	const struct yaml_node *key;  /* the instance's name */
	const struct yaml_node *body; /* a mapping, or NULL */
	enum function_tier tier;
	bool tier_known;
	const char *library_name;  /* of the function in the library */
	struct function *declared; /* owned; NULL: unknown */
	bool unusable;		   /* it is there, and does not compile or declares nonsense */
	struct bundle_param params[FAAS_PARAMS_MAX]; /* as declared */
	/* As declared; in the order of the file when nothing is known. */
	struct model_output outputs[FAAS_OUTPUTS_MAX];
	uint32_t output_count;
	const struct yaml_node *verdict_nodes[FAAS_VERDICTS_MAX]; /* as declared; NULL: not led */
	const struct yaml_node *key_node;			  /* of `key`, NULL without one */
	enum bundle_key_part event_key[FAAS_KEY_PARTS_MAX];
	uint32_t event_key_count;
	bool key_broken;
	bool observe;
	bool has_state;
	enum bundle_state_mode state_mode;
	uint32_t state_keys;
	uint64_t timeout_ns;
	struct bundle_exec exec; /* no arguments: it is no program */
	struct faas_layout layout;
	bool layout_broken; /* fields of its outputs are not known */
	bool reached;
	uint32_t result_index; /* in bundle.kernel or bundle.user */
};

struct model_sink {
	const struct yaml_node *key;
	struct bundle_sink result;
	bool reached;
};

struct model {
	struct yaml_document *document;
	const struct workflow_options *options;
	struct diags *diags;
	const char *place;  /* the workflow file; paths in it begin at its directory */
	struct bundle head; /* what stands in no list: name, version, ... */
	struct model_trigger triggers[FAAS_TRIGGERS_MAX];
	uint32_t trigger_count;
	struct model_timer timers[FAAS_TIMERS_MAX];
	uint32_t timer_count;
	struct model_function functions[MODEL_FUNCTIONS_MAX];
	uint32_t function_count;
	struct workflow_data data[FAAS_DATA_FILES_MAX];
	uint32_t data_count;
	struct model_sink sinks[FAAS_SINKS_MAX];
	uint32_t sink_count;
	const struct yaml_node *functions_key;
	const struct yaml_node *overload_key; /* where something other than the default is */
	/* Functions, each after all that lead to it. */
	uint32_t order[MODEL_FUNCTIONS_MAX];
	bool failed;
	bool links_broken; /* something leads nowhere, so it is not known what is reached */
};

/* ---- workflow_check.c: what all checks use ---- */

/* Report a mistake at @p node. @p advice may be NULL. */
void model_complain(struct model *model, const struct yaml_node *node, const char *advice,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

enum key_need {
	KEY_OPTIONAL,
	KEY_REQUIRED,
	KEY_LATER, /* the language has it, this version does not */
};

struct key_rule {
	const char *name;
	enum key_need need;
	/* KEY_REQUIRED: how it is written. KEY_LATER: what to do instead. */
	const char *advice;
};

/* Check that @p node is a mapping with the keys of @p rules, which end with a NULL
 * name. @p place is where a missing key is reported, @p what names the mapping
 * ("trigger sensors"). False if it is no mapping. */
bool model_keys(struct model *model, const struct yaml_node *node, const struct yaml_node *place,
		const char *what, const struct key_rule *rules);

/* Report that @p what is of the language, but not of this version. */
void model_later(struct model *model, const struct yaml_node *node, const char *advice,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The text of a scalar, or NULL with a diagnostic. @p what names it. */
const char *model_text(struct model *model, const struct yaml_node *node, const char *what);

/* Which of @p words the scalar is, or -1 with a diagnostic. Words in @p later (may
 * be NULL) are refused as not built yet. */
int model_word(struct model *model, const struct yaml_node *node, const char *what,
	       const char *const words[], const char *const later[]);

/* A number of a type, within @p min and @p max. False with a diagnostic. */
bool model_number(struct model *model, const struct yaml_node *node, const char *what,
		  enum bundle_param_type type, uint64_t min, uint64_t max, uint64_t *ret);

/* A number whose bounds people write with units; *ret stays when it is not within
 * them, which is said. */
void model_bounded(struct model *model, const struct yaml_node *node, const char *what,
		   enum bundle_param_type type, const char *min_text, const char *max_text,
		   uint64_t *ret);

/* A name of a trigger, function or sink; complains and returns false if it is none. */
bool model_name(struct model *model, const struct yaml_node *key, const char *what);

/* Where one thing or a list of things may stand: the things. */
const struct yaml_node *model_first_item(const struct yaml_node *node);
const struct yaml_node *model_next_item(const struct yaml_node *node, const struct yaml_node *item);
#define model_for_each_item(item, node)                                                            \
	for (const struct yaml_node *item = model_first_item(node); item;                          \
	     item = model_next_item(node, item))

/* Parts of a key as text: "source_address, vlan"; "none". */
void model_key_text(const enum bundle_key_part *key, uint32_t count, char *ret, size_t bytes);

/* ---- one file each ---- */

/* workflow_set.c: apply the overrides of the options. False if one is wrong, so the
 * tree is not what was meant. */
bool model_apply_sets(struct model *model, struct yaml_node *root);

/* workflow_functions.c: names and declarations first, so that what leads to a
 * function can be resolved; then the rest. */
void model_declare_functions(struct model *model, const struct yaml_node *key,
			     const struct yaml_node *node);
void model_read_functions(struct model *model);

/* workflow_exec.c: a function that is a program, and what it has instead of a source; or
 * that one is none. */
void model_declare_exec(struct model *model, struct model_function *function);
void model_refuse_exec_keys(struct model *model, const struct model_function *function);

/* workflow_exec_params.c: what parameters it has. */
void model_declare_params(struct model *model, struct model_function *function);

/* workflow_verdicts.c: where the verdicts of a user function lead; and, when its key
 * is known, whether they are about what the kernel function looks up. */
void model_read_verdicts(struct model *model, struct model_function *function);
void model_check_verdicts(struct model *model, const struct model_function *function);
struct model_function *model_find_function(struct model *model, const char *name);

/* workflow_params.c */
void model_read_params(struct model *model, struct model_function *function);

/* workflow_layout.c: the value of a layout parameter, which also gives outputs of the
 * instance their fields. */
void model_read_layout(struct model *model, struct model_function *function,
		       const struct function_param *declared, const struct yaml_node *node,
		       struct bundle_param *ret);

/* workflow_sinks.c */
void model_read_sinks(struct model *model, const struct yaml_node *node);

/* workflow_links.c: resolve one more target of a list; @p from names the place it starts from. Says
 * what is wrong, also together with the others. */
struct link_list {
	struct link *links;
	uint32_t max;
	uint32_t *count;
};
void model_add_link(struct model *model, const struct link_list *list, const char *from,
		    bool from_kernel, const struct yaml_node *node);

/* workflow_match.c: the value of `match` at @p key. */
void model_read_match(struct model *model, const struct yaml_node *key, struct bundle_match *ret);

/* workflow_limits.c: `limits` at @p key, may be NULL, behind sinks and functions; and, when
 * there is no mistake, against what the workflow takes. */
void model_read_limits(struct model *model, const struct yaml_node *key);
void model_compare_limits(struct model *model, const struct yaml_node *key,
			  const struct bundle *bundle);

/* workflow_overload.c: `overload` and `on_failure` of the workflow @p root, behind its
 * triggers and workers. */
void model_read_retry(struct model *model, const struct yaml_node *key);
void model_read_overload(struct model *model, const struct yaml_node *root);

/* workflow_timers.c: a trigger that is one of time; and what timers may not have
 * in common with triggers. */
void model_read_timer(struct model *model, const struct yaml_node *key);
void model_compare_timers(struct model *model);

/* workflow_triggers.c */
void model_read_triggers(struct model *model, const struct yaml_node *node);

/* workflow_graph.c: order, cycles, tiers, what is reached. False if there is a
 * cycle, so no order. */
bool model_check_graph(struct model *model);

/* workflow_events.c: what events carry: keys and fields. Needs the order. */
void model_check_events(struct model *model);

/* workflow_result.c: the bundle. */
void model_result(struct model *model, struct workflow *ret);

#endif
