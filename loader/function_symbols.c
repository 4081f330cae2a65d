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

/* All symbols of these have versions. */
static bool has_versions(const char *library)
{
	static const char *const prefixes[] = {"libc.so.",	"libm.so.",	  "libgcc_s.so.",
					       "libstdc++.so.", "libpthread.so.", "libdl.so.",
					       "librt.so.",	"ld-linux-"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(library, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static bool names_other_libraries(Elf *elf)
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
		if (!library || !has_versions(library))
			return true;
	}
	return false;
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

	if (names_other_libraries(elf))
		return 0;
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
