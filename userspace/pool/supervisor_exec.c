// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "logger.h"
#include "paths.h"
#include "spawn.h"
#include "userspace/pool/cell.h"
#include "userspace/pool/program_fds.h"
#include "userspace/pool/supervisor.h"
#include "userspace/pool/supervisor_cell.h"
#include "userspace/pool/supervisor_process.h"
#include "userspace/pool/worker_landlock.h"

/* How long a killed process may take to be gone, and one that closed its output. */
#define GONE_MS 5000
#define CLOSED_MS 50
#define BUFFER_BYTES (1 << 20) /* of a socket, each way */

struct program {
	struct supervisor *supervisor;
	char instance[FAAS_NAME_BYTES];
	bool exists; /* this function is a program */
	int channel;
	struct loop_source exit; /* pidfd; -1: no process */
	bool ended;		 /* by itself */
	struct spawn_end end;
};

struct programs {
	uint32_t count; /* user functions */
	bool killed_worker;
	struct program list[];
};

int programs_prepare(struct supervisor *supervisor, const struct bundle *bundle)
{
	struct programs *programs;
	bool any = false;

	for (uint32_t i = 0; i < bundle->user_count; i++)
		any |= bundle->user[i].exec.argument_count != 0;
	if (!any)
		return 0;
	programs = calloc(1, sizeof(*programs) + bundle->user_count * sizeof(programs->list[0]));
	if (!programs)
		return -ENOMEM;
	programs->count = bundle->user_count;
	for (uint32_t i = 0; i < programs->count; i++) {
		struct program *program = &programs->list[i];

		program->supervisor = supervisor;
		program->exists = bundle->user[i].exec.argument_count != 0;
		memcpy(program->instance, bundle->user[i].instance, sizeof(program->instance));
		program->channel = program->exit.fd = -1;
	}
	supervisor->programs = programs;
	return 0;
}

bool programs_has(const struct supervisor *supervisor, uint32_t number)
{
	return supervisor->programs && supervisor->programs->list[number].exists;
}

int programs_channel(const struct supervisor *supervisor, uint32_t number)
{
	return supervisor->programs->list[number].channel;
}

void programs_close_channels(struct supervisor *supervisor)
{
	struct programs *programs = supervisor->programs;

	for (uint32_t i = 0; programs && i < programs->count; i++) {
		if (programs->list[i].channel >= 0)
			close(programs->list[i].channel);
		programs->list[i].channel = -1;
	}
}

/* Its process is gone. */
static void take_end(struct program *program)
{
	int fd = program->exit.fd;

	if (spawn_reap(fd, &program->end))
		return;
	program->ended = true;
	loop_remove(program->supervisor->loop, &program->exit);
	close(fd);
	program->exit.fd = -1;
}

void programs_look(struct supervisor *supervisor)
{
	struct programs *programs = supervisor->programs;
	uint64_t attempt = 0;
	bool gone = false;

	for (uint32_t i = 0; programs && i < programs->count; i++)
		gone |= programs->list[i].ended;
	if (!gone || supervisor->state != SUPERVISOR_RUNNING || programs->killed_worker)
		return;
	/* A worker that is at an event sees it by itself, and it counts for the event. */
	(void)!pread(supervisor->files.worker_page, &attempt, sizeof(attempt),
		     offsetof(struct worker_page, attempt_position));
	if (attempt)
		return;
	programs->killed_worker = true;
	process_kill(supervisor);
}

static void on_end(struct loop_source *source, uint32_t events)
{
	struct program *program = loop_container(source, struct program, exit);

	(void)events;
	take_end(program);
	if (program->ended)
		programs_look(program->supervisor);
}

