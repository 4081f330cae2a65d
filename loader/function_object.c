// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading the objects of functions, which may be corrupt or made to do harm:
 * every offset is compared with what there is before it is used. libelf
 * compares section contents with the file's size.
 */
#include "function.h"
#include "function_layout.h"
#include "function_symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include <ebpf_faas/describe.h>

#define META_BYTES_MAX 262144
#define BITCODE_SECTION ".llvmbc"

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#error "this architecture is not supported"
#endif

struct object {
	Elf *elf;
	const char *place; /* for diagnostics: its source if there is one, else itself */
	const char *advice;
	enum function_tier tier;
	struct diags *diags;
	size_t names; /* section that holds the names of sections */
};

static int __attribute__((format(printf, 2, 3)))
complain(const struct object *object, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(object->diags, DIAG_INVALID, object->place, 0, 0, object->advice, "%s", text);
	return -1;
}

static int check_header(struct object *object)
{
	unsigned int machine = object->tier == TIER_KERNEL ? EM_BPF : HOST_MACHINE;
	unsigned int type = object->tier == TIER_KERNEL ? ET_REL : ET_DYN;
	GElf_Ehdr header;

	if (elf_kind(object->elf) != ELF_K_ELF || !gelf_getehdr(object->elf, &header))
		return complain(object, "not an ELF object");
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return complain(object, "not a 64-bit little-endian object");
	if (header.e_machine != machine)
		return complain(object, "made for machine %u, %s functions are of machine %u",
				header.e_machine, function_tier_name(object->tier), machine);
	if (header.e_type != type)
		return complain(object, object->tier == TIER_KERNEL ? "not a relocatable object"
								    : "not a shared object");
	if (elf_getshdrstrndx(object->elf, &object->names))
		return complain(object, "corrupt: the sections have no names");
	return 0;
}

/* The section named @p name, or NULL. */
static Elf_Scn *find_section(const struct object *object, const char *name, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(object->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, ret_header))
			continue;
		found = elf_strptr(object->elf, object->names, ret_header->sh_name);
		if (found && !strcmp(found, name))
			return section;
	}
	return NULL;
}

/* Contents of a section. NULL if it has none, or not as many bytes as it says. */
static const char *contents(Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data;

	if (header->sh_type == SHT_NOBITS || (header->sh_flags & SHF_COMPRESSED))
		return NULL;
	data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf || data->d_size != header->sh_size)
		return NULL;
	return data->d_buf;
}

/* Find a defined symbol in a table of type @p table. */
static bool find_symbol(const struct object *object, GElf_Word table, const char *name,
			GElf_Sym *ret)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(object->elf, section))) {
		Elf_Data *data;
		size_t count;

		if (!gelf_getshdr(section, &header) || header.sh_type != table ||
		    header.sh_entsize != sizeof(Elf64_Sym))
			continue;
		data = elf_getdata(section, NULL);
		count = data ? data->d_size / sizeof(Elf64_Sym) : 0;
		for (size_t i = 0; i < count; i++) {
			const char *found;

			if (!gelf_getsym(data, (int)i, ret) || ret->st_shndx == SHN_UNDEF)
				continue;
			found = elf_strptr(object->elf, header.sh_link, ret->st_name);
			if (found && !strcmp(found, name))
				return true;
		}
	}
	return false;
}

/* A 32-bit constant of a shared object. */
static int read_u32(const struct object *object, const char *name, uint32_t *ret)
{
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Scn *section;
	const char *data;
	uint32_t value;
	uint64_t offset;

	if (!find_symbol(object, SHT_DYNSYM, name, &symbol))
		return complain(object, "no symbol %s", name);
	section = symbol.st_shndx < SHN_LORESERVE ? elf_getscn(object->elf, symbol.st_shndx) : NULL;
	data = section && gelf_getshdr(section, &header) ? contents(section, &header) : NULL;
	if (!data || symbol.st_value < header.sh_addr)
		return complain(object, "corrupt: %s has no value", name);
	offset = symbol.st_value - header.sh_addr;
	if (offset > header.sh_size || header.sh_size - offset < sizeof(value))
		return complain(object, "corrupt: %s has no value", name);
	memcpy(&value, data + offset, sizeof(value));
	*ret = value;
	return 0;
}

static int read_meta(const struct object *object, struct function *ret)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(object, FAAS_META_SECTION, &header);
	const char *text;

	if (!section)
		return complain(object, "it declares no function: section %s is missing",
				FAAS_META_SECTION);
	if (header.sh_size > META_BYTES_MAX)
		return complain(object, "section %s has more than %d bytes", FAAS_META_SECTION,
				META_BYTES_MAX);
	text = header.sh_size ? contents(section, &header) : "";
	if (!text)
		return complain(object, "corrupt: section %s is not there as announced",
				FAAS_META_SECTION);
	return function_describe(text, header.sh_size, object->tier, object->place, ret,
				 object->diags);
}

