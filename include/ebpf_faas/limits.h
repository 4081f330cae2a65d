/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every maximum of the project, in one place. Both tiers and the loader include
 * it; a value that two of them share is asserted where it is used.
 */
#ifndef EBPF_FAAS_LIMITS_H
#define EBPF_FAAS_LIMITS_H

/* Names. The byte counts include the terminating NUL. */
#define FAAS_NAME_BYTES 33 /* workflow, trigger, instance, sink: [a-z][a-z0-9-]*, 32 characters */
#define FAAS_IDENTIFIER_BYTES 33 /* function, parameter, output, field: a C identifier */
#define FAAS_VERSION_BYTES 65	 /* the author's label */
#define FAAS_INTERFACE_BYTES 16	 /* IFNAMSIZ */
#define FAAS_DOC_BYTES 257
#define FAAS_VALUE_BYTES 257 /* a parameter's value as text */
#define FAAS_PATH_BYTES 1024
#define FAAS_OBJECT_NAME_BYTES 16 /* BPF_OBJ_NAME_LEN */

/* A host. */
#define FAAS_SLOTS_MAX 16384 /* loaded workflows; slot 0 means "none" */
#define FAAS_PORTS 65536

/* The trigger tables of one interface and hook. */
#define FAAS_RULES_MAX 8192	 /* rules with conditions beyond the place they stand at */
#define FAAS_CANDIDATES_MAX 8	 /* rules tried for one packet at one place */
#define FAAS_PREFIXES_MAX 131072 /* prefixes of addresses, each direction */
#define FAAS_ETHERTYPES_MAX 256

/* A workflow. */
#define FAAS_TRIGGERS_MAX 16
#define FAAS_TIMERS_MAX 16 /* triggers of time */
#define FAAS_TRIGGER_INTERFACES_MAX 16
#define FAAS_TRIGGER_PORTS_MAX 64    /* ports and port ranges of one trigger, each direction */
#define FAAS_TRIGGER_PREFIXES_MAX 64 /* prefixes of one trigger, each direction */
#define FAAS_TRIGGER_VALUES_MAX 16   /* VLANs, EtherTypes, ICMP types of one trigger, each */
#define FAAS_TRIGGER_RULES_MAX 1024  /* combinations of them */
#define FAAS_TRIGGER_TARGETS_MAX 8
#define FAAS_REDIRECTS_MAX 8   /* interfaces that outputs of a workflow redirect to */
#define FAAS_DATA_FILES_MAX 32 /* files that fill maps of a workflow's kernel functions */
#define FAAS_DATA_FILE_BYTES_MAX (64 << 20)
#define FAAS_KERNEL_FUNCTIONS_MAX 32
#define FAAS_USER_FUNCTIONS_MAX 16
#define FAAS_SINKS_MAX 16
#define FAAS_SINK_KEEP_MAX 1000 /* rotated files of one file sink */
#define FAAS_ENTRIES_MAX 64	/* ways out of the kernel tier: (output, target) pairs */
#define FAAS_ORIGINS_MAX 256	/* outputs of all functions of a workflow */

/* A function. */
#define FAAS_PARAMS_MAX 32
#define FAAS_OUTPUTS_MAX 8
#define FAAS_OUTPUT_TARGETS_MAX 8
#define FAAS_CHOICES_MAX 16
#define FAAS_FIELDS_MAX 8 /* fields of one output of a user function */
#define FAAS_INPUTS_MAX 8 /* fields that a user function asks for */
#define FAAS_STATE_MAPS_MAX 8

/* An event. */
#define FAAS_KEY_PARTS_MAX 4
#define FAAS_KEY_BYTES_MAX 40	    /* two addresses and two ports fit, padded to 8 */
#define FAAS_RECORD_FIELDS_MAX 8    /* fields that a workflow's kernel functions set, together */
#define FAAS_EVENT_PAYLOAD_MAX 3072 /* bytes of payload kept; a longer one is cut and flagged */
#define FAAS_EVENT_BYTES_MAX 4096

