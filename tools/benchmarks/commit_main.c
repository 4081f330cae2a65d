// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench commit: what it costs to commit an event
 *
 * commit_memory.c has the part about state in memory, commit_durable.c that about the
 * disk.
 */
#include "bench.h"
#include "commit_durable.h"
#include "commit_memory.h"

int main(int argc, char **argv)
{
	struct bench bench = bench_options("commit", argc, argv);
	bool met = commit_durable(&bench);

	met &= commit_memory(&bench);
	return met ? 0 : 1;
}
