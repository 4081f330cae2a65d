// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "clock.h"
#include "logger.h"
#include "spawn.h"
#include "userspace/pool/supervisor_crash.h"
#include "userspace/pool/supervisor_exec.h"
#include "userspace/pool/supervisor_log.h"
#include "userspace/pool/supervisor_process.h"
#include "userspace/pool/worker_filter.h"

void supervisor_init(struct supervisor *supervisor, struct loop *loop, struct cell *cell)
{
	memset(supervisor, 0, sizeof(*supervisor));
	supervisor->loop = loop;
	supervisor->cell = cell;
	run_files_init(&supervisor->files);
	supervisor->manifest = supervisor->ring = supervisor->wake = -1;
	supervisor->notify = supervisor->space = -1;
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		supervisor->objects[i] = -1;
	for (uint32_t i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		supervisor->verdict_maps[i] = -1;
	supervisor->exit.fd = supervisor->control.fd = supervisor->idle.ring.fd = -1;
}

const char *supervisor_state_name(const struct supervisor *supervisor)
{
	static const char *const names[] = {
		[SUPERVISOR_ENDED] = "ended",	    [SUPERVISOR_STARTING] = "starting",
		[SUPERVISOR_RUNNING] = "running",   [SUPERVISOR_BACKOFF] = "backoff",
		[SUPERVISOR_STOPPING] = "stopping", [SUPERVISOR_QUARANTINED] = "quarantined",
		[SUPERVISOR_IDLE] = "idle",
	};

	return names[supervisor->state];
}

/* One word of the worker's page. Read, not mapped: its writer is not trusted
 * with the length of what we would map. */
static uint64_t worker_word(const struct supervisor *supervisor, size_t offset)
{
	uint64_t value;

	if (pread(supervisor->files.worker_page, &value, sizeof(value), (off_t)offset) !=
	    (ssize_t)sizeof(value))
		return 0;
	return value;
}

static void on_backoff_end(struct loop_timer *timer)
{
	supervisor_start_process(loop_container(timer, struct supervisor, timer));
}

static void on_too_slow(struct loop_timer *timer)
{
	struct supervisor *supervisor = loop_container(timer, struct supervisor, timer);

	if (!supervisor->reason[0])
		snprintf(supervisor->reason, sizeof(supervisor->reason),
			 supervisor->state == SUPERVISOR_STOPPING ? "it did not drain in time"
			 : supervisor->state == SUPERVISOR_RUNNING
				 ? "it had nothing to do, and did not end in %d seconds; does "
				   "faas_on_stop hang?"
				 : "it was not ready in %d seconds; does faas_on_init hang?",
			 SUPERVISOR_READY_MS / 1000);
	logger_write(LOGGER_WARNING, "worker.killed", "workflow=%s pid=%d reason=\"%s\"",
		     supervisor->name, supervisor->pid, supervisor->reason);
	process_kill(supervisor);
}

static void forget_piece(struct supervisor *supervisor)
{
	free(supervisor->import_piece);
	supervisor->import_piece = NULL;
}

static void end_import_with(struct supervisor *supervisor, const char *reason)
{
	supervisor->importing = false;
	forget_piece(supervisor);
	supervisor->imported(supervisor, reason);
}

/* The worker answers for a piece: "NUMBER", or "NUMBER REASON". */
static void end_import(struct supervisor *supervisor, const char *answer, bool refused)
{
	char *rest;
	uint64_t number = strtoull(answer, &rest, 10);

	if (number != supervisor->import_number)
		return;
	end_import_with(supervisor, refused ? (*rest == ' ' ? rest + 1 : "it says not why") : NULL);
}

static int send_piece(struct supervisor *supervisor)
{
	/* A worker that still recovers reads it when it is ready. */
	return supervisor->control.fd >= 0 &&
			       send(supervisor->control.fd, supervisor->import_piece,
				    supervisor->import_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) ==
				       (ssize_t)supervisor->import_bytes
		       ? 0
		       : -EAGAIN;
}

int supervisor_import(struct supervisor *supervisor, const void *piece, size_t bytes)
{
	if (supervisor->importing)
		return -EBUSY;
	if (supervisor->state == SUPERVISOR_IDLE)
		supervisor_idle_wake(supervisor);
	if (supervisor->state != SUPERVISOR_RUNNING && supervisor->state != SUPERVISOR_STARTING &&
	    !supervisor->turning)
		return -EAGAIN;
	supervisor->import_piece = malloc(bytes);
	if (!supervisor->import_piece)
		return -ENOMEM;
	memcpy(supervisor->import_piece, piece, bytes);
	supervisor->import_bytes = bytes;
	supervisor->import_piece->number = ++supervisor->import_number;
	if (!supervisor->turning && send_piece(supervisor)) {
		forget_piece(supervisor);
		return -EAGAIN;
	}
	supervisor->importing = true;
	return 0;
}

bool supervisor_is_watched(const struct supervisor *supervisor)
{
	return supervisor->state == SUPERVISOR_RUNNING;
}

void supervisor_look(struct supervisor *supervisor)
{
	programs_look(supervisor);
	if (supervisor->state == SUPERVISOR_RUNNING)
		log_take_rest(supervisor);
	if (supervisor->state != SUPERVISOR_RUNNING || supervisor->watch.expired ||
	    !supervisor_watch_look(&supervisor->watch, supervisor->files.worker_page,
				   supervisor->ring))
		return;
	logger_write(LOGGER_WARNING, "worker.killed", "workflow=%s pid=%d reason=\"%s\"",
		     supervisor->name, supervisor->pid, "it hangs, and did not end by itself");
	process_kill(supervisor);
}

/* What bounds it. Only the first word of a process counts: it is from before there was
 * code of an author in it. */
static void hear_limits(struct supervisor *supervisor, const char *number)
{
	struct runtime_page *page = supervisor->files.runtime_page;

	if (!supervisor->confined)
		page->limits |= (uint32_t)strtoul(number, NULL, 10);
	supervisor->confined = true;
}

/* It runs faas_on_stop, which may hang. */
static void hear_idle(struct supervisor *supervisor)
{
	supervisor->idle.said = true;
	if (supervisor->state == SUPERVISOR_RUNNING)
		loop_set(supervisor->loop, &supervisor->timer,
			 clock_monotonic_ns() + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS, on_too_slow);
}

static void hear(struct supervisor *supervisor, const char *message)
{
	if (!strcmp(message, "ready") && supervisor->state == SUPERVISOR_STARTING) {
		const uint64_t one = 1;

		supervisor->was_ready = true;
		supervisor->first = false;
		supervisor->state = SUPERVISOR_RUNNING;
		loop_unset(supervisor->loop, &supervisor->timer);
		logger_write(
			LOGGER_INFO, "worker.ready",
			"workflow=%s pid=%d incarnation=%u start_us=%" PRIu64, supervisor->name,
			supervisor->pid, supervisor->files.runtime_page->incarnation,
			(clock_monotonic_ns() - supervisor->files.runtime_page->worker_started_ns) /
				1000);
		/* A record that its predecessor wrote with its last breath may
		 * not have been announced. */
		(void)!write(supervisor->notify, &one, sizeof(one));
		log_take_rest(supervisor);
		supervisor->ready(supervisor);
	} else if (!strncmp(message, "confined ", 9)) {
		hear_limits(supervisor, message + 9);
	} else if (!strncmp(message, "forbidden ", 10)) {
		char name[64];

		snprintf(supervisor->reason, sizeof(supervisor->reason),
			 "it called %s, which functions may not",
			 filter_call_name((int)strtol(message + 10, NULL, 10), name, sizeof(name)));
	} else if (!strncmp(message, "failed ", 7)) {
		snprintf(supervisor->reason, sizeof(supervisor->reason), "%s", message + 7);
	} else if (supervisor->importing && !strncmp(message, "imported ", 9)) {
		end_import(supervisor, message + 9, false);
	} else if (supervisor->importing && !strncmp(message, "refused ", 8)) {
		end_import(supervisor, message + 8, true);
	} else if (!strncmp(message, "crash ", 6)) {
		snprintf(supervisor->crash, sizeof(supervisor->crash), "%s", message + 6);
	} else if (!strcmp(message, "stopped")) {
		supervisor->reported = true;
	} else if (!strcmp(message, WORKER_WORD_IDLE) && supervisor->was_ready) {
		hear_idle(supervisor);
	}
}

static void listen_to(struct supervisor *supervisor)
{
	char message[WORKER_MESSAGE_BYTES_MAX];

	/* A flood of messages must not hold us: the rest is read next time. */
	for (int i = 0; i < 8 && supervisor->control.fd >= 0; i++) {
		ssize_t bytes =
			recv(supervisor->control.fd, message, sizeof(message) - 1, MSG_DONTWAIT);

		if (bytes < 0)
			return;
		if (!bytes) {
			process_close_source(supervisor, &supervisor->control);
			return;
		}
		message[bytes] = '\0';
		hear(supervisor, message);
	}
}

static void on_control(struct loop_source *source, uint32_t events)
{
	(void)events;
	listen_to(loop_container(source, struct supervisor, control));
}

static void note_poison(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	const struct policy *policy = &supervisor->policy;

	if (policy->condemned && !page->poison_condemned)
		logger_write(LOGGER_WARNING, "event.condemned",
			     "workflow=%s ring_position=%" PRIu64, supervisor->name,
			     policy->position - 1);
	page->poison_position = policy->position;
	page->poison_deaths = policy->quarters / 4;
	page->poison_timeout = policy->timeout;
	page->poison_condemned = policy->condemned;
}

static void end(struct supervisor *supervisor)
{
	loop_unset(supervisor->loop, &supervisor->timer);
	supervisor->state = SUPERVISOR_ENDED;
	supervisor->ended(supervisor);
}

static void fail(struct supervisor *supervisor)
{
	loop_unset(supervisor->loop, &supervisor->timer);
	supervisor->state = SUPERVISOR_ENDED;
	supervisor->failed(supervisor);
}

static void back_off(struct supervisor *supervisor, uint32_t delay_ms)
{
	supervisor->state = SUPERVISOR_BACKOFF;
	loop_set(supervisor->loop, &supervisor->timer,
		 clock_monotonic_ns() + delay_ms * CLOCK_NS_PER_MS, on_backoff_end);
}

/* Somebody's function, and not who killed the worker or what the machine lacks. */
static bool is_own(const struct policy_death *death, const struct spawn_end *how)
{
	if (death->timeout)
		return true;
	if (how->signal)
		return how->signal != SIGKILL;
	return death->attempt_position || how->status == WORKER_EXIT_LOAD ||
	       how->status == WORKER_EXIT_PROGRAM;
}

static void quarantine(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;

	supervisor->state = SUPERVISOR_QUARANTINED;
	__atomic_store_n(&page->quarantined, 1, __ATOMIC_RELEASE);
	logger_write(LOGGER_ERROR, "workflow.quarantined",
		     "workflow=%s deaths=%d within_ms=%d reason=\"%s\"", supervisor->name,
		     POLICY_QUARANTINE_DEATHS, POLICY_QUARANTINE_MS, supervisor->reason);
	supervisor->quarantined(supervisor);
}

static void keep_crash(const struct supervisor *supervisor, const struct spawn_end *how)
{
	const char *frames = strchr(supervisor->crash, ' ');
	const struct supervisor_crash crash = {
		.workflow = supervisor->name,
		.generation = supervisor->generation,
		.incarnation = supervisor->files.runtime_page->incarnation,
		.pid = supervisor->last_pid,
		.signal = how->signal,
		.status = how->status,
		.reason = supervisor->reason,
		.frames = frames ? frames + 1 : "",
		.output = &supervisor->output,
	};
	int err = supervisor_crash_keep(FAAS_RUN_WORKFLOWS, &crash);

	if (err)
		logger_write(LOGGER_ERROR, "worker.crash", "workflow=%s error=\"%s\"",
			     supervisor->name, strerror(-err));
}

/* Three quarters of it to five quarters: what failed together does not come back
 * together. */
static uint32_t jitter(uint32_t delay_ms)
{
	return delay_ms - delay_ms / 4 +
	       (uint32_t)(clock_monotonic_ns() / 1000 % (delay_ms / 2 + 1));
}

static void on_death(struct supervisor *supervisor, const struct spawn_end *how)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	uint64_t sequence = worker_word(supervisor, offsetof(struct worker_page, head_sequence));
	struct policy_death death = {
		.signal = how->signal,
		.timeout = supervisor->watch.expired ||
			   (!how->signal && how->status == WORKER_EXIT_TIMEOUT),
		.lived_ms = (clock_monotonic_ns() - page->worker_started_ns) / CLOCK_NS_PER_MS,
		.now_ms = clock_monotonic_ns() / CLOCK_NS_PER_MS,
		.progress = sequence != supervisor->sequence_at_start,
	};
	uint32_t delay_ms;

	/* Before it was ready the word is of the worker before it. */
	if (supervisor->was_ready)
		death.attempt_position =
			worker_word(supervisor, offsetof(struct worker_page, attempt_position));
	death.own = is_own(&death, how);
	page->last_signal = (uint32_t)how->signal;
	page->last_status = (uint32_t)how->status;
	if (cgroup_memory_kills(&supervisor->cgroup) > supervisor->memory_kills) {
		/* Nobody killed it from outside. */
		death.signal = 0;
		death.own = true;
		snprintf(supervisor->reason, sizeof(supervisor->reason),
			 "it needed more memory than `workers.memory` gives, %llu KiB",
			 (unsigned long long)supervisor->memory_bytes >> 10);
	} else if (death.timeout)
		snprintf(supervisor->reason, sizeof(supervisor->reason),
			 "a function was over its time");
	else if (!supervisor->reason[0])
		snprintf(supervisor->reason, sizeof(supervisor->reason), "it %s %d",
			 how->signal ? "was killed by signal" : "exited with status",
			 how->signal ? how->signal : how->status);
	snprintf(page->last_reason, sizeof(page->last_reason), "%s", supervisor->reason);
	if (supervisor->state == SUPERVISOR_STOPPING) {
		end(supervisor);
		return;
	}
	if (supervisor->first) {
		fail(supervisor);
		return;
	}
	delay_ms = policy_death(&supervisor->policy, &death);
	note_poison(supervisor);
	page->restarts++;
	logger_write(LOGGER_WARNING, "worker.died",
		     "workflow=%s signal=%d status=%d reason=\"%s\" restart_ms=%u",
		     supervisor->name, how->signal, how->status, supervisor->reason, delay_ms);
	if (death.own)
		keep_crash(supervisor, how);
	if (supervisor->policy.quarantined)
		quarantine(supervisor);
	else if (delay_ms)
		back_off(supervisor, jitter(delay_ms));
	else
		supervisor_start_process(supervisor);
}

