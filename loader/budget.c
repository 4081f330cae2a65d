// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "budget.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_BYTES (1u << 20)
#define LISTED_MAX 8	 /* functions in a message */
#define LOG_STATISTICS 4 /* BPF_LOG_STATS of the kernel: not in its user headers */

/* What came of an attempt. */
enum outcome {
	OUTCOME_FITS,
	OUTCOME_STACK,	  /* more than 512 bytes */
	OUTCOME_TOO_LONG, /* too many instructions or jumps to verify */
	OUTCOME_MAPS,	  /* more maps than a program may use */
	OUTCOME_REFUSED,  /* for another reason */
	OUTCOME_UNKNOWN,  /* nobody could be asked */
	OUTCOME_FAILED,	  /* it was not even built, and that has been said */
};

struct cost {
	enum outcome outcome;
	unsigned int instructions; /* that the verifier looked at */
	unsigned int stack_bytes;
	unsigned int maps;
};

struct budget {
	const char (*objects)[FAAS_PATH_BYTES];
	enum fuse_linker linker;
	const char *scratch;
	const char *output;
	struct bundle *bundle;
	struct cost costs[FAAS_KERNEL_FUNCTIONS_MAX]; /* of each alone */
	bool measured;
};

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* ---- one attempt ---- */

static enum outcome read_failure(const char *log, int error)
{
	static const struct {
		const char *text;
		enum outcome outcome;
	} signs[] = {
		{"Too large", OUTCOME_STACK}, /* combined stack size */
		{"stack R10 off=-", OUTCOME_STACK},
		{"stack of 512 bytes", OUTCOME_STACK},
		{"BPF program is too large", OUTCOME_TOO_LONG},
		{"jumps is too complex", OUTCOME_TOO_LONG},
		{"number of maps", OUTCOME_MAPS},
	};

	if (error == -EPERM)
		return OUTCOME_UNKNOWN;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strstr(log, signs[i].text))
			return signs[i].outcome;
	return error == -E2BIG ? OUTCOME_TOO_LONG : OUTCOME_REFUSED;
}

/* The verifier's statistics: "processed N insns", "stack depth A+B+...". */
static void read_statistics(const char *log, struct cost *ret)
{
	const char *processed = strstr(log, "processed "), *stack = strstr(log, "stack depth ");
	unsigned int instructions = 0;

	if (processed && sscanf(processed, "processed %u", &instructions) == 1 &&
	    instructions > ret->instructions)
		ret->instructions = instructions;
	if (stack && sscanf(stack, "stack depth %u", &instructions) == 1 &&
	    instructions > ret->stack_bytes)
		ret->stack_bytes = instructions;
}

/* Ask the verifier about an object. */
static void verify(const char *path, struct cost *ret)
{
	char *logs[2] = {calloc(1, LOG_BYTES), calloc(1, LOG_BYTES)};
	struct bpf_object *object = NULL;
	struct bpf_program *program;
	struct bpf_map *map;
	unsigned int count = 0;
	int error;

	ret->outcome = OUTCOME_REFUSED;
	if (!logs[0] || !logs[1])
		goto cleanup;
	libbpf_set_print(silent);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		goto cleanup;
	bpf_object__for_each_map(map, object) ret->maps++;
	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_log_buf(program, logs[count++ % 2], LOG_BYTES);
		bpf_program__set_log_level(program, LOG_STATISTICS);
	}
	error = bpf_object__load(object);
	for (unsigned int i = 0; i < 2; i++) {
		read_statistics(logs[i], ret);
		if (error && logs[i][0])
			ret->outcome = read_failure(logs[i], error);
	}
	if (!error)
		ret->outcome = OUTCOME_FITS;
	else if (!logs[0][0] && !logs[1][0])
		ret->outcome = read_failure("", error);
cleanup:
	bpf_object__close(object);
	free(logs[0]);
	free(logs[1]);
}

/* Build, and have it verified if anybody may. */
static struct cost attempt(const struct budget *budget, const char (*objects)[FAAS_PATH_BYTES],
			   struct bundle *bundle, const char *output, struct diags *diags)
{
	struct cost cost = {.outcome = OUTCOME_FAILED};
	struct diags *own = calloc(1, sizeof(*own));

