// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>
#include <ebpf_faas/pins.h>

#include "clock.h"
#include "paths.h"
#include "spawn.h"

/* A start is bounded by the runtime: courier and worker have their own limits. */
#define START_TIMEOUT_MS 40000
#define STOP_DRAIN_MS 250
#define STOP_TIMEOUT_MS (4 * FAAS_DRAIN_MS)
#define RUNTIME_START_MS 15000
#define RUNTIME_GONE_MS 10000
#define LOOK_EVERY_MS 10

/* What waits at most as long as SO_SNDTIMEO says is interrupted where the process was stopped and
 * goes on, though it catches no signal. The wait begins anew then. */
static int join_queue(int fd, const struct sockaddr_un *address)
{
	int err;

	do
		err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? errno : 0;
	while (err == EINTR);
	return -err;
}

static int send_text(int fd, const char *text)
{
	ssize_t sent;

	do
		sent = send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int control_connect(const char *path, struct control *ret)
{
	const struct timeval patience = {.tv_sec = CONTROL_CONNECT_MS / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err = 0;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* In a full backlog there is a queue, and those who gave up are not in it. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		err = -errno;
	if (!err)
		err = join_queue(fd, &address);
	if (err) {
		close(fd);
		return err;
	}
	ret->fd = fd;
	return 0;
}

void control_close(struct control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	control->fd = -1;
}

static int send_request(const struct control *control, const json_t *request, struct diags *diags)
{
	json_t *message = json_copy((json_t *)request);
	char *text = NULL;
	int err = 0;

	if (message && !json_object_set_new(message, "protocol", json_integer(CONTROL_PROTOCOL)))
		text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!text)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (strlen(text) > FAAS_CONTROL_MESSAGE_BYTES_MAX) {
		err = diag_fail(diags, DIAG_FAILED, NULL, "the request is too long");
	} else {
		err = send_text(control->fd, text);
		if (err)
			err = diag_fail(diags, DIAG_FAILED, NULL, "asking the runtime: %s",
					strerror(-err));
	}
	free(text);
	return err;
}

/* NULL with a diagnostic. */
static json_t *receive_answer(const struct control *control, int timeout_ms, struct diags *diags)
{
	struct pollfd readable = {.fd = control->fd, .events = POLLIN};
	char *text = malloc(FAAS_CONTROL_MESSAGE_BYTES_MAX);
	json_t *answer = NULL;
	ssize_t bytes = -1;

	if (!text) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return NULL;
	}
	if (poll(&readable, 1, timeout_ms) == 1)
		bytes = recv(control->fd, text, FAAS_CONTROL_MESSAGE_BYTES_MAX, MSG_DONTWAIT);
	else
		errno = ETIMEDOUT;
	if (bytes > 0)
		answer = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, NULL);
	if (bytes < 0)
		diag_fail(diags, DIAG_FAILED, "see " FAAS_RUN_DIRECTORY "/runtime.log",
			  "the runtime does not answer: %s", strerror(errno));
	else if (!bytes)
		diag_fail(diags, DIAG_FAILED, "see " FAAS_RUN_DIRECTORY "/runtime.log",
			  "the runtime ended before it answered");
	else if (!json_is_object(answer))
		diag_fail(diags, DIAG_FAILED, "are command and runtime of one version?",
			  "the runtime's answer is not understood");
	free(text);
	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

int control_request(struct control *control, const json_t *request, int timeout_ms, json_t **ret,
		    struct diags *diags)
{
	const char *error, *advice;
	json_t *answer;

	if (send_request(control, request, diags))
		return -1;
	answer = receive_answer(control, timeout_ms, diags);
	if (!answer)
		return -1;
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret = answer;
		return 0;
	}
	error = json_string_value(json_object_get(answer, "error"));
	advice = json_string_value(json_object_get(answer, "advice"));
	diag_fail(diags, DIAG_FAILED, advice, "%s", error ? error : "the runtime refuses");
	json_decref(answer);
	return -1;
}

