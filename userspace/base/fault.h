/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fault points: places where a test build kills its own process, as SIGKILL
 * from outside would at that instruction. Built with FAAS_FAULTS only; the
 * environment then says EBPF_FAAS_FAULT="NAME:N", the Nth pass of NAME in this
 * process; or up to four of them, with commas between. "NAME:N:stop" stops it there, for a
 * test to do something meanwhile.
 *
 *   commit.before_write    an event was computed, nothing of its record stands
 *   commit.before_header   its entries stand, its header does not
 *   commit.after_write     the record counts; state, ring and counters know nothing of it
 *   batch.inside           behind an event that is not the last of its batch
 *   state.half_copied      half a value copied into the table
 *   state.half_inserted    key and value of a new slot written, its mark not
 *   counters.before_flip   the counters of a batch are made, not yet current
 *   counters.after_flip    they are, and the ring has not advanced
 *   sweep.inside           behind a key that a trigger of time called
 *   recover.inside         behind a record that was redone
 *   durable.before_taken_up everything stands in memory as the disk has it, and does not count yet
 *   durable.snapshot_named a superblock names a new snapshot, the counters are older
 *   recover.new_ring       the log names a new ring, the counters not yet
 *   import.before_commit, import.after_commit, import.inside   states that are put in
 *   idle.leaving           a worker with nothing to do ends, and has not looked at its ring again
 *   idle.armed             the runtime waits for that ring, and nobody would wake it yet
 *   idle.flagged           producers would, and it has not looked at the ring itself
 *   idle.log_noted         the log's memory is about to be given back
 *   idle.log_rest          a worker is at work, and not all of that is there again
 *   migrate.*, migration.*  tables of states that take the place of others
 *
 * Those of the command are called after it and what was done last, e.g.
 * settle.switched; tests/crash/loader_kill_test.sh goes through all it finds in loader/.
 */
#ifndef FAAS_BASE_FAULT_H
#define FAAS_BASE_FAULT_H

#ifdef FAAS_FAULTS
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif

#endif
