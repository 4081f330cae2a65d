// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "bench.h"

#define COMMAND_BYTES 2048

static volatile sig_atomic_t interrupted;

int kit_shell(const char *format, ...)
{
	char command[COMMAND_BYTES];
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (bytes < 0 || (size_t)bytes >= sizeof(command))
		bench_die("a command is too long: %s", command);
	return system(command);
}

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void kit_clean_with(void (*clean)(void))
{
	atexit(clean);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
}

void kit_look_for_signal(void)
{
	if (interrupted)
		exit(1);
}

void kit_enter_netns(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

void kit_quiet_libbpf(void)
{
	libbpf_set_print(print_nothing);
}

struct bpf_object *kit_open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object)
		bench_die("%s: %s", path, strerror(errno));
	return object;
}

struct bpf_object *kit_load_object(const char *path)
{
	struct bpf_object *object = kit_open_object(path);

	if (bpf_object__load(object))
		bench_die("%s: %s", path, strerror(errno));
	return object;
}

int kit_program_fd(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		bench_die("no program %s", name);
	return bpf_program__fd(program);
}

int kit_map_fd(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		bench_die("no map %s", name);
	return fd;
}

void kit_send_live(int generator, unsigned int ifindex, const struct frame *frame, uint32_t count,
		   uint32_t batch)
{
	struct xdp_md context = {.data_end = frame->bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->bytes, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch);

	if (bpf_prog_test_run_opts(generator, &options) || interrupted)
		bench_die("live frames: %s", interrupted ? "interrupted" : strerror(errno));
}

uint64_t kit_thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t kit_cpu_ns(pid_t pid)
{
	unsigned long long run_ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &run_ns) != 1)
		bench_die("%s: the process is gone", path);
	fclose(file);
	return run_ns;
}
