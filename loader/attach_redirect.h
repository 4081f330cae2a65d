/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Interfaces that a workflow redirects packets to. */
#ifndef FAAS_LOADER_ATTACH_REDIRECT_H
#define FAAS_LOADER_ATTACH_REDIRECT_H

#include "bundle.h"
#include "diag.h"
#include "interface.h"
#include "record.h"

/* Whether packets that native XDP redirects there are sent. Else the kernel drops them
 * behind the program, where nobody counts them. */
int attach_check_redirects(const struct bundle *bundle, const struct record *record,
			   const struct interface_list *list, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
