/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A workflow, checked and resolved: what `build` writes into a bundle's
 * manifest.json and what `load` and the runtime read back. A bundle is a
 * directory:
 *
 *   manifest.json      this structure, and the SHA-256 of every other file
 *   kernel.bpf.o       the fused program
 *   user/<instance>.so one shared object for each user function; user/<instance>.tar
 *                      the files of the program of an exec function
 *   data/<file>        what maps of kernel functions hold from the start
 *
 * Everything is referred to by index into the arrays below. Names of instances
 * are those of the YAML; "function" is the function in the library.
 */
#ifndef FAAS_BASE_BUNDLE_H
#define FAAS_BASE_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/layout.h>
#include <ebpf_faas/limits.h>

#include "diag.h"

#define BUNDLE_FORMAT 20
#define BUNDLE_MANIFEST "manifest.json"
#define BUNDLE_KERNEL_OBJECT "kernel.bpf.o"
#define BUNDLE_DIGEST_BYTES 65 /* SHA-256 in hexadecimal, NUL */
#define BUNDLE_DATA_PREFIX "data/"
#define BUNDLE_DATA_PATH_BYTES 96
#define BUNDLE_FILES_MAX (FAAS_USER_FUNCTIONS_MAX + 1 + FAAS_DATA_FILES_MAX)

enum bundle_hook { HOOK_XDP, HOOK_XDP_GENERIC, HOOK_TC_INGRESS, HOOK_TC_EGRESS };
/* MODE_OBSERVE: as copy, and no verdict is enforced: every packet passes. */
enum bundle_mode { MODE_COPY, MODE_TAKE, MODE_OBSERVE };

/* What a worker's waiting is to be good for; see userspace/pool/worker_wait.h. */
enum bundle_worker_class { WORKER_THROUGHPUT, WORKER_LATENCY, WORKER_ECONOMY };

/* Which trigger's events are shed last; see <ebpf_faas/shed.h>. */
enum bundle_importance { IMPORTANCE_NORMAL, IMPORTANCE_LOW, IMPORTANCE_HIGH };

enum bundle_target_kind {
	TARGET_KERNEL,	/* index: kernel function */
	TARGET_USER,	/* index: user function */
	TARGET_SINK,	/* index: sink */
	TARGET_VERDICT, /* index: enum bundle_verdict */
};

enum bundle_verdict { VERDICT_DROP, VERDICT_PASS, VERDICT_REPLY, VERDICT_REDIRECT };

enum bundle_param_type {
	PARAM_U32,
	PARAM_U64,
	PARAM_S64,
	PARAM_BOOL,	/* integer: 0, 1 */
	PARAM_DURATION, /* integer: nanoseconds */
	PARAM_BYTES,	/* integer: bytes */
	PARAM_DECIMAL,	/* integer: millionths */
	PARAM_F64,	/* real */
	PARAM_CHOICE,	/* integer: number of the word */
	PARAM_SET,	/* integer: bits of the words */
	PARAM_FILE, /* kernel tier; text: path as the workflow writes it, see bundle_map.contents */
	PARAM_TRIGGER, /* user tier only; integer: id of the trigger, 0: none */
	PARAM_LAYOUT,  /* user tier only; see bundle_function.layout */
};

enum bundle_key_part {
	KEY_SOURCE_ADDRESS,	 /* 16 bytes, IPv4 as ::ffff:a.b.c.d */
	KEY_DESTINATION_ADDRESS, /* 16 bytes */
	KEY_SOURCE_PORT,	 /* 2 bytes, network order */
	KEY_DESTINATION_PORT,	 /* 2 bytes, network order */
	KEY_VLAN,		 /* 2 bytes, network order */
	KEY_PROTOCOL,		 /* 1 byte */
};

struct bundle_param {
	char name[FAAS_IDENTIFIER_BYTES];
	enum bundle_param_type type;
	int64_t integer; /* u64 values keep their bits */
	double real;
	char text[FAAS_VALUE_BYTES]; /* as written, for people */
	/* Kernel functions: may be changed while the workflow runs (`ebpf-faas set`). The
	 * value is the first one then. */
	bool changeable;
	/* With changeable only: what `set` may give. As integer. */
	int64_t min, max;
};

struct bundle_field {
	char name[FAAS_IDENTIFIER_BYTES];
	enum faas_field_type type;
	char unit[FAAS_IDENTIFIER_BYTES];
};

struct bundle_target {
	enum bundle_target_kind kind;
	uint32_t index;
	/* Only in triggers and outputs of kernel functions, and only for
	 * TARGET_USER and TARGET_SINK: the entry number that the event carries.
	 * Elsewhere BUNDLE_NO_ENTRY. */
	uint32_t entry;
	uint32_t redirect; /* VERDICT_REDIRECT only: index in bundle.redirects */
};

