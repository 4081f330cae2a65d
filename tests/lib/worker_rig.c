// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "ringview.h"
#include "userspace/log/durable.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/state/state.h"

#define UID (FAAS_WORKER_UID_BASE + 4000)
#define ANSWER_MS 20000

static int complain(const char *what)
{
	(void)fprintf(stderr, "worker_rig: %s: %s\n", what, strerror(errno));
	return -1;
}

/* ---- files ----------------------------------------------------------------- */

static int make_file(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		return complain(name);
	return fd;
}

static int make_page(const char *name, uint64_t bytes, void **ret_mapping)
{
	int fd = make_file(name, bytes);

	if (fd < 0)
		return -1;
	*ret_mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *ret_mapping == MAP_FAILED ? complain(name) : fd;
}

/* A sealed memfd with the contents of a file. */
static int make_sealed(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create(path, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char block[65536];
	ssize_t got;

	if (from < 0 || fd < 0)
		return complain(path);
	while ((got = read(from, block, sizeof(block))) > 0)
		if (write(fd, block, (size_t)got) != got)
			return complain(path);
	(void)close(from);
	if (got < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return complain(path);
	return fd;
}

static int make_manifest(const struct bundle *bundle)
{
	char *text = bundle_print(bundle);
	int fd = make_file("manifest", 0);

	if (!text || fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return complain("manifest");
	free(text);
	return fd;
}

static int open_kernel(struct rig *rig)
{
	struct bpf_map *map;

	(void)libbpf_set_print(NULL);
	rig->object = bpf_object__open_file(TEST_BUILD "/tests/unit/pool/events.bpf.o", NULL);
	if (!rig->object)
		return complain("events.bpf.o");
	map = bpf_object__find_map_by_name(rig->object, "ring");
	if (!map || bpf_map__set_max_entries(map, rig->options.ring_bytes) ||
	    bpf_object__load(rig->object))
		return complain("events.bpf.o: load");
	rig->ring = bpf_map__fd(map);
	rig->wake = bpf_object__find_map_fd_by_name(rig->object, "wake");
	rig->program = bpf_program__fd(bpf_object__find_program_by_name(rig->object, "make_event"));
	rig->config = mmap(NULL, sizeof(*rig->config), PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_object__find_map_fd_by_name(rig->object, "config"), 0);
	rig->flags = mmap(NULL, sizeof(*rig->flags), PROT_READ, MAP_SHARED, rig->wake, 0);
	if (rig->config == MAP_FAILED || rig->flags == MAP_FAILED)
		return complain("config");
	rig->config->keys = 100;
	return 0;
}

static int open_files(struct rig *rig)
{
	void *mapping[4];

	rig->manifest = make_manifest(rig->bundle);
	rig->worker_page = make_page("worker.page", WORKER_PAGE_BYTES, &mapping[0]);
	rig->courier_page = make_page("courier.page", COURIER_PAGE_BYTES, &mapping[1]);
	rig->runtime_page = make_page("runtime.page", RUNTIME_PAGE_BYTES, &mapping[2]);
	rig->log_bytes = log_file_bytes(rig->options.log_segments, FAAS_LOG_SEGMENT_BYTES);
	rig->log = make_page("log", rig->log_bytes, &mapping[3]);
	rig->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->space = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rig->manifest < 0 || rig->worker_page < 0 || rig->courier_page < 0 ||
	    rig->runtime_page < 0 || rig->log < 0 || rig->notify < 0 || rig->space < 0)
		return -1;
	rig->page = mapping[0];
	rig->courier = mapping[1];
	rig->runtime = mapping[2];
	rig->log_mapping = mapping[3];
	for (uint32_t i = 0; i < rig->bundle->user_count; i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), TEST_BUILD "/tests/unit/pool/%s.so",
			       rig->bundle->user[i].function);
		rig->objects[i] = make_sealed(path);
		rig->states[i] = make_file("state", state_file_bytes(rig->bundle, i));
		if (rig->objects[i] < 0 || rig->states[i] < 0)
			return -1;
	}
	return 0;
}

