// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "driver.h"

#include <string.h>

#include "driver_data.h"

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

void driver_tc_program_name(const struct bundle *bundle, char ret[FAAS_OBJECT_NAME_BYTES])
{
	char name[FAAS_OBJECT_NAME_BYTES];

	driver_program_name(bundle, name);
	snprintf(ret, FAAS_OBJECT_NAME_BYTES, "%.*s_t", FAAS_OBJECT_NAME_BYTES - 3, name);
}

/* The hooks of a program, and how it is told from the others in names. */
enum run { RUN_XDP, RUN_TC_INGRESS, RUN_TC_EGRESS, RUNS };

static const struct {
	const char *name, *hook;
} runs[RUNS] = {
	[RUN_XDP] = {"xdp", "FAAS_HOOK_XDP"},
	[RUN_TC_INGRESS] = {"tc_ingress", "FAAS_HOOK_TC_INGRESS"},
	[RUN_TC_EGRESS] = {"tc_egress", "FAAS_HOOK_TC_EGRESS"},
};

static enum run run_of(const struct bundle_trigger *trigger)
{
	switch (trigger->hook) {
	case HOOK_XDP:
	case HOOK_XDP_GENERIC:
		return RUN_XDP;
	case HOOK_TC_INGRESS:
		return RUN_TC_INGRESS;
	case HOOK_TC_EGRESS:
		return RUN_TC_EGRESS;
	}
	return RUN_XDP;
}

static bool has_run(const struct bundle *bundle, enum run run)
{
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		if (run_of(&bundle->triggers[i]) == run)
			return true;
	return false;
}

bool driver_has_program(const struct bundle *bundle, enum bundle_hook hook)
{
	if (hook == HOOK_XDP || hook == HOOK_XDP_GENERIC)
		return has_run(bundle, RUN_XDP);
	return has_run(bundle, RUN_TC_INGRESS) || has_run(bundle, RUN_TC_EGRESS);
}

/* ---- the graph ---- */

/* How a list of targets goes on in the kernel: its one function or verdict, or
 * NULL, which leaves it to the mode of the trigger. */
static const struct bundle_target *continuation(const struct bundle_target *targets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (targets[i].kind == TARGET_KERNEL || targets[i].kind == TARGET_VERDICT)
			return &targets[i];
	return NULL;
}

/* One event for each target outside the kernel. With `overload.packet: drop`, a packet of
 * which one could not be made goes no further. */
static bool write_events(FILE *out, const struct bundle *bundle,
			 const struct bundle_target *targets, uint32_t count)
{
	const char *before = bundle->overload_drop ? "if (" : "";
	const char *between = bundle->overload_drop ? " |\n\t\t    " : ";\n\t\t";
	bool emitted = false;

	for (uint32_t i = 0; i < count; i++)
		if (targets[i].kind == TARGET_USER || targets[i].kind == TARGET_SINK) {
			if (!emitted)
				fprintf(out, "\t\t%s", before);
			fprintf(out, "%sdriver_entry_%u(call, &meters_now->ledger, hook)",
				emitted ? between : "", targets[i].entry);
			emitted = true;
		}
	if (emitted)
		fprintf(out, bundle->overload_drop ? ")\n\t\t\tgoto verdict_drop;\n" : ";\n");
	return emitted;
}

/* Dropping and passing take as little as a jump to where it is done: most packets
 * end so, and they run straight on. */
static void write_verdict(FILE *out, const struct bundle_target *target)
{
	switch (target->index) {
	case VERDICT_DROP:
		fprintf(out, "\t\tif (observe)\n\t\t\tgoto verdict_drop;\n\t\tDRIVER_DROP;\n");
		return;
	case VERDICT_PASS:
		fprintf(out, "\t\tDRIVER_PASS;\n");
		return;
	case VERDICT_REPLY:
		fprintf(out, "\t\tgoto verdict_reply;\n");
		return;
	case VERDICT_REDIRECT:
		fprintf(out, "\t\tgoto verdict_redirect_%u;\n", target->redirect);
		return;
	}
}

/* What follows once a target list is known: events first, then the one
 * continuation in the kernel, or the verdict of the trigger's mode. */
