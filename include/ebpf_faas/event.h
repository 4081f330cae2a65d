/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record that crosses from the kernel tier to the user tier, that user
 * functions hand to each other, and that the log keeps for the sinks.
 *
 *   offset 0    struct faas_event       64 bytes, one cache line
 *          64   source address          16 bytes, IPv4 as ::ffff:a.b.c.d
 *          80   destination address     16 bytes
 *          96   key                     key_bytes, padded with zeros to 8
 *          ...  fields                  field_count * 8 bytes
 *          ...  payload                 payload_bytes, padded with zeros to 8
 *
 * All integers are in host byte order: the record never leaves the machine.
 * Addresses and keys are bytes in network order.
 */
#ifndef EBPF_FAAS_EVENT_H
#define EBPF_FAAS_EVENT_H

#include <linux/types.h>

#include <ebpf_faas/limits.h>

#define FAAS_EVENT_HEADER_BYTES 64
#define FAAS_EVENT_ADDRESS_BYTES 16
#define FAAS_EVENT_KEY_OFFSET (FAAS_EVENT_HEADER_BYTES + 2 * FAAS_EVENT_ADDRESS_BYTES)

/* enum faas_event_flags: bits of faas_event.flags. */
#define FAAS_EVENT_PAYLOAD_CUT 0x01    /* payload_bytes is less than the packet had */
#define FAAS_EVENT_FIRST_FRAGMENT 0x02 /* the payload goes on in fragments that match no port */
#define FAAS_EVENT_TRUNCATED 0x04      /* the headers announce more payload than the packet holds */
#define FAAS_EVENT_FRAGMENT 0x08       /* not the first fragment: no ports, payload is its part */

/* faas_event.origin of an event that came straight from a trigger. */
#define FAAS_ORIGIN_TRIGGER 0xffff
/* And of an event that no packet made: time_ns is when the timer was due or later. */
#define FAAS_ORIGIN_TIMER 0xfffe
/* faas_event.entry of such an event if no entry has its key. */
#define FAAS_ENTRY_NONE 0xffff

/* Types of fields: every field takes 8 bytes. */
enum faas_field_type {
	FAAS_FIELD_U64 = 0,
	FAAS_FIELD_S64 = 1,
	FAAS_FIELD_F64 = 2,	/* IEEE 754 double; user tier only */
	FAAS_FIELD_DECIMAL = 3, /* s64, in millionths */
};

#define FAAS_DECIMAL_ONE 1000000

struct faas_event {
	__u64 time_ns;		    /* CLOCK_MONOTONIC when the packet was seen */
	__u32 generation;	    /* of the workflow, counted by the loader from 1 */
	__u32 key_hash;		    /* shard is its low byte */
	__u32 interface_index;	    /* where the packet came in */
	__u32 fields_present;	    /* bit n: field n is set */
	__u16 entry;		    /* manifest entry that this event follows: where it goes */
	__u16 origin;		    /* manifest origin: which output of which function made it */
	__u16 trigger;		    /* trigger id, from 1 */
	__u16 shard;		    /* 0..255 */
	__u16 frame_bytes;	    /* length of the frame */
	__u16 packet_payload_bytes; /* L4 payload in the packet */
	__u16 payload_bytes;	    /* of it, in this record */
	__u16 source_port;
	__u16 destination_port;
	__u16 vlan;	   /* outermost tag in the packet: id, 0 without one */
	__u8 ip_version;   /* 4 or 6; 0: no IP packet, its addresses are zero */
	__u8 ip_protocol;  /* IPPROTO_*; ports are zero but for UDP and TCP */
	__u8 flags;	   /* FAAS_EVENT_* */
	__u8 key_bytes;	   /* 0..FAAS_KEY_BYTES_MAX */
	__u8 field_count;  /* 0..FAAS_RECORD_FIELDS_MAX */
	__u8 reserved[15]; /* zero */
};

#define FAAS_ALIGN8(bytes) (((bytes) + 7u) & ~7u)

/* Bytes of a record with this much key, fields and payload. */
#define FAAS_EVENT_BYTES(key_bytes, field_count, payload_bytes)                                    \
	(FAAS_EVENT_KEY_OFFSET + FAAS_ALIGN8(key_bytes) + 8u * (field_count) +                     \
	 FAAS_ALIGN8(payload_bytes))

#define FAAS_EVENT_AT(member, offset)                                                              \
	_Static_assert(__builtin_offsetof(struct faas_event, member) == (offset),                  \
		       "faas_event." #member " moved")

#ifndef __cplusplus
_Static_assert(sizeof(struct faas_event) == FAAS_EVENT_HEADER_BYTES, "one cache line");
FAAS_EVENT_AT(time_ns, 0);
FAAS_EVENT_AT(generation, 8);
FAAS_EVENT_AT(key_hash, 12);
FAAS_EVENT_AT(interface_index, 16);
FAAS_EVENT_AT(fields_present, 20);
FAAS_EVENT_AT(entry, 24);
FAAS_EVENT_AT(origin, 26);
FAAS_EVENT_AT(trigger, 28);
FAAS_EVENT_AT(shard, 30);
FAAS_EVENT_AT(frame_bytes, 32);
FAAS_EVENT_AT(packet_payload_bytes, 34);
FAAS_EVENT_AT(payload_bytes, 36);
FAAS_EVENT_AT(source_port, 38);
FAAS_EVENT_AT(destination_port, 40);
FAAS_EVENT_AT(vlan, 42);
FAAS_EVENT_AT(ip_version, 44);
FAAS_EVENT_AT(ip_protocol, 45);
FAAS_EVENT_AT(flags, 46);
FAAS_EVENT_AT(key_bytes, 47);
FAAS_EVENT_AT(field_count, 48);
_Static_assert(FAAS_EVENT_BYTES(FAAS_KEY_BYTES_MAX, FAAS_RECORD_FIELDS_MAX,
				FAAS_EVENT_PAYLOAD_MAX) <= FAAS_EVENT_BYTES_MAX,
	       "the largest record fits");
#endif

#endif
