// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bundle_names.h"

#include <arpa/inet.h>
#include <string.h>

const char *const bundle_hook_words[] = {[HOOK_XDP] = "xdp",
					 [HOOK_XDP_GENERIC] = "xdp-generic",
					 [HOOK_TC_INGRESS] = "tc-ingress",
					 [HOOK_TC_EGRESS] = "tc-egress",
					 NULL};
const char *const bundle_mode_words[] = {
	[MODE_COPY] = "copy", [MODE_TAKE] = "take", [MODE_OBSERVE] = "observe", NULL};
const char *const bundle_target_words[] = {[TARGET_KERNEL] = "kernel",
					   [TARGET_USER] = "user",
					   [TARGET_SINK] = "sink",
					   [TARGET_VERDICT] = "verdict",
					   NULL};
const char *const bundle_verdict_words[] = {[VERDICT_DROP] = "drop",
					    [VERDICT_PASS] = "pass",
					    [VERDICT_REPLY] = "reply",
					    [VERDICT_REDIRECT] = "redirect",
					    NULL};
const char *const bundle_param_type_words[] = {
	[PARAM_U32] = "u32",	       [PARAM_U64] = "u64",
	[PARAM_S64] = "s64",	       [PARAM_BOOL] = "bool",
	[PARAM_DURATION] = "duration", [PARAM_BYTES] = "bytes",
	[PARAM_DECIMAL] = "decimal",   [PARAM_F64] = "f64",
	[PARAM_CHOICE] = "choice",     [PARAM_SET] = "set",
	[PARAM_FILE] = "file",	       [PARAM_TRIGGER] = "trigger",
	[PARAM_LAYOUT] = "layout",     NULL};
const char *const bundle_layout_type_words[] = {[FAAS_LAYOUT_U8] = "u8",
						[FAAS_LAYOUT_S8] = "s8",
						[FAAS_LAYOUT_U16BE] = "u16be",
						[FAAS_LAYOUT_U16LE] = "u16le",
						[FAAS_LAYOUT_S16BE] = "s16be",
						[FAAS_LAYOUT_S16LE] = "s16le",
						[FAAS_LAYOUT_U32BE] = "u32be",
						[FAAS_LAYOUT_U32LE] = "u32le",
						[FAAS_LAYOUT_S32BE] = "s32be",
						[FAAS_LAYOUT_S32LE] = "s32le",
						[FAAS_LAYOUT_U64BE] = "u64be",
						[FAAS_LAYOUT_U64LE] = "u64le",
						[FAAS_LAYOUT_S64BE] = "s64be",
						[FAAS_LAYOUT_S64LE] = "s64le",
						[FAAS_LAYOUT_F32BE] = "f32be",
						[FAAS_LAYOUT_F32LE] = "f32le",
						[FAAS_LAYOUT_F64BE] = "f64be",
						[FAAS_LAYOUT_F64LE] = "f64le",
						NULL};
const char *const bundle_key_part_words[] = {[KEY_SOURCE_ADDRESS] = "source_address",
					     [KEY_DESTINATION_ADDRESS] = "destination_address",
					     [KEY_SOURCE_PORT] = "source_port",
					     [KEY_DESTINATION_PORT] = "destination_port",
					     [KEY_VLAN] = "vlan",
					     [KEY_PROTOCOL] = "protocol",
					     NULL};
const char *const bundle_sink_words[] = {[SINK_UDP] = "udp", [SINK_FILE] = "file", NULL};
const char *const bundle_field_type_words[] = {[FAAS_FIELD_U64] = "u64",
					       [FAAS_FIELD_S64] = "s64",
					       [FAAS_FIELD_F64] = "f64",
					       [FAAS_FIELD_DECIMAL] = "decimal",
					       NULL};
const char *const bundle_state_type_words[] = {[STATE_FIELD_UNSIGNED] = "unsigned",
					       [STATE_FIELD_SIGNED] = "signed",
					       [STATE_FIELD_FLOAT] = "float",
					       [STATE_FIELD_BOOL] = "bool",
					       [STATE_FIELD_TEXT] = "text",
					       [STATE_FIELD_BYTES] = "bytes",
					       NULL};
const char *const bundle_class_words[] = {[WORKER_THROUGHPUT] = "throughput",
					  [WORKER_LATENCY] = "latency",
					  [WORKER_ECONOMY] = "economy",
					  NULL};
const char *const bundle_state_mode_words[] = {
	[STATE_NONE] = "none", [STATE_MEMORY] = "memory", [STATE_DURABLE] = "durable", NULL};
