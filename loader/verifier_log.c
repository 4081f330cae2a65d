// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "verifier_log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>
#include <linux/btf.h>

#include <ebpf_faas/pins.h>

#define LAST_LINES 6

/* .BTF.ext as the kernel documents it (Documentation/bpf/btf.rst): a header,
 * then function and line information, each by section. */
struct btf_ext_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t header_bytes;
	uint32_t func_offset;
	uint32_t func_bytes;
	uint32_t line_offset;
	uint32_t line_bytes;
};

struct btf_ext_section {
	uint32_t name_offset;
	uint32_t count;
};

struct btf_ext_line {
	uint32_t instruction_offset; /* bytes */
	uint32_t file_offset;
	uint32_t line_offset;
	uint32_t line_column; /* line << 10 | column */
};

struct place {
	char file[DIAG_FILE_BYTES];
	unsigned int line;
	unsigned int column;
};

/* Raw content of a section. Points into @p elf. */
static Elf_Data *section_data(Elf *elf, const char *wanted)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (name && !strcmp(name, wanted))
			return elf_rawdata(section, NULL);
	}
	return NULL;
}

static const char *btf_string(const Elf_Data *btf, uint32_t offset)
{
	const struct btf_header *header = btf->d_buf;
	const char *strings;

	if (btf->d_size < sizeof(*header) ||
	    (uint64_t)header->hdr_len + header->str_off + header->str_len > btf->d_size ||
	    offset >= header->str_len)
		return NULL;
	strings = (const char *)btf->d_buf + header->hdr_len + header->str_off;
	return memchr(strings + offset, 0, header->str_len - offset) ? strings + offset : NULL;
}

/* The programs of a workflow: see loader/driver.c. */
static bool is_program_section(const char *name)
{
	return !strcmp(name, "xdp.frags") || !strcmp(name, "tc");
}

/* The line information of the last record at or before @p instruction in the
 * program's section. */
static bool find_line(const Elf_Data *btf, const Elf_Data *ext, unsigned int instruction,
		      struct place *ret)
{
	const struct btf_ext_header *header = ext->d_buf;
	const struct btf_ext_line *best = NULL;
	const uint8_t *at, *end;
	uint32_t record_bytes;
	const char *file;

	if (ext->d_size < sizeof(*header) ||
	    (uint64_t)header->header_bytes + header->line_offset + header->line_bytes >
		    ext->d_size ||
	    header->line_bytes < sizeof(record_bytes))
		return false;
	at = (const uint8_t *)ext->d_buf + header->header_bytes + header->line_offset;
	end = at + header->line_bytes;
	memcpy(&record_bytes, at, sizeof(record_bytes));
	at += sizeof(record_bytes);
	if (record_bytes < sizeof(*best))
		return false;
	while (at + sizeof(struct btf_ext_section) <= end) {
		const struct btf_ext_section *section = (const void *)at;
		const char *name = btf_string(btf, section->name_offset);
		uint64_t bytes = (uint64_t)section->count * record_bytes;

		at += sizeof(*section);
		if (bytes > (uint64_t)(end - at))
			return false;
		for (uint32_t i = 0; name && is_program_section(name) && i < section->count; i++) {
			const struct btf_ext_line *line =
				(const void *)(at + (size_t)i * record_bytes);

			if (line->instruction_offset / 8 > instruction)
				break;
			/* Line 0 is what the compiler made up. */
			if (line->line_column >> 10)
				best = line;
		}
		at += bytes;
	}
	file = best ? btf_string(btf, best->file_offset) : NULL;
	if (!file)
		return false;
	snprintf(ret->file, sizeof(ret->file), "%s", file);
	ret->line = best->line_column >> 10;
	ret->column = best->line_column & 0x3ff;
	return true;
}

