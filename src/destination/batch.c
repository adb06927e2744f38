/*
 * batch.c
 *	  databite.batch(): the batch that is being written, as rows.
 *
 * Lifecycle: a binding (types, converters, names for errors) lives as long as
 * its write plan.  A batch is bound to it around each execution of the
 * statement.  Each call of the function makes a tuplestore in the query's
 * memory, which the executor ends; Datums are converted in a context that is
 * reset every few rows, so a batch never exists twice in converted form.
 *
 * In a step that is validated, a value that cannot be converted rejects its
 * item: see convert_or_reject.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/clip.h"
#include "base/errors.h"
#include "destination/batch.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

/* A value in an error message is cut to that many bytes. */
#define SHOWN_VALUE_BYTES	100

/* Converted values are freed after that many rows, or bytes: a value in jsonb leaves fifty times its text behind. */
#define ROWS_PER_RESET		32
#define BYTES_PER_RESET		(512 * 1024)

typedef struct BoundInput
{
	int			path;			/* number of the path in the batch; -1: the item's index or context */
	CellConverter *converter;	/* NULL for the index */
	Oid			type;
	char	   *column;			/* the column it goes to as it is, or NULL */
	char	   *printed_path;
	bool		required;
	bool		live_only;		/* NULL for items whose row is to be deleted */
	const TemplateInput *input;
} BoundInput;

struct BatchBinding
{
	int			ninputs;
	BoundInput *inputs;
	int			npaths;
	bool		converting;		/* stays so after an error of a conversion */
	const char *failed_column;	/* of that error, or NULL */

	/* while a batch is bound */
	const ItemBatch *batch;		/* NULL: none */
	int64		first_item;
	Marks	   *marks;
	int			trigger_depth;	/* of whoever bound it */
	BatchBinding *outer;		/* the binding that was current before */
};

/* The context of the items that are converted just now, which is converted once for all of them. */
typedef struct ConvertedContext
{
	const ContextStretch *stretch;	/* NULL: none yet */
	Datum		value;
} ConvertedContext;

/* What is converted just now, for the error context. */
typedef struct ConversionPosition
{
	const BatchBinding *binding;
	int64		item;			/* in the batch */
	int			input;			/* -1: the item as such */
	MemoryContext memory;		/* for what is needed longer than a row */
	ConvertedContext context;
} ConversionPosition;

struct BatchRows
{
	ConversionPosition position;
};

static BatchBinding *current_binding = NULL;

PG_FUNCTION_INFO_V1(databite_batch);

static int	trigger_depth(void);
static bool batch_input_is_path(const TemplateInput *input);
static void check_row_type(const BatchBinding *binding, TupleDesc row_type);
static void fill_rows(const BatchBinding *binding, TupleDesc row_type, Tuplestorestate *rows);
static void convert_items(const BatchBinding *binding, ConversionPosition *position, bool reject,
						  TupleDesc row_type, Tuplestorestate *rows);
static void convert_or_reject_items(const BatchBinding *binding, ConversionPosition *position,
									TupleDesc row_type, Tuplestorestate *rows);
static void convert_item(const BatchBinding *binding, ConversionPosition *position,
						 Datum *values, bool *nulls);
static void begin_conversions(MemoryContext context);
static bool convert_or_reject(const BatchBinding *binding, ConversionPosition *position,
							  Datum *values, bool *nulls);
static void reject_item(const BatchBinding *binding, const ConversionPosition *position, const ErrorData *error);
static Datum convert_context(const ItemBatch *batch, ConversionPosition *position, bool *isnull);
static void raise_bad_item(const BatchBinding *binding, ConversionPosition *position);
static void raise_null(const BoundInput *input);
static int	rows_memory_kb(const ItemBatch *batch);
static void conversion_error_context(void *arg);

