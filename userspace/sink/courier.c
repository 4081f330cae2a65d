// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/courier.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"
#include "loop.h"
#include "userspace/sink/courier_protocol.h"
#include "userspace/sink/feed.h"

#define DRAIN_MS_MAX (json_int_t)(10 * FAAS_DRAIN_MS)

struct client {
	struct courier *courier;
	struct feed *feed;
	struct loop_source notify;
	struct loop_timer retry;
	struct loop_timer drain; /* set: end of the time to drain */
	bool draining;
	bool ready; /* is in the queue of those whose turn comes */
	TAILQ_ENTRY(client) turn;
	TAILQ_ENTRY(client) all;
};

TAILQ_HEAD(client_list, client);

struct courier {
	struct loop loop;
	struct loop_source control;
	int control_fd;
	const char *state_directory;
	struct feed_scratch *scratch;
	struct client_list clients;
	struct client_list turns;
	bool stop;
};

/* Answers are few and small; the runtime reads them all the time. */
static void answer(const struct courier *courier, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	if (text && send(courier->control_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		logger_write(LOGGER_ERROR, "courier.answer", "error=\"%s\"", strerror(errno));
	free(text);
	json_decref(message);
}

static void make_ready(struct client *client)
{
	if (client->ready)
		return;
	client->ready = true;
	TAILQ_INSERT_TAIL(&client->courier->turns, client, turn);
}

static void on_notify(struct loop_source *source, uint32_t events)
{
	struct client *client = loop_container(source, struct client, notify);
	uint64_t count;

	(void)events;
	(void)!read(source->fd, &count, sizeof(count));
	feed_wake(client->feed);
	make_ready(client);
}

static void on_retry(struct loop_timer *timer)
{
	make_ready(loop_container(timer, struct client, retry));
}

static void drop(struct client *client)
{
	struct courier *courier = client->courier;
	int notify_fd = client->notify.fd;

	loop_remove(&courier->loop, &client->notify);
	if (notify_fd >= 0)
		close(notify_fd);
	loop_unset(&courier->loop, &client->retry);
	loop_unset(&courier->loop, &client->drain);
	if (client->ready)
		TAILQ_REMOVE(&courier->turns, client, turn);
	TAILQ_REMOVE(&courier->clients, client, all);
	feed_close(client->feed);
	free(client);
}

static void finish_remove(struct client *client)
{
	uint64_t undelivered = feed_undelivered(client->feed);
	struct courier *courier = client->courier;
	json_t *message = json_pack("{s:s, s:s, s:I}", "op", "removed", "workflow",
				    client->feed->name, "undelivered", (json_int_t)undelivered);

	feed_sync_now(client->feed);
	drop(client);
	answer(courier, message);
}

static void on_drain_end(struct loop_timer *timer)
{
	finish_remove(loop_container(timer, struct client, drain));
}

static void take_turn(struct client *client)
{
	struct courier *courier = client->courier;
	uint64_t retry_ns;

	TAILQ_REMOVE(&courier->turns, client, turn);
	client->ready = false;
	if (feed_step(client->feed, courier->scratch) ||
	    !feed_sleep(client->feed, courier->scratch)) {
		make_ready(client);
		return;
	}
	if (client->draining && feed_is_done(client->feed)) {
		finish_remove(client);
		return;
	}
	retry_ns = feed_retry_ns(client->feed);
	if (retry_ns)
		loop_set(&courier->loop, &client->retry, retry_ns, on_retry);
	else
		loop_unset(&courier->loop, &client->retry);
}

static struct client *find(struct courier *courier, const char *name)
{
	struct client *client;

	for (client = TAILQ_FIRST(&courier->clients); client; client = TAILQ_NEXT(client, all))
		if (!strcmp(client->feed->name, name))
			return client;
	return NULL;
}

static char *read_manifest(int fd, size_t *ret_bytes)
{
	char *text = malloc(FAAS_MANIFEST_BYTES_MAX);
	size_t bytes = 0;

	while (text && bytes < FAAS_MANIFEST_BYTES_MAX) {
		ssize_t got =
			pread(fd, text + bytes, FAAS_MANIFEST_BYTES_MAX - bytes, (off_t)bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	*ret_bytes = bytes;
	return text;
}

/* Descriptors came in the order of the numbers in a list: put each at its own. */
static int sort(const json_t *numbers, const int *fds, int *ret, json_int_t most)
{
	const json_t *number;
	size_t i;

	for (i = 0; i < (size_t)most; i++)
		ret[i] = -1;
	json_array_foreach (numbers, i, number) {
		json_int_t place = json_integer_value(number);

		if (!json_is_integer(number) || place < 0 || place >= most || ret[place] >= 0)
			return -EINVAL;
		ret[place] = fds[i];
	}
	return 0;
}

/* The sockets of the sinks in "udp", then the maps of the functions in "verdicts". */
static int sort_all(const json_t *message, const int *fds, unsigned int count,
		    struct feed_files *files)
{
	const json_t *udp = json_object_get(message, "udp");
	const json_t *verdicts = json_object_get(message, "verdicts");
	size_t sockets = json_array_size(udp);
	int err;

	if (count < COURIER_PASS_UDP ||
	    sockets + json_array_size(verdicts) != count - COURIER_PASS_UDP)
		return -EINVAL;
	err = sort(udp, fds + COURIER_PASS_UDP, files->udp, FAAS_SINKS_MAX);
	if (!err)
		err = sort(verdicts, fds + COURIER_PASS_UDP + sockets, files->verdict_maps,
			   FAAS_KERNEL_FUNCTIONS_MAX);
	return err;
}

/* Takes notify, space and the sockets among @p fds on success. */
static int add(struct courier *courier, const json_t *message, const char *name, const int *fds,
	       unsigned int count, struct diags *diags)
{
	struct client *client = calloc(1, sizeof(*client));
	struct bundle *bundle = NULL;
	struct feed_files files;
	char path[FAAS_PATH_BYTES];
	char *manifest = NULL;
	size_t bytes;
	int err = -1;

	if (!client) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	if (sort_all(message, fds, count, &files) || find(courier, name)) {
		diag_fail(diags, DIAG_FAILED, NULL, "the courier does not understand the runtime");
		goto cleanup;
	}
	manifest = read_manifest(fds[COURIER_PASS_MANIFEST], &bytes);
	if (!manifest) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	bundle = bundle_new(manifest, bytes, BUNDLE_MANIFEST, diags);
	if (!bundle)
		goto cleanup;
	files.log = fds[COURIER_PASS_LOG];
	files.worker_page = fds[COURIER_PASS_WORKER_PAGE];
	files.courier_page = fds[COURIER_PASS_COURIER_PAGE];
	files.space = fds[COURIER_PASS_SPACE];
	snprintf(path, sizeof(path), "%s/%s/%s", courier->state_directory, name, FEED_DEAD_LETTERS);
	/* The watch first: what feed_open takes cannot be given back. */
	if (loop_add(&courier->loop, &client->notify, fds[COURIER_PASS_NOTIFY], EPOLLIN,
		     on_notify)) {
		diag_fail(diags, DIAG_FAILED, NULL, "epoll: %s", strerror(errno));
		goto cleanup;
	}
	client->feed = feed_open(bundle, &files, path,
				 json_is_true(json_object_get(message, "strict")), diags);
	if (!client->feed) {
		loop_remove(&courier->loop, &client->notify);
		goto cleanup;
	}
	client->courier = courier;
	TAILQ_INSERT_TAIL(&courier->clients, client, all);
	make_ready(client);
	client = NULL;
	err = 0;
cleanup:
	free(manifest);
	free(bundle);
	free(client);
	return err;
}

static void handle_add(struct courier *courier, const json_t *message, const char *name,
		       const int *fds, unsigned int count)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	bool taken = diags && !add(courier, message, name, fds, count, diags);

	/* Those below notify are copied or mapped. */
	for (unsigned int i = 0; i < count; i++)
		if (!taken || i < COURIER_PASS_NOTIFY)
			close(fds[i]);
	if (taken)
		answer(courier,
		       json_pack("{s:s, s:s, s:b}", "op", "added", "workflow", name, "ok", 1));
	else
		answer(courier,
		       json_pack("{s:s, s:s, s:b, s:s, s:s}", "op", "added", "workflow", name, "ok",
				 0, "error",
				 diags && diags->count ? diags->list[0].cause : "out of memory",
				 "advice", diags && diags->count ? diags->list[0].advice : ""));
	free(diags);
}

static void handle_remove(struct courier *courier, const json_t *message, const char *name)
{
	json_int_t drain_ms = json_integer_value(json_object_get(message, "drain_ms"));
	struct client *client = find(courier, name);

	if (!client) {
		answer(courier, json_pack("{s:s, s:s, s:i}", "op", "removed", "workflow", name,
					  "undelivered", 0));
		return;
	}
	if (drain_ms < 0 || drain_ms > DRAIN_MS_MAX)
		drain_ms = FAAS_DRAIN_MS;
	client->draining = true;
	loop_set(&courier->loop, &client->drain,
		 clock_monotonic_ns() + (uint64_t)drain_ms * CLOCK_NS_PER_MS, on_drain_end);
	make_ready(client);
}

static unsigned int take_descriptors(struct msghdr *header, int *fds)
{
	unsigned int count = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		size_t bytes = part->cmsg_len - CMSG_LEN(0);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + count, CMSG_DATA(part), bytes);
		count += (unsigned int)(bytes / sizeof(int));
	}
	return count;
}

static void on_control(struct loop_source *source, uint32_t events)
{
	struct courier *courier = loop_container(source, struct courier, control);
	static char text[COURIER_MESSAGE_BYTES_MAX];
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(COURIER_PASS_MAX * sizeof(int))];
	} control;
	struct iovec vector = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr header = {.msg_iov = &vector,
				.msg_iovlen = 1,
				.msg_control = control.data,
				.msg_controllen = sizeof(control.data)};
	const char *op, *name;
	int fds[COURIER_PASS_MAX] = {-1};
	unsigned int count;
	json_t *message;
	ssize_t bytes;

	(void)events;
	bytes = recvmsg(courier->control_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		courier->stop = true;
		return;
	}
	count = take_descriptors(&header, fds);
	message = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, NULL);
	op = json_string_value(json_object_get(message, "op"));
	name = json_string_value(json_object_get(message, "workflow"));
	if (op && name && !strcmp(op, "add")) {
		handle_add(courier, message, name, fds, count);
	} else {
		for (unsigned int i = 0; i < count; i++)
			close(fds[i]);
		if (op && name && !strcmp(op, "remove"))
			handle_remove(courier, message, name);
		else
			logger_write(LOGGER_ERROR, "courier.message", "error=\"not understood\"");
	}
	json_decref(message);
}

int courier_run(int control_fd, const char *state_directory)
{
	struct courier courier = {.control_fd = control_fd, .state_directory = state_directory};
	struct client *client, *next;
	int err;

	TAILQ_INIT(&courier.clients);
	TAILQ_INIT(&courier.turns);
	courier.scratch = feed_scratch_new();
	if (!courier.scratch)
		return -ENOMEM;
	err = loop_open(&courier.loop);
	if (err)
		goto cleanup;
	err = loop_add(&courier.loop, &courier.control, control_fd, EPOLLIN, on_control);
	while (!err && !courier.stop) {
		err = loop_step(&courier.loop, TAILQ_EMPTY(&courier.turns) ? -1 : 0);
		if (err > 0)
			err = 0;
		client = TAILQ_FIRST(&courier.turns);
		if (client && !courier.stop)
			take_turn(client);
	}
	for (client = TAILQ_FIRST(&courier.clients); client; client = next) {
		next = TAILQ_NEXT(client, all);
		drop(client);
	}
	loop_close(&courier.loop);
cleanup:
	feed_scratch_free(courier.scratch);
	return err;
}