#define BUNDLE_NO_ENTRY UINT32_MAX

struct bundle_output {
	char name[FAAS_IDENTIFIER_BYTES];
	uint32_t origin; /* faas_event.origin of events made by this output; unique in the workflow
			  */
	struct bundle_target targets[FAAS_OUTPUT_TARGETS_MAX];
	uint32_t target_count;
	struct bundle_field fields[FAAS_FIELDS_MAX]; /* user functions only */
	uint32_t field_count;
};

/* A state map of a kernel function. */
struct bundle_map {
	char map[FAAS_IDENTIFIER_BYTES];   /* as the source calls it */
	char name[FAAS_OBJECT_NAME_BYTES]; /* in the object, in bpffs and in bpftool; set by build
					    */
	uint32_t entries;		   /* 0: as the source defines it */
	/* What the map holds from the start, below the bundle's directory: lines
	 * "KEY" or "KEY VALUE"; "" without. */
	char contents[BUNDLE_DATA_PATH_BYTES];
	/* Its keys are struct faas_key and its values struct faas_verdict_entry, and
	 * verdicts of user functions are written there. One map of a function at most. */
	bool takes_verdicts;
};

#define BUNDLE_NO_FUNCTION UINT32_MAX

/* A verdict that a user function gives. */
struct bundle_verdict_to {
	char name[FAAS_IDENTIFIER_BYTES];
	uint32_t kernel; /* kernel function with a map that takes it; BUNDLE_NO_FUNCTION: nobody */
};

/* What the state of a function outlives. */
enum bundle_state_mode {
	STATE_NONE,
	STATE_MEMORY,  /* worker, courier and runtime */
	STATE_DURABLE, /* and the loss of power */
};

/* What a member of a state's type is. */
enum bundle_state_type {
	STATE_FIELD_UNSIGNED,
	STATE_FIELD_SIGNED,
	STATE_FIELD_FLOAT,
	STATE_FIELD_BOOL,
	STATE_FIELD_TEXT,  /* array of char; ends at the first NUL */
	STATE_FIELD_BYTES, /* anything else: unions, arrays of unsigned char */
};

struct bundle_state_dimension {
	uint32_t count;
	uint32_t stride; /* bytes from one to the next */
};

/* A member of a state's type that is not made of others. Its name is the path that leads
 * to it: "mean", "place.latitude", "buckets[].sum"; one dimension for each []. */
struct bundle_state_field {
	char name[FAAS_STATE_PATH_BYTES];
	enum bundle_state_type type;
	uint32_t offset;
	uint32_t bytes; /* of one */
	uint32_t bit;	/* bit-fields: the first bit of the bytes, least significant first */
	uint32_t bits;	/* 0: no bit-field */
	struct bundle_state_dimension dimensions[FAAS_STATE_DIMENSIONS_MAX];
	uint32_t dimension_count;
};

/* How long one call of a user function may take, for an event, a batch or a timer. */
#define BUNDLE_TIMEOUT_MIN_NS 1000000ull	     /* 1 ms */
#define BUNDLE_TIMEOUT_MAX_NS (3600 * 1000000000ull) /* 1 h */
#define BUNDLE_TIMEOUT_DEFAULT_NS 1000000000ull	     /* 1 s */

#define BUNDLE_RETRY_ATTEMPTS_MAX 100
#define BUNDLE_RETRY_ATTEMPTS_DEFAULT 3
#define BUNDLE_BACKOFF_MIN_NS 1000000ull	     /* 1 ms */
#define BUNDLE_BACKOFF_MAX_NS (3600 * 1000000000ull) /* 1 h */

/* The program of an exec function; see <ebpf_faas/exec.h>. */
struct bundle_exec {
	uint32_t argument_count; /* with the program's own name; 0: no exec function */
	char arguments[FAAS_EXEC_ARGUMENTS_MAX][FAAS_EXEC_ARGUMENT_BYTES];
	char root[FAAS_EXEC_ROOT_BYTES]; /* its root directory on the machine; "": what /usr has */
};

