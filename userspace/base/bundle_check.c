// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The rules that hold between the parts of a bundle. Loader, driver generator,
 * worker and courier rely on them without looking again.
 */
#include "bundle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bundle_match.h"
#include "bundle_names.h"
#include "bundle_size.h"
#include "bundle_state.h"

struct check {
	const struct bundle *bundle;
	const char *place;
	struct diags *diags;
	unsigned int entry_uses[FAAS_ENTRIES_MAX];
	bool origins[FAAS_ORIGINS_MAX];
	bool failed;
};

static void __attribute__((format(printf, 3, 4)))
require(struct check *check, bool holds, const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (holds)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(check->diags, DIAG_INVALID, check->place, 0, 0,
		 "build the bundle again with `ebpf-faas build`", "%s", text);
	check->failed = true;
}

/* Where a target stands. */
struct origin_of {
	char name[FAAS_NAME_BYTES + FAAS_IDENTIFIER_BYTES + 16];
	uint32_t kernel_function; /* or BUNDLE_FROM_TRIGGER */
	uint32_t output;
	uint32_t kernel_after; /* kernel functions from this index on may follow */
};

/* A target that leaves the kernel tier has an entry of its own, that says the same. */
static void check_entry_of(struct check *check, const struct origin_of *from,
			   const struct bundle_target *target)
{
	const struct bundle_entry *entry;

	require(check, target->entry < check->bundle->entry_count, "%s: no entry %u", from->name,
		target->entry);
	if (target->entry >= check->bundle->entry_count)
		return;
	entry = &check->bundle->entries[target->entry];
	check->entry_uses[target->entry]++;
	require(check,
		entry->kernel_function == from->kernel_function && entry->output == from->output &&
			entry->kind == target->kind && entry->index == target->index,
		"%s: entry %u leads elsewhere", from->name, target->entry);
}

static void check_kernel_target(struct check *check, const struct origin_of *from,
				const struct bundle_target *target)
{
	const struct bundle *bundle = check->bundle;

	switch (target->kind) {
	case TARGET_KERNEL:
		require(check,
			target->index >= from->kernel_after && target->index < bundle->kernel_count,
			"%s leads to kernel function %u, which does not come after it", from->name,
			target->index);
		break;
	case TARGET_VERDICT:
		require(check,
			target->index != VERDICT_REDIRECT ||
				target->redirect < bundle->redirect_count,
			"%s: no interface %u to redirect to", from->name, target->redirect);
		break;
	case TARGET_USER:
		require(check, target->index < bundle->user_count, "%s: no user function %u",
			from->name, target->index);
		check_entry_of(check, from, target);
		return;
	case TARGET_SINK:
		require(check, target->index < bundle->sink_count, "%s: no sink %u", from->name,
			target->index);
		check_entry_of(check, from, target);
		return;
	}
	require(check, target->entry == BUNDLE_NO_ENTRY, "%s stays in the kernel and has an entry",
		from->name);
}

static void check_user_target(struct check *check, const struct origin_of *from, uint32_t function,
			      const struct bundle_target *target)
{
	const struct bundle *bundle = check->bundle;

	if (target->kind == TARGET_USER)
		require(check, target->index > function && target->index < bundle->user_count,
			"%s leads to user function %u, which does not come after it", from->name,
			target->index);
	else if (target->kind == TARGET_SINK)
		require(check, target->index < bundle->sink_count, "%s: no sink %u", from->name,
			target->index);
	else
		require(check, false, "%s leads back into the kernel tier", from->name);
	require(check, target->entry == BUNDLE_NO_ENTRY, "%s has an entry", from->name);
}

static void check_fields(struct check *check, const char *where, const struct bundle_field *fields,
			 uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		require(check, bundle_identifier_valid(fields[i].name), "%s: bad field name \"%s\"",
			where, fields[i].name);
		for (uint32_t k = 0; k < i; k++)
			require(check, strcmp(fields[i].name, fields[k].name),
				"%s: two fields named %s", where, fields[i].name);
	}
}

/* What holds for the targets of one place together. */
static void check_targets(struct check *check, const struct origin_of *from,
			  const struct bundle_target *targets, uint32_t count)
{
	uint32_t continuations = 0;

	for (uint32_t i = 0; i < count; i++) {
		continuations +=
			targets[i].kind == TARGET_KERNEL || targets[i].kind == TARGET_VERDICT;
		for (uint32_t k = 0; k < i; k++)
			require(check,
				targets[i].kind != targets[k].kind ||
					targets[i].index != targets[k].index,
				"%s leads twice to the same target", from->name);
	}
	require(check, continuations <= 1, "%s goes on in two ways in the kernel", from->name);
}

