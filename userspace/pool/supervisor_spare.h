/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runtime's side of spares (cell.h): one is there while there is a cell, so that the next
 * worker does not have to be made first. Another one is made a moment after it became a worker.
 */
#ifndef FAAS_POOL_SUPERVISOR_SPARE_H
#define FAAS_POOL_SUPERVISOR_SPARE_H

#include "userspace/pool/supervisor_cell.h"

/* There is a template, and no spare: soon there is one. */
void spare_soon(struct cell *cell);

#endif
