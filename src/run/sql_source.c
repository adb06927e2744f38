/*
 * sql_source.c
 *	  Rows of a query as items: {"type": "sql", "query": "select ..."}.
 *
 * Each {{ }} of the query becomes a parameter of it.  The parameter takes as many
 * bytes as the template did, so that PostgreSQL's error positions are those of the user's query, and it
 * has the type that PostgreSQL finds for it there: beside a timestamptz a template
 * is one.  When the query runs, one statement computes all of them and gives
 * them to it.
 *
 * Every row becomes JSON as row_to_json makes it, while the query runs: its types'
 * output functions need the transaction that reading the rows later does without.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "run/sql_source.h"
#include "template/source_text.h"
#include "template/template.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* The shortest template, {{a}}, has room for "$999". */
#define MAX_TEMPLATES	999

typedef struct QueryTemplate
{
	int			offset;			/* in the query, bytes */
	int			len;
	bool		found;			/* as a parameter of the parsed query */
	char	   *sql;			/* that computes it */
} QueryTemplate;

struct SqlSource
{
	MemoryContext context;
	MemoryContextCallback release;
	char	   *pointer;
	const char *written;		/* as the definition has it */
	char	   *query;			/* with parameters */
	QueryTemplate *templates;
	int			ntemplates;
	Oid		   *types;			/* of the parameters */
	char	   *values;			/* the statement that computes them, or NULL */
	int			uses;			/* TEMPLATE_SCOPE_ of the scopes that the templates name */
	char	   *shown;

	TupleDesc	row_type;		/* of the tuplestore: one text, but in UTF-8 */
	TupleTableSlot *slot;
	Tuplestorestate *rows;		/* NULL: not executed yet */
	MemoryContext rows_memory;	/* of rows; no child of context, whose children are gone when release ends them */
};

/* The query while PostgreSQL looks at it. */
typedef struct Analysis
{
	SqlSource  *source;
	SourceText *text;
	int			foreign;		/* place of a parameter that is no template, or -1 */
} Analysis;

typedef struct Execution
{
	SqlSource  *source;
	Jsonb	   *scopes;
} Execution;

/* Takes the rows of the query. */
typedef struct RowReceiver
{
	DestReceiver pub;
	SqlSource  *source;
	TupleDesc	type;
	MemoryContext memory;		/* of one row */
} RowReceiver;

static bool find_templates(SqlSource *source, SourceText *text);
static const char *template_end(const char *begin);
static void analyze(void *arg);
static void analyze_query(Analysis *analysis);
static bool find_parameters(Node *node, Analysis *analysis);
static void check_query(const Query *query, const Analysis *analysis);
static void check_columns(const Query *query, const Analysis *analysis);
static void problem_of_error(SourceText *text, const ErrorData *error);
static void compile_templates(SqlSource *source, const JobSource *definition, ProblemList *problems);
static char *shown_query(const SqlSource *source);
static void execute(void *arg);
static ParamListInfo compute_parameters(const SqlSource *source, Jsonb *scopes);
static void begin_rows(DestReceiver *self, int operation, TupleDesc type);
static bool receive_row(TupleTableSlot *slot, DestReceiver *self);
static void end_rows(DestReceiver *self);
static void release(void *arg);

SqlSource *
sql_source_create(const JobSource *definition, ProblemList *problems, MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "databite sql source", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	SqlSource  *source = palloc0(sizeof(SqlSource));
	int			before = list_length(problems->problems);
	SourceText *text = source_text_create(definition->sql_query.text, definition->sql_query.pointer, problems);
	Analysis	analysis = {source, text, -1};
	ErrorData  *error;

	source->context = own;
	source->pointer = definition->sql_query.pointer;
	source->written = definition->sql_query.text;
	source->release.func = release;
	source->release.arg = source;
	MemoryContextRegisterResetCallback(own, &source->release);
	if (find_templates(source, text))
	{
		error = subtransaction_run(analyze, &analysis, SUBTRANSACTION_KEEP);
		if (error != NULL)
			problem_of_error(text, error);
		else if (list_length(problems->problems) == before)
			compile_templates(source, definition, problems);
	}
	MemoryContextSwitchTo(old);
	if (list_length(problems->problems) == before)
		return source;
	MemoryContextDelete(own);
	return NULL;
}

