/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands in bpffs and under /run, by name: the interface between loader,
 * runtime and anybody with bpftool. Names of BPF objects have at most 15
 * characters.
 *
 *   /sys/fs/bpf/ebpf-faas/
 *     slots                    prog array: slot -> fused workflow program (XDP)
 *     tc_slots                 prog array: slot -> fused workflow program (TC)
 *     slot_counters            array: CPU * FAAS_SLOTS_MAX + slot -> struct faas_slot_counters
 *     registry                 array, mmapable: slot -> struct faas_registry_entry
 *     packet                   per-CPU array: the packet, from root program to workflow program
 *     barrier                  array of maps, one entry: updating it waits for running programs
 *     <netns inode>/<ifindex>/<hook>/      hook: xdp, tc-ingress, tc-egress
 *       root                   the root program of this interface and hook
 *       link                   its link; none where a clsact filter holds it
 *       ports                  array, mmapable: port -> struct faas_port_entry
 *       rules                  array, mmapable: struct faas_rule, chained; entry 0 is not used
 *       classes                array, mmapable: FAAS_CLASS_* -> struct faas_trigger_ref
 *       stages                 array, mmapable, one entry: __u32, which tables after ports are in
 * use ethertypes             hash: EtherType, __u16 in host byte order -> struct faas_trigger_ref
 *       sources, destinations  LPM tries: struct faas_prefix_key -> struct faas_trigger_ref
 *       counters               per-CPU array, one entry: struct faas_root_counters
 *     workflows/<name>         link to the generation that runs
 *     generations/<name>/<number>/
 *       program                fused program of the generation, for XDP
 *       tc_program             the same for the TC hooks
 *       params                 array, mmapable: parameters that `ebpf-faas set` changes
 *       meters                 array: CPU -> struct faas_meters, then one
 *                              struct faas_function_meters for each kernel function,
 *                              and struct faas_shed_meters where events are shed
 *       carried                array, one entry: struct faas_carried; only where versions
 *                              before counted in meters of another layout
 *       route                  array, mmapable: shard -> instance
 *       rings                  array of maps: instance -> ring
 *       wake                   array, mmapable: instance -> worker sleeps
 *       ring0                  BPF ring buffer of instance 0; a small one while the workflow
 *                              is idle
 *       ring-next              the one that it moves to, while it does: what is in ring0 comes
 *                              before what is in there
 *       <instance>_<map>       state of kernel functions; a map that outlives an update
 *                              is pinned in both generations
 *       data-<instance>, bss-<instance>  variables of kernel functions
 */
#ifndef EBPF_FAAS_PINS_H
#define EBPF_FAAS_PINS_H

#include <linux/types.h>

#include <ebpf_faas/limits.h>

#define FAAS_BPFFS "/sys/fs/bpf"
#define FAAS_PIN_ROOT FAAS_BPFFS "/ebpf-faas"
#define FAAS_PIN_WORKFLOWS FAAS_PIN_ROOT "/workflows"
#define FAAS_PIN_GENERATIONS FAAS_PIN_ROOT "/generations"
#define FAAS_PIN_SLOTS "slots"
#define FAAS_PIN_TC_SLOTS "tc_slots"
#define FAAS_PIN_SLOT_COUNTERS "slot_counters"
#define FAAS_PIN_REGISTRY "registry"
#define FAAS_PIN_PACKET "packet"
#define FAAS_PIN_BARRIER "barrier"
#define FAAS_PIN_LINK "link"
#define FAAS_PIN_ROOT_PROGRAM "root"
#define FAAS_PIN_PORTS "ports"
#define FAAS_PIN_RULES "rules"
#define FAAS_PIN_CLASSES "classes"
#define FAAS_PIN_STAGES "stages"
#define FAAS_PIN_ETHERTYPES "ethertypes"
#define FAAS_PIN_SOURCES "sources"
#define FAAS_PIN_DESTINATIONS "destinations"
#define FAAS_PIN_ROOT_COUNTERS "counters"
#define FAAS_PIN_PROGRAM "program"
#define FAAS_PIN_TC_PROGRAM "tc_program"
#define FAAS_PIN_PARAMS "params"
#define FAAS_PIN_METERS "meters"
#define FAAS_PIN_CARRIED "carried"
#define FAAS_PIN_ROUTE "route"
#define FAAS_PIN_RINGS "rings"
#define FAAS_PIN_WAKE "wake"
#define FAAS_PIN_RING0 "ring0"
#define FAAS_PIN_RING_NEXT "ring-next"

