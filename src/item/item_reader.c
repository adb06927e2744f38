/*
 * item_reader.c
 *	  Bytes of a JSON response in, projected items out: a push parser.
 *
 * The reader itself knows the structure around the items: it follows the way to the list,
 * which the finder knows, keeps everything on it and beside it as the envelope, and
 * leaves the list itself to list_reader.c.
 *
 * A reader is created once for a step and begun anew for each response; it may be
 * left in the middle of one.  All of its memory is in the context given to
 * item_reader_create.
 */
#include "postgres.h"

#include "item/reader_parts.h"
#include "utils/memutils.h"

static bool read_structure(ItemReader *reader, const char **p, const char *end);
static bool read_value(ItemReader *reader, const char **p, const char *end);
static bool read_key(ItemReader *reader, const char **p, const char *end);
static bool begin_value(ItemReader *reader, const char **p);
static bool end_container(ItemReader *reader, const char **p);
static bool finish_key(ItemReader *reader, const char *p);
static bool read_mark(ItemReader *reader, const char **p);
static void keep(ItemReader *reader, const char *p);
static bool fail_finder(ItemReader *reader);

ItemReader *
item_reader_create(const ItemReaderOptions *options, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ItemReader *reader = palloc0(sizeof(ItemReader));
	const JsonPathStep *steps = NULL;
	int			nsteps;

	reader->options = *options;
	reader->options.max_depth = Min(options->max_depth, SCANNER_MAX_DEPTH);
	reader->context = context;
	reader->finder = finder_create(options->data_path, context);
	nsteps = finder_item_steps(reader->finder, &steps);
	if (nsteps > 0)
	{
		JsonPath	path = {.nsteps = nsteps, .steps = unconstify(JsonPathStep *, steps)};

		reader->item_path = json_path_print(&path);
	}
	reader->projector = projector_create(steps, nsteps, options->paths, options->npaths,
										 reader->options.max_depth, context);
	/* each byte may be written as an escape of six */
	reader->max_key = (size_t) finder_longest_name(reader->finder) * 6 + 2;
	MemoryContextSwitchTo(old);
	item_reader_begin(reader, 0);
	return reader;
}

void
item_reader_begin(ItemReader *reader, int64 skip)
{
	finder_begin(reader->finder);
	reader->state = BEFORE_DOCUMENT;
	reader->skip = skip;
	reader->count = 0;
	reader->position = 0;
	reader->begun = false;
	reader->bom = 0;
	reader->key.len = 0;
	reader->carry.len = 0;
	reader->item_bytes = 0;
	reader->envelope.len = 0;
	reader->envelope_lost = false;
	reader->error[0] = '\0';
	reader->hint[0] = '\0';
}

void
item_reader_restart(ItemReader *reader)
{
	item_reader_begin(reader, Max(reader->skip, reader->count));
}

ItemReaderStatus
item_reader_push(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch)
{
	const char *p = data;
	const char *end = data + len;
	bool		full = false;
	bool		right = (reader->state != FAILED);

	reader->data = data;
	reader->kept_from = reader_in_list(reader) ? NULL : data;
	while (right && !full && p < end)
	{
		if (reader_in_list(reader))
			right = reader_read_list(reader, &p, end, batch, &full);
		else
			right = read_structure(reader, &p, end);
	}
	keep(reader, p);
	reader->position += p - data;
	*taken = p - data;
	if (!right)
	{
		reader->state = FAILED;
		return ITEMS_ERROR;
	}
	return full ? ITEMS_BATCH_FULL : ITEMS_MORE;
}

ItemReaderStatus
item_reader_finish(ItemReader *reader, ItemBatch *batch)
{
	if (reader->state == FAILED)
		return ITEMS_ERROR;

	/* Only a number at the root ends with the body. */
	if (reader->state == IN_VALUE && finder_depth(reader->finder) == 0 && scanner_finish(&reader->scanner))
		reader->state = AFTER_DOCUMENT;

	if (reader->state != AFTER_DOCUMENT)
	{
		if (!reader->begun)
			snprintf(reader->error, sizeof(reader->error), "the response is empty");
		else
			snprintf(reader->error, sizeof(reader->error),
					 "invalid JSON: the response ends after byte " INT64_FORMAT ", in the middle of the document",
					 reader->position);
		reader->state = FAILED;
		return ITEMS_ERROR;
	}
	if (!finder_finish(reader->finder))
	{
		fail_finder(reader);
		reader->state = FAILED;
		return ITEMS_ERROR;
	}
	return ITEMS_MORE;
}

