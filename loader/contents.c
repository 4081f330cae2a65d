// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "contents.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/limits.h>

#define LINE_BYTES 256
#define COMPLAINTS_MAX 10
#define ADDRESS4_BITS 32
#define ADDRESS6_BITS 128
#define MAPPED_BITS (ADDRESS6_BITS - ADDRESS4_BITS) /* of ::ffff:0:0/96 */

struct parser {
	const struct contents_shape *shape;
	const char *place;
	struct diags *diags;
	unsigned int line, complaints;
	struct contents *contents;
};

static int __attribute__((format(printf, 3, 4)))
complain(struct parser *parser, const char *advice, const char *format, ...)
{
	char text[256];
	va_list arguments;

	parser->complaints++;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(parser->diags, DIAG_INVALID, parser->place, parser->line, 1, advice, "%s", text);
	return -1;
}

/* ---- keys and values ---- */

/* An address as 16 bytes. Returns how many bits one of its kind has, 0 for none. */
static unsigned int read_address(const char *text, uint8_t ret[16])
{
	memset(ret, 0, 16);
	if (inet_pton(AF_INET6, text, ret) == 1)
		return ADDRESS6_BITS;
	if (inet_pton(AF_INET, text, ret + 12) != 1)
		return 0;
	ret[10] = ret[11] = 0xff;
	return ADDRESS4_BITS;
}