static void check_output(struct check *check, const struct bundle_function *function,
			 struct origin_of *from, bool kernel, uint32_t index)
{
	const struct bundle_output *output = &function->outputs[from->output];

	snprintf(from->name, sizeof(from->name), "output %s of %s", output->name,
		 function->instance);
	require(check, bundle_identifier_valid(output->name), "%s: bad name", from->name);
	for (uint32_t k = 0; k < from->output; k++)
		require(check, strcmp(output->name, function->outputs[k].name), "%s: there are two",
			from->name);
	require(check, !check->origins[output->origin], "%s: origin %u is taken", from->name,
		output->origin);
	check->origins[output->origin] = true;
	for (uint32_t k = 0; k < output->target_count; k++)
		if (kernel)
			check_kernel_target(check, from, &output->targets[k]);
		else
			check_user_target(check, from, index, &output->targets[k]);
	check_targets(check, from, output->targets, output->target_count);
	require(check, !kernel || !output->field_count,
		"%s: fields of kernel functions stand in "
		"kernel_fields",
		from->name);
	check_fields(check, from->name, output->fields, output->field_count);
}

static bool in_range(const struct bundle_param *param)
{
	switch (param->type) {
	case PARAM_U32:
		return param->integer >= 0 && param->integer <= UINT32_MAX;
	case PARAM_BOOL:
		return param->integer == 0 || param->integer == 1;
	case PARAM_CHOICE:
		return param->integer >= 0 && param->integer < FAAS_CHOICES_MAX;
	case PARAM_SET:
		return param->integer >= 0 && param->integer < 1 << FAAS_CHOICES_MAX;
	case PARAM_TRIGGER:
		return param->integer >= 0 && param->integer <= BUNDLE_TRIGGER_ID_MAX;
	case PARAM_U64:
	case PARAM_S64:
	case PARAM_DURATION:
	case PARAM_BYTES:
	case PARAM_DECIMAL:
	case PARAM_F64:
	case PARAM_FILE:
	case PARAM_LAYOUT:
		return true;
	}
	return false;
}

static void check_key(struct check *check, const char *where, const enum bundle_key_part *key,
		      uint32_t count, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		sum += bundle_key_part_bytes(key[i]);
		for (uint32_t k = 0; k < i; k++)
			require(check, key[i] != key[k], "%s: %s stands twice in the key", where,
				bundle_key_part_words[key[i]]);
	}
	require(check, sum == bytes && sum <= FAAS_KEY_BYTES_MAX,
		"%s: a key of %u bytes is said to have %u", where, sum, bytes);
}

static uint32_t key_bytes(const enum bundle_key_part *key, uint32_t count)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += bundle_key_part_bytes(key[i]);
	return sum;
}

static void check_map(struct check *check, const char *name, const struct bundle_map *map)
{
	require(check, bundle_identifier_valid(map->map), "%s: bad map name \"%s\"", name,
		map->map);
	require(check, !map->contents[0] || bundle_data_path_valid(map->contents),
		"%s: map %s is filled from \"%s\", which is not below data/", name, map->map,
		map->contents);
}

/* What a function reads by its layout lies in the number that it says, and the
 * number in a payload. */
static void check_layout(struct check *check, const struct bundle_function *function)
{
	for (uint32_t i = 0; i < function->layout.count; i++) {
		const struct faas_layout_field *field = &function->layout.fields[i];
		uint32_t bytes = faas_layout_bytes(field->type);
		bool bits = field->first_bit || field->bit_count;

		require(check,
			field->offset + bytes <= FAAS_EVENT_PAYLOAD_MAX &&
				field->field_type ==
					faas_layout_field_type(field->type, field->scale),
			"%s: field %u of its layout is not possible", function->instance, i);
		require(check,
			!bits || (!faas_layout_is_real(field->type) && field->bit_count &&
				  field->first_bit + field->bit_count <= 8 * bytes),
			"%s: field %u of its layout has bits that are not there",
			function->instance, i);
	}
}

static void check_verdicts(struct check *check, const struct bundle_function *function)
{
	for (uint32_t i = 0; i < function->verdict_count; i++) {
		const struct bundle_verdict_to *verdict = &function->verdicts[i];

		require(check, bundle_identifier_valid(verdict->name),
			"%s: bad verdict name \"%s\"", function->instance, verdict->name);
		if (verdict->kernel == BUNDLE_NO_FUNCTION)
			continue;
		require(check,
			verdict->kernel < check->bundle->kernel_count &&
				bundle_verdict_map(&check->bundle->kernel[verdict->kernel]),
			"%s: verdict %s leads to no function that takes verdicts",
			function->instance, verdict->name);
		require(check, function->key_count, "%s: a verdict without a key",
			function->instance);
	}
}

