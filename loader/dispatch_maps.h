/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The storage of dispatch.h in the pinned maps of a root program. */
#ifndef FAAS_LOADER_DISPATCH_MAPS_H
#define FAAS_LOADER_DISPATCH_MAPS_H

#include "dispatch.h"
#include "host.h"

struct dispatch_maps {
	struct dispatch_storage storage;
	const struct host *host; /* borrowed: its barrier */
	int fds[DISPATCH_MAPS];
};

/* Open the maps pinned in @p directory. 0 or -errno; *ret may be closed in any
 * case. */
int dispatch_maps_open(const struct host *host, const char *directory, struct dispatch_maps *ret)
	__attribute__((warn_unused_result));

/* The same for maps of a root program that are not pinned; copies the descriptors.
 * @p find returns the descriptor of a map by its name in pins.h, or -errno. */
int dispatch_maps_use(const struct host *host, int (*find)(void *context, const char *name),
		      void *context, struct dispatch_maps *ret) __attribute__((warn_unused_result));

void dispatch_maps_close(struct dispatch_maps *maps);

#endif
