/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A YAML text as a tree of nodes that know where they stand. Less than YAML on
 * purpose: one document, no anchors, aliases or tags, no duplicate keys, plain
 * words as keys, and everything bounded. Parsed by libyaml.
 */
#ifndef FAAS_LOADER_YAML_H
#define FAAS_LOADER_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

#define YAML_BYTES_MAX (1 << 20)
#define YAML_NODES_MAX 10000
#define YAML_DEPTH_MAX 32

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	const char *file;	   /* lives as long as the document */
	unsigned int line, column; /* from 1; columns count bytes */
	/* Scalars: the value, without quotes. NUL-terminated, holds no NUL. */
	const char *text;
	bool quoted;
	/* Sequences and mappings: the first child. Children of a mapping are
	 * its keys; the value of a key is key->value. */
	struct yaml_node *first, *last, *next;
	struct yaml_node *value;
	unsigned int count;
};

/* Owns all nodes that were made for it, also by later parses. */
struct yaml_document;

/* NULL only without memory. */
struct yaml_document *yaml_document_new(void);
void yaml_document_free(struct yaml_document *document);

/**
 * @brief Parse one text.
 *
 * @param text  @p bytes of UTF-8, at most YAML_BYTES_MAX.
 * @param file  Its name in diagnostics. Copied.
 * @param ret   The root node; NULL for an empty text. Set if the tree is
 *              complete, also after mistakes that leave a usable tree (an
 *              anchor, a duplicate key), so that checks can go on.
 * @return 0, or -1 with at least one diagnostic.
 */
int yaml_parse(struct yaml_document *document, const char *text, size_t bytes, const char *file,
	       struct yaml_node **ret, struct diags *diags) __attribute__((warn_unused_result));

/* Read a file and parse it. As yaml_parse(). */
int yaml_read(struct yaml_document *document, const char *path, struct yaml_node **ret,
	      struct diags *diags) __attribute__((warn_unused_result));

/* The key node of @p mapping that is spelled @p key, or NULL. */
struct yaml_node *yaml_key(const struct yaml_node *mapping, const char *key);

/* The value under @p key, or NULL. NULL also for a @p mapping that is none. */
struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);

/* Make @p value the value under @p key, which is made at the place of @p value
 * where there is none. 0, -ENOMEM, or -E2BIG when the document is full. */
int yaml_put(struct yaml_document *document, struct yaml_node *mapping, const char *key,
	     struct yaml_node *value) __attribute__((warn_unused_result));

/* An empty mapping that stands where @p place does. NULL: no memory, or full. */
struct yaml_node *yaml_mapping_new(struct yaml_document *document, const struct yaml_node *place);

/* Whether the node is a scalar that says nothing: nothing at all, ~, null. */
bool yaml_is_null(const struct yaml_node *node);

/* "a mapping", "a list", "a value" */
const char *yaml_kind_name(const struct yaml_node *node);

#define yaml_for_each(child, parent)                                                               \
	for (struct yaml_node *child = (parent)->first; child; child = child->next)

#endif
