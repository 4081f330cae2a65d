// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fake_disk.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

uint32_t fake_disk_random(struct fake_disk *fake, uint32_t below)
{
	/* xorshift64*: Vigna 2016. */
	fake->random ^= fake->random >> 12;
	fake->random ^= fake->random << 25;
	fake->random ^= fake->random >> 27;
	return (uint32_t)((fake->random * 0x2545f4914f6cdd1dull >> 32) * below >> 32);
}

static struct fake_disk *of(struct disk *disk)
{
	return (struct fake_disk *)(void *)((uint8_t *)disk - offsetof(struct fake_disk, disk));
}

static int queue_write(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		       uint32_t bytes, uint64_t tag)
{
	struct fake_disk *fake = of(disk);

	assert(bytes && bytes % DISK_BLOCK_BYTES == 0 && offset % DISK_BLOCK_BYTES == 0);
	assert((uintptr_t)data % DISK_BLOCK_BYTES == 0);
	assert(offset + bytes <= disk->bytes[file]);
	for (unsigned int i = 0; i < DISK_WRITES_MAX; i++) {
		if (fake->writes[i].bytes)
			continue;
		fake->writes[i] = (struct fake_write){file, offset, data, bytes, tag};
		fake->submitted++;
		return 0;
	}
	return -EAGAIN;
}

/* Complete one of those in flight, any. */
static int32_t complete(struct fake_disk *fake, struct fake_write *write)
{
	uint32_t bytes = write->bytes;
	bool fails = fake->broken || (fake->no_snapshots && write->file != DISK_LOG) ||
		     fake_disk_random(fake, 100) < fake->failures;

	if (fails || fake_disk_random(fake, 100) < fake->shorts)
		bytes = fake_disk_random(fake, bytes / FAKE_SECTOR_BYTES) * FAKE_SECTOR_BYTES;
	memcpy(fake->media[write->file] + write->offset, write->data, bytes);
	write->bytes = 0;
	return fails ? fake->failure : (int32_t)bytes;
}

static int reap(struct disk *disk, struct disk_completion *list, unsigned int most, bool wait)
{
	struct fake_disk *fake = of(disk);
	unsigned int count = 0;

	if (fake->hangs && !wait)
		return 0;
	for (unsigned int tries = 0; count < most && tries < 4 * DISK_WRITES_MAX; tries++) {
		struct fake_write *write = &fake->writes[fake_disk_random(fake, DISK_WRITES_MAX)];

		if (!write->bytes)
			continue;
		if (!wait && fake_disk_random(fake, 100) < fake->lazy)
			break;
		list[count].tag = write->tag;
		list[count++].result = complete(fake, write);
		if (wait)
			break;
	}
	return (int)count;
}

static int64_t read_now(struct disk *disk, enum disk_file file, uint64_t offset, void *to,
			uint32_t bytes)
{
	struct fake_disk *fake = of(disk);

	if (offset >= disk->bytes[file])
		return 0;
	if (bytes > disk->bytes[file] - offset)
		bytes = (uint32_t)(disk->bytes[file] - offset);
	memcpy(to, fake->media[file] + offset, bytes);
	return bytes;
}

void fake_disk_open(struct fake_disk *fake, const uint64_t *bytes, uint64_t seed)
{
	static const struct disk_ops ops = {.write = queue_write, .reap = reap, .read = read_now};

	memset(fake, 0, sizeof(*fake));
	fake->disk.ops = &ops;
	fake->random = seed * 0x9e3779b97f4a7c15ull | 1;
	fake->failure = -EIO;
	for (unsigned int i = 0; i < DISK_FILES; i++) {
		fake->disk.bytes[i] = bytes[i];
		fake->media[i] = calloc(1, bytes[i] + 1);
		if (!fake->media[i])
			abort();
	}
}

void fake_disk_close(struct fake_disk *fake)
{
	for (unsigned int i = 0; i < DISK_FILES; i++)
		free(fake->media[i]);
}

void fake_disk_crash(struct fake_disk *fake)
{
	for (unsigned int i = 0; i < DISK_WRITES_MAX; i++) {
		struct fake_write *write = &fake->writes[i];
		unsigned int percent = fake_disk_random(fake, 3) * 50;

		for (uint32_t at = 0; at < write->bytes; at += FAKE_SECTOR_BYTES)
			if (fake_disk_random(fake, 100) < percent)
				memcpy(fake->media[write->file] + write->offset + at,
				       write->data + at, FAKE_SECTOR_BYTES);
		write->bytes = 0;
	}
}

void fake_disk_kill(struct fake_disk *fake)
{
	for (unsigned int i = 0; i < DISK_WRITES_MAX; i++) {
		struct fake_write *write = &fake->writes[i];

		if (write->bytes)
			memcpy(fake->media[write->file] + write->offset, write->data, write->bytes);
		write->bytes = 0;
	}
}