#define FAAS_RUN_DIRECTORY "/run/ebpf-faas"
#define FAAS_RUN_SOCKET FAAS_RUN_DIRECTORY "/control.sock"	 /* for root */
#define FAAS_RUN_STATUS_SOCKET FAAS_RUN_DIRECTORY "/status.sock" /* for a group: only to look */
#define FAAS_RUN_LOCK FAAS_RUN_DIRECTORY "/lock" /* one command changes the host at a time */
#define FAAS_RUN_RUNTIME_LOCK FAAS_RUN_DIRECTORY "/runtime.lock" /* one runtime per host */
#define FAAS_RUN_WORKFLOWS FAAS_RUN_DIRECTORY "/workflows"
#define FAAS_STATE_DIRECTORY "/var/lib/ebpf-faas"
#define FAAS_STATE_WORKFLOWS FAAS_STATE_DIRECTORY "/workflows"
#define FAAS_STATE_DURABLE FAAS_STATE_DIRECTORY "/state" /* logs and snapshots on the disk */

/* What a place in a trigger table leads to. Slot 0 is no workflow. With
 * FAAS_REF_CHAIN in slot it is no workflow but the head of a chain of rules, with
 * the index faas_ref_chain(). Four bytes, aligned: it changes by one store. */
struct faas_trigger_ref {
	__u16 slot;
	__u16 trigger; /* id within the workflow; made from the trigger's name */
} __attribute__((aligned(4)));

#define FAAS_REF_CHAIN 0x8000
#define faas_ref_is_chain(ref) ((ref).slot & FAAS_REF_CHAIN)
#define faas_ref_chain(ref) ((__u32)((ref).slot & ~FAAS_REF_CHAIN) << 16 | (ref).trigger)

/*
 * How the trigger of a packet is found. A trigger becomes rules: one for each
 * combination of what its match lists. Each rule stands at the place of the first
 * of these that it names, and the places are looked at in this order; the first
 * that yields a trigger decides:
 *
 *   1. destination port     ports, UDP and TCP only
 *   2. source port          ports
 *   3. destination prefix   destinations, the longest
 *   4. source prefix        sources, the longest
 *   5. ICMP type            classes
 *   6. EtherType            ethertypes
 *   7. VLAN                 classes
 *   8. IP protocol          classes
 *   9. any                  classes
 *
 * A place that one rule alone stands at, with no condition that the place does
 * not imply, leads to its trigger directly. Else it leads to a chain of at most
 * FAAS_CANDIDATES_MAX rules, most specific first: compared one after another by
 * destination port (one port before a range, a narrow range before a wide one,
 * any range before none), source port, length of the destination prefix, of the
 * source prefix, and whether ICMP type, EtherType, VLAN, protocol are named; the
 * first difference decides, then the higher priority. A chain at a prefix holds
 * the rules of shorter prefixes as well, and one at a port those of ranges.
 * Fragments without ports go to places 3 to 9.
 */
enum faas_rule_condition {
	FAAS_RULE_DESTINATION_PORT = 0x0001,
	FAAS_RULE_SOURCE_PORT = 0x0002,
	FAAS_RULE_DESTINATION = 0x0004,
	FAAS_RULE_SOURCE = 0x0008,
	FAAS_RULE_ICMP_TYPE = 0x0010,
	FAAS_RULE_ETHERTYPE = 0x0020,
	FAAS_RULE_VLAN = 0x0040,
	FAAS_RULE_PROTOCOL = 0x0080,
};

