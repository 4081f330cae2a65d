// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/timer_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Children of one entry: four lie in one cache line. */
#define WIDTH 4

int timer_queue_open(struct timer_queue *queue, uint32_t timers)
{
	size_t heap_bytes = (size_t)timers * sizeof(queue->heap[0]);
	size_t place_bytes = (size_t)timers * sizeof(queue->places[0]);

	memset(queue, 0, sizeof(*queue));
	queue->heap = malloc(heap_bytes + 1);
	queue->places = malloc(place_bytes + 1);
	if (!queue->heap || !queue->places) {
		timer_queue_close(queue);
		return -ENOMEM;
	}
	/* Written, so that no event waits for memory. */
	memset(queue->heap, 0, heap_bytes);
	memset(queue->places, 0, place_bytes);
	queue->timers = timers;
	return 0;
}

void timer_queue_close(struct timer_queue *queue)
{
	free(queue->heap);
	free(queue->places);
	memset(queue, 0, sizeof(*queue));
}

static void put(struct timer_queue *queue, uint32_t place, struct timer_queue_entry entry)
{
	queue->heap[place] = entry;
	queue->places[entry.timer] = place + 1;
}

/* Put the entry where @p place is, or nearer to the first. */
static void rise(struct timer_queue *queue, uint32_t place, struct timer_queue_entry entry)
{
	while (place) {
		uint32_t parent = (place - 1) / WIDTH;

		if (queue->heap[parent].at_ns <= entry.at_ns)
			break;
		put(queue, place, queue->heap[parent]);
		place = parent;
	}
	put(queue, place, entry);
}

/* Put the entry where @p place is, or further from the first. */
static void sink(struct timer_queue *queue, uint32_t place, struct timer_queue_entry entry)
{
	for (;;) {
		uint64_t child = (uint64_t)place * WIDTH + 1;
		uint64_t end = child + WIDTH;
		uint64_t least = child;

		if (child >= queue->count)
			break;
		if (end > queue->count)
			end = queue->count;
		for (uint64_t i = child + 1; i < end; i++)
			if (queue->heap[i].at_ns < queue->heap[least].at_ns)
				least = i;
		if (queue->heap[least].at_ns >= entry.at_ns)
			break;
		put(queue, place, queue->heap[least]);
		place = (uint32_t)least;
	}
	put(queue, place, entry);
}

void timer_queue_set(struct timer_queue *queue, uint32_t timer, uint64_t at_ns)
{
	struct timer_queue_entry entry = {.at_ns = at_ns, .timer = timer};
	uint32_t place;

	assert(timer < queue->timers);
	place = queue->places[timer];
	if (!place)
		rise(queue, queue->count++, entry);
	else if (at_ns < queue->heap[place - 1].at_ns)
		rise(queue, place - 1, entry);
}

void timer_queue_postpone_first(struct timer_queue *queue, uint64_t at_ns)
{
	struct timer_queue_entry entry = queue->heap[0];

	assert(queue->count && at_ns >= entry.at_ns);
	entry.at_ns = at_ns;
	sink(queue, 0, entry);
}

void timer_queue_drop_first(struct timer_queue *queue)
{
	assert(queue->count);
	queue->places[queue->heap[0].timer] = 0;
	queue->count--;
	if (queue->count)
		sink(queue, 0, queue->heap[queue->count]);
}
