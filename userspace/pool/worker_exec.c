// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_exec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event_check.h"
#include "exec_frame.h"
#include "exec_hello.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/state/state_lookup.h"

#define OUT_BYTES ((size_t)FAAS_BATCH_MAX * FAAS_EXEC_EVENT_BYTES_MAX)
#define IN_BYTES ((size_t)FAAS_BATCH_MAX * FAAS_EXEC_ANSWER_BYTES_MAX)

struct worker_exec {
	const char *instance;
	int fd;
	struct exec_rules rules;
	uint8_t *out;
	uint32_t out_bytes, out_done;
	uint8_t *in;
	uint32_t in_bytes, in_done;
	const char *wrong;		     /* what it said that is no answer */
	uint8_t zeros[FAAS_STATE_BYTES_MAX]; /* the state of a new key */
	struct worker_exec_result results[FAAS_BATCH_MAX];
	uint32_t back[FAAS_BATCH_MAX];
};

_Static_assert(FAAS_EXEC_EVENT_BYTES_MAX <= FAAS_EXEC_ANSWER_BYTES_MAX, "both are bounded alike");

int worker_exec_open(struct worker *worker, uint32_t number, int fd)
{
	const struct bundle_function *description = &worker->bundle->user[number];
	struct worker_exec *exec = calloc(1, sizeof(*exec));

	if (!exec)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	exec->instance = description->instance;
	exec->fd = fd;
	exec->out = malloc(OUT_BYTES);
	exec->in = malloc(IN_BYTES);
	exec->rules.state_bytes = description->has_state ? description->state_bytes : 0;
	exec->rules.has_timer = description->has_state && description->has_timer;
	exec->rules.output_count = description->output_count;
	for (uint32_t i = 0; i < description->output_count; i++)
		exec->rules.field_counts[i] = (uint8_t)description->outputs[i].field_count;
	if (!exec->out || !exec->in || fd >= FD_SETSIZE) {
		free(exec->out);
		free(exec->in);
		free(exec);
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	}
	worker->functions[number].exec = exec;
	return 0;
}

/* ---- the socket ---- */

/* Write what there is room for. 0, -EAGAIN, or -EPIPE. */
static int write_some(struct worker_exec *exec)
{
	ssize_t bytes =
		write(exec->fd, exec->out + exec->out_done, exec->out_bytes - exec->out_done);

	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	exec->out_done += (uint32_t)bytes;
	return 0;
}

/* Read what there is. The same results. */
static int read_some(struct worker_exec *exec)
{
	ssize_t bytes;

	if (exec->in_bytes == IN_BYTES) {
		exec->wrong = "more than it was asked for";
		return -EPROTO;
	}
	bytes = read(exec->fd, exec->in + exec->in_bytes, IN_BYTES - exec->in_bytes);
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	if (!bytes)
		return -EPIPE;
	exec->in_bytes += (uint32_t)bytes;
	return 0;
}

/* For room or for an answer. The watch of time interrupts it, and ends the process. */
static void wait_for(const struct worker_exec *exec)
{
	bool writes = exec->out_done < exec->out_bytes;
	fd_set readable, writable;

	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(exec->fd, &readable);
	if (writes)
		FD_SET(exec->fd, &writable);
	(void)select(exec->fd + 1, &readable, writes ? &writable : NULL, NULL, NULL);
}

/* Write and read until a whole frame is there that was not taken yet; it is taken. 0,
 * -EPIPE, or -EPROTO with exec->wrong set. */
static int next_frame(struct worker_exec *exec, const uint8_t **ret_frame, uint32_t *ret_bytes)
{
	for (;;) {
		const uint8_t *frame = exec->in + exec->in_done;
		int err = exec_frame_bytes(frame, exec->in_bytes - exec->in_done, ret_bytes,
					   &exec->wrong);
		int wrote = -EAGAIN;

		if (!err) {
			*ret_frame = frame;
			exec->in_done += *ret_bytes;
			return 0;
		}
		if (err != -EAGAIN)
			return err;
		if (exec->out_done < exec->out_bytes)
			wrote = write_some(exec);
		/* What it said before it closed its end is read first. */
		err = read_some(exec);
		if (err != -EAGAIN && err)
			return err;
		if (err && wrote == -EPIPE)
			return -EPIPE;
		if (err && wrote)
			wait_for(exec);
	}
}

/* ---- the beginning ---- */

static int refuse_greeting(struct worker *worker, const struct worker_exec *exec, int err)
{
	return worker_fail(worker, WORKER_EXIT_LOAD, "%s: its program %s%s", exec->instance,
			   err == -EPROTO ? "answered with "
					  : "ended or closed its standard output before it "
					    "answered: the log of the runtime has what it "
					    "wrote",
			   err == -EPROTO ? exec->wrong : "");
}