	if (!own) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return cost;
	}
	if (!fuse_object(objects, budget->linker, budget->scratch, output, bundle, own)) {
		if (geteuid())
			cost.outcome = OUTCOME_UNKNOWN;
		else
			verify(output, &cost);
	} else if (own->count && strstr(own->list[0].cause, "BPF stack limit")) {
		cost.outcome = OUTCOME_STACK; /* the compiler has seen it first */
		cost.stack_bytes = 512;
	} else if (own->count && strstr(own->list[0].cause, "more than 64 maps")) {
		cost.outcome = OUTCOME_MAPS;
	} else {
		*diags = *own;
	}
	free(own);
	return cost;
}

/* ---- what each function costs ---- */

/* A bundle of one function, all of whose outputs pass. */
static void isolate(const struct bundle *bundle, uint32_t index, struct bundle *ret)
{
	struct bundle_function *function = &ret->kernel[0];

	snprintf(ret->name, sizeof(ret->name), "alone");
	*function = bundle->kernel[index];
	function->separate = false;
	function->map_count = 0;
	for (uint32_t i = 0; i < function->output_count; i++)
		function->outputs[i].target_count = 0;
	ret->kernel_count = 1;
	for (uint32_t i = 0; i < bundle->kernel_field_count; i++)
		if (bundle->kernel_fields[i].kernel_function == index) {
			ret->kernel_fields[ret->kernel_field_count] = bundle->kernel_fields[i];
			ret->kernel_fields[ret->kernel_field_count++].kernel_function = 0;
		}
	ret->triggers[0] = bundle->triggers[0];
	ret->triggers[0].targets[0] =
		(struct bundle_target){.kind = TARGET_KERNEL, .entry = BUNDLE_NO_ENTRY};
	ret->triggers[0].target_count = 1;
	ret->trigger_count = 1;
}

static int measure_one(struct budget *budget, uint32_t index, struct diags *diags)
{
	struct bundle *alone = calloc(1, sizeof(*alone));
	struct cost *cost = &budget->costs[index];
	char output[FAAS_PATH_BYTES];

	if (!alone)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	snprintf(output, sizeof(output), "%s/alone.bpf.o", budget->scratch);
	isolate(budget->bundle, index, alone);
	*cost = attempt(budget, budget->objects + index, alone, output, diags);
	/* Meters, packet, and the settings are the driver's. */
	cost->maps = cost->maps > 3 ? cost->maps - 3 : 0;
	free(alone);
	return cost->outcome == OUTCOME_FAILED ? -1 : 0;
}

/* Instances of one function with the same parameters would cost the same, but that
 * is seldom what a workflow has. */
static int measure(struct budget *budget, struct diags *diags)
{
	for (uint32_t i = 0; !budget->measured && i < budget->bundle->kernel_count; i++)
		if (measure_one(budget, i, diags))
			return -1;
	budget->measured = true;
	return 0;
}

/* ---- keeping to the budget ---- */

static unsigned int price_of(const struct cost *cost, enum outcome outcome)
{
	return outcome == OUTCOME_STACK	 ? cost->stack_bytes
	       : outcome == OUTCOME_MAPS ? cost->maps
					 : cost->instructions;
}

/* The most costly function that is still inlined; -1: none is left. */
static int pick(const struct budget *budget, enum outcome outcome)
{
	int best = -1;

	for (uint32_t i = 0; i < budget->bundle->kernel_count; i++)
		if (!budget->bundle->kernel[i].separate &&
		    (best < 0 || price_of(&budget->costs[i], outcome) >
					 price_of(&budget->costs[best], outcome)))
			best = (int)i;
	return best;
}

/* Whether a function is refused already when it is alone: its author's mistake. */
static bool is_faulty(const struct budget *budget)
{
	for (uint32_t i = 0; i < budget->bundle->kernel_count; i++)
		if (budget->costs[i].outcome == OUTCOME_REFUSED)
			return true;
	return false;
}