/* The handoff. */
#define FAAS_SHARDS 256
#define FAAS_INSTANCES_MAX 16
#define FAAS_QUEUE_EVENTS_DEFAULT 4096
/* What a worker may have: memory of its own, and percent of one processor. */
#define FAAS_WORKER_MEMORY_MIN (8ull << 20)
#define FAAS_WORKER_MEMORY_MAX (64ull << 30)
#define FAAS_WORKER_MEMORY_DEFAULT (64ull << 20)
#define FAAS_WORKER_CPU_PERCENT_MAX 6400
/* How long it has nothing to do before it ends. */
#define FAAS_WORKER_IDLE_NS_MIN 100000000ll
#define FAAS_WORKER_IDLE_NS_MAX (24ll * 3600 * 1000000000)
#define FAAS_WORKER_IDLE_NS_DEFAULT 10000000000ull
#define FAAS_QUEUE_EVENTS_MIN 16
#define FAAS_QUEUE_EVENTS_MAX (1 << 20)
#define FAAS_QUEUE_EVENT_BYTES                                                                     \
	256 /* a queue of N events is a ring of N times this, rounded up to 2^k */
#define FAAS_ACTIVATION_RING_BYTES 65536 /* the ring of a workflow that is idle */

/* User functions. */
#define FAAS_STATE_BYTES_MAX 4096
#define FAAS_STATE_KEYS_DEFAULT 16384
#define FAAS_STATE_KEYS_MAX (1 << 22)
#define FAAS_LOG_LINE_BYTES 160 /* of text in a line of faas_log */
/* Lines that the functions of a workflow may write, where `limits.logs` says nothing. */
#define FAAS_LOG_LINES_PER_SECOND 50
#define FAAS_LOG_LINES_PER_SECOND_MAX 10000
/* Members of a state's type that are known by name; with more, none is. */
#define FAAS_STATE_FIELDS_MAX 64
#define FAAS_STATE_PATH_BYTES 64
#define FAAS_STATE_DIMENSIONS_MAX 3
#define FAAS_VERDICTS_MAX 4	  /* that a function declares */
#define FAAS_VERDICTS_EVENT_MAX 8 /* that one event may give, over all functions it passes */
#define FAAS_BATCH_MAX 32	  /* events of one call of faas_on_batch */
#define FAAS_EMITS_MAX 16 /* records that one event may emit, over all functions it passes */

/* Programs of exec functions. */
#define FAAS_EXEC_ARGUMENTS_MAX 16
#define FAAS_EXEC_ARGUMENT_BYTES 128
#define FAAS_EXEC_ROOT_BYTES 256
#define FAAS_EXEC_FILES_MAX 32
#define FAAS_EXEC_FILE_BYTES 64		 /* a file's name */
#define FAAS_EXEC_FILES_BYTES (16 << 20) /* all of them */
#define FAAS_EXEC_THREADS_MAX 256	 /* of the programs of one workflow */

/* The log of one worker: segments of one preallocated file. */
#define FAAS_LOG_SEGMENT_BYTES (1 << 20)
#define FAAS_LOG_SEGMENTS 8

/* The log on the disk of a workflow with durable state; twice the one in memory is
 * the least. */
#define FAAS_STORAGE_BYTES_DEFAULT (64ull << 20)
#define FAAS_STORAGE_BYTES_MIN (16ull << 20)
#define FAAS_STORAGE_BYTES_MAX (64ull << 30)

/* Worker user ids: one for each workflow, by slot. In the range that no
 * distribution hands out (see systemd's "Users, Groups, UIDs and GIDs"). */
#define FAAS_WORKER_UID_BASE 2000000000u
/* And of the programs of its exec functions: no right over the worker, and none of its
 * over them. */
#define FAAS_PROGRAM_UID_BASE (FAAS_WORKER_UID_BASE + 0x10000u)

#define FAAS_DRAIN_MS 5000
#define FAAS_CONTROL_MESSAGE_BYTES_MAX 65536
#define FAAS_MANIFEST_BYTES_MAX (1 << 20)

#endif