/* Pid of the runtime by its lock (userspace/control/runtime_lock.h), 0: none. */
static pid_t runtime_pid(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(FAAS_RUN_RUNTIME_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	close(fd);
	return pid;
}

bool control_runtime_running(void)
{
	return runtime_pid() != 0;
}

/* One question over a connection of its own. */
static int ask_at(const char *path, const json_t *request, int timeout_ms, json_t **ret,
		  struct diags *diags)
{
	struct control control = {.fd = -1};
	int err = control_connect(path, &control);

	if (err == -EACCES || err == -EPERM)
		return diag_fail(diags, DIAG_PLATFORM, "run as root", "%s: %s", path,
				 strerror(-err));
	if (err == -EAGAIN)
		return diag_fail(diags, DIAG_FAILED, "try again",
				 "%s: others keep the runtime busy", path);
	if (err)
		return diag_fail(diags, DIAG_FAILED, NULL, "there is no runtime (%s: %s)", path,
				 strerror(-err));
	err = control_request(&control, request, timeout_ms, ret, diags);
	control_close(&control);
	return err;
}

static int ask(const json_t *request, int timeout_ms, json_t **ret, struct diags *diags)
{
	return ask_at(FAAS_RUN_SOCKET, request, timeout_ms, ret, diags);
}

int control_look(const json_t *request, json_t **ret, struct diags *diags)
{
	return ask_at(FAAS_RUN_STATUS_SOCKET, request, CONTROL_TIMEOUT_MS, ret, diags);
}

/* Takes the request. */
static int ask_taking(json_t *request, int timeout_ms, json_t **ret, struct diags *diags)
{
	int err = -1;

	if (!request)
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	else
		err = ask(request, timeout_ms, ret, diags);
	json_decref(request);
	return err;
}

/* 0: a runtime of our protocol answers; -1 with a diagnostic. */
static int greet(struct diags *diags)
{
	json_t *answer = NULL;
	json_int_t protocol;

	if (ask_taking(json_pack("{s:s}", "op", "hello"), CONTROL_TIMEOUT_MS, &answer, diags))
		return -1;
	protocol = json_integer_value(json_object_get(answer, "protocol"));
	json_decref(answer);
	if (protocol != CONTROL_PROTOCOL)
		return diag_fail(diags, DIAG_FAILED,
				 "end it with `kill PID`, what is in the kernel goes on; then "
				 "`ebpf-faas gc` starts the installed one, which takes over",
				 "the runtime that runs, pid %d, is of another version",
				 (int)runtime_pid());
	return 0;
}

/* One of another version answers, too. */
static bool is_answered(struct diags *ignored)
{
	json_t *answer = NULL;
	int err =
		ask_taking(json_pack("{s:s}", "op", "hello"), CONTROL_TIMEOUT_MS, &answer, ignored);

	json_decref(answer);
	return !err;
}

bool control_runtime_stays(void)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	uint64_t deadline = clock_monotonic_ns() + RUNTIME_GONE_MS * CLOCK_NS_PER_MS;
	struct diags *ignored = calloc(1, sizeof(*ignored));
	bool stays = true;

	while (ignored && (stays = control_runtime_running()) && !is_answered(ignored) &&
	       clock_monotonic_ns() < deadline) {
		memset(ignored, 0, sizeof(*ignored));
		nanosleep(&pause, NULL);
	}
	free(ignored);
	return stays;
}

/* Bytes that the child wrote before its end; at most room - 1. */
static void read_text(int fd, char *text, size_t room, uint64_t deadline_ns)
{
	size_t used = 0;

	while (used < room - 1) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_monotonic_ns();
		ssize_t bytes;

		if (now >= deadline_ns ||
		    poll(&readable, 1, (int)((deadline_ns - now) / CLOCK_NS_PER_MS) + 1) != 1)
			break;
		bytes = read(fd, text + used, room - 1 - used);
		if (bytes <= 0)
			break;
		used += (size_t)bytes;
	}
	while (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
}

