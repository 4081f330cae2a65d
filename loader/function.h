/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function of the library: what it declares about itself, and where its object
 * lies. Declarations are read from section .faas.meta of the object (formats in
 * ebpf_faas/describe.h); no code of the function runs for that.
 */
#ifndef FAAS_LOADER_FUNCTION_H
#define FAAS_LOADER_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "workflow_value.h"

enum function_tier { TIER_KERNEL, TIER_USER };

struct function_param {
	char name[FAAS_IDENTIFIER_BYTES];
	enum bundle_param_type type;
	bool required;	 /* no default */
	bool changeable; /* while the workflow runs */
	bool has_min, has_max;
	struct value default_value, min, max;
	/* As the source writes them, for people. */
	char default_text[FAAS_VALUE_BYTES], min_text[64], max_text[64];
	char doc[FAAS_DOC_BYTES];
	char choices[FAAS_CHOICES_MAX][FAAS_IDENTIFIER_BYTES];
	uint32_t choice_count;
};

struct function_output {
	char name[FAAS_IDENTIFIER_BYTES];
	char doc[FAAS_DOC_BYTES];
	struct bundle_field fields[FAAS_FIELDS_MAX];
	char field_docs[FAAS_FIELDS_MAX][FAAS_DOC_BYTES];
	uint32_t field_count;
	bool is_laid_out;      /* further fields are those of a layout */
	uint32_t layout_param; /* whose value it is */
};

struct function_map {
	char name[FAAS_IDENTIFIER_BYTES];
	bool is_sized, is_filled;
	bool takes_verdicts;
	uint32_t key_param;  /* with takes_verdicts: the set that its keys are made of */
	uint32_t size_param; /* whose value is its size */
	uint32_t file_param; /* that names the file it is filled from */
};

struct function_verdict {
	char name[FAAS_IDENTIFIER_BYTES];
	char doc[FAAS_DOC_BYTES];
};

struct function_input {
	char name[FAAS_IDENTIFIER_BYTES];
	char doc[FAAS_DOC_BYTES];
	bool optional; /* no function need set it */
};

struct function {
	char name[FAAS_IDENTIFIER_BYTES];
	enum function_tier tier;
	char object[FAAS_PATH_BYTES];
	char source[FAAS_PATH_BYTES]; /* "": there is only the object */
	char doc[FAAS_DOC_BYTES];
	struct function_param params[FAAS_PARAMS_MAX];
	uint32_t param_count;
	struct function_output outputs[FAAS_OUTPUTS_MAX];
	uint32_t output_count;
	/* Kernel functions. */
	struct function_map maps[FAAS_STATE_MAPS_MAX];
	uint32_t map_count;
	/* User functions. */
	struct function_input inputs[FAAS_INPUTS_MAX];
	uint32_t input_count;
	bool has_state;
	uint32_t state_bytes;
	uint32_t state_version;
	bool has_timer;	  /* it has faas_on_timer */
	bool has_batch;	  /* it has faas_on_batch in the place of faas_on_event */
	bool has_migrate; /* it has faas_on_migrate */
	struct function_verdict verdicts[FAAS_VERDICTS_MAX];
	uint32_t verdict_count;
	/* Its members, from the debug information; none without. */
	struct bundle_state_field state_fields[FAAS_STATE_FIELDS_MAX];
	uint32_t state_field_count;
};

const char *function_tier_name(enum function_tier tier);

/**
 * @brief Read declarations.
 *
 * @param text  What stands in .faas.meta: NUL-terminated texts. May come from
 *              anybody.
 * @param place File name for diagnostics.
 * @param ret   Name and paths stay as they are; the rest is filled, on success
 *              only. state_bytes is left to the caller.
 * @return 0, or -1 with at least one diagnostic.
 */
int function_describe(const char *text, size_t bytes, enum function_tier tier, const char *place,
		      struct function *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Read an object: its declarations, and that it is what its tier needs. As
 * function_describe(), state_bytes included; what is wrong is told of ret->source
 * if there is one. */
int function_read_object(const char *path, enum function_tier tier, struct function *ret,
			 struct diags *diags) __attribute__((warn_unused_result));

#define FUNCTION_DIRECTORIES_MAX 20

/* Where functions are looked for: DIR/NAME/NAME.bpf.c and the like, in the first
 * directory that has it. */
struct function_library {
	const char *directories[FUNCTION_DIRECTORIES_MAX]; /* borrowed */
	unsigned int count;
	/* Functions without an up-to-date object are compiled into this one,
	 * which exists and is the caller's. Borrowed. */
	const char *build_directory;
};

/**
 * @brief Find a function, compile it if need be, and read what it declares.
 *
 * @return 0; -ENOENT, without a diagnostic, if no directory has it in this tier;
 * -EINVAL with diagnostics if it does not compile or declares nonsense. *ret is
 * untouched unless 0. Blocks while a compiler runs.
 */
int function_find(const struct function_library *library, enum function_tier tier, const char *name,
		  struct function *ret, struct diags *diags) __attribute__((warn_unused_result));

struct function_name {
	char name[FAAS_IDENTIFIER_BYTES];
	enum function_tier tier;
};

#define FUNCTION_NAMES_MAX 1024

/* What the directories have, in alphabetical order, kernel tier first, each once.
 * Returns-owned list, free(); *ret_count of at most FUNCTION_NAMES_MAX. 0 or
 * -ENOMEM. Directories that cannot be read count as empty. */
int function_list(const struct function_library *library, struct function_name **ret,
		  unsigned int *ret_count) __attribute__((warn_unused_result));

#endif
