// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes of the simulation. The code under test is compiled with
 * -fsanitize=thread, but not linked with its library: the calls that the
 * compiler puts before every access to memory come here, and each is a place
 * where the process can be interrupted for ever.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

#define STACK_BYTES (1 << 20)
#define ARENA_BYTES (8 << 20)

struct sim_process *sim_current;
uint64_t sim_budget;
uint64_t sim_now_ns;

static jmp_buf scheduler;

void *__real_malloc(size_t bytes);
void __real_free(void *at);
void *__real_memcpy(void *to, const void *from, size_t bytes);

static void *anonymous(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

void process_init(struct sim_process *process, const char *name, int (*body)(void))
{
	process->name = name;
	process->body = body;
	process->stack = anonymous(STACK_BYTES);
	process->arena = anonymous(ARENA_BYTES);
}

static void leave(void)
{
	sim_budget = 0;
	_longjmp(scheduler, 1);
}

static void begin(void)
{
	struct sim_process *process = sim_current;

	process->status = process->body();
	process->signal = 0;
	process->ended = true;
	process->state = SIM_GONE;
	leave();
}

void process_start(struct sim_process *process)
{
	process->arena_used = 0;
	process->stalled = 0;
	process->state = SIM_READY;
	process->ended = false;
	process->fresh = true;
	(void)getcontext(&process->context);
	process->context.uc_stack.ss_sp = process->stack;
	process->context.uc_stack.ss_size = STACK_BYTES;
	process->context.uc_link = NULL;
	makecontext(&process->context, begin, 0);
}

void process_run(struct sim_process *process, uint64_t steps)
{
	sim_current = process;
	sim_budget = steps;
	process->state = SIM_READY;
	if (!_setjmp(scheduler)) {
		if (process->fresh) {
			process->fresh = false;
			(void)setcontext(&process->context);
		}
		_longjmp(process->at, 1);
	}
	sim_current = NULL;
	sim_totals.steps += steps;
	sim_now_ns += steps;
}

void process_kill(struct sim_process *process)
{
	process->state = SIM_GONE;
	process->ended = false;
	process->signal = SIGKILL;
	process->status = 0;
}

void sim_pause(void)
{
	struct sim_process *process = sim_current;
	int kept = errno; /* each process has its own */

	if (!_setjmp(process->at))
		leave();
	errno = kept;
}

void sim_block(uint64_t wake_ns)
{
	sim_current->state = SIM_BLOCKED;
	sim_current->wake_ns = wake_ns;
	sim_pause();
}

void sim_die(int signal)
{
	sim_current->state = SIM_GONE;
	sim_current->ended = true;
	sim_current->signal = signal;
	sim_current->status = 0;
	leave();
	abort();
}

/* ---- memory that goes with the process ---- */

static void *allocate(size_t alignment, size_t bytes)
{
	struct sim_process *process = sim_current;
	uint64_t from = (process->arena_used + alignment - 1) & ~(uint64_t)(alignment - 1);

	if (from + bytes > ARENA_BYTES)
		sim_fail("%s uses more memory than it may", process->name);
	process->arena_used = from + bytes;
	return process->arena + from;
}

void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
	return sim_current ? allocate(16, bytes) : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
	void *at = __wrap_malloc(count * bytes);

	return at ? memset(at, 0, count * bytes) : NULL;
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	return sim_current ? allocate(alignment, bytes) : __real_aligned_alloc(alignment, bytes);
}

void __wrap_free(void *at);
void __wrap_free(void *at)
{
	if (!sim_current)
		__real_free(at);
}

/* A place in the code, as a number that differs from run to run in nothing but
 * what is built. */
static inline void step_at(const void *from)
{
	uint64_t offset = (uint64_t)((intptr_t)from - (intptr_t)&process_init);

	if (!sim_budget)
		return;
	if ((offset * 0x9e3779b97f4a7c15ull) >> 56 == sim_plan.site)
		sim_site();
	sim_step();
}

