// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int ring_open(int fd, struct ring *ret)
{
	struct ringview_info info = {0};
	struct ring ring = {0};
	void *mapping;
	int err;

	err = ringview_identify(fd, &info);
	if (err)
		return err;
	ring.bytes = info.bytes;
	ring.map_id = info.map_id;
	ring.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	/* The kernel lets the consumer's page be written, and nothing else. */
	mapping = mmap(NULL, ring.page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		return -errno;
	ring.consumer = mapping;
	err = ringview_map(fd, ring.page_bytes, ring.page_bytes + 2 * ring.bytes, &mapping);
	if (err)
		goto cleanup;
	ring.producer = mapping;
	ring.data = (const uint8_t *)mapping + ring.page_bytes;
	ring.position = __atomic_load_n(ring.consumer, __ATOMIC_ACQUIRE);
	ring.known = __atomic_load_n(ring.producer, __ATOMIC_ACQUIRE);
	if (ring.position > ring.known || ring.position % 8)
		err = -EINVAL;
cleanup:
	if (err)
		ring_close(&ring);
	else
		*ret = ring;
	return err;
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->consumer)
		(void)munmap(ring->consumer, ring->page_bytes);
	if (ring->producer)
		(void)munmap((void *)(uintptr_t)ring->producer, ring->page_bytes + 2 * ring->bytes);
	memset(ring, 0, sizeof(*ring));
}

int ring_seek(struct ring *ring, uint64_t position)
{
	uint64_t producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);

	if (position % 8 || position > producer ||
	    position < __atomic_load_n(ring->consumer, __ATOMIC_RELAXED))
		return -ERANGE;
	ring->position = position;
	ring->known = producer;
	return 0;
}
