/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between runtime and courier: a SOCK_SEQPACKET pair, one JSON object a message.
 * The courier is started as `ebpf-faas-courier` with its end at COURIER_FD_CONTROL;
 * end of file there means that the runtime is gone, and the courier ends. What
 * it has delivered stands in the courier pages.
 *
 * To the courier:
 *   {"op":"add","workflow":NAME,"strict":BOOL,"udp":[N,...],"verdicts":[N,...]}
 *	with file descriptors, in this order: manifest.json, log (read only),
 *	worker.page (read only), courier.page, notify, space, and a UDP socket for
 *	each sink number in "udp", and a map for verdicts for each number of a
 *	kernel function in "verdicts". strict: a file sink that cannot be opened is an
 *	error, else it is tried again and again.
 *   {"op":"remove","workflow":NAME,"drain_ms":N}
 *	deliver what is in the log, for so long at most, then forget it.
 *
 * Answers, in the order in which things get done:
 *   {"op":"added","workflow":NAME,"ok":true}
 *   {"op":"added","workflow":NAME,"ok":false,"error":...,"advice":...}
 *   {"op":"removed","workflow":NAME,"undelivered":N}	(also for a NAME it does not know)
 */
#ifndef FAAS_SINK_COURIER_PROTOCOL_H
#define FAAS_SINK_COURIER_PROTOCOL_H

#include <ebpf_faas/limits.h>

/* 0 is /dev/null, 1 and 2 lead to the runtime's log. */
#define COURIER_FD_CONTROL 3

#define COURIER_MESSAGE_BYTES_MAX 8192

enum courier_message_fd {
	COURIER_PASS_MANIFEST,
	COURIER_PASS_LOG,
	COURIER_PASS_WORKER_PAGE,
	COURIER_PASS_COURIER_PAGE,
	COURIER_PASS_NOTIFY,
	COURIER_PASS_SPACE,
	COURIER_PASS_UDP, /* the first of them, and behind them the maps for verdicts */
};

#define COURIER_PASS_MAX (COURIER_PASS_UDP + FAAS_SINKS_MAX + FAAS_KERNEL_FUNCTIONS_MAX)

#endif