const char *
item_reader_error(const ItemReader *reader, const char **hint)
{
	if (hint != NULL)
		*hint = (reader->hint[0] != '\0') ? reader->hint : NULL;
	return reader->error;
}

int64
item_reader_count(const ItemReader *reader)
{
	return reader->count;
}

const char *
item_reader_envelope(const ItemReader *reader, size_t *len)
{
	if (reader->envelope_lost)
	{
		*len = 0;
		return NULL;
	}
	*len = reader->envelope.len;
	return reader->envelope.len > 0 ? reader->envelope.bytes : "";
}

const char *
item_reader_list_path(const ItemReader *reader)
{
	return finder_list_path(reader->finder);
}

/* Reads a bit of what is around the list: false with the error set where it is wrong. */
static bool
read_structure(ItemReader *reader, const char **p, const char *end)
{
	if (reader->state == IN_VALUE)
		return read_value(reader, p, end);
	if (reader->state == IN_KEY)
		return read_key(reader, p, end);
	if (reader->state == BEFORE_DOCUMENT)
		return read_mark(reader, p);

	*p = json_skip_space(*p, end);
	if (*p == end)
		return true;
	reader->begun = true;
	switch (reader->state)
	{
		case AT_ELEMENT_OR_END:
			if (**p == ']')
				return end_container(reader, p);
			finder_element(reader->finder);
			return begin_value(reader, p);
		case AT_KEY_OR_END:
			if (**p == '}')
				return end_container(reader, p);
			if (**p != '"')
				return reader_fail_at(reader, *p, "a string or \"}\"");
			break;
		case AT_KEY:
			if (**p != '"')
				return reader_fail_at(reader, *p, "a string");
			break;
		case AT_COLON:
			if (**p != ':')
				return reader_fail_at(reader, *p, "\":\"");
			(*p)++;
			reader->state = AT_VALUE;
			return true;
		case AFTER_VALUE:
			if (**p == ',')
			{
				(*p)++;
				if (finder_in_object(reader->finder))
					reader->state = AT_KEY;
				else
				{
					finder_element(reader->finder);
					reader->state = AT_VALUE;
				}
				return true;
			}
			if (**p == (finder_in_object(reader->finder) ? '}' : ']'))
				return end_container(reader, p);
			return reader_fail_at(reader, *p, finder_in_object(reader->finder) ? "\",\" or \"}\"" : "\",\" or \"]\"");
		case AFTER_DOCUMENT:
			return reader_fail_at(reader, *p, "nothing more");
		default:
			return begin_value(reader, p);
	}

	/* at the quote of a key */
	reader->key.len = 0;
	reader->state = IN_KEY;
	scanner_begin(&reader->scanner, 0);
	return true;
}

/* A byte order mark is not JSON, but some servers send one. */
static bool
read_mark(ItemReader *reader, const char **p)
{
	static const unsigned char mark[3] = {0xEF, 0xBB, 0xBF};

	if ((unsigned char) **p == mark[reader->bom])
	{
		(*p)++;
		reader->kept_from = *p;
		if (++reader->bom == 3)
			reader->state = AT_VALUE;
		return true;
	}
	if (reader->bom > 0)
		return reader_fail_at(reader, *p, "a byte order mark");
	reader->state = AT_VALUE;
	return true;
}

/* The first byte of a value outside of the list. */
static bool
begin_value(ItemReader *reader, const char **p)
{
	/* The scanner sees the byte first: only then it is known to begin a value. */
	if (strchr("{[\"tfn-0123456789", **p) == NULL || **p == '\0')
		return reader_fail_at(reader, *p, "a value");
	switch (finder_value(reader->finder, **p))
	{
		case FINDER_SKIP:
			reader->state = IN_VALUE;
			scanner_begin(&reader->scanner, reader->options.max_depth - finder_depth(reader->finder));
			return true;
		case FINDER_ENTER:
			(*p)++;
			reader->state = finder_in_object(reader->finder) ? AT_KEY_OR_END : AT_ELEMENT_OR_END;
			return true;
		case FINDER_LIST:
			(*p)++;
			keep(reader, *p);
			reader->kept_from = NULL;
			reader->state = AT_ITEM_OR_END;
			return true;
		case FINDER_FAIL:
			break;
	}
	return fail_finder(reader);
}

/* Goes on walking over a value outside of the list. */
static bool
read_value(ItemReader *reader, const char **p, const char *end)
{
	switch (scanner_push(&reader->scanner, p, end))
	{
		case SCAN_MORE:
			return true;
		case SCAN_DONE:
			reader_end_value(reader);
			return true;
		case SCAN_ERROR:
			break;
	}
	return reader_fail_scan(reader, *p);
}

