// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "idle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "kit.h"

#define PATIENCE_NS 60000000000ull
/* From the page to the wait of the runtime that comes behind it. */
#define SETTLED_US 3000

const struct runtime_page *idle_page(const char *workflow)
{
	char path[128];
	void *page;
	int fd;

	snprintf(path, sizeof(path), FAAS_RUN_WORKFLOWS "/%s/runtime.page", workflow);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	page = mmap(NULL, RUNTIME_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
	return page;
}

static bool is_idle(const struct runtime_page *page)
{
	return __atomic_load_n(&page->idle, __ATOMIC_ACQUIRE) &&
	       __atomic_load_n(&page->ring, __ATOMIC_ACQUIRE) != PAGE_RING_MOVES;
}

static bool has_worker(const struct runtime_page *page)
{
	return __atomic_load_n(&page->ring, __ATOMIC_ACQUIRE) == PAGE_RING_FULL &&
	       __atomic_load_n(&page->worker_pid, __ATOMIC_ACQUIRE);
}

static void wait_for(const struct runtime_page *page, bool (*is)(const struct runtime_page *page),
		     const char *what)
{
	uint64_t begin_ns = bench_now_ns();

	/* Twice in a row: its ring begins to change behind the end of the worker. */
	for (unsigned int looks = 0; looks < 2; looks = is(page) ? looks + 1 : 0) {
		if (bench_now_ns() - begin_ns > PATIENCE_NS)
			bench_die("a workflow does not %s", what);
		kit_look_for_signal();
		usleep(SETTLED_US);
	}
}

void idle_wait(const struct runtime_page *page)
{
	wait_for(page, is_idle, "become idle");
}

void idle_wait_for_worker(const struct runtime_page *page)
{
	wait_for(page, has_worker, "get a worker with its full ring");
}
