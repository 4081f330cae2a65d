// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "function_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include <ebpf_faas/limits.h>

#include "paths.h"

#define VERSION_MASK 0x7fff /* the highest bit hides a version that is defined */

/* A symbol of a shared object, and the version that the linker bound it to. */
struct symbols {
	Elf_Data *data, *versions;
	size_t names; /* section with their names */
	size_t count;
};

static Elf_Scn *find_section(Elf *elf, GElf_Word type, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, ret_header) && ret_header->sh_type == type)
			return section;
	return NULL;
}

static bool open_symbols(Elf *elf, struct symbols *ret)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, SHT_DYNSYM, &header);

	*ret = (struct symbols){0};
	if (!section || header.sh_entsize != sizeof(Elf64_Sym))
		return false;
	ret->data = elf_getdata(section, NULL);
	ret->names = header.sh_link;
	ret->count = ret->data ? ret->data->d_size / sizeof(Elf64_Sym) : 0;
	section = find_section(elf, SHT_GNU_versym, &header);
	ret->versions = section ? elf_getdata(section, NULL) : NULL;
	return ret->count;
}

/* Whether the linker found it in a library, whose version of it the object then names. */
static bool is_bound(const struct symbols *symbols, size_t index)
{
	GElf_Versym version;

	return symbols->versions && gelf_getversym(symbols->versions, (int)index, &version) &&
	       (version & VERSION_MASK) > VER_NDX_GLOBAL;
}

/* What a worker has, or gets before it is closed in. All symbols of these have versions. */
static bool is_provided(const char *library)
{
	static const char *const provided[] = {"libc.so.6", "libm.so.6", "libgcc_s.so.1",
					       "libstdc++.so.6"};

	for (size_t i = 0; i < sizeof(provided) / sizeof(provided[0]); i++)
		if (!strcmp(library, provided[i]))
			return true;
	return !strncmp(library, "ld-linux", 8); /* the loader itself */
}

const char *function_symbols_library(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, SHT_DYNAMIC, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t count = data ? data->d_size / sizeof(Elf64_Dyn) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *library;
		GElf_Dyn entry;

		if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag != DT_NEEDED)
			continue;
		library = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
		if (!library || !is_provided(library))
			return library ? library : "a library without a name";
	}
	return NULL;
}

static bool defines(Elf *elf, const struct symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const char *found;
		GElf_Sym symbol;

		if (!gelf_getsym(symbols->data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
			continue;
		found = elf_strptr(elf, symbols->names, symbol.st_name);
		if (found && !strcmp(found, name))
			return true;
	}
	return false;
}

static unsigned int count_missing(Elf *elf, Elf *worker, const char **ret_name)
{
	struct symbols wanted, given;
	unsigned int count = 0;

	if (!open_symbols(elf, &wanted) || !open_symbols(worker, &given))
		return 0;
	for (size_t i = 1; i < wanted.count; i++) { /* the first is no symbol */
		const char *name;
		GElf_Sym symbol;

		if (!gelf_getsym(wanted.data, (int)i, &symbol) || symbol.st_shndx != SHN_UNDEF ||
		    GELF_ST_BIND(symbol.st_info) != STB_GLOBAL || is_bound(&wanted, i))
			continue;
		name = elf_strptr(elf, wanted.names, symbol.st_name);
		if (!name || !*name || defines(worker, &given, name))
			continue;
		if (!count++)
			*ret_name = name;
	}
	return count;
}

unsigned int function_symbols_missing(Elf *elf, const char **ret_name)
{
	char path[FAAS_PATH_BYTES];
	unsigned int count = 0;
	Elf *worker;
	int fd;

	snprintf(path, sizeof(path), "%s/ebpf-faas-worker", paths_libexec());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	worker = elf_begin(fd, ELF_C_READ, NULL);
	if (worker)
		count = count_missing(elf, worker, ret_name);
	elf_end(worker);
	close(fd);
	return count;
}
