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

#include "map_names.h"

#define SYMBOL_BYTES MAP_SYMBOL_BYTES
#define CHOICES_DEPTH_MAX 8 /* choices of choices that are looked through */

/* Sections whose names keep their meaning in the fused object. */
#define SECTION_MAPS ".maps"
/* Functions of the driver that stay functions: loader/driver.h. */
#define APART "driver_apart_"

/* The driver's constant, and what it is when no function looks at payload in places
 * that are known: more than any packet has. */
#define CHECKED "driver_checked"
#define CHECKED_NEVER 0x10000
#define CHECKED_MAX 1024

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
			if (!is_intrinsic(name) && strcmp(name, CHECKED) && LLVMGetFirstUse(g))
				die("undefined constant", name);
			continue;
		}
		section = LLVMGetSection(g);
		if (LLVMIsGlobalConstant(g) && (!section || !section[0]))
			LLVMSetLinkage(g, LLVMInternalLinkage);
	}
}

/* A parameter, output or field number: an integer of the driver, in no section
 * that anybody could write to. */
static bool is_number(LLVMValueRef value, LLVMTypeRef type)
{
	LLVMValueRef number;
	const char *section;

	if (!LLVMIsAGlobalVariable(value) || !LLVMIsGlobalConstant(value))
		return false;
	section = LLVMGetSection(value);
	if (section && section[0])
		return false;
	number = LLVMGetInitializer(value);
	return number && LLVMIsAConstantInt(number) && LLVMTypeOf(number) == type;
}

/* Whether a load of @p type through @p pointer can only yield numbers. */
static bool leads_to_numbers(LLVMValueRef pointer, LLVMTypeRef type, unsigned int depth)
{
	if (is_number(pointer, type))
		return true;
	if (depth == CHOICES_DEPTH_MAX)
		return false;
	if (LLVMIsASelectInst(pointer))
		return leads_to_numbers(LLVMGetOperand(pointer, 1), type, depth + 1) &&
		       leads_to_numbers(LLVMGetOperand(pointer, 2), type, depth + 1);
	if (!LLVMIsAPHINode(pointer))
		return false;
	for (unsigned int i = 0; i < LLVMCountIncoming(pointer); i++)
		if (!leads_to_numbers(LLVMGetIncomingValue(pointer, i), type, depth + 1))
			return false;
	return true;
}

/* The number behind @p pointer: choose the number instead of its place. */
static LLVMValueRef number_behind(LLVMBuilderRef builder, LLVMValueRef pointer, LLVMTypeRef type)
{
	LLVMValueRef choice;

	if (LLVMIsAGlobalVariable(pointer))
		return LLVMGetInitializer(pointer);
	if (LLVMIsASelectInst(pointer)) {
		LLVMValueRef yes = number_behind(builder, LLVMGetOperand(pointer, 1), type);
		LLVMValueRef no = number_behind(builder, LLVMGetOperand(pointer, 2), type);

		LLVMPositionBuilderBefore(builder, pointer);
		return LLVMBuildSelect(builder, LLVMGetOperand(pointer, 0), yes, no, "");
	}
	LLVMPositionBuilderBefore(builder, pointer);
	choice = LLVMBuildPhi(builder, type, "");
	for (unsigned int i = 0; i < LLVMCountIncoming(pointer); i++) {
		LLVMValueRef number =
			number_behind(builder, LLVMGetIncomingValue(pointer, i), type);
		LLVMBasicBlockRef block = LLVMGetIncomingBlock(pointer, i);

		LLVMAddIncoming(choice, &number, &block, 1);
	}
	return choice;
}

/*
 * Put the driver's numbers in the place of the loads that fetch them. The
 * optimiser does so by itself for plain loads; but while it compiled a function
 * alone it may have joined "return faas_output(a)" and "return faas_output(b)"
 * to one load through a choice of addresses, and that one it never takes apart.
 */
static void fold_numbers(LLVMContextRef context, LLVMModuleRef module)
{
	LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);

	for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
		for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b;
		     b = LLVMGetNextBasicBlock(b)) {
			LLVMValueRef next;

			for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = next) {
				LLVMTypeRef type = LLVMTypeOf(i);
				LLVMValueRef pointer;

				next = LLVMGetNextInstruction(i);
				if (!LLVMIsALoadInst(i) || LLVMGetVolatile(i))
					continue;
				pointer = LLVMGetOperand(i, 0);
				if (!leads_to_numbers(pointer, type, 0))
					continue;
				LLVMReplaceAllUsesWith(i, number_behind(builder, pointer, type));
				LLVMInstructionEraseFromParent(i);
			}
		}
	}
	LLVMDisposeBuilder(builder);
}

/* ---- payload that is compared with the end of the packet once ---- */