/* Whether a program can be given a parameter of this type, see exec_hello.h. */
static bool is_of_programs(enum bundle_param_type type)
{
	return type != PARAM_U32 && type != PARAM_SET && type != PARAM_FILE && type != PARAM_LAYOUT;
}

static void check_exec(struct check *check, const struct bundle_function *function)
{
	const struct bundle_exec *exec = &function->exec;

	require(check, exec->arguments[0][0], "%s: its program has no name", function->instance);
	require(check, !exec->root[0] || exec->root[0] == '/', "%s: its root is not absolute",
		function->instance);
	require(check,
		function->has_batch && !function->has_migrate && !function->input_count &&
			!function->verdict_count && !function->state_field_count,
		"%s: a program with what programs do not have", function->instance);
	for (uint32_t i = 0; i < function->param_count; i++)
		require(check, is_of_programs(function->params[i].type),
			"%s: parameter %s is of a type that programs do not have",
			function->instance, function->params[i].name);
}

static void check_function(struct check *check, const struct bundle_function *function, bool kernel,
			   uint32_t index)
{
	struct origin_of from = {.kernel_function = index, .kernel_after = index + 1};
	const char *name = function->instance;
	char file[sizeof(function->file) + 1];

	require(check, bundle_name_valid(name), "bad instance name \"%s\"", name);
	require(check, bundle_identifier_valid(function->function), "%s: bad function name \"%s\"",
		name, function->function);
	for (uint32_t i = 0; i < function->param_count; i++) {
		const struct bundle_param *param = &function->params[i];

		require(check, bundle_identifier_valid(param->name),
			"%s: bad parameter name \"%s\"", name, param->name);
		for (uint32_t k = 0; k < i; k++)
			require(check, strcmp(param->name, function->params[k].name),
				"%s: two parameters %s", name, param->name);
		require(check, in_range(param), "%s: parameter %s is out of range", name,
			param->name);
		require(check, kernel || !param->changeable,
			"%s: parameter %s of a user function cannot be changed while it runs", name,
			param->name);
		require(check, !param->changeable || param->type < PARAM_F64,
			"%s: parameter %s is no number, and cannot be changed while it runs", name,
			param->name);
	}
	for (from.output = 0; from.output < function->output_count; from.output++)
		check_output(check, function, &from, kernel, index);
	if (kernel) {
		for (uint32_t i = 0; i < function->map_count; i++)
			check_map(check, name, &function->maps[i]);
		return;
	}
	require(check, !function->observe && !function->separate,
		"%s: a user function neither observes nor is separate", name);
	/* The path is made from the name, so that it leads nowhere else. */
	snprintf(file, sizeof(file), "user/%s.%s", name,
		 function->exec.argument_count ? "tar" : "so");
	require(check, !strcmp(file, function->file), "%s: file is not \"%s\"", name, file);
	if (function->exec.argument_count)
		check_exec(check, function);
	for (uint32_t i = 0; i < function->input_count; i++)
		require(check, bundle_identifier_valid(function->inputs[i]),
			"%s: bad input name \"%s\"", name, function->inputs[i]);
	check_key(check, name, function->key, function->key_count,
		  key_bytes(function->key, function->key_count));
	require(check, !function->has_state || function->key_count, "%s: state without a key",
		name);
	require(check,
		!function->has_batch || function->exec.argument_count ||
			(!function->has_state && !function->has_timer),
		"%s: batches with state or timers", name);
	check_verdicts(check, function);
	require(check, function->has_state == (function->state_mode != STATE_NONE),
		"%s: its state and the mode of its state contradict each other", name);
	for (uint32_t i = 0; i < function->state_field_count; i++)
		require(check,
			bundle_state_field_valid(&function->state_fields[i], function->state_bytes),
			"%s: the member \"%s\" of its state makes no sense", name,
			function->state_fields[i].name);
	check_layout(check, function);
}