/* Files without a name, on the file system of the build. */
static int open_disk(struct rig *rig)
{
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX] = {0};
	uint64_t bytes[DISK_FILES] = {0};

	for (uint32_t i = 0; i < rig->bundle->user_count; i++)
		state_durable_shape(rig->bundle, i, &images[i].shape);
	bytes[DISK_LOG] =
		durable_log_bytes(rig->bundle->storage_bytes,
				  (uint64_t)rig->options.log_segments * FAAS_LOG_SEGMENT_BYTES);
	bytes[DISK_SNAPSHOT_0] = bytes[DISK_SNAPSHOT_1] = durable_snapshot_bytes(images);
	bytes[DISK_DAMAGE] = DURABLE_DAMAGE_BYTES;
	for (int i = 0; i < DISK_FILES; i++) {
		rig->disk[i] = open(rig->options.durable ? TEST_BUILD : "/dev/null",
				    rig->options.durable ? O_RDWR | O_TMPFILE | O_CLOEXEC
							 : O_RDWR | O_CLOEXEC,
				    0600);
		if (rig->disk[i] < 0)
			return complain("disk");
		if (rig->options.durable && bytes[i] &&
		    posix_fallocate(rig->disk[i], 0, (off_t)bytes[i]))
			return complain("disk");
	}
	return 0;
}

int rig_open(struct rig *rig, const struct rig_options *options)
{
	struct ringview_info info;

	memset(rig, 0, sizeof(*rig));
	rig->control = -1;
	rig->options = *options;
	rig->options.ring_bytes = options->ring_bytes ? options->ring_bytes : 1 << 20;
	rig->options.log_segments =
		options->log_segments ? options->log_segments : FAAS_LOG_SEGMENTS;
	rig->options.state_keys = options->state_keys ? options->state_keys : 4096;
	rig->options.every = options->every ? options->every : 1;
	rig->options.user_count = options->user_count ? options->user_count : 1;
	rig->bundle = calloc(1, sizeof(*rig->bundle));
	rig->copy = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
	if (!rig->bundle || !rig->copy)
		return complain("memory");
	rig_make_bundle(rig->bundle, &rig->options);
	if (open_kernel(rig) || open_files(rig) || open_disk(rig) ||
	    ringview_identify(rig->ring, &info))
		return -1;

	rig->runtime->version = PAGES_VERSION;
	rig->runtime->ring_map_id = info.map_id;
	rig->runtime->ring_boot_hash = 0x626f6f74;
	rig->runtime->generation = 1;
	(void)!getrandom(&rig->runtime->log_id, sizeof(rig->runtime->log_id), 0);
	rig->runtime->magic = RUNTIME_PAGE_MAGIC;
	rig->courier->version = PAGES_VERSION;
	rig->courier->magic = COURIER_PAGE_MAGIC;
	return 0;
}

void rig_close(struct rig *rig)
{
	const int files[] = {rig->manifest, rig->worker_page, rig->courier_page, rig->runtime_page,
			     rig->log,	    rig->notify,      rig->space};

	(void)rig_kill(rig);
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)close(files[i]);
	for (int i = 0; i < DISK_FILES; i++)
		(void)close(rig->disk[i]);
	for (uint32_t i = 0; rig->bundle && i < rig->bundle->user_count; i++) {
		(void)close(rig->objects[i]);
		(void)close(rig->states[i]);
	}
	(void)munmap(rig->page, WORKER_PAGE_BYTES);
	(void)munmap(rig->courier, COURIER_PAGE_BYTES);
	(void)munmap(rig->runtime, RUNTIME_PAGE_BYTES);
	(void)munmap(rig->log_mapping, rig->log_bytes);
	(void)munmap(rig->config, sizeof(*rig->config));
	(void)munmap(rig->flags, sizeof(*rig->flags));
	bpf_object__close(rig->object);
	free(rig->bundle);
	free(rig->copy);
}

/* ---- the process ----------------------------------------------------------- */

/* In the child: put each file where worker_fds.h says. They are first moved out
 * of the way, for some may lie where others belong. */
static void place_files(const struct rig *rig, int control)
{
	int from[WORKER_FD_FUNCTIONS + 2 * FAAS_USER_FUNCTIONS_MAX];
	int count = WORKER_FD_FUNCTIONS;

	from[WORKER_FD_MANIFEST] = rig->manifest;
	from[WORKER_FD_RING] = rig->ring;
	from[WORKER_FD_WAKE] = rig->wake;
	from[WORKER_FD_WORKER_PAGE] = rig->worker_page;
	from[WORKER_FD_COURIER_PAGE] = rig->courier_page;
	from[WORKER_FD_RUNTIME_PAGE] = rig->runtime_page;
	from[WORKER_FD_LOG] = rig->log;
	from[WORKER_FD_NOTIFY] = rig->notify;
	from[WORKER_FD_SPACE] = rig->space;
	from[WORKER_FD_CONTROL] = control;
	for (int i = 0; i < DISK_FILES; i++)
		from[WORKER_FD_DISK + i] = rig->disk[i];
	for (uint32_t i = 0; i < rig->bundle->user_count; i++) {
		from[count++] = rig->objects[i];
		from[count++] = rig->states[i];
	}
	for (int i = WORKER_FD_MANIFEST; i < count; i++)
		from[i] = fcntl(from[i], F_DUPFD, 100);
	for (int i = WORKER_FD_MANIFEST; i < count; i++)
		if (dup2(from[i], i) < 0)
			_exit(99);
	(void)close_range((unsigned int)count, ~0U, 0);
}