static void write_targets(FILE *out, const struct bundle *bundle,
			  const struct bundle_target *targets, uint32_t count)
{
	const struct bundle_target *next = continuation(targets, count);
	bool emitted = write_events(out, bundle, targets, count);
	char instance[FAAS_NAME_BYTES];

	if (!next) {
		fprintf(out, "\t\tgoto verdict_mode;\n");
	} else if (next->kind == TARGET_VERDICT) {
		write_verdict(out, next);
	} else {
		driver_identifier(bundle->kernel[next->index].instance, instance);
		if (emitted)
			fprintf(out, "\t\tDRIVER_TIME_BEGIN;\n");
		fprintf(out, "\t\tgoto call_%s;\n", instance);
	}
}

/* Whether an output takes the packet off its way: what `mode: observe` of its
 * function does not let it do. */
static bool takes_away(const struct bundle_output *output)
{
	const struct bundle_target *next = continuation(output->targets, output->target_count);

	return next && next->kind == TARGET_VERDICT && next->index != VERDICT_PASS;
}

/* An output of a function that only observes: its events are made, and the packet
 * goes on as from the first output that does not take it away. */
static void write_observed(FILE *out, const struct bundle *bundle,
			   const struct bundle_function *function,
			   const struct bundle_output *output)
{
	write_events(out, bundle, output->targets, output->target_count);
	for (uint32_t i = 0; i < function->output_count; i++)
		if (!takes_away(&function->outputs[i])) {
			write_targets(out, bundle, function->outputs[i].targets,
				      function->outputs[i].target_count);
			return;
		}
	fprintf(out, "\t\tgoto verdict_pass;\n");
}

static void write_triggers(FILE *out, const struct bundle *bundle, enum run run)
{
	fprintf(out, "\tswitch (call->trigger) {\n");
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &bundle->triggers[i];

		if (run_of(trigger) != run)
			continue;
		fprintf(out, "\tcase %u: /* %s */\n\t\ttake = %d;\n\t\tobserve = %d;\n",
			trigger->id, trigger->name, trigger->mode == MODE_TAKE,
			trigger->mode == MODE_OBSERVE);
		write_targets(out, bundle, trigger->targets, trigger->target_count);
	}
	fprintf(out,
		"\tdefault: /* of a version that is gone */\n"
		"\t\tmeters_now->ledger.lost_stale_trigger++;\n\t\ttake = %d;\n"
		"\t\tgoto verdict_mode;\n\t}\n",
		bundle->on_failure_drop);
}

static bool goes_on(const struct bundle_output *output)
{
	const struct bundle_target *next = continuation(output->targets, output->target_count);

	return next && next->kind == TARGET_KERNEL;
}

static void write_call(FILE *out, const struct bundle *bundle, enum run run, uint32_t index)
{
	const struct bundle_function *function = &bundle->kernel[index];
	char instance[FAAS_NAME_BYTES];

	driver_identifier(function->instance, instance);
	fprintf(out, "\ncall_%s: __attribute__((unused));\n", instance);
	if (function->separate)
		fprintf(out,
			"\toutput = driver_call_apart(call, from, &fields, " DRIVER_APART_PREFIX
			"%s_%s);\n",
			runs[run].name, instance);
	else
		fprintf(out, "\toutput = %s__faas_event(call);\n", instance);
	fprintf(out, "\tDRIVER_TIME(meters_now->f_%s);\n\tswitch (output) {\n", instance);
	for (uint32_t i = 0; i < function->output_count; i++) {
		const struct bundle_output *output = &function->outputs[i];

		fprintf(out, "\tcase %u:\n\t\tmeters_now->f_%s.%s++;\n", i, instance, output->name);
		if (!goes_on(output))
			fprintf(out, "\t\tDRIVER_OWN(%u);\n", index * FAAS_OUTPUTS_MAX + i);
		if (function->observe && takes_away(output))
			write_observed(out, bundle, function, output);
		else
			write_targets(out, bundle, output->targets, output->target_count);
	}
	fprintf(out, "\tdefault:\n\t\tmeters_now->f_%s.errors++;\n\t\tgoto verdict_mode;\n\t}\n",
		instance);
}

