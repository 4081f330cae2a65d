// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userspace/pool/filter_calls.h"
#include "userspace/pool/worker_fds.h"

/* What a worker that runs makes: events, the log and the disk go through memory and
 * its io_uring, which has a list of its own (worker_waiter.c). */
static const char *const running[] = {
	"io_uring_enter", "read",	"write",	 "pread64",
	"recvfrom",	  "sendto",	"select",	 "pselect6",
	"sched_yield",	  "futex",	"clock_gettime", "gettimeofday",
	"time",		  "getrandom",	"brk",		 "munmap",
	"mremap",	  "madvise",	"getpid",	 "gettid",
	"getuid",	  "geteuid",	"getgid",	 "getegid",
	"getppid",	  "setitimer",	"rt_sigreturn",	 "restart_syscall",
	"exit",		  "exit_group",
};

/* And while it loads shared objects, besides those with conditions below. */
static const char *const loading[] = {
	"close", "fstat", "newfstatat", "mmap", "mprotect", "seccomp",
};

/* The C library asks these here and there, and lives with a no. */
static const char *const refused[] = {
	"close",       "fstat",	    "newfstatat",     "stat",
	"lstat",       "statx",	    "access",	      "faccessat",
	"faccessat2",  "readlink",  "readlinkat",     "getcwd",
	"uname",       "sysinfo",   "ioctl",	      "fcntl",
	"lseek",       "prctl",	    "rt_sigprocmask", "rt_sigaction",
	"getrusage",   "times",	    "getcpu",	      "sched_getaffinity",
	"sigaltstack", "getrlimit",
};

/* A forbidden call is a signal first, so that the process can say which it was. This
 * one ends it at once: by the same signal, and nobody can be in its way. */
#define FATAL_CALL SYS_reboot

/* Stands for the process itself while filters are made: who enters them may be another
 * process than who made them. */
#define OWN_PID 0x5e1f5e1fu

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int add_refused(scmp_filter_ctx context, enum filter_stage stage)
{
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(refused); i++)
		if (stage == FILTER_RUNNING || !is_in(refused[i], loading, COUNT(loading)))
			err = filter_add_calls(context, SCMP_ACT_ERRNO(EPERM), &refused[i], 1);
	return err;
}

/* Signals to itself: abort() is one. */
static int add_own_signals(scmp_filter_ctx context)
{
	int err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
				   SCMP_A0(SCMP_CMP_EQ, OWN_PID));

	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, OWN_PID));
	return err;
}

static int add_conditional(scmp_filter_ctx context, enum filter_stage stage)
{
	int err;

	if (stage == FILTER_RUNNING) {
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		/* Asked for limits it hears no, and goes on; it sets none. */
		if (!err)
			err = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64),
					       1, SCMP_A2(SCMP_CMP_EQ, 0));
		return err;
	}
	err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ,
				       O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY),
				       O_RDONLY));
	/* Its own limits, which it can only lower. */
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				       SCMP_A0(SCMP_CMP_EQ, 0));
	return err;
}

/* Out of libseccomp into memory: through a file, which is what it writes to. */
static int export(scmp_filter_ctx context, struct filter *filter, enum filter_stage stage)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_filter *list = NULL;
	struct stat status;
	int err;

	if (fd < 0)
		return -errno;
	err = seccomp_export_bpf(context, fd);
	if (!err && fstat(fd, &status))
		err = -errno;
	if (!err) {
		list = malloc((size_t)status.st_size);
		if (!list)
			err = -ENOMEM;
		else if (pread(fd, list, (size_t)status.st_size, 0) != status.st_size)
			err = -EIO;
	}
	close(fd);
	if (err) {
		free(list);
		return err;
	}
	filter->programs[stage].list = list;
	filter->programs[stage].count = (uint16_t)((size_t)status.st_size / sizeof(*list));
	return 0;
}

static int build(struct filter *filter, enum filter_stage stage)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
	int err;

	if (!context)
		return -ENOMEM;
	err = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* As a tree: the kernel goes through it once for each system call there is, when it
	 * is entered, which takes half as long. */
	if (!err)
		err = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_KILL_PROCESS, FATAL_CALL, 0);
	if (!err)
		err = filter_add_calls(context, SCMP_ACT_ALLOW, running, COUNT(running));
	if (!err && stage == FILTER_LOADING)
		err = filter_add_calls(context, SCMP_ACT_ALLOW, loading, COUNT(loading));
	if (!err)
		err = add_own_signals(context);
	if (!err)
		err = add_conditional(context, stage);
	if (!err)
		err = add_refused(context, stage);
	if (!err)
		err = export(context, filter, stage);
	seccomp_release(context);
	return err;
}

/* Made ahead, by a process that others are made of. */
static struct filter ahead;

int filter_build_ahead(void)
{
	return filter_build(&ahead);
}

int filter_build(struct filter *ret)
{
	struct filter filter = {0};
	int err = 0;

	if (ahead.programs[0].list) {
		*ret = ahead;
		memset(&ahead, 0, sizeof(ahead));
		return 0;
	}

	for (int stage = 0; !err && stage < FILTER_STAGES; stage++)
		err = build(&filter, (enum filter_stage)stage);
	if (err)
		filter_free(&filter);
	else
		*ret = filter;
	return err;
}

/* Runs in the middle of the code of an author: uses nothing but the stack. */
static void on_forbidden(int signal, siginfo_t *info, void *context)
{
	char message[32] = "forbidden ";
	unsigned int number = (unsigned int)info->si_syscall;
	char digits[12];
	size_t count = 0, bytes = 10;

	(void)signal;
	(void)context;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		message[bytes++] = digits[--count];
	(void)!send(WORKER_FD_CONTROL, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)syscall(FATAL_CALL, 0, 0, 0, 0);
	_exit(WORKER_EXIT_SETUP);
}

/* Put the pid where it is compared. */
static void make_own(struct sock_filter *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && list[i].k == OWN_PID)
			list[i].k = (uint32_t)getpid();
}

int filter_enter(const struct filter *filter, enum filter_stage stage)
{
	const struct sock_fprog program = {.len = filter->programs[stage].count,
					   .filter = filter->programs[stage].list};
	struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};

	if (stage == FILTER_LOADING && sigaction(SIGSYS, &action, NULL))
		return -errno;
	make_own(filter->programs[stage].list, filter->programs[stage].count);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return -errno;
	return 0;
}

void filter_free(struct filter *filter)
{
	for (int stage = 0; stage < FILTER_STAGES; stage++) {
		free(filter->programs[stage].list);
		filter->programs[stage].list = NULL;
	}
}

const char *filter_call_name(int number, char *buffer, unsigned int room)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

	if (name)
		(void)snprintf(buffer, room, "%s", name);
	else
		(void)snprintf(buffer, room, "system call %d", number);
	free(name);
	return buffer;
}