struct bundle_function {
	char instance[FAAS_NAME_BYTES];
	char function[FAAS_IDENTIFIER_BYTES];
	struct bundle_param params[FAAS_PARAMS_MAX];
	uint32_t param_count;
	struct bundle_output outputs[FAAS_OUTPUTS_MAX];
	uint32_t output_count;
	/* Kernel functions. */
	struct bundle_map maps[FAAS_STATE_MAPS_MAX];
	uint32_t map_count;
	/* Its outputs are counted, but where one leads to a verdict other than
	 * pass, the packet goes on as from the first output that leads elsewhere. */
	bool observe;
	/* Built as a function of its own, for inlining broke a limit of the
	 * verifier or the stack. Set by build. */
	bool separate;
	/* User functions. */
	struct bundle_exec exec;
	char file[64];	/* "user/<instance>.so", of an exec function "user/<instance>.tar" */
	bool has_state; /* declared by the function, and not switched off by "state: none" */
	enum bundle_state_mode state_mode; /* STATE_NONE without */
	uint32_t state_bytes;
	uint32_t state_version;
	uint32_t state_keys; /* most keys that the state may hold */
	bool has_timer;	     /* it has faas_on_timer */
	bool has_batch;	     /* it has faas_on_batch in the place of faas_on_event */
	struct bundle_verdict_to verdicts[FAAS_VERDICTS_MAX];
	uint32_t verdict_count;
	bool has_migrate;    /* it has faas_on_migrate */
	uint64_t timeout_ns; /* that one call may take; see BUNDLE_TIMEOUT_MIN_NS */
	/* Without debug information, none: the state is bytes. In order of their place. */
	struct bundle_state_field state_fields[FAAS_STATE_FIELDS_MAX];
	uint32_t state_field_count;
	char inputs[FAAS_INPUTS_MAX][FAAS_IDENTIFIER_BYTES];
	uint32_t input_count;
	struct faas_layout layout; /* value of its parameter of type layout */
	/* The key of its events: its own where it is entered from the kernel, else
	 * that of the functions before it. */
	enum bundle_key_part key[FAAS_KEY_PARTS_MAX];
	uint32_t key_count;
};

/* A way out of the kernel tier: what faas_event.entry means. */
#define BUNDLE_FROM_TRIGGER UINT32_MAX

struct bundle_entry {
	uint32_t kernel_function; /* index; BUNDLE_FROM_TRIGGER: a trigger leads here by itself */
	uint32_t output;	  /* index in it; of the trigger, if it is one */
	enum bundle_target_kind kind; /* TARGET_USER or TARGET_SINK */
	uint32_t index;
	enum bundle_key_part key[FAAS_KEY_PARTS_MAX];
	uint32_t key_count;
	uint32_t key_bytes; /* sum of the parts, not padded */
	uint32_t payload_bytes_max;
};

struct bundle_range {
	uint16_t first, last;
};

struct bundle_prefix {
	uint8_t address[16]; /* network order, IPv4 as ::ffff:a.b.c.d, zero behind the prefix */
	uint8_t bits;	     /* 0..128; IPv4: from 96 on */
};

/* A packet matches when it is in one element of each list that is not empty. */
struct bundle_match {
	bool any;	     /* `any: true`: no condition at all */
	bool has_protocol;   /* also with ports (UDP, TCP) and ICMP types (ICMP, ICMPv6) */
	uint8_t ip_protocol; /* 0..255 */
	bool either_port;    /* `port`: the ranges stand in destination_ranges, and a packet
				matches by its destination or by its source port */
	struct bundle_range destination_ranges[FAAS_TRIGGER_PORTS_MAX];
	uint32_t destination_range_count;
	struct bundle_range source_ranges[FAAS_TRIGGER_PORTS_MAX];
	uint32_t source_range_count;
	struct bundle_prefix destinations[FAAS_TRIGGER_PREFIXES_MAX];
	uint32_t destination_count;
	struct bundle_prefix sources[FAAS_TRIGGER_PREFIXES_MAX];
	uint32_t source_count;
	uint8_t icmp_types[FAAS_TRIGGER_VALUES_MAX]; /* ip_protocol says of which ICMP */
	uint32_t icmp_type_count;
	uint16_t ethertypes[FAAS_TRIGGER_VALUES_MAX];
	uint32_t ethertype_count;
	uint16_t vlans[FAAS_TRIGGER_VALUES_MAX]; /* 1..4094, outermost tag */
	uint32_t vlan_count;
};

#define BUNDLE_ANY_INTERFACE "any" /* every Ethernet interface there is when it is loaded */
#define BUNDLE_PRIORITY_MAX 1000   /* and -1000 at least */

