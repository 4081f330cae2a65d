// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The disk below the durable log: what is written is in flight until chance
 * completes it, in any order, whole, in part, or with an error. When the power
 * goes, of what is in flight some sectors are there and some are not.
 */
#include <errno.h>
#include <string.h>

#include "sim.h"

#define SECTOR_BYTES 512
#define DAMAGE_BYTES 65536
#define WRITE_BYTES_MAX (1 << 20)
#define OUTAGE_MAX 60 /* writes */

struct write {
	int fd;
	uint64_t offset;
	const uint8_t *data;
	uint32_t bytes; /* 0: free */
	uint64_t tag;
	bool done;
	int32_t result;
	uint8_t *copy; /* as it was handed over: a place of its own for each */
};

static struct write writes[WAITER_WRITES_MAX];
static uint32_t outage; /* writes that fail from now on */
static uint8_t copies[WAITER_WRITES_MAX][WRITE_BYTES_MAX];

static uint8_t *media(const struct write *write)
{
	return (uint8_t *)sim_data(write->fd) + write->offset;
}

/* What is on its way must not change. */
static void check_unchanged(const struct write *write)
{
	if (memcmp(write->copy, write->data, write->bytes))
		sim_fail("%u bytes at %llu of a file on the disk were changed while in flight",
			 write->bytes, (unsigned long long)write->offset);
}

/* ---- which events a place in the log is behind ---- */

#define NOTES_MAX 65536
#define UNKNOWN UINT64_MAX

/* Of each end of a group: events that were done before it, of all. Where a worker died
 * closing it, position is UNKNOWN, and the end, if there is one, is soon behind `begin`. */
static struct note {
	uint64_t begin, position, events;
} notes[NOTES_MAX];
static uint32_t note_count;
/* A worker's counters begin with what was there at the last boot. */
static uint64_t events_at_boot;
static bool booted;

static bool may_end_at(const struct note *note, uint64_t position)
{
	if (note->position != UNKNOWN)
		return note->position == position;
	return position > note->begin && position - note->begin <= sim_plan.segment_bytes;
}

uint32_t disk_events_before(uint64_t position)
{
	uint32_t i = note_count;

	/* What was closed there last is what lies there. */
	while (i && !may_end_at(&notes[i - 1], position))
		i--;
	if (!i && position)
		sim_fail("no group ends at %llu", (unsigned long long)position);
	return i ? (uint32_t)notes[i - 1].events : 0;
}

uint32_t disk_survivors(void)
{
	const struct worker_page *page = sim_data(SIM_FD_WORKER_PAGE);

	if (booted)
		events_at_boot = disk_events_before(page->durable_position);
	booted = false;
	return (uint32_t)events_at_boot;
}

static void note(uint64_t begin, uint64_t position, uint64_t events)
{
	uint64_t all = disk_survivors() + events;

	if (note_count == NOTES_MAX)
		sim_fail("more groups than NOTES_MAX");
	notes[note_count++] = (struct note){begin, position, all};
}

int __real_log_close_group(struct log_writer *writer, uint16_t ring, const struct log_group *group,
			   uint64_t ring_position, uint64_t processed, uint64_t dead_lettered);
int __wrap_log_close_group(struct log_writer *writer, uint16_t ring, const struct log_group *group,
			   uint64_t ring_position, uint64_t processed, uint64_t dead_lettered);
int __wrap_log_close_group(struct log_writer *writer, uint16_t ring, const struct log_group *group,
			   uint64_t ring_position, uint64_t processed, uint64_t dead_lettered)
{
	int err;

	note(writer->head, UNKNOWN, processed + dead_lettered);
	err = __real_log_close_group(writer, ring, group, ring_position, processed, dead_lettered);
	if (err)
		note_count--;
	else
		notes[note_count - 1].position = writer->head;
	return err;
}

const struct page_counters *sim_live;