int rig_spawn(struct rig *rig)
{
	char uid[16], fault[128];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return complain("socketpair");
	rig->runtime->incarnation++;
	(void)snprintf(uid, sizeof(uid), "%u", UID);
	(void)snprintf(fault, sizeof(fault), "EBPF_FAAS_FAULT=%s",
		       rig->options.fault ? rig->options.fault : "");
	rig->pid = fork();
	if (rig->pid < 0)
		return complain("fork");
	if (!rig->pid) {
		char *const texts[] = {"ebpf-faas-worker", uid, "0", "1", NULL};
		/* With sanitizers: the search for leaks needs a process more,
		 * which a worker may not have; anything else ends it. */
		char *const environment[] = {fault, "ASAN_OPTIONS=detect_leaks=0",
					     "UBSAN_OPTIONS=halt_on_error=1", NULL};
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, 0);
		(void)dup2(null, 1);
		if (rig->options.log)
			(void)dup2(rig->options.log, 2);
		else if (!getenv("RIG_VERBOSE"))
			(void)dup2(null, 2);
		place_files(rig, pair[1]);
		(void)execve(TEST_BUILD "/libexec/ebpf-faas-worker", texts, environment);
		_exit(98);
	}
	(void)close(pair[1]);
	rig->control = pair[0];
	return 0;
}

int rig_expect(struct rig *rig, const char *word, int timeout_ms)
{
	struct pollfd wait = {.fd = rig->control, .events = POLLIN};
	char message[WORKER_MESSAGE_BYTES_MAX + 1];
	ssize_t got;

	/* How it is confined comes before anything else. */
	do {
		if (poll(&wait, 1, timeout_ms) != 1) {
			(void)fprintf(stderr, "worker_rig: no \"%s\" in %d ms\n", word, timeout_ms);
			return -1;
		}
		got = recv(rig->control, message, sizeof(message) - 1, 0);
		message[got > 0 ? got : 0] = '\0';
	} while (!strncmp(message, "confined ", 9));
	if (!strcmp(message, word))
		return 0;
	(void)fprintf(stderr, "worker_rig: \"%s\" instead of \"%s\"\n", message, word);
	return -1;
}

int rig_start(struct rig *rig)
{
	if (rig_spawn(rig))
		return -1;
	return rig_expect(rig, "ready", ANSWER_MS);
}

static int reap(struct rig *rig)
{
	int status = -1;

	if (!rig->pid)
		return -1;
	(void)waitpid(rig->pid, &status, 0);
	rig->pid = 0;
	(void)close(rig->control);
	rig->control = -1;
	return status;
}

int rig_kill(struct rig *rig)
{
	if (rig->pid)
		(void)kill(rig->pid, SIGKILL);
	return reap(rig);
}

int rig_expect_end(struct rig *rig, int timeout_ms)
{
	struct pollfd wait = {.fd = rig->control, .events = POLLIN};
	char message[WORKER_MESSAGE_BYTES_MAX];

	while (poll(&wait, 1, timeout_ms) == 1)
		if (recv(rig->control, message, sizeof(message), MSG_DONTWAIT) <= 0)
			return 0;
	return -1;
}

int rig_wait(struct rig *rig)
{
	struct pollfd wait = {.fd = rig->control};

	/* Its end of the socket closes when it ends. */
	for (int i = 0; i < 100; i++) {
		char message[WORKER_MESSAGE_BYTES_MAX];

		wait.events = POLLIN;
		if (poll(&wait, 1, ANSWER_MS) != 1)
			return complain("the worker does not end");
		if (recv(rig->control, message, sizeof(message), 0) <= 0)
			return reap(rig);
	}
	return -1;
}

static int tell(struct rig *rig, const char *word)
{
	return send(rig->control, word, strlen(word), MSG_NOSIGNAL) < 0 ? complain(word) : 0;
}

int rig_drain(struct rig *rig)
{
	return tell(rig, "drain") || rig_expect(rig, "drained", ANSWER_MS) ? -1 : 0;
}

int rig_stop(struct rig *rig)
{
	int status;

	if (tell(rig, "stop") || rig_expect(rig, "stopped", ANSWER_MS))
		return -1;
	status = reap(rig);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

/* ---- events in, outputs out ------------------------------------------------ */

int rig_emit(struct rig *rig, uint32_t count)
{
	unsigned char frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)count);

	return bpf_prog_test_run_opts(rig->program, &run) ? complain("test run") : 0;
}