int worker_exec_greet(struct worker *worker, uint32_t number)
{
	struct worker_exec *exec = worker->functions[number].exec;
	struct faas_exec_head head = {.kind = FAAS_EXEC_HELLO, .value = FAAS_EXEC_VERSION};
	char *text = exec_hello(worker->bundle, number);
	const uint8_t *frame = NULL;
	uint32_t bytes = 0;
	int err;

	if (!text || strlen(text) > OUT_BYTES - sizeof(head)) {
		free(text);
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	}
	exec->out_bytes = (uint32_t)(sizeof(head) + strlen(text));
	head.bytes = exec->out_bytes - (uint32_t)sizeof(head.bytes);
	memcpy(exec->out, &head, sizeof(head));
	memcpy(exec->out + sizeof(head), text, strlen(text));
	free(text);
	err = next_frame(exec, &frame, &bytes);
	if (err)
		return refuse_greeting(worker, exec, err);
	if (exec_frame_kind(frame) == FAAS_EXEC_FAILED)
		return worker_fail(worker, WORKER_EXIT_LOAD, "%s: %.*s", exec->instance,
				   (int)(bytes - sizeof(head)), (const char *)frame + sizeof(head));
	if (exec_frame_kind(frame) != FAAS_EXEC_HELLO || bytes != sizeof(head))
		exec->wrong = "a frame that is no HELLO: print to standard error";
	else if (exec_frame_value(frame) != FAAS_EXEC_VERSION)
		exec->wrong = "another version of the frames";
	else
		return 0;
	return refuse_greeting(worker, exec, -EPROTO);
}

/* ---- events ---- */

/* In the middle of a call: the runtime hears why, and whoever looks at the page which
 * event it was. */
static void __attribute__((noreturn, format(printf, 3, 4)))
end_worker(const struct worker *worker, int status, const char *format, ...)
{
	char message[256] = "failed ";
	size_t used = strlen(message);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message + used, sizeof(message) - used, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "component=worker event=failed status=%d reason=\"%s\"\n", status,
		      message + used);
	(void)!send(worker->control_fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL);
	_exit(status);
}

static void __attribute__((noreturn))
end_of(const struct worker *worker, const struct worker_exec *exec, int err)
{
	if (err == -EPROTO)
		end_worker(worker, WORKER_EXIT_ANSWER, "the program of %s answered with %s",
			   exec->instance, exec->wrong);
	end_worker(worker, WORKER_EXIT_PROGRAM, "the program of %s ended", exec->instance);
}

static bool same_key(const struct faas_event *a, const struct faas_event *b)
{
	return a->key_hash == b->key_hash && a->key_bytes == b->key_bytes &&
	       !memcmp(faas_event_key(a), faas_event_key(b), a->key_bytes);
}

static const uint8_t *stored_state(const struct worker *worker, uint32_t number,
				   const struct faas_event *event)
{
	const struct worker_function *function = &worker->functions[number];
	struct state_place place;
	const uint8_t *stored = state_find(
		&function->table, faas_event_key(event), event->key_bytes,
		state_hash(&function->table, faas_event_key(event), event->key_bytes), &place);

	return stored ? stored : function->exec->zeros;
}

static void write_events(struct worker *worker, uint32_t number,
			 const struct faas_event *const *events, uint32_t count)
{
	struct worker_exec *exec = worker->functions[number].exec;
	bool has_state = exec->rules.state_bytes != 0;
	uint32_t last = 0;

	exec->out_bytes = exec->out_done = 0;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *state = NULL;

		exec->back[i] = 0;
		for (uint32_t k = i; has_state && k-- > 0 && !exec->back[i];)
			if (same_key(events[k], events[i]))
				exec->back[i] = i - k;
		if (has_state && !exec->back[i])
			state = stored_state(worker, number, events[i]);
		last = exec->out_bytes;
		exec->out_bytes +=
			exec_frame_event(exec->out + last, events[i], event_bytes(events[i]), state,
					 state ? exec->rules.state_bytes : 0, exec->back[i]);
		/* It stays there: the table changes with the first event that is committed. */
		exec->results[i].before =
			state ? exec->out + exec->out_bytes - exec->rules.state_bytes : NULL;
	}
	exec_frame_mark_last(exec->out + last);
}

/* The state that the program saw with event @p index: what stood with it, or what came of
 * an earlier one. */
static void settle_state(struct worker_exec *exec, uint32_t index)
{
	struct worker_exec_result *result = &exec->results[index];
	const struct worker_exec_result *earlier = result - exec->back[index];

	if (exec->back[index])
		result->before = earlier->after ? earlier->after : earlier->before;
}

const struct worker_exec_result *worker_exec_call(struct worker *worker, uint32_t number,
						  const struct faas_event *const *events,
						  uint32_t count)
{
	struct worker_exec *exec = worker->functions[number].exec;
	int err;

	/* What is there now was not asked for. */
	exec->in_bytes = exec->in_done = 0;
	err = read_some(exec);
	if (!err) {
		exec->wrong = "more than it was asked for";
		err = -EPROTO;
	}
	if (err != -EAGAIN)
		end_of(worker, exec, err);
	write_events(worker, number, events, count);
	for (uint32_t i = 0; i < count; i++) {
		struct worker_exec_result *result = &exec->results[i];
		struct exec_answer answer;
		const uint8_t *frame;
		uint32_t bytes;

		err = next_frame(exec, &frame, &bytes);
		if (!err)
			err = exec_frame_answer(frame, bytes, &exec->rules, &answer, &exec->wrong);
		if (err)
			end_of(worker, exec, err);
		settle_state(exec, i);
		result->status = answer.status;
		result->after = answer.status ? NULL : answer.state;
		result->timer_ns = answer.timer_ns;
		result->output_count = answer.output_count;
		result->outputs = answer.outputs;
	}
	if (exec->in_done != exec->in_bytes || exec->out_done != exec->out_bytes) {
		exec->wrong = "more than it was asked for";
		end_of(worker, exec, -EPROTO);
	}
	return exec->results;
}
