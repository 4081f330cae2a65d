// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "pages.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_landlock.h"
#include "userspace/pool/worker_privilege.h"

/* What a function may be linked with, besides what the worker itself is. Nothing else
 * can be found once the sandbox is closed. */
static const char *const libraries[] = {"libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"};

#define LIBRARIES (sizeof(libraries) / sizeof(libraries[0]))

/* Which of the libraries the object names, as bits. It is looked through, not parsed:
 * it may be anything. */
static int look_for_libraries(int fd, uint32_t *ret)
{
	struct stat status;
	void *object;

	if (fstat(fd, &status))
		return -errno;
	if (!status.st_size)
		return 0;
	object = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (object == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; i < LIBRARIES; i++)
		if (memmem(object, (size_t)status.st_size, libraries[i], strlen(libraries[i]) + 1))
			*ret |= 1u << i;
	(void)munmap(object, (size_t)status.st_size);
	return 0;
}

/* One that is missing here is missed, by its name, by the object that needs it. */
static int load_libraries(const int *objects, uint32_t count)
{
	uint32_t named = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++)
		err = look_for_libraries(objects[i], &named);
	for (unsigned int i = 0; !err && i < LIBRARIES; i++)
		if (named & 1u << i)
			(void)dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	return err;
}

void sandbox_load_libraries(void)
{
	for (unsigned int i = 0; i < LIBRARIES; i++)
		(void)dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
}

static int fail(struct worker *worker, const char *step, int err)
{
	return worker_fail(worker, WORKER_EXIT_SETUP, "sandbox (%s): %s", step, strerror(-err));
}

/* Nobody hears of it who is not there: a worker in a test. */
static void tell(const struct worker *worker, uint32_t limits)
{
	char message[32];
	int bytes = snprintf(message, sizeof(message), "confined %u", limits);

	(void)!send(worker->control_fd, message, (size_t)bytes, MSG_NOSIGNAL);
}

int sandbox_close(struct sandbox *sandbox, struct worker *worker, const int *objects,
		  uint64_t longest)
{
	int err, landlock;

	err = load_libraries(objects, worker->bundle->user_count);
	if (err)
		return fail(worker, "libraries", err);
	err = filter_build(&sandbox->filter);
	if (err)
		return fail(worker, "system calls", err);
	err = privilege_limit(longest);
	if (err)
		return fail(worker, "limits", err);
	if (!worker->runtime_page || !(worker->runtime_page->limits & PAGE_LIMIT_CGROUP_MEMORY))
		err = privilege_limit_memory(worker->bundle->worker_memory_bytes);
	if (err)
		return fail(worker, "memory", err);
	landlock = landlock_close();
	if (landlock < 0)
		return fail(worker, "landlock", landlock);
	err = filter_enter(&sandbox->filter, FILTER_LOADING);
	if (err)
		return fail(worker, "system calls while it loads", err);
	sandbox->limits |= PAGE_LIMIT_RLIMITS | PAGE_LIMIT_SECCOMP;
	if (landlock)
		sandbox->limits |= PAGE_LIMIT_LANDLOCK;
	tell(worker, sandbox->limits);
	return 0;
}

int sandbox_tighten(struct sandbox *sandbox, struct worker *worker)
{
	int err = privilege_close_files();

	if (err)
		return fail(worker, "files", err);
	err = filter_enter(&sandbox->filter, FILTER_RUNNING);
	if (err)
		return fail(worker, "system calls", err);
	filter_free(&sandbox->filter);
	return 0;
}
