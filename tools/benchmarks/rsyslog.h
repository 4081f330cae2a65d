/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The peer of the durable benchmark: an rsyslogd of our own in the gateway's network
 * namespace, with configuration, working directory and log file in a scratch directory,
 * from UDP to a file that it syncs (omfile, sync="on").
 */
#ifndef FAAS_BENCH_RSYSLOG_H
#define FAAS_BENCH_RSYSLOG_H

#include <stdint.h>

/* What was set, for the figures: see rsyslog.c for the whole configuration. */
#define RSYSLOG_SETTINGS                                                                           \
	"rsyslog: imudp threads=2 batchSize=256 rcvbufSize=32m, queue FixedArray 200000, "         \
	"dequeueBatchSize=8192, omfile sync=on ioBufferSize=2m"

/* Start it, with its files on the file system of @p state; it ends, and they go, with
 * the program. To be called after tier_make_network. */
void rsyslog_start(const char *state, uint16_t port, uint32_t line_bytes);

/* For tier_settle: messages in its log file. The argument is not looked at. */
uint64_t rsyslog_written(const void *unused);

/* Begin an empty file, while nothing arrives. */
void rsyslog_empty(void);

#endif