/* Goes on with the key of a member on the way to the list. */
static bool
read_key(ItemReader *reader, const char **p, const char *end)
{
	const char *start = *p;
	ScanStatus	status = scanner_push(&reader->scanner, p, end);

	/* One byte more than matters is kept, to tell the key is longer. */
	if (reader->key.len <= reader->max_key)
		reader_buffer_add(reader, &reader->key, start, Min(*p - start, reader->max_key + 1 - reader->key.len));
	switch (status)
	{
		case SCAN_MORE:
			return true;
		case SCAN_DONE:
			reader->state = AT_COLON;
			return finish_key(reader, *p);
		case SCAN_ERROR:
			break;
	}
	return reader_fail_scan(reader, *p);
}

/* Tells the finder of the member whose key is complete. */
static bool
finish_key(ItemReader *reader, const char *p)
{
	char	   *name = reader->key.bytes + 1;	/* after the quote */
	size_t		len = reader->key.len - 1;

	/* A key that cannot be stored or is too long is none that is looked for. */
	if (reader->key.len > reader->max_key || reader->scanner.unstorable != JSON_STORABLE)
		len = 0;
	else
		len = json_unescape(name, len - 1, name);	/* in place: it never grows */
	if (finder_member(reader->finder, name, len))
		return true;
	return fail_finder(reader);
}

/* At the closing bracket or brace of a container on the way to the list. */
static bool
end_container(ItemReader *reader, const char **p)
{
	(*p)++;
	finder_leave(reader->finder);
	reader_end_value(reader);
	return true;
}

/* A value outside of the list, or the list itself, has ended. */
void
reader_end_value(ItemReader *reader)
{
	reader->state = (finder_depth(reader->finder) == 0) ? AFTER_DOCUMENT : AFTER_VALUE;
}

/* The bytes from kept_from to p belong to the envelope. */
static void
keep(ItemReader *reader, const char *p)
{
	size_t		len;

	if (reader->kept_from == NULL || reader->envelope_lost)
		return;
	len = p - reader->kept_from;
	if (reader->envelope.len + len > reader->options.max_envelope_bytes)
	{
		reader->envelope_lost = true;
		return;
	}
	reader_buffer_add(reader, &reader->envelope, reader->kept_from, len);
}

/* Adds bytes, and a NUL that is not counted. */
void
reader_buffer_add(ItemReader *reader, ByteBuffer *buffer, const char *bytes, size_t len)
{
	if (buffer->size - buffer->len < len + 1)
	{
		buffer->size = Max(1024, (buffer->len + len + 1) * 2);
		if (buffer->bytes == NULL)
			buffer->bytes = MemoryContextAllocHuge(reader->context, buffer->size);
		else
			buffer->bytes = repalloc_huge(buffer->bytes, buffer->size);
	}
	memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
	buffer->bytes[buffer->len] = '\0';
}

/* Sets the error: the byte at p is not what is expected.  Returns false. */
bool
reader_fail_at(ItemReader *reader, const char *p, const char *expected)
{
	int64		position = reader->position + (p - reader->data) + 1;
	unsigned char c = (unsigned char) *p;
	char		found[16];

	if (c > ' ' && c < 0x7F && c != '"')
		snprintf(found, sizeof(found), "\"%c\"", c);
	else if (c == '"')
		strlcpy(found, "a quote", sizeof(found));
	else
		snprintf(found, sizeof(found), "0x%02X", c);
	snprintf(reader->error, sizeof(reader->error), "invalid JSON at byte " INT64_FORMAT ": expected %s, found %s",
			 position, expected, found);
	if (c == '<' && reader->state == AT_VALUE && finder_depth(reader->finder) == 0)
		snprintf(reader->hint, sizeof(reader->hint), "the response looks like HTML or XML, check the url");
	return false;
}

/* Sets the error that the scanner has found at p.  Returns false. */
bool
reader_fail_scan(ItemReader *reader, const char *p)
{
	if (!reader->scanner.too_deep)
		return reader_fail_at(reader, p, reader->scanner.expected);
	snprintf(reader->error, sizeof(reader->error),
			 "the response is nested too deep at byte " INT64_FORMAT,
			 reader->position + (p - reader->data) + 1);
	return false;
}

/* Sets the error to what the finder says.  Returns false. */
static bool
fail_finder(ItemReader *reader)
{
	const char *hint;

	strlcpy(reader->error, finder_problem(reader->finder, &hint), sizeof(reader->error));
	if (hint != NULL)
		strlcpy(reader->hint, hint, sizeof(reader->hint));
	return false;
}
