// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Payload that is compared with the end of the packet once. */
#include "fuse_passes.h"

#include <stdbool.h>

/* What the constant is when no function looks at payload in places that are known: more
 * than any packet has. */
#define CHECKED_NEVER 0x10000
#define CHECKED_MAX 1024

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

void fuse_check_payload_once(LLVMModuleRef module)
{
	LLVMValueRef constant = LLVMGetNamedGlobal(module, FUSE_CHECKED);
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
