// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas-fuse: link a workflow's kernel functions into one BPF object.
 *
 *   ebpf-faas-fuse -o OUT.o DRIVER.bpf.o INSTANCE=FUNCTION.bpf.o ...
 *
 * Every input is a BPF object that carries its bitcode in section .llvmbc
 * (clang -fembed-bitcode=all). One function object may be named by several
 * instances: each gets its own copy of every symbol, map and data section, so
 * that no instance can reach the data of another. For each map in the result
 * one line "map INSTANCE MAP NAME" goes to standard output; NAME is unique and
 * at most 15 characters, which is what the kernel keeps of a map's name.
 *
 * It is a program of its own because it needs libLLVM, which a gateway that
 * loads ready-made bundles does not have.
 *
 * Exit status: 0 done, 1 failed (the reason is on stderr), 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/Core.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "fuse_passes.h"
#include "map_names.h"

#define SYMBOL_BYTES MAP_SYMBOL_BYTES

/* Sections whose names keep their meaning in the fused object. */
#define SECTION_MAPS ".maps"
/* Functions of the driver that stay functions: loader/driver.h. */
#define APART "driver_apart_"

#define SECTION_PARAMS ".data.params"
#define SECTION_LICENSE "license"
#define SECTION_META ".faas.meta"
#define SECTION_BITCODE ".llvmbc"

static struct map_names map_names;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "ebpf-faas-fuse: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	exit(1);
}

static const char *map_name_add(const char *instance, const char *map)
{
	const char *name = map_names_add(&map_names, instance, map);

	if (!name)
		die("the functions declare more than 64 maps", map);
	return name;
}

/* Returns-owned module, read from the bitcode section of a BPF object. */
static LLVMModuleRef read_module(LLVMContextRef context, const char *path)
{
	LLVMModuleRef module = NULL;
	Elf_Scn *section = NULL;
	size_t names;
	Elf *elf;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path, strerror(errno));
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_getshdrstrndx(elf, &names))
		die(path, "not an ELF object");
	while (!module && (section = elf_nextscn(elf, section))) {
		LLVMMemoryBufferRef bitcode;
		GElf_Shdr header;
		const char *name;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header))
			die(path, elf_errmsg(-1));
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, SECTION_BITCODE))
			continue;
		data = elf_rawdata(section, NULL);
		if (!data)
			die(path, elf_errmsg(-1));
		bitcode =
			LLVMCreateMemoryBufferWithMemoryRangeCopy(data->d_buf, data->d_size, path);
		if (LLVMParseBitcodeInContext2(context, bitcode, &module))
			die(path, "its bitcode does not parse; was it built by another LLVM?");
		LLVMDisposeMemoryBuffer(bitcode);
	}
	elf_end(elf);
	close(fd);
	if (!module)
		die(path, "no bitcode in it; build it with -fembed-bitcode=all");
	return module;
}

static void drop_global(LLVMModuleRef module, const char *name)
{
	LLVMValueRef global = LLVMGetNamedGlobal(module, name);

	if (global)
		LLVMDeleteGlobal(global);
}

static bool is_intrinsic(const char *name)
{
	return !strncmp(name, "llvm.", 5);
}

static void prefix_symbol(LLVMValueRef value, const char *instance)
{
	char renamed[2 * SYMBOL_BYTES];
	size_t bytes;
	const char *name = LLVMGetValueName2(value, &bytes);

	snprintf(renamed, sizeof(renamed), "%s__%s", instance, name);
	LLVMSetValueName2(value, renamed, strlen(renamed));
}

/*
 * Give one instance its own names and sections. Without own sections all
 * instances share one .bss map, and an index out of one instance's array into
 * the data of another passes the verifier.
 */
