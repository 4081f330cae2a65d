// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rsyslog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "tier.h"

#define PROGRAM "/usr/sbin/rsyslogd"
#define PATH_BYTES 128

/*
 * One line a message, as it came. What costs time and is of no use here is off: names of
 * hosts, parsing beyond the raw message, limits on how fast messages may come. A batch is
 * one transaction: written by few calls and synced once or twice, so it is a large one.
 */
static const char configuration[] =
	"global(workDirectory=\"%s\" net.enableDNS=\"off\"\n"
	"       parser.escapeControlCharactersOnReceive=\"off\")\n"
	"module(load=\"imudp\" threads=\"2\" batchSize=\"256\" timeRequery=\"64\")\n"
	"template(name=\"raw\" type=\"string\" string=\"%%rawmsg%%\\n\")\n"
	"ruleset(name=\"flood\" queue.type=\"FixedArray\" queue.size=\"200000\"\n"
	"        queue.dequeueBatchSize=\"8192\" queue.workerThreads=\"1\") {\n"
	"  action(type=\"omfile\" file=\"%s/log\" template=\"raw\" sync=\"on\"\n"
	"         ioBufferSize=\"2m\" flushOnTXEnd=\"on\" asyncWriting=\"off\")\n"
	"}\n"
	"input(type=\"imudp\" port=\"%u\" ruleset=\"flood\" rcvbufSize=\"32m\")\n";

static char directory[] = "/var/lib/ebpf-faas-bench-XXXXXX";
static char log_path[PATH_BYTES];
static uint32_t line;

static void clean_up(void)
{
	static const char *const names[] = {"log", "conf", "output"};
	char path[PATH_BYTES];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

static void make_directory(const char *state)
{
	struct stat ours, peers;

	if (!mkdtemp(directory))
		bench_die("%s: %s", directory, strerror(errno));
	atexit(clean_up);
	if (stat(state, &ours) || stat(directory, &peers))
		bench_die("%s: %s", state, strerror(errno));
	if (ours.st_dev != peers.st_dev)
		bench_die("%s and %s are not on one file system", state, directory);
}

static void configure(const char *path, uint16_t port)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, configuration, directory, directory, port) < 0 || fclose(file))
		bench_die("%s: %s", path, strerror(errno));
}

static void run(const char *config)
{
	char output[PATH_BYTES];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(output, sizeof(output), "%s/output", directory);
	fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
	tier_enter_gateway();
	execl(PROGRAM, PROGRAM, "-n", "-f", config, "-i", "NONE", NULL);
	_exit(127);
}

void rsyslog_start(const char *state, uint16_t port, uint32_t line_bytes)
{
	char config[PATH_BYTES];
	pid_t pid;

	make_directory(state);
	line = line_bytes;
	(void)snprintf(log_path, sizeof(log_path), "%s/log", directory);
	(void)snprintf(config, sizeof(config), "%s/conf", directory);
	configure(config, port);
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (!pid) {
		tier_disown();
		run(config);
	}
	tier_own_process(pid);
}

uint64_t rsyslog_written(const void *unused)
{
	struct stat file;

	(void)unused;
	return stat(log_path, &file) ? 0 : (uint64_t)file.st_size / line;
}

void rsyslog_empty(void)
{
	if (truncate(log_path, 0))
		bench_die("%s: %s", log_path, strerror(errno));
}
