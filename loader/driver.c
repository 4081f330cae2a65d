// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "driver.h"

#include <inttypes.h>
#include <string.h>

#include <ebpf_faas/pins.h>

void driver_identifier(const char *instance, char ret[FAAS_NAME_BYTES])
{
	size_t i;

	for (i = 0; i < FAAS_NAME_BYTES - 1 && instance[i]; i++)
		ret[i] = instance[i] == '-' ? '_' : instance[i];
	ret[i] = '\0';
}

/* Names that the program cannot have in the driver: words of C, maps and
 * sections beside it, and what compilers define. All others of the driver's own
 * begin with driver_ or faas_, or are local. */
static const char *const reserved_names[] = {
	"asm",	   "auto",     "break",	 "case",     "char",	"const",    "continue",
	"default", "do",       "double", "else",     "enum",	"extern",   "float",
	"for",	   "goto",     "if",	 "inline",   "int",	"license",  "linux",
	"long",	   "main",     "maps",	 "meters",   "packet",	"register", "restrict",
	"return",  "ring",     "ring0",	 "rings",    "route",	"short",    "signed",
	"sizeof",  "static",   "struct", "switch",   "typedef", "typeof",   "union",
	"unix",	   "unsigned", "void",	 "volatile", "wake",	"while",    "xdp",
};

void driver_program_name(const struct bundle *bundle, char ret[FAAS_OBJECT_NAME_BYTES])
{
	char name[FAAS_NAME_BYTES];

	driver_identifier(bundle->name, name);
	snprintf(ret, FAAS_OBJECT_NAME_BYTES, "%s", name);
	for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++)
		if (!strcmp(ret, reserved_names[i]))
			snprintf(ret, FAAS_OBJECT_NAME_BYTES, "%s_", reserved_names[i]);
}

static void write_constant(FILE *out, const char *instance, const struct bundle_param *param)
{
	switch (param->type) {
	case PARAM_U32:
	case PARAM_BOOL:
	case PARAM_CHOICE:
	case PARAM_SET:
		fprintf(out, "const unsigned int %s__faas_param_%s = %" PRIu32 "u;\n", instance,
			param->name, (uint32_t)param->integer);
		return;
	case PARAM_U64:
	case PARAM_DURATION:
	case PARAM_BYTES:
		fprintf(out, "const unsigned long long %s__faas_param_%s = %" PRIu64 "ull;\n",
			instance, param->name, (uint64_t)param->integer);
		return;
	case PARAM_S64:
	case PARAM_DECIMAL:
		/* The most negative number has no literal of its own. */
		fprintf(out, "const long long %s__faas_param_%s = (long long)%" PRIu64 "ull;\n",
			instance, param->name, (uint64_t)param->integer);
		return;
	case PARAM_F64:	 /* user tier only */
	case PARAM_FILE: /* what a map holds from the start */
		return;
	}
}

static void write_constants(FILE *out, const struct bundle *bundle, uint32_t index)
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
static void write_meters(FILE *out, const struct bundle *bundle)
{
	char instance[FAAS_NAME_BYTES];

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];

		driver_identifier(function->instance, instance);
		fprintf(out,
			"\nstruct %s_meters {\n\t__u64 errors;\n\t__u64 time_ns;\n"
			"\t__u64 time_samples;\n",
			instance);
		for (uint32_t k = 0; k < function->output_count; k++)
			fprintf(out, "\t__u64 %s;\n", function->outputs[k].name);
		for (uint32_t k = function->output_count; k < FAAS_OUTPUTS_MAX; k++)
			fprintf(out, "\t__u64 _unused%u;\n", k);
		fprintf(out,
			"};\n_Static_assert(sizeof(struct %s_meters) == "
			"sizeof(struct faas_function_meters), \"same layout\");\n",
			instance);
	}
	fprintf(out, "\nstruct meters_value {\n\tstruct faas_meters ledger;\n");
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		driver_identifier(bundle->kernel[i].instance, instance);
		fprintf(out, "\tstruct %s_meters f_%s;\n", instance, instance);
	}
	fprintf(out, "};\n\nstruct {\n\t__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);\n"
		     "\t__uint(max_entries, 1);\n\t__type(key, __u32);\n"
		     "\t__type(value, struct meters_value);\n} meters SEC(\".maps\");\n");
}

