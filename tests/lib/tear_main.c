// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a power loss leaves of the writes that were on their way into a durable log,
 * where the machine that was stopped had time to end them: sectors of them are zero,
 * garbled, or those of another place.
 *
 * tear --position P --sequence S --seed N DIRECTORY
 *
 * P and S: what the worker said to be on the disk by then. Torn is, by chance, what
 * was written behind that and nobody was told of; the superblock that is written
 * next; the snapshot that no superblock names. stdout gets {"written":BYTES,
 * "sectors":N,"super":0|1,"chunks":N}: bytes behind P, and what was torn.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pace.h"
#include "userspace/log/disk_file.h"
#include "userspace/log/durable.h"

#define SECTOR_BYTES 512

struct tear {
	struct disk_files files;
	struct durable_super *super;
	uint8_t *circle; /* the log's, read whole */
	uint64_t random;
	uint64_t position, sequence; /* what is acknowledged */
	uint64_t end;		     /* what is written */
	uint64_t sectors, chunks, supers;
};

static uint64_t next_random(struct tear *tear)
{
	uint64_t value = tear->random += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static uint64_t below(struct tear *tear, uint64_t limit)
{
	return next_random(tear) % limit;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "tear: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_files(struct tear *tear, const char *directory)
{
	static const char *const names[DISK_FILES] = {
		[DISK_LOG] = "log",
		[DISK_SNAPSHOT_0] = "snapshot.0",
		[DISK_SNAPSHOT_1] = "snapshot.1",
	};
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds[DISK_FILES];

	if (at < 0)
		die(directory);
	for (unsigned int i = 0; i < DISK_FILES; i++) {
		fds[i] = names[i] ? openat(at, names[i], O_RDWR | O_CLOEXEC) : -1;
		if (names[i] && fds[i] < 0)
			die(names[i]);
	}
	close(at);
	errno = -disk_files_open(&tear->files, fds);
	if (errno)
		die(directory);
	tear->super = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*tear->super));
	if (!tear->super)
		die("memory");
	errno = -durable_super_read(&tear->files.disk, tear->super);
	if (errno)
		die("the superblock");
	tear->circle = malloc(tear->super->capacity);
	if (!tear->circle || pread(fds[DISK_LOG], tear->circle, tear->super->capacity,
				   DURABLE_LOG_OFFSET) != (ssize_t)tear->super->capacity)
		die("the log");
}

/* A note on the disk may say that more is there than the worker had shown: then it
 * knew, and would not have written the note otherwise. */
static void known(uint64_t *known_position, uint64_t position)
{
	if (position > *known_position)
		*known_position = position;
}

/* Follow what was written behind the acknowledged record. */
static void follow(struct tear *tear)
{
	const struct log_view view = {
		.data = tear->circle,
		.capacity = tear->super->capacity,
		.segment_bytes = tear->super->segment_bytes,
		.log_id = tear->super->log_id,
	};
	struct log_record *record = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
	uint64_t from = tear->position, next;

	if (!record)
		die("memory");
	tear->end = from;
	known(&from, tear->super->snapshot_end);
	known(&from, tear->super->reached);
	while (log_read(&view, tear->end, tear->sequence + 1, record, LOG_RECORD_BYTES_MAX, &next) >
	       0) {
		tear->end = next;
		tear->sequence++;
		if (record->kind == LOG_GROUP) {
			const struct log_group *note;
			const uint8_t *body;
			struct log_walk walk;

			log_walk_begin(&walk, record);
			if (!log_walk_next(&walk, &body))
				continue;
			note = (const struct log_group *)(const void *)body;
			known(&from, note->durable_position);
		}
	}
	free(record);
	tear->position = from;
}

static void put(const struct tear *tear, enum disk_file file, uint64_t offset, const void *data,
		size_t bytes)
{
	if (pwrite(tear->files.fds[file], data, bytes, (off_t)offset) != (ssize_t)bytes)
		die("a write");
}

static void tear_sector(struct tear *tear, enum disk_file file, uint64_t offset)
{
	uint8_t sector[SECTOR_BYTES] = {0};

	switch (below(tear, 3)) {
	case 0:
		break;
	case 1:
		for (unsigned int i = 0; i < SECTOR_BYTES; i++)
			sector[i] = (uint8_t)next_random(tear);
		break;
	default:
		memcpy(sector,
		       tear->circle +
			       below(tear, tear->super->capacity / SECTOR_BYTES) * SECTOR_BYTES,
		       SECTOR_BYTES);
	}
	put(tear, file, offset, sector, sizeof(sector));
}

/* All sectors, some, or few of what was on its way. */
static void tear_log(struct tear *tear)
{
	uint64_t one_of = 1ull << below(tear, 8);

	for (uint64_t at = tear->position; at < tear->end; at += SECTOR_BYTES) {
		if (below(tear, one_of))
			continue;
		tear_sector(tear, DISK_LOG, DURABLE_LOG_OFFSET + at % tear->super->capacity);
		tear->sectors++;
	}
}

static void tear_next_super(struct tear *tear)
{
	uint64_t place = (tear->super->number + 1) % 2 * DISK_BLOCK_BYTES;

	if (below(tear, 2))
		return;
	tear->supers = 1;
	for (uint64_t at = 0; at < DISK_BLOCK_BYTES; at += SECTOR_BYTES)
		if (below(tear, 2))
			tear_sector(tear, DISK_LOG, place + at);
}

static void tear_next_snapshot(struct tear *tear)
{
	enum disk_file file = DISK_SNAPSHOT_0;
	uint64_t chunks;

	if (tear->super->snapshot && tear->super->snapshot_file == 0)
		file = DISK_SNAPSHOT_1;
	chunks = tear->files.disk.bytes[file] / DURABLE_CHUNK_BYTES;
	for (uint64_t i = 0; i < chunks; i++) {
		if (below(tear, 2))
			continue;
		tear_sector(tear, file,
			    i * DURABLE_CHUNK_BYTES +
				    below(tear, DURABLE_CHUNK_BYTES / SECTOR_BYTES) * SECTOR_BYTES);
		tear->chunks++;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"position", required_argument, NULL, 'p'},
		{"sequence", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'n'},
		{0},
	};
	static struct tear tear;
	uint64_t written;
	int choice;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (choice == 'p')
			tear.position = number_or_die(optarg, 1ull << 62, "position");
		else if (choice == 's')
			tear.sequence = number_or_die(optarg, UINT64_MAX / 2, "sequence");
		else if (choice == 'n')
			tear.random = number_or_die(optarg, UINT64_MAX / 2, "seed");
		else
			return 2;
	}
	if (optind + 1 != argc) {
		(void)fputs("usage: tear --position P --sequence S --seed N DIRECTORY\n", stderr);
		return 2;
	}
	open_files(&tear, argv[optind]);
	written = tear.position;
	follow(&tear);
	written = tear.end - written;
	tear_log(&tear);
	tear_next_super(&tear);
	tear_next_snapshot(&tear);
	printf("{\"written\":%" PRIu64 ",\"sectors\":%" PRIu64 ",\"super\":%" PRIu64
	       ",\"chunks\":%" PRIu64 "}\n",
	       written, tear.sectors, tear.supers, tear.chunks);
	return 0;
}