/* Copies the query with "$1", "$2", ... in the places of templates; false and a problem where one does not end. */
static bool
find_templates(SqlSource *source, SourceText *text)
{
	char	   *query = pstrdup(source->written);
	const char *at = source->written;

	source->query = query;
	source->templates = palloc0(sizeof(QueryTemplate) * (MAX_TEMPLATES + 1));
	while ((at = strstr(at, "{{")) != NULL)
	{
		QueryTemplate *template = &source->templates[source->ntemplates];
		const char *end = template_end(at);
		const char *mistake = NULL;
		char		parameter[16];

		if (end == NULL)
			mistake = "\"{{\" without \"}}\"";
		else if (end - at < 5)
			mistake = "empty template";
		else if (source->ntemplates == MAX_TEMPLATES)
			mistake = "too many templates";
		if (mistake != NULL)
		{
			source_text_problem(text, at - source->written, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "%s", mistake);
			return false;
		}
		template->offset = at - source->written;
		template->len = end - at;
		source->ntemplates++;
		snprintf(parameter, sizeof(parameter), "$%d", source->ntemplates);
		memset(query + template->offset, ' ', template->len);
		memcpy(query + template->offset, parameter, strlen(parameter));
		at = end;
	}
	return true;
}

/* Behind the "}}" that is not in a string of the template; NULL: there is none. */
static const char *
template_end(const char *begin)
{
	char		quote = '\0';

	for (const char *at = begin + 2; *at != '\0'; at++)
	{
		if (quote != '\0')
		{
			if (*at == '\\' && at[1] != '\0')
				at++;
			else if (*at == quote)
				quote = '\0';
		}
		else if (*at == '\'' || *at == '"')
			quote = *at;
		else if (at[0] == '}' && at[1] == '}')
			return at + 2;
	}
	return NULL;
}

/* Has PostgreSQL parse and check the query; what it is not happy with passes as an error. */
static void
analyze(void *arg)
{
	Analysis   *analysis = arg;
	ErrorContextCallback *outer = error_context_stack;

	/* A function that has called us would take the error's position for one in its own statement. */
	error_context_stack = NULL;
	analyze_query(analysis);
	error_context_stack = outer;
}

static void
analyze_query(Analysis *analysis)
{
	SqlSource  *source = analysis->source;
	List	   *statements = raw_parser(source->query, RAW_PARSE_DEFAULT);
	RawStmt    *statement;
	Oid		   *types;
	int			ntypes = source->ntemplates;

	if (list_length(statements) != 1 || !IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
	{
		source_text_problem(analysis->text, -1, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							"\"query\" must be one SELECT");
		return;
	}
	statement = linitial(statements);
	(void) find_parameters(statement->stmt, analysis);
	if (analysis->foreign >= 0)
	{
		source_text_problem(analysis->text, analysis->foreign, ERRCODE_UNDEFINED_PARAMETER, NULL,
							"the query has no parameters but its templates");
		return;
	}
	for (int i = 0; i < source->ntemplates; i++)
	{
		if (source->templates[i].found)
			continue;
		source_text_problem(analysis->text, source->templates[i].offset, ERRCODE_INVALID_PARAMETER_VALUE,
							"A template is an expression of the query: write it without quotes.",
							"a template in a string, a quoted name or a comment of the query");
		return;
	}

	types = palloc0(sizeof(Oid) * Max(ntypes, 1));
	check_query(parse_analyze_varparams(statement, source->query, &types, &ntypes, NULL), analysis);
	source->types = types;
}

/* Marks the templates that are parameters; walks on until one is found that is no template. */
static bool
find_parameters(Node *node, Analysis *analysis)
{
	if (node == NULL)
		return false;
	if (IsA(node, ParamRef))
	{
		const ParamRef *parameter = (const ParamRef *) node;
		SqlSource  *source = analysis->source;

		for (int i = 0; i < source->ntemplates; i++)
		{
			if (source->templates[i].offset == parameter->location)
			{
				source->templates[i].found = true;
				return false;
			}
		}
		analysis->foreign = parameter->location;
		return true;
	}
	return raw_expression_tree_walker(node, find_parameters, analysis);
}

static void
check_query(const Query *query, const Analysis *analysis)
{
	if (query->commandType != CMD_SELECT || query->hasModifyingCTE || query->rowMarks != NIL)
		source_text_problem(analysis->text, -1, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							"\"query\" must be a SELECT that neither writes nor locks");
	else
		check_columns(query, analysis);
}

/* They are the keys of the items. */
static void
check_columns(const Query *query, const Analysis *analysis)
{
	List	   *names = NIL;
	ListCell   *lc;
	ListCell   *known;

	foreach(lc, query->targetList)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resjunk)
			continue;
		foreach(known, names)
		{
			if (strcmp(lfirst(known), entry->resname) != 0)
				continue;
			source_text_problem(analysis->text, -1, ERRCODE_DUPLICATE_COLUMN, "Give each a name with AS.",
								"\"query\" has more than one column \"%s\"", entry->resname);
			return;
		}
		names = lappend(names, entry->resname);
	}
	if (names == NIL)
		source_text_problem(analysis->text, -1, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							"\"query\" has no columns");
}

