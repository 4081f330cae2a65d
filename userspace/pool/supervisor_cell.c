// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "supervisor_cell.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

#include "clock.h"
#include "logger.h"
#include "pages.h"
#include "paths.h"
#include "userspace/pool/cell.h"
#include "userspace/pool/supervisor_spare.h"

/* How long holder and template may take for an answer; then they are given up. */
#define PATIENCE_S 20
#define TRY_AGAIN_MS 10000
#define LOOK_EVERY_MS 10

static const struct {
	uint32_t namespace;
	uint32_t limit;
	const char *name;
} kinds[] = {
	{CLONE_NEWUSER, PAGE_LIMIT_USERS, "user"},   {CLONE_NEWNS, PAGE_LIMIT_MOUNTS, "mount"},
	{CLONE_NEWPID, PAGE_LIMIT_PROCESSES, "pid"}, {CLONE_NEWNET, PAGE_LIMIT_NETWORK, "net"},
	{CLONE_NEWIPC, PAGE_LIMIT_IPC, "ipc"},	     {CLONE_NEWUTS, PAGE_LIMIT_HOSTNAME, "uts"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void cell_init(struct cell *cell, struct loop *loop)
{
	*cell = (struct cell){.loop = loop};
}

static void kill_it(const struct cell_process *process)
{
	(void)!syscall(SYS_pidfd_send_signal, process->exit.fd, SIGKILL, NULL, 0);
}

/* Freed when it has ended. The holder cannot end before its workers have been reaped: nobody
 * may wait for it. */
void cell_give_up(struct cell_process **process)
{
	struct cell_process *gone = *process;

	*process = NULL;
	if (!gone)
		return;
	gone->cell = NULL;
	kill_it(gone);
	close(gone->socket);
	gone->socket = -1;
}

/* Children that the template made and told nobody of are in its group still. */
static void reap_group(pid_t group)
{
	siginfo_t info;

	(void)kill(-group, SIGKILL);
	while (!waitid(P_PGID, (id_t)group, &info, WEXITED))
		;
}

static void destroy(struct cell_process *process)
{
	int pidfd = process->exit.fd;

	if (process->makes_others)
		reap_group(process->pid);
	loop_remove(process->loop, &process->exit);
	close(pidfd);
	if (process->socket >= 0)
		close(process->socket);
	free(process);
}

static void give_up_all(struct cell *cell)
{
	cell_give_up(&cell->spare);
	cell_give_up(&cell->template);
	cell_give_up(&cell->holder);
	cell->namespaces = 0;
}

static const char *name_of(const struct cell_process *process)
{
	if (process == process->cell->holder)
		return "cell.holder";
	return process == process->cell->template ? "cell.template" : "cell.spare";
}

/* It has ended by itself. */
static void forget(const struct cell_process *process)
{
	struct cell *cell = process->cell;

	if (process == cell->holder) {
		/* The workers go with it, and start again. */
		cell->holder = NULL;
		give_up_all(cell);
	} else if (process == cell->template) {
		cell->template = NULL;
	} else {
		cell->spare = NULL;
	}
}

static void on_exit_ready(struct loop_source *source, uint32_t events)
{
	struct cell_process *process = loop_container(source, struct cell_process, exit);
	struct cell *cell = process->cell;
	bool was_spare = cell && process == cell->spare;
	struct spawn_end how;

	(void)events;
	if (spawn_reap(source->fd, &how))
		return;
	if (cell) {
		logger_write(LOGGER_WARNING, name_of(process), "pid=%d signal=%d status=%d",
			     process->pid, how.signal, how.status);
		forget(process);
	}
	destroy(process);
	/* Whoever starts next does not wait for it. But for a spare: what ended it may do so again.
	 */
	if (cell && !was_spare && cell_limits(cell))
		spare_soon(cell);
}

/* One of the two, of the worker's program. @p holder: pidfd, -1 without. NULL: errno. */
static struct cell_process *start(struct cell *cell, const char *role, uint32_t namespaces,
				  int new_namespaces, int holder)
{
	char path[FAAS_PATH_BYTES + 32], number[16], fault[128];
	/* A worker writes its own arguments over those of the template. */
	char *arguments[] = {(char *)"ebpf-faas-worker", (char *)role, number,
			     holder < 0 ? NULL : (char *)"                    ", NULL};
	char *environment[] = {NULL, NULL};
	const char *faults = getenv("EBPF_FAAS_FAULT");
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct cell_process *process = calloc(1, sizeof(*process));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pair[2] = {-1, -1}, pidfd = -1, err = 0;
	const int fds[] = {null, null, null, -1, holder};
	int list[sizeof(fds) / sizeof(fds[0])];
	struct spawn spawn = {.path = path,
			      .arguments = arguments,
			      .environment = environment,
			      .fds = list,
			      .fd_count = holder < 0 ? CELL_FD_HOLDER : CELL_FD_HOLDER + 1,
			      .new_namespaces = new_namespaces};

	if (!process) {
		if (null >= 0)
			close(null);
		errno = ENOMEM;
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/ebpf-faas-worker", paths_libexec());
	snprintf(number, sizeof(number), "%" PRIu32, namespaces);
	if (faults) {
		snprintf(fault, sizeof(fault), "EBPF_FAAS_FAULT=%s", faults);
		environment[0] = fault;
	}
	if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		err = errno;
	memcpy(list, fds, sizeof(list));
	list[CELL_FD_RUNTIME] = pair[1];
	if (!err)
		err = -spawn_start(&spawn, &process->pid, &pidfd);
	if (!err)
		err = -loop_add(cell->loop, &process->exit, pidfd, EPOLLIN, on_exit_ready);
	if (null >= 0)
		close(null);
	if (pair[1] >= 0)
		close(pair[1]);
	if (!err) {
		process->cell = cell;
		process->loop = cell->loop;
		process->socket = pair[0];
		process->makes_others = holder >= 0;
		return process;
	}
	if (pidfd >= 0)
		spawn_abandon(pidfd);
	if (pair[0] >= 0)
		close(pair[0]);
	free(process);
	errno = err;
	return NULL;
}

/* As recv() on a socket with a timeout: a process that was stopped and goes on is interrupted in
 * that, though it catches no signal. The wait begins anew then. */
ssize_t cell_hear(const struct cell_process *process, void *ret, size_t bytes)
{
	ssize_t got;

	do
		got = recv(process->socket, ret, bytes, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

static int hear(const struct cell_process *process, struct cell_word *ret)
{
	ssize_t bytes = cell_hear(process, ret, sizeof(*ret));

	if (bytes == sizeof(*ret))
		return 0;
	return bytes < 0 ? -errno : -ECHILD;
}

/* The users of workers, root's helpers and programs, by the numbers that they have outside. */
static int write_map(pid_t pid, const char *file)
{
	char path[64], text[128];
	int fd, bytes, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	bytes = snprintf(text, sizeof(text), "%u %u %d\n%u %u %d\n", CELL_UID, CELL_UID,
			 FAAS_SLOTS_MAX + 1, FAAS_PROGRAM_UID_BASE, FAAS_PROGRAM_UID_BASE,
			 FAAS_SLOTS_MAX);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)bytes) != bytes)
		err = -errno;
	close(fd);
	return err;
}

/* The holder with the namespaces of @p wanted that this machine gives. 0 or -errno, of
 * @p *ret_lacking if one namespace was the cause. */
static int start_holder(struct cell *cell, uint32_t wanted, uint32_t *ret_lacking)
{
	struct cell_word word;
	int err;

	*ret_lacking = 0;
	cell->holder = start(cell, "holder", wanted & ~(uint32_t)CLONE_NEWPID,
			     (int)wanted & CLONE_NEWPID, -1);
	if (!cell->holder) {
		*ret_lacking = wanted & CLONE_NEWPID;
		return -errno;
	}
	err = hear(cell->holder, &word);
	if (!err && word.namespaces & CLONE_NEWUSER) {
		err = write_map(cell->holder->pid, "uid_map");
		if (!err)
			err = write_map(cell->holder->pid, "gid_map");
		*ret_lacking = err ? CLONE_NEWUSER : 0;
	}
	if (!err && send(cell->holder->socket, "", 1, MSG_NOSIGNAL) != 1)
		err = -errno;
	if (!err)
		err = hear(cell->holder, &word);
	if (err) {
		cell_give_up(&cell->holder);
		return err;
	}
	cell->namespaces = word.namespaces | (wanted & CLONE_NEWPID);
	return -word.error;
}

static int start_template(struct cell *cell)
{
	struct cell_word word;
	int err;

	cell->template = start(cell, "template", cell->namespaces, 0, cell->holder->exit.fd);
	if (!cell->template)
		return -errno;
	err = hear(cell->template, &word);
	if (!err)
		err = -word.error;
	if (err)
		cell_give_up(&cell->template);
	return err;
}

static void complain(struct cell *cell, int err)
{
	char missing[64] = "";

	if (cell->said)
		return;
	for (size_t i = 0; i < KINDS; i++)
		if (!(cell->namespaces & kinds[i].namespace))
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 "%s%s", missing[0] ? " " : "", kinds[i].name);
	cell->said = true;
	logger_write(LOGGER_WARNING, "cell.incomplete",
		     "namespaces=\"%s\" error=\"%s\" advice=\"workers are not kept from what is "
		     "in the machine's namespaces of these kinds\"",
		     missing, strerror(-err));
}

static int open_holder(struct cell *cell)
{
	uint32_t wanted = CELL_NAMESPACES, lacking;
	int err = start_holder(cell, wanted, &lacking), first = err;

	/* One at a time: each may be refused for a reason of its own. */
	while (!cell->holder && lacking & wanted) {
		wanted &= ~lacking;
		err = start_holder(cell, wanted, &lacking);
	}
	if (cell->holder && first)
		complain(cell, first);
	return cell->holder ? 0 : err;
}

/* A process closes what it has long before it has ended: the first one of a pid namespace
 * waits for all others. */
static bool is_gone(const struct cell_process *process)
{
	struct pollfd other = {.fd = process->socket};

	return poll(&other, 1, 0) != 0;
}

/* Both, where one is missing. A holder that is being killed is not taken for one. */
static int make(struct cell *cell)
{
	int err = -ECHILD;

	for (int i = 0; i < 2; i++) {
		if (cell->holder && is_gone(cell->holder))
			give_up_all(cell);
		err = cell->holder ? 0 : open_holder(cell);
		if (!err && !cell->template)
			err = start_template(cell);
		if (!err)
			return 0;
		give_up_all(cell);
	}
	logger_write(
		LOGGER_ERROR, "cell.failed",
		"error=\"%s\" advice=\"workers that start now are in the machine's namespaces\"",
		strerror(-err));
	cell->try_again_ns = clock_monotonic_ns() + TRY_AGAIN_MS * CLOCK_NS_PER_MS;
	return err;
}

uint32_t cell_limits(struct cell *cell)
{
	uint32_t limits = 0;

	if (!cell->template && (cell->try_again_ns > clock_monotonic_ns() || make(cell)))
		return 0;
	for (size_t i = 0; i < KINDS; i++)
		if (cell->namespaces & kinds[i].namespace)
			limits |= kinds[i].limit;
	return limits;
}

bool cell_lost(struct cell *cell)
{
	if (!cell->holder || !is_gone(cell->holder))
		return false;
	give_up_all(cell);
	return true;
}

int cell_holder(struct cell *cell, uint32_t *ret_namespaces)
{
	(void)cell_lost(cell);
	if (!cell_limits(cell))
		return -1;
	*ret_namespaces = cell->namespaces;
	return cell->holder->exit.fd;
}

int cell_watch(struct cell *cell, pid_t pid, int pidfd, int socket, struct cell_process **ret)
{
	struct cell_process *process = calloc(1, sizeof(*process));
	int err = process ? loop_add(cell->loop, &process->exit, pidfd, EPOLLIN, on_exit_ready)
			  : -ENOMEM;

	if (err) {
		spawn_abandon(pidfd);
		free(process);
		return err;
	}
	process->cell = cell;
	process->loop = cell->loop;
	process->pid = pid;
	process->socket = socket;
	*ret = process;
	return 0;
}

void cell_unwatch(struct cell_process **process, pid_t *ret_pid, int *ret_pidfd)
{
	struct cell_process *it = *process;

	*process = NULL;
	*ret_pid = it->pid;
	*ret_pidfd = it->exit.fd;
	loop_remove(it->loop, &it->exit);
	close(it->socket);
	free(it);
}

/* The runtime ends, and all are to be reaped that still are its children: for one that nobody
 * reaps, be it that it could not be killed in time, the holder waits for ever. */
static void reap_all(const struct cell_process *last)
{
	const uint64_t deadline = clock_monotonic_ns() + PATIENCE_S * CLOCK_NS_PER_S;
	struct pollfd gone = {.fd = last->exit.fd, .events = POLLIN};

	do {
		siginfo_t info = {0};

		while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG) && info.si_pid)
			info.si_pid = 0;
		if (waitid((idtype_t)P_PIDFD, (id_t)gone.fd, &info, WEXITED | WNOHANG | WNOWAIT) &&
		    errno == ECHILD)
			return;
		(void)poll(&gone, 1, LOOK_EVERY_MS);
	} while (clock_monotonic_ns() < deadline);
	logger_write(LOGGER_ERROR, "cell.stays", "pid=%d", last->pid);
}

void cell_close(struct cell *cell)
{
	struct cell_process *all[] = {cell->spare, cell->template, cell->holder};

	loop_unset(cell->loop, &cell->soon);
	cell->spare = cell->template = cell->holder = NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i])
			continue;
		kill_it(all[i]);
		reap_all(all[i]);
		destroy(all[i]);
	}
	cell->namespaces = 0;
}