static void make_private(LLVMModuleRef module, const char *instance)
{
	char data_section[SYMBOL_BYTES], rodata_section[SYMBOL_BYTES];
	LLVMValueRef value, next;

	snprintf(data_section, sizeof(data_section), ".data.%s", instance);
	snprintf(rodata_section, sizeof(rodata_section), ".rodata.%s", instance);
	/* The lists that keep symbols alive name the metadata and the maps;
	 * here what is reachable from the driver is what lives. */
	drop_global(module, "llvm.used");
	drop_global(module, "llvm.compiler.used");

	for (value = LLVMGetFirstGlobal(module); value; value = next) {
		const char *section = LLVMGetSection(value);
		size_t bytes;
		const char *name = LLVMGetValueName2(value, &bytes);

		next = LLVMGetNextGlobal(value);
		if (is_intrinsic(name))
			continue;
		if (LLVMIsDeclaration(value)) { /* a constant that the driver defines */
			prefix_symbol(value, instance);
			continue;
		}
		if (section &&
		    (!strcmp(section, SECTION_META) || !strcmp(section, SECTION_LICENSE))) {
			LLVMDeleteGlobal(value);
			continue;
		}
		if (section && !strcmp(section, SECTION_MAPS)) {
			const char *short_name = map_name_add(instance, name);

			LLVMSetValueName2(value, short_name, strlen(short_name));
			LLVMSetLinkage(value, LLVMExternalLinkage);
			continue;
		}
		prefix_symbol(value, instance);
		LLVMSetSection(value, LLVMIsGlobalConstant(value) ? rodata_section : data_section);
		/* Named, so that BTF describes it: private symbols have no entry. */
		LLVMSetLinkage(value, LLVMExternalLinkage);
		LLVMSetUnnamedAddress(value, LLVMNoUnnamedAddr);
	}
	for (value = LLVMGetFirstFunction(module); value; value = LLVMGetNextFunction(value)) {
		size_t bytes;

		if (!is_intrinsic(LLVMGetValueName2(value, &bytes)))
			prefix_symbol(value, instance);
	}
}

/* Parameters that may change get the names that people know them by. */
static void name_params(LLVMModuleRef module)
{
	static const char mark[] = "__faas_param_";

	for (LLVMValueRef g = LLVMGetFirstGlobal(module); g; g = LLVMGetNextGlobal(g)) {
		const char *section = LLVMGetSection(g), *at;
		char renamed[2 * SYMBOL_BYTES];
		size_t bytes;
		const char *name = LLVMGetValueName2(g, &bytes);

		at = strstr(name, mark);
		if (!section || strcmp(section, SECTION_PARAMS) || !at)
			continue;
		snprintf(renamed, sizeof(renamed), "%.*s__%s", (int)(at - name), name,
			 at + sizeof(mark) - 1);
		LLVMSetValueName2(g, renamed, strlen(renamed));
	}
}

static bool has_attribute(LLVMValueRef function, unsigned int kind)
{
	return LLVMGetEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind) != NULL;
}

/* Inline everything but the entry programs (those that have a section), and what the
 * driver wants to be verified by itself. */