/* One that makes up for records that the disk has not got begins where the log is. */
void __real_durable_snapshot_begin(struct durable *durable);
void __wrap_durable_snapshot_begin(struct durable *durable);
void __wrap_durable_snapshot_begin(struct durable *durable)
{
	if (durable->adrift)
		note(durable->closed, durable->closed,
		     sim_live->processed + sim_live->dead_lettered);
	__real_durable_snapshot_begin(durable);
}

static void drop(struct write *write)
{
	*write = (struct write){0};
}

void disk_reset(void)
{
	note_count = 0;
	events_at_boot = 0;
	booted = false;
	outage = 0;
	store_reset(NULL);
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++)
		drop(&writes[i]);
}

int __wrap_waiter_write(struct waiter *waiter, int fd, uint64_t offset, const void *data,
			uint32_t bytes, uint64_t tag);
int __wrap_waiter_write(struct waiter *waiter, int fd, uint64_t offset, const void *data,
			uint32_t bytes, uint64_t tag)
{
	(void)waiter;
	sim_step();
	if (offset % 4096 || bytes % 4096 || (uintptr_t)data % 4096 || !bytes ||
	    offset + bytes > sim_file(fd)->bytes || bytes > WRITE_BYTES_MAX)
		sim_fail("a write of %u bytes at %llu of file %d", bytes,
			 (unsigned long long)offset, fd - SIM_FD_DISK);
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++) {
		struct write *write = &writes[i];

		if (write->bytes)
			continue;
		*write = (struct write){.fd = fd,
					.offset = offset,
					.data = data,
					.bytes = bytes,
					.tag = tag,
					.copy = copies[i]};
		memmove(write->copy, data, bytes);
		return 0;
	}
	return -EAGAIN;
}

static void put_sectors(const struct write *write, uint32_t bytes, bool any)
{
	for (uint32_t at = 0; at < bytes; at += SECTOR_BYTES)
		if (!any || sim_below(2))
			memmove(media(write) + at, write->copy + at, SECTOR_BYTES);
}

static void complete(struct write *write)
{
	static const int errors[] = {ENOSPC, EIO, EROFS};

	check_unchanged(write);
	write->done = true;
	write->result = (int32_t)write->bytes;
	if (!outage && sim_chance(sim_plan.outages))
		outage = 1 + sim_below(OUTAGE_MAX);
	outage -= outage > 0;
	if (outage || sim_chance(sim_plan.disk_errors)) {
		write->result = -errors[sim_below(3)];
		put_sectors(write, write->bytes, true);
	} else if (sim_chance(sim_plan.disk_errors)) {
		write->result = (int32_t)(sim_below(write->bytes / SECTOR_BYTES) * SECTOR_BYTES);
		put_sectors(write, (uint32_t)write->result, false);
	} else {
		put_sectors(write, write->bytes, false);
	}
}

bool disk_step(void)
{
	struct write *write = &writes[sim_below(WAITER_WRITES_MAX)];

	if (!write->bytes || write->done)
		return false;
	complete(write);
	return true;
}

bool disk_is_idle(void)
{
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++)
		if (writes[i].bytes)
			return false;
	return true;
}

bool disk_has_completed(void)
{
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++)
		if (writes[i].done)
			return true;
	return false;
}

bool disk_reap(struct waiter *waiter)
{
	bool any = false;

	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++) {
		struct write *write = &writes[i];

		if (!write->done || waiter->written_count == WAITER_WRITES_MAX)
			continue;
		waiter->written[waiter->written_count].tag = write->tag;
		waiter->written[waiter->written_count++].result = write->result;
		drop(write);
		any = true;
	}
	return any;
}

/* A process that ends waits for what the device has, and drops what it has not. */
void disk_process_gone(void)
{
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++) {
		if (writes[i].bytes && !writes[i].done && sim_below(2))
			complete(&writes[i]);
		drop(&writes[i]);
	}
}