BatchBinding *
batch_binding_create(const List *inputs, const List *paths, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	BatchBinding *binding = palloc0(sizeof(BatchBinding));
	int			ninputs = list_length(inputs);

	binding->ninputs = ninputs;
	binding->inputs = palloc0(sizeof(BoundInput) * Max(ninputs, 1));
	binding->npaths = list_length(paths);

	for (int i = 0; i < ninputs; i++)
	{
		const TemplateInput *input = list_nth(inputs, i);
		BoundInput *bound = &binding->inputs[i];

		bound->input = input;
		bound->path = batch_input_is_path(input) ? batch_path_number(paths, input->path) : -1;
		bound->type = input->type;
		if (batch_input_is_path(input))
		{
			bound->converter = cell_converter_create(input->type, input->typmod, context);
			bound->printed_path = json_path_print(input->path);
		}
	}

	MemoryContextSwitchTo(old);
	return binding;
}

void
batch_binding_name_column(BatchBinding *binding, const TemplateInput *input,
						  const char *column, bool required)
{
	for (int i = 0; i < binding->ninputs; i++)
	{
		BoundInput *bound = &binding->inputs[i];

		if (bound->input != input)
			continue;
		bound->column = MemoryContextStrdup(GetMemoryChunkContext(binding), column);
		bound->required = required;
	}
}

void
batch_binding_leave_deleted(BatchBinding *binding, const TemplateInput *input)
{
	for (int i = 0; i < binding->ninputs; i++)
	{
		if (binding->inputs[i].input == input)
			binding->inputs[i].live_only = true;
	}
}

int
batch_binding_path(const BatchBinding *binding, const TemplateInput *input)
{
	for (int i = 0; i < binding->ninputs; i++)
	{
		if (binding->inputs[i].input == input)
			return binding->inputs[i].path;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg_internal("template input \"%s\" is not part of the batch", input->name)));
}

char *
batch_from_clause(const List *inputs)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "databite.batch() AS b(");
	foreach(lc, inputs)
	{
		const TemplateInput *input = lfirst(lc);

		appendStringInfo(&sql, "%s %s, ", input->name,
						 format_type_extended(input->type, input->typmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	}
	appendStringInfoString(&sql, "ord bigint)");
	return sql.data;
}

List *
batch_add_paths(List *paths, const List *inputs)
{
	ListCell   *lc;

	foreach(lc, inputs)
	{
		const TemplateInput *input = lfirst(lc);

		if (batch_input_is_path(input) && batch_path_number(paths, input->path) < 0)
			paths = lappend(paths, input->path);
	}
	return paths;
}

/* Is it found in the item by a path? */
static bool
batch_input_is_path(const TemplateInput *input)
{
	return !input->is_index && !input->is_context;
}

int
batch_path_number(const List *paths, const JsonPath *path)
{
	ListCell   *lc;

	foreach(lc, paths)
	{
		if (json_path_equal(lfirst(lc), path))
			return foreach_current_index(lc);
	}
	return -1;
}

int
batch_paths(const List *paths, const JsonPath *const **array)
{
	int			npaths = list_length(paths);
	const JsonPath **result = palloc(sizeof(JsonPath *) * Max(npaths, 1));

	for (int i = 0; i < npaths; i++)
		result[i] = batch_utf8_path(list_nth(paths, i));
	*array = result;
	return npaths;
}

const JsonPath *
batch_utf8_path(const JsonPath *path)
{
	JsonPath   *copy;

	if (GetDatabaseEncoding() == PG_UTF8)
		return path;
	copy = palloc(sizeof(JsonPath));
	copy->nsteps = path->nsteps;
	copy->steps = palloc(Max(path->nsteps, 1) * sizeof(JsonPathStep));
	for (int i = 0; i < path->nsteps; i++)
	{
		JsonPathStep *step = &copy->steps[i];

		*step = path->steps[i];
		if (step->kind != PATH_KEY)
			continue;
		step->key = pg_server_to_any(step->key, step->keylen, PG_UTF8);
		step->keylen = strlen(step->key);
	}
	return copy;
}

void
batch_bind(BatchBinding *binding, const ItemBatch *batch, int64 first_item, Marks *marks)
{
	if (binding->batch != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("this step is already writing a batch"),
				 errhint("A trigger of the table must not run the job that writes to the table.")));
	if (batch->npaths < binding->npaths)	/* behind those of the statement may be some that the run looks at */
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("batch has %d paths, statement needs %d", batch->npaths, binding->npaths)));

	binding->batch = batch;
	binding->first_item = first_item;
	binding->converting = false;
	binding->failed_column = NULL;
	binding->marks = marks;
	binding->trigger_depth = trigger_depth();
	binding->outer = current_binding;
	current_binding = binding;
}

