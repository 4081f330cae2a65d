// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bare.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "bare_record.h"
#include "bench.h"
#include "bundle_size.h"
#include "crc32c.h"
#include "kit.h"
#include "tier.h"
#include "userspace/ring/ring.h"

#define INTERFACE "ef_p1"
#define DRAIN_NS 250000
#define REST_NS 5000000 /* while nothing comes */
#define SLOTS_BITS 21
#define SLOTS (1u << SLOTS_BITS)
#define LOG_BYTES ((uint64_t)FAAS_LOG_SEGMENTS * FAAS_LOG_SEGMENT_BYTES)
#define HEAD_WORDS 8
#define STATE_WORDS_MAX 8
/* Of the event that an output follows: all but its payload. */
#define OUTPUT_HEAD_WORDS 14
/* As a worker does both. */
#define TOGETHER 16
#define RELEASE_EVERY 256

struct slot {
	uint64_t key[2];
	uint64_t used;
	uint64_t words[STATE_WORDS_MAX];
};

struct sizes {
	uint32_t state_words, output_words;
};

struct bare {
	struct bare_page *page;
	enum bare_event event;
	struct ring ring;
	struct slot *slots;
	uint64_t *log;
	uint64_t head; /* of the log, in words */
	uint64_t sequence;
	uint64_t sum; /* of what is only read */
};

static void *map_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	return memory;
}

static inline struct slot *first_slot(const struct bare *bare, const struct bare_record *record)
{
	uint64_t hash = (record->key[1] ^ record->key[0]) * 0x9e3779b97f4a7c15ull;

	return bare->slots + (hash >> (64 - SLOTS_BITS));
}

static inline struct slot *find(const struct bare *bare, const struct bare_record *record)
{
	struct slot *slot = first_slot(bare, record);

	while (slot->used && (slot->key[0] != record->key[0] || slot->key[1] != record->key[1]))
		if (++slot == bare->slots + SLOTS)
			slot = bare->slots;
	slot->key[0] = record->key[0];
	slot->key[1] = record->key[1];
	slot->used = 1;
	return slot;
}

static inline void append(struct bare *bare, const struct bare_record *record,
			  const struct slot *slot, const struct sizes *sizes, bool checksum)
{
	uint32_t words = HEAD_WORDS + 2 + sizes->state_words + sizes->output_words;
	uint64_t *at;

	if (bare->head + words > LOG_BYTES / 8)
		bare->head = 0;
	at = bare->log + bare->head;
	at[1] = words;
	at[2] = bare->sequence++;
	at[3] = record->time_ns;
	at[4] = at[5] = at[6] = at[7] = 0;
	at[8] = record->key[0];
	at[9] = record->key[1];
	at += 10;
	for (uint32_t i = 0; i < sizes->state_words; i++)
		at[i] = slot->words[i];
	at += sizes->state_words;
	/* The head of the event, and as many fields as there are words of state. */
	for (uint32_t i = 0; i < sizes->output_words; i++)
		at[i] = i < OUTPUT_HEAD_WORDS ? ((const uint64_t *)record)[i]
					      : slot->words[i - OUTPUT_HEAD_WORDS];
	at = bare->log + bare->head;
	at[0] = checksum ? crc32c(0, at + 1, words * 8 - 8) : 1;
	bare->head += words;
}

static inline void take(struct bare *bare, const struct bare_record *record,
			const struct sizes *sizes, enum bare_work work)
{
	struct slot *slot;

	if (work == BARE_READ) {
		for (size_t i = 0; i < sizeof(*record) / 8; i++)
			bare->sum += ((const uint64_t *)record)[i];
		return;
	}
	slot = find(bare, record);
	for (uint32_t i = 0; i < sizes->state_words; i++)
		slot->words[i] += record->time_ns + i;
	if (work >= BARE_LOG)
		append(bare, record, slot, sizes, work == BARE_CHECKSUM);
}

