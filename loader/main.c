// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas: the command. Verbs and options are tables; dispatch, help and the
 * checks of man page and completion run over them.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "command.h"
#include "output.h"

#define HELP_COLUMN 22 /* characters of the left column of help */

enum option_id {
	OPTION_JSON = 1 << 0,
	OPTION_NOW = 1 << 1,
	OPTION_NETNS = 1 << 2,
	OPTION_OUTPUT = 1 << 3,
	OPTION_SET = 1 << 4,
	OPTION_FUNCS = 1 << 5,
	OPTION_ALL = 1 << 6,
	OPTION_RESET = 1 << 7,
	OPTION_PACKET = 1 << 8,
	OPTION_PCAP = 1 << 9,
	OPTION_INTERFACE = 1 << 10,
	OPTION_PACE = 1 << 16,
	OPTION_HOOK = 1 << 11,
	OPTION_CONFIRM = 1 << 12,
	OPTION_LINKER = 1 << 13,
	OPTION_PURGE = 1 << 14,
	OPTION_DRY_RUN = 1 << 15,
	OPTION_OVERCOMMIT = 1 << 17,
	OPTION_DRAIN = 1 << 18,
	OPTION_WAIT = 1 << 19,
};

static const struct {
	enum option_id id;
	const char *name;
	const char *argument; /* NULL: a switch */
	const char *help;
} option_table[] = {
	{OPTION_JSON, "--json", NULL, "print one JSON value, errors too"},
	{OPTION_FUNCS, "--funcs", "DIR", "look for functions in DIR as well; may be repeated"},
	{OPTION_SET, "--set", "PATH=VALUE",
	 "replace a value of the workflow, e.g. triggers.sensors.packet.interfaces=[eth1]; may be "
	 "repeated"},
	{OPTION_NETNS, "--netns", "NAME",
	 "interfaces and sinks are those of this network namespace (ip netns)"},
	{OPTION_OUTPUT, "--output", "DIR", "directory of the bundle to make"},
	{OPTION_LINKER, "--linker", "bpf|llvm",
	 "bpf: link functions by libbpf, without the LLVM libraries; they are called, not inlined"},
	{OPTION_RESET, "--reset-state", "FUNCTION",
	 "let the state of this function of the workflow begin anew; may be repeated"},
	{OPTION_CONFIRM, "--confirm", "TIME",
	 "take it back after this time (60s) unless `ebpf-faas confirm` follows"},
	{OPTION_DRAIN, "--drain", "TIME",
	 "wait so long (5s) for sinks to deliver what the new version would write in another way"},
	{OPTION_NOW, "--now", NULL, "do not drain: what is in flight is counted and given up"},
	{OPTION_PURGE, "--purge", NULL, "delete dead letters as well, also those of before"},
	{OPTION_OVERCOMMIT, "--overcommit", NULL,
	 "go on also where the machine has too little memory or disk for it"},
	{OPTION_WAIT, "--wait", "TIME",
	 "wait so long (10s) for interfaces and network namespaces that are not there yet"},
	{OPTION_DRY_RUN, "--dry-run", NULL,
	 "change nothing; gc: say what would be removed; load: whether the workflow fits on the "
	 "machine"},
	{OPTION_ALL, "--all", NULL,
	 "every loaded workflow; deadletter: every one; state: every entry, also those of arrays "
	 "that are all zero, and beyond the first 1000"},
	{OPTION_PACKET, "--packet", "HEX", "a frame in hexadecimal, Ethernet header first"},
	{OPTION_PCAP, "--pcap", "FILE", "a capture of Ethernet frames, pcap or pcapng"},
	{OPTION_PACE, "--pace", NULL,
	 "let the packets of a capture follow each other as they did, so that windows end"},
	{OPTION_INTERFACE, "--interface", "NAME", "where the packets come in"},
	{OPTION_HOOK, "--hook", "HOOK", "xdp, xdp-generic, tc-ingress or tc-egress"},
};

#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static verb_function verb_help;

