/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs that measure need beside figures: commands of a shell, network
 * namespaces, BPF objects and their parts, live frames, time on a CPU, and an end that
 * cleans up when a person interrupts.
 *
 * Everything ends the program on failure.
 */
#ifndef FAAS_BENCH_KIT_H
#define FAAS_BENCH_KIT_H

#include <stdint.h>
#include <sys/types.h>

#include <bpf/libbpf.h>

#include "frame.h"

/* Run a command of the shell. Returns what system() does: 0 when all went well. */
int kit_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Call @p clean when the program ends, also when it is interrupted or terminated: it then
 * ends at the next kit_look_for_signal() or kit_send_live(). */
void kit_clean_with(void (*clean)(void));
void kit_look_for_signal(void);

/* Go to a network namespace of `ip netns`. */
void kit_enter_netns(const char *name);

/* What libbpf says of its own accord is not for the person who measures. */
void kit_quiet_libbpf(void);

/* Returns owned. */
struct bpf_object *kit_open_object(const char *path);
/* The same, and load it. */
struct bpf_object *kit_load_object(const char *path);

/* Borrowed from the object. */
int kit_program_fd(struct bpf_object *object, const char *name);
int kit_map_fd(struct bpf_object *object, const char *name);

/* Have the program @p generator send @p count live frames, as if they came in on
 * @p ifindex. */
void kit_send_live(int generator, unsigned int ifindex, const struct frame *frame, uint32_t count,
		   uint32_t batch);

/* Time of this thread on its CPU: what runs beside it does not count. */
uint64_t kit_thread_cpu_ns(void);
/* Time of another thread or process on the CPU, by the scheduler. */
uint64_t kit_cpu_ns(pid_t pid);

#endif