void
batch_unbind(void)
{
	BatchBinding *binding = current_binding;

	if (binding == NULL)
		return;
	current_binding = binding->outer;
	binding->batch = NULL;
	binding->marks = NULL;
	binding->outer = NULL;
}

bool
batch_binding_failed(const BatchBinding *binding, const char **column)
{
	*column = binding->failed_column;
	return binding->converting;
}

Marks *
batch_marks(const char *function)
{
	if (current_binding == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s can be used only while a batch is being written", function)));
	if (trigger_depth() != current_binding->trigger_depth)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s cannot be used in a trigger", function),
				 errdetail("The row is being written already."),
				 errhint("A BEFORE trigger that returns NULL leaves its row out.")));
	return current_binding->marks;
}

static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

BatchRows *
batch_rows_begin(TupleDesc row_type)
{
	const BatchBinding *binding = current_binding;
	BatchRows  *rows;

	if (binding == NULL || binding->batch->bad != NIL || (binding->marks != NULL && binding->marks->validated))
		return NULL;
	for (int i = 0; i < binding->ninputs; i++)
	{
		if (binding->inputs[i].type >= FirstNormalObjectId)	/* a domain, say, with a check of its own */
			return NULL;
	}
	check_row_type(binding, row_type);
	rows = palloc0(sizeof(BatchRows));
	rows->position.binding = binding;
	rows->position.item = -1;
	rows->position.input = -1;
	rows->position.memory = CurrentMemoryContext;
	return rows;
}

bool
batch_rows_next(BatchRows *rows, Datum *values, bool *nulls)
{
	ConversionPosition *position = &rows->position;
	const BatchBinding *binding = position->binding;

	do
	{
		if (++position->item >= binding->batch->nitems)
			return false;
	} while (marks_has(binding->marks, position->item));

	convert_item(binding, position, values, nulls);
	values[binding->ninputs] = Int64GetDatum(position->item);
	nulls[binding->ninputs] = false;
	return true;
}

bool
batch_is_function(Oid function)
{
	FmgrInfo	info;

	fmgr_info(function, &info);
	return info.fn_addr == databite_batch;
}

/*
 * SQL: databite.batch() RETURNS SETOF record.  Each call converts the bound
 * batch anew.
 */
Datum
databite_batch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	BatchBinding *binding = current_binding;
	MemoryContext old;
	bool		random_access;

	if (binding == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("databite.batch() can be used only while a batch is being written")));
	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0 || result->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("databite.batch() can be used only in FROM, with a column definition list")));
	check_row_type(binding, result->expectedDesc);

	random_access = (result->allowedModes & SFRM_Materialize_Random) != 0;
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setDesc = CreateTupleDescCopy(result->expectedDesc);
	result->setResult = tuplestore_begin_heap(random_access, false, rows_memory_kb(binding->batch));
	MemoryContextSwitchTo(old);

	binding->converting = true;
	fill_rows(binding, result->setDesc, result->setResult);
	binding->converting = false;
	return (Datum) 0;
}

/* The statement's column definition list must be what batch_from_clause wrote. */
static void
check_row_type(const BatchBinding *binding, TupleDesc row_type)
{
	bool		same = row_type->natts == binding->ninputs + 1;

	for (int i = 0; same && i < row_type->natts; i++)
	{
		Oid			expected = i < binding->ninputs ? binding->inputs[i].type : INT8OID;

		same = TupleDescAttr(row_type, i)->atttypid == expected;
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column definition list of databite.batch() does not fit the batch that is being written")));
}

/* Converts all items of the bound batch. */
static void
fill_rows(const BatchBinding *binding, TupleDesc row_type, Tuplestorestate *rows)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "databite batch rows",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row_context);
	ConversionPosition position = {binding, 0, -1, old, {NULL, 0}};
	ErrorContextCallback callback;

	callback.callback = conversion_error_context;
	callback.arg = &position;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	if (binding->marks != NULL && binding->marks->validated)
		convert_or_reject_items(binding, &position, row_type, rows);
	else
	{
		if (binding->batch->bad != NIL)
			raise_bad_item(binding, &position);
		convert_items(binding, &position, false, row_type, rows);
	}

	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
}

