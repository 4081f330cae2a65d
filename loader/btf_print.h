/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Values of BPF maps by the names that their BTF gives the fields.
 */
#ifndef FAAS_LOADER_BTF_PRINT_H
#define FAAS_LOADER_BTF_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct btf;

enum btf_style {
	BTF_PLAIN,    /* for programs: bytes as arrays of numbers */
	BTF_READABLE, /* for people: addresses as such, other bytes in hexadecimal */
};

/**
 * @brief One value as JSON.
 *
 * Structures and unions become objects, those without a name are part of what
 * holds them; arrays of char become strings, enumerators their names, pointers
 * hexadecimal strings. Numbers above INT64_MAX, which JSON readers lose, become
 * strings of digits. Locks and timers of the kernel are left out. A data section
 * becomes an object of its variables.
 *
 * @param type  Id in @p btf. 0, or one that is not there: the bytes themselves.
 * @param data  @p bytes long; nothing beyond is read, whatever the BTF says.
 * @return Returns-owned. NULL only without memory.
 */
json_t *btf_print_value(const struct btf *btf, uint32_t type, const void *data, size_t bytes,
			enum btf_style style) __attribute__((warn_unused_result));

/* 16 bytes as an address: IPv4 where they are ::ffff:a.b.c.d. */
#define BTF_ADDRESS_CHARS 48
void btf_print_address(const uint8_t address[16], char ret[BTF_ADDRESS_CHARS]);

/* The key of an LPM trie: "10.0.0.0/8" for 4 or 16 bytes behind the length. */
json_t *btf_print_prefix(const void *key, size_t bytes) __attribute__((warn_unused_result));

/* The sum of what each CPU holds: numbers are added; of the rest, what is the same
 * everywhere is kept and what differs is null. @p values is an array of values of
 * one type. Returns-owned. */
json_t *btf_print_sum(const json_t *values) __attribute__((warn_unused_result));

/* On one line, for people: {packets: 3, bytes: 180}. */
void btf_print_line(const json_t *value, FILE *stream);

#endif
