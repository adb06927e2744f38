/*
 * infer.c
 *	  Column types from sample items.
 *
 * The items are read as jsonb, whose numbers are exact.  jsonb forgets the
 * order of keys, so an item that brings a key not seen yet is asked for its
 * keys in order as json.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/pg_type.h"
#include "destination/create_table.h"
#include "destination/infer.h"
#include "destination/target.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "item/convert.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* What kinds of values were seen; a mask. */
#define SEEN_INTEGER	(1 << 0)	/* whole, fits bigint */
#define SEEN_NUMBER		(1 << 1)
#define SEEN_BOOLEAN	(1 << 2)
#define SEEN_TIMESTAMP	(1 << 3)
#define SEEN_DATE		(1 << 4)
#define SEEN_TEXT		(1 << 5)
#define SEEN_JSON		(1 << 6)

struct Sample
{
	int			nitems;
	Jsonb	  **items;			/* NULL: the item could not be read, its reason is reported when it is written */
	char	  **texts;			/* the items as JSON text */
	const List *contexts;		/* of ContextStretch * */
	Jsonb	   *scopes;			/* NULL: not known */
};

typedef struct SampleItem
{
	Sample	   *sample;
	int			number;
} SampleItem;

static void read_all(void *arg);
static void read_one(void *arg);
static int	kinds_of(Jsonb *item, const JsonPath *path);
static int	kinds_at(const Sample *sample, const JsonPath *path);
static void add_keys(List **keys, const Sample *sample, int item);
static bool has_new_key(const List *keys, Jsonb *object);
static int	walk_path(JsonbValue *value, const JsonPath *path, int step);
static JsonbValue *walk_step(JsonbValue *value, const JsonPathStep *step);
static int	kind_of(const JsonbValue *value);
static int	kind_of_number(Numeric number);
static int	kind_of_string(const char *text, int len);
static bool read_digits(const char **at, const char *end, int count, int *number);
static bool read_date(const char **at, const char *end);
static bool read_time(const char **at, const char *end);
static Oid	type_of_kinds(int kinds);

Sample *
sample_read(const ItemBatch *batch, int path, const Marks *marks, Jsonb *scopes)
{
	Sample	   *sample = palloc0(sizeof(Sample));
	ErrorData  *error;

	sample->nitems = batch->nitems;
	sample->contexts = batch->contexts;
	sample->scopes = scopes;
	sample->items = palloc0(sizeof(Jsonb *) * Max(batch->nitems, 1));
	sample->texts = palloc0(sizeof(char *) * Max(batch->nitems, 1));

	for (int i = 0; i < batch->nitems; i++)
	{
		if (!marks_has(marks, i))
			sample->texts[i] = cell_json_text(batch, &batch->cells[(int64) i * batch->npaths + path]);
	}

	/* An item that is beyond jsonb (a number of 200,000 digits) is looked for only where there is one. */
	error = subtransaction_run(read_all, sample, SUBTRANSACTION_KEEP);
	if (error != NULL && !error_is_of_value(error))
		error_rethrow(error);
	for (int i = 0; error != NULL && i < batch->nitems; i++)
	{
		SampleItem	item = {sample, i};
		ErrorData  *of_item = subtransaction_run(read_one, &item, SUBTRANSACTION_KEEP);

		if (of_item == NULL)
			continue;
		if (!error_is_of_value(of_item))
			error_rethrow(of_item);
		sample->items[i] = NULL;
	}
	return sample;
}

static void
read_all(void *arg)
{
	SampleItem	item = {arg, 0};

	for (; item.number < item.sample->nitems; item.number++)
		read_one(&item);
}

static void
read_one(void *arg)
{
	const SampleItem *item = arg;
	const char *text = item->sample->texts[item->number];

	if (text != NULL)
		item->sample->items[item->number] = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

Oid
sample_path_type(const Sample *sample, const JsonPath *path)
{
	return type_of_kinds(kinds_at(sample, path));
}

Oid
sample_context_type(const Sample *sample, const JsonPath *path)
{
	int			kinds = 0;
	ListCell   *lc;

	foreach(lc, sample->contexts)
	{
		const ItemContext *context = ((const ContextStretch *) lfirst(lc))->context;

		kinds |= kinds_of(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(context->json))), path);
	}
	return type_of_kinds(kinds);
}

