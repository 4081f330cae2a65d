// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Records of 256 B on stable storage, in batches: the durable log, with a worker's
 * io_uring and files, beside SQLite (WAL, synchronous=FULL) and LMDB, each with a
 * transaction for a batch, on one file system and in turns. And how long it takes to
 * read a million of them back after a restart.
 *
 * The log has four batches on their way at once, and counts what is acknowledged;
 * the two databases have one.
 */
#include "commit_durable.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/log/durable.h"
#include "userspace/pool/worker_disk.h"

#define RECORD_BYTES 256
#define ROUND_NS 300000000ull
#define RECOVERED 1000000u
#define LOG_ID 1
/* A small log is written over and over, as a workflow's is; the big one holds all
 * that is recovered before its half, where a snapshot would make it short. */
#define SMALL_BYTES (64ull << 20)
#define BIG_BYTES (1ull << 30)

static char directory[] = TEST_BUILD "/bench-durable-XXXXXX";

/* ---- the log --------------------------------------------------------------- */

struct log_side {
	struct waiter waiter;
	struct worker_disk disk;
	int fds[DISK_FILES];
	uint8_t *staging;
	struct durable_setup setup;
	struct log_writer log;
	struct durable durable;
	struct page_counters live;
	struct durable_place courier;
	uint64_t redone;
};

static int nothing_to_open(void *context)
{
	(void)context;
	return 0;
}

static int nothing_to_mend(void *context, uint32_t function, uint64_t begin, uint64_t end)
{
	(void)context;
	(void)function;
	(void)begin;
	(void)end;
	return 0;
}

static int redo(void *context, const struct log_record *record)
{
	struct log_side *side = context;

	side->redone += record->kind == LOG_EVENT;
	return 0;
}

static int make_file(uint64_t bytes)
{
	int fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 || (bytes && posix_fallocate(fd, 0, (off_t)bytes)))
		bench_die("%s: %s", directory, strerror(errno));
	return fd;
}

static uint64_t staging_bytes(void)
{
	return log_file_bytes(FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES);
}

static void log_open(struct log_side *side, uint64_t bytes)
{
	int err;

	memset(side, 0, sizeof(*side));
	side->staging = aligned_alloc(4096, staging_bytes());
	if (!side->staging)
		bench_die("out of memory");
	memset(side->staging, 0, staging_bytes());
	log_format(side->staging, FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES, LOG_ID, 1, 1);
	for (int i = 0; i < DISK_FILES; i++)
		side->fds[i] = make_file(i == DISK_LOG ? bytes + DURABLE_LOG_OFFSET : 0);
	err = waiter_open(&side->waiter, true);
	if (!err)
		err = worker_disk_open(&side->disk, &side->waiter, side->fds);
	side->setup = (struct durable_setup){
		.disk = &side->disk.disk,
		.staging = side->staging,
		.staging_bytes = staging_bytes(),
		.context = side,
		.loaded = nothing_to_open,
		.repair = nothing_to_mend,
		.redo = redo,
	};
	worker_disk_set_direct(&side->disk);
	if (!err)
		err = durable_format(&side->setup);
	if (!err)
		err = log_writer_open(&side->log, side->staging, staging_bytes(), 1, 0, 0, 0);
	if (!err)
		err = durable_start(&side->durable, &side->setup, &side->log, &side->live);
	if (err)
		bench_die("the durable log: %s", strerror(-err));
}

static void log_close(struct log_side *side)
{
	durable_end(&side->durable);
	waiter_close(&side->waiter);
	for (int i = 0; i < DISK_FILES; i++)
		(void)close(side->fds[i]);
	free(side->staging);
}

/* Take what completes; wait for it with @p wait. */
static void log_step(struct log_side *side, bool wait)
{
	if (wait && !waiter_has_written(&side->waiter) && waiter_wait(&side->waiter, -1))
		bench_die("io_uring: %s", strerror(errno));
	durable_step(&side->durable, &side->live, &side->courier, bench_now_ns());
	if (side->durable.error)
		bench_die("the durable log: %s", strerror(-side->durable.error));
	/* There is no courier: nothing waits for one. */
	side->courier.position = side->durable.acknowledged.log_position;
	side->courier.sequence = side->durable.acknowledged.sequence;
	log_set_tail(&side->log, side->courier.position);
	side->log.limit = durable_limit(&side->durable);
}

static void log_append(struct log_side *side, const void *payload, uint32_t batch)
{
	for (uint32_t i = 0; i < batch; i++) {
		void *body;

		while (log_begin(&side->log))
			log_step(side, true);
		body = log_output(&side->log, 0, RECORD_BYTES);
		if (!body)
			bench_die("a record does not fit");
		memcpy(body, payload, RECORD_BYTES);
		side->live.processed++;
		(void)log_commit(&side->log, LOG_EVENT, 0, 0, 0, side->live.processed, 0);
		side->live.sequence = side->log.sequence;
		side->live.log_position = side->log.head;
	}
	/* A group of its own for each batch. */
	while (side->durable.group_count == DURABLE_GROUPS)
		log_step(side, true);
	log_step(side, false);
}

