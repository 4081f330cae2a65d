// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas-runtime: holds rings, workers and courier of a host together. Ends
 * by itself after its last workflow was stopped, unless it is to stay. On SIGTERM it ends in an
 * orderly way, and the kernel tier goes on without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "clock.h"
#include "logger.h"
#include "userspace/control/runtime.h"
#include "userspace/control/runtime_lock.h"
#include "userspace/pool/supervisor_cgroup.h"

#define MMAP_BYTES (64 << 10)
#define DEFAULT_GROUP "ebpf-faas"
#define DEFAULT_LOG FAAS_RUN_DIRECTORY "/runtime.log"

struct options {
	bool foreground;
	bool stays;
	const char *log; /* NULL: standard error */
};

struct watchdog {
	struct loop *loop;
	struct loop_timer timer;
	uint64_t every_ns;
};

struct signals {
	struct loop_source source;
	struct runtime *runtime;
};

/* Tell the service manager, if there is one (sd_notify(3)): one datagram. */
static void notify_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t bytes = path ? strlen(path) : 0;
	int fd;

	if (!bytes || bytes >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, bytes);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
	close(fd);
}

static void on_watchdog(struct loop_timer *timer)
{
	struct watchdog *watchdog = loop_container(timer, struct watchdog, timer);

	notify_manager("WATCHDOG=1");
	loop_set(watchdog->loop, timer, clock_monotonic_ns() + watchdog->every_ns, on_watchdog);
}

static void start_watchdog(struct watchdog *watchdog, struct loop *loop)
{
	const char *text = getenv("WATCHDOG_USEC");
	unsigned long long every_us = text ? strtoull(text, NULL, 10) : 0;

	watchdog->loop = loop;
	/* Twice in the time that the manager allows. */
	watchdog->every_ns = every_us * 1000 / 2;
	if (watchdog->every_ns)
		on_watchdog(&watchdog->timer);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct signals *signals = loop_container(source, struct signals, source);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	logger_write(LOGGER_INFO, "runtime.signal", "number=%u", info.ssi_signo);
	notify_manager("STOPPING=1");
	runtime_end(signals->runtime);
}

static int watch_signals(struct signals *signals, struct loop *loop, struct runtime *runtime)
{
	sigset_t set;
	int err;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	signals->runtime = runtime;
	err = loop_add(loop, &signals->source, fd, EPOLLIN, on_signal);
	if (err)
		close(fd);
	return err;
}

