// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The messages to the courier, and the descriptors that go with them. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netsocket.h"
#include "userspace/control/courier_link.h"
#include "userspace/sink/courier_protocol.h"

/* An open file description of its own, for what others read or write, too. */
static int reopen(int fd, int flags)
{
	char path[32];
	int copy;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = open(path, flags | O_CLOEXEC);
	return copy < 0 ? -errno : copy;
}

/* Descriptors of one message. */
struct passed {
	int fds[COURIER_PASS_MAX];
	bool owned[COURIER_PASS_MAX];
	unsigned int count;
};

static int pass(struct passed *passed, int fd, bool owned)
{
	if (fd < 0)
		return fd;
	passed->fds[passed->count] = fd;
	passed->owned[passed->count++] = owned;
	return 0;
}

static int collect(const struct courier_client *client, struct passed *passed, json_t *udp,
		   json_t *verdicts)
{
	const struct supervisor *supervisor = client->supervisor;
	int err;

	err = pass(passed, copies_manifest(supervisor), true);
	if (!err)
		err = pass(passed, reopen(supervisor->files.log, O_RDONLY), true);
	if (!err)
		err = pass(passed, reopen(supervisor->files.worker_page, O_RDONLY), true);
	if (!err)
		err = pass(passed, supervisor->files.courier_page, false);
	if (!err)
		err = pass(passed, supervisor->notify, false);
	if (!err)
		err = pass(passed, supervisor->space, false);
	for (int i = 0; !err && i < FAAS_SINKS_MAX; i++) {
		int fd;

		if (!client->families[i] || client->no_namespace)
			continue;
		err = netsocket_open(client->namespace_fd, client->families[i], SOCK_DGRAM, &fd);
		if (!err)
			err = pass(passed, fd, true);
		if (!err && json_array_append_new(udp, json_integer(i)))
			err = -ENOMEM;
	}
	for (int i = 0; !err && i < FAAS_KERNEL_FUNCTIONS_MAX; i++) {
		if (supervisor->verdict_maps[i] < 0)
			continue;
		err = pass(passed, supervisor->verdict_maps[i], false);
		if (!err && json_array_append_new(verdicts, json_integer(i)))
			err = -ENOMEM;
	}
	return err;
}

static int send_with(int control, const char *text, const struct passed *passed)
{
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(COURIER_PASS_MAX * sizeof(int))];
	} buffer = {0};
	struct iovec vector = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr header = {.msg_iov = &vector,
				.msg_iovlen = 1,
				.msg_control = buffer.data,
				.msg_controllen = CMSG_SPACE(passed->count * sizeof(int))};
	struct cmsghdr *part = CMSG_FIRSTHDR(&header);

	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(passed->count * sizeof(int));
	memcpy(CMSG_DATA(part), passed->fds, passed->count * sizeof(int));
	return sendmsg(control, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int courier_tell_add(int control, const struct courier_client *client)
{
	struct passed passed = {.count = 0};
	json_t *udp = json_array(), *verdicts = json_array();
	char *text = NULL;
	json_t *message;
	int err;

	err = collect(client, &passed, udp, verdicts);
	message = json_pack("{s:s, s:s, s:b, s:o, s:o}", "op", "add", "workflow",
			    client->supervisor->name, "strict", client->strict, "udp", udp,
			    "verdicts", verdicts);
	if (!err) {
		text = message ? json_dumps(message, JSON_COMPACT) : NULL;
		err = text ? send_with(control, text, &passed) : -ENOMEM;
	}
	free(text);
	json_decref(message);
	for (unsigned int i = 0; i < passed.count; i++)
		if (passed.owned[i])
			close(passed.fds[i]);
	return err;
}

int courier_tell_remove(int control, const struct courier_client *client)
{
	json_t *message = json_pack("{s:s, s:s, s:i}", "op", "remove", "workflow",
				    client->supervisor->name, "drain_ms", (int)client->drain_ms);
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	int err = -ENOMEM;

	if (text)
		err = send(control, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
											 : 0;
	free(text);
	json_decref(message);
	return err;
}
