// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas-courier: carries outputs out of the logs of all workflows. It is
 * uid 0 for the files of whoever owns them, and has no capability but to open
 * them. Everything else it is given by the runtime.
 */
#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "logger.h"
#include "userspace/sink/courier.h"
#include "userspace/sink/courier_protocol.h"

/* Larger pieces are apart. */
#define MMAP_BYTES (64 << 10)

static int drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	unsigned int number;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* The bounding set ends where the kernel knows no more. */
	for (number = 0; number < 64; number++)
		if (number != CAP_DAC_OVERRIDE && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) &&
		    errno != EINVAL)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	data[0].effective = data[0].permitted = 1u << CAP_DAC_OVERRIDE;
	if (syscall(SYS_capset, &header, data))
		return -errno;
	return 0;
}

int main(void)
{
	struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
	int err;

	/* A runtime that died before this shows as end of file. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* The runtime says when to end; a signal to the whole group is for it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	umask(0);
	/* What a workflow is read from is large and gone soon, and what it has for the case
	 * that it has many outputs is mostly not used: no hole stays, and no zero is there. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	/* What cannot be raised shows when a workflow is added. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	err = drop_privileges();
	if (err) {
		logger_write(LOGGER_ERROR, "courier.privileges", "error=\"%s\"", strerror(-err));
		return 1;
	}
	err = courier_run(COURIER_FD_CONTROL, FAAS_STATE_WORKFLOWS);
	if (err) {
		logger_write(LOGGER_ERROR, "courier.failed", "error=\"%s\"", strerror(-err));
		return 1;
	}
	return 0;
}
