// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The system calls of the code under test (the linker's --wrap leads them here).
 * Descriptors from SIM_FD_FIRST on are memory of the simulation; others are
 * real, see sinks.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "userspace/log/log.h"
#include "userspace/state/state.h"

/* The clock's beginning, and what each look at it takes. */
#define CLOCK_BEGIN_NS 1000000000000ull
#define CLOCK_LOOK_NS 25
#define CLOCK_LOOK_SPINNING_NS 2000
#define WALL_OFFSET_NS 1700000000000000000ull

struct sim_system sim_system;
static uint8_t *pool; /* of all files */
#define POOL_BYTES (16 << 20)

void system_open(void)
{
	const char *parent = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)snprintf(sim_system.directory, sizeof(sim_system.directory),
		       "%s/ebpf-faas-sim.XXXXXX", parent);
	if (pool == MAP_FAILED || !mkdtemp(sim_system.directory)) {
		perror("simulation");
		exit(1);
	}
}

static uint8_t *give(uint8_t *from, int fd, uint64_t bytes)
{
	struct sim_file *file = sim_file(fd);

	file->data = from;
	file->bytes = bytes;
	from += (bytes + 4095) & ~4095ull;
	if (from > pool + POOL_BYTES)
		sim_fail("the files of the plan are too large");
	memset(file->data, 0, bytes);
	return from;
}

static uint8_t *give_memory(uint8_t *at)
{
	for (int i = 0; i < 2; i++)
		at = give(at, SIM_FD_WAKE + i, FAAS_INSTANCES_MAX * sizeof(struct faas_wake));
	at = give(at, SIM_FD_WORKER_PAGE, WORKER_PAGE_BYTES);
	at = give(at, SIM_FD_COURIER_PAGE, COURIER_PAGE_BYTES);
	at = give(at, SIM_FD_RUNTIME_PAGE, RUNTIME_PAGE_BYTES);
	at = give(at, SIM_FD_LOG, log_file_bytes(sim_plan.segment_count, sim_plan.segment_bytes));
	for (uint32_t i = 0; i < sim_bundle->user_count; i++)
		at = give(at, SIM_FD_STATE + (int)i, state_file_bytes(sim_bundle, i));
	for (int i = 0; sim_plan.updates && i < SIM_TABLES; i++)
		at = give(at, SIM_FD_TABLE + i, tables_bytes_max());
	tables_reset();
	return at;
}

/* Where memory begins: what is on the disk stays. */
static uint8_t *begin_of_memory;

void system_reset(void)
{
	char directory[sizeof(sim_system.directory)];

	memcpy(directory, sim_system.directory, sizeof(directory));
	memset(&sim_system, 0, sizeof(sim_system));
	memcpy(sim_system.directory, directory, sizeof(directory));
	sim_now_ns = CLOCK_BEGIN_NS;
	sinks_reset();
	verdicts_reset();
	drift_reset();
	imports_reset();
	disk_reset();
	begin_of_memory = sim_plan.durable ? disk_lay_out(pool) : pool;
	(void)give_memory(begin_of_memory);
}

void system_power_loss(void)
{
	disk_power_loss();
	(void)give_memory(begin_of_memory);
	sim_system.ring_fired = sim_system.space_fired = sim_system.control_fired = false;
	sim_system.courier_notified = false;
	sim_system.runtime_gone = false;
	sinks_power_loss();
	verdicts_reset();
}

/* ---- mappings and files ---- */

int __real_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret)
{
	sim_step();
	fd = migrator_fd(fd);
	if (!sim_is_ours(fd))
		return __real_fstat(fd, ret);
	memset(ret, 0, sizeof(*ret));
	ret->st_size = (off_t)sim_file(fd)->bytes;
	return 0;
}

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	sim_step();
	fd = migrator_fd(fd);
	if (fd == SIM_FD_RING || fd == SIM_FD_RING + 1)
		return kernel_ring_memory((uint32_t)(fd - SIM_FD_RING), (uint64_t)offset);
	if (sim_is_ours(fd))
		return (uint8_t *)sim_data(fd) + offset;
	return __real_mmap(at, bytes, protection, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes)
{
	(void)at;
	(void)bytes;
	return 0;
}

int __wrap_ringview_identify(int fd, struct ringview_info *ret);
int __wrap_ringview_identify(int fd, struct ringview_info *ret)
{
	ret->map_id = kernel_map_id((uint32_t)(fd - SIM_FD_RING));
	ret->bytes = (uint64_t)sim_plan.ring_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int __wrap_ringview_map(int fd, uint64_t offset, uint64_t bytes, void **ret);
int __wrap_ringview_map(int fd, uint64_t offset, uint64_t bytes, void **ret)
{
	(void)bytes;
	sim_step();
	*ret = kernel_ring_memory((uint32_t)(migrator_fd(fd) - SIM_FD_RING), offset);
	return 0;
}

int __wrap_ringview_open(int fd, struct ringview *ret);
int __wrap_ringview_open(int fd, struct ringview *ret)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory = kernel_ring_memory((uint32_t)(fd - SIM_FD_RING), 0);

	sim_step();
	*ret = (struct ringview){
		.consumer = (const uint64_t *)(void *)memory,
		.producer = (const uint64_t *)(void *)(memory + page_bytes),
		.data = memory + 2 * page_bytes,
		.bytes = sim_plan.ring_pages * page_bytes,
		.page_bytes = page_bytes,
	};
	return 0;
}