/* It ended for having nothing to do: what came for it meanwhile is for another one. */
static void go_idle(struct supervisor *supervisor)
{
	uint64_t until_ns = worker_word(supervisor, offsetof(struct worker_page, idle_until_ns));

	supervisor->policy.fruitless = 0;
	if (supervisor->state == SUPERVISOR_STOPPING) {
		supervisor->state = SUPERVISOR_IDLE;
		supervisor_stop(supervisor, supervisor->stop_bound_ms);
	} else if (supervisor->importing) {
		supervisor_start_process(supervisor);
		if (supervisor->importing && send_piece(supervisor))
			end_import_with(supervisor, IMPORT_ENDED);
	} else {
		logger_write(LOGGER_INFO, "workflow.idle", "workflow=%s pid=%d", supervisor->name,
			     supervisor->last_pid);
		supervisor_idle_begin(supervisor, until_ns);
	}
}

static void on_exit_ready(struct loop_source *source, uint32_t events)
{
	struct supervisor *supervisor = loop_container(source, struct supervisor, exit);
	struct spawn_end how;

	(void)events;
	if (spawn_reap(source->fd, &how))
		return;
	/* Its last words: they may say why, or that all is done. */
	listen_to(supervisor);
	process_close(supervisor);
	loop_unset(supervisor->loop, &supervisor->timer);
	supervisor->last_pid = supervisor->pid;
	supervisor->pid = 0;
	supervisor->files.runtime_page->worker_pid = 0;
	programs_end(supervisor, &how);
	if (supervisor_idle_left(supervisor, &how)) {
		go_idle(supervisor);
		return;
	}
	/* Another one takes its place, as was asked for. */
	if (supervisor->turning && supervisor->reported && !how.signal && !how.status) {
		end(supervisor);
		return;
	}
	if (supervisor->importing && !supervisor->turning)
		end_import_with(supervisor, IMPORT_ENDED);
	on_death(supervisor, &how);
}

