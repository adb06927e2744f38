/*
 * parent_rows.c
 *	  The rows of a parent step as requests are made of them.
 *
 * A request is made of one row, or with source.batchParents of as many in one: its columns are then
 * parallel arrays of their values, and it has the number of the last of them.  Rows
 * are taken in the order of their numbers and batches are never closed early, so a run
 * that goes on behind a batch makes the same ones that would have come.
 *
 * A row without a value in a column that the request names gets no request: the API
 * would be asked for something else, mostly for everything.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "run/step_data.h"
#include "utils/fmgrprotos.h"

/* What has been read for the next requests. */
typedef struct Reading
{
	List	   *rows;			/* of ParentRow *: those that have values */
	int64		after;			/* the number of the last one */
	int			left_out;		/* so many without since */
} Reading;

static int	read_rows(const StepRun *sr, int max_rows, Reading *reading);
static List *make_requests(const List *rows, const List *names, int batch, bool all);
static ParentRow *merge(const List *rows, const List *names);
static bool has_values(const char *json, const List *names);
static Jsonb *row_jsonb(const char *json);
static bool get_value(Jsonb *row, const char *name, JsonbValue *value);

List *
parent_rows_next(StepRun *sr)
{
	int			batch = Max(sr->step->source.batch_parents, 1);
	int			max_rows = Max(sr->budget.parents / batch, 1) * batch;
	Reading		reading = {.after = sr->next_parent};

	do
	{
		CHECK_FOR_INTERRUPTS();
		sr->parents_done = read_rows(sr, max_rows, &reading) < max_rows;
	} while (!sr->parents_done && list_length(reading.rows) < batch);
	if (sr->parents_done)
		sr->parents_left_out += reading.left_out;
	return make_requests(reading.rows, request_plan_parent_columns(sr->request_plan), sr->step->source.batch_parents,
						 sr->parents_done);
}

/* Returns how many rows there were. */
static int
read_rows(const StepRun *sr, int max_rows, Reading *reading)
{
	const List *names = request_plan_parent_columns(sr->request_plan);
	List	   *more = parent_catalog_get(sr->run->record->id, sr->step->id, reading->after, max_rows);
	ListCell   *lc;

	foreach(lc, more)
	{
		ParentRow  *row = lfirst(lc);

		reading->after = row->number;
		if (has_values(row->json, names))
		{
			row->left_out = reading->left_out;
			reading->left_out = 0;
			reading->rows = lappend(reading->rows, row);
			continue;
		}
		reading->left_out++;
		pfree(row->json);
		pfree(row);
	}
	return list_length(more);
}

ParentRow *
parent_rows_first(const StepRun *sr, const List *rows)
{
	const List *names = request_plan_parent_columns(sr->request_plan);
	int			batch = sr->step->source.batch_parents;
	List	   *complete = NIL;
	ListCell   *lc;

	foreach(lc, rows)
	{
		ParentRow  *row = palloc0(sizeof(ParentRow));

		row->json = lfirst(lc);
		if (has_values(row->json, names) && list_length(complete) < Max(batch, 1))
			complete = lappend(complete, row);
	}
	return complete != NIL ? linitial(make_requests(complete, names, batch, true)) : NULL;
}

/* batch 0: each row by itself, as it is.  all: no more rows come, so the last batch may be a small one. */
static List *
make_requests(const List *rows, const List *names, int batch, bool all)
{
	List	   *requests = NIL;
	List	   *some = NIL;
	ListCell   *lc;

	if (batch == 0)
		return unconstify(List *, rows);
	foreach(lc, rows)
	{
		some = lappend(some, lfirst(lc));
		if (list_length(some) < batch && !(all && lc == list_tail(rows)))
			continue;
		requests = lappend(requests, merge(some, names));
		list_free(some);
		some = NIL;
	}
	return requests;
}

/* {"id": [1, 2, 3], "region": ["eu", "us", "eu"]} */
static ParentRow *
merge(const List *rows, const List *names)
{
	ParentRow  *merged = palloc0(sizeof(ParentRow));
	JsonbParseState *state = NULL;
	JsonbValue *result;
	Jsonb	   *json;
	ListCell   *name;
	ListCell   *lc;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(name, names)
	{
		JsonbValue	value;

		value.type = jbvString;
		value.val.string.val = lfirst(name);
		value.val.string.len = strlen(lfirst(name));
		(void) pushJsonbValue(&state, WJB_KEY, &value);
		(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		foreach(lc, rows)
		{
			if (get_value(row_jsonb(((const ParentRow *) lfirst(lc))->json), lfirst(name), &value))
				(void) pushJsonbValue(&state, WJB_ELEM, &value);
		}
		(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	json = JsonbValueToJsonb(result);
	merged->json = JsonbToCString(NULL, &json->root, VARSIZE(json));
	foreach(lc, rows)
	{
		const ParentRow *row = lfirst(lc);

		merged->number = row->number;
		merged->left_out += row->left_out;
	}
	return merged;
}

static bool
has_values(const char *json, const List *names)
{
	Jsonb	   *row = row_jsonb(json);
	bool		found = true;
	JsonbValue	value;
	ListCell   *lc;

	foreach(lc, names)
		found = found && get_value(row, lfirst(lc), &value);
	pfree(row);
	return found;
}

static Jsonb *
row_jsonb(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/* False where there is none, or null. */
static bool
get_value(Jsonb *row, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&row->root, name, strlen(name), value) != NULL && value->type != jbvNull;
}
