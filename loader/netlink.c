// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES (64u << 10)

static int send_request(int fd, uint16_t type, const union netlink_request *request)
{
	struct {
		struct nlmsghdr header;
		union netlink_request request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = type,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			   .nlmsg_seq = 1},
		.request = *request,
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (type == RTM_GETLINK)
		message.header.nlmsg_len = NLMSG_LENGTH(sizeof(request->link));
	if (sendto(fd, &message, message.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* One datagram of answers. 1: more follow, 0: that was all, or -errno. */
static int receive(int fd, void *buffer,
		   void (*each)(const struct nlmsghdr *message, void *context), void *context)
{
	ssize_t got = recv(fd, buffer, ANSWER_BYTES, 0);
	const struct nlmsghdr *message = buffer;
	unsigned int left;

	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	left = (unsigned int)got;
	for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(message);

			return error->error ? error->error : 0;
		}
		each(message, context);
	}
	return 1;
}

int netlink_dump(uint16_t type, const union netlink_request *request,
		 void (*each)(const struct nlmsghdr *message, void *context), void *context)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), result;
	void *buffer;

	if (fd < 0)
		return -errno;
	buffer = malloc(ANSWER_BYTES);
	result = buffer ? send_request(fd, type, request) : -ENOMEM;
	if (!result)
		do
			result = receive(fd, buffer, each, context);
		while (result > 0);
	free(buffer);
	close(fd);
	return result;
}

void netlink_attributes(const struct rtattr *first, size_t bytes, const struct rtattr **ret,
			unsigned int max)
{
	unsigned int left = (unsigned int)bytes;

	for (unsigned int i = 0; i <= max; i++)
		ret[i] = NULL;
	for (; RTA_OK(first, left); first = RTA_NEXT(first, left)) {
		unsigned int type = first->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			ret[type] = first;
	}
}

uint32_t netlink_number(const struct rtattr *attribute)
{
	uint32_t word = 0;
	uint16_t half = 0;

	if (!attribute)
		return 0;
	switch (RTA_PAYLOAD(attribute)) {
	case 1:
		return *(const uint8_t *)RTA_DATA(attribute);
	case 2:
		memcpy(&half, RTA_DATA(attribute), sizeof(half));
		return half;
	case 4:
		memcpy(&word, RTA_DATA(attribute), sizeof(word));
		return word;
	default:
		return 0;
	}
}

void netlink_text(const struct rtattr *attribute, char *ret, size_t bytes)
{
	size_t length;

	ret[0] = '\0';
	if (!attribute)
		return;
	length = RTA_PAYLOAD(attribute);
	if (length >= bytes)
		length = bytes - 1;
	memcpy(ret, RTA_DATA(attribute), length);
	ret[length] = '\0';
}