static void describe(const struct budget *budget, uint32_t index, char *ret, size_t bytes)
{
	const struct bundle_function *function = &budget->bundle->kernel[index];
	const struct cost *cost = &budget->costs[index];
	/* What is refused was not looked at to its end. */
	const char *more = cost->outcome == OUTCOME_FITS ? "" : "more than ";

	if (!cost->instructions) { /* the compiler did not get that far */
		snprintf(ret, bytes, "%s (%s): too much already when alone\n", function->instance,
			 function->function);
		return;
	}
	snprintf(ret, bytes, "%s (%s): %u maps, %s%u bytes of stack, %s%u instructions verified\n",
		 function->instance, function->function, cost->maps, more, cost->stack_bytes, more,
		 cost->instructions);
}

/* The most costly ones, each with what it costs. */
static int complain(const struct budget *budget, enum outcome outcome, struct diags *diags)
{
	char list[LISTED_MAX * 160] = "", lines[DIAG_TEXT_BYTES - 160];
	bool listed[FAAS_KERNEL_FUNCTIONS_MAX] = {false};
	uint32_t count = budget->bundle->kernel_count;
	size_t used = 0;

	for (uint32_t n = 0; n < count && n < LISTED_MAX; n++) {
		uint32_t best = FAAS_KERNEL_FUNCTIONS_MAX;

		for (uint32_t i = 0; i < count; i++)
			if (!listed[i] && (best == FAAS_KERNEL_FUNCTIONS_MAX ||
					   price_of(&budget->costs[i], outcome) >
						   price_of(&budget->costs[best], outcome)))
				best = i;
		assert(best < count);
		listed[best] = true;
		describe(budget, best, list + used, sizeof(list) - used);
		used += strlen(list + used);
	}
	if (count > LISTED_MAX)
		snprintf(list + used, sizeof(list) - used, "and %u more\n", count - LISTED_MAX);
	diag_lines(list, lines, sizeof(lines));
	return diag_fail(diags, DIAG_INVALID, "split the workflow, or use simpler functions",
			 "the functions exceed together %s; alone, they cost:%s",
			 outcome == OUTCOME_STACK  ? "the 512 bytes of stack of a BPF program"
			 : outcome == OUTCOME_MAPS ? "the 64 maps of a BPF program"
						   : "what the kernel's verifier looks at",
			 lines);
}

/* The result may not have worse to say than what failed first. */
static int give_up(struct budget *budget, struct diags *diags)
{
	for (uint32_t i = 0; i < budget->bundle->kernel_count; i++)
		budget->bundle->kernel[i].separate = false;
	return fuse_object(budget->objects, budget->linker, budget->scratch, budget->output,
			   budget->bundle, diags);
}

int budget_build(const char (*objects)[FAAS_PATH_BYTES], enum fuse_linker linker,
		 const char *scratch, const char *output, struct bundle *bundle,
		 struct diags *diags)
{
	struct budget *budget = calloc(1, sizeof(*budget));
	struct cost cost;
	int error = -1;

	if (!budget)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	*budget = (struct budget){.objects = objects,
				  .linker = linker,
				  .scratch = scratch,
				  .output = output,
				  .bundle = bundle};
	for (;;) {
		int index;

		cost = attempt(budget, objects, bundle, output, diags);
		if (cost.outcome == OUTCOME_FAILED)
			break;
		if (cost.outcome == OUTCOME_FITS || cost.outcome == OUTCOME_UNKNOWN) {
			error = 0;
			break;
		}
		if (measure(budget, diags))
			break;
		if (cost.outcome == OUTCOME_REFUSED && is_faulty(budget)) {
			error = give_up(budget, diags);
			break;
		}
		index = cost.outcome == OUTCOME_MAPS ? -1 : pick(budget, cost.outcome);
		if (index < 0) {
			error = cost.outcome == OUTCOME_REFUSED
					? give_up(budget, diags)
					: complain(budget, cost.outcome, diags);
			break;
		}
		bundle->kernel[index].separate = true;
	}
	free(budget);
	return error;
}
