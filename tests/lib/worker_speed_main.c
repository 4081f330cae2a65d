// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * worker_speed [KEYS [SECONDS]]: how much CPU time a worker needs for one event
 * of a counting function, with a ring that a producer on another core keeps
 * filling, and how many events it was given and took.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ringview.h"
#include "worker_rig.h"

/* One run of the program costs milliseconds whatever its repeats. */
#define RUN_EVENTS 50000

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What a courier does with records that have nothing for it. */
static void step_over(struct rig *rig)
{
	struct page_counters now;

	if (worker_page_read(rig->page, &now))
		return;
	rig->read.position = now.log_position;
	rig->read.sequence = now.sequence;
	(void)rig_read(rig);
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(pid, sizeof(set), &set);
}

static int measure(uint64_t keys, unsigned int seconds)
{
	struct rig_options options = {
		.ring_bytes = 16 << 20, .state_keys = 1 << 20, .log_segments = 16};
	struct rig *rig = calloc(1, sizeof(*rig));
	uint64_t begin, cpu, events, batches;
	struct page_counters now;
	struct ringview view;
	int status = 1;

	if (!rig || rig_open(rig, &options) || ringview_open(rig->ring, &view))
		return 1;
	rig->config->keys = keys;
	if (rig_start(rig))
		goto cleanup;
	pin(0, 0);
	pin(rig->pid, 1);
	/* All keys are there before it counts. */
	for (uint64_t i = 0; i < keys; i += 20000) {
		(void)rig_emit(rig, 20000);
		step_over(rig);
		while (*view.producer - *view.consumer > view.bytes / 2)
			step_over(rig);
	}
	if (rig_drain(rig))
		goto cleanup;
	events = rig->page->counters[rig->page->current].processed;
	batches = rig->page->batches;
	rig->config->lost = 0;
	cpu = rig_cpu_ns(rig);
	begin = now_ns();
	while (now_ns() - begin < seconds * 1000000000ull) {
		(void)rig_emit(rig, RUN_EVENTS);
		step_over(rig);
	}
	begin = now_ns() - begin;
	if (rig_drain(rig) || worker_page_read(rig->page, &now))
		goto cleanup;
	cpu = rig_cpu_ns(rig) - cpu;
	events = now.processed - events;
	batches = rig->page->batches - batches;
	printf("keys %-8llu events/s %-9.0f lost %-6llu batch %-4llu cpu ns/event %-6.1f callback "
	       "ns "
	       "%.1f\n",
	       (unsigned long long)keys, (double)events * 1e9 / (double)begin,
	       (unsigned long long)rig->config->lost, (unsigned long long)(events / batches),
	       (double)cpu / (double)events,
	       (double)now.functions[0].time_ns / (double)now.functions[0].time_samples);
	status = rig_stop(rig) ? 1 : 0;
cleanup:
	ringview_close(&view);
	rig_close(rig);
	free(rig);
	return status;
}

int main(int count, char **texts)
{
	unsigned int seconds = count > 2 ? (unsigned int)atoi(texts[2]) : 2;

	if (count > 1)
		return measure(strtoull(texts[1], NULL, 10), seconds);
	return measure(50, seconds) || measure(1000, seconds) || measure(100000, seconds) ||
	       measure(500000, seconds);
}
