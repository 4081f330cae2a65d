// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "log.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"

int log_view_open(const void *mapping, uint64_t file_bytes, struct log_view *ret)
{
	struct log_header header;

	if (file_bytes < LOG_DATA_OFFSET)
		return -EINVAL;
	memcpy(&header, mapping, sizeof(header));
	if (header.magic != LOG_MAGIC || header.version != LOG_VERSION)
		return -EINVAL;
	/* Two segments at least: a record that outgrows one needs the next. */
	if (header.segment_count < 2 || header.segment_bytes < 4096 ||
	    header.segment_bytes % 4096 || header.segment_bytes > (1ull << 40) ||
	    header.segment_count > (1u << 20) ||
	    log_file_bytes(header.segment_count, header.segment_bytes) > file_bytes)
		return -EINVAL;
	ret->data = (const uint8_t *)mapping + LOG_DATA_OFFSET;
	ret->segment_bytes = header.segment_bytes;
	ret->capacity = header.segment_count * header.segment_bytes;
	ret->log_id = header.log_id;
	return 0;
}

int log_record_check(const struct log_record *header)
{
	const uint8_t *record = (const uint8_t *)header;
	uint64_t used = sizeof(*header) + ((header->trace_bytes + 7u) & ~7u);

	for (uint32_t i = 0; i < header->entry_count; i++) {
		struct log_entry entry;

		if (used + sizeof(entry) > header->bytes)
			return -EBADMSG;
		memcpy(&entry, record + used, sizeof(entry));
		used += sizeof(entry) + (((uint64_t)entry.bytes + 7) & ~7ull);
		if (used > header->bytes)
			return -EBADMSG;
		if (entry.kind == LOG_ENTRY_STATE && ((entry.key_bytes + 7u) & ~7u) > entry.bytes)
			return -EBADMSG;
	}
	return used == header->bytes ? 0 : -EBADMSG;
}

int64_t log_read(const struct log_view *view, uint64_t position, uint64_t sequence, void *copy,
		 size_t copy_bytes, uint64_t *ret_next)
{
	struct log_record *header = copy;

	if (position % 8 || copy_bytes < sizeof(*header))
		return -EBADMSG;
	/* A second look is for the segment behind the padding. */
	for (unsigned int look = 0; look < 2; look++) {
		const uint8_t *from = view->data + position % view->capacity;
		uint64_t rest = view->segment_bytes - position % view->segment_bytes;

		if (rest < sizeof(*header)) {
			position += rest;
			continue;
		}
		memcpy(header, from, sizeof(*header));
		/* An older sequence number is what a lap before left here. */
		if (header->magic != LOG_RECORD_MAGIC || header->log_id != view->log_id ||
		    header->sequence < sequence)
			return 0;
		if (header->bytes < sizeof(*header) || header->bytes % 8 || header->bytes > rest ||
		    header->bytes > copy_bytes)
			return 0;
		memcpy((uint8_t *)copy + sizeof(*header), from + sizeof(*header),
		       header->bytes - sizeof(*header));
		if (crc32c(0, (uint8_t *)copy + sizeof(header->crc),
			   header->bytes - sizeof(header->crc)) != header->crc)
			return 0;
		/* The writer is a lap ahead: what was wanted is gone. */
		if (header->sequence > sequence)
			return -EBADMSG;
		if (header->kind == LOG_PAD) {
			if (header->bytes != sizeof(*header) || !(position % view->segment_bytes))
				return -EBADMSG;
			position += rest;
			continue;
		}
		if (header->kind < LOG_EVENT || header->kind > LOG_REPLAY)
			return -EBADMSG;
		if (log_record_check(header))
			return -EBADMSG;
		*ret_next = position + header->bytes;
		return header->bytes;
	}
	return 0;
}
