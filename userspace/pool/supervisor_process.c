// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "supervisor_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "paths.h"
#include "spawn.h"
#include "userspace/pool/cell.h"
#include "userspace/pool/supervisor_cell.h"
#include "userspace/pool/supervisor_exec.h"
#include "userspace/pool/supervisor_log.h"

_Static_assert(WORKER_FD_STATE(FAAS_USER_FUNCTIONS_MAX - 1) < SPAWN_FDS_MAX, "all can be passed");

void process_close_source(struct supervisor *supervisor, struct loop_source *source)
{
	int fd = source->fd;

	if (fd < 0)
		return;
	loop_remove(supervisor->loop, source);
	close(fd);
}

void process_close(struct supervisor *supervisor)
{
	process_close_source(supervisor, &supervisor->control);
	process_close_source(supervisor, &supervisor->exit);
	childlog_close(&supervisor->output);
}

void process_kill(const struct supervisor *supervisor)
{
	if (supervisor->exit.fd >= 0)
		(void)!syscall(SYS_pidfd_send_signal, supervisor->exit.fd, SIGKILL, NULL, 0);
}

/* The descriptors of worker_fds.h, by number, but for manifest and objects. */
static size_t list_descriptors(const struct supervisor *supervisor, int null, int output,
			       int control, int *fds)
{
	fds[0] = null;
	fds[1] = fds[2] = output;
	fds[WORKER_FD_MANIFEST] = null;
	fds[WORKER_FD_RING] = supervisor->ring;
	fds[WORKER_FD_WAKE] = supervisor->wake;
	fds[WORKER_FD_WORKER_PAGE] = supervisor->files.worker_page;
	fds[WORKER_FD_COURIER_PAGE] = supervisor->files.courier_page;
	fds[WORKER_FD_RUNTIME_PAGE] = supervisor->files.runtime_page_readable;
	fds[WORKER_FD_LOG] = supervisor->files.log;
	fds[WORKER_FD_NOTIFY] = supervisor->notify;
	fds[WORKER_FD_SPACE] = supervisor->space;
	fds[WORKER_FD_CONTROL] = control;
	for (int i = 0; i < DISK_FILES; i++) {
		int disk = supervisor->files.storage.fds[i];

		fds[WORKER_FD_DISK + i] = disk >= 0 ? disk : null;
	}
	for (uint32_t i = 0; i < supervisor->user_count; i++) {
		int state = supervisor->files.states[i];

		fds[WORKER_FD_OBJECT(i)] =
			programs_has(supervisor, i) ? programs_channel(supervisor, i) : null;
		fds[WORKER_FD_STATE(i)] = state >= 0 ? state : null;
	}
	return WORKER_FD_FUNCTIONS + 2 * (size_t)supervisor->user_count;
}

/* Where there can be no cell: a program as any other. */
static int enter_program(struct supervisor *supervisor, const int *fds, size_t count,
			 int *ret_pidfd)
{
	uint32_t uid = FAAS_WORKER_UID_BASE + supervisor->slot;
	char path[FAAS_PATH_BYTES + 32];
	char texts[2][16];
	char *arguments[] = {(char *)"ebpf-faas-worker", texts[0], (char *)"0", texts[1], NULL};
	char fault[128];
	char *environment[] = {NULL, NULL};
	const char *faults = getenv("EBPF_FAAS_FAULT");
	struct spawn spawn = {
		.path = path,
		.arguments = arguments,
		.environment = environment,
		.fds = fds,
		.fd_count = count,
		.joins = supervisor->cgroup.joins,
		.join_count = supervisor->cgroup.join_count,
	};

	snprintf(path, sizeof(path), "%s/ebpf-faas-worker", paths_libexec());
	snprintf(texts[0], sizeof(texts[0]), "%u", uid);
	snprintf(texts[1], sizeof(texts[1]), "%u", supervisor->generation);
	if (faults) {
		snprintf(fault, sizeof(fault), "EBPF_FAAS_FAULT=%s", faults);
		environment[0] = fault;
	}
	return spawn_start(&spawn, &supervisor->pid, ret_pidfd);
}

static int take_log(struct supervisor *supervisor)
{
	int err = log_take_part(supervisor);

	if (err)
		snprintf(supervisor->reason, sizeof(supervisor->reason), "the log: %s",
			 strerror(-err));
	return err;
}

/* There is no cell, and can be none now. */
static int begin_without(struct supervisor *supervisor, int *fds, size_t count, int *ret_pidfd)
{
	int err = copies_take(supervisor);

	if (!err)
		err = copies_take_manifest(supervisor);
	if (!err)
		err = take_log(supervisor);
	if (err)
		return err;
	fds[WORKER_FD_MANIFEST] = supervisor->manifest;
	for (uint32_t i = 0; i < supervisor->user_count; i++)
		if (supervisor->objects[i] >= 0 && !programs_has(supervisor, i))
			fds[WORKER_FD_OBJECT(i)] = supervisor->objects[i];
	return enter_program(supervisor, fds, count, ret_pidfd);
}

