/*
 * item_reader.c
 *	  Bytes of a response in, projected items out: a push parser.
 *
 * The bytes become text (body_decoder.c) and the text goes to the reader of its
 * format.  Where no charset has to be converted, the bytes are the text, and nothing is copied.
 * Of converted text the batch may leave a part unread: it waits in the
 * decoder for the next push.
 *
 * For JSON the reader itself knows the structure around the items: it follows the way
 * to the list, which the finder knows, keeps everything on it and beside it as
 * the envelope, and leaves the list itself to list_reader.c.
 *
 * A reader is created once for a step and begun anew for each response; it may be
 * left in the middle of one.  All of its memory is in the context given to
 * item_reader_create.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/content_type.h"
#include "item/reader_parts.h"
#include "utils/memutils.h"

/* What is kept of an item's memory for the next one, where the options do not say it. */
#define KEEP_BYTES		(256 * 1024)

static ItemReaderStatus push_encoded(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch);
static ItemReaderStatus push_text(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch);
static bool look_for_end(ItemReader *reader);
static ItemReaderStatus finish_json(ItemReader *reader);
static bool set_format(ItemReader *reader, const ContentType *type);
static ItemReaderStatus failed(ItemReader *reader);
static void begin_list(ItemReader *reader, const char *p);
static bool read_structure(ItemReader *reader, const char **p, const char *end);
static bool read_value(ItemReader *reader, const char **p, const char *end);
static bool read_key(ItemReader *reader, const char **p, const char *end);
static bool begin_value(ItemReader *reader, const char **p);
static bool end_container(ItemReader *reader, const char **p);
static bool finish_key(ItemReader *reader, const char *p);
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
	if (options->patience_bytes == 0)
		reader->options.patience_bytes = (int64) options->max_item_bytes * ITEM_READER_PATIENCE;
	if (options->keep_bytes == 0)
		reader->options.keep_bytes = KEEP_BYTES;
	reader->context = context;
	reader->finder = finder_create(options->data_path, context);
	nsteps = finder_item_steps(reader->finder, &steps);
	if (options->zip != NIL || finder_has_members(reader->finder))
	{
		/* What the shape makes is the item proper. */
		reader->shape = shape_create(steps, nsteps, options->zip, reader->options.max_depth, reader->options.keep_bytes, context);
		nsteps = 0;
	}
	else if (nsteps > 0)
	{
		JsonPath	path = {.nsteps = nsteps, .steps = unconstify(JsonPathStep *, steps)};

		reader->item_path = json_path_print(&path);
	}
	/* A member's value may be nested as deep as an item, and its item one more. */
	reader->projector = projector_create(steps, nsteps, options->paths, options->npaths,
										 reader->options.max_depth + (reader->shape != NULL), context);
	reader->decoder = decoder_create(context);
	reader->key.context = context;
	reader->carry.context = context;
	reader->envelope.context = context;
	reader->envelope_closers.context = context;
	/* each byte may be written as an escape of six */
	reader->max_key = (size_t) finder_longest_name(reader->finder) * 6 + 2;
	MemoryContextSwitchTo(old);
	item_reader_begin(reader, 0);
	return reader;
}

void
item_reader_begin(ItemReader *reader, int64 skip)
{
	ContentType unknown;

	item_reader_forget(reader);
	finder_begin(reader->finder);
	decoder_begin(reader->decoder);
	if (reader->shape)
		shape_begin(reader->shape);
	reader->text_left = 0;
	reader->fingerprint = 0;
	reader->skip = skip;
	reader->skipped = 0;
	reader->differs = false;
	reader->count = 0;
	reader->position = 0;
	reader->item_end = 0;
	reader->endless = false;
	reader->begun = false;
	reader->item_bytes = 0;
	reader->envelope_lost = false;
	reader->envelope_whole = 0;
	reader->envelope_closers.len = 0;
	reader->error[0] = '\0';
	reader->hint[0] = '\0';
	content_type_parse(NULL, &unknown);
	(void) set_format(reader, &unknown);
}

void
item_reader_expect(ItemReader *reader, uint64 fingerprint)
{
	reader->skipped = fingerprint;
}

bool
item_reader_skipped_others(const ItemReader *reader)
{
	return reader->differs ||
		(reader->skipped != 0 && reader->count == reader->skip && reader->fingerprint != reader->skipped);
}