static void check_names(struct check *check)
{
	const struct bundle *bundle = check->bundle;
	const char *names[FAAS_KERNEL_FUNCTIONS_MAX + FAAS_USER_FUNCTIONS_MAX + FAAS_SINKS_MAX];
	size_t count = 0;

	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		names[count++] = bundle->kernel[i].instance;
	for (uint32_t i = 0; i < bundle->user_count; i++)
		names[count++] = bundle->user[i].instance;
	for (uint32_t i = 0; i < bundle->sink_count; i++)
		names[count++] = bundle->sinks[i].name;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			require(check, strcmp(names[i], names[k]), "two things are named %s",
				names[i]);
}

static void check_trigger(struct check *check, uint32_t index)
{
	const struct bundle *bundle = check->bundle;
	const struct bundle_trigger *trigger = &bundle->triggers[index];
	struct origin_of from = {.kernel_function = BUNDLE_FROM_TRIGGER, .output = index};
	struct bundle_fault fault = {0};

	snprintf(from.name, sizeof(from.name), "trigger %s", trigger->name);
	require(check, bundle_name_valid(trigger->name), "bad trigger name \"%s\"", trigger->name);
	for (uint32_t i = 0; i < index; i++)
		require(check,
			strcmp(trigger->name, bundle->triggers[i].name) &&
				trigger->id != bundle->triggers[i].id,
			"%s: its name or id is taken", from.name);
	require(check, trigger->id == bundle_trigger_id(trigger->name),
		"%s: its id is not that of its name", from.name);
	require(check, trigger->interface_count > 0, "%s: no interface", from.name);
	for (uint32_t i = 0; i < trigger->interface_count; i++)
		require(check, bundle_interface_valid(trigger->interfaces[i]),
			"%s: bad interface name \"%s\"", from.name, trigger->interfaces[i]);
	require(check, bundle_match_check(&trigger->match, &fault), "%s: %s", from.name,
		fault.cause);
	require(check, trigger->target_count > 0, "%s leads nowhere", from.name);
	for (uint32_t i = 0; i < trigger->target_count; i++) {
		require(check, trigger->targets[i].kind != TARGET_VERDICT, "%s leads to a verdict",
			from.name);
		check_kernel_target(check, &from, &trigger->targets[i]);
	}
	check_targets(check, &from, trigger->targets, trigger->target_count);
}

static void check_timer(struct check *check, uint32_t index)
{
	const struct bundle *bundle = check->bundle;
	const struct bundle_timer *timer = &bundle->timers[index];

	require(check, bundle_name_valid(timer->name), "bad timer name \"%s\"", timer->name);
	require(check, timer->id == bundle_trigger_id(timer->name),
		"timer %s: its id is not that of its name", timer->name);
	for (uint32_t i = 0; i < index; i++)
		require(check, timer->id != bundle->timers[i].id,
			"timer %s: its name or id is taken", timer->name);
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		require(check, timer->id != bundle->triggers[i].id,
			"timer %s: its name or id is taken", timer->name);
	require(check,
		timer->function < bundle->user_count && bundle->user[timer->function].has_timer,
		"timer %s leads to no function with a timer", timer->name);
	/* What it is counted and stopped by is that of events. */
	require(check, bundle->entry_count > 0, "timer %s, and no event from the kernel tier",
		timer->name);
}

static void check_entry(struct check *check, uint32_t index)
{
	const struct bundle *bundle = check->bundle;
	const struct bundle_entry *entry = &bundle->entries[index];
	const struct bundle_function *user;
	char name[24];

	snprintf(name, sizeof(name), "entry %u", index);
	require(check, check->entry_uses[index] == 1, "%s is used %u times", name,
		check->entry_uses[index]);
	check_key(check, name, entry->key, entry->key_count, entry->key_bytes);
	if (entry->kind != TARGET_USER || entry->index >= bundle->user_count)
		return; /* no target leads there either, which is said above */
	user = &bundle->user[entry->index];
	require(check,
		entry->key_count == user->key_count &&
			!memcmp(entry->key, user->key, entry->key_count * sizeof(entry->key[0])),
		"%s: its key is not that of %s", name, user->instance);
}

static void check_sink(struct check *check, const struct bundle_sink *sink)
{
	require(check, bundle_name_valid(sink->name), "bad sink name \"%s\"", sink->name);
	if (sink->kind == SINK_UDP)
		require(check, bundle_host_valid(sink->host) && sink->port,
			"sink %s: no address and port", sink->name);
	else
		require(check, sink->path[0] == '/', "sink %s: the path is not absolute",
			sink->name);
}

