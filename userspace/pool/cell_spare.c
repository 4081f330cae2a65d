// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A worker that nobody has asked for yet. What takes time and does not depend on whose it will
 * be is done while nobody waits: above all, the memory that it shares with the template until
 * one of them writes to it is made its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bundle_image.h"
#include "userspace/pool/cell.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_privilege.h"
#include "userspace/pool/worker_waiter.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* What a worker takes of the heap and of the stack until its first event. */
#define HEAP_BYTES (96 << 10)
#define STACK_BYTES (32 << 10)
/* Of a part of a program that is larger, little is used. */
#define PART_BYTES_MAX (2ul << 20)

/* Not left out for having no effect. */
static void touch(volatile char *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 1024)
		memory[i] = 0;
}

static void touch_stack(void)
{
	char stack[STACK_BYTES];

	touch(stack, sizeof(stack));
}

/* It stays in the heap when it is given back: it is less than what the C library keeps. */
static void touch_heap(void)
{
	char *heap = malloc(HEAP_BYTES);

	if (heap)
		touch(heap, HEAP_BYTES);
	free(heap);
}

/* A line of /proc/self/maps: its own copy of what it may write to, and of what it reads
 * where that is. What cannot be had now is had when it is used. */
static void touch_part(const char *line)
{
	unsigned long begin, end;
	char flags[5];

	if (sscanf(line, "%lx-%lx %4s", &begin, &end, flags) != 3 || end - begin > PART_BYTES_MAX ||
	    flags[3] != 'p' || strstr(line, "[stack]") || strstr(line, "[v"))
		return;
	(void)madvise((void *)begin, end - begin, // NOLINT(performance-no-int-to-ptr)
		      flags[1] == 'w' ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

static void touch_parts(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		touch_part(line);
	if (maps)
		(void)fclose(maps);
}

/* A request with its descriptors. 1; 0 at the end; or -errno. Returns-owned: fds. */
static int receive(struct cell_request *ret, int fds[CELL_PASSED_MAX])
{
	size_t count;
	ssize_t bytes = cell_receive(CELL_FD_RUNTIME, ret, sizeof(*ret), fds, &count);

	if (bytes <= 0)
		return (int)bytes;
	if (bytes != sizeof(*ret) || ret->fd_count >= SPAWN_FDS_MAX ||
	    ret->join_count > CELL_JOINS_MAX || count != ret->fd_count + ret->join_count)
		return -EPROTO;
	return 1;
}

/* Descriptors to their places. Behind them is the one that it has made itself. */
static int place(const struct cell_request *request, int *fds)
{
	int waiter = waiter_ahead();

	if (waiter < 0)
		return spawn_place(fds, request->fd_count);
	fds[request->fd_count] = waiter;
	waiter_ahead_is_at((int)request->fd_count);
	return spawn_place(fds, request->fd_count + 1);
}

int cell_spare(int socket, struct cell_request *ret)
{
	int fds[CELL_PASSED_MAX];

	(void)prctl(PR_SET_NAME, "ebpf-faas-spare", 0, 0, 0);
	if (dup2(socket, CELL_FD_RUNTIME) < 0 ||
	    syscall(SYS_close_range, CELL_FD_RUNTIME + 1, ~0u, 0))
		return WORKER_EXIT_SETUP;
	/* What fails here is tried again by the worker, who can say so. */
	waiter_open_ahead();
	privilege_look_ahead();
	touch_parts();
	touch_heap();
	touch_stack();
	if (receive(ret, fds) != 1)
		return WORKER_EXIT_SETUP;
	(void)prctl(PR_SET_NAME, "ebpf-faas-worker", 0, 0, 0);
	for (uint32_t i = 0; i < ret->join_count; i++)
		if (write(fds[ret->fd_count + i], "0", 1) != 1)
			return WORKER_EXIT_SETUP;
	return place(ret, fds) ? WORKER_EXIT_SETUP : 0;
}

/* Those that came with the word, to their places. 0 or -errno. */
static int place_later(const struct cell_go *go, const int *fds, size_t count)
{
	if (go->count != count || count > CELL_LATER_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (dup2(fds[i], go->places[i]) < 0)
			return -errno;
		(void)close(fds[i]);
	}
	return 0;
}

int cell_wait(struct bundle **ret)
{
	/* Of this only what is received is memory. */
	static struct {
		struct cell_go go;
		char image[BUNDLE_IMAGE_BYTES_MAX];
	} message;
	int fds[CELL_PASSED_MAX], err;
	size_t count;
	ssize_t bytes = cell_receive(WORKER_FD_CONTROL, &message, sizeof(message), fds, &count);

	if (bytes < (ssize_t)sizeof(message.go) || message.go.word != CELL_GO)
		return -EPIPE;
	err = place_later(&message.go, fds, count);
	bytes -= (ssize_t)sizeof(message.go);
	*ret = NULL;
	return err || !bytes ? err : bundle_image_read(message.image, (size_t)bytes, ret);
}
