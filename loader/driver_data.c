// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data of a driver: constants of the functions, meters, and the handoff. */
#include "driver_data.h"

#include <inttypes.h>

#include <ebpf_faas/pins.h>

#include "driver.h"

static void write_constant(FILE *out, const char *instance, const struct bundle_param *param)
{
	const char *kind = param->changeable ? "volatile" : "const";
	const char *section = param->changeable ? " SEC(\".data.params\")" : "";

	switch (param->type) {
	case PARAM_U32:
	case PARAM_BOOL:
	case PARAM_CHOICE:
	case PARAM_SET:
		fprintf(out, "%s unsigned int %s__faas_param_%s%s = %" PRIu32 "u;\n", kind,
			instance, param->name, section, (uint32_t)param->integer);
		return;
	case PARAM_U64:
	case PARAM_DURATION:
	case PARAM_BYTES:
		fprintf(out, "%s unsigned long long %s__faas_param_%s%s = %" PRIu64 "ull;\n", kind,
			instance, param->name, section, (uint64_t)param->integer);
		return;
	case PARAM_S64:
	case PARAM_DECIMAL:
		/* The most negative number has no literal of its own. */
		fprintf(out, "%s long long %s__faas_param_%s%s = (long long)%" PRIu64 "ull;\n",
			kind, instance, param->name, section, (uint64_t)param->integer);
		return;
	case PARAM_F64:	    /* user tier only */
	case PARAM_TRIGGER: /* user tier only, as is the next */
	case PARAM_LAYOUT:
	case PARAM_FILE: /* what a map holds from the start */
		return;
	}
}

void driver_write_constants(FILE *out, const struct bundle *bundle, uint32_t index)
{
	const struct bundle_function *function = &bundle->kernel[index];
	char instance[FAAS_NAME_BYTES];

	driver_identifier(function->instance, instance);
	fprintf(out, "\n/* %s: %s */\nextern int %s__faas_event(struct faas_call *call);\n",
		function->instance, function->function, instance);
	for (uint32_t i = 0; i < function->param_count; i++)
		write_constant(out, instance, &function->params[i]);
	for (uint32_t i = 0; i < function->output_count; i++)
		fprintf(out, "const unsigned int %s__faas_output_%s = %u;\n", instance,
			function->outputs[i].name, i);
	for (uint32_t i = 0; i < bundle->kernel_field_count; i++)
		if (bundle->kernel_fields[i].kernel_function == index)
			fprintf(out, "const unsigned int %s__faas_field_%s = %u;\n", instance,
				bundle->kernel_fields[i].field.name, i);
}

/* The meters' names are what `bpftool map dump` prints. */
void driver_write_meters(FILE *out, const struct bundle *bundle)
{
	char instance[FAAS_NAME_BYTES];

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];

		driver_identifier(function->instance, instance);
		fprintf(out, "\nstruct %s_meters {\n", instance);
		for (uint32_t k = 0; k < function->output_count; k++)
			fprintf(out, "\t__u64 %s;\n", function->outputs[k].name);
		for (uint32_t k = function->output_count; k < FAAS_OUTPUTS_MAX; k++)
			fprintf(out, "\t__u64 _unused%u;\n", k);
		fprintf(out,
			"\t__u64 errors;\n\t__u64 time_ns;\n\t__u64 time_samples;\n"
			"};\n_Static_assert(sizeof(struct %s_meters) == "
			"sizeof(struct faas_function_meters), \"same layout\");\n",
			instance);
	}
	fprintf(out, "\nstruct meters_value {\n\tstruct faas_meters ledger;\n");
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		driver_identifier(bundle->kernel[i].instance, instance);
		fprintf(out, "\tstruct %s_meters f_%s;\n", instance, instance);
	}
	for (uint32_t i = 0; bundle->deadline_ns && i < bundle->trigger_count; i++) {
		driver_identifier(bundle->triggers[i].name, instance);
		fprintf(out, "\tstruct faas_shed_meters shed_%s;\n", instance);
	}
	fprintf(out, "};\n\nstruct {\n\t__uint(type, BPF_MAP_TYPE_ARRAY);\n"
		     "\t__uint(max_entries, 1);\n\t__type(key, __u32);\n"
		     "\t__type(value, struct meters_value);\n} meters SEC(\".maps\");\n");
}

static const char *level_name(enum bundle_importance importance)
{
	switch (importance) {
	case IMPORTANCE_LOW:
		return "FAAS_SHED_LOW";
	case IMPORTANCE_NORMAL:
		return "FAAS_SHED_NORMAL";
	case IMPORTANCE_HIGH:
		return "FAAS_SHED_HIGH";
	}
	return "FAAS_SHED_NORMAL";
}

