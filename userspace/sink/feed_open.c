// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "userspace/sink/feed.h"

static int map(int fd, int protection, uint64_t bytes_min, void **ret, uint64_t *ret_bytes)
{
	struct stat status;
	void *mapping;

	if (fstat(fd, &status))
		return -errno;
	if ((uint64_t)status.st_size < bytes_min)
		return -EINVAL;
	mapping = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		return -errno;
	*ret = mapping;
	if (ret_bytes)
		*ret_bytes = (uint64_t)status.st_size;
	return 0;
}

static int map_files(struct feed *feed, const struct feed_files *files)
{
	void *mapping = NULL;
	int err;

	err = map(files->log, PROT_READ, LOG_DATA_OFFSET, &mapping, &feed->log_bytes);
	if (err)
		return err;
	feed->log = mapping;
	err = log_view_open(feed->log, feed->log_bytes, &feed->view);
	if (err)
		return err;
	err = map(files->worker_page, PROT_READ, WORKER_PAGE_BYTES, &mapping, NULL);
	if (err)
		return err;
	feed->worker_page = mapping;
	err = map(files->courier_page, PROT_READ | PROT_WRITE, COURIER_PAGE_BYTES, &mapping, NULL);
	if (err)
		return err;
	feed->courier_page = mapping;
	return 0;
}

static int take_up_cursor(struct feed *feed)
{
	struct courier_page *page = feed->courier_page;

	assert(page); /* map_files was before */
	if (!page->magic) {
		page->version = PAGES_VERSION;
		__atomic_store_n(&page->magic, COURIER_PAGE_MAGIC, __ATOMIC_RELEASE);
	}
	if (page->magic != COURIER_PAGE_MAGIC || page->version != PAGES_VERSION)
		return -EINVAL;
	feed->cursor = page->cursors[page->current & 1];
	feed->scan.position = feed->cursor.log_position;
	feed->scan.sequence = feed->cursor.sequence;
	feed_wake(feed);
	return 0;
}

static int init_file(const struct feed *feed, struct feed_sink *sink, const char *path,
		     uint64_t rotate_bytes, uint32_t keep,
		     const struct courier_sink_counters *counters, struct diags *diags)
{
	sink->path = strdup(path);
	if (!sink->path)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	sink->kind = SINK_FILE;
	sink->backoff_ms = FEED_RETRY_MIN_MS;
	file_sink_init(&sink->file, sink->path, rotate_bytes, keep);
	sink->file.inode = counters->file_inode;
	sink->file.bytes = counters->file_bytes;
	sink->file.durable = feed->durable;
	/* The courier before may have left something: also while another sink held its
	 * cursor up. */
	sink->file.unsynced = sink->file.unnamed =
		feed->durable && counters->done >> 8 > feed->cursor.synced_sequence;
	return 0;
}

static int open_file(struct feed_sink *sink, const char *name, struct diags *diags)
{
	const char *path = sink->file.path;
	int err = file_sink_open(&sink->file, sink->file.inode, sink->file.bytes);

	switch (-err) {
	case 0:
		return 0;
	case ENOENT:
		return diag_fail(diags, DIAG_FAILED, "make the directory, or change the path",
				 "sink %s: the directory of %s does not exist", name, path);
	case EWOULDBLOCK:
		return diag_fail(diags, DIAG_FAILED, "give each sink a file of its own",
				 "sink %s: another sink writes to %s", name, path);
	case EINVAL:
	case EISDIR:
	case ENXIO:
		return diag_fail(diags, DIAG_FAILED, "give the path of a file",
				 "sink %s: %s is no regular file", name, path);
	default:
		return diag_fail(diags, DIAG_FAILED, NULL, "sink %s: %s: %s", name, path,
				 strerror(-err));
	}
}

