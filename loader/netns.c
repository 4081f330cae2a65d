// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMED_NETNS "/run/netns"
#define SELF_NETNS "/proc/self/ns/net"

/* Of the namespace that this process is in. */
static uint64_t read_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &bytes))
		cookie = 0;
	close(fd);
	return cookie;
}

int netns_enter_path(struct netns *netns, const char *path)
{
	struct stat info;
	int fd;

	*netns = (struct netns){.from_fd = -1};
	if (path[0]) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		netns->from_fd = open(SELF_NETNS, O_RDONLY | O_CLOEXEC);
		if (netns->from_fd < 0 || setns(fd, CLONE_NEWNET)) {
			int error = -errno;

			close(fd);
			if (netns->from_fd >= 0)
				close(netns->from_fd);
			netns->from_fd = -1;
			return error;
		}
		close(fd);
		snprintf(netns->path, sizeof(netns->path), "%s", path);
	}
	if (stat(SELF_NETNS, &info)) {
		int error = -errno;

		netns_leave(netns);
		return error;
	}
	netns->inode = info.st_ino;
	netns->cookie = read_cookie();
	return 0;
}

int netns_enter(struct netns *netns, const char *name, struct diags *diags)
{
	char path[256] = "";
	int error;

	if (name && (!name[0] || strchr(name, '/') || strlen(name) > 128))
		return diag_fail(diags, DIAG_USAGE, "`ip netns list` shows the names",
				 "`%s` is not a name of a network namespace", name);
	if (name)
		snprintf(path, sizeof(path), NAMED_NETNS "/%s", name);
	error = netns_enter_path(netns, path);
	if (error)
		return diag_fail(
			diags, error == -ENOENT ? DIAG_NOT_FOUND : DIAG_PLATFORM,
			error == -ENOENT ? "`ip netns list` shows those there are" : "run as root",
			"network namespace %s: %s", name ? name : "(own)", strerror(-error));
	return 0;
}

void netns_leave(struct netns *netns)
{
	if (netns->from_fd < 0)
		return;
	/* Cannot fail: the descriptor is of a namespace this process was in. */
	if (setns(netns->from_fd, CLONE_NEWNET))
		abort();
	close(netns->from_fd);
	netns->from_fd = -1;
}

/* Enter DIRECTORY/<entry>/BELOW if it is the namespace. */
static int try_entry(struct netns *netns, uint64_t inode, const char *directory, const char *entry,
		     const char *below)
{
	char path[sizeof(netns->path)];
	struct stat info;
	int chars = snprintf(path, sizeof(path), "%s/%s%s", directory, entry, below);

	if (chars >= (int)sizeof(path) || stat(path, &info) || info.st_ino != inode)
		return -ENOENT;
	return netns_enter_path(netns, path);
}

int netns_enter_inode(struct netns *netns, uint64_t inode)
{
	static const struct {
		const char *directory, *below;
	} places[] = {{NAMED_NETNS, ""}, {"/proc", "/ns/net"}};
	int error = netns_enter_path(netns, "");

	if (error || netns->inode == inode)
		return error;
	error = -ENOENT;
	for (size_t i = 0; error && i < sizeof(places) / sizeof(places[0]); i++) {
		DIR *directory = opendir(places[i].directory);
		struct dirent *entry;

		while (error && directory && (entry = readdir(directory)))
			if (entry->d_name[0] != '.')
				error = try_entry(netns, inode, places[i].directory, entry->d_name,
						  places[i].below);
		if (directory)
			closedir(directory);
	}
	return error;
}

int netns_named(uint64_t inode, char *path, size_t bytes)
{
	DIR *directory = opendir(NAMED_NETNS);
	struct dirent *entry;
	struct stat info;
	int error = -ENOENT;

	while (error && directory && (entry = readdir(directory))) {
		int chars = snprintf(path, bytes, NAMED_NETNS "/%s", entry->d_name);

		if (entry->d_name[0] != '.' && chars < (int)bytes && !stat(path, &info) &&
		    info.st_ino == inode)
			error = 0;
	}
	if (directory)
		closedir(directory);
	return error;
}
