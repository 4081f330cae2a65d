// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/undelivered.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pages.h"
#include "userspace/log/log.h"

/* Add what is in one record and not done with: see courier_sink_counters.done. */
static void count_record(const struct log_record *record, const struct courier_cursor *cursor,
			 struct undelivered *ret)
{
	uint64_t place = record->sequence << 8;
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;

	log_walk_begin(&walk, record);
	while ((entry = log_walk_next(&walk, &body))) {
		if (entry->kind != LOG_ENTRY_OUTPUT && entry->kind != LOG_ENTRY_DEAD)
			continue;
		place++;
		if (entry->kind == LOG_ENTRY_DEAD)
			ret->outputs[FAAS_SINKS_MAX] += place > cursor->dead_letter_file.done;
		for (uint32_t i = 0; entry->kind == LOG_ENTRY_OUTPUT && i < FAAS_SINKS_MAX; i++)
			ret->outputs[i] += entry->sinks >> i & 1 && place > cursor->sinks[i].done;
	}
}

static int count_log(const void *mapping, uint64_t bytes, const struct courier_cursor *cursor,
		     struct undelivered *ret)
{
	struct log_record *record = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
	uint64_t position = cursor->log_position, sequence = cursor->sequence;
	struct log_view view;
	int err = record ? log_view_open(mapping, bytes, &view) : -ENOMEM;

	/* The log is a circle: what is read ends before it comes round. */
	while (!err && position - cursor->log_position < view.capacity &&
	       log_read(&view, position, sequence + 1, record, LOG_RECORD_BYTES_MAX, &position) >
		       0) {
		count_record(record, cursor, ret);
		sequence = record->sequence;
	}
	free(record);
	return err;
}

int undelivered_count(const struct run_files *files, struct undelivered *ret)
{
	struct undelivered count = {0};
	struct courier_cursor cursor;
	struct stat status;
	void *mapping;
	int err;

	err = pages_read_cursor(files->courier_page, &cursor);
	if (err)
		return err;
	if (fstat(files->log, &status))
		return -errno;
	mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, files->log, 0);
	if (mapping == MAP_FAILED)
		return -errno;
	err = count_log(mapping, (uint64_t)status.st_size, &cursor, &count);
	munmap(mapping, (size_t)status.st_size);
	for (uint32_t i = 0; i < FAAS_SINKS_MAX; i++)
		count.errors[i] = cursor.sinks[i].last_error;
	count.errors[FAAS_SINKS_MAX] = cursor.dead_letter_file.last_error;
	if (!err)
		*ret = count;
	return err;
}
