// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Renaming an object in place: libelf writes it with a longer table of names, and
 * its BTF, in which names must be the same, is written anew by libbpf.
 */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gelf.h>

#include <ebpf_faas/describe.h>

#include "driver.h"
#include "files.h"

#define NAME_BYTES 256
#define PARAM_PREFIX "faas_param_"
/* libbpf's linker leaves out debugging sections: what is not of the program gets
 * the name of one. */
#define IGNORED ".debug_faas"

/* An object that is being renamed. */
struct object {
	const char *path;
	Elf *elf;
	size_t section_names; /* section that holds the names of sections */
	struct btf *btf;
	/* Whose function it is; NULL: the driver. */
	const struct bundle_function *function;
	char identifier[FAAS_NAME_BYTES];
	struct map_names *names;
	char *strings; /* appended to the table of symbols' names */
	size_t string_bytes;
	struct diags *diags;
};

static int fail(const struct object *object, const char *what)
{
	return diag_fail(object->diags, DIAG_FAILED,
			 "build the function again, or without --linker", "%s: %s", object->path,
			 what);
}

/* ---- new names ---- */

static bool is_changeable(const struct bundle_function *function, const char *param)
{
	for (uint32_t i = 0; i < function->param_count; i++)
		if (!strcmp(function->params[i].name, param))
			return function->params[i].changeable;
	return false;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Of a global symbol. False: it keeps its name. */
static bool rename_symbol(struct object *object, const char *name, const char *section, char *ret)
{
	const char *mark = strstr(name, "__" PARAM_PREFIX);

	if (!object->function) { /* changeable parameters have the names people know */
		if (!mark || strcmp(section, DRIVER_PARAMS_SECTION))
			return false;
		snprintf(ret, NAME_BYTES, "%.*s__%s", (int)(mark - name), name,
			 mark + strlen("__" PARAM_PREFIX));
		return true;
	}
	if (!strcmp(section, ".maps")) {
		const char *made = map_names_add(object->names, object->identifier, name);

		snprintf(ret, NAME_BYTES, "%s", made ? made : "");
	} else if (has_prefix(name, PARAM_PREFIX) &&
		   is_changeable(object->function, name + strlen(PARAM_PREFIX))) {
		snprintf(ret, NAME_BYTES, "%s__%s", object->identifier,
			 name + strlen(PARAM_PREFIX));
	} else {
		snprintf(ret, NAME_BYTES, "%s__%s", object->identifier, name);
	}
	return true;
}

/* Sections of data are the instance's own. False: it keeps its name. */
static bool rename_section(const struct object *object, const char *name, char *ret)
{
	if (!strcmp(name, FAAS_META_SECTION) || has_prefix(name, ".llvm")) {
		snprintf(ret, NAME_BYTES, "%s", IGNORED);
		return true;
	}
	if (!object->function)
		return false;
	if (has_prefix(name, ".data"))
		snprintf(ret, NAME_BYTES, ".data.%s%s", object->identifier, name + 5);
	else if (has_prefix(name, ".rodata"))
		snprintf(ret, NAME_BYTES, ".rodata.%s%s", object->identifier, name + 7);
	else if (!strcmp(name, ".bss"))
		snprintf(ret, NAME_BYTES, ".data.%s.bss", object->identifier);
	else
		return false;
	return true;
}

/* ---- tables of names ---- */

/* Append a name. Returns its offset, 0 without memory. */
static size_t append(char **table, size_t *bytes, const char *name)
{
	size_t chars = strlen(name) + 1, at = *bytes;
	char *longer = realloc(*table, at + chars);

	if (!longer)
		return 0;
	memcpy(longer + at, name, chars);
	*table = longer;
	*bytes += chars;
	return at;
}

static Elf_Data *table_of(const struct object *object, size_t section)
{
	Elf_Scn *scn = elf_getscn(object->elf, section);

	return scn ? elf_getdata(scn, NULL) : NULL;
}

static int copy_table(const struct object *object, size_t section, char **ret, size_t *ret_bytes)
{
	Elf_Data *data = table_of(object, section);

	if (!data || !data->d_size)
		return fail(object, "not an ELF object with names");
	*ret = malloc(data->d_size);
	if (!*ret)
		return fail(object, "out of memory");
	memcpy(*ret, data->d_buf, data->d_size);
	*ret_bytes = data->d_size;
	return 0;
}

static void put_table(const struct object *object, size_t section, char *table, size_t bytes)
{
	Elf_Data *data = table_of(object, section);

	data->d_buf = table;
	data->d_size = bytes;
	elf_flagdata(data, ELF_C_SET, ELF_F_DIRTY);
}

/* ---- BTF ---- */

/* Give every type of a kind and name another one. */
static int rename_types(struct object *object, bool sections, const char *from, const char *to)
{
	int added = btf__add_str(object->btf, to);

	if (added < 0)
		return fail(object, "out of memory");
	for (uint32_t i = 1; i < btf__type_cnt(object->btf); i++) {
		struct btf_type *type = (struct btf_type *)btf__type_by_id(object->btf, i);
		bool fits = sections ? btf_is_datasec(type)
				     : (btf_is_var(type) && btf_var(type)->linkage != 0) ||
					       (btf_is_func(type) && btf_vlen(type) != 0);

		if (fits && !strcmp(btf__name_by_offset(object->btf, type->name_off), from))
			type->name_off = (uint32_t)added;
	}
	return 0;
}

static Elf_Scn *find_section(const struct object *object, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(object->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, &header))
			continue;
		found = elf_strptr(object->elf, object->section_names, header.sh_name);
		if (found && !strcmp(found, name))
			return section;
	}
	return NULL;
}