static void write_verdicts(FILE *out, const struct bundle *bundle)
{
	fprintf(out, "\n\t/* Exactly one verdict for each packet, counted last. */\n");
	for (uint32_t i = 0; i < bundle->redirect_count; i++)
		fprintf(out,
			"verdict_redirect_%u: __attribute__((unused)); /* %s */\n"
			"\tif (observe) {\n\t\tmeters_now->ledger.observed_turned++;\n"
			"\t\tgoto verdict_pass;\n\t}\n"
			"\tmeters_now->ledger.redirected++;\n"
			"\treturn (int)bpf_redirect(faas_settings.redirects[%u], 0);\n",
			i, bundle->redirects[i], i);
	fprintf(out,
		"verdict_reply: __attribute__((unused));\n"
		"\tif (observe) {\n\t\tmeters_now->ledger.observed_turned++;\n"
		"\t\tgoto verdict_pass;\n\t}\n"
		"\tif (verdict_turn(call))\n\t\tgoto verdict_mode;\n"
		"\tmeters_now->ledger.replied++;\n\treturn verdict_reply(context, hook);\n"
		"verdict_mode: __attribute__((unused));\n\tif (!take)\n\t\tgoto verdict_pass;\n"
		"verdict_drop: __attribute__((unused));\n"
		"\tif (observe) {\n\t\tmeters_now->ledger.observed_dropped++;\n"
		"\t\tgoto verdict_pass;\n\t}\n"
		"\tDRIVER_DROP;\n"
		"verdict_pass: __attribute__((unused));\n\tDRIVER_PASS;\n}\n");
}

static bool has_separate(const struct bundle *bundle)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		if (bundle->kernel[i].separate)
			return true;
	return false;
}

/* A function of its own, which the verifier looks at by itself: it is given the
 * packet anew, and the fields that functions before it have set. */
static void write_apart(FILE *out, const struct bundle *bundle, enum run run)
{
	char instance[FAAS_NAME_BYTES];

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		if (!bundle->kernel[i].separate)
			continue;
		driver_identifier(bundle->kernel[i].instance, instance);
		fprintf(out,
			"\n__attribute__((noinline)) int " DRIVER_APART_PREFIX "%s_%s(struct %s "
			"*context,\n\t\tstruct faas_packet *from, struct driver_fields "
			"*fields)\n{\n"
			"\tstruct faas_call call;\n\tint output;\n\n"
			"\tif (!from || !fields)\n\t\treturn -1;\n"
			"\tdriver_begin(&call, context, from, %s);\n"
			"\tdriver_fields_get(&call, fields);\n"
			"\toutput = %s__faas_event(&call);\n"
			"\tdriver_fields_put(&call, fields);\n\treturn output;\n}\n",
			runs[run].name, instance, run == RUN_XDP ? "xdp_md" : "__sk_buff",
			runs[run].hook, instance);
	}
}

/* The graph, for the packets of one hook. Two copies of it are inlined: one for the
 * packets that have all the payload that functions look at and whose time is not
 * taken, in which no clock is read nor anything kept for it, and one for the others. */
static void write_run(FILE *out, const struct bundle *bundle, enum run run)
{
	write_apart(out, bundle, run);
	fprintf(out,
		"\nfaas_inline int driver_run_%s(void *context, struct meters_value *meters_now,\n"
		"\t\tstruct faas_packet *from, const __u32 trigger, const int copy)\n{\n"
		"\tconst __u64 hook = %s;\n"
		"\tstruct faas_call storage, *call = &storage;\n%s"
		"\t__u64 since_ns = 0;\n\tint output, take = 0, observe = 0;\n\n"
		"\tDRIVER_APART(context, copy);\n\tDRIVER_TIME_BEGIN;\n"
		"\tdriver_begin(call, context, from, hook);\n"
		"\tcall->trigger = trigger & ~FAAS_PACKET_SAMPLED;\n"
		"\tif (copy == DRIVER_USUAL && !driver_has_checked(call))\n"
		"\t\treturn DRIVER_NOT_USUAL;\n\n",
		runs[run].name, runs[run].hook,
		has_separate(bundle) ? "\tstruct driver_fields fields = {};\n" : "");
	write_triggers(out, bundle, run);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		write_call(out, bundle, run, i);
	write_verdicts(out, bundle);
}

/* Whether the trigger is one of this hook: "a == 1 || a == 7", 0 without any. */
static void write_is_of(FILE *out, const struct bundle *bundle, enum run run, const char *id)
{
	const char * or = "";

	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		if (run_of(&bundle->triggers[i]) == run) {
			fprintf(out, "%s%s == %u", or, id, bundle->triggers[i].id);
			or = " || ";
		}
}

