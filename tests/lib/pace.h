/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the traffic programs share: a steady rate, and addresses as people write
 * them.
 */
#ifndef FAAS_TESTS_LIB_PACE_H
#define FAAS_TESTS_LIB_PACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * A rate of sending. Sends are due at even distances; a sender that was late
 * catches up by at most PACE_BURST_MAX at once and gives the rest of its delay
 * up. That bound is why it exists: a veth queues 256 frames and drops the 257th
 * without telling the sender, so a generator that makes good a long pause in one
 * burst loses what it counts as sent.
 *
 * No more than PACE_FLIGHT_MAX are on their way either: on a processor that stands still they would
 * pile up as well. And at the end none is: whoever counts behind that counts them all.
 */
#define PACE_BURST_MAX 32
#define PACE_FLIGHT_MAX 64

struct pace {
	uint64_t gap_ns; /* 0: as fast as it goes */
	uint64_t next_ns;
	int flight[PACE_FLIGHT_MAX]; /* sockets */
	size_t flying;
};

/* @p rate sends a second; 0 does not pace. */
void pace_begin(struct pace *pace, uint64_t rate);

/* Wait until one more send is due. */
void pace_wait(struct pace *pace);

/*
 * One was sent from this socket. What a socket sent is its own until a program of the other end has
 * dropped it or its network stack has taken it: behind all programs there.
 *
 * @return 0, or -ETIMEDOUT: it is on its way for 20 s.
 */
int pace_sent(struct pace *pace, int fd) __attribute__((warn_unused_result));

/* All that were sent have come there. As pace_sent(). */
int pace_end(struct pace *pace) __attribute__((warn_unused_result));

uint64_t pace_now_ns(void);

/**
 * Read "ADDRESS:PORT" or "[ADDRESS]:PORT".
 * @return 0, or -EINVAL with *ret and *ret_bytes untouched.
 */
int address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_bytes)
	__attribute__((warn_unused_result));

/* A number of an option; the program ends with a message when it is none. */
uint64_t number_or_die(const char *text, uint64_t max, const char *option);

#endif
