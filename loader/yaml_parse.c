// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From text to tree, by the events of libyaml. */
#include "yaml_internal.h"

#include <stdarg.h>
#include <string.h>

#include <yaml.h>

#define STANDARD_TAGS "tag:yaml.org,2002:" /* what !! stands for */

/* One parse. Events come in the order of the text, so the place of an event is
 * found by going on from the last one. */
struct parse {
	struct yaml_document *document;
	struct diags *diags;
	const char *file;
	yaml_parser_t parser;
	const unsigned char *text, *at, *end;
	size_t at_line, at_column; /* of `at`, from 0; columns count characters */
	const unsigned char *line_start;
	struct yaml_node *stack[YAML_DEPTH_MAX];
	struct yaml_node *keys[YAML_DEPTH_MAX]; /* the key that waits for its value */
	unsigned int depth;
	struct yaml_node *root;
	unsigned int documents;
	bool failed;   /* a mistake was reported; the tree may still be good */
	bool unusable; /* it is not: something of it is unknown */
};

/* Bytes of the line break at @p at, 0 if there is none. As libyaml counts:
 * also U+0085, U+2028 and U+2029. */
static size_t line_break(const unsigned char *at, const unsigned char *end)
{
	if (*at == '\r')
		return end - at > 1 && at[1] == '\n' ? 2 : 1;
	if (*at == '\n')
		return 1;
	if (end - at > 1 && at[0] == 0xc2 && at[1] == 0x85)
		return 2;
	if (end - at > 2 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
		return 3;
	return 0;
}

/* libyaml counts characters, editors and diagnostics count bytes. */
static void place_of(struct parse *parse, const yaml_mark_t *mark, unsigned int *line,
		     unsigned int *column)
{
	while (parse->at < parse->end &&
	       (parse->at_line < mark->line ||
		(parse->at_line == mark->line && parse->at_column < mark->column))) {
		size_t bytes = line_break(parse->at, parse->end);

		if (bytes) {
			parse->at += bytes;
			parse->at_line++;
			parse->at_column = 0;
			parse->line_start = parse->at;
			continue;
		}
		do
			parse->at++;
		while (parse->at < parse->end && (*parse->at & 0xc0) == 0x80);
		parse->at_column++;
	}
	*line = (unsigned int)mark->line + 1;
	*column = (unsigned int)mark->column + 1;
	if (parse->at_line == mark->line && parse->at_column == mark->column)
		*column = (unsigned int)(parse->at - parse->line_start) + 1;
}

static void __attribute__((format(printf, 4, 5)))
complain(struct parse *parse, const yaml_mark_t *mark, const char *advice, const char *format, ...)
{
	unsigned int line, column;
	char text[512];
	va_list arguments;

	place_of(parse, mark, &line, &column);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(parse->diags, DIAG_INVALID, parse->file, line, column, advice, "%s", text);
	parse->failed = true;
}

/* What libyaml found. Reader errors have an offset in place of a mark. */
static void complain_syntax(struct parse *parse)
{
	const yaml_parser_t *parser = &parse->parser;
	yaml_mark_t mark = parser->problem_mark;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR) {
		diag_add(parse->diags, DIAG_FAILED, parse->file, 0, 0, NULL, "out of memory");
		parse->failed = true;
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		const unsigned char *bad = parse->text + parser->problem_offset;

		mark.line = mark.column = 0;
		for (const unsigned char *at = parse->text; at < bad && at < parse->end; at++) {
			mark.column++;
			if (*at == '\n') {
				mark.line++;
				mark.column = 0;
			}
		}
		/* Bytes already: place_of() would take them for characters. */
		diag_add(parse->diags, DIAG_INVALID, parse->file, (unsigned int)mark.line + 1,
			 (unsigned int)mark.column + 1, "save the file as UTF-8 text", "%s",
			 problem);
		parse->failed = true;
		return;
	}
	complain(parse, &mark,
		 strstr(problem, "character that cannot start any token")
			 ? "indent with spaces, and put values that begin with a special character "
			   "into quotes"
			 : "check indentation, brackets and quotes here and on the line before",
		 "not YAML: %s%s%s", problem, parser->context ? ", " : "",
		 parser->context ? parser->context : "");
}