/* In the current memory context, which is reset every few rows. */
static void
convert_items(const BatchBinding *binding, ConversionPosition *position, bool reject,
			  TupleDesc row_type, Tuplestorestate *rows)
{
	MemoryContext row_context = CurrentMemoryContext;
	MemoryContext parent = MemoryContextGetParent(row_context);
	Datum	   *values = MemoryContextAlloc(parent, sizeof(Datum) * (binding->ninputs + 1));
	bool	   *nulls = MemoryContextAlloc(parent, sizeof(bool) * (binding->ninputs + 1));

	nulls[binding->ninputs] = false;
	for (int64 item = 0; item < binding->batch->nitems; item++)
	{
		bool		converted = true;

		if (marks_has(binding->marks, item))
			continue;
		position->item = item;
		if (reject)
			converted = convert_or_reject(binding, position, values, nulls);
		else
			convert_item(binding, position, values, nulls);
		if (converted)
		{
			values[binding->ninputs] = Int64GetDatum(item);
			tuplestore_putvalues(rows, row_type, values, nulls);
		}

		if (item % ROWS_PER_RESET == ROWS_PER_RESET - 1 ||
			MemoryContextMemAllocated(row_context, false) > BYTES_PER_RESET)
		{
			MemoryContextReset(row_context);
			CHECK_FOR_INTERRUPTS();
		}
	}
	pfree(values);
	pfree(nulls);
}

/* convert_items, where those that cannot be converted are rejected: see begin_conversions. */
static void
convert_or_reject_items(const BatchBinding *binding, ConversionPosition *position,
						TupleDesc row_type, Tuplestorestate *rows)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	begin_conversions(context);
	PG_TRY();
	{
		convert_items(binding, position, true, row_type, rows);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* whoever catches it ends the subtransaction that he began, and knows of no other */
		MemoryContextSwitchTo(MemoryContextGetParent(context));
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		error_rethrow(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/*
 * Begins the subtransaction in which items are converted that may be rejected.
 * There is one for all of them until one fails: rows that are in the tuplestore
 * already are not touched by a rollback, as it belongs to the query.
 */
static void
begin_conversions(MemoryContext context)
{
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
}

/* convert_item; false where the item is rejected instead, in a new subtransaction then. */
static bool
convert_or_reject(const BatchBinding *binding, ConversionPosition *position,
				  Datum *values, bool *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool converted = false;

	PG_TRY();
	{
		convert_item(binding, position, values, nulls);
		converted = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!error_is_of_value(error))
			PG_RE_THROW();
		FlushErrorState();
		reject_item(binding, position, error);
		RollbackAndReleaseCurrentSubTransaction();
		begin_conversions(context);
	}
	PG_END_TRY();
	position->input = -1;
	return converted;
}

/* The column is the one that the value goes to, or else the message names the path. */
static void
reject_item(const BatchBinding *binding, const ConversionPosition *position, const ErrorData *error)
{
	const BoundInput *input = position->input >= 0 ? &binding->inputs[position->input] : NULL;
	const char *message = error->message;

	if (input != NULL && input->column == NULL)
		message = psprintf("%s (path \"%s\")", message, input->printed_path);
	marks_reject(binding->marks, position->item, error->sqlerrcode, message,
				 input ? input->column : NULL, NULL);
}

/* Converts the leaves of one item. */
static void
convert_item(const BatchBinding *binding, ConversionPosition *position,
			 Datum *values, bool *nulls)
{
	const ItemBatch *batch = binding->batch;
	const Cell *cells = batch->cells + position->item * batch->npaths;
	bool		deleted = marks_has_deleted(binding->marks, position->item);

	for (int i = 0; i < binding->ninputs; i++)
	{
		const BoundInput *input = &binding->inputs[i];
		const Cell *cell;

		if (deleted && input->live_only)
		{
			nulls[i] = true;
			continue;
		}

		if (input->input->is_context)
		{
			values[i] = convert_context(batch, position, &nulls[i]);
			continue;
		}
		if (input->path < 0)
		{
			values[i] = Int64GetDatum(item_batch_position(batch, binding->first_item, position->item));
			nulls[i] = false;
			continue;
		}
		cell = &cells[input->path];
		position->input = i;
		values[i] = cell_convert(input->converter, (CellKind) cell->kind,
								 batch->arena + cell->offset, cell->length, &nulls[i]);
		if (nulls[i] && input->required)
			raise_null(input);
	}
	position->input = -1;
}

/* What the item has in common with those of its page; NULL where it has nothing. */
static Datum
convert_context(const ItemBatch *batch, ConversionPosition *position, bool *isnull)
{
	const ContextStretch *found = NULL;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, batch->contexts)
	{
		const ContextStretch *stretch = lfirst(lc);

		if (stretch->first_item > batch->before + position->item)
			break;
		found = stretch;
	}
	*isnull = found == NULL || found->context == NULL;
	if (*isnull)
		return (Datum) 0;
	if (position->context.stretch != found)
	{
		old = MemoryContextSwitchTo(position->memory);
		position->context.value = DirectFunctionCall1(jsonb_in, CStringGetDatum(found->context->json));
		position->context.stretch = found;
		MemoryContextSwitchTo(old);
	}
	return position->context.value;
}