static int open_btf(struct object *object)
{
	Elf_Scn *section = find_section(object, BTF_ELF_SEC);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	object->btf = data ? btf__new(data->d_buf, (uint32_t)data->d_size) : NULL;
	return object->btf ? 0 : fail(object, "it carries no BTF: compile with -g");
}

static int put_btf(struct object *object)
{
	Elf_Data *data = elf_getdata(find_section(object, BTF_ELF_SEC), NULL);
	uint32_t bytes = 0;
	const void *raw = btf__raw_data(object->btf, &bytes);

	if (!raw)
		return fail(object, "out of memory");
	data->d_buf = (void *)raw; /* lives until the object is written */
	data->d_size = bytes;
	elf_flagdata(data, ELF_C_SET, ELF_F_DIRTY);
	return 0;
}

/* ---- one object ---- */

static const char *section_name(const struct object *object, size_t index)
{
	GElf_Shdr header;
	Elf_Scn *section = index < SHN_LORESERVE ? elf_getscn(object->elf, index) : NULL;
	const char *name = NULL;

	if (section && gelf_getshdr(section, &header))
		name = elf_strptr(object->elf, object->section_names, header.sh_name);
	return name ? name : "";
}

static int rename_one_symbol(struct object *object, Elf_Data *symbols, int index,
			     const char *old_strings, size_t old_bytes)
{
	char renamed[NAME_BYTES];
	const char *name;
	GElf_Sym symbol;
	size_t at;

	if (!gelf_getsym(symbols, index, &symbol) || symbol.st_name >= old_bytes)
		return fail(object, "corrupt: a symbol without a name");
	name = old_strings + symbol.st_name;
	if (GELF_ST_BIND(symbol.st_info) == STB_LOCAL ||
	    !rename_symbol(object, name, section_name(object, symbol.st_shndx), renamed))
		return 0;
	if (!renamed[0])
		return diag_fail(object->diags, DIAG_INVALID, NULL,
				 "the functions declare more than 64 maps");
	at = append(&object->strings, &object->string_bytes, renamed);
	if (!at)
		return fail(object, "out of memory");
	if (rename_types(object, false, name, renamed))
		return -1;
	symbol.st_name = (uint32_t)at;
	if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF)
		symbol.st_other = STV_HIDDEN;
	return gelf_update_sym(symbols, index, &symbol) ? 0 : fail(object, elf_errmsg(-1));
}

static int rename_symbols(struct object *object)
{
	Elf_Scn *section = find_section(object, ".symtab");
	Elf_Data *symbols = section ? elf_getdata(section, NULL) : NULL;
	char *old = NULL;
	size_t old_bytes = 0;
	GElf_Shdr header;
	int error = 0;

	if (!symbols || !gelf_getshdr(section, &header))
		return fail(object, "it has no symbols");
	if (copy_table(object, header.sh_link, &old, &old_bytes))
		return -1;
	/* Names of sections may stand in the same table. */
	for (size_t i = 0; !error && i < symbols->d_size / sizeof(Elf64_Sym); i++)
		error = rename_one_symbol(object, symbols, (int)i, old, old_bytes);
	elf_flagdata(symbols, ELF_C_SET, ELF_F_DIRTY);
	free(old);
	return error;
}

/* What was zero by being nowhere is zero by being there: a section of data of any
 * name must have contents. */