static double log_round(struct log_side *side, const void *payload, uint32_t batch)
{
	uint64_t begin = bench_now_ns(), before = side->durable.acknowledged.processed;

	while (bench_now_ns() - begin < ROUND_NS)
		log_append(side, payload, batch);
	while (!durable_is_settled(&side->durable))
		log_step(side, true);
	return (double)(side->durable.acknowledged.processed - before) * 1e9 /
	       (double)(bench_now_ns() - begin);
}

/* ---- SQLite ---------------------------------------------------------------- */

struct sqlite_side {
	sqlite3 *database;
	sqlite3_stmt *insert;
};

static void sqlite_do(sqlite3 *database, const char *text)
{
	char *reason = NULL;

	if (sqlite3_exec(database, text, NULL, NULL, &reason) != SQLITE_OK)
		bench_die("SQLite: %s: %s", text, reason ? reason : "");
}

static void sqlite_begin(struct sqlite_side *side)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/sqlite", directory);
	if (sqlite3_open(path, &side->database) != SQLITE_OK)
		bench_die("SQLite: %s", path);
	sqlite_do(side->database, "PRAGMA journal_mode=WAL");
	sqlite_do(side->database, "PRAGMA synchronous=FULL");
	sqlite_do(side->database, "CREATE TABLE records (number INTEGER PRIMARY KEY, value BLOB)");
	if (sqlite3_prepare_v2(side->database, "INSERT INTO records (value) VALUES (?)", -1,
			       &side->insert, NULL) != SQLITE_OK)
		bench_die("SQLite: %s", sqlite3_errmsg(side->database));
}

static double sqlite_round(struct sqlite_side *side, const void *payload, uint32_t batch)
{
	uint64_t begin = bench_now_ns(), records = 0;

	while (bench_now_ns() - begin < ROUND_NS) {
		sqlite_do(side->database, "BEGIN");
		for (uint32_t i = 0; i < batch; i++) {
			sqlite3_bind_blob(side->insert, 1, payload, RECORD_BYTES, SQLITE_STATIC);
			if (sqlite3_step(side->insert) != SQLITE_DONE)
				bench_die("SQLite: %s", sqlite3_errmsg(side->database));
			sqlite3_reset(side->insert);
		}
		sqlite_do(side->database, "COMMIT");
		records += batch;
	}
	return (double)records * 1e9 / (double)(bench_now_ns() - begin);
}

static void sqlite_end(struct sqlite_side *side)
{
	sqlite3_finalize(side->insert);
	sqlite3_close(side->database);
}

/* ---- LMDB ------------------------------------------------------------------ */

struct lmdb_side {
	MDB_env *environment;
	MDB_dbi database;
	uint64_t next;
};

static void lmdb_check(int err)
{
	if (err)
		bench_die("LMDB: %s", mdb_strerror(err));
}

static void lmdb_begin(struct lmdb_side *side)
{
	MDB_txn *transaction;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/lmdb", directory);
	lmdb_check(mdb_env_create(&side->environment));
	lmdb_check(mdb_env_set_mapsize(side->environment, 4ull << 30));
	lmdb_check(mdb_env_open(side->environment, path, MDB_NOSUBDIR, 0600));
	lmdb_check(mdb_txn_begin(side->environment, NULL, 0, &transaction));
	lmdb_check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &side->database));
	lmdb_check(mdb_txn_commit(transaction));
	side->next = 0;
}

static void lmdb_batch(struct lmdb_side *side, const void *payload, uint32_t batch)
{
	MDB_val value = {.mv_size = RECORD_BYTES, .mv_data = (void *)payload};
	MDB_txn *transaction;

	lmdb_check(mdb_txn_begin(side->environment, NULL, 0, &transaction));
	for (uint32_t i = 0; i < batch; i++, side->next++) {
		MDB_val key = {.mv_size = sizeof(side->next), .mv_data = &side->next};

		lmdb_check(mdb_put(transaction, side->database, &key, &value, MDB_APPEND));
	}
	lmdb_check(mdb_txn_commit(transaction));
}

static double lmdb_round(struct lmdb_side *side, const void *payload, uint32_t batch)
{
	uint64_t begin = bench_now_ns(), before = side->next;

	while (bench_now_ns() - begin < ROUND_NS)
		lmdb_batch(side, payload, batch);
	return (double)(side->next - before) * 1e9 / (double)(bench_now_ns() - begin);
}

/* ---- recovery -------------------------------------------------------------- */

static double recover_log(struct log_side *side)
{
	struct durable_recovered found;
	uint64_t begin = bench_now_ns();
	int err;

	memset(side->staging, 0, staging_bytes());
	log_format(side->staging, FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES, LOG_ID, 1, 1);
	/* As a worker that succeeds one: what was on its way is not for this one to see. */
	waiter_close(&side->waiter);
	err = waiter_open(&side->waiter, true);
	if (!err)
		err = worker_disk_open(&side->disk, &side->waiter, side->fds);
	side->redone = 0;
	if (!err)
		err = durable_recover(&side->setup, &found);
	if (err || side->redone < RECOVERED)
		bench_die("recovery of the durable log: %llu records, %s",
			  (unsigned long long)side->redone, strerror(-err));
	return (double)(bench_now_ns() - begin) / 1e6;
}