void
item_reader_restart(ItemReader *reader)
{
	item_reader_begin(reader, Max(reader->skip, reader->count));
}

bool
item_reader_set_content_type(ItemReader *reader, const char *content_type)
{
	ContentType type;

	content_type_parse(content_type, &type);
	if (!set_format(reader, &type))
		return false;
	if (type.charset[0] != '\0' && !decoder_set_charset(reader->decoder, type.charset))
	{
		(void) reader_fail(reader, "%s", decoder_problem(reader->decoder));
		reader->state = FAILED;
		return false;
	}
	return true;
}

ItemReaderStatus
item_reader_push(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch)
{
	if (likely(decoder_is_plain(reader->decoder) && reader->text_left == 0))
		return push_text(reader, data, len, taken, batch);
	return push_encoded(reader, data, len, taken, batch);
}

ItemReaderStatus
item_reader_finish(ItemReader *reader, ItemBatch *batch)
{
	ItemReaderStatus status;
	size_t		taken;
	bool		right = true;

	/* What is converted and not read yet, and then what only the end of the body gives. */
	status = push_encoded(reader, NULL, 0, &taken, batch);
	if (status != ITEMS_MORE)
		return status;
	if (!decoder_finish(reader->decoder, &reader->text, &reader->text_left))
	{
		(void) reader_fail(reader, "%s", decoder_problem(reader->decoder));
		return failed(reader);
	}
	status = push_encoded(reader, NULL, 0, &taken, batch);
	if (status != ITEMS_MORE)
		return status;

	if (reader->format == FORMAT_JSON)
		return finish_json(reader);
	if (batch_is_full(batch) && reader->count >= reader->skip)
		return ITEMS_BATCH_FULL;
	if (reader->format == FORMAT_NDJSON)
		right = reader_finish_lines(reader, batch);
	else
		right = reader_finish_rows(reader, batch);
	return right ? ITEMS_MORE : failed(reader);
}

const char *
item_reader_error(const ItemReader *reader, const char **hint)
{
	if (hint != NULL)
		*hint = (reader->hint[0] != '\0') ? reader->hint : NULL;
	return reader->error;
}

int
item_reader_sqlstate(const ItemReader *reader)
{
	return reader->endless ? ERRCODE_PROGRAM_LIMIT_EXCEEDED : ERRCODE_INVALID_JSON_TEXT;
}

int64
item_reader_count(const ItemReader *reader)
{
	return reader->count;
}

size_t
item_reader_held(const ItemReader *reader)
{
	return reader->carry.size + reader->key.size + reader->envelope.size + (reader->shape ? shape_held(reader->shape) : 0);
}

void
item_reader_forget(ItemReader *reader)
{
	buffer_reset(&reader->carry, reader->options.keep_bytes);
	buffer_reset(&reader->key, reader->options.keep_bytes);
	buffer_reset(&reader->envelope, reader->options.keep_bytes);
	if (reader->shape)
		shape_forget(reader->shape);
}

const char *
item_reader_envelope(const ItemReader *reader, size_t *len)
{
	const char *envelope = reader->envelope.len > 0 ? reader->envelope.bytes : "";

	/* There is nothing around lines and rows. */
	if (reader->format != FORMAT_JSON)
		envelope = "null";
	if (reader->envelope_lost)
		envelope = NULL;
	*len = envelope != NULL ? strlen(envelope) : 0;
	return envelope;
}

char *
item_reader_envelope_so_far(const ItemReader *reader, size_t *len)
{
	const ByteBuffer *envelope = &reader->envelope;
	const ByteBuffer *closers = &reader->envelope_closers;
	char	   *result;

	*len = 0;
	if (reader->format != FORMAT_JSON || reader->state == AFTER_DOCUMENT)
	{
		const char *whole = item_reader_envelope(reader, len);

		return whole != NULL ? pstrdup(whole) : NULL;
	}
	if (reader->envelope_lost || reader->envelope_whole == 0)
		return NULL;
	*len = reader->envelope_whole + closers->len;
	result = palloc(*len + 1);
	memcpy(result, envelope->bytes, reader->envelope_whole);
	memcpy(result + reader->envelope_whole, closers->bytes, closers->len);
	result[*len] = '\0';
	return result;
}