/* The piece that waited for the next worker is with it, or nobody's any more. */
static void end_turn(struct supervisor *supervisor, bool stops)
{
	if (!supervisor->turning)
		return;
	supervisor->turning = false;
	if (supervisor->importing && (stops || send_piece(supervisor)))
		end_import_with(supervisor, IMPORT_ENDED);
}

void supervisor_start_process(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	int err;

	supervisor->was_ready = false;
	supervisor->watch.expired = false;
	supervisor->crash[0] = '\0';
	supervisor->reported = false;
	supervisor->idle.said = false;
	supervisor->reason[0] = '\0';
	supervisor->sequence_at_start =
		worker_word(supervisor, offsetof(struct worker_page, head_sequence));
	page->incarnation++;
	__atomic_store_n(&page->idle, 0, __ATOMIC_RELEASE);
	page->worker_started_ns = clock_monotonic_ns();
	supervisor->confined = false;
	err = process_start(supervisor, on_control, on_exit_ready);
	if (err) {
		if (supervisor->first) {
			fail(supervisor);
			return;
		}
		logger_write(LOGGER_ERROR, "worker.start", "workflow=%s error=\"%s\"",
			     supervisor->name, supervisor->reason);
		snprintf(page->last_reason, sizeof(page->last_reason), "%s", supervisor->reason);
		back_off(supervisor, POLICY_DELAY_MAX_MS);
		return;
	}
	page->worker_pid = (uint32_t)supervisor->pid;
	supervisor->state = SUPERVISOR_STARTING;
	loop_set(supervisor->loop, &supervisor->timer,
		 clock_monotonic_ns() + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS, on_too_slow);
	end_turn(supervisor, false);
}