/* ---- clocks and chance ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	uint64_t now_ns;

	sim_step();
	/* Who spins looks at it all the time. */
	sim_now_ns +=
		sim_plan.worker_class == WORKER_LATENCY ? CLOCK_LOOK_SPINNING_NS : CLOCK_LOOK_NS;
	now_ns = sim_now_ns + (clock == CLOCK_REALTIME ? WALL_OFFSET_NS : 0);
	ret->tv_sec = (time_t)(now_ns / 1000000000);
	ret->tv_nsec = (long)(now_ns % 1000000000);
	return 0;
}

ssize_t __wrap_getrandom(void *to, size_t bytes, unsigned int flags);
ssize_t __wrap_getrandom(void *to, size_t bytes, unsigned int flags)
{
	uint8_t *at = to;

	(void)flags;
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)sim_random();
	return (ssize_t)bytes;
}

/* ---- the control socket ---- */

ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags)
{
	const void *word = sim_system.to_worker;
	size_t length = sim_system.to_worker_bytes;

	(void)fd;
	(void)flags;
	sim_step();
	if (word && length <= bytes) {
		sim_system.to_worker = NULL;
		memcpy(to, word, length);
		return (ssize_t)length;
	}
	if (sim_system.runtime_gone)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags)
{
	(void)fd;
	(void)flags;
	sim_step();
	if (bytes == 7 && !memcmp(data, "stopped", 7))
		sim_system.stopped = true;
	else if (bytes == 7 && !memcmp(data, "drained", 7))
		sim_system.drained = true;
	else
		imports_answer(data, bytes);
	return (ssize_t)bytes;
}

/* ---- waiting ---- */

void system_worker_gone(void)
{
	sim_system.armed = false;
	sim_system.to_worker = NULL;
	sim_system.control_fired = false;
	imports_worker_gone();
}

/* Whether a poll for reading of the ring says yes. */
static bool ring_has_data(void)
{
	const uint64_t *consumer = kernel_ring_memory(sim_system.reading, 0);
	const uint64_t *producer =
		kernel_ring_memory(sim_system.reading, (uint64_t)sysconf(_SC_PAGESIZE));

	return *consumer != *producer;
}

/* The first look polls: what is there already fires. */
static void arm(void)
{
	if (sim_system.armed)
		return;
	sim_system.armed = true;
	sim_system.ring_fired |= ring_has_data();
	sim_system.control_fired |= sim_system.to_worker || sim_system.runtime_gone;
}

/* What is new, beside what fired before and was not cleared. */
static bool take_fired(struct waiter *waiter)
{
	bool ring, any;

	/* A wakeup without data left to read makes no completion. */
	ring = sim_system.ring_fired && ring_has_data();
	any = ring || sim_system.space_fired || sim_system.control_fired;
	waiter->unseen |= any;
	any |= disk_reap(waiter);
	waiter->fired[WAITER_RING] |= ring;
	waiter->fired[WAITER_SPACE] |= sim_system.space_fired;
	waiter->fired[WAITER_CONTROL] |= sim_system.control_fired;
	sim_system.ring_fired = false;
	sim_system.space_fired = false;
	sim_system.control_fired = false;
	return any;
}

int __wrap_waiter_wait(struct waiter *waiter, int64_t timeout_ns);
int __wrap_waiter_wait(struct waiter *waiter, int64_t timeout_ns)
{
	uint64_t until_ns = timeout_ns < 0 ? UINT64_MAX : sim_now_ns + (uint64_t)timeout_ns;

	sim_step();
	arm();
	while (!take_fired(waiter) && !waiter->unseen && sim_now_ns < until_ns)
		sim_block(until_ns);
	waiter->unseen = false;
	return 0;
}

int __wrap_waiter_wait_beat(struct waiter *waiter, uint64_t now_ns, uint64_t ns);
int __wrap_waiter_wait_beat(struct waiter *waiter, uint64_t now_ns, uint64_t ns)
{
	(void)now_ns;
	return __wrap_waiter_wait(waiter, (int64_t)ns);
}

int __wrap_waiter_look(struct waiter *waiter, bool *ret_fired);
int __wrap_waiter_look(struct waiter *waiter, bool *ret_fired)
{
	sim_step();
	arm();
	*ret_fired = take_fired(waiter);
	return 0;
}

/* ---- shared objects ---- */

void *__wrap_dlopen(const char *path, int flags);
void *__wrap_dlopen(const char *path, int flags)
{
	int fd = -1;

	(void)flags;
	sim_step();
	(void)sscanf(path, "/proc/self/fd/%d", &fd);
	fd = migrator_fd(fd);
	if (fd < SIM_FD_OBJECT || fd >= SIM_FD_OBJECT + SIM_FUNCTIONS_MAX)
		sim_fail("the worker loads %s", path);
	return (void *)(uintptr_t)fd;
}

void *__wrap_dlsym(void *object, const char *name);
void *__wrap_dlsym(void *object, const char *name)
{
	return workflow_symbol((uint32_t)((uintptr_t)object - SIM_FD_OBJECT), name);
}

char *__wrap_dlerror(void);
char *__wrap_dlerror(void)
{
	static char text[] = "not in the simulation";

	return text;
}

int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
	sim_step();
	return 0;
}

/* What a process says to its log is of no interest. */
int __wrap_fprintf(FILE *file, const char *format, ...);
int __wrap_fprintf(FILE *file, const char *format, ...)
{
	va_list arguments;
	int bytes = 0;

	va_start(arguments, format);
	if (!sim_current)
		bytes = vfprintf(file, format, arguments);
	va_end(arguments);
	return bytes;
}