uint64
item_reader_fingerprint(const ItemReader *reader)
{
	return reader->fingerprint;
}

const char *
item_reader_list_path(const ItemReader *reader)
{
	return finder_list_path(reader->finder);
}

/* Reads what the decoder has given, and then the bytes, through the decoder until they are text as they are. */
static ItemReaderStatus
push_encoded(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch)
{
	size_t		n;

	*taken = 0;
	for (;;)
	{
		if (reader->state == FAILED)
			return ITEMS_ERROR;
		if (reader->text_left > 0)
		{
			ItemReaderStatus status = push_text(reader, reader->text, reader->text_left, &n, batch);

			reader->text += n;
			reader->text_left -= n;
			if (status != ITEMS_MORE)
				return status;
		}
		if (len == 0)
			return ITEMS_MORE;
		if (decoder_is_plain(reader->decoder))
		{
			ItemReaderStatus status = push_text(reader, data, len, &n, batch);

			*taken += n;
			return status;
		}
		if (!decoder_push(reader->decoder, data, len, &n, &reader->text, &reader->text_left))
		{
			/* Items in the text before may well be right, but the response is not. */
			(void) reader_fail(reader, "%s", decoder_problem(reader->decoder));
			return failed(reader);
		}
		data += n;
		len -= n;
		*taken += n;
	}
}

/* Reads text until it ends or the batch is full. */
static ItemReaderStatus
push_text(ItemReader *reader, const char *data, size_t len, size_t *taken, ItemBatch *batch)
{
	const char *p = data;
	const char *end = data + len;
	bool		full = false;
	bool		right = (reader->state != FAILED);
	int64		before = reader->count;

	reader->data = data;
	reader->kept_from = (reader->format != FORMAT_JSON || reader_in_list(reader)) ? NULL : data;
	while (right && !full && p < end)
	{
		if (reader_in_list(reader) && reader->format == FORMAT_JSON)
			right = reader_read_list(reader, &p, end, batch, &full);
		else if (reader->format == FORMAT_JSON)
			right = read_structure(reader, &p, end);
		else if (reader->format == FORMAT_NDJSON)
			right = reader_read_lines(reader, &p, end, batch, &full);
		else
			right = reader_read_rows(reader, &p, end, batch, &full);
	}
	keep(reader, p);
	reader->position += p - data;
	*taken = p - data;
	if (reader->count != before)
		reader->item_end = reader->position;
	if (right)
		right = look_for_end(reader);
	if (!right)
		return failed(reader);
	return full ? ITEMS_BATCH_FULL : ITEMS_MORE;
}

/* False with the error set where too much has gone by without the end of an item. */
static bool
look_for_end(ItemReader *reader)
{
	int64		patience = reader->options.patience_bytes;

	if (reader->position - reader->item_end <= patience)
		return true;
	reader->endless = true;
	return reader_fail(reader, "the response has an item or something else that does not end after " INT64_FORMAT " bytes", patience);
}

static ItemReaderStatus
finish_json(ItemReader *reader)
{
	/* Only a number at the root ends with the body. */
	if (reader->state == IN_VALUE && finder_depth(reader->finder) == 0 && scanner_end(&reader->scanner))
		reader->state = AFTER_DOCUMENT;

	if (reader->state != AFTER_DOCUMENT)
	{
		if (!reader->begun)
			(void) reader_fail(reader, "the response is empty");
		else
			(void) reader_fail(reader, "invalid JSON: the response ends after byte " INT64_FORMAT ", in the middle of the document",
							   reader->position + decoder_dropped(reader->decoder));
		return failed(reader);
	}
	if (!finder_finish(reader->finder))
	{
		fail_finder(reader);
		return failed(reader);
	}
	return ITEMS_MORE;
}

