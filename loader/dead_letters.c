// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dead_letters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "fault.h"
#include "pages.h"

#define LETTERS "dead-letters.jsonl"
#define DONE "dead-letters.done"
#define DONE_NEW DONE ".new"

/* ---- the courier's files ---- */

static int nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static void decode_event(struct dead_letter *letter)
{
	const json_t *event = json_object_get(letter->line, "event");
	const char *hex = json_string_value(event);
	size_t bytes = json_string_length(event) / 2;

	letter->data = calloc(1, sizeof(*letter->data));
	if (!letter->data || !hex || bytes > sizeof(*letter->data))
		return;
	for (size_t i = 0; i < bytes; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		((uint8_t *)letter->data)[i] = (uint8_t)(high << 4 | low);
	}
	letter->bytes = (uint32_t)bytes;
}

static int add_letter(struct dead_letters *letters, const char *text)
{
	struct dead_letter letter = {.line = json_loads(text, 0, NULL)};
	struct dead_letter *list;

	letter.id = json_string_value(json_object_get(letter.line, "id"));
	if (!letter.id) {
		/* Half a line: the courier was killed, and cuts it off when it goes on. */
		json_decref(letter.line);
		return 0;
	}
	list = realloc(letters->list, (letters->count + 1) * sizeof(*list));
	if (!list) {
		json_decref(letter.line);
		return -ENOMEM;
	}
	letters->list = list;
	decode_event(&letter);
	list[letters->count++] = letter;
	return 0;
}

/* Call for each line that ends. 0 or -errno. */
static int each_line(int directory, const char *name,
		     int (*call)(struct dead_letters *letters, const char *text),
		     struct dead_letters *letters)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *text = NULL;
	size_t room = 0;
	ssize_t chars;
	int error = 0;

	if (!file) {
		error = errno == ENOENT ? 0 : -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	while (!error && (chars = getline(&text, &room, file)) > 0)
		if (text[chars - 1] == '\n')
			error = call(letters, text);
	if (!error && ferror(file))
		error = -EIO;
	free(text);
	(void)fclose(file);
	return error;
}

/* ---- what became of them ---- */

struct dead_letter *dead_letters_find(struct dead_letters *letters, const char *id)
{
	for (size_t i = 0; i < letters->count; i++)
		if (!strcmp(letters->list[i].id, id))
			return &letters->list[i];
	return NULL;
}

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* A replay that was begun: the worker's counter says what came of it. */
static enum dead_letter_state settle(const struct dead_letter_clock *clock,
				     const struct dead_letter *letter)
{
	if (letter->log_id != clock->log_id || letter->boot_hash != clock->boot_hash)
		return DEAD_LETTER_UNSURE;
	return letter->replay <= clock->replayed ? DEAD_LETTER_GONE : DEAD_LETTER_KEPT;
}

static int add_done(struct dead_letters *letters, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	const char *id = json_string_value(json_object_get(line, "id"));
	const char *what = json_string_value(json_object_get(line, "what"));
	struct dead_letter *letter = id ? dead_letters_find(letters, id) : NULL;

	if (letter && what) {
		letter->state = DEAD_LETTER_GONE;
		if (!strcmp(what, DEAD_LETTER_FAILED)) {
			letter->state = DEAD_LETTER_KEPT;
			letter->replay = 0;
		}
		if (!strcmp(what, DEAD_LETTER_BEGUN)) {
			letter->log_id = number(line, "log_id");
			letter->boot_hash = number(line, "boot_hash");
			letter->replay = number(line, "replay");
			letter->state = settle(&letters->clock, letter);
		}
	}
	json_decref(line);
	return 0;
}

/* Behind what is there; half a line is ended first. */
static int append(int fd, const char *text)
{
	size_t bytes = strlen(text);
	struct stat info;
	char last = '\n';

	if (fstat(fd, &info))
		return -errno;
	if (info.st_size && pread(fd, &last, 1, info.st_size - 1) != 1)
		return -EIO;
	if (last != '\n' && write(fd, "\n", 1) != 1)
		return -EIO;
	if (write(fd, text, bytes) != (ssize_t)bytes)
		return errno ? -errno : -EIO;
	return fdatasync(fd) ? -errno : 0;
}

