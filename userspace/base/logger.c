// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

static struct {
	char path[FAAS_PATH_BYTES]; /* "": standard error */
	int fd;
	size_t bytes;
} logger = {.fd = STDERR_FILENO};

static int open_file(const char *path, size_t *ret_bytes)
{
	struct stat status;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	*ret_bytes = fstat(fd, &status) ? 0 : (size_t)status.st_size;
	return fd;
}

int logger_open(const char *path)
{
	size_t bytes = 0;
	int fd;

	if (strlen(path) >= sizeof(logger.path))
		return -ENAMETOOLONG;
	fd = open_file(path, &bytes);
	if (fd < 0)
		return fd;
	if (logger.path[0])
		close(logger.fd);
	memcpy(logger.path, path, strlen(path) + 1);
	logger.fd = fd;
	logger.bytes = bytes;
	return 0;
}

bool logger_has_file(void)
{
	return logger.path[0];
}

/* A log that cannot turn over goes on in the file it has. */
static void turn_over(void)
{
	char old[FAAS_PATH_BYTES + 3];
	int fd;

	snprintf(old, sizeof(old), "%s.1", logger.path);
	if (rename(logger.path, old))
		return;
	fd = open_file(logger.path, &logger.bytes);
	if (fd < 0)
		return;
	close(logger.fd);
	logger.fd = fd;
}

static int put_time(char *line, size_t room)
{
	struct timespec now;
	struct tm parts;
	int used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	used = (int)strftime(line, room, "time=%Y-%m-%dT%H:%M:%S", &parts);
	return used + snprintf(line + used, room - (size_t)used, ".%06ldZ ", now.tv_nsec / 1000);
}

void logger_write(enum logger_level level, const char *event, const char *format, ...)
{
	static const char *const levels[] = {"error", "warning", "info"};
	char line[LOGGER_LINE_BYTES];
	int room = (int)sizeof(line) - 1;
	int saved = errno;
	int used = 0;
	va_list arguments;

	if (logger.path[0])
		used = put_time(line, (size_t)room);
	used += snprintf(line + used, (size_t)(room - used), "level=%s event=%s%s", levels[level],
			 event, format[0] ? " " : "");
	if (used < room) {
		va_start(arguments, format);
		used += vsnprintf(line + used, (size_t)(room - used), format, arguments);
		va_end(arguments);
	}
	if (used > room - 1)
		used = room - 1;
	line[used++] = '\n';
	if (logger.path[0] && logger.bytes + (size_t)used > LOGGER_FILE_BYTES_MAX)
		turn_over();
	/* Nobody is left to tell of a log that does not take its line. */
	if (write(logger.fd, line, (size_t)used) > 0)
		logger.bytes += (size_t)used;
	errno = saved;
}

const char *logger_quote(char *buffer, size_t room, const char *text)
{
	size_t used = 0;

	if (room < 3)
		return "";
	buffer[used++] = '"';
	/* Room for the longest escape, the closing quote and the end. */
	for (; *text && used + 6 <= room; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\') {
			buffer[used++] = '\\';
			buffer[used++] = (char)byte;
		} else if (byte < 0x20 || byte == 0x7f) {
			used += (size_t)snprintf(buffer + used, 5, "\\x%02x", byte);
		} else {
			buffer[used++] = (char)byte;
		}
	}
	buffer[used++] = '"';
	buffer[used] = '\0';
	return buffer;
}