/* The constant that @p pointer is beyond @p base, or -1. */
static long long beyond(LLVMValueRef pointer, LLVMValueRef base)
{
	long long sum = 0;

	for (;;) {
		LLVMValueRef index;

		if (pointer == base)
			return sum;
		if (LLVMIsABitCastInst(pointer)) {
			pointer = LLVMGetOperand(pointer, 0);
			continue;
		}
		if (!LLVMIsAGetElementPtrInst(pointer) || LLVMGetNumOperands(pointer) != 2 ||
		    LLVMGetTypeKind(LLVMGetGEPSourceElementType(pointer)) != LLVMIntegerTypeKind ||
		    LLVMGetIntTypeWidth(LLVMGetGEPSourceElementType(pointer)) != 8)
			return -1;
		index = LLVMGetOperand(pointer, 1);
		if (!LLVMIsAConstantInt(index) || LLVMConstIntGetSExtValue(index) < 0)
			return -1;
		sum += LLVMConstIntGetSExtValue(index);
		pointer = LLVMGetOperand(pointer, 0);
	}
}

/* What a comparison of known payload with the end of the packet asks for, in bytes;
 * -1: it is another. *ret_answer is what it yields where they are there. */
static long long asks_for(LLVMValueRef compare, LLVMValueRef payload, LLVMValueRef end,
			  bool *ret_answer)
{
	LLVMIntPredicate predicate;
	bool swapped;

	if (!LLVMIsAICmpInst(compare))
		return -1;
	swapped = LLVMGetOperand(compare, 0) == end;
	if (!swapped && LLVMGetOperand(compare, 1) != end)
		return -1;
	predicate = LLVMGetICmpPredicate(compare);
	if (predicate == (swapped ? LLVMIntULT : LLVMIntUGT))
		*ret_answer = false;
	else if (predicate == (swapped ? LLVMIntUGE : LLVMIntULE))
		*ret_answer = true;
	else
		return -1;
	return beyond(LLVMGetOperand(compare, swapped), payload);
}

/* Comparisons behind one check of the driver: find the largest, or answer all up to
 * @p checked. Those of bitcasts of the pointer are found as well. */
static long long walk_compares(LLVMValueRef function, LLVMValueRef payload, LLVMValueRef end,
			       long long checked)
{
	long long most = 0;

	for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(function); b;
	     b = LLVMGetNextBasicBlock(b)) {
		LLVMValueRef next;

		for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = next) {
			bool answer;
			long long bytes = asks_for(i, payload, end, &answer);

			next = LLVMGetNextInstruction(i);
			if (bytes <= 0 || bytes > CHECKED_MAX)
				continue;
			if (bytes > most)
				most = bytes;
			if (checked && bytes <= checked) {
				LLVMReplaceAllUsesWith(i, LLVMConstInt(LLVMTypeOf(i), answer, 0));
				LLVMInstructionEraseFromParent(i);
			}
		}
	}
	return most;
}

/* For each check "payload + driver_checked <= end of the packet" of the driver. Every
 * copy of the graph reads the packet's pointers anew, so that what is compared with
 * these two stands behind this check. */
static long long walk_checks(LLVMValueRef constant, long long checked)
{
	long long most = 0;

	for (LLVMUseRef use = LLVMGetFirstUse(constant); use; use = LLVMGetNextUse(use)) {
		LLVMValueRef load = LLVMGetUser(use);

		if (!LLVMIsALoadInst(load))
			continue;
		for (LLVMUseRef u = LLVMGetFirstUse(load); u; u = LLVMGetNextUse(u)) {
			LLVMValueRef sum = LLVMGetUser(u), compare, end, function;
			long long bytes;

			if (!LLVMIsAGetElementPtrInst(sum) || LLVMGetNumOperands(sum) != 2 ||
			    LLVMGetOperand(sum, 1) != load || !LLVMGetFirstUse(sum))
				continue;
			compare = LLVMGetUser(LLVMGetFirstUse(sum));
			if (!LLVMIsAICmpInst(compare))
				continue;
			end = LLVMGetOperand(compare, LLVMGetOperand(compare, 0) == sum);
			function = LLVMGetBasicBlockParent(LLVMGetInstructionParent(compare));
			bytes = walk_compares(function, LLVMGetOperand(sum, 0), end, checked);
			if (bytes > most)
				most = bytes;
		}
	}
	return most;
}

/* Decide how much payload the first copy of the graph is for, and leave the
 * comparisons out there. The program has been optimised before, so that places that
 * are known are constants. */
static void check_payload_once(LLVMModuleRef module)
{
	LLVMValueRef constant = LLVMGetNamedGlobal(module, CHECKED);
	long long checked;

	if (!constant)
		return;
	checked = walk_checks(constant, 0);
	if (checked)
		walk_checks(constant, checked);
	LLVMSetInitializer(constant,
			   LLVMConstInt(LLVMGlobalGetValueType(constant),
					checked ? (unsigned long long)checked : CHECKED_NEVER, 0));
	LLVMSetLinkage(constant, LLVMInternalLinkage);
	LLVMSetGlobalConstant(constant, 1);
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
	fold_numbers(context, program);
	optimise(program, machine);
	check_payload_once(program);
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