/* Where a new node goes: the root, an item, a key, or the value of a key. */
static void attach(struct parse *parse, struct yaml_node *node)
{
	struct yaml_node *parent = parse->depth ? parse->stack[parse->depth - 1] : NULL;
	struct yaml_node **key = parse->depth ? &parse->keys[parse->depth - 1] : NULL;

	if (!parent) {
		parse->root = node;
	} else if (parent->kind == YAML_SEQUENCE) {
		yaml_append(parent, node);
	} else if (*key) {
		(*key)->value = node;
		*key = NULL;
	} else {
		*key = node;
	}
}

/* Is the next node of a mapping, in the place of a key? */
static bool expects_key(const struct parse *parse)
{
	return parse->depth && parse->stack[parse->depth - 1]->kind == YAML_MAPPING &&
	       !parse->keys[parse->depth - 1];
}

/* A key joins its mapping, unless it is there already: then the first stays, and
 * this one keeps its value to itself. */
static void take_key(struct parse *parse, struct yaml_node *key, const yaml_mark_t *mark)
{
	struct yaml_node *mapping = parse->stack[parse->depth - 1];
	struct yaml_node *first = yaml_key(mapping, key->text);
	char advice[64];

	if (!first) {
		yaml_append(mapping, key);
		return;
	}
	snprintf(advice, sizeof(advice), "it stands on line %u already; remove one of them",
		 first->line);
	complain(parse, mark, advice, "the key `%.*s` is there twice", 64, key->text);
}

static void refuse_properties(struct parse *parse, const yaml_mark_t *mark,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		complain(parse, mark, "remove it, and write the value where it is needed",
			 "the anchor `&%.*s` is YAML that workflows do not use", 64,
			 (const char *)anchor);
	if (tag) {
		const char *text = (const char *)tag;
		bool standard = !strncmp(text, STANDARD_TAGS, strlen(STANDARD_TAGS));

		complain(parse, mark, "remove it: the type of a value follows from its key",
			 "the tag `%s%.*s` is YAML that workflows do not use", standard ? "!!" : "",
			 64, text + (standard ? strlen(STANDARD_TAGS) : 0));
	}
}

/* -1: no more nodes may come, and that has been said. */
static struct yaml_node *make_node(struct parse *parse, enum yaml_kind kind,
				   const yaml_mark_t *mark)
{
	unsigned int line, column;
	struct yaml_node *node;

	place_of(parse, mark, &line, &column);
	node = yaml_node_new(parse->document, kind, parse->file, line, column);
	if (node)
		return node;
	if (yaml_is_full(parse->document))
		complain(parse, mark, "split the workflow", "the file has more than %d values",
			 YAML_NODES_MAX);
	else
		diag_add(parse->diags, DIAG_FAILED, parse->file, 0, 0, NULL, "out of memory");
	parse->failed = true;
	return NULL;
}

static int on_scalar(struct parse *parse, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t bytes = event->data.scalar.length;
	struct yaml_node *node = make_node(parse, YAML_SCALAR, &event->start_mark);

	if (!node)
		return -1;
	refuse_properties(parse, &event->start_mark, event->data.scalar.anchor,
			  event->data.scalar.tag);
	/* Behind an anchor or tag the mark is that of the anchor. Good enough:
	 * it is refused anyway. */
	if (memchr(value, '\0', bytes)) {
		complain(parse, &event->start_mark, "remove \\0 from it",
			 "a value that holds a NUL character");
		bytes = strlen(value);
	}
	node->text = yaml_copy_text(parse->document, value, bytes);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (!node->text) {
		diag_add(parse->diags, DIAG_FAILED, parse->file, 0, 0, NULL, "out of memory");
		return -1;
	}
	if (expects_key(parse))
		take_key(parse, node, &event->start_mark);
	attach(parse, node);
	return 0;
}