void supervisor_start(struct supervisor *supervisor, bool first)
{
	struct runtime_page *page = supervisor->files.runtime_page;

	supervisor->first = first;
	/* What a runtime before us knew of a poison event. */
	supervisor->policy = (struct policy){.retry = supervisor->retry,
					     .position = page->poison_position,
					     .quarters = 4 * page->poison_deaths,
					     .condemned = page->poison_condemned,
					     .timeout = page->poison_timeout};
	if (page->quarantined) {
		supervisor->state = SUPERVISOR_QUARANTINED;
		supervisor->quarantined(supervisor);
		return;
	}
	/* As a runtime before us left it. */
	if (page->idle && !first)
		supervisor_idle_begin(supervisor, page->idle_until_ns);
	else
		supervisor_start_process(supervisor);
}

int supervisor_resume(struct supervisor *supervisor)
{
	if (supervisor->state != SUPERVISOR_QUARANTINED)
		return -EINVAL;
	supervisor->files.runtime_page->quarantined = 0;
	supervisor_start(supervisor, false);
	return 0;
}

/* Whether it has to be started to drain. */
static bool stop_idle(struct supervisor *supervisor, uint32_t bound_ms)
{
	supervisor_idle_end(supervisor);
	supervisor->reported = !supervisor_idle_has_events(supervisor);
	return !supervisor->reported && bound_ms;
}