static void
problem_of_error(SourceText *text, const ErrorData *error)
{
	int			position = -1;

	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		error_rethrow(unconstify(ErrorData *, error));
	if (error->cursorpos > 0)
		position = Min(pg_mbcharcliplen(text->text, text->len, error->cursorpos - 1), text->len);
	source_text_problem(text, position, error->sqlerrcode, error->hint, "%s", error->message);
}

static void
compile_templates(SqlSource *source, const JobSource *definition, ProblemList *problems)
{
	int			cursor = definition->incremental ? TEMPLATE_SCOPE_CURSOR : 0;
	TemplateCompiler *compiler = template_compiler_create(TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_PAYLOAD | cursor, problems);
	StringInfoData values;

	initStringInfo(&values);
	for (int i = 0; i < source->ntemplates; i++)
	{
		QueryTemplate *template = &source->templates[i];
		JobValue	value = {.text = pnstrdup(source->written + template->offset, template->len), .pointer = source->pointer};
		TemplateExpr *expr = template_compile(compiler, &value, source->types[i], -1);

		if (expr == NULL)		/* a problem has been added */
			continue;
		template->sql = expr->sql;
		appendStringInfo(&values, "%s(%s)", i == 0 ? "SELECT " : ", ", expr->sql);
	}

	source->uses = compiler->inputs->used;

	/* Keeps $1 a part of the statement, whether a template uses it or not. */
	appendStringInfoString(&values, " FROM (SELECT $1::pg_catalog.jsonb) AS scopes");
	source->values = source->ntemplates > 0 ? values.data : NULL;
	source->shown = shown_query(source);
}

/* The query with the compiled templates in their places. */
static char *
shown_query(const SqlSource *source)
{
	StringInfoData text;
	int			at = 0;

	initStringInfo(&text);
	for (int i = 0; i < source->ntemplates; i++)
	{
		const QueryTemplate *template = &source->templates[i];

		if (template->sql == NULL)
			continue;
		appendBinaryStringInfo(&text, source->written + at, template->offset - at);
		appendStringInfo(&text, "(%s)", template->sql);
		at = template->offset + template->len;
	}
	appendStringInfoString(&text, source->written + at);
	return text.data;
}

int
sql_source_uses(const SqlSource *source)
{
	return source->uses;
}

const char *
sql_source_text(const SqlSource *source)
{
	return source->shown;
}

void
sql_source_execute(SqlSource *source, Jsonb *scopes)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);
	Execution	execution = {source, scopes};
	ErrorData  *error;

	source->row_type = CreateTemplateTupleDesc(1);
	TupleDescInitBuiltinEntry(source->row_type, 1, "item", TEXTOID, -1, 0);
	source->slot = MakeSingleTupleTableSlot(source->row_type, &TTSOpsMinimalTuple);
	error = subtransaction_run(execute, &execution, SUBTRANSACTION_KEEP);
	MemoryContextSwitchTo(old);
	if (error != NULL)
		error_rethrow(error);
}