/* What was not at hand when it was made. */
static void list_later(const struct supervisor *supervisor, struct cell_go *go, int *fds)
{
	if (supervisor->manifest >= 0) {
		fds[go->count] = supervisor->manifest;
		go->places[go->count++] = WORKER_FD_MANIFEST;
	}
	for (uint32_t i = 0; i < supervisor->user_count; i++) {
		if (supervisor->objects[i] < 0 || programs_has(supervisor, i))
			continue;
		fds[go->count] = supervisor->objects[i];
		go->places[go->count++] = (uint8_t)WORKER_FD_OBJECT(i);
	}
}

/* The word that it goes on by. If it does not hear of it, it ends. */
static void tell(const struct supervisor *supervisor)
{
	const struct copies *copies = &supervisor->copies;
	struct cell_go go = {.word = CELL_GO};
	struct iovec pieces[] = {{&go, sizeof(go)}, {copies->image, copies->image_bytes}};
	union {
		char bytes[CMSG_SPACE(CELL_LATER_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
	struct cmsghdr *header = (struct cmsghdr *)(void *)control.bytes;

	list_later(supervisor, &go, (int *)(void *)CMSG_DATA(header));
	if (go.count) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(go.count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(go.count * sizeof(int));
	}
	(void)!sendmsg(supervisor->control.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* It prepares itself meanwhile, and touches nothing before it is told; nor does it write to
 * the log before there is one. */
static int provide(struct supervisor *supervisor)
{
	int err = copies_take(supervisor);

	if (err)
		return err;
	tell(supervisor);
	return take_log(supervisor);
}

/* Out of a spare, or else started. A cell that has ended is made anew, once. */
static int begin(struct supervisor *supervisor, int *fds, size_t count, int *ret_pidfd)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	const struct cell_worker worker = {
		.uid = FAAS_WORKER_UID_BASE + supervisor->slot,
		.generation = supervisor->generation,
		.fds = fds,
		.fd_count = (uint32_t)count,
		.joins = supervisor->cgroup.joins,
		.join_count = supervisor->cgroup.join_count,
	};
	int err = -ESTALE;

	for (int i = 0; i < 2 && err == -ESTALE; i++) {
		uint32_t limits = cell_limits(supervisor->cell);

		/* The worker bounds its memory by itself where no group does: it looks here. */
		page->limits = supervisor->cgroup.limits | limits;
		if (!limits)
			return begin_without(supervisor, fds, count, ret_pidfd);
		err = cell_start(supervisor->cell, &worker, &supervisor->pid, ret_pidfd);
	}
	if (err)
		return err;
	err = provide(supervisor);
	if (err)
		spawn_abandon(*ret_pidfd);
	return err;
}

/* Everything that a process needs; on failure nothing of it is left. */
static int spawn_worker(struct supervisor *supervisor, process_ready on_control,
			process_ready on_exit)
{
	int fds[SPAWN_FDS_MAX];
	int pair[2] = {-1, -1};
	int pidfd = -1;
	size_t count;
	int output = -1;
	int null;
	int err = 0;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		err = -errno;
	if (!err)
		err = childlog_open(&supervisor->output, supervisor->loop, supervisor->name,
				    supervisor->log_lines, &output);
	if (!err) {
		supervisor->output.counter = &supervisor->files.runtime_page->lines_suppressed;
		err = programs_start(supervisor, output);
	}
	if (!err)
		err = loop_add(supervisor->loop, &supervisor->control, pair[0], EPOLLIN,
			       on_control);
	if (!err) {
		pair[0] = -1; /* is the source's now */
		count = list_descriptors(supervisor, null, output, pair[1], fds);
		err = begin(supervisor, fds, count, &pidfd);
	}
	if (!err) {
		err = loop_add(supervisor->loop, &supervisor->exit, pidfd, EPOLLIN, on_exit);
		if (err)
			spawn_abandon(pidfd);
	}
	close(null);
	if (output >= 0)
		close(output);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	programs_close_channels(supervisor);
	if (err) {
		struct spawn_end none = {0};

		programs_end(supervisor, &none);
		supervisor->pid = 0;
		process_close(supervisor);
	}
	return err;
}

/* 0, or a negative error that reason tells of. */
static int open_cgroup(struct supervisor *supervisor)
{
	int err;

	/* That of the worker that left it is good for the next. */
	if (supervisor->state == SUPERVISOR_IDLE && supervisor->cgroup.limits)
		return 0;
	cgroup_close(&supervisor->cgroup);
	err = cgroup_open(supervisor->name, supervisor->memory_bytes, supervisor->cpu_percent,
			  &supervisor->cgroup);
	if (err == -ENOTSUP)
		snprintf(supervisor->reason, sizeof(supervisor->reason),
			 "`workers.cpu` needs control groups with the controller cpu, and there "
			 "are none on this machine");
	else if (err)
		snprintf(supervisor->reason, sizeof(supervisor->reason), "control group: %s",
			 strerror(-err));
	supervisor->memory_kills = cgroup_memory_kills(&supervisor->cgroup);
	return err;
}

int process_start(struct supervisor *supervisor, process_ready on_control, process_ready on_exit)
{
	int err = open_cgroup(supervisor);

	/* A program is begun with it. */
	if (!err && supervisor->copies.has_programs)
		err = copies_take(supervisor);
	if (err)
		return err;
	err = spawn_worker(supervisor, on_control, on_exit);
	if (err && !supervisor->reason[0])
		snprintf(supervisor->reason, sizeof(supervisor->reason), "%s/ebpf-faas-worker: %s",
			 paths_libexec(), strerror(-err));
	return err;
}