static void inline_all(LLVMContextRef context, LLVMModuleRef module)
{
	unsigned int no_inline = LLVMGetEnumAttributeKindForName("noinline", 8);
	unsigned int opt_none = LLVMGetEnumAttributeKindForName("optnone", 7);
	unsigned int always = LLVMGetEnumAttributeKindForName("alwaysinline", 12);

	for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
		size_t bytes;
		const char *section = LLVMGetSection(f);

		if (LLVMIsDeclaration(f)) {
			const char *name = LLVMGetValueName2(f, &bytes);

			if (!is_intrinsic(name) && LLVMGetFirstUse(f))
				die("undefined function", name);
			continue;
		}
		if (has_attribute(f, no_inline))
			LLVMRemoveEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, no_inline);
		if (has_attribute(f, opt_none))
			LLVMRemoveEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, opt_none);
		if (section && section[0])
			continue;
		if (!strncmp(LLVMGetValueName2(f, &bytes), APART, sizeof(APART) - 1)) {
			LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
						LLVMCreateEnumAttribute(context, no_inline, 0));
			continue;
		}
		LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
					LLVMCreateEnumAttribute(context, always, 0));
		LLVMSetLinkage(f, LLVMInternalLinkage);
	}
	/* Maps that no function uses stay: they are state a person may look at.
	 * Plain constants go, once their values are folded. */
	for (LLVMValueRef g = LLVMGetFirstGlobal(module); g; g = LLVMGetNextGlobal(g)) {
		size_t bytes;
		const char *name = LLVMGetValueName2(g, &bytes), *section;

		if (LLVMIsDeclaration(g)) {
			if (!is_intrinsic(name) && strcmp(name, FUSE_CHECKED) && LLVMGetFirstUse(g))
				die("undefined constant", name);
			continue;
		}
		section = LLVMGetSection(g);
		if (LLVMIsGlobalConstant(g) && (!section || !section[0]))
			LLVMSetLinkage(g, LLVMInternalLinkage);
	}
}

static LLVMTargetMachineRef bpf_machine(void)
{
	LLVMTargetRef target;
	char *message = NULL;

	LLVMInitializeBPFTargetInfo();
	LLVMInitializeBPFTarget();
	LLVMInitializeBPFTargetMC();
	LLVMInitializeBPFAsmPrinter();
	LLVMInitializeBPFAsmParser(); /* functions may contain assembly */
	if (LLVMGetTargetFromTriple("bpf", &target, &message))
		die("this LLVM has no BPF target", message);
	return LLVMCreateTargetMachine(target, "bpf", "v3", "", LLVMCodeGenLevelDefault,
				       LLVMRelocDefault, LLVMCodeModelDefault);
}

static void optimise(LLVMModuleRef module, LLVMTargetMachineRef machine)
{
	LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
	LLVMErrorRef error;

	error = LLVMRunPasses(module, "always-inline,globaldce,default<O2>", machine, options);
	if (error)
		die("optimising", LLVMGetErrorMessage(error));
	LLVMDisposePassBuilderOptions(options);
}

int main(int argc, char **argv)
{
	LLVMContextRef context = LLVMContextCreate();
	LLVMTargetMachineRef machine = bpf_machine();
	LLVMModuleRef program;
	char *message = NULL;

	if (argc < 4 || strcmp(argv[1], "-o")) {
		fprintf(stderr, "usage: ebpf-faas-fuse -o OUT.o DRIVER.bpf.o "
				"INSTANCE=FUNCTION.bpf.o ...\n");
		return 2;
	}
	elf_version(EV_CURRENT);
	program = read_module(context, argv[3]);
	drop_global(program, "llvm.used");
	drop_global(program, "llvm.compiler.used");
	for (int i = 4; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		LLVMModuleRef function;

		if (!equals || equals == argv[i] || equals - argv[i] >= SYMBOL_BYTES / 2) {
			fprintf(stderr, "ebpf-faas-fuse: expected INSTANCE=FILE, got %s\n",
				argv[i]);
			return 2;
		}
		*equals = '\0';
		function = read_module(context, equals + 1);
		make_private(function, argv[i]);
		if (LLVMLinkModules2(program, function))
			die("linking", argv[i]);
	}
	name_params(program);
	inline_all(context, program);
	fuse_fold_numbers(context, program);
	optimise(program, machine);
	fuse_check_payload_once(program);
	optimise(program, machine);
	if (LLVMTargetMachineEmitToFile(machine, program, argv[2], LLVMObjectFile, &message))
		die(argv[2], message);
	LLVMDisposeModule(program);
	LLVMDisposeTargetMachine(machine);
	LLVMContextDispose(context);
	for (unsigned int i = 0; i < map_names.count; i++)
		printf("map %s %s %s\n", map_names.list[i].instance, map_names.list[i].map,
		       map_names.list[i].name);
	return fflush(stdout) ? 1 : 0;
}