Oid
sample_scope_type(const Sample *sample, const JsonPath *path)
{
	return type_of_kinds(sample->scopes != NULL ? kinds_of(sample->scopes, path) : 0);
}

static int
kinds_at(const Sample *sample, const JsonPath *path)
{
	int			kinds = 0;

	for (int i = 0; i < sample->nitems; i++)
	{
		if (sample->items[i] != NULL)
			kinds |= kinds_of(sample->items[i], path);
	}
	return kinds;
}

static int
kinds_of(Jsonb *item, const JsonPath *path)
{
	JsonbValue	root;

	if (JB_ROOT_IS_SCALAR(item))
		root = *getIthJsonbValueFromContainer(&item->root, 0);
	else
	{
		root.type = jbvBinary;
		root.val.binary.data = &item->root;
		root.val.binary.len = VARSIZE(item) - VARHDRSZ;
	}
	return walk_path(&root, path, 0);
}

List *
sample_columns(const Sample *sample, bool with_value)
{
	List	   *keys = NIL;
	List	   *columns = NIL;
	ListCell   *lc;

	for (int i = 0; i < sample->nitems; i++)
	{
		if (sample->items[i] == NULL)
			continue;
		if (!JB_ROOT_IS_OBJECT(sample->items[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("item %d is not an object, so its columns are not known", i + 1),
					 errhint("Say in \"transform\" which column takes {{ item }}.")));
		if (has_new_key(keys, sample->items[i]))
			add_keys(&keys, sample, i);
	}

	foreach(lc, keys)
	{
		char	   *key = lfirst(lc);
		JsonPathStep step = {PATH_KEY, key, strlen(key), 0};
		JsonPath	path = {1, &step};
		int			kinds = kinds_at(sample, &path);
		int			sqlstate;
		char	   *error;

		if (with_value && kinds == 0)
			continue;
		error = target_check_column(key, &sqlstate);
		if (error != NULL)
			ereport(ERROR,
					(errcode(sqlstate),
					 errmsg("a key of the items cannot be a column: %s", error),
					 errhint("Say in \"transform\" which column takes it.")));
		columns = lappend(columns, new_column(key, type_of_kinds(kinds), -1));
	}
	return columns;
}

List *
sample_keys(const Sample *sample, int item)
{
	Jsonb	   *object = sample->items[item];
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;
	List	   *keys = NIL;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return NIL;
	iterator = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvNull)
			keys = lappend(keys, pnstrdup(key.val.string.val, key.val.string.len));
	}
	return keys;
}

/* Adds the keys of an object that are not in the list yet, in the order in which they are written. */
static void
add_keys(List **keys, const Sample *sample, int item)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			argtypes[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(sample->texts[item])};

	SPI_connect();
	if (SPI_execute_with_args("SELECT k FROM pg_catalog.json_object_keys($1::pg_catalog.json) AS k",
							  1, argtypes, values, NULL, true, 0) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not read the keys of an item")));

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *key = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);

		if (!name_list_has(*keys, key))
		{
			MemoryContext old = MemoryContextSwitchTo(caller);

			*keys = lappend(*keys, pstrdup(key));
			MemoryContextSwitchTo(old);
		}
	}
	SPI_finish();
}

static bool
has_new_key(const List *keys, Jsonb *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		bool		known = true;
		char	   *key;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		known = name_list_has(keys, key);
		pfree(key);
		if (!known)
			return true;
	}
	return false;
}

/* Kinds of the values that the rest of the path leads to. */
static int
walk_path(JsonbValue *value, const JsonPath *path, int step)
{
	for (; step < path->nsteps; step++)
	{
		/* [*] delivers an array, whatever is in it */
		if (path->steps[step].kind == PATH_ALL)
			return SEEN_JSON;
		value = walk_step(value, &path->steps[step]);
		if (value == NULL)
			return 0;
	}
	return kind_of(value);
}