struct bundle_trigger {
	char name[FAAS_NAME_BYTES];
	uint32_t id;	  /* bundle_trigger_id() of its name: the same in every version */
	int16_t priority; /* between triggers that are equally specific; more wins */
	/* Names, patterns (fnmatch), or the one word BUNDLE_ANY_INTERFACE. */
	char interfaces[FAAS_TRIGGER_INTERFACES_MAX][FAAS_INTERFACE_BYTES];
	uint32_t interface_count;
	enum bundle_hook hook;
	enum bundle_mode mode;
	enum bundle_importance importance; /* IMPORTANCE_NORMAL where nothing is shed */
	struct bundle_match match;
	/* As an output has them, without verdicts: at most one TARGET_KERNEL. */
	struct bundle_target targets[FAAS_TRIGGER_TARGETS_MAX];
	uint32_t target_count;
};

/* A trigger of time: calls faas_on_timer of a user function. */
#define BUNDLE_TIMER_MIN_NS 1000000ull		      /* 1 ms */
#define BUNDLE_TIMER_MAX_NS (366 * 86400000000000ull) /* 366 d */

struct bundle_timer {
	char name[FAAS_NAME_BYTES];
	uint32_t id; /* as that of a trigger, and apart from those */
	uint64_t every_ns;
	uint32_t function; /* user function, with has_timer */
};

/* `overload.deadline`. Workers of class economy look once a millisecond. */
#define BUNDLE_DEADLINE_MIN_NS 1000000ull	  /* 1 ms */
#define BUNDLE_DEADLINE_ECONOMY_MIN_NS 4000000ull /* 4 ms */
#define BUNDLE_DEADLINE_MAX_NS 10000000000ull	  /* 10 s */

/* What a new version must do to stay: `health` of the workflow. Any loss or ratio
 * is allowed that is not given. */
#define BUNDLE_RATIO_ONE 1000000
#define BUNDLE_HEALTH_MIN_NS 1000000000ull     /* 1 s */
#define BUNDLE_HEALTH_MAX_NS 86400000000000ull /* 1 d */

struct bundle_health {
	bool given;
	uint64_t for_ns;
	uint64_t max_lost;	     /* events and packets, within that time; UINT64_MAX: any */
	uint64_t max_drop_ratio_ppm; /* of matched packets, in millionths; BUNDLE_RATIO_ONE: any */
};

enum bundle_sink_kind { SINK_UDP, SINK_FILE };

struct bundle_sink {
	char name[FAAS_NAME_BYTES];
	enum bundle_sink_kind kind;
	/* udp: JSON object, one a datagram */
	char host[64]; /* numeric IPv4 or IPv6 address */
	uint16_t port;
	/* file: JSON lines */
	char path[FAAS_PATH_BYTES]; /* absolute */
	uint64_t rotate_bytes;	    /* 0: never */
	uint32_t keep;		    /* rotated files kept */
};

/* A field that the kernel functions of the workflow may set. Its index is the
 * bit in faas_event.fields_present and the position in the record. */
struct bundle_kernel_field {
	uint32_t kernel_function;
	struct bundle_field field;
};

struct bundle_file {
	char path[96]; /* below the bundle's directory */
	char sha256[BUNDLE_DIGEST_BYTES];
};

/* `limits`: 0 is none. What is allocated ahead is checked when the workflow is built. */
#define BUNDLE_OUTPUTS_MAX 1000000000ull
struct bundle_limits {
	uint64_t outputs_per_second; /* records that go to sinks; those above are not delivered */
	uint64_t state_bytes;	     /* of the tables of user functions, together */
	uint64_t disk_bytes;	     /* durable state, dead letters and files of sinks, together */
	uint32_t logs_per_second;    /* lines; 0: FAAS_LOG_LINES_PER_SECOND, see bundle_log_lines */
};

struct bundle {
	char name[FAAS_NAME_BYTES];
	char version[FAAS_VERSION_BYTES];
	bool on_failure_drop; /* packets while the workflow cannot run */
	/* Attempts of an event whose function fails; 0: not said, and one that returns an
	 * error has one. The time between two is doubled each time. */
	uint32_t retry_attempts;
	uint64_t retry_backoff_min_ns;
	uint64_t retry_backoff_max_ns;
	bool overload_drop; /* packets of which an event was lost or shed; else they go on */
	/* Events are shed so that those that are not are processed within this time; 0:
	 * nothing is shed, what has no room in the ring is lost. */
	uint64_t deadline_ns;
	uint32_t queue_events;
	enum bundle_worker_class worker_class;
	uint64_t worker_memory_bytes;
	uint32_t worker_cpu_percent; /* of one processor; 0: as much as there is */
	/* A worker with nothing to do for so long ends, until there is something; 0: never. */
	uint64_t worker_idle_ns;
	/* With durable state only: bytes of the log on the disk, 0 without; and whether
	 * the workflow goes on while that cannot be written. */
	uint64_t storage_bytes;
	bool storage_continue;
	struct bundle_health health;
	struct bundle_limits limits;
	char redirects[FAAS_REDIRECTS_MAX][FAAS_INTERFACE_BYTES];
	uint32_t redirect_count;
	struct bundle_trigger triggers[FAAS_TRIGGERS_MAX];
	uint32_t trigger_count;
	struct bundle_timer timers[FAAS_TIMERS_MAX];
	uint32_t timer_count;
	/* In topological order: every output leads to later functions only. */
	struct bundle_function kernel[FAAS_KERNEL_FUNCTIONS_MAX];
	uint32_t kernel_count;
	struct bundle_kernel_field kernel_fields[FAAS_RECORD_FIELDS_MAX];
	uint32_t kernel_field_count;
	struct bundle_function user[FAAS_USER_FUNCTIONS_MAX]; /* also in topological order */
	uint32_t user_count;
	struct bundle_entry entries[FAAS_ENTRIES_MAX];
	uint32_t entry_count;
	struct bundle_sink sinks[FAAS_SINKS_MAX];
	uint32_t sink_count;
	struct bundle_file files[BUNDLE_FILES_MAX];
	uint32_t file_count;
};

