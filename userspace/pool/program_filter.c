// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/program_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
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
	"fcntl",
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
	"clock_nanosleep",
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
	"get_robust_list",
	"rseq",
	"getpid",
	"gettid",
	"getppid",
	"getpgrp",
	"getpgid",
	"getsid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"getgroups",
	"getrlimit",
	"getrusage",
	"getpriority",
	"times",
	"time",
	"gettimeofday",
	"clock_gettime",
	"clock_getres",
	"uname",
	"sysinfo",
	"getcpu",
	"getrandom",
	"capget",
	"sched_getaffinity",
	"sched_getparam",
	"sched_getscheduler",
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

/* Threads and no processes; signals to itself; names, and nothing about whom its death
 * follows; limits are asked for, not set; of devices nothing. */
static int add_conditional(scmp_filter_ctx context)
{
	static const uint64_t options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE,
					   PR_CAPBSET_READ};
	static const uint64_t requests[] = {0x5401 /* TCGETS */, 0x5421 /* FIONBIO */,
					    0x541b /* FIONREAD */, 0x5451 /* FIOCLEX */};
	const scmp_datum_t self = (scmp_datum_t)getpid();
	int err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
				       SCMP_A0(SCMP_CMP_EQ, self));
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, self));
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				       SCMP_A2(SCMP_CMP_EQ, 0));
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