static bool locate(const char *object, unsigned int instruction, struct place *ret)
{
	int fd = open(object, O_RDONLY | O_CLOEXEC);
	Elf_Data *btf, *ext;
	bool found = false;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	if (elf) {
		btf = section_data(elf, ".BTF");
		ext = section_data(elf, ".BTF.ext");
		found = btf && ext && find_line(btf, ext, instruction, ret);
		elf_end(elf);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* Where newer kernels say themselves where an instruction comes from, in lines such
 * as "; code @ file.c:17". That is right also in functions that are called. */
static bool read_place(const char *log, struct place *ret)
{
	struct place place = {"", 0, 0};

	for (const char *line = log; line; line = strchr(line, '\n'), line += line ? 1 : 0) {
		const char *end = strchrnul(line, '\n'), *at;

		if (*line != ';')
			continue;
		at = memrchr(line, '@', (size_t)(end - line));
		/* Line 0 is what the compiler made up. */
		if (at && sscanf(at, "@ %127[^:\n]:%u", place.file, &place.line) == 2 && place.line)
			*ret = place;
	}
	return ret->line;
}

/* The number of the last instruction in the log: lines such as
 * "17: (71) r1 = *(u8 *)(r1 +0)". */
static bool last_instruction(const char *log, unsigned int *ret)
{
	bool found = false;

	for (const char *line = log; line; line = strchr(line, '\n'), line += line ? 1 : 0) {
		unsigned int number, code;
		int end = 0;

		if (!isdigit((unsigned char)line[0]))
			continue;
		if (sscanf(line, "%u: (%2x) %n", &number, &code, &end) == 2 && end) {
			*ret = number;
			found = true;
		}
	}
	return found;
}

/* The end of the log that says why, without the statistics. */
static void last_lines(const char *log, char *ret, size_t bytes)
{
	const char *starts[LAST_LINES];
	unsigned int count = 0;
	size_t used = 0;

	for (const char *line = log; line && *line;
	     line = strchr(line, '\n'), line += line ? 1 : 0) {
		if (*line == '\n' || !strncmp(line, "processed ", 10) ||
		    !strncmp(line, "verification time", 17) || !strncmp(line, "stack depth", 11))
			continue;
		starts[count++ % LAST_LINES] = line;
	}
	ret[0] = '\0';
	for (unsigned int i = count > LAST_LINES ? count - LAST_LINES : 0; i < count; i++) {
		const char *line = starts[i % LAST_LINES];
		const char *end = strchrnul(line, '\n');
		int written =
			snprintf(ret + used, bytes - used, "\n    %.*s", (int)(end - line), line);

		if (written < 0 || (size_t)written >= bytes - used)
			return;
		used += (size_t)written;
	}
}

/* The function whose source file this is, "funcs/NAME/NAME.bpf.c", and the
 * instances that use it. Empty if it is none's. */
static void describe_function(const struct bundle *bundle, const char *file, char *ret,
			      size_t bytes)
{
	const char *base = strrchr(file, '/');
	size_t used = 0;

	base = base ? base + 1 : file;
	ret[0] = '\0';
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];
		size_t chars = strlen(function->function);
		int written;

		if (strncmp(base, function->function, chars) || strcmp(base + chars, ".bpf.c"))
			continue;
		written = used ? snprintf(ret + used, bytes - used, ", %s", function->instance)
			       : snprintf(ret, bytes, "function %s (instance %s",
					  function->function, function->instance);
		if (written < 0 || (size_t)written >= bytes - used)
			return;
		used += (size_t)written;
	}
	if (used)
		snprintf(ret + used, bytes - used, "): ");
}

/* Keep the whole log. Returns its path in @p ret, "" if that failed. */
static void save_log(const struct bundle *bundle, const char *log, char *ret, size_t bytes)
{
	size_t length = strlen(log);
	int fd;

	snprintf(ret, bytes, "/tmp/ebpf-faas-%s-verifier-XXXXXX.log", bundle->name);
	fd = mkstemps(ret, 4);
	if (fd < 0 || write(fd, log, length) != (ssize_t)length)
		ret[0] = '\0';
	if (fd >= 0)
		close(fd);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The kernel names files without directories; the object may take an instruction of
 * a function for one of the program that calls it. */
static bool find_place(const char *object, const char *log, struct place *ret)
{
	struct place said = {"", 0, 0}, found = {"", 0, 0};
	unsigned int instruction = 0;
	bool is_found = last_instruction(log, &instruction) && locate(object, instruction, &found);
	bool is_said = read_place(log, &said);

	if (is_said && (!is_found || strcmp(base_of(found.file), base_of(said.file))))
		*ret = said;
	else if (is_found)
		*ret = found;
	return is_said || is_found;
}

void verifier_report(const struct bundle *bundle, const char *object, const char *log, int error,
		     struct diags *diags)
{
	char function[256] = "", lines[DIAG_TEXT_BYTES / 2], path[256], advice[DIAG_TEXT_BYTES];
	struct place place = {"", 0, 0};

	last_lines(log, lines, sizeof(lines));
	save_log(bundle, log, path, sizeof(path));
	if (find_place(object, log, &place))
		describe_function(bundle, place.file, function, sizeof(function));
	if (path[0])
		snprintf(advice, sizeof(advice), "the whole log of the verifier is in %s", path);
	else
		snprintf(advice, sizeof(advice), "the log could not be saved in /tmp");
	diag_add(diags, DIAG_INVALID, place.file, place.line, place.column, advice,
		 "%sthe kernel's verifier refuses the program (%s):%s", function, strerror(error),
		 lines);
}
