// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The producing end of the ring, as the kernel and the handoff of
 * bpf/driver.h do it: reserve, fence, look at the wake flag, submit. Each is a
 * step of its own, and several producers are under way at the same time.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim.h"

#define PRODUCERS 3
#define RING_PAGES_MAX 4

struct sim_kernel sim_kernel;

enum stage { FREE, RESERVED, LOOKED };

static struct producer {
	enum stage stage;
	uint64_t position;
	uint32_t bytes;
	bool discard;
	bool wake;
	uint64_t record[FAAS_EVENT_BYTES_MAX / 8];
} producers[PRODUCERS];

/* Of two generations of the workflow: events go into the one. */
static struct {
	uint8_t *memory; /* consumer's page, producer's page, data twice */
	uint32_t map_id;
} rings[2];
static uint32_t current;
static uint64_t page_bytes;

static uint64_t ring_bytes(void)
{
	return sim_plan.ring_pages * page_bytes;
}

static uint64_t *consumer_of(uint32_t ring)
{
	return (uint64_t *)(void *)rings[ring].memory;
}

static uint64_t *producer_of(uint32_t ring)
{
	return (uint64_t *)(void *)(rings[ring].memory + page_bytes);
}

static uint64_t *consumer(void)
{
	return consumer_of(current);
}

static uint64_t *producer(void)
{
	return producer_of(current);
}

static uint8_t *at(uint32_t ring, uint64_t position)
{
	return rings[ring].memory + 2 * page_bytes + (position & (ring_bytes() - 1));
}

void kernel_open(void)
{
	uint64_t bytes;

	page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	bytes = (2 + 2 * RING_PAGES_MAX) * page_bytes;
	for (uint32_t i = 0; i < 2; i++) {
		rings[i].memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (rings[i].memory == MAP_FAILED)
			abort();
	}
}

/* The data is there twice in a row: map it so for this size. */
static void map_data(void)
{
	static int fd = -1;
	static uint64_t mapped;

	if (mapped == ring_bytes())
		return;
	if (fd < 0)
		fd = memfd_create("rings", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(2ull * RING_PAGES_MAX * page_bytes)))
		abort();
	mapped = ring_bytes();
	for (uint64_t i = 0; i < 4; i++)
		if (mmap(rings[i / 2].memory + 2 * page_bytes + i % 2 * mapped, mapped,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)(i / 2 * RING_PAGES_MAX * page_bytes)) == MAP_FAILED)
			abort();
}

void kernel_reset(void)
{
	map_data();
	memset(producers, 0, sizeof(producers));
	memset(&sim_kernel, 0, sizeof(sim_kernel));
	for (current = 2; current--;)
		*consumer() = *producer() = 0;
	current = 0;
	rings[0].map_id = 1;
	rings[1].map_id = 0;
}

void kernel_new_ring(void)
{
	rings[current].map_id = 1 + ++sim_kernel.ring_number;
	*consumer() = 0;
	*producer() = 0;
}

void kernel_switch_ring(bool fresh)
{
	current ^= 1;
	if (fresh)
		kernel_new_ring();
}

uint32_t kernel_ring(void)
{
	return current;
}

uint32_t kernel_map_id(uint32_t ring)
{
	return rings[ring].map_id;
}

void kernel_power_loss(void)
{
	memset(producers, 0, sizeof(producers));
	for (uint32_t i = 0; i < 2; i++)
		*consumer_of(i) = *producer_of(i) = 0;
	kernel_new_ring();
	sim_kernel.emitted = 0;
}

void *kernel_ring_memory(uint32_t ring, uint64_t offset)
{
	return rings[ring].memory + offset;
}

static struct sim_event next_event(void)
{
	struct sim_event event = {
		.number = sim_kernel.made + 1,
		.key = sim_below(sim_plan.keys),
		.payload_bytes = sim_below(sim_plan.payload_max + 1),
	};

	if (sim_chance(sim_plan.failing))
		event.kind = sim_below(2) ? KIND_FAILING : KIND_LATE_FAILING;
	else if (sim_plan.batches && sim_chance(sim_plan.failing))
		event.kind = sim_below(2) ? KIND_UNDECODED : KIND_SPOILING;
	else if (sim_chance(sim_plan.poison))
		event.kind = sim_plan.batches && sim_below(2) ? KIND_CURSED : KIND_POISON;
	else if (sim_chance(sim_plan.invalid))
		event.kind = KIND_INVALID;
	else if (sim_chance(sim_plan.forwarded))
		event.kind = KIND_FORWARDED;
	return event;
}

static uint32_t *header(uint64_t position)
{
	return (uint32_t *)(void *)at(current, position);
}

/* bpf_ringbuf_reserve */
static bool reserve(struct producer *from)
{
	struct sim_event event = next_event();
	uint64_t span;

	from->bytes = workflow_event(&event, from->record);
	span = ring_record_span(from->bytes);
	if (*producer() + span - *consumer() > ring_bytes() - 1) {
		if (!sim_plan.lossy)
			return false;
		sim_kernel.made++;
		sim_kernel.lost++;
		return true;
	}
	sim_kernel.made++;
	from->position = *producer();
	from->discard = sim_chance(sim_plan.discarded);
	from->stage = RESERVED;
	header(from->position)[0] = from->bytes | RING_BUSY_BIT;
	__atomic_store_n(producer(), from->position + span, __ATOMIC_RELEASE);
	if (!from->discard) {
		sim_kernel.emitted++;
		sim_kernel.accepted[sim_kernel.accepted_count++] = event;
		workflow_expect(&event);
	}
	return true;
}

static void submit(struct producer *from)
{
	uint32_t length = from->bytes;

	memcpy(at(current, from->position) + RING_HEADER_BYTES, from->record, from->bytes);
	if (from->discard)
		length |= RING_DISCARD_BIT;
	__atomic_store_n(header(from->position), length, __ATOMIC_RELEASE);
	/* bpf_ringbuf_discard without flags */
	if (from->discard)
		from->wake = *consumer() == from->position;
	sim_system.ring_fired |= from->wake && current == sim_system.reading;
	from->stage = FREE;
}

bool kernel_step(bool may_begin)
{
	struct producer *from = &producers[sim_below(PRODUCERS)];
	struct faas_wake *wake = sim_data(SIM_FD_WAKE + (int)current);

	switch (from->stage) {
	case FREE:
		return may_begin && sim_kernel.made < sim_plan.events && reserve(from);
	case RESERVED:
		from->wake = !from->discard && wake->sleeping;
		if (from->wake)
			wake->sleeping = 0;
		from->stage = LOOKED;
		return true;
	case LOOKED:
		submit(from);
		return true;
	}
	return false;
}

bool kernel_is_idle(void)
{
	for (uint32_t i = 0; i < PRODUCERS; i++)
		if (producers[i].stage != FREE)
			return false;
	return true;
}

uint32_t kernel_waiting_in(uint32_t ring)
{
	uint32_t count = 0;

	for (uint64_t position = *consumer_of(ring); position < *producer_of(ring); count++)
		position += ring_record_span(*(uint32_t *)(void *)at(ring, position));
	return count;
}

uint32_t kernel_waiting(void)
{
	return kernel_waiting_in(0) + kernel_waiting_in(1);
}