static double recover_lmdb(struct lmdb_side *side)
{
	uint64_t begin = bench_now_ns(), records = 0, bytes = 0;
	MDB_txn *transaction;
	MDB_val key, value;
	MDB_cursor *cursor;
	char path[512];

	mdb_env_close(side->environment);
	(void)snprintf(path, sizeof(path), "%s/lmdb", directory);
	lmdb_check(mdb_env_create(&side->environment));
	lmdb_check(mdb_env_set_mapsize(side->environment, 4ull << 30));
	lmdb_check(mdb_env_open(side->environment, path, MDB_NOSUBDIR, 0600));
	lmdb_check(mdb_txn_begin(side->environment, NULL, MDB_RDONLY, &transaction));
	lmdb_check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &side->database));
	lmdb_check(mdb_cursor_open(transaction, side->database, &cursor));
	/* Every record is looked at, as the log does. */
	while (records < RECOVERED && !mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		const uint8_t *data = value.mv_data;

		for (size_t i = 0; i < value.mv_size; i += 64)
			bytes += data[i];
		records++;
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(transaction);
	if (records < RECOVERED || bytes == 1)
		bench_die("LMDB: %llu records", (unsigned long long)records);
	return (double)(bench_now_ns() - begin) / 1e6;
}

static bool recovery(const struct bench *bench, const void *payload)
{
	struct bench_series ours = {0}, peer = {0};
	struct log_side log_side;
	struct lmdb_side lmdb;

	log_open(&log_side, BIG_BYTES);
	while (log_side.live.processed < RECOVERED)
		log_append(&log_side, payload, 1024);
	while (!durable_is_settled(&log_side.durable))
		log_step(&log_side, true);
	lmdb_begin(&lmdb);
	while (lmdb.next < RECOVERED)
		lmdb_batch(&lmdb, payload, 1024);
	for (unsigned int i = 0; i < bench->rounds; i++) {
		bench_add(&ours, recover_log(&log_side));
		bench_add(&peer, recover_lmdb(&lmdb));
	}
	log_close(&log_side);
	mdb_env_close(lmdb.environment);
	return bench_figure(bench, "recovery",
			    "1,000,000 records of 256 B found, checked and redone from the log",
			    &ours, "LMDB: opened and read through", &peer, "ms", BENCH_AT_MOST, 1);
}

static void clean_up(void)
{
	static const char *const names[] = {"sqlite", "sqlite-wal", "sqlite-shm", "lmdb",
					    "lmdb-lock"};
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

static bool batches(const struct bench *bench, const void *payload, uint32_t batch, double goal)
{
	struct bench_series ours = {0}, sqlite_series = {0}, lmdb_series = {0};
	char name[64], text[128];
	struct sqlite_side sqlite;
	struct log_side log_side;
	struct lmdb_side lmdb;
	bool met;

	log_open(&log_side, SMALL_BYTES);
	sqlite_begin(&sqlite);
	lmdb_begin(&lmdb);
	for (unsigned int i = 0; i < bench->rounds; i++) {
		bench_add(&ours, log_round(&log_side, payload, batch));
		bench_add(&sqlite_series, sqlite_round(&sqlite, payload, batch));
		bench_add(&lmdb_series, lmdb_round(&lmdb, payload, batch));
	}
	log_close(&log_side);
	sqlite_end(&sqlite);
	mdb_env_close(lmdb.environment);
	clean_up();
	if (mkdir(directory, 0700) && errno != EEXIST)
		bench_die("%s: %s", directory, strerror(errno));
	(void)snprintf(name, sizeof(name), "durable_%u_sqlite", batch);
	(void)snprintf(text, sizeof(text), "durable log, 256 B records in batches of %u", batch);
	met = bench_figure(bench, name, text, &ours, "SQLite, WAL, synchronous=FULL",
			   &sqlite_series, "/s", BENCH_AT_LEAST, goal);
	(void)snprintf(name, sizeof(name), "durable_%u_lmdb", batch);
	return bench_figure(bench, name, text, &ours, "LMDB", &lmdb_series, "/s", BENCH_AT_LEAST,
			    4) &&
	       met;
}

bool commit_durable(const struct bench *bench)
{
	uint8_t payload[RECORD_BYTES];
	bool met;

	if (!mkdtemp(directory))
		bench_die("%s: %s", directory, strerror(errno));
	atexit(clean_up);
	memset(payload, 0x5a, sizeof(payload));
	met = batches(bench, payload, 1, 2);
	met &= batches(bench, payload, 32, 3);
	met &= batches(bench, payload, 256, 5);
	met &= recovery(bench, payload);
	return met;
}
