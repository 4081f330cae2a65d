/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How ebpf-faas-program is started: with these file descriptors open and no others. */
#ifndef FAAS_POOL_PROGRAM_FDS_H
#define FAAS_POOL_PROGRAM_FDS_H

enum program_fd {
	/* 0 and 1 are the socket to the worker, 2 is the runtime's log. */
	PROGRAM_FD_MANIFEST = 3, /* the bundle's manifest.json */
	PROGRAM_FD_FILES = 4,	 /* its files for this function, an archive (ustar.h) */
	PROGRAM_FD_HOLDER = 5,	 /* pidfd of who holds the cell's namespaces (cell.h), if any */
	PROGRAM_FDS = 6,
};

#endif