static int open_sink(struct feed *feed, const struct bundle *bundle, uint32_t number, int udp_fd,
		     bool strict, struct diags *diags)
{
	const struct bundle_sink *from = &bundle->sinks[number];
	struct feed_sink *sink = &feed->sinks[number];

	if (from->kind == SINK_UDP) {
		sink->kind = SINK_UDP;
		if (udp_sink_init(&sink->udp, udp_fd, from->host, from->port))
			return diag_fail(diags, DIAG_INVALID, NULL, "sink %s: %s is no address",
					 from->name, from->host);
		return 0;
	}
	if (init_file(feed, sink, from->path, from->rotate_bytes, from->keep,
		      &feed->cursor.sinks[number], diags))
		return -1;
	/* Later it may come back by itself: a disk that is mounted late. */
	return strict ? open_file(sink, from->name, diags) : 0;
}

static int make_sinks(struct feed *feed, uint32_t count)
{
	feed->sinks = calloc(count + 1, sizeof(*feed->sinks));
	if (!feed->sinks)
		return -ENOMEM;
	feed->sink_count = count;
	for (uint32_t i = 0; i <= count; i++)
		feed->sinks[i].file.fd = feed->sinks[i].udp.fd = -1;
	return 0;
}

struct feed *feed_open(const struct bundle *bundle, const struct feed_files *files,
		       const char *dead_letters, bool strict, struct diags *diags)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	bool failed = false;
	int err = -ENOMEM;

	if (feed) {
		feed->space_fd = -1;
		memset(feed->verdict_maps, -1, sizeof(feed->verdict_maps));
		memset(feed->verdicts_to, -1, sizeof(feed->verdicts_to));
		memcpy(feed->name, bundle->name, sizeof(feed->name));
		feed->durable = bundle_is_durable(bundle);
		feed->encoder = encoder_new(bundle);
		if (feed->encoder && !make_sinks(feed, bundle->sink_count))
			err = map_files(feed, files);
	}
	if (!err)
		err = take_up_cursor(feed);
	if (err) {
		diag_fail(diags, DIAG_FAILED, NULL, "the courier cannot take up the log of %s: %s",
			  bundle->name, strerror(-err));
		goto cleanup;
	}
	if (bundle->limits.outputs_per_second)
		feed->output_gap_ns = CLOCK_NS_PER_S / bundle->limits.outputs_per_second;
	/* All of them, for each takes its socket. */
	for (uint32_t i = 0; i < bundle->sink_count; i++)
		failed |= open_sink(feed, bundle, i, files->udp[i], strict, diags) != 0;
	failed |= init_file(feed, &feed->sinks[feed->sink_count], dead_letters,
			    FEED_DEAD_LETTER_BYTES, 1, &feed->cursor.dead_letter_file, diags) != 0;
	if (failed)
		goto cleanup;
	feed->space_fd = files->space;
	memcpy(feed->verdict_maps, files->verdict_maps, sizeof(feed->verdict_maps));
	for (uint32_t i = 0; i < bundle->user_count; i++)
		for (uint32_t k = 0; k < FAAS_VERDICTS_MAX; k++)
			feed->verdicts_to[i][k] = k < bundle->user[i].verdict_count
							  ? bundle->user[i].verdicts[k].kernel
							  : BUNDLE_NO_FUNCTION;
	return feed;
cleanup:
	/* Sockets stay with the caller. */
	for (uint32_t i = 0; feed && feed->sinks && i < feed->sink_count; i++)
		feed->sinks[i].udp.fd = -1;
	feed_close(feed);
	return NULL;
}

void feed_close(struct feed *feed)
{
	if (!feed)
		return;
	for (uint32_t i = 0; feed->sinks && i <= feed->sink_count; i++) {
		file_sink_close(&feed->sinks[i].file);
		udp_sink_close(&feed->sinks[i].udp);
		free(feed->sinks[i].path);
	}
	free(feed->sinks);
	if (feed->log)
		munmap(feed->log, feed->log_bytes);
	if (feed->worker_page)
		munmap((void *)feed->worker_page, WORKER_PAGE_BYTES);
	if (feed->courier_page)
		munmap(feed->courier_page, COURIER_PAGE_BYTES);
	if (feed->space_fd >= 0)
		close(feed->space_fd);
	for (uint32_t i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		if (feed->verdict_maps[i] >= 0)
			close(feed->verdict_maps[i]);
	encoder_free(feed->encoder);
	free(feed);
}