/* A copy is as many steps as it has words, and may end behind any of them. */
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
	uint8_t *target = to;
	const uint8_t *source = from;

	/* The half of it, if it is to die here. */
	if (sim_budget && bytes > 32) {
		size_t part = bytes / 16 * 8;

		(void)__real_memcpy(target, source, part);
		target += part;
		source += part;
		bytes -= part;
		step_at(__builtin_return_address(0));
	}
	while (sim_budget && bytes / 8 >= sim_budget) {
		size_t part = 8 * (sim_budget - 1);

		(void)__real_memcpy(target, source, part);
		target += part;
		source += part;
		bytes -= part;
		sim_budget = 1;
		sim_step();
	}
	if (sim_budget)
		sim_budget -= bytes / 8;
	(void)__real_memcpy(target, source, bytes);
	return to;
}

/* ---- what -fsanitize=thread calls ---- */

#define ACCESS(name, ...)                                                                          \
	void name(__VA_ARGS__);                                                                    \
	void name(__VA_ARGS__)                                                                     \
	{                                                                                          \
		step_at(__builtin_return_address(0));                                              \
	}
#define QUIET(name, ...)                                                                           \
	void name(__VA_ARGS__);                                                                    \
	void name(__VA_ARGS__)                                                                     \
	{                                                                                          \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"
#endif

QUIET(__tsan_init, void)
QUIET(__tsan_func_entry, void *at)
QUIET(__tsan_func_exit, void)
ACCESS(__tsan_read1, void *at)
ACCESS(__tsan_read2, void *at)
ACCESS(__tsan_read4, void *at)
ACCESS(__tsan_read8, void *at)
ACCESS(__tsan_read16, void *at)
ACCESS(__tsan_write1, void *at)
ACCESS(__tsan_write2, void *at)
ACCESS(__tsan_write4, void *at)
ACCESS(__tsan_write8, void *at)
ACCESS(__tsan_write16, void *at)
ACCESS(__tsan_unaligned_read2, void *at)
ACCESS(__tsan_unaligned_read4, void *at)
ACCESS(__tsan_unaligned_read8, void *at)
ACCESS(__tsan_unaligned_read16, void *at)
ACCESS(__tsan_unaligned_write2, void *at)
ACCESS(__tsan_unaligned_write4, void *at)
ACCESS(__tsan_unaligned_write8, void *at)
ACCESS(__tsan_unaligned_write16, void *at)
ACCESS(__tsan_read_range, void *at, unsigned long bytes)
ACCESS(__tsan_write_range, void *at, unsigned long bytes)
ACCESS(__tsan_atomic_thread_fence, int order)
QUIET(__tsan_atomic_signal_fence, int order)

/* One thread runs them all: what is one instruction on a machine is one here. */
#define ATOMIC(bits)                                                                               \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile void *at, int order);             \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile void *at, int order)              \
	{                                                                                          \
		step_at(__builtin_return_address(0));                                              \
		return *(const volatile uint##bits##_t *)at;                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile void *at, uint##bits##_t value, int order);      \
	void __tsan_atomic##bits##_store(volatile void *at, uint##bits##_t value, int order)       \
	{                                                                                          \
		step_at(__builtin_return_address(0));                                              \
		*(volatile uint##bits##_t *)at = value;                                            \
	}                                                                                          \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile void *at, uint##bits##_t value,     \
						      int order);                                  \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile void *at, uint##bits##_t value,     \
						      int order)                                   \
	{                                                                                          \
		uint##bits##_t last;                                                               \
                                                                                                   \
		step_at(__builtin_return_address(0));                                              \
		last = *(volatile uint##bits##_t *)at;                                             \
		*(volatile uint##bits##_t *)at = value;                                            \
		return last;                                                                       \
	}                                                                                          \
	uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile void *at, uint##bits##_t value,    \
						       int order);                                 \
	uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile void *at, uint##bits##_t value,    \
						       int order)                                  \
	{                                                                                          \
		uint##bits##_t last;                                                               \
                                                                                                   \
		step_at(__builtin_return_address(0));                                              \
		last = *(volatile uint##bits##_t *)at;                                             \
		*(volatile uint##bits##_t *)at = (uint##bits##_t)(last + value);                   \
		return last;                                                                       \
	}
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)
#pragma GCC diagnostic pop
