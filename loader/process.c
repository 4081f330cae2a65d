// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where one stream of the child goes. */
struct capture {
	int fd; /* read end, -1 at its end */
	char *text;
	size_t bytes;
	size_t used;
};

static void capture_some(struct capture *capture)
{
	char discard[4096];
	bool keep = capture->text && capture->used + 1 < capture->bytes;
	char *to = keep ? capture->text + capture->used : discard;
	size_t room = keep ? capture->bytes - 1 - capture->used : sizeof(discard);
	ssize_t got = read(capture->fd, to, room);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close(capture->fd);
		capture->fd = -1;
		return;
	}
	if (keep)
		capture->used += (size_t)got;
}

static void child(const char *const argv[], int out, int err, int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int error;

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)argv);
	error = errno;
	if (write(report, &error, sizeof(error)) != sizeof(error))
		_exit(127);
	_exit(127);
}

int process_run(const char *const argv[], char *out, size_t out_bytes, char *err, size_t err_bytes)
{
	int out_pipe[2] = {-1, -1}, err_pipe[2] = {-1, -1}, report[2] = {-1, -1};
	struct capture captures[2] = {{-1, out, out_bytes, 0}, {-1, err, err_bytes, 0}};
	int status = 0, error = 0, result;
	pid_t pid = -1;

	if (pipe2(out_pipe, O_CLOEXEC) || pipe2(err_pipe, O_CLOEXEC) || pipe2(report, O_CLOEXEC)) {
		result = -errno;
		goto cleanup;
	}
	pid = fork();
	if (pid < 0) {
		result = -errno;
		goto cleanup;
	}
	if (!pid)
		child(argv, out_pipe[1], err_pipe[1], report[1]);
	close(out_pipe[1]);
	close(err_pipe[1]);
	close(report[1]);
	out_pipe[1] = err_pipe[1] = report[1] = -1;
	captures[0].fd = out_pipe[0];
	captures[1].fd = err_pipe[0];
	out_pipe[0] = err_pipe[0] = -1;
	while (captures[0].fd >= 0 || captures[1].fd >= 0) {
		struct pollfd polled[2] = {{captures[0].fd, POLLIN, 0},
					   {captures[1].fd, POLLIN, 0}};

		if (poll(polled, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (captures[i].fd >= 0 && polled[i].revents)
				capture_some(&captures[i]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (read(report[0], &error, sizeof(error)) == sizeof(error))
		result = -error;
	else
		result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
cleanup:
	for (int i = 0; i < 2; i++) {
		if (out_pipe[i] >= 0)
			close(out_pipe[i]);
		if (err_pipe[i] >= 0)
			close(err_pipe[i]);
		if (report[i] >= 0)
			close(report[i]);
		if (captures[i].text && captures[i].bytes)
			captures[i].text[captures[i].used] = '\0';
	}
	return result;
}
