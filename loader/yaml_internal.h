/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Making nodes: shared by yaml.c and yaml_parse.c only. */
#ifndef FAAS_LOADER_YAML_INTERNAL_H
#define FAAS_LOADER_YAML_INTERNAL_H

#include "yaml.h"

/* Both live as long as the document. NULL: no memory, or no more nodes. */
char *yaml_copy_text(struct yaml_document *document, const char *text, size_t bytes);
struct yaml_node *yaml_node_new(struct yaml_document *document, enum yaml_kind kind,
				const char *file, unsigned int line, unsigned int column);

/* Whether it has as many nodes as it may. */
bool yaml_is_full(const struct yaml_document *document);

/* Make @p child the last of @p parent. */
void yaml_append(struct yaml_node *parent, struct yaml_node *child);

#endif