/* What the handoff asks of the trigger that took the packet. */
void driver_write_shed(FILE *out, const struct bundle *bundle)
{
	char name[FAAS_NAME_BYTES];

	fprintf(out, "\nfaas_inline __u32 driver_level(__u32 trigger)\n{\n");
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		if (bundle->triggers[i].importance != IMPORTANCE_NORMAL)
			fprintf(out, "\tif (trigger == %u) /* %s */\n\t\treturn %s;\n",
				bundle->triggers[i].id, bundle->triggers[i].name,
				level_name(bundle->triggers[i].importance));
	fprintf(out,
		"\treturn FAAS_SHED_NORMAL;\n}\n"
		"\nfaas_inline void driver_count_shed(struct faas_meters *meters, __u32 trigger, "
		"enum faas_shed shed)\n{\n"
		"\tstruct meters_value *all = (struct meters_value *)meters; /* its first */\n\n"
		"\tswitch (trigger) {\n");
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		driver_identifier(bundle->triggers[i].name, name);
		fprintf(out,
			"\tcase %u:\n\t\tif (shed == FAAS_SHED_DEADLINE)\n"
			"\t\t\tall->shed_%s.deadline++;\n\t\telse\n"
			"\t\t\tall->shed_%s.sampled++;\n\t\tbreak;\n",
			bundle->triggers[i].id, name, name);
	}
	fprintf(out, "\t}\n}\n");
}

void driver_write_handoff_maps(FILE *out)
{
	fprintf(out,
		"\nstruct {\n\t__uint(type, BPF_MAP_TYPE_ARRAY);\n"
		"\t__uint(max_entries, FAAS_SHARDS);\n\t__uint(map_flags, BPF_F_MMAPABLE);\n"
		"\t__type(key, __u32);\n\t__type(value, __u32);\n} route SEC(\".maps\");\n"
		"\nstruct ring {\n\t__uint(type, BPF_MAP_TYPE_RINGBUF);\n"
		"\t__uint(max_entries, 4096);\n} ring0 SEC(\".maps\");\n"
		"\nstruct {\n\t__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);\n"
		"\t__uint(max_entries, FAAS_INSTANCES_MAX);\n\t__type(key, __u32);\n"
		"\t__array(values, struct ring);\n} rings SEC(\".maps\") = {.values = {&ring0}};\n"
		"\nstruct {\n\t__uint(type, BPF_MAP_TYPE_ARRAY);\n"
		"\t__uint(max_entries, FAAS_INSTANCES_MAX);\n\t__uint(map_flags, BPF_F_MMAPABLE);\n"
		"\t__type(key, __u32);\n\t__type(value, struct faas_wake);\n} wake "
		"SEC(\".maps\");\n"
		"\nstatic const struct driver_handoff driver_maps = {&route, &rings, &wake};\n");
}

static void write_key_part(FILE *out, enum bundle_key_part part)
{
	switch (part) {
	case KEY_SOURCE_ADDRESS:
		fprintf(out, "\tfaas_source_address(call, &address);\n"
			     "\t__builtin_memcpy(at, &address, 16);\n\tat += 16;\n");
		return;
	case KEY_DESTINATION_ADDRESS:
		fprintf(out, "\tfaas_destination_address(call, &address);\n"
			     "\t__builtin_memcpy(at, &address, 16);\n\tat += 16;\n");
		return;
	case KEY_SOURCE_PORT:
		fprintf(out, "\t*at++ = call->source_port >> 8;\n\t*at++ = call->source_port;\n");
		return;
	case KEY_DESTINATION_PORT:
		fprintf(out, "\t*at++ = call->destination_port >> 8;\n"
			     "\t*at++ = call->destination_port;\n");
		return;
	case KEY_VLAN:
		fprintf(out, "\t*at++ = call->vlan >> 8;\n\t*at++ = call->vlan;\n");
		return;
	case KEY_PROTOCOL:
		fprintf(out, "\t*at++ = call->ip_protocol;\n");
		return;
	}
}

static uint32_t entry_origin(const struct bundle *bundle, const struct bundle_entry *entry)
{
	if (entry->kernel_function >= bundle->kernel_count)
		return FAAS_ORIGIN_TRIGGER; /* straight from a trigger: no function made it */
	return bundle->kernel[entry->kernel_function].outputs[entry->output].origin;
}

/* One function for each way out of the kernel tier: build the key, hand off. */
void driver_write_entry(FILE *out, const struct bundle *bundle, uint32_t index)
{
	const struct bundle_entry *entry = &bundle->entries[index];
	uint32_t words = FAAS_ALIGN8(entry->key_bytes) / 8;

	fprintf(out,
		"\nfaas_inline int driver_entry_%u(struct faas_call *call, struct faas_meters "
		"*meters, const __u64 hook)\n{\n"
		"\tconst struct driver_entry entry = {.hook = hook, .entry = %u, .origin = %u, "
		".key_bytes = %u, "
		".field_count = %u};\n\t__u64 key[%u] = {};\n",
		index, index, entry_origin(bundle, entry), entry->key_bytes,
		bundle->kernel_field_count, words ? words : 1);
	if (entry->key_count)
		fprintf(out, "\t__u8 *at = (__u8 *)key;\n");
	for (uint32_t i = 0; i < entry->key_count; i++)
		if (entry->key[i] == KEY_SOURCE_ADDRESS ||
		    entry->key[i] == KEY_DESTINATION_ADDRESS) {
			fprintf(out, "\tunion faas_address address;\n");
			break;
		}
	fprintf(out, "\n");
	for (uint32_t i = 0; i < entry->key_count; i++)
		write_key_part(out, entry->key[i]);
	fprintf(out, "\treturn driver_handoff(call, meters, &driver_maps, &entry, key);\n}\n");
}