static const struct {
	const char *name;
	verb_function *run;
	const char *arguments;
	unsigned int options; /* OPTION_* that it takes */
	unsigned int arguments_min;
	unsigned int arguments_max;
	const char *help;
} verb_table[] = {
	{"build", verb_build, "FILE",
	 OPTION_JSON | OPTION_FUNCS | OPTION_SET | OPTION_OUTPUT | OPTION_LINKER, 1, 1,
	 "compile a workflow into a bundle, a directory that loads without a compiler"},
	{"validate", verb_validate, "FILE|BUNDLE", OPTION_JSON | OPTION_FUNCS | OPTION_SET, 1, 1,
	 "check a workflow and report every mistake"},
	{"load", verb_load, "FILE|BUNDLE",
	 OPTION_JSON | OPTION_FUNCS | OPTION_SET | OPTION_NETNS | OPTION_CONFIRM |
		 OPTION_OVERCOMMIT | OPTION_DRY_RUN | OPTION_RESET,
	 1, 1, "verify a workflow and attach it to its interfaces"},
	{"update", verb_update, "FILE|BUNDLE",
	 OPTION_JSON | OPTION_FUNCS | OPTION_SET | OPTION_RESET | OPTION_CONFIRM | OPTION_DRAIN |
		 OPTION_OVERCOMMIT,
	 1, 1, "replace the version of a loaded workflow; its state stays"},
	{"rollback", verb_rollback, "WORKFLOW",
	 OPTION_JSON | OPTION_RESET | OPTION_DRAIN | OPTION_OVERCOMMIT, 1, 1,
	 "the version before, or an end of the trial of this one"},
	{"confirm", verb_confirm, "WORKFLOW", OPTION_JSON, 1, 1,
	 "a version that is on trial stays"},
	{"bypass", verb_bypass, "[WORKFLOW]", OPTION_JSON | OPTION_ALL, 0, 1,
	 "packets pass without a workflow, at once; it stays loaded"},
	{"resume", verb_resume, "[WORKFLOW]", OPTION_JSON | OPTION_ALL, 0, 1,
	 "the end of a bypass, or of a quarantine"},
	{"diff", verb_diff, "WORKFLOW [FILE|BUNDLE]", OPTION_JSON | OPTION_FUNCS | OPTION_SET, 1, 2,
	 "what an update would change, or what the last one did"},
	{"history", verb_history, "WORKFLOW", OPTION_JSON, 1, 1,
	 "what became of a loaded workflow: versions, when, why"},
	{"unload", verb_unload, "WORKFLOW", OPTION_JSON | OPTION_NOW | OPTION_PURGE, 1, 1,
	 "drain a workflow, detach it and remove all of it"},
	{"restore", verb_restore, "[WORKFLOW]", OPTION_JSON | OPTION_WAIT, 0, 1,
	 "load what was loaded before a reboot, as it was"},
	{"list", verb_list, "", OPTION_JSON, 0, 0, "the loaded workflows"},
	{"status", verb_status, "[WORKFLOW]", OPTION_JSON, 0, 1,
	 "ledger, functions, sinks and processes of a workflow, or of all"},
	{"state", verb_state, "[get|list|export|import] WORKFLOW [FUNCTION [MAP|KEY|FILE]]",
	 OPTION_JSON | OPTION_ALL, 1, 4,
	 "what the functions of a workflow remember, by field names: maps of the kernel's, keys of "
	 "the user tier's"},
	{"deadletter", verb_deadletter, "list|show|replay|drop WORKFLOW [ID...]",
	 OPTION_JSON | OPTION_ALL, 2, ~0u,
	 "events that were put aside: see them, have them processed after all, or give them up"},
	{"explain", verb_explain, "[FILE|BUNDLE...]",
	 OPTION_JSON | OPTION_PACKET | OPTION_PCAP | OPTION_PACE | OPTION_INTERFACE | OPTION_HOOK |
		 OPTION_FUNCS | OPTION_SET | OPTION_NETNS,
	 0, ~0u, "which workflow takes a packet, what each function answers, and why"},
	{"set", verb_set, "WORKFLOW [FUNCTION.PARAM=VALUE...]", OPTION_JSON, 1,
	 1 + COMMAND_SETS_MAX,
	 "change parameters of a running workflow, all or none; alone: those that can be changed"},
	{"functions", verb_functions, "[FUNCTION]", OPTION_JSON | OPTION_FUNCS, 0, 1,
	 "functions of the library: tier, parameters, outputs, state"},
	{"gc", verb_gc, "", OPTION_JSON | OPTION_DRY_RUN, 0, 0,
	 "remove what killed commands left and nobody owns; start a killed runtime again"},
	{"version", verb_version, "", OPTION_JSON, 0, 0, "versions of the program and the kernel"},
	{"help", verb_help, "[VERB]", OPTION_JSON, 0, 1, "this text, or that of one verb"},
};

#define VERB_COUNT (sizeof(verb_table) / sizeof(verb_table[0]))

/* Two columns; what is too wide for the first has a line of its own. */
static void print_row(FILE *stream, const char *left, const char *right)
{
	if (strlen(left) > HELP_COLUMN)
		fprintf(stream, "  %s\n  %-*s %s\n", left, HELP_COLUMN, "", right);
	else
		fprintf(stream, "  %-*s %s\n", HELP_COLUMN, left, right);
}

