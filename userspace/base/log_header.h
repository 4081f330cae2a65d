/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The head of a worker's log, as far as who does not read the log needs it. */
#ifndef FAAS_BASE_LOG_HEADER_H
#define FAAS_BASE_LOG_HEADER_H

#include <stdint.h>

struct log_header {
	uint64_t magic;
	uint32_t version;
	uint32_t segment_count;
	uint64_t segment_bytes;
	uint64_t log_id; /* random, new for each log file */
	uint32_t ring_map_id;
	uint32_t reserved;
	uint64_t ring_boot_hash;      /* of /proc/sys/kernel/random/boot_id */
	uint64_t ring_first_sequence; /* records before it count positions in an earlier ring */
};

#endif