void supervisor_stop(struct supervisor *supervisor, uint32_t bound_ms)
{
	bool asked = false;

	end_turn(supervisor, true);
	/* A process without any of its functions puts aside what is in the ring. */
	if (supervisor->state == SUPERVISOR_QUARANTINED && bound_ms)
		supervisor_start_process(supervisor);
	if (supervisor->state == SUPERVISOR_IDLE && stop_idle(supervisor, bound_ms))
		supervisor_start_process(supervisor);
	if (!supervisor->pid) {
		end(supervisor);
		return;
	}
	/* A worker that still recovers reads the word when it is ready. */
	if (bound_ms && supervisor->control.fd >= 0)
		asked = send(supervisor->control.fd, "stop", 4, MSG_DONTWAIT | MSG_NOSIGNAL) == 4;
	supervisor->state = SUPERVISOR_STOPPING;
	supervisor->stop_bound_ms = bound_ms;
	supervisor->reason[0] = '\0';
	if (asked)
		loop_set(supervisor->loop, &supervisor->timer,
			 clock_monotonic_ns() + bound_ms * CLOCK_NS_PER_MS, on_too_slow);
	else
		process_kill(supervisor);
}

void supervisor_turn(struct supervisor *supervisor, uint32_t bound_ms)
{
	supervisor_stop(supervisor, bound_ms);
	supervisor->turning = supervisor->state == SUPERVISOR_STOPPING;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void supervisor_destroy(struct supervisor *supervisor)
{
	loop_unset(supervisor->loop, &supervisor->timer);
	if (supervisor->cgroup.limits)
		cgroup_remove(supervisor->name);
	cgroup_close(&supervisor->cgroup);
	process_close(supervisor);
	childlog_forget(&supervisor->output);
	supervisor_idle_end(supervisor);
	forget_piece(supervisor);
	programs_free(supervisor);
	run_files_close(&supervisor->files);
	copies_free(supervisor);
	close_fd(&supervisor->ring);
	close_fd(&supervisor->wake);
	close_fd(&supervisor->notify);
	close_fd(&supervisor->space);
	for (uint32_t i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		close_fd(&supervisor->verdict_maps[i]);
}