/* Run the runtime until it is a daemon. 0, or -1 with a diagnostic. */
static int run_daemon(uint64_t deadline_ns, struct diags *diags)
{
	char path[FAAS_PATH_BYTES + 32];
	char text[512] = "";
	char *arguments[] = {path, NULL};
	static const char *const passed_on[] = {"EBPF_FAAS_FAULT", "EBPF_FAAS_GROUP"};
	char variables[2][128];
	char *environment[] = {NULL, NULL, NULL};
	int variable_count = 0;
	int fds[3];
	struct spawn spawn = {.path = path,
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = 3};
	struct spawn_end how = {.status = 1};
	int output[2] = {-1, -1};
	int pidfd = -1;
	int err = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/ebpf-faas-runtime", paths_libexec());
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		const char *value = getenv(passed_on[i]);

		if (!value)
			continue;
		snprintf(variables[variable_count], sizeof(variables[0]), "%s=%s", passed_on[i],
			 value);
		environment[variable_count] = variables[variable_count];
		variable_count++;
	}
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fds[0] < 0 || pipe2(output, O_CLOEXEC)) {
		err = -errno;
	} else {
		fds[1] = fds[2] = output[1];
		err = spawn_start(&spawn, &pid, &pidfd);
	}
	if (fds[0] >= 0)
		close(fds[0]);
	if (output[1] >= 0)
		close(output[1]);
	if (!err) {
		struct pollfd gone = {.fd = pidfd, .events = POLLIN};
		uint64_t now;

		read_text(output[0], text, sizeof(text), deadline_ns);
		now = clock_monotonic_ns();
		if (poll(&gone, 1,
			 now < deadline_ns ? (int)((deadline_ns - now) / CLOCK_NS_PER_MS) + 1
					   : 0) != 1)
			(void)!syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		(void)poll(&gone, 1, -1);
		err = spawn_reap(pidfd, &how);
		close(pidfd);
	}
	if (output[0] >= 0)
		close(output[0]);
	if (err)
		return diag_fail(diags, DIAG_FAILED, "is the installation complete?", "%s: %s",
				 path, strerror(-err));
	if (how.signal || how.status)
		return diag_fail(diags, DIAG_FAILED, "try ebpf-faas-runtime --foreground",
				 "the runtime does not start: %s",
				 text[0] ? text : "it says nothing");
	return 0;
}

int control_start_runtime(struct diags *diags)
{
	uint64_t deadline = clock_monotonic_ns() + RUNTIME_START_MS * CLOCK_NS_PER_MS;
	struct diags *tries = calloc(1, sizeof(*tries));
	int err = -1;

	if (!tries)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	/* A runtime that we find may be ending, and one that we start may meet
	 * one that somebody else started: look again then. */
	for (unsigned int i = 0; err && (i < 2 || clock_monotonic_ns() < deadline) && i < 10; i++) {
		memset(tries, 0, sizeof(*tries));
		err = greet(tries);
		if (err) {
			memset(tries, 0, sizeof(*tries));
			if (!run_daemon(deadline, tries))
				err = greet(tries);
		}
	}
	if (err)
		diag_add(diags, tries->list[0].class, NULL, 0, 0, tries->list[0].advice, "%s",
			 tries->list[0].cause);
	free(tries);
	return err;
}

int control_start(const struct control_start *start, struct diags *diags)
{
	json_t *answer = NULL;
	int err;

	err = ask_taking(json_pack("{s:s, s:s, s:I, s:I, s:s, s:b, s:I}", "op", "start", "workflow",
				   start->workflow, "generation", (json_int_t)start->generation,
				   "slot", (json_int_t)start->slot, "netns",
				   start->netns ? start->netns : "", "keep", start->keep, "rest",
				   (json_int_t)start->rest),
			 START_TIMEOUT_MS, &answer, diags);
	json_decref(answer);
	return err;
}

int control_stop(const char *workflow, struct diags *diags)
{
	json_t *answer = NULL;
	int err;

	err = ask_taking(json_pack("{s:s, s:s, s:i}", "op", "stop", "workflow", workflow,
				   "drain_ms", STOP_DRAIN_MS),
			 STOP_TIMEOUT_MS, &answer, diags);
	json_decref(answer);
	return err;
}