static void set_buffers(int fd)
{
	const int bytes = BUFFER_BYTES;

	/* With less it works, in smaller pieces. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
}

/* @p holder: of the cell, -1: there is none. */
static int enter(struct program *program, uint32_t number, int socket, int output, int holder,
		 uint32_t namespaces)
{
	struct supervisor *supervisor = program->supervisor;
	bool bounded = supervisor->cgroup.limits & PAGE_LIMIT_CGROUP_MEMORY;
	char path[FAAS_PATH_BYTES + 32];
	char texts[4][24];
	char *arguments[] = {
		(char *)"ebpf-faas-program", texts[0], texts[1], texts[2], texts[3], NULL};
	char *environment[] = {NULL};
	const int fds[PROGRAM_FDS] = {
		socket,
		socket,
		output,
		[PROGRAM_FD_MANIFEST] = supervisor->manifest,
		[PROGRAM_FD_FILES] = supervisor->objects[number],
		[PROGRAM_FD_HOLDER] = holder,
	};
	const struct spawn spawn = {
		.path = path,
		.arguments = arguments,
		.environment = environment,
		.fds = fds,
		.fd_count = holder < 0 ? PROGRAM_FD_HOLDER : PROGRAM_FDS,
		.joins = supervisor->cgroup.joins,
		.join_count = supervisor->cgroup.join_count,
		.pids_of = holder >= 0 && namespaces & CLONE_NEWPID ? holder : 0,
	};
	int pidfd = -1, err;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/ebpf-faas-program", paths_libexec());
	snprintf(texts[0], sizeof(texts[0]), "%u", FAAS_PROGRAM_UID_BASE + supervisor->slot);
	snprintf(texts[1], sizeof(texts[1]), "%u", number);
	snprintf(texts[2], sizeof(texts[2]), "%llu",
		 bounded ? 0ull : (unsigned long long)supervisor->memory_bytes);
	snprintf(texts[3], sizeof(texts[3]), "%u", namespaces);
	err = spawn_start(&spawn, &pid, &pidfd);
	if (err)
		return err;
	err = loop_add(supervisor->loop, &program->exit, pidfd, EPOLLIN, on_end);
	if (err)
		spawn_abandon(pidfd);
	return err;
}

/* In the cell's namespaces, as workers are. What of it cannot be, the program does not start
 * without; where there is no cell, neither has the worker one. */
static int enter_cell(struct program *program, uint32_t number, int socket, int output)
{
	struct supervisor *supervisor = program->supervisor;
	int err = -ECHILD;

	for (int i = 0; i < 2; i++) {
		uint32_t namespaces = 0;
		int holder = cell_holder(supervisor->cell, &namespaces);

		supervisor->files.runtime_page->program_limits =
			supervisor->cgroup.limits | PAGE_LIMIT_RLIMITS | PAGE_LIMIT_SECCOMP |
			(landlock_version() > 0 ? PAGE_LIMIT_LANDLOCK : 0) | PAGE_LIMIT_MOUNTS |
			(holder < 0 ? 0 : cell_limits(supervisor->cell));
		err = enter(program, number, socket, output, holder, namespaces);
		if (!err || !cell_lost(supervisor->cell))
			break;
	}
	return err;
}

static int start(struct program *program, uint32_t number, int output)
{
	int pair[2];
	int err = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	set_buffers(pair[0]);
	set_buffers(pair[1]);
	program->ended = false;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK))
		err = -errno;
	if (!err)
		err = enter_cell(program, number, pair[1], output);
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		program->channel = pair[0];
	return err;
}

int programs_start(struct supervisor *supervisor, int output)
{
	struct programs *programs = supervisor->programs;
	struct spawn_end none = {0};
	int err = 0;

	if (!programs || supervisor->files.runtime_page->quarantined)
		return 0;
	programs->killed_worker = false;
	for (uint32_t i = 0; !err && i < programs->count; i++)
		if (programs->list[i].exists)
			err = start(&programs->list[i], i, output);
	if (err)
		programs_end(supervisor, &none);
	return err;
}

static void end(struct program *program, int patience_ms)
{
	struct pollfd gone = {.fd = program->exit.fd, .events = POLLIN};

	if (gone.fd < 0)
		return;
	if (patience_ms && poll(&gone, 1, patience_ms) == 1)
		take_end(program);
	if (program->exit.fd < 0)
		return;
	(void)!syscall(SYS_pidfd_send_signal, program->exit.fd, SIGKILL, NULL, 0);
	if (poll(&gone, 1, GONE_MS) == 1) {
		take_end(program);
		/* Of another end it was dying already, and got no processor for it. */
		program->ended = patience_ms && program->end.signal != SIGKILL;
		return;
	}
	logger_write(LOGGER_ERROR, "program.stays", "workflow=%s function=%s",
		     program->supervisor->name, program->instance);
	loop_remove(program->supervisor->loop, &program->exit);
	close(gone.fd);
	program->exit.fd = -1;
}

/* As one ends whose input ends, because its worker did. */
static bool is_orderly(const struct program *program)
{
	return !program->end.signal && !program->end.status;
}

/* What a program's end is for its worker. */
static void blame(struct supervisor *supervisor, const struct program *program,
		  struct spawn_end *how)
{
	const struct spawn_end *end = &program->end;

	how->signal = end->signal;
	how->status = end->signal ? 0 : WORKER_EXIT_PROGRAM;
	snprintf(supervisor->reason, sizeof(supervisor->reason), "the program of %s %s %d%s",
		 program->instance, end->signal ? "was killed by signal" : "exited with status",
		 end->signal ? end->signal : end->status,
		 end->signal == SIGSYS ? ": it made a system call that no program may make" : "");
}

void programs_end(struct supervisor *supervisor, struct spawn_end *how)
{
	struct programs *programs = supervisor->programs;
	bool missed = !how->signal && how->status == WORKER_EXIT_PROGRAM;
	const struct program *culprit = NULL;

	programs_close_channels(supervisor);
	for (uint32_t i = 0; programs && i < programs->count; i++) {
		struct program *program = &programs->list[i];

		end(program, missed ? CLOSED_MS : 0);
		if (program->ended && (!culprit || is_orderly(culprit)))
			culprit = program;
		program->ended = false;
	}
	if (culprit && (missed || programs->killed_worker))
		blame(supervisor, culprit, how);
}

void programs_free(struct supervisor *supervisor)
{
	free(supervisor->programs);
	supervisor->programs = NULL;
}