void disk_power_loss(void)
{
	booted = true;
	for (uint32_t i = 0; i < WAITER_WRITES_MAX; i++) {
		if (writes[i].bytes && !writes[i].done)
			put_sectors(&writes[i], writes[i].bytes, true);
		drop(&writes[i]);
	}
}

int __wrap_waiter_make_thread(struct waiter *waiter, int fd);
int __wrap_waiter_make_thread(struct waiter *waiter, int fd)
{
	(void)waiter;
	(void)fd;
	return 0;
}

ssize_t __real_pread(int fd, void *to, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t offset)
{
	const struct sim_file *file;
	uint64_t at = (uint64_t)offset;

	sim_step();
	fd = migrator_fd(fd);
	if (!sim_is_ours(fd))
		return __real_pread(fd, to, bytes, offset);
	file = sim_file(fd);
	if (at >= file->bytes)
		return 0;
	if (bytes > file->bytes - at)
		bytes = (size_t)(file->bytes - at);
	memmove(to, file->data + at, bytes);
	return (ssize_t)bytes;
}

int __wrap_posix_fadvise(int fd, off_t offset, off_t bytes, int advice);
int __wrap_posix_fadvise(int fd, off_t offset, off_t bytes, int advice)
{
	(void)fd;
	(void)offset;
	(void)bytes;
	(void)advice;
	return 0;
}

int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	(void)fd;
	(void)command;
	return 0;
}

/* Bytes of each file of the disk, for this version. */
static void count_bytes(const struct bundle *bundle, uint64_t *bytes)
{
	uint64_t staging = (uint64_t)sim_plan.segment_count * sim_plan.segment_bytes;
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX] = {0};

	for (uint32_t i = 0; i < bundle->user_count; i++)
		state_durable_shape(bundle, i, &images[i].shape);
	bytes[DISK_LOG] = durable_log_bytes(sim_plan.circle * staging, staging);
	bytes[DISK_SNAPSHOT_0] = bytes[DISK_SNAPSHOT_1] = durable_snapshot_bytes(images);
	bytes[DISK_DAMAGE] = DAMAGE_BYTES;
	bytes[DISK_BEFORE] = 0;
}

static uint8_t *lay_out(uint8_t *at, int fd, uint64_t bytes, uint64_t room)
{
	*sim_file(fd) = (struct sim_file){.data = at, .bytes = bytes};
	return at + ((room + 4095) & ~4095ull);
}

uint8_t *disk_lay_out(uint8_t *begin)
{
	uint64_t bytes[DISK_FILES], room[DISK_FILES],
		node = sim_plan.updates ? store_node_bytes() : 0;
	uint8_t *at = begin;

	count_bytes(sim_bundle, bytes);
	memcpy(room, bytes, sizeof(room));
	for (uint32_t version = 1; version <= SIM_VERSIONS; version++) {
		uint64_t needs[DISK_FILES];

		count_bytes(workflow_bundle(version), needs);
		for (int i = 0; i < DISK_FILES; i++)
			room[i] = needs[i] > room[i] ? needs[i] : room[i];
	}
	for (int i = 0; i < DISK_FILES; i++)
		at = lay_out(at, SIM_FD_DISK + i, bytes[i], room[i]);
	for (int i = 0; i < SIM_NODES; i++)
		at = lay_out(at, SIM_FD_NODE + i, 0, node);
	at += (size_t)SIM_NODES * node;
	memset(begin, 0, (size_t)(at - begin));
	if (node)
		store_reset(at - (size_t)SIM_NODES * node);
	return at;
}

/* As storage_open does. */
void disk_fit(void)
{
	uint64_t bytes[DISK_FILES];

	count_bytes(sim_bundle, bytes);
	for (int i = 0; i < DISK_FILES; i++)
		if (sim_file(SIM_FD_DISK + i)->bytes < bytes[i])
			sim_file(SIM_FD_DISK + i)->bytes = bytes[i];
}