int control_resume(const char *workflow, struct diags *diags)
{
	json_t *answer = NULL;
	int err;

	err = ask_taking(json_pack("{s:s, s:s}", "op", "resume", "workflow", workflow),
			 CONTROL_TIMEOUT_MS, &answer, diags);
	json_decref(answer);
	return err;
}

int control_generation(const char *workflow, uint32_t *ret, struct diags *diags)
{
	char after[FAAS_NAME_BYTES] = "";
	json_t *answer = NULL, *item;
	bool more = true;
	size_t i;

	*ret = 0;
	/* In the order of names, a part at a time: an answer is bounded. */
	while (more && !*ret) {
		if (ask_taking(json_pack("{s:s, s:s}", "op", "list", "after", after),
			       CONTROL_TIMEOUT_MS, &answer, diags))
			return -1;
		more = json_is_true(json_object_get(answer, "more"));
		json_array_foreach (json_object_get(answer, "workflows"), i, item) {
			const char *name = json_string_value(json_object_get(item, "workflow"));

			snprintf(after, sizeof(after), "%s", name ? name : "");
			if (!strcmp(after, workflow))
				*ret = (uint32_t)json_integer_value(
					json_object_get(item, "generation"));
		}
		more = more && after[0];
		json_decref(answer);
	}
	return 0;
}

int control_stop_keep(const char *workflow, unsigned int drain_ms, struct control_stopped *ret,
		      struct diags *diags)
{
	json_t *answer = NULL;

	if (ask_taking(json_pack("{s:s, s:s, s:i, s:b}", "op", "stop", "workflow", workflow,
				 "drain_ms", (int)drain_ms, "keep", 1),
		       STOP_TIMEOUT_MS, &answer, diags))
		return -1;
	ret->drained = json_is_true(json_object_get(answer, "drained"));
	ret->undelivered_bytes =
		(uint64_t)json_integer_value(json_object_get(answer, "undelivered"));
	json_decref(answer);
	return 0;
}

int control_rest(const char *workflow, uint32_t *ret, struct diags *diags)
{
	json_t *answer = NULL;

	if (ask_taking(json_pack("{s:s, s:s}", "op", "status", "workflow", workflow),
		       CONTROL_TIMEOUT_MS, &answer, diags))
		return -1;
	*ret = (uint32_t)json_integer_value(json_object_get(answer, "rest"));
	json_decref(answer);
	return 0;
}

int control_undelivered(const char *workflow, json_t **ret, struct diags *diags)
{
	json_t *answer = NULL;

	if (ask_taking(json_pack("{s:s, s:s}", "op", "undelivered", "workflow", workflow),
		       CONTROL_TIMEOUT_MS, &answer, diags))
		return -1;
	*ret = json_incref(json_object_get(answer, "sinks"));
	json_decref(answer);
	return 0;
}

int control_settle(const char *workflow, uint32_t generation, struct diags *diags)
{
	json_t *answer = NULL;
	int err;

	err = ask_taking(json_pack("{s:s, s:s, s:I}", "op", "settle", "workflow", workflow,
				   "generation", (json_int_t)generation),
			 CONTROL_TIMEOUT_MS, &answer, diags);
	json_decref(answer);
	return err;
}

bool control_wait_gone(void)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	uint64_t deadline = clock_monotonic_ns() + RUNTIME_GONE_MS * CLOCK_NS_PER_MS;
	struct diags *ignored = calloc(1, sizeof(*ignored));
	pid_t pid = runtime_pid();
	json_t *answer = NULL;
	bool stays = false;
	int pidfd;

	if (pid && ignored &&
	    !ask_taking(json_pack("{s:s}", "op", "end"), CONTROL_TIMEOUT_MS, &answer, ignored)) {
		stays = json_is_true(json_object_get(answer, "stays"));
		json_decref(answer);
	}
	free(ignored);
	if (stays)
		return false;
	pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd >= 0) {
		struct pollfd gone = {.fd = pidfd, .events = POLLIN};

		(void)poll(&gone, 1, RUNTIME_GONE_MS);
		close(pidfd);
	}
	/* The pid may have been that of nobody: the lock is what counts. */
	while (runtime_pid() && clock_monotonic_ns() < deadline)
		nanosleep(&pause, NULL);
	return true;
}