/* The format that the options state, or else the type; false with the error set where it does not go with them. */
static bool
set_format(ItemReader *reader, const ContentType *type)
{
	const ItemReaderOptions *options = &reader->options;
	const char *name;
	bool		right = true;

	reader->format = options->format != FORMAT_BY_CONTENT_TYPE ? options->format : type->format;
	if (reader->format == FORMAT_JSON)
	{
		reader->state = AT_VALUE;
		return true;
	}

	name = reader->format == FORMAT_CSV ? "CSV" : "NDJSON";
	if (options->data_path != NULL && options->data_path->nsteps > 0)
		right = reader_fail(reader, "the response is %s, which has no list of items that dataPath could lead to", name);
	else if (options->zip != NIL && (reader->format == FORMAT_CSV || !shape_awaits_names(reader->shape)))
		right = reader_fail(reader, "the response is %s, which has nothing to zip", name);
	else if (reader->format == FORMAT_CSV && type->headless)
		right = reader_fail(reader, "the response is CSV without a header row, so its columns have no names");
	if (!right)
	{
		reader->state = FAILED;
		return false;
	}
	if (reader->format == FORMAT_CSV)
		reader_begin_rows(reader, type->tabs ? '\t' : ',');
	reader->state = reader->format == FORMAT_CSV ? IN_ROWS : AT_LINE;
	return true;
}

/* Reads a bit of what is around the list: false with the error set where it is wrong. */
static bool
read_structure(ItemReader *reader, const char **p, const char *end)
{
	if (reader->state == IN_VALUE)
		return read_value(reader, p, end);
	if (reader->state == IN_KEY)
		return read_key(reader, p, end);

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
			begin_list(reader, *p);
			return true;
		case FINDER_FAIL:
			break;
	}
	return fail_finder(reader);
}

/* The list has begun before p. */
static void
begin_list(ItemReader *reader, const char *p)
{
	ByteBuffer *closers = &reader->envelope_closers;
	bool		members = reader_has_members(reader);

	keep(reader, p);
	reader->kept_from = NULL;
	reader->envelope_whole = reader->envelope.len;
	closers->len = 0;
	buffer_add(closers, members ? "}" : "]", 1);
	for (int depth = finder_depth(reader->finder); depth > 0; depth--)
		buffer_add(closers, finder_is_object_at(reader->finder, depth) ? "}" : "]", 1);

	if (reader->shape)
	{
		size_t		len;
		char	   *envelope = item_reader_envelope_so_far(reader, &len);

		shape_begin_list(reader->shape, envelope, len);
		if (envelope)
			pfree(envelope);
	}
	reader->state = members ? AT_MEMBER_OR_END : AT_ITEM_OR_END;
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
		buffer_add(&reader->key, start, Min(*p - start, reader->max_key + 1 - reader->key.len));
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
	buffer_add(&reader->envelope, reader->kept_from, len);
}

/* Sets the error.  Returns false. */
bool
reader_fail(ItemReader *reader, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(reader->error, sizeof(reader->error), format, args);
	va_end(args);
	return false;
}

static ItemReaderStatus
failed(ItemReader *reader)
{
	reader->state = FAILED;
	return ITEMS_ERROR;
}

/* Sets the error: the byte at p is not what is expected.  Returns false. */
bool
reader_fail_at(ItemReader *reader, const char *p, const char *expected)
{
	int64		position = reader->position + decoder_dropped(reader->decoder) + (p - reader->data) + 1;
	unsigned char c = (unsigned char) *p;
	char		found[16];

	if (c > ' ' && c < 0x7F && c != '"')
		snprintf(found, sizeof(found), "\"%c\"", c);
	else if (c == '"')
		strlcpy(found, "a quote", sizeof(found));
	else
		snprintf(found, sizeof(found), "0x%02X", c);
	(void) reader_fail(reader, "invalid JSON at byte " INT64_FORMAT "%s: expected %s, found %s",
					   position, decoder_converts(reader->decoder) ? " of the text as UTF-8" : "", expected, found);
	if (c == '<' && reader->count == 0 &&
		(reader->format == FORMAT_NDJSON || (reader->state == AT_VALUE && finder_depth(reader->finder) == 0)))
		strlcpy(reader->hint, "the response looks like HTML or XML, check the url", sizeof(reader->hint));
	return false;
}

/* Sets the error that the scanner has found at p.  Returns false. */
bool
reader_fail_scan(ItemReader *reader, const char *p)
{
	if (!reader->scanner.too_deep)
		return reader_fail_at(reader, p, reader->scanner.expected);
	return reader_fail(reader, "the response is nested too deep at byte " INT64_FORMAT,
					   reader->position + decoder_dropped(reader->decoder) + (p - reader->data) + 1);
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