/* In a subtransaction, which gives back what it finds of XactReadOnly. */
static void
execute(void *arg)
{
	Execution  *execution = arg;
	SqlSource  *source = execution->source;
	RowReceiver receiver = {.pub = {receive_row, begin_rows, end_rows, end_rows, DestTuplestore}, .source = source};
	SPIExecuteOptions options = {.read_only = true, .dest = &receiver.pub};
	SPIPlanPtr	plan;
	int			result;

	MemoryContext old;

	XactReadOnly = true;
	source->rows_memory = AllocSetContextCreate(TopMemoryContext, "databite sql rows", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(source->rows_memory);
	source->rows = tuplestore_begin_heap(false, true, work_mem);
	MemoryContextSwitchTo(old);
	SPI_connect();
	receiver.memory = AllocSetContextCreate(CurrentMemoryContext, "databite row", ALLOCSET_DEFAULT_SIZES);
	if (source->values != NULL)
		options.params = compute_parameters(source, execution->scopes);
	plan = SPI_prepare(source->query, source->ntemplates, source->types);
	result = plan ? SPI_execute_plan_extended(plan, &options) : SPI_result;
	if (result != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not run the query of the source: %s", SPI_result_code_string(result))));
	SPI_finish();
}

/* In SPI's memory. */
static ParamListInfo
compute_parameters(const SqlSource *source, Jsonb *scopes)
{
	ParamListInfo params = makeParamList(source->ntemplates);
	ParamListInfo arguments = makeParamList(1);
	SPIExecuteOptions options = {.params = arguments, .read_only = true, .tcount = 1};

	arguments->params[0].value = JsonbPGetDatum(scopes);
	arguments->params[0].isnull = scopes == NULL;
	arguments->params[0].pflags = PARAM_FLAG_CONST;
	arguments->params[0].ptype = JSONBOID;
	if (SPI_execute_extended(source->values, &options) != SPI_OK_SELECT || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not compute the templates of the query")));
	for (int i = 0; i < source->ntemplates; i++)
	{
		ParamExternData *param = &params->params[i];

		if (SPI_gettypeid(SPI_tuptable->tupdesc, i + 1) != source->types[i])
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("a template of the query has another type than its place")));
		param->value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &param->isnull);
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = source->types[i];
	}
	return params;
}

static void
begin_rows(DestReceiver *self, int operation, TupleDesc type)
{
	RowReceiver *receiver = (RowReceiver *) self;

	receiver->type = BlessTupleDesc(CreateTupleDescCopy(type));
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->memory);
	HeapTuple	row;
	text	   *json;
	const char *item;
	int			len;
	text	   *stored;
	Datum		value;
	bool		isnull = false;

	slot_getallattrs(slot);
	row = heap_form_tuple(receiver->type, slot->tts_values, slot->tts_isnull);
	json = DatumGetTextPP(DirectFunctionCall1(row_to_json, HeapTupleGetDatum(row)));
	item = pg_server_to_any(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), PG_UTF8);
	len = item == VARDATA_ANY(json) ? VARSIZE_ANY_EXHDR(json) : strlen(item);
	stored = palloc(VARHDRSZ + len);
	SET_VARSIZE(stored, VARHDRSZ + len);
	memcpy(VARDATA(stored), item, len);
	value = PointerGetDatum(stored);
	tuplestore_putvalues(receiver->source->rows, receiver->source->row_type, &value, &isnull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->memory);
	return true;
}

/* All of it is SPI's memory. */
static void
end_rows(DestReceiver *self)
{
}

char *
sql_source_next(SqlSource *source, size_t *len)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);
	bool		found = tuplestore_gettupleslot(source->rows, true, false, source->slot);
	char	   *item = NULL;

	MemoryContextSwitchTo(old);
	if (found)
	{
		bool		isnull;
		text	   *stored = (text *) DatumGetPointer(slot_getattr(source->slot, 1, &isnull));

		*len = VARSIZE_ANY_EXHDR(stored);
		item = palloc(*len + 1);
		memcpy(item, VARDATA_ANY(stored), *len);
		item[*len] = '\0';
		ExecClearTuple(source->slot);
	}
	return item;
}

static void
release(void *arg)
{
	SqlSource  *source = arg;

	if (source->rows != NULL)
		tuplestore_end(source->rows);
	if (source->rows_memory != NULL)
		MemoryContextDelete(source->rows_memory);
}
