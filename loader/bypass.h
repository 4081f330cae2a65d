/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The programs that stand in the slots of a workflow that is bypassed. */
#ifndef FAAS_LOADER_BYPASS_H
#define FAAS_LOADER_BYPASS_H

#include <stdint.h>

#include "host.h"

struct bpf_object;

/* Load them for a slot. Returns-owned: bpf_object__close(). 0 or -errno. */
int bypass_load(const struct host *host, uint32_t slot, struct bpf_object **ret)
	__attribute__((warn_unused_result));

/* Descriptors, borrowed from the object. */
int bypass_program(struct bpf_object *object);
int bypass_tc_program(struct bpf_object *object);

#endif
