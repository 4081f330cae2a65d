/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands in bpffs and under /run, by name: the interface between loader,
 * runtime and anybody with bpftool. Names of BPF objects have at most 15
 * characters.
 *
 *   /sys/fs/bpf/ebpf-faas/
 *     slots                    prog array: slot -> fused workflow program (XDP)
 *     slot_counters            per-CPU array: slot -> struct faas_slot_counters
 *     registry                 array: slot -> struct faas_registry_entry
 *     packet                   per-CPU array: the packet, from root program to workflow program
 *     barrier                  array of maps, one entry: updating it waits for running programs
 *     <netns inode>/<ifindex>/
 *       link, root             the root program of this interface and its link
 *       ports                  array: port -> struct faas_port_entry
 *       counters               per-CPU array, one entry: struct faas_root_counters
 *     workflows/<name>/
 *       program                fused program of the running generation
 *       meters                 per-CPU array, one entry: struct faas_meters, then one
 *                              struct faas_function_meters for each kernel function
 *       route                  array, mmapable: shard -> instance
 *       rings                  array of maps: instance -> ring
 *       wake                   array, mmapable: instance -> worker sleeps
 *       ring0                  BPF ring buffer of instance 0
 *       <instance>_<map>       state of kernel functions
 */
#ifndef EBPF_FAAS_PINS_H
#define EBPF_FAAS_PINS_H

#include <linux/types.h>

#include <ebpf_faas/limits.h>

#define FAAS_BPFFS "/sys/fs/bpf"
#define FAAS_PIN_ROOT FAAS_BPFFS "/ebpf-faas"
#define FAAS_PIN_WORKFLOWS FAAS_PIN_ROOT "/workflows"
#define FAAS_PIN_SLOTS "slots"
#define FAAS_PIN_SLOT_COUNTERS "slot_counters"
#define FAAS_PIN_REGISTRY "registry"
#define FAAS_PIN_PACKET "packet"
#define FAAS_PIN_BARRIER "barrier"
#define FAAS_PIN_LINK "link"
#define FAAS_PIN_ROOT_PROGRAM "root"
#define FAAS_PIN_PORTS "ports"
#define FAAS_PIN_ROOT_COUNTERS "counters"
#define FAAS_PIN_PROGRAM "program"
#define FAAS_PIN_METERS "meters"
#define FAAS_PIN_ROUTE "route"
#define FAAS_PIN_RINGS "rings"
#define FAAS_PIN_WAKE "wake"
#define FAAS_PIN_RING0 "ring0"

#define FAAS_RUN_DIRECTORY "/run/ebpf-faas"
#define FAAS_RUN_SOCKET FAAS_RUN_DIRECTORY "/control.sock"
#define FAAS_RUN_LOCK FAAS_RUN_DIRECTORY "/lock" /* one command changes the host at a time */
#define FAAS_RUN_RUNTIME_LOCK FAAS_RUN_DIRECTORY "/runtime.lock" /* one runtime per host */
#define FAAS_RUN_WORKFLOWS FAAS_RUN_DIRECTORY "/workflows"
#define FAAS_STATE_DIRECTORY "/var/lib/ebpf-faas"
#define FAAS_STATE_WORKFLOWS FAAS_STATE_DIRECTORY "/workflows"

/* slots: what a trigger leads to. 0 is no workflow. */
struct faas_trigger_ref {
	__u16 slot;
	__u16 trigger; /* id within the workflow, from 1; never used again with another meaning */
};

/* Value of ports[port]. */
struct faas_port_entry {
	struct faas_trigger_ref udp_destination;
	struct faas_trigger_ref udp_source;
	struct faas_trigger_ref tcp_destination;
	struct faas_trigger_ref tcp_source;
};

/* Value of counters[0] of an interface: packets that no workflow took, by
 * reason. They pass. Matched packets are in slot_counters. */