static int on_start(struct parse *parse, enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node;

	if (kind == YAML_SEQUENCE)
		refuse_properties(parse, &event->start_mark, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	else
		refuse_properties(parse, &event->start_mark, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	if (expects_key(parse)) {
		complain(parse, &event->start_mark, "write a word in front of the colon",
			 "a list or a mapping as a key");
		return -1;
	}
	if (parse->depth == YAML_DEPTH_MAX) {
		complain(parse, &event->start_mark, "no workflow needs that",
			 "more than %d levels of nesting", YAML_DEPTH_MAX);
		return -1;
	}
	node = make_node(parse, kind, &event->start_mark);
	if (!node)
		return -1;
	attach(parse, node);
	parse->stack[parse->depth] = node;
	parse->keys[parse->depth] = NULL;
	parse->depth++;
	return 0;
}

static int on_alias(struct parse *parse, const yaml_event_t *event)
{
	struct yaml_node *node = make_node(parse, YAML_SCALAR, &event->start_mark);

	if (!node)
		return -1;
	complain(parse, &event->start_mark, "write the value itself",
		 "the alias `*%.*s` is YAML that workflows do not use", 64,
		 (const char *)event->data.alias.anchor);
	/* Something must stand here, or keys and values would change places. */
	node->text = "";
	if (expects_key(parse))
		yaml_append(parse->stack[parse->depth - 1], node);
	attach(parse, node);
	parse->unusable = true;
	return 0;
}

/* 0 to go on, 1 at the end, -1 on a mistake after which nothing fits. */
static int on_event(struct parse *parse, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(parse, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(parse, YAML_SEQUENCE, event);
	case YAML_MAPPING_START_EVENT:
		return on_start(parse, YAML_MAPPING, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		parse->depth--;
		return 0;
	case YAML_ALIAS_EVENT:
		return on_alias(parse, event);
	case YAML_DOCUMENT_START_EVENT:
		if (event->data.document_start.tag_directives.start !=
		    event->data.document_start.tag_directives.end)
			complain(parse, &event->start_mark, "remove the %TAG line",
				 "tags are YAML that workflows do not use");
		if (parse->documents++) {
			complain(
				parse, &event->start_mark,
				"remove the --- and what follows, or put it into a file of its own",
				"a second document in one file");
			return -1;
		}
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	default:
		return 0;
	}
}

static int run_parser(struct parse *parse)
{
	int result;

	do {
		yaml_event_t event;

		if (!yaml_parser_parse(&parse->parser, &event)) {
			complain_syntax(parse);
			return -1;
		}
		result = on_event(parse, &event);
		yaml_event_delete(&event);
	} while (!result);
	return result < 0 ? -1 : 0;
}

int yaml_parse(struct yaml_document *document, const char *text, size_t bytes, const char *file,
	       struct yaml_node **ret, struct diags *diags)
{
	struct parse parse = {.document = document, .diags = diags};
	int err;

	if (bytes > YAML_BYTES_MAX) {
		diag_add(diags, DIAG_INVALID, file, 0, 0, "split the workflow",
			 "the file is larger than %d bytes", YAML_BYTES_MAX);
		return -1;
	}
	/* The mark that some editors put in front of UTF-8. */
	if (bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		bytes -= 3;
	}
	parse.file = yaml_copy_text(document, file, strlen(file));
	if (!parse.file || !yaml_parser_initialize(&parse.parser))
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	parse.text = parse.at = parse.line_start = (const unsigned char *)text;
	parse.end = parse.text + bytes;
	yaml_parser_set_encoding(&parse.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parse.parser, parse.text, bytes);
	err = run_parser(&parse);
	yaml_parser_delete(&parse.parser);
	if (!err && !parse.unusable)
		*ret = parse.root;
	return err || parse.failed ? -1 : 0;
}
