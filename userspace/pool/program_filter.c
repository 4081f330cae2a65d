// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/program_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "userspace/pool/filter_calls.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const char *const allowed[] = {
	/* files, which are read-only */
	"read",
	"readv",
	"write",
	"writev",
	"pread64",
	"preadv",
	"close",
	"close_range",
	"open",
	"openat",
	"stat",
	"lstat",
	"fstat",
	"newfstatat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents64",
	"lseek",
	"dup",
	"dup2",
	"dup3",
	"getcwd",
	"chdir",
	"fchdir",
	"umask",
	"fadvise64",
	"execve",
	/* memory */
	"mmap",
	"mprotect",
	"munmap",
	"mremap",
	"madvise",
	"brk",
	"mincore",
	"membarrier",
	/* waiting */
	"pipe",
	"pipe2",
	"eventfd2",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"nanosleep",
	"pause",
	"restart_syscall",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"setitimer",
	"getitimer",
	"alarm",
	"futex",
	"sched_yield",
	/* itself */
	"exit",
	"exit_group",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"rt_sigpending",
	"rt_sigsuspend",
	"sigaltstack",
	"arch_prctl",
	"set_tid_address",
	"set_robust_list",
	"rseq",
	"getpid",
	"gettid",
	"getppid",
	"getpgrp",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"getgroups",
	"getrlimit",
	"getrusage",
	"times",
	"time",
	"gettimeofday",
	"uname",
	"sysinfo",
	"getcpu",
	"getrandom",
	"capget",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"wait4",
};

/* No program makes one of these by mistake. */
static const char *const fatal[] = {
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"pidfd_getfd",
	"bpf",
	"perf_event_open",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"mount_setattr",
	"setns",
	"unshare",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"add_key",
	"request_key",
	"keyctl",
	"userfaultfd",
	"open_by_handle_at",
	"acct",
	"quotactl",
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"clock_adjtime",
	"seccomp",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"capset",
};

/* What is tried by libraries that know another way then. */
static const char *const absent[] = {"clone3", "io_uring_setup", "io_uring_enter",
				     "io_uring_register", "pkey_alloc"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What takes the number of a process: it asks about itself, also by 0, and does not learn
 * whether there are others. Of affinity the C library asks by the numbers of threads, and
 * knows what to do without it. */
static int add_self(scmp_filter_ctx context)
{
	static const struct {
		const char *name;
		unsigned int argument;
	} calls[] = {
		{"getpgid", 0},
		{"getsid", 0},
		{"getpriority", 1},
		{"sched_getparam", 0},
		{"sched_getscheduler", 0},
	};
	const scmp_datum_t numbers[] = {0, (scmp_datum_t)getpid()};
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(calls); i++) {
		int call = seccomp_syscall_resolve_name(calls[i].name);

		for (size_t k = 0; !err && k < COUNT(numbers); k++)
			err = seccomp_rule_add(
				context, SCMP_ACT_ALLOW, call, 1,
				SCMP_CMP(calls[i].argument, SCMP_CMP_EQ, numbers[k]));
	}
	for (size_t k = 0; !err && k < COUNT(numbers); k++)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
				       SCMP_A0(SCMP_CMP_EQ, numbers[k]), SCMP_A2(SCMP_CMP_EQ, 0));
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(sched_getaffinity), 1,
				       SCMP_A0(SCMP_CMP_EQ, 0));
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(sched_getaffinity),
				       1, SCMP_A0(SCMP_CMP_GE, 1));
	/* 0 would be all of its group. */
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
				       SCMP_A0(SCMP_CMP_EQ, numbers[1]));
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, numbers[1]));
	return err;
}

/* Threads and no processes; names, and nothing about whom its death follows; clocks that are
 * no process's; files' flags, and neither their locks nor whom they signal; of devices
 * nothing. */
static int add_conditional(scmp_filter_ctx context)
{
	static const int clocks[] = {SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
				     SCMP_SYS(clock_nanosleep)};
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,
				       F_GETFL, F_SETFL,	 F_GETPIPE_SZ, F_GET_SEALS};
	static const uint64_t options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE,
					   PR_CAPBSET_READ};
	static const uint64_t requests[] = {0x5401 /* TCGETS */, 0x5421 /* FIONBIO */,
					    0x541b /* FIONREAD */, 0x5451 /* FIOCLEX */};
	int err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (!err)
		err = add_self(context);
	for (size_t i = 0; !err && i < COUNT(clocks); i++)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, clocks[i], 1,
				       SCMP_A0(SCMP_CMP_LE, CLOCK_TAI));
	for (size_t i = 0; !err && i < COUNT(commands); i++)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				       SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	for (size_t i = 0; !err && i < COUNT(options); i++)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				       SCMP_A0(SCMP_CMP_EQ, options[i]));
	for (size_t i = 0; !err && i < COUNT(requests); i++)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return err;
}

int program_filter_enter(void)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!context)
		return -ENOMEM;
	err = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = filter_add_calls(context, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (!err)
		err = filter_add_calls(context, SCMP_ACT_KILL_PROCESS, fatal, COUNT(fatal));
	if (!err)
		err = filter_add_calls(context, SCMP_ACT_ERRNO(ENOSYS), absent, COUNT(absent));
	if (!err)
		err = add_conditional(context);
	if (!err)
		err = seccomp_load(context);
	seccomp_release(context);
	return err;
}