static bool has_host_bits(const uint8_t address[16], unsigned int bits)
{
	for (unsigned int i = bits; i < ADDRESS6_BITS; i++)
		if (address[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

/* Key of an LPM trie: bits, then 4 or 16 bytes of address. */
static int read_prefix(struct parser *parser, char *text, uint8_t *ret)
{
	static const char advice[] = "write a prefix such as 10.0.0.0/8 or 2001:db8::/32";
	bool narrow = parser->shape->key_bytes == 8;
	char *slash = strchr(text, '/'), *end = NULL;
	unsigned int most, mapped;
	unsigned long given;
	uint8_t address[16];
	uint32_t bits;

	if (slash)
		*slash = '\0';
	most = read_address(text, address);
	given = slash ? strtoul(slash + 1, &end, 10) : most;
	if (!most || given > most || (slash && (end == slash + 1 || *end || slash[1] == '-')))
		return complain(parser, advice, "%s%s%s is not a prefix", text, slash ? "/" : "",
				slash ? slash + 1 : "");
	mapped = most == ADDRESS4_BITS ? MAPPED_BITS : 0;
	if (narrow && !mapped)
		return complain(parser, "remove it", "%s: this map holds IPv4 prefixes only", text);
	if (has_host_bits(address, (unsigned int)given + mapped))
		return complain(parser, "write the address of the network, or leave out the length",
				"%s/%lu: the address has bits behind the prefix", text, given);
	bits = (uint32_t)given + (narrow ? 0 : mapped);
	memcpy(ret, &bits, sizeof(bits));
	memcpy(ret + sizeof(bits), narrow ? address + 12 : address, narrow ? 4 : 16);
	return 0;
}

/* An integer of 1, 2, 4 or 8 bytes, in the machine's order. */
static int read_integer(struct parser *parser, const char *what, const char *text, uint32_t bytes,
			uint8_t *ret)
{
	bool negative = text[0] == '-';
	unsigned long long value;
	long long number = 0;
	char *end;

	errno = 0;
	if (negative)
		number = strtoll(text, &end, 0);
	value = negative ? (unsigned long long)number : strtoull(text, &end, 0);
	if (errno || *end || end == text || text[0] == '+')
		return complain(parser, "write a number such as 42 or 0x2a",
				"%s is not a number: %.60s", what, text);
	if (bytes < 8 && (negative ? number < -(1ll << (8 * bytes - 1)) : value >> 8 * bytes))
		return complain(parser, NULL, "%s does not fit into %u bytes: %s", what, bytes,
				text);
	memcpy(ret, &value, bytes); /* little endian */
	return 0;
}

static int read_key(struct parser *parser, char *text, uint8_t *ret)
{
	if (parser->shape->type == BPF_MAP_TYPE_LPM_TRIE)
		return read_prefix(parser, text, ret);
	if (parser->shape->key_bytes != 16)
		return read_integer(parser, "the key", text, parser->shape->key_bytes, ret);
	if (read_address(text, ret))
		return 0;
	return complain(parser, "write an address such as 10.0.0.1 or 2001:db8::1",
			"%.60s is not an address", text);
}

static int read_value(struct parser *parser, const char *text, uint8_t *ret)
{
	uint32_t bytes = parser->shape->value_bytes;

	memset(ret, 0, bytes);
	if (text && bytes > 8)
		return complain(parser, "write the key alone",
				"values of this map are no numbers: it holds %u bytes for each key",
				bytes);
	if (bytes <= 8)
		return read_integer(parser, "the value", text ? text : "1", bytes, ret);
	return 0;
}

/* ---- lines ---- */

static int read_line(struct parser *parser, char *line)
{
	const struct contents_shape *shape = parser->shape;
	struct contents *contents = parser->contents;
	bool bloom = shape->type == BPF_MAP_TYPE_BLOOM_FILTER;
	uint8_t *value = contents->values + (size_t)contents->count * shape->value_bytes;
	char *save = NULL, *key, *text;
	int error;

	key = strtok_r(line, " \t\r", &save);
	if (!key)
		return 0;
	text = strtok_r(NULL, " \t\r", &save);
	if (strtok_r(NULL, " \t\r", &save) || (bloom && text))
		return complain(parser, bloom ? "write KEY" : "write KEY or KEY VALUE",
				"more in the line than that");
	if (bloom)
		error = read_integer(parser, "the key", key, shape->value_bytes, value);
	else
		error = read_key(parser, key,
				 contents->keys + (size_t)contents->count * shape->key_bytes) ||
			read_value(parser, text, value);
	contents->count += !error;
	return error;
}

/* Whether this version can read lines for such a map. */
static int check_shape(struct parser *parser)
{
	const struct contents_shape *shape = parser->shape;
	uint32_t bytes = shape->key_bytes;

	switch (shape->type) {
	case BPF_MAP_TYPE_LPM_TRIE:
		if (bytes == 8 || bytes == 20)
			return 0;
		break;
	case BPF_MAP_TYPE_BLOOM_FILTER:
		bytes = shape->value_bytes;
		if (bytes == 16)
			break;
		__attribute__((fallthrough));
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16)
			return 0;
		break;
	default:
		return complain(parser, "use an array, hash, LRU hash, LPM trie or bloom filter",
				"a map of this type cannot be filled from a file");
	}
	return complain(parser, "see FAAS_MAP_CONTENTS in ebpf_faas/kernel.h",
			"a map with keys of %u bytes cannot be filled from a file", bytes);
}

static uint32_t count_lines(const char *text, size_t bytes)
{
	uint32_t count = 1;

	for (size_t i = 0; i < bytes; i++)
		count += text[i] == '\n';
	return count;
}

static void read_lines(struct parser *parser, const char *text, size_t bytes)
{
	const char *end = text + bytes;

	while (text < end && parser->complaints < COMPLAINTS_MAX) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t chars = (size_t)((newline ? newline : end) - text);
		const char *comment = memchr(text, '#', chars);
		size_t kept = comment ? (size_t)(comment - text) : chars;
		char line[LINE_BYTES];

		parser->line++;
		if (kept >= sizeof(line)) {
			complain(parser, "put comments behind a #", "a line of more than %d bytes",
				 LINE_BYTES - 1);
		} else {
			memcpy(line, text, kept);
			line[kept] = '\0';
			if (memchr(line, '\0', kept))
				complain(parser, "is it a text file?", "a byte 0 in the line");
			else
				(void)read_line(parser, line);
		}
		text += chars + 1;
	}
}

int contents_parse(const char *text, size_t bytes, const char *place,
		   const struct contents_shape *shape, struct contents *ret, struct diags *diags)
{
	struct contents contents = {0};
	struct parser parser = {
		.shape = shape, .place = place, .diags = diags, .contents = &contents};
	uint32_t lines = count_lines(text, bytes);

	if (check_shape(&parser))
		return -1;
	contents.keys = shape->key_bytes ? calloc(lines, shape->key_bytes) : NULL;
	contents.values = calloc(lines, shape->value_bytes);
	if (!contents.values || (shape->key_bytes && !contents.keys)) {
		contents_free(&contents);
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	}
	read_lines(&parser, text, bytes);
	if (!parser.complaints && contents.count > shape->entries_max) {
		parser.line = 0;
		complain(&parser, "raise the parameter that sizes the map, or shorten the file",
			 "it has %u entries, the map has room for %u", contents.count,
			 shape->entries_max);
	}
	if (parser.complaints) {
		contents_free(&contents);
		return -1;
	}
	*ret = contents;
	return 0;
}

void contents_free(struct contents *contents)
{
	free(contents->keys);
	free(contents->values);
	*contents = (struct contents){0};
}

/* ---- into the kernel ---- */

/* One by one where the kernel takes no batch for this type of map. */
static int update(int fd, const struct contents_shape *shape, const struct contents *contents)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t count = contents->count;

	if (!count)
		return 0;
	if (contents->keys &&
	    !bpf_map_update_batch(fd, contents->keys, contents->values, &count, &options))
		return 0;
	for (uint32_t i = 0; i < contents->count; i++) {
		const uint8_t *key = contents->keys;

		if (bpf_map_update_elem(fd, key ? key + (size_t)i * shape->key_bytes : NULL,
					contents->values + (size_t)i * shape->value_bytes, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* Returns-owned text of a whole file; NULL with a diagnostic. */
static char *read_file(const char *path, size_t *ret_bytes, struct diags *diags)
{
	FILE *stream = fopen(path, "re");
	long bytes = -1;
	char *text = NULL;

	if (stream && !fseek(stream, 0, SEEK_END))
		bytes = ftell(stream);
	if (bytes < 0 || (unsigned long)bytes > FAAS_DATA_FILE_BYTES_MAX) {
		diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path,
			  bytes < 0 ? strerror(errno) : "more than 64 MiB");
		goto cleanup;
	}
	rewind(stream);
	text = malloc((size_t)bytes + 1);
	if (!text || fread(text, 1, (size_t)bytes, stream) != (size_t)bytes) {
		diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path,
			  text ? "cannot be read whole" : "out of memory");
		free(text);
		text = NULL;
	}
	*ret_bytes = (size_t)bytes;
cleanup:
	if (stream)
		fclose(stream);
	return text;
}

/* The file as its author knows it: the parameter that names it, where there is
 * only one. */
static const char *place_of(const struct bundle_function *function, const char *path)
{
	const char *place = path;
	unsigned int count = 0;

	for (uint32_t i = 0; i < function->param_count; i++)
		if (function->params[i].type == PARAM_FILE) {
			place = function->params[i].text;
			count++;
		}
	return count == 1 ? place : path;
}

static int fill(const struct bundle_function *function, const struct bundle_map *spec,
		const char *directory, struct bpf_object *object, struct diags *diags)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, spec->name);
	struct contents_shape shape;
	struct contents contents = {0};
	char path[FAAS_PATH_BYTES];
	size_t bytes = 0;
	char *text;
	int error;

	if (!map)
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "no map %s in the bundle's kernel object", spec->name);
	snprintf(path, sizeof(path), "%s/%s", directory, spec->contents);
	text = read_file(path, &bytes, diags);
	if (!text)
		return -1;
	shape = (struct contents_shape){.type = bpf_map__type(map),
					.key_bytes = bpf_map__key_size(map),
					.value_bytes = bpf_map__value_size(map),
					.entries_max = bpf_map__max_entries(map)};
	error = contents_parse(text, bytes, place_of(function, path), &shape, &contents, diags);
	free(text);
	if (error)
		return -1;
	error = update(bpf_map__fd(map), &shape, &contents);
	contents_free(&contents);
	if (error)
		return diag_fail(diags, DIAG_FAILED,
				 error == -E2BIG ? "is there a key beyond the end of the array?"
						 : NULL,
				 "filling map %s of %s: %s", spec->map, function->instance,
				 strerror(-error));
	return 0;
}

int contents_load(const struct bundle *bundle, const char *directory, struct bpf_object *object,
		  struct diags *diags)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++) {
			const struct bundle_map *map = &bundle->kernel[i].maps[k];

			if (map->contents[0] &&
			    fill(&bundle->kernel[i], map, directory, object, diags))
				return -1;
		}
	return 0;
}