static int make_directories(void)
{
	if (mkdir(FAAS_RUN_DIRECTORY, 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(FAAS_RUN_WORKFLOWS, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

/* The end after the last workflow: the next start is a first one again. */
static void remove_traces(const struct options *options)
{
	(void)rmdir(FAAS_RUN_WORKFLOWS);
	if (options->log && !strcmp(options->log, DEFAULT_LOG)) {
		(void)unlink(DEFAULT_LOG);
		(void)unlink(DEFAULT_LOG ".1");
	}
}

/* Standard files of a daemon; closing the pipe tells the parent that all is well. */
static void let_go(int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		(void)dup2(null, fd);
	if (null > 2)
		close(null);
	(void)!write(ready_fd, "", 1);
	close(ready_fd);
}

/* Whoever started us reads standard error, whatever the log is. */
static int fail(const char *what, int err)
{
	logger_write(LOGGER_ERROR, "runtime.failed", "what=%s error=\"%s\"", what, strerror(-err));
	if (logger_has_file())
		fprintf(stderr, "ebpf-faas-runtime: %s: %s\n", what, strerror(-err));
	return 1;
}

/* The group whose members may look. False: there is none. */
static bool find_group(gid_t *ret)
{
	const char *asked = getenv("EBPF_FAAS_GROUP");
	const char *name = asked ? asked : DEFAULT_GROUP;
	const struct group *group = getgrnam(name);
	unsigned long number;
	char *end;

	number = strtoul(name, &end, 10);
	if (!group && (*end || end == name || number >= UINT32_MAX)) {
		if (asked)
			logger_write(LOGGER_WARNING, "control.group",
				     "name=%s error=\"there is no such group\"", name);
		return false;
	}
	*ret = group ? group->gr_gid : (gid_t)number;
	return true;
}

/* Whoever may ask for what. */
static int open_sockets(struct runtime *runtime)
{
	struct control_handler handler = runtime_handler;
	struct control_handler reader = runtime_reader_handler;
	struct control_peers peers = {.owner = 0};
	int err;

	handler.context = reader.context = runtime;
	err = control_server_open(runtime->loop, FAAS_RUN_SOCKET, &peers, &handler,
				  &runtime->server);
	if (err)
		return fail(FAAS_RUN_SOCKET, err);
	peers.has_group = find_group(&peers.group);
	/* Through, and no further: what else lies there is root's. */
	if (peers.has_group && chmod(FAAS_RUN_DIRECTORY, 0711))
		err = -errno;
	if (!err && peers.has_group)
		err = control_server_open(runtime->loop, FAAS_RUN_STATUS_SOCKET, &peers, &reader,
					  &runtime->readers);
	else if (!err)
		(void)unlink(FAAS_RUN_STATUS_SOCKET);
	/* Nothing that runs depends on those who look. */
	if (err)
		logger_write(LOGGER_ERROR, "control.readers", "error=\"%s\"", strerror(-err));
	return 0;
}

/* A worker that says something goes on with its events, where it would stand still for a tick
 * while what it said is taken note of: on wakeup, this class does not take the processor away. */
static void give_way(void)
{
	const struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static int serve(const struct options *options, int ready_fd)
{
	struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
	struct runtime_lock lock;
	struct runtime runtime;
	struct watchdog watchdog = {0};
	struct signals signals;
	struct loop loop;
	int status = 1;
	pid_t holder;
	int err;

	umask(0077);
	give_way();
	/* What a start needs for a moment is large: it leaves no holes between what stays. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	err = make_directories();
	if (err)
		return fail(FAAS_RUN_DIRECTORY, err);
	/* One that a command started gives way to the one that stays. */
	if (options->stays)
		err = runtime_lock_succeed(&lock, FAAS_RUN_RUNTIME_LOCK, FAAS_RUN_SOCKET, &holder);
	else
		err = runtime_lock_take(&lock, FAAS_RUN_RUNTIME_LOCK, FAAS_RUN_SOCKET, &holder);
	if (err == -EBUSY) {
		logger_write(LOGGER_ERROR, "runtime.refused",
			     "error=\"a runtime runs already, pid %d\"", holder);
		return 1;
	}
	if (err)
		return fail(FAAS_RUN_RUNTIME_LOCK, err);
	if (options->log) {
		err = logger_open(options->log);
		if (err) {
			fail(options->log, err);
			goto unlock;
		}
	}
	/* What cannot be raised shows when descriptors run out. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	err = loop_open(&loop);
	if (err) {
		fail("epoll", err);
		goto unlock;
	}
	runtime_init(&runtime, &loop);
	runtime.stays = options->stays;
	err = watch_signals(&signals, &loop, &runtime);
	if (err) {
		fail("signalfd", err);
		goto cleanup;
	}
	cgroup_remove_all();
	/* Before anybody can ask for anything. */
	runtime_take_over(&runtime);
	if (open_sockets(&runtime))
		goto cleanup;
	logger_write(LOGGER_INFO, "runtime.ready", "pid=%d version=%s workflows=%u", getpid(),
		     FAAS_VERSION, runtime.workflow_count);
	notify_manager("READY=1");
	start_watchdog(&watchdog, &loop);
	if (ready_fd >= 0)
		let_go(ready_fd);
	while (!runtime.ended) {
		err = loop_step(&loop, -1);
		if (err < 0) {
			fail("epoll", err);
			goto cleanup;
		}
	}
	logger_write(LOGGER_INFO, "runtime.ended", "pid=%d", getpid());
	if (runtime.forget)
		remove_traces(options);
	status = 0;
cleanup:
	cell_close(&runtime.cell);
	/* The lock goes first: who sees the last connection close may rely on
	 * there being no runtime any more. */
	runtime_lock_release(&lock, status == 0 && runtime.forget);
	control_server_close(runtime.server);
	control_server_close(runtime.readers);
	loop_close(&loop);
	return status;
unlock:
	runtime_lock_release(&lock, false);
	return 1;
}

/* Wait until the daemon is ready, or has said on standard error why not. */
static int wait_for_daemon(pid_t child, int fd)
{
	char ready;
	ssize_t bytes;

	do
		bytes = read(fd, &ready, 1);
	while (bytes < 0 && errno == EINTR);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return bytes == 1 ? 0 : 1;
}

/* Return in the daemon, which has no terminal, no parent that waits for it and
 * no descriptors but the standard ones and *ret_ready_fd. */
static int become_daemon(int *ret_ready_fd)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child) {
		close(ends[1]);
		exit(wait_for_daemon(child, ends[0]));
	}
	/* The second fork gives up the session: it never gets a terminal. */
	if (setsid() < 0 || chdir("/"))
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child)
		_exit(0);
	if (dup3(ends[1], 3, O_CLOEXEC) < 0 && ends[1] != 3)
		return -errno;
	(void)syscall(SYS_close_range, 4u, UINT_MAX, 0);
	*ret_ready_fd = 3;
	return 0;
}

static int usage(FILE *stream, int status)
{
	fputs("usage: ebpf-faas-runtime [--foreground] [--stay] [--log FILE]\n"
	      "The user tier of all workflows of this host. `ebpf-faas load` starts it.\n"
	      "  --foreground  stay in the foreground; log to standard error\n"
	      "  --stay        do not end after the last workflow; take the place of one that "
	      "runs\n"
	      "  --log FILE    log to FILE; in the background: " DEFAULT_LOG "\n"
	      "  --version     print the version\n"
	      "  --help        print this\n"
	      "EBPF_FAAS_GROUP: group whose members may ask for status; else " DEFAULT_GROUP "\n",
	      stream);
	return status;
}

int main(int count, char **texts)
{
	static const struct option long_options[] = {
		{"foreground", no_argument, NULL, 'f'}, {"stay", no_argument, NULL, 's'},
		{"log", required_argument, NULL, 'l'},	{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	{0},
	};
	struct options options = {0};
	int ready_fd = -1;
	int option;
	int err;

	while ((option = getopt_long(count, texts, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'f':
			options.foreground = true;
			break;
		case 's':
			options.stays = true;
			break;
		case 'l':
			options.log = optarg;
			break;
		case 'v':
			puts("ebpf-faas-runtime " FAAS_VERSION);
			return 0;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	if (optind != count)
		return usage(stderr, 2);
	if (geteuid()) {
		fputs("ebpf-faas-runtime: run as root\n", stderr);
		return 4;
	}
	if (!options.foreground) {
		if (!options.log)
			options.log = DEFAULT_LOG;
		err = become_daemon(&ready_fd);
		if (err)
			return fail("daemon", err);
	}
	return serve(&options, ready_fd);
}
