// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "netdev.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>

#include "netlink.h"

/* Generic netlink family "netdev": Documentation/netlink/specs/netdev.yaml of the kernel.
 * The header is newer than the ones we build with. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3

#define ATTRIBUTE_BYTES_MAX 16
#define ANSWER_BYTES 8192

struct request {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	struct rtattr attribute;
	char value[ATTRIBUTE_BYTES_MAX];
};

union answer {
	struct nlmsghdr header;
	char bytes[ANSWER_BYTES];
};

/* Ask with one attribute; the attributes of the answer point into @p answer. */
static int ask(int fd, uint16_t family, uint8_t command, uint16_t type, const void *value,
	       size_t bytes, union answer *answer, const struct rtattr **ret, unsigned int max)
{
	struct request request = {
		.header = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 1},
		.generic = {.cmd = command, .version = 1},
		.attribute = {.rta_len = (unsigned short)RTA_LENGTH(bytes), .rta_type = type},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t got;

	memcpy(request.value, value, bytes);
	request.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(GENL_HDRLEN + RTA_SPACE(bytes));
	if (sendto(fd, &request, request.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	do
		got = recv(fd, answer, sizeof(*answer), 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (!NLMSG_OK(&answer->header, (unsigned int)got))
		return -EPROTO;
	if (answer->header.nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(&answer->header);

		return error->error ? error->error : -EPROTO;
	}
	if (answer->header.nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EPROTO;
	netlink_attributes((const void *)((const char *)NLMSG_DATA(&answer->header) + GENL_HDRLEN),
			   answer->header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), ret, max);
	return 0;
}

int netdev_xdp_features(unsigned int index, uint64_t *ret)
{
	const struct rtattr *family[CTRL_ATTR_FAMILY_ID + 1] = {NULL};
	const struct rtattr *device[NETDEV_A_DEV_XDP_FEATURES + 1] = {NULL};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), error;
	uint32_t number = index;
	union answer answer;

	if (fd < 0)
		return -errno;
	error = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY,
		    sizeof(NETDEV_FAMILY), &answer, family, CTRL_ATTR_FAMILY_ID);
	if (error == -ENOENT || (!error && !family[CTRL_ATTR_FAMILY_ID]))
		error = -EOPNOTSUPP;
	if (!error)
		error = ask(fd, (uint16_t)netlink_number(family[CTRL_ATTR_FAMILY_ID]),
			    NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &number, sizeof(number),
			    &answer, device, NETDEV_A_DEV_XDP_FEATURES);
	if (!error && (!device[NETDEV_A_DEV_XDP_FEATURES] ||
		       RTA_PAYLOAD(device[NETDEV_A_DEV_XDP_FEATURES]) != sizeof(*ret)))
		error = -EOPNOTSUPP;
	if (!error)
		memcpy(ret, RTA_DATA(device[NETDEV_A_DEV_XDP_FEATURES]), sizeof(*ret));
	close(fd);
	return error;
}
