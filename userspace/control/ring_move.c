// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ring_move.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "fault.h"

/* What the sanitizers need, too. */
#define STACK_BYTES (256u << 10)

static unsigned int running; /* of the loop's thread */

static void path_of(const char *pins, const char *pin, char ret[FAAS_PATH_BYTES])
{
	snprintf(ret, FAAS_PATH_BYTES, "%s/%s", pins, pin);
}

/* Descriptor of the next ring or -errno. *ret_made: it was not there. */
static int open_next(const struct ring_move *move, bool *ret_made)
{
	char path[FAAS_PATH_BYTES];
	int fd, err;

	path_of(move->pins, FAAS_PIN_RING_NEXT, path);
	*ret_made = false;
	fd = bpf_obj_get(path);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, FAAS_PIN_RING0, 0, 0, move->bytes, NULL);
	if (fd < 0)
		return -errno;
	fault_point("ring.made");
	if (bpf_obj_pin(fd, path)) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_made = true;
	fault_point("ring.pinned");
	return fd;
}

/* The update of a map of maps returns when all programs that began before it have ended: no
 * record is reserved in the ring before any more that was not there when it returned. */
static int give(const struct ring_move *move, int next)
{
	const uint32_t instance = 0;
	char path[FAAS_PATH_BYTES];
	int rings, err = 0;

	path_of(move->pins, FAAS_PIN_RINGS, path);
	rings = bpf_obj_get(path);
	if (rings < 0)
		return -errno;
	if (bpf_map_update_elem(rings, &instance, &next, BPF_ANY))
		err = -errno;
	close(rings);
	return err;
}

static void *run(void *context)
{
	struct ring_move *move = context;
	const uint64_t one = 1;
	char path[FAAS_PATH_BYTES];
	bool made;
	int fd = open_next(move, &made);

	move->error = fd < 0 ? fd : give(move, fd);
	if (move->error && made) {
		path_of(move->pins, FAAS_PIN_RING_NEXT, path);
		(void)unlink(path);
	}
	if (fd >= 0)
		close(fd);
	fault_point("ring.given");
	(void)!write(move->done.fd, &one, sizeof(one));
	return NULL;
}

int ring_move_wait(struct ring_move *move)
{
	int fd = move->done.fd;

	(void)pthread_join(move->thread, NULL);
	loop_remove(move->loop, &move->done);
	close(fd);
	free(move->pins);
	move->pins = NULL;
	move->runs = false;
	running--;
	return move->error;
}

static void on_done(struct loop_source *source, uint32_t events)
{
	struct ring_move *move = loop_container(source, struct ring_move, done);

	(void)events;
	(void)ring_move_wait(move);
	move->ended(move, move->error);
}

static int start_thread(struct ring_move *move)
{
	pthread_attr_t attributes;
	int err = pthread_attr_init(&attributes);

	if (err)
		return -err;
	err = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (!err)
		err = pthread_create(&move->thread, &attributes, run, move);
	(void)pthread_attr_destroy(&attributes);
	return -err;
}

int ring_move_begin(struct ring_move *move, struct loop *loop, const char *pins, uint32_t bytes,
		    void (*ended)(struct ring_move *move, int error))
{
	int fd, err;

	if (running >= RING_MOVES_MAX)
		return -EAGAIN;
	*move = (struct ring_move){.loop = loop, .bytes = bytes, .ended = ended, .done.fd = -1};
	move->pins = strdup(pins);
	if (!move->pins)
		return -ENOMEM;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0) {
		err = -errno;
		free(move->pins);
		return err;
	}
	err = loop_add(loop, &move->done, fd, EPOLLIN, on_done);
	if (!err)
		err = start_thread(move);
	if (err) {
		loop_remove(loop, &move->done);
		close(fd);
		return err;
	}
	move->runs = true;
	running++;
	return 0;
}

bool ring_move_has_next(const char *pins)
{
	char path[FAAS_PATH_BYTES];

	path_of(pins, FAAS_PIN_RING_NEXT, path);
	return !access(path, F_OK);
}

int ring_move_take(const char *pins)
{
	char from[FAAS_PATH_BYTES], to[FAAS_PATH_BYTES];

	path_of(pins, FAAS_PIN_RING_NEXT, from);
	path_of(pins, FAAS_PIN_RING0, to);
	return rename(from, to) ? -errno : 0;
}