static int fill_zeros(struct object *object, Elf_Scn *section, GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);

	if (!data)
		data = elf_newdata(section);
	if (!data)
		return fail(object, elf_errmsg(-1));
	data->d_buf = calloc(1, header->sh_size ? header->sh_size : 1);
	if (!data->d_buf)
		return fail(object, "out of memory");
	data->d_size = header->sh_size;
	data->d_type = ELF_T_BYTE;
	header->sh_type = SHT_PROGBITS;
	elf_flagdata(data, ELF_C_SET, ELF_F_DIRTY);
	return 0;
}

static int rename_sections(struct object *object)
{
	Elf_Scn *section = NULL;
	char renamed[NAME_BYTES];
	GElf_Shdr header;

	while ((section = elf_nextscn(object->elf, section))) {
		const char *name = section_name(object, elf_ndxscn(section));
		size_t at;

		if (!gelf_getshdr(section, &header) || !rename_section(object, name, renamed))
			continue;
		if (rename_types(object, true, name, renamed))
			return -1;
		at = append(&object->strings, &object->string_bytes, renamed);
		if (!at)
			return fail(object, "out of memory");
		header.sh_name = (uint32_t)at;
		if (header.sh_type == SHT_NOBITS && fill_zeros(object, section, &header))
			return -1;
		if (!gelf_update_shdr(section, &header))
			return fail(object, elf_errmsg(-1));
	}
	return 0;
}

static int rename_all(struct object *object)
{
	if (elf_getshdrstrndx(object->elf, &object->section_names) ||
	    copy_table(object, object->section_names, &object->strings, &object->string_bytes) ||
	    open_btf(object) || rename_symbols(object) || rename_sections(object) ||
	    put_btf(object))
		return -1;
	/* clang keeps all names in one table. */
	put_table(object, object->section_names, object->strings, object->string_bytes);
	if (elf_update(object->elf, ELF_C_WRITE) < 0)
		return fail(object, elf_errmsg(-1));
	return 0;
}

static int rename_object(const char *path, const struct bundle_function *function,
			 struct map_names *names, struct diags *diags)
{
	struct object object = {.path = path, .function = function, .names = names, .diags = diags};
	int fd = open(path, O_RDWR | O_CLOEXEC), error = -1;

	if (function)
		driver_identifier(function->instance, object.identifier);
	elf_version(EV_CURRENT);
	object.elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_RDWR, NULL);
	if (!object.elf)
		fail(&object, fd < 0 ? strerror(errno) : elf_errmsg(-1));
	else
		error = rename_all(&object);
	elf_end(object.elf);
	btf__free(object.btf);
	free(object.strings);
	if (fd >= 0)
		close(fd);
	return error;
}

/* ---- all of them ---- */

static char last_words[512];

static int keep_words(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN)
		vsnprintf(last_words, sizeof(last_words), format, arguments);
	return 0;
}

static int add_all(struct bpf_linker *linker, const struct bundle *bundle, const char *driver,
		   const char *scratch)
{
	char path[FAAS_PATH_BYTES];
	int error = bpf_linker__add_file(linker, driver, NULL);

	for (uint32_t i = 0; !error && i < bundle->kernel_count; i++) {
		snprintf(path, sizeof(path), "%s/link-%u.bpf.o", scratch, i);
		error = bpf_linker__add_file(linker, path, NULL);
	}
	return error ? error : bpf_linker__finalize(linker);
}

int link_objects(const char (*objects)[FAAS_PATH_BYTES], const struct bundle *bundle,
		 const char *driver, const char *scratch, const char *output,
		 struct map_names *names, struct diags *diags)
{
	libbpf_print_fn_t before;
	struct bpf_linker *linker;
	char path[FAAS_PATH_BYTES];
	int error;

	if (rename_object(driver, NULL, names, diags))
		return -1;
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		snprintf(path, sizeof(path), "%s/link-%u.bpf.o", scratch, i);
		unlink(path); /* of an earlier attempt */
		error = files_copy(objects[i], path);
		if (error)
			return diag_fail(diags, DIAG_FAILED, "is the disk full?", "%s: %s", path,
					 strerror(-error));
		if (rename_object(path, &bundle->kernel[i], names, diags))
			return -1;
	}
	last_words[0] = '\0';
	before = libbpf_set_print(keep_words);
	linker = bpf_linker__new(output, NULL);
	error = linker ? add_all(linker, bundle, driver, scratch) : -errno;
	bpf_linker__free(linker);
	libbpf_set_print(before);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "linking the functions: %s (%s)",
				 strerror(-error), last_words);
	return 0;
}