/* Value of rules[index]: 64 bytes. Not changed while a chain leads to it. */
struct faas_rule {
	struct faas_trigger_ref leads_to; /* never a chain */
	__u32 next;			  /* less specific; 0: none */
	__u16 named;			  /* conditions of the trigger: FAAS_RULE_* */
	__u16 checks;			  /* of them, what the place does not imply */
	__s16 priority;
	__u16 vlan;
	__u16 ethertype;
	__u16 destination_port_first, destination_port_last;
	__u16 source_port_first, source_port_last;
	__u8 protocol;
	__u8 icmp_type;
	__u8 destination_bits; /* 0..128; IPv4 as ::ffff:a.b.c.d, so from 96 on */
	__u8 source_bits;
	__u8 reserved[2];
	__u8 destination[16]; /* network order, bits behind the prefix are zero */
	__u8 source[16];
};

/* Key of sources and destinations. */
struct faas_prefix_key {
	__u32 bits; /* as in struct faas_rule */
	__u8 address[16];
};

/* Index into classes. */
#define FAAS_CLASS_ANY 0
#define FAAS_CLASS_PROTOCOL 256 /* + IP protocol */
#define FAAS_CLASS_ICMP 512	/* + type */
#define FAAS_CLASS_ICMPV6 768	/* + type */
#define FAAS_CLASS_VLAN 1024	/* + VLAN id; 0: no tag, never used */
#define FAAS_CLASSES (1024 + 4096)

/* Bits of stages[0]: tables that hold something. */
enum faas_stage {
	FAAS_STAGE_DESTINATION = 0x01,
	FAAS_STAGE_SOURCE = 0x02,
	FAAS_STAGE_ICMP = 0x04,
	FAAS_STAGE_ETHERTYPE = 0x08,
	FAAS_STAGE_VLAN = 0x10,
	FAAS_STAGE_PROTOCOL = 0x20,
	FAAS_STAGE_ANY = 0x40,
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
	__u64 nonlinear;      /* headers beyond the linear part of a multi-buffer packet */
};

/* Value of slot_counters[CPU * FAAS_SLOTS_MAX + slot]. Outlives versions of the workflow. */
struct faas_slot_counters {
	__u64 matched;
	__u64 matched_bytes;
	__u64 no_program; /* the tail call failed; the packet passed */
	__u64 bypassed;	  /* passed by the program that `ebpf-faas bypass` puts into the slot */
};

enum faas_registry_state {
	FAAS_REGISTRY_FREE = 0,
	FAAS_REGISTRY_LOADING = 1,
	FAAS_REGISTRY_LOADED = 2,
	FAAS_REGISTRY_UNLOADING = 3,
	FAAS_REGISTRY_UPDATING = 4, /* a new generation is on its way in; see loader/update.c */
};

/* Bits of faas_registry_entry.flags. */
#define FAAS_REGISTRY_BYPASSED 0x1 /* its slots hold the program that lets everything pass */
#define FAAS_REGISTRY_TRIAL                                                                        \
	0x2 /* its generation goes back at deadline_ns, if nothing else is said */
/* Its user tier cannot run, and its packets pass, or are dropped, meanwhile. Written by the
 * runtime. */
#define FAAS_REGISTRY_STOPPED_PASS 0x4
#define FAAS_REGISTRY_STOPPED_DROP 0x8
/* With FAAS_REGISTRY_LOADING: from what is stored; if it fails, that stays. */
#define FAAS_REGISTRY_RESTORED 0x10

/* Value of registry[slot]. */
struct faas_registry_entry {
	char name[40]; /* NUL-terminated */
	__u32 state;   /* enum faas_registry_state */
	__u32 generation;
	__u64 loaded_time_ns;  /* CLOCK_REALTIME, of this generation */
	__u64 deadline_ns;     /* CLOCK_BOOTTIME, with FAAS_REGISTRY_TRIAL */
	__u32 flags;	       /* FAAS_REGISTRY_* */
	__u32 next_generation; /* that the next update gets: numbers are not used again */
	/* Packets while it was FAAS_REGISTRY_STOPPED_*; since it was loaded. */
	__u64 stopped_passed;
	__u64 stopped_dropped;
	__u64 reserved[5];
};

/* Head of meters[cpu]: the ledger of the kernel tier. Exactly one of the four
 * verdicts is counted for each packet, as the last thing the program does. What is
 * seldom counted stands first: it keeps what CPUs count all the time apart from each
 * other. What a packet counts mostly, its verdict and the outputs of the first
 * function, lies side by side, in one line of the cache. */
