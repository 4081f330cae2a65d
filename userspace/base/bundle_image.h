/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A bundle as memory has it, without its zeros: for a process of this same build that is to
 * begin with it at once. Reading a manifest takes longer than all else that a worker does
 * before its first event.
 */
#ifndef FAAS_BASE_BUNDLE_IMAGE_H
#define FAAS_BASE_BUNDLE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"

/* Longer ones are not made: it goes through a socket as one message. */
#define BUNDLE_IMAGE_BYTES_MAX (48 << 10)

/* Returns-owned: *ret, free(); NULL: it would be too long. 0 or -ENOMEM. */
int bundle_image_make(const struct bundle *bundle, void **ret, uint32_t *ret_bytes)
	__attribute__((warn_unused_result));

/* Returns-owned: *ret, free(). 0; -EINVAL: it is not one, or of another build; or -ENOMEM. */
int bundle_image_read(const void *image, size_t bytes, struct bundle **ret)
	__attribute__((warn_unused_result));

#endif
