// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Numbers of the driver in the place of what fetches them. */
#include "fuse_passes.h"

#include <stdbool.h>

#define CHOICES_DEPTH_MAX 8 /* choices of choices that are looked through */

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

void fuse_fold_numbers(LLVMContextRef context, LLVMModuleRef module)
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
