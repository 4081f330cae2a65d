/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A BPF ring buffer, looked at without taking anything from it: for counting
 * what is in flight. The layout is that of the kernel (kernel/bpf/ringbuf.c,
 * user-space API in linux/bpf.h): one page with the consumer's position, one
 * with the producer's, then the data, mapped twice in a row so that records
 * are always in one piece. A record is 8 bytes of header and its data, padded
 * to 8; the header's first word is the length and two flags.
 */
#ifndef FAAS_BASE_RINGVIEW_H
#define FAAS_BASE_RINGVIEW_H

#include <stdbool.h>
#include <stdint.h>

#define RING_BUSY_BIT (1u << 31)
#define RING_DISCARD_BIT (1u << 30)
#define RING_HEADER_BYTES 8

/* What the kernel says of a ring buffer's file descriptor in /proc/self/fdinfo;
 * needs no privilege, unlike bpf(). */
struct ringview_info {
	uint32_t map_id;
	uint64_t bytes; /* of data; a power of two */
};

/* 0, -EINVAL: @p fd is not a BPF ring buffer, or -errno. */
int ringview_identify(int fd, struct ringview_info *ret) __attribute__((warn_unused_result));

/*
 * Map that part of a ring's descriptor to be read, in pieces: the kernel enters all pages of one
 * in one go, which for a large ring takes milliseconds that nobody else has. 0 or -errno.
 * Returns-owned: *ret, munmap().
 */
int ringview_map(int fd, uint64_t offset, uint64_t bytes, void **ret)
	__attribute__((warn_unused_result));

/* A read-only mapping. Owns it. */
struct ringview {
	const uint64_t *consumer;
	const uint64_t *producer; /* what follows it is `data` */
	const uint8_t *data;
	uint64_t bytes;
	uint64_t page_bytes;
};

/* Borrows @p fd for the call. 0, or -errno with *ret untouched. */
int ringview_open(int fd, struct ringview *ret) __attribute__((warn_unused_result));
void ringview_close(struct ringview *view);

/* Length of a record's data, by its header's first word. */
static inline uint32_t ring_record_bytes(uint32_t length)
{
	return length & ~(RING_BUSY_BIT | RING_DISCARD_BIT);
}

/* What it takes up, header and padding included. */
static inline uint64_t ring_record_span(uint32_t length)
{
	return ((uint64_t)ring_record_bytes(length) + RING_HEADER_BYTES + 7) & ~7ull;
}

/**
 * @brief Count the records between two positions.
 *
 * @param from Where a record begins: a consumer's position.
 * @param ret  Records that are submitted and not discarded.
 *
 * Counts up to the producer's position of this moment. A record that is still
 * being written is waited for by nobody: it and those behind it do not count,
 * for consumers cannot see them yet either.
 *
 * @return 0, or -EAGAIN: the ring moved on below our eyes, @p from does not
 * point to a record any more; read the position again.
 */
int ringview_count(const struct ringview *view, uint64_t from, uint64_t *ret)
	__attribute__((warn_unused_result));

#endif
