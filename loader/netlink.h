/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Asking the kernel for lists over rtnetlink(7), in the network namespace of the
 * thread. */
#ifndef FAAS_LOADER_NETLINK_H
#define FAAS_LOADER_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include <linux/rtnetlink.h>

/* Messages carry this after their header. */
union netlink_request {
	struct ifinfomsg link;
	struct tcmsg traffic;
};

/**
 * Dump: hand every answer to @p each. @p type is RTM_GETLINK, RTM_GETTFILTER…
 * 0 or -errno.
 */
int netlink_dump(uint16_t type, const union netlink_request *request,
		 void (*each)(const struct nlmsghdr *message, void *context), void *context)
	__attribute__((warn_unused_result));

/* The attributes of @p first, @p bytes long, by type up to @p max; NULL: not there. */
void netlink_attributes(const struct rtattr *first, size_t bytes, const struct rtattr **ret,
			unsigned int max);

/* A number of 1, 2 or 4 bytes, in host order; 0 without. */
uint32_t netlink_number(const struct rtattr *attribute);

/* Copy a name; "" without. */
void netlink_text(const struct rtattr *attribute, char *ret, size_t bytes);

#endif
