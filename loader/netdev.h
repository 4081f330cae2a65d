/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the driver of an interface can do with XDP, as the kernel says. */
#ifndef FAAS_LOADER_NETDEV_H
#define FAAS_LOADER_NETDEV_H

#include <stdint.h>

/* It sends packets that XDP redirects to it. Drivers set and clear it as they are
 * configured; without it the kernel drops such packets. */
#define NETDEV_XDP_SENDS (UINT64_C(1) << 2)

/* The features of an interface in the thread's namespace. 0; -EOPNOTSUPP: the kernel
 * does not say (before Linux 6.3); or -errno. */
int netdev_xdp_features(unsigned int index, uint64_t *ret) __attribute__((warn_unused_result));

#endif