/* Take all there is, some at a time: their states are fetched together. */
static inline __attribute__((always_inline)) uint64_t
drain(struct bare *bare, const struct sizes *sizes, enum bare_work work)
{
	const struct bare_record *records[TOGETHER];
	uint64_t count = 0;
	uint32_t taken;

	do {
		for (taken = 0; taken < TOGETHER; taken++) {
			struct ring_record record;

			if (!ring_take(&bare->ring, &record))
				break;
			records[taken] = record.data;
			if (work > BARE_READ)
				__builtin_prefetch(first_slot(bare, records[taken]), 1);
		}
		for (uint32_t i = 0; i < taken; i++)
			take(bare, records[i], sizes, work);
		count += taken;
		if (count % RELEASE_EVERY == 0)
			ring_release(&bare->ring);
	} while (taken == TOGETHER);
	ring_release(&bare->ring);
	return count;
}

static uint64_t drain_as(struct bare *bare, enum bare_work work)
{
	static const struct sizes handoff = {2, 0};
	static const struct sizes commit = {8, OUTPUT_HEAD_WORDS + 8};

	if (bare->event == BARE_HANDOFF)
		return drain(bare, &handoff, work);
	return drain(bare, &commit, work);
}

static struct bpf_object *open_ring(struct bare *bare)
{
	struct bpf_object *object = kit_load_object(TEST_BUILD "/bench/bare.bpf.o");
	int err = ring_open(kit_map_fd(object, "ring"), &bare->ring);

	if (err)
		bench_die("the bare loop's ring: %s", strerror(-err));
	return object;
}

static void work(struct bare *bare, const struct bpf_program *program)
{
	const struct timespec pause = {.tv_nsec = DRAIN_NS}, rest = {.tv_nsec = REST_NS};
	struct bpf_link *link = bpf_program__attach_xdp(program, (int)if_nametoindex(INTERFACE));

	if (!link)
		bench_die("the bare loop's program on " INTERFACE ": %s", strerror(errno));
	atomic_store(&bare->page->at_work, true);
	while (atomic_load_explicit(&bare->page->wanted, memory_order_relaxed)) {
		uint64_t taken = drain_as(bare, bare->page->work);

		atomic_store_explicit(&bare->page->count, bare->page->count + taken,
				      memory_order_release);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, taken ? &pause : &rest, NULL);
	}
	bpf_link__destroy(link);
	atomic_store(&bare->page->at_work, false);
}

static void run(struct bare_page *page, enum bare_event event)
{
	static struct bare bare;
	struct bpf_object *object;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	bench_pin(TIER_CONSUMER_CORE);
	tier_enter_gateway();
	bare.page = page;
	bare.event = event;
	bare.slots = map_memory(SLOTS * sizeof(struct slot));
	bare.log = map_memory(LOG_BYTES);
	object = open_ring(&bare);
	for (;;)
		if (!sem_wait(&page->begin))
			work(&bare, bpf_object__find_program_by_name(object, "bare"));
}

struct bare_page *bare_start(enum bare_event event)
{
	struct bare_page *page = map_memory(sizeof(*page));
	pid_t pid;

	if (sem_init(&page->begin, 1, 0))
		bench_die("sem_init: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (!pid) {
		tier_disown();
		run(page, event);
	}
	page->pid = pid;
	return page;
}

static void wait_for(struct bare_page *page, bool at_work)
{
	for (uint64_t end = bench_now_ns() + 5000000000ull; atomic_load(&page->at_work) != at_work;)
		if (bench_now_ns() > end)
			bench_die("the bare loop does not %s", at_work ? "begin" : "end");
}

static void begin(struct bare_page *page, enum bare_work work)
{
	page->work = work;
	atomic_store(&page->wanted, true);
	(void)sem_post(&page->begin);
	wait_for(page, true);
}

static void end(struct bare_page *page)
{
	atomic_store(&page->wanted, false);
	wait_for(page, false);
}

static uint64_t count(const void *page)
{
	return atomic_load_explicit(&((const struct bare_page *)page)->count, memory_order_acquire);
}

double bare_flood(struct bare_page *page, enum bare_work work, const struct tier_network *network,
		  const struct frame *frame, uint32_t frames, uint32_t batch)
{
	uint64_t before, cpu;

	begin(page, work);
	before = count(page);
	cpu = kit_cpu_ns(page->pid);
	tier_send(network, true, frame, frames, batch);
	(void)tier_settle(count, page);
	cpu = kit_cpu_ns(page->pid) - cpu;
	before = count(page) - before;
	end(page);
	if (!before)
		bench_die("no record reached the bare loop");
	return (double)cpu / (double)before;
}