static void write_program(FILE *out, const char *section, const char *name, const char *context,
			  const char *pass)
{
	fprintf(out,
		"\nSEC(\"%s\")\nint %s(struct %s *context)\n{\n"
		"\tstruct meters_value *meters_now;\n\tstruct faas_packet *from;\n"
		"\t__u32 zero = 0, cpu = bpf_get_smp_processor_id(), trigger;\n\n"
		"\tmeters_now = bpf_map_lookup_elem(&meters, &cpu);\n"
		"\tfrom = bpf_map_lookup_elem(&packet, &zero);\n"
		"\tif (!meters_now || !from)\n\t\treturn %s; /* arrays: they have an entry 0 */\n"
		"\ttrigger = from->trigger; /* once: what it is compared with is known then */\n",
		section, name, context, pass);
}

/* Packets of a hook's triggers, if their time is not taken and they have all that is
 * looked at. */
static void write_usual(FILE *out, const struct bundle *bundle, enum run run)
{
	fprintf(out, "\tif (");
	write_is_of(out, bundle, run, "trigger");
	fprintf(out,
		") {\n\t\tint verdict = driver_run_%s(context, meters_now, from, trigger, "
		"DRIVER_USUAL);\n\n"
		"\t\tif (verdict != DRIVER_NOT_USUAL)\n\t\t\treturn verdict;\n\t}\n",
		runs[run].name);
}

static void write_others(FILE *out, enum run run)
{
	fprintf(out, "\treturn driver_run_%s(context, meters_now, from, trigger, DRIVER_OTHERS);\n",
		runs[run].name);
}

static void write_xdp(FILE *out, const struct bundle *bundle)
{
	char name[FAAS_OBJECT_NAME_BYTES];

	write_run(out, bundle, RUN_XDP);
	driver_program_name(bundle, name);
	write_program(out, "xdp.frags", name, "xdp_md", "XDP_PASS");
	write_usual(out, bundle, RUN_XDP);
	write_others(out, RUN_XDP);
	fprintf(out, "}\n");
}

/* One program for both directions; the trigger tells them apart. */
static void write_tc(FILE *out, const struct bundle *bundle)
{
	char name[FAAS_OBJECT_NAME_BYTES];

	for (enum run run = RUN_TC_INGRESS; run <= RUN_TC_EGRESS; run++)
		if (has_run(bundle, run))
			write_run(out, bundle, run);
	driver_tc_program_name(bundle, name);
	write_program(out, "tc", name, "__sk_buff", "TC_ACT_UNSPEC");
	for (enum run run = RUN_TC_INGRESS; run <= RUN_TC_EGRESS; run++)
		if (has_run(bundle, run))
			write_usual(out, bundle, run);
	if (has_run(bundle, RUN_TC_INGRESS) && has_run(bundle, RUN_TC_EGRESS)) {
		fprintf(out, "\tif (");
		write_is_of(out, bundle, RUN_TC_INGRESS, "(trigger & ~FAAS_PACKET_SAMPLED)");
		fprintf(out, ")\n\t");
		write_others(out, RUN_TC_INGRESS);
	} else if (has_run(bundle, RUN_TC_INGRESS)) {
		write_others(out, RUN_TC_INGRESS);
	}
	if (has_run(bundle, RUN_TC_EGRESS))
		write_others(out, RUN_TC_EGRESS);
	fprintf(out, "}\n");
}

void driver_write(const struct bundle *bundle, FILE *out)
{
	fprintf(out, "/* Generated from workflow %s. */\n%s#include <driver.h>\n", bundle->name,
		bundle->deadline_ns ? "#define DRIVER_SHEDS\n" : "");
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		driver_write_constants(out, bundle, i);
	fprintf(out,
		"\n#define DRIVER_FIELDS %u\nstruct driver_fields {\n\t__u64 present;\n"
		"\t__u64 values[DRIVER_FIELDS + 1];\n};\n#include <driver_apart.h>\n",
		bundle->kernel_field_count);
	driver_write_meters(out, bundle);
	if (bundle->deadline_ns)
		driver_write_shed(out, bundle);
	if (bundle->entry_count)
		driver_write_handoff_maps(out);
	for (uint32_t i = 0; i < bundle->entry_count; i++)
		driver_write_entry(out, bundle, i);
	if (driver_has_program(bundle, HOOK_XDP))
		write_xdp(out, bundle);
	if (driver_has_program(bundle, HOOK_TC_INGRESS))
		write_tc(out, bundle);
	fprintf(out, "\nchar driver_license[] SEC(\"license\") = \"Dual BSD/GPL\";\n");
}