static void check_file(struct check *check, uint32_t index)
{
	const struct bundle *bundle = check->bundle;
	const struct bundle_file *file = &bundle->files[index];
	bool known = !strcmp(file->path, BUNDLE_KERNEL_OBJECT);

	for (uint32_t i = 0; i < bundle->user_count; i++)
		known = known || !strcmp(file->path, bundle->user[i].file);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++)
			known = known || !strcmp(file->path, bundle->kernel[i].maps[k].contents);
	require(check, known, "the file \"%s\" belongs to nothing", file->path);
	require(check,
		strlen(file->sha256) == BUNDLE_DIGEST_BYTES - 1 &&
			strspn(file->sha256, "0123456789abcdef") == BUNDLE_DIGEST_BYTES - 1,
		"%s: not a SHA-256 digest", file->path);
	for (uint32_t i = 0; i < index; i++)
		require(check, strcmp(file->path, bundle->files[i].path), "two digests of %s",
			file->path);
}

static void check_limits(struct check *check)
{
	const struct bundle_limits *limits = &check->bundle->limits;

	require(check, !limits->outputs_per_second || check->bundle->sink_count,
		"limits: outputs_per_second, and no sink");
	require(check,
		!limits->state_bytes || bundle_state_bytes(check->bundle) <= limits->state_bytes,
		"limits: the states take %llu bytes",
		(unsigned long long)bundle_state_bytes(check->bundle));
}

static void check_overload(struct check *check)
{
	const struct bundle *bundle = check->bundle;
	uint64_t least_ns = bundle->worker_class == WORKER_ECONOMY ? BUNDLE_DEADLINE_ECONOMY_MIN_NS
								   : BUNDLE_DEADLINE_MIN_NS;

	require(check, !bundle->overload_drop || bundle->entry_count,
		"overload_packet drop, and no event from the kernel tier");
	require(check, !bundle->deadline_ns || bundle->entry_count,
		"a deadline, and no event from the kernel tier");
	require(check, !bundle->deadline_ns || bundle->deadline_ns >= least_ns,
		"a deadline below %llu ns", (unsigned long long)least_ns);
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		require(check,
			bundle->deadline_ns || bundle->triggers[i].importance == IMPORTANCE_NORMAL,
			"trigger %s: an importance, and nothing is shed", bundle->triggers[i].name);
}

int bundle_check(const struct bundle *bundle, const char *place, struct diags *diags)
{
	struct check check = {.bundle = bundle, .place = place, .diags = diags};
	char where[32];

	require(&check, bundle_name_valid(bundle->name), "bad workflow name \"%s\"", bundle->name);
	require(&check, bundle->trigger_count > 0, "no trigger");
	require(&check,
		!bundle->worker_idle_ns || bundle->worker_idle_ns >= FAAS_WORKER_IDLE_NS_MIN,
		"worker_idle_ns below %lld", FAAS_WORKER_IDLE_NS_MIN);
	/* The format has a place for them, the programs do not do them yet. */
	check_overload(&check);
	for (uint32_t i = 0; i < bundle->redirect_count; i++)
		require(&check, bundle_interface_valid(bundle->redirects[i]),
			"bad interface name \"%s\"", bundle->redirects[i]);
	check_names(&check);
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		check_trigger(&check, i);
	for (uint32_t i = 0; i < bundle->timer_count; i++)
		check_timer(&check, i);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		check_function(&check, &bundle->kernel[i], true, i);
	for (uint32_t i = 0; i < bundle->user_count; i++)
		check_function(&check, &bundle->user[i], false, i);
	for (uint32_t i = 0; i < bundle->entry_count; i++)
		check_entry(&check, i);
	for (uint32_t i = 0; i < bundle->sink_count; i++)
		check_sink(&check, &bundle->sinks[i]);
	for (uint32_t i = 0; i < bundle->file_count; i++)
		check_file(&check, i);
	for (uint32_t i = 0; i < bundle->kernel_field_count; i++) {
		const struct bundle_kernel_field *field = &bundle->kernel_fields[i];

		snprintf(where, sizeof(where), "kernel field %u", i);
		require(&check, field->kernel_function < bundle->kernel_count, "%s: no function %u",
			where, field->kernel_function);
		require(&check, field->field.type != FAAS_FIELD_F64, "%s: floating point", where);
		check_fields(&check, where, &field->field, 1);
		for (uint32_t k = 0; k < i; k++)
			require(&check,
				field->kernel_function !=
						bundle->kernel_fields[k].kernel_function ||
					strcmp(field->field.name,
					       bundle->kernel_fields[k].field.name),
				"%s is there twice", where);
	}
	/* Sizes are those of parts that fit each other. */
	if (!check.failed)
		check_limits(&check);
	return check.failed ? -1 : 0;
}
