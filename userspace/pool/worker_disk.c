// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "userspace/log/disk_file.h"
#include "userspace/log/log.h"

static struct worker_disk *of(struct disk *disk)
{
	return (struct worker_disk *)(void *)((uint8_t *)disk - offsetof(struct worker_disk, disk));
}

static int queue_write(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		       uint32_t bytes, uint64_t tag)
{
	struct worker_disk *self = of(disk);
	int err = waiter_write(self->waiter, self->fds[file], offset, data, bytes, tag);

	if (!err)
		self->flying++;
	return err;
}

static int reap(struct disk *disk, struct disk_completion *list, unsigned int most, bool wait)
{
	struct worker_disk *self = of(disk);
	unsigned int count;
	bool fired;
	bool waited = false;
	int err;

	err = waiter_look(self->waiter, &fired);
	while (!err && wait && self->flying && !waiter_has_written(self->waiter)) {
		self->waiter->unseen = false;
		err = waiter_wait(self->waiter, -1);
		waited = true;
	}
	/* Whoever waits for something else hears of it, too. */
	self->waiter->unseen |= waited;
	if (err && err != -EINTR && err != -EAGAIN)
		return err;
	for (count = 0; count < most; count++) {
		if (!waiter_take_written(self->waiter, &list[count].tag, &list[count].result))
			break;
		self->flying--;
	}
	return (int)count;
}

static int64_t read_now(struct disk *disk, enum disk_file file, uint64_t offset, void *to,
			uint32_t bytes)
{
	return disk_file_read(of(disk)->fds[file], offset, to, bytes);
}

static void set_flag(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	/* A file system without it (tmpfs before Linux 6.6) says EINVAL. */
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

int worker_disk_open(struct worker_disk *disk, struct waiter *waiter, const int *fds)
{
	static const struct disk_ops ops = {.write = queue_write, .reap = reap, .read = read_now};
	int err;

	memset(disk, 0, sizeof(*disk));
	disk->disk.ops = &ops;
	disk->waiter = waiter;
	err = disk_file_measure(&disk->disk, fds);
	for (unsigned int i = 0; !err && i < DISK_FILES; i++) {
		disk->fds[i] = fds[i];
		/* The kernel reads ahead for who goes through the page cache. */
		set_flag(fds[i], false);
	}
	return err ? err : waiter_make_thread(waiter, fds[DISK_LOG]);
}

/* An overlay takes the flag, and before Linux 6.6 refuses every read and write then if what
 * it lies on cannot do so. */
static bool is_refused(int fd)
{
	_Alignas(LOG_BLOCK_BYTES) uint8_t block[LOG_BLOCK_BYTES];

	return pread(fd, block, sizeof(block), 0) < 0 && errno == EINVAL;
}

void worker_disk_set_direct(struct worker_disk *disk)
{
	bool refused;

	for (unsigned int i = 0; i < DISK_FILES; i++) {
		/* Pages that stay would have to be found and dropped by each write. */
		(void)posix_fadvise(disk->fds[i], 0, 0, POSIX_FADV_DONTNEED);
		set_flag(disk->fds[i], true);
	}
	/* They are all in one directory. */
	refused = is_refused(disk->fds[DISK_LOG]);
	for (unsigned int i = 0; refused && i < DISK_FILES; i++)
		set_flag(disk->fds[i], false);
}
