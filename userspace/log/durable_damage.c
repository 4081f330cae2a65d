// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What recovery had to leave out, kept for a person to look at. */
#include "userspace/log/durable_internal.h"

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + DISK_BLOCK_BYTES - 1) & ~(DISK_BLOCK_BYTES - 1ull);
}

static bool is_one(const struct durable_damage *head)
{
	struct durable_damage copy = *head;

	copy.crc = 0;
	return head->magic == DURABLE_DAMAGE_MAGIC && crc32c(0, &copy, sizeof(copy)) == head->crc;
}

/* Where the next one goes. */
static uint64_t find_end(struct disk *disk, uint8_t *block)
{
	uint64_t offset = 0;

	while (offset + DISK_BLOCK_BYTES <= disk->bytes[DISK_DAMAGE]) {
		struct durable_damage head;

		if (disk->ops->read(disk, DISK_DAMAGE, offset, block, DISK_BLOCK_BYTES) !=
		    DISK_BLOCK_BYTES)
			break;
		memcpy(&head, block, sizeof(head));
		if (!is_one(&head))
			break;
		offset += DISK_BLOCK_BYTES + blocks(head.kept);
	}
	return offset;
}

void durable_keep_damage(const struct durable_setup *setup, const struct durable_super *super,
			 enum disk_file file, uint64_t offset, uint64_t bytes)
{
	struct disk *disk = setup->disk;
	uint8_t *block = aligned_alloc(DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
	struct durable_damage head = {
		.magic = DURABLE_DAMAGE_MAGIC,
		.file = file,
		.offset = offset,
		.bytes = bytes,
		.log_id = super->log_id,
		.incarnation = durable_incarnation(super),
	};
	uint64_t at, room;

	if (!block)
		return;
	at = find_end(disk, block);
	if (at + 2ull * DISK_BLOCK_BYTES > disk->bytes[DISK_DAMAGE])
		goto cleanup;
	room = disk->bytes[DISK_DAMAGE] - at - DISK_BLOCK_BYTES;
	head.kept = bytes < room ? bytes : room & ~(DISK_BLOCK_BYTES - 1ull);
	head.crc = crc32c(0, &head, sizeof(head));
	/* The head comes last, and with it all of it counts. */
	for (uint64_t done = 0; done < head.kept; done += DISK_BLOCK_BYTES) {
		if (disk->ops->read(disk, file, offset + done, block, DISK_BLOCK_BYTES) !=
		    DISK_BLOCK_BYTES)
			memset(block, 0, DISK_BLOCK_BYTES);
		if (durable_write_now(disk, DISK_DAMAGE, at + DISK_BLOCK_BYTES + done, block,
				      DISK_BLOCK_BYTES))
			goto cleanup;
	}
	memset(block, 0, DISK_BLOCK_BYTES);
	memcpy(block, &head, sizeof(head));
	(void)!durable_write_now(disk, DISK_DAMAGE, at, block, DISK_BLOCK_BYTES);
cleanup:
	free(block);
}
