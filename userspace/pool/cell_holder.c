// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_privilege.h"

#define MOUNT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* To the root of the namespace of mounts that we are in, which is where everybody begins who
 * enters it; it is another one than ours in a chroot. */
static int go_to_the_top(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), err;

	if (self < 0)
		return -1;
	err = setns(self, CLONE_NEWNS);
	(void)close(self);
	return err;
}

/* No mount below it is seen, or taken away, anywhere else. @p root: ours, which it stays. */
static int keep_mounts(int root)
{
	if (go_to_the_top() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || fchdir(root) ||
	    chroot("."))
		return -1;
	return 0;
}

/* In a directory that there is: nothing but /proc. */
static int build_root(void)
{
	if (mount("none", FAAS_RUN_DIRECTORY, "tmpfs", MOUNT_FLAGS, "mode=755,size=4k") ||
	    chdir(FAAS_RUN_DIRECTORY) || mkdir("proc", 0555) ||
	    mount("proc", "proc", "proc", MOUNT_FLAGS | MS_RDONLY,
		  "hidepid=invisible,subset=pid") ||
	    mount(NULL, ".", NULL, MOUNT_FLAGS | MS_REMOUNT | MS_RDONLY, NULL))
		return -1;
	return 0;
}

static int turn(int root)
{
	if (go_to_the_top() || fchdir(root) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return -1;
	return 0;
}

/* Do @p act with a descriptor of a directory, which nobody holds behind that. */
static int with(const char *directory, int (*act)(int))
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -1;
	err = act(fd);
	(void)close(fd);
	return err;
}

/* A root directory with nothing in it but the /proc of those in this pid namespace, in
 * which each sees itself: objects are loaded by descriptors, and those have their names
 * there. It is built on a directory that there is; who is outside sees nothing of it. */
static int empty_root(void)
{
	if (unshare(CLONE_NEWNS) || with("/", keep_mounts) || build_root() || with(".", turn))
		return -1;
	return 0;
}

static int new_hostname(void)
{
	static const char name[] = "worker";

	return unshare(CLONE_NEWUTS) ? -1 : sethostname(name, sizeof(name) - 1);
}

/* Each for itself: what one machine refuses does not cost the others. That of users comes
 * last, so that nobody in it may do anything to the others. */
static void make_namespaces(uint32_t wanted, struct cell_word *word)
{
	static const struct {
		uint32_t namespace;
		int (*make)(void);
	} steps[] = {
		{CLONE_NEWNS, empty_root},    {CLONE_NEWNET, NULL},  {CLONE_NEWIPC, NULL},
		{CLONE_NEWUTS, new_hostname}, {CLONE_NEWUSER, NULL},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!(wanted & steps[i].namespace))
			continue;
		if (steps[i].make ? steps[i].make() : unshare((int)steps[i].namespace))
			word->error = errno;
		else
			word->namespaces |= steps[i].namespace;
	}
}

static int tell(const struct cell_word *word)
{
	return send(CELL_FD_RUNTIME, word, sizeof(*word), MSG_NOSIGNAL) == sizeof(*word) ? 0 : -1;
}

int cell_hold(uint32_t wanted)
{
	struct cell_word word = {0};
	const char *step;
	char byte;

	(void)prctl(PR_SET_NAME, "ebpf-faas-holder", 0, 0, 0);
	/* Whoever is left behind by a parent in here becomes its child. */
	(void)signal(SIGCHLD, SIG_IGN);
	make_namespaces(wanted, &word);
	if (tell(&word) || recv(CELL_FD_RUNTIME, &byte, 1, 0) != 1)
		return WORKER_EXIT_SETUP;
	if (privilege_drop(CELL_UID, &step))
		return WORKER_EXIT_SETUP;
	if (tell(&word))
		return WORKER_EXIT_SETUP;
	while (recv(CELL_FD_RUNTIME, &byte, 1, 0) < 0 && errno == EINTR)
		;
	return WORKER_EXIT_DONE;
}