static void print_options(FILE *stream, unsigned int set)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[64];

		if (!(option_table[i].id & set))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", option_table[i].name,
			 option_table[i].argument ? " " : "",
			 option_table[i].argument ? option_table[i].argument : "");
		print_row(stream, left, option_table[i].help);
	}
}

static void print_help(FILE *stream)
{
	fprintf(stream, "usage: ebpf-faas VERB [OPTIONS] [ARGUMENTS]\n\nVerbs:\n");
	for (size_t i = 0; i < VERB_COUNT; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", verb_table[i].name, verb_table[i].arguments);
		print_row(stream, left, verb_table[i].help);
	}
	fprintf(stream, "\nOptions:\n");
	print_options(stream, ~0u);
	fprintf(stream, "\nExit status: 0 done, 1 failed, 2 usage, 3 workflow invalid, "
			"4 kernel or privilege lacks something, 5 not found.\n"
			"Manual: ebpf-faas(8), ebpf-faas-workflow(5), ebpf-faas-function(7).\n");
}

static int find_verb(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (!strcmp(verb_table[i].name, name))
			return (int)i;
	return -1;
}

static json_t *help_json(void)
{
	json_t *verbs = json_array(), *options = json_array();

	for (size_t i = 0; i < VERB_COUNT; i++) {
		json_t *names = json_array();

		for (size_t k = 0; k < OPTION_COUNT; k++)
			if (verb_table[i].options & option_table[k].id)
				json_array_append_new(names, json_string(option_table[k].name));
		json_array_append_new(verbs,
				      json_pack("{s:s, s:s, s:s, s:o}", "verb", verb_table[i].name,
						"arguments", verb_table[i].arguments, "help",
						verb_table[i].help, "options", names));
	}
	for (size_t i = 0; i < OPTION_COUNT; i++)
		json_array_append_new(options,
				      json_pack("{s:s, s:s?, s:s}", "option", option_table[i].name,
						"argument", option_table[i].argument, "help",
						option_table[i].help));
	return json_pack("{s:o, s:o}", "verbs", verbs, "options", options);
}

static int verb_help(const struct options *options, struct diags *diags)
{
	int verb;

	if (options->json) {
		output_json(help_json());
		return 0;
	}
	if (!options->argument_count) {
		print_help(stdout);
		return 0;
	}
	verb = find_verb(options->arguments[0]);
	if (verb < 0) {
		diag_fail(diags, DIAG_USAGE, "`ebpf-faas help` lists them", "no verb `%s`",
			  options->arguments[0]);
		return DIAG_USAGE;
	}
	printf("usage: ebpf-faas %s [OPTIONS] %s\n\n%s\n\nOptions:\n", verb_table[verb].name,
	       verb_table[verb].arguments, verb_table[verb].help);
	print_options(stdout, verb_table[verb].options);
	return 0;
}

/* One more value of an option that may be repeated. */
static int append(const char **list, unsigned int *count, unsigned int max, const char *option,
		  const char *value, struct diags *diags)
{
	if (*count == max)
		return diag_fail(diags, DIAG_USAGE, NULL, "more than %u %s options", max, option);
	list[(*count)++] = value;
	return 0;
}

/* Store one option's value. 0, or -1 with a diagnostic. */
static int take_option(enum option_id id, const char *value, struct options *options,
		       struct diags *diags)
{
	switch (id) {
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_NOW:
		options->now = true;
		return 0;
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_PACKET:
		options->packet = value;
		return 0;
	case OPTION_PCAP:
		options->pcap = value;
		return 0;
	case OPTION_INTERFACE:
		options->interface = value;
		return 0;
	case OPTION_PACE:
		options->pace = true;
		return 0;
	case OPTION_HOOK:
		options->hook = value;
		return 0;
	case OPTION_NETNS:
		options->netns = value;
		return 0;
	case OPTION_OUTPUT:
		options->output = value;
		return 0;
	case OPTION_LINKER:
		assert(value); /* parse_option() sees to it for options with an argument */
		options->link_calls = !strcmp(value, "bpf");
		if (!options->link_calls && strcmp(value, "llvm"))
			return diag_fail(diags, DIAG_USAGE, NULL, "--linker is bpf or llvm, not %s",
					 value);
		return 0;
	case OPTION_SET:
		return append(options->sets, &options->set_count, COMMAND_SETS_MAX, "--set", value,
			      diags);
	case OPTION_FUNCS:
		return append(options->directories, &options->directory_count,
			      COMMAND_DIRECTORIES_MAX, "--funcs", value, diags);
	case OPTION_PURGE:
		options->purge = true;
		return 0;
	case OPTION_DRY_RUN:
		options->dry_run = true;
		return 0;
	case OPTION_OVERCOMMIT:
		options->overcommit = true;
		return 0;
	case OPTION_DRAIN:
		options->drain = value;
		return 0;
	case OPTION_CONFIRM:
		options->confirm = value;
		return 0;
	case OPTION_WAIT:
		options->wait = value;
		return 0;
	case OPTION_RESET:
		return append(options->resets, &options->reset_count, COMMAND_RESETS_MAX,
			      "--reset-state", value, diags);
	}
	return -1;
}

