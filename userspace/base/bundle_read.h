/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parts of a manifest, between the bundle_read*.c files. */
#ifndef FAAS_BASE_BUNDLE_READ_H
#define FAAS_BASE_BUNDLE_READ_H

#include "bundle.h"
#include "manifest.h"

void bundle_read_target(struct manifest_at at, struct bundle_target *ret);
void bundle_read_trigger(struct manifest_at at, struct bundle_trigger *ret);
void bundle_read_timer(struct manifest_at at, struct bundle_timer *ret);

#endif