/* One step into a value; NULL where it leads nowhere. */
static JsonbValue *
walk_step(JsonbValue *value, const JsonPathStep *step)
{
	JsonbContainer *container;

	if (value->type != jbvBinary)
		return NULL;
	container = value->val.binary.data;

	if (step->kind == PATH_KEY)
		return JsonContainerIsObject(container) ? getKeyJsonValueFromContainer(container, step->key, step->keylen, NULL) : NULL;

	if (!JsonContainerIsArray(container))
		return NULL;
	if (step->index < 0)
	{
		if ((uint32) - (int64) step->index > JsonContainerSize(container))
			return NULL;
		return getIthJsonbValueFromContainer(container, JsonContainerSize(container) + step->index);
	}
	return getIthJsonbValueFromContainer(container, step->index);
}

static int
kind_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return 0;
		case jbvBool:
			return SEEN_BOOLEAN;
		case jbvNumeric:
			return kind_of_number(value->val.numeric);
		case jbvString:
			return kind_of_string(value->val.string.val, value->val.string.len);
		default:
			return SEEN_JSON;
	}
}

/* 1.0 is not counted as whole: the source may go on with 1.5. */
static int
kind_of_number(Numeric number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	bool		whole = text[strspn(text, "-0123456789")] == '\0';
	int			kind = SEEN_NUMBER;

	if (whole)
	{
		errno = 0;
		(void) strtoll(text, NULL, 10);
		if (errno == 0)
			kind = SEEN_INTEGER;
	}
	pfree(text);
	return kind;
}

/* A timestamp is "2024-05-01T12:00:00", a blank or "T" between, with fraction and zone or without. */
static int
kind_of_string(const char *text, int len)
{
	const char *at = text;
	const char *end = text + len;

	if (!read_date(&at, end))
		return SEEN_TEXT;
	if (at == end)
		return SEEN_DATE;
	if (*at != 'T' && *at != 't' && *at != ' ')
		return SEEN_TEXT;
	at++;
	return read_time(&at, end) && at == end ? SEEN_TIMESTAMP : SEEN_TEXT;
}

static bool
read_digits(const char **at, const char *end, int count, int *number)
{
	*number = 0;
	if (end - *at < count)
		return false;
	for (int i = 0; i < count; i++, (*at)++)
	{
		if (**at < '0' || **at > '9')
			return false;
		*number = *number * 10 + (**at - '0');
	}
	return true;
}

/* YYYY-MM-DD, a day that exists. */
static bool
read_date(const char **at, const char *end)
{
	int			year;
	int			month;
	int			day;

	if (!read_digits(at, end, 4, &year) || *at == end || *(*at)++ != '-' ||
		!read_digits(at, end, 2, &month) || *at == end || *(*at)++ != '-' ||
		!read_digits(at, end, 2, &day))
		return false;
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
		day <= day_tab[isleap(year)][month - 1];
}

/* hh:mm[:ss[.fraction]][Z|+hh|+hhmm|+hh:mm] */
static bool
read_time(const char **at, const char *end)
{
	int			hour;
	int			minute;
	int			second = 0;
	int			zone;

	if (!read_digits(at, end, 2, &hour) || *at == end || *(*at)++ != ':' ||
		!read_digits(at, end, 2, &minute))
		return false;
	if (*at < end && **at == ':')
	{
		(*at)++;
		if (!read_digits(at, end, 2, &second))
			return false;
		if (*at < end && **at == '.')
		{
			const char *fraction = ++(*at);

			while (*at < end && **at >= '0' && **at <= '9')
				(*at)++;
			if (*at == fraction || *at - fraction > 9)
				return false;
		}
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;

	if (*at == end)
		return true;
	if (**at == 'Z' || **at == 'z')
	{
		(*at)++;
		return true;
	}
	if (**at != '+' && **at != '-')
		return false;
	(*at)++;
	if (!read_digits(at, end, 2, &zone) || zone > 14)
		return false;
	if (*at < end && **at == ':')
		(*at)++;
	return *at == end || (read_digits(at, end, 2, &zone) && zone <= 59);
}

static Oid
type_of_kinds(int kinds)
{
	if (kinds & SEEN_JSON)
		return JSONBOID;
	switch (kinds)
	{
		case SEEN_INTEGER:
			return INT8OID;
		case SEEN_NUMBER:
		case SEEN_NUMBER | SEEN_INTEGER:
			return NUMERICOID;
		case SEEN_BOOLEAN:
			return BOOLOID;
		case SEEN_TIMESTAMP:
			return TIMESTAMPTZOID;
		case SEEN_DATE:
			return DATEOID;
		default:
			return TEXTOID;
	}
}
