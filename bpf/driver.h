/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a generated driver is made of: beginning a call, meters, the handoff to
 * the user tier, verdicts. The loader generates the driver from the graph of a
 * workflow (loader/driver.c) and fuses it with the workflow's functions.
 */
#ifndef FAAS_BPF_DRIVER_H
#define FAAS_BPF_DRIVER_H

#include <ebpf_faas/kernel.h>
#include <ebpf_faas/pins.h>
#include <ebpf_faas/shed.h>

#include "verdict.h"

/* Classes of record: the payload is kept in the smallest that holds it. */
#define DRIVER_PAYLOAD_SMALL 64
#define DRIVER_PAYLOAD_MIDDLE 256
#define DRIVER_PAYLOAD_LARGE 1024
_Static_assert(FAAS_EVENT_PAYLOAD_MAX > DRIVER_PAYLOAD_LARGE, "classes grow");

/* The packet, from the root program. The loader puts the pinned map here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faas_packet);
} packet SEC(".maps");

/* Set by the loader before loading; the verifier takes it as a constant. In a
 * section of its own, which no instance can have: instances begin with a
 * letter. */
const volatile struct faas_settings faas_settings SEC(".rodata._driver") = {};

/* What one way out of the kernel tier is, all constants. */
struct driver_entry {
	/* As call->hook, which a compiler must expect functions to change that it
	 * does not see into. */
	__u64 hook;
	__u16 entry;
	__u16 origin;
	__u32 key_bytes;
	__u32 field_count;
};

/* The maps of the handoff, as the generated driver defines them. */
struct driver_handoff {
	void *route;
	void *rings;
	void *wake;
};

/* A word of the context, by an instruction of its own. Left to the compiler, several
 * places of a graph share one load through a pointer into the context, and the ends
 * of the packet lie on the stack as 32 bits: the verifier refuses both. */
#define DRIVER_CONTEXT_WORD(context, type, member, ret)                                            \
	asm volatile("%0 = *(u32 *)(%1 + %2)"                                                      \
		     : "=r"(ret)                                                                   \
		     : "r"(context), "i"(__builtin_offsetof(type, member)))

faas_inline void driver_begin(struct faas_call *call, void *context, const struct faas_packet *from,
			      const __u64 hook)
{
	if (hook == FAAS_HOOK_XDP) {
		DRIVER_CONTEXT_WORD(context, struct xdp_md, data, call->data);
		DRIVER_CONTEXT_WORD(context, struct xdp_md, data_end, call->data_end);
	} else {
		DRIVER_CONTEXT_WORD(context, struct __sk_buff, data, call->data);
		DRIVER_CONTEXT_WORD(context, struct __sk_buff, data_end, call->data_end);
	}
	call->context = context;
	call->hook = hook;
	call->l3_offset = from->l3_offset;
	call->l4_offset = from->l4_offset;
	call->payload_offset = from->payload_offset;
	call->payload = call->data + (from->payload_offset & (FAAS_HEADERS_BYTES_MAX - 1));
	call->payload_bytes = from->payload_bytes;
	call->source_port = from->source_port;
	call->destination_port = from->destination_port;
	call->vlan = from->vlan;
	call->trigger = from->trigger & ~FAAS_PACKET_SAMPLED;
	call->ip_version = from->ip_version;
	call->ip_protocol = from->ip_protocol;
	call->flags = from->flags;
	call->fields_present = 0;
}

/*
 * How much payload the functions of the workflow look at, at places that are known
 * when they are fused: ebpf-faas-fuse finds out. One copy of the graph is for packets
 * that have all of it, and compares with the end of the packet once; no function has
 * to do it again there.
 */
#ifdef DRIVER_LINKED
#define driver_checked 0x10000 /* nobody finds out: no packet has it */
#else
extern const __u64 driver_checked;
#endif

faas_inline int driver_has_checked(const struct faas_call *call)
{
	return call->payload_bytes >= driver_checked &&
	       call->payload + driver_checked <= call->data_end;
}

/* Copy payload by a helper, from wherever it lies. 0, or -1: the packet does not
 * hold what its headers announce. */
faas_inline int driver_load(const struct faas_call *call, const __u64 hook, __u32 offset, void *to,
			    __u32 bytes)
{
	offset += call->payload_offset;
	if (hook == FAAS_HOOK_XDP)
		return bpf_xdp_load_bytes(call->context, offset, to, bytes) ? -1 : 0;
	return bpf_skb_load_bytes(call->context, offset, to, bytes) ? -1 : 0;
}

