// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

#define FILE_BYTES (64u << 20)

/* The shortest that the kernel takes. */
#define SLICE_NS 100000u
/* The C library has no sched_setattr(), and later ones define this. */
struct scheduling {
	uint32_t bytes, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	/* The first: of others than SCHED_DEADLINE since Linux 6.12. */
	uint64_t slice_ns, deadline_ns, period_ns;
};

int privilege_clear_bounding_set(void)
{
	/* Up to the last capability this kernel knows: EINVAL behind it. */
	for (unsigned long capability = 0; capability < 64; capability++) {
		int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		if (held < 0)
			break;
		if (held && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			return -errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	return 0;
}

static int become(uint32_t uid)
{
	/* The group first: the user may not change it any more. */
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static int clear_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capset, &header, data))
		return -errno;
	return 0;
}

static int set_process(void)
{
	/* After the change of user, which clears the signal of the parent's
	 * death and would set dumpable to what the system says. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return 0;
}

static int limit(int resource, rlim_t most)
{
	const struct rlimit value = {.rlim_cur = most, .rlim_max = most};

	return setrlimit((__rlimit_resource_t)resource, &value) ? -errno : 0;
}

static int set_limits(void)
{
	int err;

	err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, PRIVILEGE_LOAD_FDS);
	if (!err && signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		err = -errno;
	return err;
}

/* Who wakes up on its processor waits no longer than this for it to be interrupted, where one
 * usually has it for some milliseconds. A kernel that cannot goes on as it did. */
static void set_slice(void)
{
	struct scheduling now;

	if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) || now.policy != SCHED_OTHER)
		return;
	now.slice_ns = SLICE_NS;
	(void)!syscall(SYS_sched_setattr, 0, &now, 0);
}

/* Look that it is so: what comes next trusts in it. */
static int check(uint32_t uid)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uid_t real, effective, saved;
	gid_t group[3];

	memset(data, 0xff, sizeof(data));
	if (getresuid(&real, &effective, &saved) || getresgid(&group[0], &group[1], &group[2]) ||
	    syscall(SYS_capget, &header, data))
		return -errno;
	if (real != uid || effective != uid || saved != uid || group[0] != uid || group[1] != uid ||
	    group[2] != uid || getgroups(0, NULL) != 0)
		return -EPERM;
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return -EPERM;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

/* Of this process: one that is made of it looks again. */
static pid_t looked_ahead;

void privilege_look_ahead(void)
{
	set_slice();
	if (!privilege_clear_bounding_set())
		looked_ahead = getpid();
}

int privilege_drop(uint32_t uid, const char **ret_step)
{
	const char *step;
	int err = 0;

	step = "bounding set";
	if (looked_ahead != getpid()) {
		set_slice();
		err = privilege_clear_bounding_set();
	}
	if (!err) {
		step = "user";
		err = become(uid);
	}
	if (!err) {
		step = "capabilities";
		err = clear_capabilities();
	}
	if (!err) {
		step = "process flags";
		err = set_process();
	}
	if (!err) {
		step = "limits";
		err = set_limits();
	}
	if (!err) {
		step = "check";
		err = check(uid);
	}
	if (err)
		*ret_step = step;
	return err;
}

int privilege_limit(uint64_t file_bytes)
{
	int err = limit(RLIMIT_NPROC, 1);

	/* Bounds what it can make of the runtime's log, if that is a file. A
	 * write beyond is EFBIG, not a signal. */
	if (!err)
		err = limit(RLIMIT_FSIZE, file_bytes > FILE_BYTES ? file_bytes : FILE_BYTES);
	return err;
}

/* What the address sanitizer maps for itself is terabytes of what this counts. */
#ifdef __SANITIZE_ADDRESS__
#define DATA_IS_COUNTED 0
#else
#define DATA_IS_COUNTED 1
#endif

int privilege_limit_memory(uint64_t bytes)
{
	return DATA_IS_COUNTED ? limit(RLIMIT_DATA, bytes) : 0;
}

int privilege_close_files(void)
{
	return limit(RLIMIT_NOFILE, 0);
}
