// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/program_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>
#include <ebpf_faas/pins.h>

#include "ustar.h"

/* Shadowed in this process only, and there while a runtime is. */
#define PLACE FAAS_RUN_WORKFLOWS
#define ENTRIES_MAX 256 /* of a root directory */

/* Attributes of struct mount_attr: headers may be older. */
#define ATTRIBUTES_READ_ONLY 0x1
#define ATTRIBUTES_NOSUID 0x2
#define ATTRIBUTES_NODEV 0x4
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

struct attributes {
	uint64_t set, clear, propagation, userns;
};

static const char *const usual[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
/* Not what the machine has there, or what is ours. */
static const char *const left_out[] = {".", "..", "app", "dev", "proc", "sys"};
static const char *const devices[] = {"null", "zero", "random", "urandom"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int bind(const char *from, const char *to, uint64_t attributes)
{
	const struct attributes set = {.set = attributes};

	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) ||
	    syscall(SYS_mount_setattr, AT_FDCWD, to, AT_RECURSIVE, &set, sizeof(set)))
		return -errno;
	return 0;
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	return fd < 0 ? -errno : close(fd);
}

/* An entry of the root directory, as it is there. */
static int add_entry(const char *root, const char *name)
{
	const uint64_t attributes = ATTRIBUTES_READ_ONLY | ATTRIBUTES_NOSUID | ATTRIBUTES_NODEV;
	char from[PATH_MAX], to[PATH_MAX], link[PATH_MAX];
	struct stat status;
	ssize_t bytes;
	int err = 0;

	(void)snprintf(from, sizeof(from), "%s/%s", root, name);
	(void)snprintf(to, sizeof(to), PLACE "/%s", name);
	if (lstat(from, &status))
		return -errno;
	if (S_ISLNK(status.st_mode)) {
		bytes = readlink(from, link, sizeof(link) - 1);
		if (bytes < 0)
			return -errno;
		link[bytes] = '\0';
		return symlink(link, to) ? -errno : 0;
	}
	if (S_ISDIR(status.st_mode))
		err = mkdir(to, 0755) ? -errno : 0;
	else if (S_ISREG(status.st_mode))
		err = make_file(to);
	else
		return 0;
	return err ? err : bind(from, to, attributes);
}

static int add_entries(const char *root)
{
	DIR *list = opendir(root[0] ? root : "/");
	unsigned int count = 0;
	struct dirent *entry;
	int err = 0;

	if (!list)
		return -errno;
	while (!err && (entry = readdir(list))) {
		if (root[0] ? is_in(entry->d_name, left_out, COUNT(left_out))
			    : !is_in(entry->d_name, usual, COUNT(usual)))
			continue;
		err = ++count > ENTRIES_MAX ? -E2BIG : add_entry(root, entry->d_name);
	}
	(void)closedir(list);
	return err;
}

static int add_devices(void)
{
	char from[32], to[PATH_MAX];
	int err = mkdir(PLACE "/dev", 0755) ? -errno : 0;

	for (size_t i = 0; !err && i < COUNT(devices); i++) {
		(void)snprintf(from, sizeof(from), "/dev/%s", devices[i]);
		(void)snprintf(to, sizeof(to), PLACE "/dev/%s", devices[i]);
		err = make_file(to);
		if (!err)
			err = bind(from, to, ATTRIBUTES_READ_ONLY | ATTRIBUTES_NOSUID);
	}
	return err;
}

static int copy_out(int archive, const char *name, mode_t mode, uint64_t bytes)
{
	char path[PATH_MAX], buffer[4096];
	int err = 0, to;

	(void)snprintf(path, sizeof(path), PLACE PROGRAM_DIRECTORY "/%s", name);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (to < 0)
		return -errno;
	while (!err && bytes) {
		ssize_t got =
			read(archive, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer));

		if (got < 0)
			err = -errno;
		else if (!got)
			err = -EINVAL;
		else if (write(to, buffer, (size_t)got) != got)
			err = -ENOSPC;
		else
			bytes -= (uint64_t)got;
	}
	(void)close(to);
	return err;
}

/* Nothing of what it says is believed but after this: one name, no directory. */
static int check_head(const struct ustar_head *head, uint64_t *ret_bytes)
{
	char size[sizeof(head->size) + 1] = "", sum[sizeof(head->checksum) + 1] = "";
	char *end;

	memcpy(size, head->size, sizeof(head->size));
	memcpy(sum, head->checksum, sizeof(head->checksum));
	*ret_bytes = strtoull(size, &end, 8);
	if (memcmp(head->magic, USTAR_MAGIC, sizeof(head->magic)) || head->type != USTAR_FILE ||
	    *end || *ret_bytes > FAAS_EXEC_FILES_BYTES ||
	    strtoul(sum, NULL, 8) != ustar_checksum(head) || !head->name[0] ||
	    !memchr(head->name, '\0', FAAS_EXEC_FILE_BYTES) || strchr(head->name, '/') ||
	    is_in(head->name, left_out, 2) || head->prefix[0])
		return -EINVAL;
	return 0;
}

static int add_files(int archive)
{
	struct ustar_head head;
	int err = mkdir(PLACE PROGRAM_DIRECTORY, 0755) ? -errno : 0;

	if (!err && lseek(archive, 0, SEEK_SET))
		err = -errno;
	for (unsigned int i = 0; !err && i <= FAAS_EXEC_FILES_MAX; i++) {
		ssize_t got = read(archive, &head, sizeof(head));
		uint64_t bytes;

		if (got != sizeof(head))
			return got < 0 ? -errno : -EINVAL;
		if (!head.name[0])
			break;
		err = check_head(&head, &bytes);
		if (!err)
			err = copy_out(archive, head.name,
				       memchr(head.mode, '5', sizeof(head.mode)) ? 0555 : 0444,
				       bytes);
		if (!err && lseek(archive, (off_t)(-bytes & (USTAR_BLOCK_BYTES - 1)), SEEK_CUR) < 0)
			err = -errno;
	}
	return err;
}

/* What was the root is gone. On an initial RAM file system it cannot be, and is covered:
 * nobody gets below it without a privilege. */
static int turn(void)
{
	if (chdir(PLACE))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", ".")) {
		if (umount2(".", MNT_DETACH))
			return -errno;
	} else if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".")) {
		return -errno;
	}
	if (chdir("/") ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL))
		return -errno;
	return chdir(PROGRAM_DIRECTORY) ? -errno : 0;
}

int program_root_enter(const char *root, int archive, const char **ret_step)
{
	char options[64];
	int err;

	(void)umask(0022);
	(void)snprintf(options, sizeof(options), "mode=755,size=%d", 2 * FAAS_EXEC_FILES_BYTES);
	*ret_step = "mounts of its own";
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", PLACE, "tmpfs", MS_NOSUID | MS_NODEV, options))
		return -errno;
	*ret_step = root[0] ? "its root" : "/usr";
	err = add_entries(root);
	if (!err) {
		*ret_step = "devices";
		err = add_devices();
	}
	if (!err) {
		*ret_step = "files of the bundle";
		err = add_files(archive);
	}
	if (!err) {
		*ret_step = "the change of root";
		err = turn();
	}
	return err;
}