/* What @p verb takes instead of the option that it does not take. */
static int refuse_option(size_t verb, const char *option, int chars, struct diags *diags)
{
	char advice[256] = "";

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t used = strlen(advice);

		if (option_table[i].id & verb_table[verb].options)
			snprintf(advice + used, sizeof(advice) - used, "%s%s",
				 used ? ", " : "it takes ", option_table[i].name);
	}
	return diag_fail(diags, DIAG_USAGE, advice, "`%s` has no option %.*s",
			 verb_table[verb].name, chars, option);
}

/* Read one option at argv[*at] and its value. */
static int parse_option(int argc, char **argv, int *at, size_t verb, struct options *options,
			struct diags *diags)
{
	const char *argument = argv[*at];
	const char *equals = strchr(argument, '=');
	size_t chars = equals ? (size_t)(equals - argument) : strlen(argument);

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *value = NULL;

		if (strlen(option_table[i].name) != chars ||
		    strncmp(option_table[i].name, argument, chars))
			continue;
		if (!(option_table[i].id & verb_table[verb].options))
			break;
		if (!option_table[i].argument && equals)
			return diag_fail(diags, DIAG_USAGE, NULL, "%s takes no value",
					 option_table[i].name);
		if (option_table[i].argument) {
			if (equals)
				value = equals + 1;
			else if (*at + 1 < argc)
				value = argv[++*at];
			else
				return diag_fail(diags, DIAG_USAGE, NULL, "%s needs %s",
						 option_table[i].name, option_table[i].argument);
		}
		return take_option(option_table[i].id, value, options, diags);
	}
	return refuse_option(verb, argument, (int)chars, diags);
}

static int run(int argc, char **argv, struct options *options, struct diags *diags)
{
	const char **arguments = NULL;
	int verb, status = DIAG_USAGE;
	bool only_arguments = false;

	/* --json counts even if what follows is wrong: errors are JSON then. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			options->json = true;
	if (argc < 2) {
		diag_fail(diags, DIAG_USAGE, "`ebpf-faas help` lists the verbs", "no verb given");
		return DIAG_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		argv[1] = (char *)"help";
	if (!strcmp(argv[1], "--version"))
		argv[1] = (char *)"version";
	verb = find_verb(argv[1]);
	if (verb < 0) {
		diag_fail(diags, DIAG_USAGE, "`ebpf-faas help` lists them", "no verb `%s`",
			  argv[1]);
		return DIAG_USAGE;
	}
	arguments = calloc((size_t)argc, sizeof(*arguments));
	if (!arguments) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return DIAG_FAILED;
	}
	options->arguments = arguments;
	for (int i = 2; i < argc; i++) {
		if (!only_arguments && !strcmp(argv[i], "--")) {
			only_arguments = true;
			continue;
		}
		if (only_arguments || argv[i][0] != '-' || !argv[i][1]) {
			arguments[options->argument_count++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			arguments[0] = argv[1];
			options->argument_count = 1;
			status = verb_help(options, diags);
			goto cleanup;
		}
		if (parse_option(argc, argv, &i, (size_t)verb, options, diags))
			goto cleanup;
	}
	if (options->argument_count < verb_table[verb].arguments_min ||
	    options->argument_count > verb_table[verb].arguments_max) {
		diag_fail(diags, DIAG_USAGE, NULL, "usage: ebpf-faas %s [OPTIONS] %s",
			  verb_table[verb].name, verb_table[verb].arguments);
		goto cleanup;
	}
	status = verb_table[verb].run(options, diags);
cleanup:
	free(arguments);
	return status;
}

int main(int argc, char **argv)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	struct options options = {0};
	int status;

	if (!diags) {
		fprintf(stderr, "ebpf-faas: out of memory\n");
		return DIAG_FAILED;
	}
	status = run(argc, argv, &options, diags);
	if (diags->count) {
		if (options.json && status)
			output_json(output_diags(diags));
		else
			diags_print(diags, stderr);
		if (status)
			status = diags_exit_status(diags);
	}
	free(diags);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "ebpf-faas: writing to standard output: %s\n", strerror(errno));
		return DIAG_FAILED;
	}
	return status;
}
