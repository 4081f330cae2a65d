// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "yaml_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

/* Memory for nodes and texts comes in blocks and goes with the document. */
struct block {
	struct block *next;
	size_t used, bytes;
	_Alignas(16) char data[];
};

struct yaml_document {
	struct block *blocks;
	unsigned int nodes;
};

struct yaml_document *yaml_document_new(void)
{
	return calloc(1, sizeof(struct yaml_document));
}

void yaml_document_free(struct yaml_document *document)
{
	if (!document)
		return;
	while (document->blocks) {
		struct block *next = document->blocks->next;

		free(document->blocks);
		document->blocks = next;
	}
	free(document);
}

static void *allocate(struct yaml_document *document, size_t bytes)
{
	struct block *block = document->blocks;
	void *memory;

	bytes = (bytes + 15) & ~(size_t)15;
	if (!block || block->bytes - block->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		block->next = document->blocks;
		block->used = 0;
		block->bytes = size;
		document->blocks = block;
	}
	memory = block->data + block->used;
	block->used += bytes;
	return memset(memory, 0, bytes);
}

char *yaml_copy_text(struct yaml_document *document, const char *text, size_t bytes)
{
	char *copy = allocate(document, bytes + 1);

	if (copy)
		memcpy(copy, text, bytes);
	return copy;
}

struct yaml_node *yaml_node_new(struct yaml_document *document, enum yaml_kind kind,
				const char *file, unsigned int line, unsigned int column)
{
	struct yaml_node *node = NULL;

	if (document->nodes < YAML_NODES_MAX)
		node = allocate(document, sizeof(*node));
	if (!node)
		return NULL;
	document->nodes++;
	node->kind = kind;
	node->file = file;
	node->line = line;
	node->column = column;
	return node;
}

bool yaml_is_full(const struct yaml_document *document)
{
	return document->nodes >= YAML_NODES_MAX;
}

void yaml_append(struct yaml_node *parent, struct yaml_node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

int yaml_read(struct yaml_document *document, const char *path, struct yaml_node **ret,
	      struct diags *diags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = -1;
	char *text = NULL;
	struct stat status;
	size_t bytes = 0;
	ssize_t got = 0;

	if (fd < 0 || fstat(fd, &status)) {
		diag_add(diags, errno == ENOENT ? DIAG_NOT_FOUND : DIAG_FAILED, path, 0, 0, NULL,
			 "cannot read it: %s", strerror(errno));
		goto cleanup;
	}
	if (!S_ISREG(status.st_mode)) {
		diag_add(diags, DIAG_FAILED, path, 0, 0, "name a file",
			 "this is not a regular file");
		goto cleanup;
	}
	text = malloc(YAML_BYTES_MAX + 1); /* one more tells of excess */
	if (!text) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	while (bytes <= YAML_BYTES_MAX) {
		got = read(fd, text + bytes, YAML_BYTES_MAX + 1 - bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	if (got < 0) {
		diag_add(diags, DIAG_FAILED, path, 0, 0, NULL, "cannot read it: %s",
			 strerror(errno));
		goto cleanup;
	}
	err = yaml_parse(document, text, bytes, path, ret, diags);
cleanup:
	free(text);
	if (fd >= 0)
		close(fd);
	return err;
}

struct yaml_node *yaml_key(const struct yaml_node *mapping, const char *key)
{
	if (!mapping || mapping->kind != YAML_MAPPING)
		return NULL;
	yaml_for_each (child, mapping)
		if (!strcmp(child->text, key))
			return child;
	return NULL;
}

struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
	struct yaml_node *found = yaml_key(mapping, key);

	return found ? found->value : NULL;
}

int yaml_put(struct yaml_document *document, struct yaml_node *mapping, const char *key,
	     struct yaml_node *value)
{
	struct yaml_node *found = yaml_key(mapping, key);

	if (!found) {
		found = yaml_node_new(document, YAML_SCALAR, value->file, value->line,
				      value->column);
		if (!found)
			return document->nodes >= YAML_NODES_MAX ? -E2BIG : -ENOMEM;
		found->text = yaml_copy_text(document, key, strlen(key));
		if (!found->text)
			return -ENOMEM;
		yaml_append(mapping, found);
	}
	found->value = value;
	return 0;
}

struct yaml_node *yaml_mapping_new(struct yaml_document *document, const struct yaml_node *place)
{
	return yaml_node_new(document, YAML_MAPPING, place->file, place->line, place->column);
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && !node->quoted &&
	       (!node->text[0] || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *yaml_kind_name(const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_SCALAR:
		return "a value";
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a mapping";
	}
	return "something else";
}