static void write_handoff_maps(FILE *out)
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
static void write_entry(FILE *out, const struct bundle *bundle, uint32_t index)
{
	const struct bundle_entry *entry = &bundle->entries[index];
	uint32_t words = FAAS_ALIGN8(entry->key_bytes) / 8;

	fprintf(out,
		"\nfaas_inline void driver_entry_%u(struct faas_call *call, struct faas_meters "
		"*meters)\n{\n"
		"\tconst struct driver_entry entry = {.entry = %u, .origin = %u, .key_bytes = %u, "
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
	fprintf(out, "\tdriver_handoff(call, meters, &driver_maps, &entry, key);\n}\n");
}

/* What follows once a target list is known: events first, then the one
 * continuation in the kernel, or the verdict of the trigger's mode. */
static void write_targets(FILE *out, const struct bundle *bundle,
			  const struct bundle_target *targets, uint32_t count)
{
	char instance[FAAS_NAME_BYTES];
	bool emitted = false;

	for (uint32_t i = 0; i < count; i++)
		if (targets[i].kind == TARGET_USER || targets[i].kind == TARGET_SINK) {
			fprintf(out, "\t\tdriver_entry_%u(call, &meters_now->ledger);\n",
				targets[i].entry);
			emitted = true;
		}
	for (uint32_t i = 0; i < count; i++) {
		if (targets[i].kind == TARGET_KERNEL) {
			driver_identifier(bundle->kernel[targets[i].index].instance, instance);
			if (emitted)
				fprintf(out,
					"\t\tif (sampled)\n\t\t\tsince_ns = bpf_ktime_get_ns();\n");
			fprintf(out, "\t\tgoto call_%s;\n", instance);
			return;
		}
		if (targets[i].kind == TARGET_VERDICT) {
			static const char *const labels[] = {"drop", "pass", "reply"};

			fprintf(out, "\t\tgoto verdict_%s;\n", labels[targets[i].index]);
			return;
		}
	}
	fprintf(out, "\t\tgoto verdict_mode;\n");
}

static void write_triggers(FILE *out, const struct bundle *bundle)
{
	fprintf(out, "\tswitch (call->trigger) {\n");
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &bundle->triggers[i];

		fprintf(out, "\tcase %u: /* %s */\n\t\ttake = %d;\n", trigger->id, trigger->name,
			trigger->mode == MODE_TAKE);
		write_targets(out, bundle, &trigger->to, 1);
	}
	fprintf(out,
		"\tdefault: /* of a version that is gone */\n"
		"\t\tmeters_now->ledger.lost_stale_trigger++;\n\t\ttake = %d;\n"
		"\t\tgoto verdict_mode;\n\t}\n",
		bundle->on_failure_drop);
}

static void write_call(FILE *out, const struct bundle *bundle, uint32_t index)
{
	const struct bundle_function *function = &bundle->kernel[index];
	char instance[FAAS_NAME_BYTES];

	driver_identifier(function->instance, instance);
	fprintf(out,
		"\ncall_%s: __attribute__((unused));\n\toutput = %s__faas_event(call);\n"
		"\tDRIVER_TIME(meters_now->f_%s);\n\tswitch (output) {\n",
		instance, instance, instance);
	for (uint32_t i = 0; i < function->output_count; i++) {
		fprintf(out, "\tcase %u:\n\t\tmeters_now->f_%s.%s++;\n", i, instance,
			function->outputs[i].name);
		write_targets(out, bundle, function->outputs[i].targets,
			      function->outputs[i].target_count);
	}
	fprintf(out, "\tdefault:\n\t\tmeters_now->f_%s.errors++;\n\t\tgoto verdict_mode;\n\t}\n",
		instance);
}

static void write_program(FILE *out, const struct bundle *bundle)
{
	char name[FAAS_OBJECT_NAME_BYTES];

	driver_program_name(bundle, name);
	/* Two copies of the graph: one for the packets whose time is taken, and
	 * one in which no clock is read nor anything kept for it. */
	fprintf(out, "\nfaas_inline int driver_run(struct xdp_md *context, struct meters_value "
		     "*meters_now,\n"
		     "\t\tconst struct faas_packet *from, const int sampled)\n{\n"
		     "\tstruct faas_call storage, *call = &storage;\n"
		     "\t__u64 since_ns = 0;\n\tint output, take = 0;\n\n"
		     "\tDRIVER_APART(context, sampled);\n\tdriver_begin(call, context, from);\n"
		     "\tif (sampled)\n\t\tsince_ns = bpf_ktime_get_ns();\n\n");
	write_triggers(out, bundle);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		write_call(out, bundle, i);
	fprintf(out,
		"\n\t/* Exactly one verdict for each packet, counted last. */\n"
		"verdict_reply: __attribute__((unused));\n\tif (driver_turn(call))\n"
		"\t\tgoto verdict_mode;\n\tmeters_now->ledger.replied++;\n\treturn XDP_TX;\n"
		"verdict_mode: __attribute__((unused));\n\tif (!take)\n\t\tgoto verdict_pass;\n"
		"verdict_drop: __attribute__((unused));\n\tmeters_now->ledger.dropped++;\n"
		"\treturn XDP_DROP;\n"
		"verdict_pass: __attribute__((unused));\n\tmeters_now->ledger.passed++;\n"
		"\treturn XDP_PASS;\n}\n");
	fprintf(out,
		"\nSEC(\"xdp.frags\")\nint %s(struct xdp_md *context)\n{\n"
		"\tstruct meters_value *meters_now;\n\tstruct faas_packet *from;\n"
		"\t__u32 zero = 0;\n\n"
		"\tmeters_now = bpf_map_lookup_elem(&meters, &zero);\n"
		"\tfrom = bpf_map_lookup_elem(&packet, &zero);\n"
		"\tif (!meters_now || !from)\n\t\treturn XDP_PASS; /* arrays: they have an entry 0 "
		"*/\n"
		"\tif (",
		name);
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		fprintf(out, "%sfrom->trigger == %u", i ? " || " : "", bundle->triggers[i].id);
	fprintf(out, ")\n\t\treturn driver_run(context, meters_now, from, 0);\n"
		     "\treturn driver_run(context, meters_now, from, 1);\n}\n\n"
		     "char driver_license[] SEC(\"license\") = \"Dual BSD/GPL\";\n");
}

void driver_write(const struct bundle *bundle, FILE *out)
{
	fprintf(out, "/* Generated from workflow %s. */\n#include <driver.h>\n", bundle->name);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		write_constants(out, bundle, i);
	write_meters(out, bundle);
	if (bundle->entry_count)
		write_handoff_maps(out);
	for (uint32_t i = 0; i < bundle->entry_count; i++)
		write_entry(out, bundle, i);
	write_program(out, bundle);
}
