/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A disk in memory for the engine of the durable log: writes complete in any
 * order, in part, or not at all, and a power loss leaves of those in flight
 * whatever sectors it likes. All by one seed.
 */
#ifndef FAAS_TESTS_LIB_FAKE_DISK_H
#define FAAS_TESTS_LIB_FAKE_DISK_H

#include "userspace/log/disk.h"

#define FAKE_SECTOR_BYTES 512

struct fake_write {
	enum disk_file file;
	uint64_t offset;
	const uint8_t *data;
	uint32_t bytes; /* 0: none */
	uint64_t tag;
};

struct fake_disk {
	struct disk disk;
	uint8_t *media[DISK_FILES];
	struct fake_write writes[DISK_WRITES_MAX];
	uint64_t random;
	/* Of a hundred. */
	unsigned int lazy;   /* looks that complete nothing */
	unsigned int shorts; /* writes that end early */
	unsigned int failures;
	int failure;	   /* -errno of those; and of all with `broken` */
	bool broken;	   /* every write fails */
	bool no_snapshots; /* of snapshots, all do */
	bool hangs;	   /* nothing completes */
	uint64_t submitted;
};

/* @p bytes for each file. Exits without memory. */
void fake_disk_open(struct fake_disk *fake, const uint64_t *bytes, uint64_t seed);
void fake_disk_close(struct fake_disk *fake);

/* A number below @p below. */
uint32_t fake_disk_random(struct fake_disk *fake, uint32_t below);

/* The power goes: of what is in flight, some sectors are written. */
void fake_disk_crash(struct fake_disk *fake);

/* The process goes: what is in flight is written. */
void fake_disk_kill(struct fake_disk *fake);

#endif