static int open_done(struct dead_letters *letters, const char *name)
{
	int fd = openat(letters->directory, name,
			O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

static int note(int fd, const struct dead_letter *letter, const char *what)
{
	json_t *line =
		json_pack("{s:s, s:s, s:I, s:I, s:I}", "id", letter->id, "what", what, "log_id",
			  (json_int_t)letter->log_id, "boot_hash", (json_int_t)letter->boot_hash,
			  "replay", (json_int_t)letter->replay);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL, *ended = NULL;
	int error = -ENOMEM;

	if (text && asprintf(&ended, "%s\n", text) > 0)
		error = append(fd, ended);
	free(ended);
	free(text);
	json_decref(line);
	return error;
}

int dead_letters_note(struct dead_letters *letters, struct dead_letter *letter, const char *what)
{
	bool begun = !strcmp(what, DEAD_LETTER_BEGUN);
	int error;

	if (letters->done < 0) {
		letters->done = open_done(letters, DONE);
		if (letters->done < 0)
			return letters->done;
		/* Its name, too, outlives the loss of power. */
		if (fsync(letters->directory))
			return -errno;
	}
	if (begun) {
		letter->log_id = letters->clock.log_id;
		letter->boot_hash = letters->clock.boot_hash;
		letter->replay = letters->clock.replayed + 1;
	}
	error = note(letters->done, letter, what);
	fault_point("deadletter.noted");
	if (error || begun)
		return error;
	letter->state = strcmp(what, DEAD_LETTER_FAILED) ? DEAD_LETTER_GONE : DEAD_LETTER_KEPT;
	letter->replay = 0;
	return error;
}

/* Lines about letters that are kept no longer: written anew without them once they are
 * most of it. */
static int compact(struct dead_letters *letters)
{
	size_t notes = 0, keep = 0;
	struct stat info;
	int error = 0;
	int fd;

	if (letters->done < 0 || fstat(letters->done, &info))
		return 0;
	for (size_t i = 0; i < letters->count; i++)
		keep += letters->list[i].state != DEAD_LETTER_KEPT;
	notes = (size_t)info.st_size / 128;
	if (notes < 1000 || notes < 4 * keep)
		return 0;
	(void)unlinkat(letters->directory, DONE_NEW, 0);
	fd = open_done(letters, DONE_NEW);
	if (fd < 0)
		return fd;
	for (size_t i = 0; !error && i < letters->count; i++)
		if (letters->list[i].state == DEAD_LETTER_GONE)
			error = note(fd, &letters->list[i], DEAD_LETTER_DROPPED);
		else if (letters->list[i].state == DEAD_LETTER_UNSURE)
			error = note(fd, &letters->list[i], DEAD_LETTER_BEGUN);
	if (!error &&
	    (fsync(fd) || renameat(letters->directory, DONE_NEW, letters->directory, DONE) ||
	     fsync(letters->directory)))
		error = -errno;
	close(letters->done);
	letters->done = fd;
	return error;
}

/* ---- the worker's counter ---- */

static int read_page(const char *workflow, const char *name, void *ret, size_t bytes)
{
	char path[FAAS_PATH_BYTES];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", FAAS_RUN_WORKFLOWS, workflow, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = pread(fd, ret, bytes, 0);
	close(fd);
	return got == (ssize_t)bytes ? 0 : -EINVAL;
}

int dead_letters_clock(const char *workflow, struct dead_letter_clock *ret)
{
	struct runtime_page runtime = {0};
	struct worker_page worker = {0};
	int error = read_page(workflow, "runtime.page", &runtime, sizeof(runtime));

	if (!error)
		error = read_page(workflow, "worker.page", &worker, sizeof(worker));
	if (error)
		return error;
	if (runtime.magic != RUNTIME_PAGE_MAGIC || runtime.version != PAGES_VERSION ||
	    worker.magic != WORKER_PAGE_MAGIC || worker.version != PAGES_VERSION)
		return -ESTALE;
	/* Nobody else replays while the letters are locked: the counter stands still. */
	*ret = (struct dead_letter_clock){
		.log_id = runtime.log_id,
		.boot_hash = runtime.ring_boot_hash,
		.replayed = worker.counters[worker.current & 1].replayed,
		.generation = runtime.generation,
		.is_running = runtime.worker_pid &&
			      (worker.state == WORKER_RUNNING || worker.state == WORKER_SLEEPING ||
			       worker.state == WORKER_RETRYING),
	};
	return 0;
}

int dead_letters_open(const char *workflow, struct dead_letters *ret, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	int error = 0;

	*ret = (struct dead_letters){.done = -1};
	snprintf(ret->workflow, sizeof(ret->workflow), "%s", workflow);
	snprintf(path, sizeof(path), "%s/%s", FAAS_STATE_WORKFLOWS, workflow);
	ret->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->directory < 0 && errno == ENOENT)
		return diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
				 "workflow %s is not loaded, and has left no dead letters",
				 workflow);
	if (ret->directory < 0 || flock(ret->directory, LOCK_EX))
		error = -errno;
	if (!error && dead_letters_clock(workflow, &ret->clock))
		ret->clock = (struct dead_letter_clock){0};
	if (!error)
		error = each_line(ret->directory, LETTERS ".1", add_letter, ret);
	if (!error)
		error = each_line(ret->directory, LETTERS, add_letter, ret);
	if (!error)
		error = each_line(ret->directory, DONE, add_done, ret);
	if (!error && !faccessat(ret->directory, DONE, F_OK, 0)) {
		ret->done = open_done(ret, DONE);
		error = ret->done < 0 ? ret->done : compact(ret);
	}
	if (!error)
		return 0;
	dead_letters_close(ret);
	return diag_fail(diags, error == -EACCES ? DIAG_PLATFORM : DIAG_FAILED,
			 error == -EACCES ? "run as root" : NULL, "the dead letters of %s: %s",
			 workflow, strerror(-error));
}

void dead_letters_close(struct dead_letters *letters)
{
	for (size_t i = 0; i < letters->count; i++) {
		json_decref(letters->list[i].line);
		free(letters->list[i].data);
	}
	free(letters->list);
	if (letters->done >= 0)
		close(letters->done);
	if (letters->directory >= 0)
		close(letters->directory);
	letters->list = NULL;
	letters->count = 0;
	letters->done = letters->directory = -1;
}
