/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a function says what it is: the macros below, shared by both tiers, put
 * one text each into the section .faas.meta of the object. The loader reads
 * them; no code of the function runs for that. Texts are NUL-terminated, their
 * columns separated by tabs. Before the first stands a number that grows from
 * one declaration to the next, since compilers do not keep variables in order:
 *
 *   function  TIER  DOC
 *   param     TYPE  NAME  DEFAULT  MIN  MAX  DOC  CHOICES
 *   output    NAME  DOC
 *   field     OUTPUT  NAME  TYPE  UNIT  DOC
 *   changeable  NAME         (of a parameter declared before it)
 *   map       NAME  PARAM    (the size of the map)
 *   contents  NAME  PARAM    (the file that fills the map)
 *   fields    OUTPUT  PARAM   (the layout that gives the output its fields)
 *   input     NAME  DOC
 *   optional  NAME            (of an input declared before it)
 *   state     VERSION         (its size is the symbol faas_state_bytes)
 *   verdict   NAME  DOC       (that a user function writes)
 *   verdicts  NAME  PARAM     (the map that takes them, and what its keys are made of)
 *   batch                     (it has faas_on_batch in the place of faas_on_event)
 *   timer                     (it has faas_on_timer)
 *   migrate                   (it has faas_on_migrate)
 *
 * An empty DEFAULT means that the workflow must give the parameter. Columns
 * may hold C string literals as the preprocessor prints them, quotes included.
 */
#ifndef EBPF_FAAS_DESCRIBE_H
#define EBPF_FAAS_DESCRIBE_H

#define FAAS_META_SECTION ".faas.meta"

#define FAAS_CAT_(a, b) a##b
#define FAAS_CAT(a, b) FAAS_CAT_(a, b)
#define FAAS_STRING_(word) #word
#define FAAS_STRING(word) FAAS_STRING_(word)
#define FAAS_META(text)                                                                            \
	static const char FAAS_CAT(faas_meta_, __COUNTER__)[]                                      \
		__attribute__((section(FAAS_META_SECTION), used, aligned(1))) =                    \
			FAAS_STRING(__COUNTER__) "\t" text

/* Parameter types: the C type of the constant or variable that carries it. */
#define FAAS_TYPE_u32 unsigned int
#define FAAS_TYPE_u64 unsigned long long
#define FAAS_TYPE_s64 long long
#define FAAS_TYPE_bool unsigned int
#define FAAS_TYPE_duration unsigned long long /* nanoseconds; written 500ms, 2s, 1h */
#define FAAS_TYPE_bytes unsigned long long    /* written 64, 16Ki, 32Mi */
#define FAAS_TYPE_decimal long long	      /* millionths; written 0.01, -50 */
#define FAAS_TYPE_f64 double		      /* user tier only */

/* One enumerator for each word of a choice or set, NAME_WORD = 0, 1, 2, ... */
#define FAAS_WORDS_1(n, a) n##_##a
#define FAAS_WORDS_2(n, a, ...) n##_##a, FAAS_WORDS_1(n, __VA_ARGS__)
#define FAAS_WORDS_3(n, a, ...) n##_##a, FAAS_WORDS_2(n, __VA_ARGS__)
#define FAAS_WORDS_4(n, a, ...) n##_##a, FAAS_WORDS_3(n, __VA_ARGS__)
#define FAAS_WORDS_5(n, a, ...) n##_##a, FAAS_WORDS_4(n, __VA_ARGS__)
#define FAAS_WORDS_6(n, a, ...) n##_##a, FAAS_WORDS_5(n, __VA_ARGS__)
#define FAAS_WORDS_7(n, a, ...) n##_##a, FAAS_WORDS_6(n, __VA_ARGS__)
#define FAAS_WORDS_8(n, a, ...) n##_##a, FAAS_WORDS_7(n, __VA_ARGS__)
#define FAAS_WORDS_9(n, a, ...) n##_##a, FAAS_WORDS_8(n, __VA_ARGS__)
#define FAAS_WORDS_10(n, a, ...) n##_##a, FAAS_WORDS_9(n, __VA_ARGS__)
#define FAAS_WORDS_11(n, a, ...) n##_##a, FAAS_WORDS_10(n, __VA_ARGS__)
#define FAAS_WORDS_12(n, a, ...) n##_##a, FAAS_WORDS_11(n, __VA_ARGS__)
#define FAAS_WORDS_13(n, a, ...) n##_##a, FAAS_WORDS_12(n, __VA_ARGS__)
#define FAAS_WORDS_14(n, a, ...) n##_##a, FAAS_WORDS_13(n, __VA_ARGS__)
#define FAAS_WORDS_15(n, a, ...) n##_##a, FAAS_WORDS_14(n, __VA_ARGS__)
#define FAAS_WORDS_16(n, a, ...) n##_##a, FAAS_WORDS_15(n, __VA_ARGS__)
#define FAAS_COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define FAAS_COUNT(...)                                                                            \
	FAAS_COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define FAAS_WORDS(name, ...) FAAS_CAT(FAAS_WORDS_, FAAS_COUNT(__VA_ARGS__))(name, __VA_ARGS__)

#endif