/* The same for up to @p bytes_max bytes, a constant: the last word is zeroed first,
 * so that padding is zeros. The bounds are those of the last byte, as Linux 6.1 does
 * not learn from a comparison that a length is not 0. The second barrier keeps the
 * compiler from turning the shifts into a mask, of which the verifier does not see
 * that it bounds the index too. */
faas_inline int driver_copy(const struct faas_call *call, const __u64 hook, __u8 *to, __u32 bytes,
			    const __u32 bytes_max)
{
	__u64 last = (__u32)(bytes - 1), last_word;

	asm volatile("" : "+r"(last));
	if (last >= bytes_max)
		return bytes ? -1 : 0;
	last_word = last >> 3;
	asm volatile("" : "+r"(last_word));
	((__u64 *)to)[last_word] = 0;
	return driver_load(call, hook, 0, to, last + 1);
}

/* Copy a payload of at most DRIVER_PAYLOAD_SMALL bytes: whole words from the
 * packet itself, which takes half the time of a helper's call, what is left, or
 * lies beyond the linear part, by the helper. */
faas_inline int driver_copy_small(const struct faas_call *call, const __u64 hook, __u8 *to,
				  __u32 bytes)
{
	/* Counted from 1: Linux 6.1 does not learn from a comparison that it is not 0. */
	__u32 tail = ((bytes - 1) & 7) + 1, at = bytes & (DRIVER_PAYLOAD_SMALL - 8);
	const void *payload = call->payload;

	/* Apart from what functions look at: driver_checked shall not grow by it. */
	asm volatile("" : "+r"(payload));
#pragma unroll
	for (__u32 i = 0; i < DRIVER_PAYLOAD_SMALL / 8; i++) {
		if (bytes < 8 * (i + 1))
			break;
		if (payload + 8 * (i + 1) > call->data_end)
			return driver_copy(call, hook, to, bytes, DRIVER_PAYLOAD_SMALL);
		((__u64 *)to)[i] = *(const __u64 *)(payload + 8 * i);
	}
	if (!(bytes & 7))
		return 0;
	*(__u64 *)(to + at) = 0; /* padding is zeros */
	return driver_load(call, hook, at, to + at, tail);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "driver_fill() puts the header together for little endian machines"
#endif

/* The interface that the packet is seen at. */
faas_inline __u32 driver_interface(const struct faas_call *call, const __u64 hook)
{
	__u64 index;

	if (hook == FAAS_HOOK_XDP)
		DRIVER_CONTEXT_WORD(call->context, struct xdp_md, ingress_ifindex, index);
	else
		DRIVER_CONTEXT_WORD(call->context, struct __sk_buff, ifindex, index);
	return index;
}

/* Fill a reserved record. @p payload_max is its class, a constant. 0, or -1:
 * the payload could not be copied and the record is not whole. */
faas_inline int driver_fill(struct faas_event *event, const struct faas_call *call,
			    const struct driver_entry *entry, const __u64 *key, __u32 hash,
			    __u32 payload_max)
{
	__u32 interface_index = driver_interface(call, entry->hook);
	__u32 payload_bytes = call->payload_bytes, kept_bytes = payload_bytes;
	__u8 *body = (__u8 *)(event + 1), flags = call->flags;
	__u64 *head, *words;

	if (kept_bytes > payload_max) {
		kept_bytes = payload_max;
		flags |= FAAS_EVENT_PAYLOAD_CUT;
	}

	/* In words: what is constant is folded into them, and eight stores take
	 * less than the two dozen that the members would. */
	head = (__u64 *)event;
	head[0] = bpf_ktime_get_ns();
	head[1] = faas_settings.generation | (__u64)hash << 32;
	head[2] = interface_index | (__u64)call->fields_present << 32;
	head[3] = entry->entry | (__u32)entry->origin << 16 | (__u64)call->trigger << 32 |
		  (__u64)(hash & (FAAS_SHARDS - 1)) << 48;
	head[4] = (__u16)faas_frame_bytes(call) | (__u64)payload_bytes << 16 |
		  (__u64)kept_bytes << 32 | (__u64)call->source_port << 48;
	head[5] = call->destination_port | (__u32)call->vlan << 16 | (__u64)call->ip_version << 32 |
		  (__u64)call->ip_protocol << 40 | (__u64)flags << 48 |
		  (__u64)entry->key_bytes << 56;
	head[6] = entry->field_count;
	head[7] = 0;
	faas_source_address(call, (union faas_address *)body);
	faas_destination_address(call, (union faas_address *)(body + FAAS_EVENT_ADDRESS_BYTES));
	words = (__u64 *)(body + 2 * FAAS_EVENT_ADDRESS_BYTES);
#pragma unroll
	for (__u32 i = 0; i < FAAS_ALIGN8(entry->key_bytes) / 8; i++)
		words[i] = key[i];
	words += FAAS_ALIGN8(entry->key_bytes) / 8;
	/* As many rounds as there can be fields: a count that is known only after
	 * inlining unrolls too late for the call to be taken apart into registers,
	 * and the hook would be no constant. */
#pragma unroll
	for (__u32 i = 0; i < FAAS_RECORD_FIELDS_MAX; i++)
		if (i < entry->field_count)
			words[i] = (call->fields_present & (1u << i)) ? call->fields[i] : 0;
	body = (__u8 *)(words + entry->field_count);

	if (payload_max == DRIVER_PAYLOAD_SMALL)
		return driver_copy_small(call, entry->hook, body, kept_bytes);
	return driver_copy(call, entry->hook, body, kept_bytes, payload_max);
}

#ifdef DRIVER_SHEDS
/* As generated: the level of the trigger that took the packet, and where what it has
 * shed is counted. */
faas_inline __u32 driver_level(__u32 trigger);
faas_inline void driver_count_shed(struct faas_meters *meters, __u32 trigger, enum faas_shed shed);

/*
 * Whether the event is shed. Looking at the ring takes some nanoseconds, so that as
 * long as there is little in it only some events do: as many as can do no harm, says
 * the worker. From then on all do until it is down to half: an event decides by what
 * is there, not by what was there for others.
 */
faas_inline int driver_shed(const struct faas_call *call, struct faas_meters *meters, void *ring,
			    struct faas_wake *wake)
{
	__u32 budget = *(volatile __u64 *)&wake->budget;
	__u64 pressed = *(volatile __u64 *)&wake->pressed, depth;
	enum faas_shed shed;

	if (!budget || (!pressed && (meters->emitted & *(volatile __u64 *)&wake->look)))
		return 0;
	depth = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	if (depth <= budget / 8) {
		if (pressed && depth <= budget / 16)
			wake->pressed = 0;
		return 0;
	}
	if (!pressed)
		wake->pressed = 1;
	shed = faas_shed_decide(depth, budget, driver_level(call->trigger),
				meters->emitted + meters->shed_sampled + meters->shed_deadline);
	if (shed == FAAS_SHED_NO)
		return 0;
	if (shed == FAAS_SHED_DEADLINE)
		meters->shed_deadline++;
	else
		meters->shed_sampled++;
	driver_count_shed(meters, call->trigger, shed);
	return -1;
}
#endif

/* Reserve, fill, decide about waking, submit: one class of record. 0, or -1: there is
 * no event, which is counted. */
faas_inline int driver_emit(struct faas_call *call, struct faas_meters *meters, void *ring,
			    struct faas_wake *wake, const struct driver_entry *entry,
			    const __u64 *key, __u32 hash, __u32 payload_max)
{
	__u64 flags = BPF_RB_NO_WAKEUP;
	struct faas_event *event;

	event = bpf_ringbuf_reserve(
		ring, FAAS_EVENT_BYTES(entry->key_bytes, entry->field_count, payload_max), 0);
	if (!event) {
		meters->lost_ring_full++;
		return -1;
	}
	if (driver_fill(event, call, entry, key, hash, payload_max)) {
		/* Without flags the kernel wakes whoever has released all that was before
		 * this, as a worker that sleeps has; at the others it does not look. Not to
		 * wake at all leaves a ring that fills up with such records, and then events
		 * are lost although nothing is processed. */
		bpf_ringbuf_discard(event, 0);
		meters->lost_error++;
		return -1;
	}
	/* The reservation must be visible before the flag is read, or a worker
	 * that has just looked at the ring and blocks is never woken. An atomic
	 * add that fetches is a full barrier on every architecture. */
	__u64 fence = __sync_fetch_and_add(&meters->fence, 0);
	asm volatile("" : : "r"(fence) : "memory");
	if (*(volatile __u64 *)&wake->sleeping && __sync_lock_test_and_set(&wake->sleeping, 0))
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(event, flags);
	meters->emitted++;
	return 0;
}

/* Hand one event to the worker that owns the key's shard. 0, or -1: it was lost or shed,
 * which is counted. */
faas_inline int driver_handoff(struct faas_call *call, struct faas_meters *meters,
			       const struct driver_handoff *maps, const struct driver_entry *entry,
			       const __u64 *key)
{
	__u64 mixed = 0x51ed270b7a3c1b5dull;
	struct faas_wake *wake;
	__u32 hash, shard, instance;
	__u32 *route;
	void *ring;

	if (entry->key_bytes) {
#pragma unroll
		for (__u32 i = 0; i < FAAS_ALIGN8(entry->key_bytes) / 8; i++)
			mixed = faas_hash_mix(mixed, key[i]);
	} else { /* order is that of the flow */
		mixed = faas_hash_mix(mixed,
				      ((__u64)call->source_port << 16) | call->destination_port);
	}
	hash = mixed ^ (mixed >> 29);
	shard = hash & (FAAS_SHARDS - 1);
	route = bpf_map_lookup_elem(maps->route, &shard);
	if (!route)
		goto no_route;
	instance = *route;
	ring = bpf_map_lookup_elem(maps->rings, &instance);
	wake = bpf_map_lookup_elem(maps->wake, &instance);
	if (!ring || !wake)
		goto no_route;
#ifdef DRIVER_SHEDS
	if (driver_shed(call, meters, ring, wake))
		return -1;
#endif
	if (call->payload_bytes <= DRIVER_PAYLOAD_SMALL)
		return driver_emit(call, meters, ring, wake, entry, key, hash,
				   DRIVER_PAYLOAD_SMALL);
	if (call->payload_bytes <= DRIVER_PAYLOAD_MIDDLE)
		return driver_emit(call, meters, ring, wake, entry, key, hash,
				   DRIVER_PAYLOAD_MIDDLE);
	if (call->payload_bytes <= DRIVER_PAYLOAD_LARGE)
		return driver_emit(call, meters, ring, wake, entry, key, hash,
				   DRIVER_PAYLOAD_LARGE);
	return driver_emit(call, meters, ring, wake, entry, key, hash, FAAS_EVENT_PAYLOAD_MAX);
no_route:
	meters->lost_no_route++;
	return -1;
}

/* The copies of the graph; and what the first answers when the packet is not one
 * for it, which is no verdict. */
enum driver_copies { DRIVER_USUAL, DRIVER_OTHERS };
#define DRIVER_NOT_USUAL 0x7fffffff

/* Keeps the compiler from sharing values between the copies of the graph:
 * those that live across a clock's call in one would lie on the stack in both.
 * @p copy is a constant that differs, so that not even this line is shared. */
#define DRIVER_APART(context, copy) asm volatile("%0 = %0 # %1" : "+r"(context) : "i"(copy))

/* Keeps the compiler from joining the ends of several functions to one, for which
 * every function on the way would have to note where it is. @p number differs. */
#define DRIVER_OWN(number) asm volatile("" : : "i"(number))

/* End the program: for the usual packet here. Where it ends in one place only, every
 * packet jumps there: to code that has to be brought into the caches for it alone, if
 * workflows take turns. For the others one place is enough: what they take less of
 * memory lets more programs share a page. @p number keeps the compiler from joining
 * ends again. */
#define DRIVER_END(verdict, number)                                                                \
	do {                                                                                       \
		if (copy == DRIVER_OTHERS)                                                         \
			return verdict;                                                            \
		asm volatile("w0 = %0\n\texit # %1" : : "i"(verdict), "i"(number) : "memory");     \
		__builtin_unreachable();                                                           \
	} while (0)

#define DRIVER_DROP                                                                                \
	do {                                                                                       \
		meters_now->ledger.dropped++;                                                      \
		DRIVER_END(VERDICT_DROP(hook), __COUNTER__);                                       \
	} while (0)
#define DRIVER_PASS                                                                                \
	do {                                                                                       \
		meters_now->ledger.passed++;                                                       \
		DRIVER_END(VERDICT_PASS(hook), __COUNTER__);                                       \
	} while (0)

/* Whether the time of the functions is taken on this packet: never on the usual one.
 * Each place asks anew, or the compiler makes copies of its own of all that is between. */
faas_inline int driver_sampled(__u32 trigger)
{
	asm volatile("" : "+r"(trigger));
	return trigger >= FAAS_PACKET_SAMPLED;
}
#define DRIVER_SAMPLED (copy == DRIVER_OTHERS && driver_sampled(trigger))

/* Begin to take the time of a function; and end it. */
#define DRIVER_TIME_BEGIN                                                                          \
	do {                                                                                       \
		if (DRIVER_SAMPLED)                                                                \
			since_ns = bpf_ktime_get_ns();                                             \
	} while (0)
#define DRIVER_TIME(function)                                                                      \
	do {                                                                                       \
		if (DRIVER_SAMPLED) {                                                              \
			__u64 now_ns = bpf_ktime_get_ns();                                         \
			(function).time_ns += now_ns - since_ns;                                   \
			(function).time_samples++;                                                 \
			since_ns = now_ns;                                                         \
		}                                                                                  \
	} while (0)

#endif