/* An item that the reader could not deliver fails the statement with the reader's reason. */
static void
raise_bad_item(const BatchBinding *binding, ConversionPosition *position)
{
	const BadItem *bad = linitial(binding->batch->bad);

	position->item = bad->item;
	position->input = -1;
	ereport(ERROR,
			(errcode(bad->sqlstate),
			 errmsg("%s", bad->reason)));
}

static void
raise_null(const BoundInput *input)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("key column \"%s\" has no value", input->column),
			 errdetail("Path \"%s\" is missing or null in the item.", input->printed_path)));
}

/* A batch is bounded by its reader, so its rows are kept in memory whatever work_mem says, unless the run's memory is bounded. */
static int
rows_memory_kb(const ItemBatch *batch)
{
	uint64		cells = (uint64) batch->nitems * (batch->npaths + 1) * 64;
	uint64		kilobytes = (4 * (uint64) batch->arena_used + cells) / 1024;

	if (batch->max_rows_bytes > 0)
		return (int) Min(Max((uint64) work_mem, kilobytes), batch->max_rows_bytes / 1024);
	return (int) Max((uint64) work_mem, Min(kilobytes, (uint64) MAX_KILOBYTES));
}

/* item 17, column "price", value "abc" */
static void
conversion_error_context(void *arg)
{
	const ConversionPosition *position = arg;
	const BatchBinding *binding = position->binding;
	const ItemBatch *batch = binding->batch;
	long long	item = (long long) item_batch_position(batch, binding->first_item, position->item) + 1;
	const BoundInput *input;
	const Cell *cell;
	const char *text;

	unconstify(BatchBinding *, binding)->failed_column = position->input < 0 ? NULL : binding->inputs[position->input].column;
	if (position->input < 0)
	{
		errcontext("item %lld", item);
		return;
	}
	input = &binding->inputs[position->input];
	cell = &batch->cells[position->item * batch->npaths + input->path];
	text = batch->arena + cell->offset;

	if (cell->kind == CELL_MISSING || cell->kind == CELL_NULL)
		text = "null";
	else if (cell->kind == CELL_TRUE)
		text = "true";
	else if (cell->kind == CELL_FALSE)
		text = "false";

	errcontext("item %lld, %s \"%s\", value \"%s\"", item,
			   input->column != NULL ? "column" : "path",
			   input->column != NULL ? input->column : input->printed_path,
			   text_clip(text, SHOWN_VALUE_BYTES));
}
