// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/keyed.h>
#include <ebpf_faas/pins.h>

#include "clock.h"
#include "userspace/pool/supervisor.h"
#include "userspace/pool/supervisor_exec.h"

/* How long a killed process may take to be gone. */
#define ORPHAN_MS 5000

static int open_pin(const char *pins, const char *name, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(errno));
	return fd;
}

int supervisor_read_ring(struct supervisor *supervisor, const char *pins, struct diags *diags)
{
	int ring = open_pin(pins, FAAS_PIN_RING0, diags), wake;

	if (ring < 0)
		return -1;
	wake = open_pin(pins, FAAS_PIN_WAKE, diags);
	if (wake < 0) {
		close(ring);
		return -1;
	}
	if (supervisor->ring >= 0)
		close(supervisor->ring);
	if (supervisor->wake >= 0)
		close(supervisor->wake);
	supervisor->ring = ring;
	supervisor->wake = wake;
	return 0;
}

/* The maps of kernel functions that verdicts lead to. */
static int open_verdict_maps(struct supervisor *supervisor, const struct bundle *bundle,
			     const char *pins, struct diags *diags)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_map *map = bundle_verdict_map(&bundle->kernel[i]);
		struct bpf_map_info info = {0};
		uint32_t bytes = sizeof(info);
		int fd;

		if (!map || !bundle_gets_verdicts(bundle, i))
			continue;
		fd = supervisor->verdict_maps[i] = open_pin(pins, map->name, diags);
		if (fd < 0)
			return -1;
		if (bpf_obj_get_info_by_fd(fd, &info, &bytes) || info.type != BPF_MAP_TYPE_HASH ||
		    info.key_size != sizeof(struct faas_key) ||
		    info.value_size != sizeof(struct faas_verdict_entry))
			return diag_fail(diags, DIAG_INVALID, "declare it with FAAS_VERDICT_MAP",
					 "map %s of %s is no map for verdicts", map->map,
					 bundle->kernel[i].instance);
	}
	return 0;
}

int supervisor_prepare(struct supervisor *supervisor, const struct bundle *bundle, uint32_t slot,
		       uint32_t generation, const char *bundle_directory, const char *pins,
		       struct diags *diags)
{
	int err;

	memcpy(supervisor->name, bundle->name, sizeof(supervisor->name));
	supervisor->slot = slot;
	supervisor->generation = generation;
	supervisor->user_count = bundle->user_count;
	supervisor->memory_bytes = bundle->worker_memory_bytes;
	supervisor->cpu_percent = bundle->worker_cpu_percent;
	supervisor->log_lines = bundle_log_lines(bundle);
	supervisor->idle.after_ns = bundle->worker_idle_ns;
	supervisor_watch_init(&supervisor->watch, bundle);
	supervisor->retry = (struct policy_retry){
		.attempts = bundle->retry_attempts,
		.backoff_min_ms =
			(bundle->retry_backoff_min_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS,
		.backoff_max_ms =
			(bundle->retry_backoff_max_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS,
	};
	err = copies_init(supervisor, bundle, bundle_directory);
	if (err)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s/%s: %s", bundle_directory,
				 BUNDLE_MANIFEST, strerror(-err));
	if (programs_prepare(supervisor, bundle))
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (supervisor_read_ring(supervisor, pins, diags) ||
	    open_verdict_maps(supervisor, bundle, pins, diags))
		return -1;
	supervisor->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	supervisor->space = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (supervisor->notify < 0 || supervisor->space < 0)
		return diag_fail(diags, DIAG_FAILED, NULL, "eventfd: %s", strerror(errno));
	return 0;
}

/* Whether a process is what it was when its pid was noted. */
static bool runs(uint32_t pid, const char *program)
{
	char link[32];
	char path[FAAS_PATH_BYTES];
	const char *base;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	/* " (deleted)" may follow; before its exec it is still the runtime. */
	return !strncmp(base, program, strlen(program)) ||
	       !strncmp(base, "ebpf-faas-runtime", strlen("ebpf-faas-runtime"));
}

int supervisor_kill_orphan(uint32_t pid, const char *program)
{
	struct pollfd gone = {.events = POLLIN};
	int err = 0;

	if (!pid || (pid_t)pid == getpid())
		return 0;
	gone.fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (gone.fd < 0)
		return errno == ESRCH || errno == EINVAL ? 0 : -errno;
	if (runs(pid, program)) {
		if (syscall(SYS_pidfd_send_signal, gone.fd, SIGKILL, NULL, 0) && errno != ESRCH)
			err = -errno;
		else if (poll(&gone, 1, ORPHAN_MS) != 1)
			err = -ETIMEDOUT;
	}
	close(gone.fd);
	return err;
}