struct faas_meters {
	__u64 lost_ring_full;
	__u64 lost_no_route;
	__u64 lost_error;	  /* payload not readable when it was copied */
	__u64 lost_stale_trigger; /* packets: a trigger id that this program does not know */
	/* Packets that passed, where `mode: observe` kept the workflow from
	 * dropping them, or from replying or redirecting. */
	__u64 observed_dropped;
	__u64 observed_turned;
	/* Events that were not handed to a ring that had room: see shed.h. */
	__u64 shed_deadline;
	__u64 shed_sampled;
	__u64 fence;   /* always 0: target of the full barrier before the wake flag is read */
	__u64 emitted; /* events handed to a ring */
	__u64 redirected;
	__u64 replied;
	__u64 passed;
	__u64 dropped;
};

/* Where `overload.event` is shed, one for each trigger of packets behind the functions'
 * in meters[cpu], in the order of the manifest: of the sums above, what is of its packets. */
struct faas_shed_meters {
	__u64 deadline;
	__u64 sampled;
};

/* Value of carried[0]: what versions before counted, to be added to meters. */
struct faas_carried {
	__u32 from;    /* generation whose meters were added last: none is added twice */
	__u32 gave_up; /* the same for events in the ring of one that went back */
	struct faas_meters total;
};

/* One for each kernel function, in the order of the manifest. */
struct faas_function_meters {
	__u64 outputs[FAAS_OUTPUTS_MAX]; /* calls that ended in output n */
	__u64 errors;			 /* the function named an output it does not have */
	__u64 time_ns;			 /* of the sampled calls, together */
	__u64 time_samples;
};

/* Packets of a workflow, on one CPU; a power of two. Reading the clock around each of 8 functions
 * takes about 300 ns: at 1 in 64 that is 5 ns a packet, at 1 in 256 one. */
#define FAAS_TIME_SAMPLE_EVERY 256

/* Value of wake[instance]. */
struct faas_wake {
	__u64 sleeping; /* the worker stores 1 before it blocks; the producer takes it to 0 */
	/* The rest only where `overload.event` is shed. Stored by the worker: */
	__u64 budget; /* bytes of the ring that it works off within the deadline, below 2^32; 0: not
			 known yet, nothing is shed */
	__u64 look;   /* producers look at the ring for each event whose number & this is 0 */
	/* Stored by producers. 1: there is so much in the ring that they look each time. */
	__u64 pressed;
	__u64 reserved[4];
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
	__u8 ip_version;  /* 4, 6; 0: neither, payload is what follows the Ethernet header */
	__u8 ip_protocol; /* 0 without IP */
	__u8 flags;	  /* FAAS_EVENT_FIRST_FRAGMENT, FAAS_EVENT_FRAGMENT, FAAS_EVENT_TRUNCATED */
	__u8 vlan_tags;
	__u16 ethertype; /* behind the VLAN tags */
	__u16 reserved;
	__u64 reserved2;
};

/* What the loader tells a workflow program before it loads it: section
 * .rodata._driver of the object. */
struct faas_settings {
	__u32 generation;
	__u32 redirects[FAAS_REDIRECTS_MAX]; /* interface indices, as in the manifest */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct faas_port_entry) == 16, "one 16-byte entry a port");
_Static_assert(sizeof(struct faas_rule) == 64, "one cache line a rule");
_Static_assert(sizeof(struct faas_registry_entry) == 128, "two cache lines a workflow");
_Static_assert(FAAS_SLOTS_MAX <= FAAS_REF_CHAIN, "slots leave the bit free");
_Static_assert(FAAS_TRIGGERS_MAX < FAAS_PACKET_SAMPLED, "trigger ids leave the bit free");
_Static_assert(sizeof(struct faas_packet) == 32, "half a cache line");
_Static_assert(sizeof(struct faas_wake) == 64, "one cache line an instance");
_Static_assert(sizeof(((struct faas_registry_entry *)0)->name) >= FAAS_NAME_BYTES, "names fit");
#endif

#endif