static int check_kernel(const struct object *object)
{
	GElf_Shdr header;
	GElf_Sym symbol;

	if (!find_symbol(object, SHT_SYMTAB, "faas_event", &symbol))
		return complain(object, "it has no FAAS_EVENT");
	if (!find_section(object, BITCODE_SECTION, &header))
		return complain(object, "section %s is missing: compile with -fembed-bitcode=all",
				BITCODE_SECTION);
	return 0;
}

static int check_calls(const struct object *object)
{
	const char *name = function_symbols_library(object->elf);
	char others[32] = "";
	unsigned int missing;

	if (name)
		return complain(object,
				"it needs %.80s; functions may be linked with the C library, "
				"libm, libgcc_s and libstdc++, and must hold what else they use",
				name);
	missing = function_symbols_missing(object->elf, &name);
	if (!missing)
		return 0;
	if (missing > 1)
		snprintf(others, sizeof(others), ", nor %u other%s", missing - 1,
			 missing > 2 ? "s" : "");
	return complain(object,
			"it calls %.80s, which neither it nor ebpf_faas/user.h nor the C library "
			"defines%s",
			name, others);
}

static int check_user(const struct object *object, struct function *function)
{
	char path[FAAS_STATE_PATH_BYTES];
	GElf_Sym symbol;

	if (check_calls(object))
		return -1;

	if (!function->has_batch && !find_symbol(object, SHT_DYNSYM, "faas_on_event", &symbol))
		return complain(object, "it has no faas_on_event");
	if (find_symbol(object, SHT_DYNSYM, "faas_on_batch", &symbol) != function->has_batch)
		return complain(object, function->has_batch
						? "it declares FAAS_BATCH and has no faas_on_batch"
						: "it has faas_on_batch and does not declare "
						  "FAAS_BATCH");
	if (find_symbol(object, SHT_DYNSYM, "faas_on_timer", &symbol) != function->has_timer)
		return complain(object, function->has_timer
						? "it declares FAAS_TIMER and has no faas_on_timer"
						: "it has faas_on_timer and does not declare "
						  "FAAS_TIMER");
	if (find_symbol(object, SHT_DYNSYM, "faas_on_migrate", &symbol) != function->has_migrate)
		return complain(object,
				function->has_migrate
					? "it declares FAAS_MIGRATE and has no faas_on_migrate"
					: "it has faas_on_migrate and does not declare "
					  "FAAS_MIGRATE");
	if (function->has_migrate && !function->has_state)
		return complain(object, "it declares FAAS_MIGRATE and has no FAAS_STATE");
	if (!function->has_state)
		return 0;
	if (read_u32(object, "faas_state_bytes", &function->state_bytes))
		return -1;
	if (!function->state_bytes || function->state_bytes > FAAS_STATE_BYTES_MAX)
		return complain(object, "a state of %u bytes; 1 to %d are allowed",
				function->state_bytes, FAAS_STATE_BYTES_MAX);
	/* Without debug information a state is bytes: nothing else depends on it. */
	if (function_layout_read(object->elf, function, path) == LAYOUT_POINTER)
		return complain(object,
				"%s of its state is a pointer, which means nothing to another "
				"worker; keep an index, or what it points to",
				path);
	return 0;
}

int function_read_object(const char *path, enum function_tier tier, struct function *ret,
			 struct diags *diags)
{
	/* An object that was just made of its source lies in a scratch directory. */
	struct object object = {
		.place = ret->source[0] ? ret->source : path,
		.advice = ret->source[0] ? "see ebpf-faas-function(7)" : "build the function again",
		.tier = tier,
		.diags = diags,
	};
	struct function *function = NULL;
	int fd = -1, err = -1;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return diag_fail(diags, DIAG_FAILED, NULL, "libelf: %s", elf_errmsg(-1));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		diag_add(diags, DIAG_FAILED, path, 0, 0, NULL, "cannot read it: %s",
			 strerror(errno));
		return -1;
	}
	function = malloc(sizeof(*function));
	if (!function) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	*function = *ret;
	object.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!object.elf) {
		complain(&object, "not an ELF object: %s", elf_errmsg(-1));
		goto cleanup;
	}
	if (check_header(&object) || read_meta(&object, function))
		goto cleanup;
	if (tier == TIER_KERNEL ? check_kernel(&object) : check_user(&object, function))
		goto cleanup;
	snprintf(function->object, sizeof(function->object), "%s", path);
	*ret = *function;
	err = 0;
cleanup:
	elf_end(object.elf);
	free(function);
	close(fd);
	return err;
}