/* One record of sink 0 from `counter`: the counts of a key go up by one each,
 * and the numbers of the events only up. */
static void read_output(struct rig *rig, const uint8_t *body)
{
	const struct events_record *record = (const void *)body;
	const __u64 *fields = &record->field;
	struct rig_log *read = &rig->read;
	uint64_t key = record->key[1] % RIG_KEYS_MAX;

	read->outputs++;
	if (record->event.origin == RIG_ORIGIN_DECODER) {
		if (fields[1] > read->together)
			read->together = fields[1];
		read->disorder += fields[0] < read->next_decoded;
		read->next_decoded = fields[0] + 1;
	}
	if (record->event.origin != 1)
		return;
	if (fields[1] + 1 < read->last_number)
		read->repeated++;
	if (rig->options.copies <= 1 && fields[1] + 1 == read->last_number)
		read->repeated++;
	read->last_number = fields[1] + 1;
	if (fields[0] != read->counts[key] + rig->options.every &&
	    !(rig->options.copies > 1 && fields[0] == read->counts[key]))
		read->wrong++;
	read->counts[key] = fields[0];
}

static void move_cursor(struct rig *rig)
{
	const uint64_t one = 1;
	struct courier_page *page = rig->courier;
	uint32_t next = !page->current;

	page->cursors[next].log_position = rig->read.position;
	page->cursors[next].sequence = rig->read.sequence;
	page->cursors[next].synced_position = rig->read.position;
	page->cursors[next].synced_sequence = rig->read.sequence;
	__atomic_store_n(&page->current, next, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&rig->page->waiting, __ATOMIC_ACQUIRE))
		(void)!write(rig->space, &one, sizeof(one));
}

int rig_read(struct rig *rig)
{
	struct rig_log *read = &rig->read;
	const struct log_record *record = rig->copy;
	struct log_view view;

	if (log_view_open(rig->log_mapping, rig->log_bytes, &view))
		return 0; /* not laid out yet */
	for (;;) {
		const struct log_entry *entry;
		struct log_walk walk;
		const uint8_t *body;
		int64_t bytes;
		uint64_t next;

		/* With durable state, what is behind the head is not there yet. */
		if (rig->options.durable &&
		    read->position >= __atomic_load_n(&rig->page->head, __ATOMIC_ACQUIRE))
			break;
		if (read->position < rig->page->begin_position) {
			read->position = rig->page->begin_position;
			read->sequence = rig->page->begin_sequence;
		}
		bytes = log_read(&view, read->position, read->sequence + 1, rig->copy,
				 LOG_RECORD_BYTES_MAX, &next);
		if (bytes < 0)
			return complain("the log is damaged");
		if (!bytes)
			break;
		read->position = next;
		read->sequence++;
		if (read->sequence <= read->delivered)
			continue;
		read->delivered = read->sequence;
		read->events += record->kind == LOG_EVENT;
		read->timers += record->kind == LOG_TIMER;
		log_walk_begin(&walk, record);
		while ((entry = log_walk_next(&walk, &body))) {
			if (entry->kind == LOG_ENTRY_OUTPUT)
				read_output(rig, body);
			if (entry->kind == LOG_ENTRY_VERDICT &&
			    entry->bytes == sizeof(read->verdict)) {
				read->verdicts++;
				memcpy(&read->verdict, body, sizeof(read->verdict));
				read->verdict_of = (uint64_t)entry->function << 8 | entry->reason;
			}
			if (entry->kind == LOG_ENTRY_DEAD)
				read->dead[entry->reason % 8]++;
		}
	}
	move_cursor(rig);
	return 0;
}

int rig_reboot(struct rig *rig)
{
	(void)rig_kill(rig);
	memset(rig->page, 0, WORKER_PAGE_BYTES);
	memset(rig->courier, 0, COURIER_PAGE_BYTES);
	rig->courier->version = PAGES_VERSION;
	rig->courier->magic = COURIER_PAGE_MAGIC;
	memset(rig->log_mapping, 0, rig->log_bytes);
	for (uint32_t i = 0; i < rig->bundle->user_count; i++) {
		uint64_t bytes = state_file_bytes(rig->bundle, i);

		if (ftruncate(rig->states[i], 0) || ftruncate(rig->states[i], (off_t)bytes))
			return complain("state");
	}
	rig->read.position = rig->read.sequence = 0;
	rig->runtime->incarnation = 0;
	rig->runtime->ring_boot_hash++;
	return 0;
}

uint64_t rig_cpu_ns(const struct rig *rig)
{
	char path[64], text[128] = "";
	int file;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", rig->pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	(void)!read(file, text, sizeof(text) - 1);
	(void)close(file);
	return strtoull(text, NULL, 10);
}
