// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whole workflow programs: see bundle_harness.h. */
#include "bundle_harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "loader/fuse.h"
#include "loader/host.h"
#include "counters.h"
#include "loader/kernel_object.h"

struct bundle_rig *bundle_rig_new(const char *name)
{
	struct bundle_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->bundle = calloc(1, sizeof(*rig->bundle));
	assert_non_null(rig->bundle);
	snprintf(rig->bundle->name, sizeof(rig->bundle->name), "%s", name);
	rig->cpus = libbpf_num_possible_cpus();
	return rig;
}

struct bundle_function *bundle_add_function(struct bundle_rig *rig, const char *instance,
					    const char *function, const char *object,
					    const char *const outputs[])
{
	struct bundle_function *ret = &rig->bundle->kernel[rig->bundle->kernel_count];

	assert_true(rig->bundle->kernel_count < FAAS_KERNEL_FUNCTIONS_MAX);
	snprintf(rig->objects[rig->bundle->kernel_count++], FAAS_PATH_BYTES, "%s/%s", TEST_BUILD,
		 object);
	snprintf(ret->instance, sizeof(ret->instance), "%s", instance);
	snprintf(ret->function, sizeof(ret->function), "%s", function);
	for (; outputs[ret->output_count]; ret->output_count++)
		snprintf(ret->outputs[ret->output_count].name, FAAS_IDENTIFIER_BYTES, "%s",
			 outputs[ret->output_count]);
	return ret;
}

void bundle_lead(struct bundle_function *function, uint32_t output, enum bundle_target_kind kind,
		 uint32_t index)
{
	struct bundle_output *from = &function->outputs[output];

	assert_true(output < function->output_count);
	from->targets[from->target_count++] =
		(struct bundle_target){.kind = kind, .index = index, .entry = BUNDLE_NO_ENTRY};
}

void bundle_add_param(struct bundle_function *function, const char *name,
		      enum bundle_param_type type, int64_t value, bool changeable)
{
	struct bundle_param *param = &function->params[function->param_count++];

	snprintf(param->name, sizeof(param->name), "%s", name);
	param->type = type;
	param->integer = value;
	param->changeable = changeable;
}

uint16_t bundle_add_trigger(struct bundle_rig *rig, const char *name, enum bundle_hook hook,
			    enum bundle_mode mode, uint32_t function)
{
	struct bundle_trigger *trigger = &rig->bundle->triggers[rig->bundle->trigger_count++];

	snprintf(trigger->name, sizeof(trigger->name), "%s", name);
	trigger->id = bundle_trigger_id(name);
	trigger->hook = hook;
	trigger->mode = mode;
	trigger->targets[0] = (struct bundle_target){
		.kind = TARGET_KERNEL, .index = function, .entry = BUNDLE_NO_ENTRY};
	trigger->target_count = 1;
	return (uint16_t)trigger->id;
}

static void set_redirects(struct bundle_rig *rig, const uint32_t *redirects)
{
	struct faas_settings settings = {.generation = 1};
	struct bpf_map *map;

	memcpy(settings.redirects, redirects, rig->bundle->redirect_count * sizeof(*redirects));
	bpf_object__for_each_map(map, rig->object)
	{
		if (strstr(bpf_map__name(map), ".rodata._driver"))
			assert_int_equal(
				bpf_map__set_initial_value(map, &settings, sizeof(settings)), 0);
	}
}

int bundle_rig_try(struct bundle_rig *rig, const uint32_t *redirects, struct diags *diags)
{
	char path[128];

	snprintf(rig->directory, sizeof(rig->directory), "/tmp/ef_bundle_XXXXXX");
	if (!mkdtemp(rig->directory))
		fail_msg("mkdtemp: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/%s", rig->directory, BUNDLE_KERNEL_OBJECT);
	if (fuse_object((const char(*)[FAAS_PATH_BYTES])rig->objects, rig->linker, rig->directory,
			path, rig->bundle, diags))
		return -1;
	if (!redirects)
		return kernel_object_load(NULL, rig->bundle, rig->directory, 1, &rig->object,
					  diags);
	rig->object = bpf_object__open_file(path, NULL);
	assert_non_null(rig->object);
	set_redirects(rig, redirects);
	assert_int_equal(counters_size(rig->object), 0);
	assert_int_equal(bpf_object__load(rig->object), 0);
	return 0;
}

void bundle_rig_open(struct bundle_rig *rig, const uint32_t *redirects)
{
	static struct diags diags;

	memset(&diags, 0, sizeof(diags));
	if (bundle_rig_try(rig, redirects, &diags)) {
		diags_print(&diags, stderr);
		host_remove_tree(rig->directory);
		fail_msg("%s does not build", rig->bundle->name);
	}
}

void bundle_rig_close(struct bundle_rig *rig)
{
	if (!rig)
		return;
	bpf_object__close(rig->object);
	if (rig->directory[0])
		host_remove_tree(rig->directory);
	free(rig->bundle);
	free(rig);
}

static int map_of(struct bundle_rig *rig, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(rig->object, name);

	assert_true(fd >= 0);
	return fd;
}

uint32_t bundle_run(struct bundle_rig *rig, enum bundle_hook hook, const struct faas_packet *packet,
		    struct frame *frame)
{
	struct faas_packet *each = calloc((size_t)rig->cpus, sizeof(*each));
	int program = kernel_object_program(rig->object, rig->bundle, hook);
	uint8_t out[FRAME_BYTES_MAX] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->bytes, .data_out = out, .data_size_out = sizeof(out),
		    .repeat = 1);
	uint32_t zero = 0;

	assert_non_null(each);
	assert_true(program >= 0);
	for (int i = 0; i < rig->cpus; i++)
		each[i] = *packet;
	assert_int_equal(bpf_map_update_elem(map_of(rig, FAAS_PIN_PACKET), &zero, each, BPF_ANY),
			 0);
	free(each);
	assert_int_equal(bpf_prog_test_run_opts(program, &options), 0);
	memcpy(frame->data, out, options.data_size_out);
	frame->bytes = options.data_size_out;
	return options.retval;
}

void bundle_meters(struct bundle_rig *rig, struct faas_meters *ret_ledger,
		   struct faas_function_meters *ret_functions)
{
	size_t bytes = rig->bundle->kernel_count * sizeof(*ret_functions);
	uint8_t *sum = malloc(sizeof(*ret_ledger) + bytes);

	assert_non_null(sum);
	assert_int_equal(
		counters_meters(map_of(rig, FAAS_PIN_METERS), sum, sizeof(*ret_ledger) + bytes), 0);
	memcpy(ret_ledger, sum, sizeof(*ret_ledger));
	memcpy(ret_functions, sum + sizeof(*ret_ledger), bytes);
	free(sum);
}