struct faas_root_counters {
	__u64 unmatched;      /* parsed, and no trigger has this port */
	__u64 fragments;      /* not the first fragment: has no port */
	__u64 not_ip;	      /* neither IPv4 nor IPv6 */
	__u64 other_protocol; /* neither UDP nor TCP */
	__u64 malformed;      /* headers cut short or contradicting themselves */
};

/* Value of slot_counters[slot]. Outlives versions of the workflow. */
struct faas_slot_counters {
	__u64 matched;
	__u64 matched_bytes;
	__u64 no_program; /* the tail call failed; the packet passed */
	__u64 reserved;
};

enum faas_registry_state {
	FAAS_REGISTRY_FREE = 0,
	FAAS_REGISTRY_LOADING = 1,
	FAAS_REGISTRY_LOADED = 2,
	FAAS_REGISTRY_UNLOADING = 3,
};

/* Value of registry[slot]. */
struct faas_registry_entry {
	char name[40]; /* NUL-terminated */
	__u32 state;   /* enum faas_registry_state */
	__u32 generation;
	__u64 loaded_time_ns; /* CLOCK_REALTIME */
	__u64 reserved;
};

/* Head of meters[0]: the ledger of the kernel tier. Exactly one of the four
 * verdicts is counted for each packet, as the last thing the program does. */
struct faas_meters {
	__u64 dropped;
	__u64 passed;
	__u64 replied;
	__u64 redirected;
	__u64 emitted; /* events handed to a ring */
	__u64 lost_ring_full;
	__u64 lost_no_route;
	__u64 lost_error;	  /* payload not readable when it was copied */
	__u64 lost_stale_trigger; /* packets: a trigger id that this program does not know */
	__u64 fence; /* always 0: target of the full barrier before the wake flag is read */
	__u64 reserved[2];
};

/* One for each kernel function, in the order of the manifest. */
struct faas_function_meters {
	__u64 errors;  /* the function named an output it does not have */
	__u64 time_ns; /* of the sampled calls, together */
	__u64 time_samples;
	__u64 outputs[FAAS_OUTPUTS_MAX]; /* calls that ended in output n */
};

/* Packets of a workflow, on one CPU; a power of two. Reading the clock around each of 8 functions
 * takes about 300 ns: at 1 in 64 that is 5 ns a packet, at 1 in 256 one. */
#define FAAS_TIME_SAMPLE_EVERY 256

/* Value of wake[instance]. */
struct faas_wake {
	__u64 sleeping; /* the worker stores 1 before it blocks; the producer takes it to 0 */
	__u64 reserved[7];
};

/* In faas_packet.trigger: take the time of the functions on this packet. One
 * comparison tells the usual packet of a trigger from all others. */
#define FAAS_PACKET_SAMPLED 0x8000

/* Value of packet[0]: what the root program found, for the workflow program.
 * Offsets count from the start of the frame. */
struct faas_packet {
	__u16 trigger; /* its id, and FAAS_PACKET_SAMPLED */
	__u16 l3_offset;
	__u16 l4_offset;
	__u16 payload_offset;
	__u16 payload_bytes; /* announced by the headers, cut to what the frame holds */
	__u16 source_port;
	__u16 destination_port;
	__u16 vlan;
	__u8 ip_version;
	__u8 ip_protocol;
	__u8 flags; /* FAAS_EVENT_FIRST_FRAGMENT, FAAS_EVENT_TRUNCATED */
	__u8 vlan_tags;
	__u32 reserved;
	__u64 reserved2;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct faas_port_entry) == 16, "one 16-byte entry a port");
_Static_assert(FAAS_TRIGGERS_MAX < FAAS_PACKET_SAMPLED, "trigger ids leave the bit free");
_Static_assert(sizeof(struct faas_packet) == 32, "half a cache line");
_Static_assert(sizeof(struct faas_wake) == 64, "one cache line an instance");
_Static_assert(sizeof(((struct faas_registry_entry *)0)->name) >= FAAS_NAME_BYTES, "names fit");
#endif

#endif
