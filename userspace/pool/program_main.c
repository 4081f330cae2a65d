// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas-program UID FUNCTION MEMORY NAMESPACES: becomes the program of an exec function. Its
 * standard input and output are the socket to the worker, its standard error is the runtime's log;
 * PROGRAM_FD_* of program_fds.h are what it is made from. It says on the socket why it
 * does not get there, as the program itself would:
 *
 *   1. read the manifest
 *   2. its own root, read-only
 *   3. the cell's namespaces, but that of pids, which it began in, and that of mounts
 *   4. become the user, without capabilities; limits
 *   5. Landlock, system calls
 *   6. execve
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ebpf_faas/exec.h>

#include "bundle.h"
#include "userspace/pool/program_fds.h"
#include "userspace/pool/program_filter.h"
#include "userspace/pool/program_root.h"
#include "userspace/pool/worker_landlock.h"
#include "userspace/pool/worker_privilege.h"

#define FAILED 1
#define OPEN_FILES 64

static char *const environment[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin",
				    (char *)"HOME=" PROGRAM_DIRECTORY, (char *)"LANG=C.UTF-8",
				    (char *)"PYTHONDONTWRITEBYTECODE=1", NULL};

static int __attribute__((format(printf, 1, 2))) report(const char *format, ...)
{
	struct {
		struct faas_exec_head head;
		char text[256];
	} frame = {.head = {.kind = FAAS_EXEC_FAILED}};
	va_list arguments;
	int chars;

	va_start(arguments, format);
	chars = vsnprintf(frame.text, sizeof(frame.text), format, arguments);
	va_end(arguments);
	if (chars >= (int)sizeof(frame.text))
		chars = (int)sizeof(frame.text) - 1;
	frame.head.bytes =
		(uint32_t)(sizeof(frame.head) - sizeof(frame.head.bytes)) + (uint32_t)chars;
	(void)!write(STDOUT_FILENO, &frame, sizeof(frame.head) + (size_t)chars);
	(void)fprintf(stderr, "component=program event=failed reason=\"%s\"\n", frame.text);
	return FAILED;
}

static int read_manifest(struct bundle *ret)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	char *text = malloc(FAAS_MANIFEST_BYTES_MAX);
	ssize_t bytes = 0, got = 1;
	int status = 0;

	if (!diags || !text) {
		status = report("no memory");
		goto cleanup;
	}
	for (; got > 0 && bytes < FAAS_MANIFEST_BYTES_MAX; bytes += got) {
		got = pread(PROGRAM_FD_MANIFEST, text + bytes,
			    (size_t)(FAAS_MANIFEST_BYTES_MAX - bytes), bytes);
		if (got < 0) {
			status = report("the manifest cannot be read: %s", strerror(errno));
			goto cleanup;
		}
	}
	if (bundle_parse(text, (size_t)bytes, BUNDLE_MANIFEST, ret, diags))
		status = report("manifest: %s", diags->count ? diags->list[0].cause : "?");
cleanup:
	free(text);
	free(diags);
	return status;
}

static int limit(int resource, rlim_t most)
{
	const struct rlimit value = {.rlim_cur = most, .rlim_max = most};

	return setrlimit((__rlimit_resource_t)resource, &value) ? -errno : 0;
}

/* @p memory_bytes: 0 if a control group bounds it. */
static int set_limits(uint64_t memory_bytes)
{
	int err = limit(RLIMIT_NOFILE, OPEN_FILES);

	if (!err)
		err = limit(RLIMIT_NPROC, FAAS_EXEC_THREADS_MAX);
	if (!err)
		err = limit(RLIMIT_FSIZE, 0);
	if (!err && memory_bytes)
		err = privilege_limit_memory(memory_bytes);
	return err;
}

/* As the runtime's other processes it is ended by the runtime alone; its worker's end is
 * the end of its input, and of whoever still writes. */
static void set_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* That of users last: from then on nothing can be done to the others. The mounts stay those
 * of the machine's users. */
static int enter_cell(uint32_t namespaces)
{
	const int others = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if ((namespaces & others && setns(PROGRAM_FD_HOLDER, (int)namespaces & others)) ||
	    (namespaces & CLONE_NEWUSER && setns(PROGRAM_FD_HOLDER, CLONE_NEWUSER)))
		return report("namespaces: %s", strerror(errno));
	return 0;
}

static int confine(uint32_t uid, uint64_t memory_bytes, pid_t parent)
{
	const char *step = "";
	int err = privilege_drop(uid, &step);

	if (err)
		return report("privileges (%s): %s", step, strerror(-err));
	/* It dies with the runtime, which may have died before it could ask for that. In the
	 * cell nobody is its parent, but there all end with the runtime. */
	if (getppid() != parent)
		return FAILED;
	set_signals();
	err = set_limits(memory_bytes);
	if (err)
		return report("limits: %s", strerror(-err));
	err = landlock_read_only();
	if (err < 0)
		return report("landlock: %s", strerror(-err));
	err = program_filter_enter();
	return err ? report("system calls: %s", strerror(-err)) : 0;
}

/* Returns if it cannot be entered. */
static int enter(const struct bundle_exec *exec)
{
	char *arguments[FAAS_EXEC_ARGUMENTS_MAX + 1] = {NULL};

	for (uint32_t i = 0; i < exec->argument_count; i++)
		arguments[i] = (char *)exec->arguments[i];
	(void)execvpe(arguments[0], arguments, environment);
	return report("cannot start %s: %s (it sees %s%s as its root, and the `files` of the "
		      "workflow in %s)",
		      arguments[0], strerror(errno), exec->root,
		      exec->root[0] ? "" : "nothing but /usr", PROGRAM_DIRECTORY);
}

int main(int count, char **texts)
{
	static struct bundle manifest;
	struct bundle *bundle = &manifest;
	pid_t parent = getppid();
	const char *step = "";
	unsigned long uid, function, memory, namespaces;
	int status, err;

	if (count != 5) {
		(void)fprintf(stderr, "usage: ebpf-faas-program UID FUNCTION MEMORY NAMESPACES\n"
				      "The runtime starts it, with files open.\n");
		return FAILED;
	}
	uid = strtoul(texts[1], NULL, 10);
	function = strtoul(texts[2], NULL, 10);
	memory = strtoul(texts[3], NULL, 10);
	namespaces = strtoul(texts[4], NULL, 10);
	status = read_manifest(bundle);
	if (status)
		return status;
	if (function >= bundle->user_count || !bundle->user[function].exec.argument_count || !uid ||
	    uid > UINT32_MAX)
		return report("there is no such function");
	err = program_root_enter(bundle->user[function].exec.root, PROGRAM_FD_FILES, &step);
	if (err)
		return report("%s: %s", step, strerror(-err));
	status = enter_cell((uint32_t)namespaces);
	if (status)
		return status;
	if (close_range(PROGRAM_FD_MANIFEST, ~0U, 0))
		return report("files: %s", strerror(errno));
	status = confine((uint32_t)uid, memory, parent);
	return status ? status : enter(&bundle->user[function].exec);
}