const char *const bundle_unwritable_words[] = {"wait", "continue", NULL};
const char *const bundle_importance_words[] = {
	[IMPORTANCE_NORMAL] = "normal", [IMPORTANCE_LOW] = "low", [IMPORTANCE_HIGH] = "high", NULL};
const char *const bundle_pass_drop_words[] = {"pass", "drop", NULL};

int bundle_word(const char *const words[], const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

/* Entry @p index of a table, NULL past its end. */
static const char *word_at(const char *const words[], unsigned int index)
{
	for (unsigned int i = 0; words[i]; i++)
		if (i == index)
			return words[i];
	return NULL;
}

const char *bundle_key_part_name(enum bundle_key_part part)
{
	return word_at(bundle_key_part_words, part);
}

const char *bundle_field_type_name(enum faas_field_type type)
{
	return word_at(bundle_field_type_words, type);
}

const char *bundle_param_type_name(enum bundle_param_type type)
{
	return word_at(bundle_param_type_words, type);
}

uint32_t bundle_key_part_bytes(enum bundle_key_part part)
{
	switch (part) {
	case KEY_SOURCE_ADDRESS:
	case KEY_DESTINATION_ADDRESS:
		return 16;
	case KEY_SOURCE_PORT:
	case KEY_DESTINATION_PORT:
	case KEY_VLAN:
		return 2;
	case KEY_PROTOCOL:
		return 1;
	}
	return 0;
}

/* Locales must not change what a name is, so <ctype.h> is not used. */
static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool bundle_name_valid(const char *name)
{
	size_t chars = strlen(name);

	if (!is_lower(name[0]) || chars >= FAAS_NAME_BYTES)
		return false;
	for (size_t i = 0; i < chars; i++)
		if (!is_lower(name[i]) && !is_digit(name[i]) && name[i] != '-')
			return false;
	return true;
}

bool bundle_identifier_valid(const char *name)
{
	size_t chars = strlen(name);

	if (!is_letter(name[0]) || chars >= FAAS_IDENTIFIER_BYTES)
		return false;
	for (size_t i = 0; i < chars; i++)
		if (!is_letter(name[i]) && !is_digit(name[i]))
			return false;
	return true;
}

bool bundle_state_path_valid(const char *path, uint32_t dimensions)
{
	uint32_t arrays = 0;

	if (strlen(path) >= FAAS_STATE_PATH_BYTES)
		return false;
	for (;;) {
		if (!is_letter(*path))
			return false;
		while (is_letter(*path) || is_digit(*path))
			path++;
		for (; !strncmp(path, "[]", 2); path += 2)
			arrays++;
		if (!*path)
			return arrays == dimensions;
		if (*path++ != '.')
			return false;
	}
}

bool bundle_output_reserved(const char *name)
{
	static const char *const words[] = {
		/* C11, section 6.4.1, as far as names of outputs reach */
		"auto", "break", "case", "char", "const", "continue", "default", "do", "double",
		"else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
		"register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
		"switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm",
		"typeof",
		/* struct faas_function_meters */
		"errors", "time_ns", "time_samples", NULL};

	/* What begins with an underscore belongs to the compiler and to fillers. */
	return name[0] == '_' || bundle_word(words, name) >= 0;
}

bool bundle_interface_valid(const char *name)
{
	size_t chars = strlen(name);

	if (!chars || chars >= FAAS_INTERFACE_BYTES || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < chars; i++)
		if (name[i] == '/' || name[i] == ':' || (unsigned char)name[i] <= ' ' ||
		    name[i] == 0x7f)
			return false;
	return true;
}

bool bundle_data_path_valid(const char *path)
{
	size_t prefix = strlen(BUNDLE_DATA_PREFIX);

	if (strncmp(path, BUNDLE_DATA_PREFIX, prefix) != 0 || path[prefix] == '.' || !path[prefix])
		return false;
	for (path += prefix; *path; path++)
		if (!is_letter(*path) && !is_digit(*path) && *path != '-' && *path != '.')
			return false;
	return true;
}

bool bundle_host_valid(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

uint16_t bundle_trigger_id(const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	hash = (hash ^ hash >> 15) & BUNDLE_TRIGGER_ID_MAX;
	return hash ? (uint16_t)hash : 1;
}

bool bundle_gets_verdicts(const struct bundle *bundle, uint32_t kernel)
{
	for (uint32_t i = 0; i < bundle->user_count; i++)
		for (uint32_t k = 0; k < bundle->user[i].verdict_count; k++)
			if (bundle->user[i].verdicts[k].kernel == kernel)
				return true;
	return false;
}