#define BUNDLE_TRIGGER_ID_MAX 0x7fff

/* 1..BUNDLE_TRIGGER_ID_MAX, made from the name of a trigger: an id keeps its meaning over versions
 * without anybody writing it down. */
uint16_t bundle_trigger_id(const char *name);

/* Whether anything of the workflow runs outside the kernel. */
static inline bool bundle_needs_runtime(const struct bundle *bundle)
{
	return bundle->entry_count > 0;
}

/* Lines that its functions together may write in a second. */
static inline uint32_t bundle_log_lines(const struct bundle *bundle)
{
	return bundle->limits.logs_per_second ? bundle->limits.logs_per_second
					      : FAAS_LOG_LINES_PER_SECOND;
}

/* The map of a kernel function that takes verdicts, NULL: it has none. */
static inline const struct bundle_map *bundle_verdict_map(const struct bundle_function *kernel)
{
	for (uint32_t i = 0; i < kernel->map_count; i++)
		if (kernel->maps[i].takes_verdicts)
			return &kernel->maps[i];
	return NULL;
}

/* Whether verdicts of user functions lead to kernel function @p kernel. */
bool bundle_gets_verdicts(const struct bundle *bundle, uint32_t kernel);

/* Whether there are files below data/. */
bool bundle_has_data(const struct bundle *bundle);

/* Whether the state of a function outlives the loss of power. */
bool bundle_is_durable(const struct bundle *bundle);

/* Bytes that a key part takes. */
uint32_t bundle_key_part_bytes(enum bundle_key_part part);

/* The words of the enums above, as the manifest and the YAML write them; NULL
 * past the end. */
const char *bundle_key_part_name(enum bundle_key_part part);
const char *bundle_field_type_name(enum faas_field_type type);
const char *bundle_param_type_name(enum bundle_param_type type);

/**
 * @brief Read and check a manifest.
 *
 * @param text   JSON, @p bytes long, at most FAAS_MANIFEST_BYTES_MAX.
 * @param place  File name for diagnostics.
 * @param ret    Filled on success only. Large: allocate it.
 * @return 0, or -1 with at least one diagnostic. Every index and count in *ret
 * is within its array.
 */
int bundle_parse(const char *text, size_t bytes, const char *place, struct bundle *ret,
		 struct diags *diags) __attribute__((warn_unused_result));

/**
 * The same, returns-owned: free(). Most of a bundle is arrays that most workflows leave
 * empty. Here no page of those is touched, which is half a millisecond of the start of a
 * worker. NULL with at least one diagnostic.
 */
struct bundle *bundle_new(const char *text, size_t bytes, const char *place, struct diags *diags)
	__attribute__((warn_unused_result));

/**
 * Whether the parts of a bundle fit each other: indices, order, back references,
 * names, ranges. 0, or -1 with at least one diagnostic. Expects every count to be
 * within its array, and every string to end.
 */
int bundle_check(const struct bundle *bundle, const char *place, struct diags *diags)
	__attribute__((warn_unused_result));

/* The manifest as JSON text. Returns-owned, free(); NULL only without memory. */
char *bundle_print(const struct bundle *bundle);

/**
 * Read DIRECTORY/manifest.json and compare the digest of every file named
 * there. A missing, additional or changed file is an error.
 */
int bundle_open(const char *directory, struct bundle *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Fill bundle->files with the digests of what lies in @p directory, then write
 * its manifest.json. */
int bundle_seal(const char *directory, struct bundle *bundle, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
