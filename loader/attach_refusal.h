/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Saying why the trigger tables refused a workflow. */
#ifndef FAAS_LOADER_ATTACH_REFUSAL_H
#define FAAS_LOADER_ATTACH_REFUSAL_H

#include "attach_root.h"
#include "dispatch.h"

/**
 * Report what dispatch returned: -EEXIST with @p refusal, or another -errno, for
 * rules of @p bundle at @p root. Returns -1.
 */
int refusal_report(const struct host *host, const struct bundle *bundle, const struct root *root,
		   int error, const struct dispatch_refusal *refusal, struct diags *diags);

#endif
