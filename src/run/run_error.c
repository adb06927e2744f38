/*
 * run_error.c
 *	  What went wrong in a run: from an ERROR or a source's error to history.
 *
 * A source's error travels as an ERROR like any other, because what has to be
 * undone is the same.  What an ERROR cannot carry (the code by which the source
 * names it, the request) stays here until the run is recorded; there is one run
 * in a process at a time.
 */
#include "postgres.h"

#include "run/run_error.h"
#include "run/secret_mask.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

static char *without_own_statement(const char *context);
static void add_member(StringInfo json, const char *name, const char *value);

/* What the last run_raise_source_error said; in a context of its own below TopMemoryContext. */
static MemoryContext source_memory = NULL;
static SourceError *source_error = NULL;

void
run_raise_source_error(const SourceError *error)
{
	MemoryContext old;

	run_error_forget();
	source_memory = AllocSetContextCreate(TopMemoryContext, "databite source error", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(source_memory);
	source_error = palloc(sizeof(SourceError));
	*source_error = *error;
	source_error->method = error->method ? pstrdup(error->method) : NULL;
	source_error->url = error->url ? secret_mask_text(pstrdup(error->url)) : NULL;
	source_error->message = source_error->detail = source_error->hint = NULL;
	MemoryContextSwitchTo(old);

	ereport(ERROR,
			(errcode(error->sqlstate),
			 errmsg_internal("%s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}

void
run_error_trim(ErrorData *error)
{
	if (error->context)
		error->context = without_own_statement(error->context);
}

void
run_raise_content_error(int sqlstate, const char *message, const char *hint,
						const char *method, const HttpResponse *response)
{
	SourceError error = {
		.sqlstate = sqlstate,
		.message = (char *) message,
		.hint = (char *) hint,
		.method = (char *) method,
	};

	strlcpy(error.code, unpack_sql_state(sqlstate), sizeof(error.code));
	if (response != NULL)
	{
		error.url = url_masked(response->url);
		error.status = response->status;
	}
	run_raise_source_error(&error);
}

int64
run_error_retry_after(void)
{
	return source_error ? source_error->retry_after_ms : 0;
}

bool
run_error_is_of_source(void)
{
	return source_error != NULL;
}

void
run_error_forget(void)
{
	if (source_memory)
		MemoryContextDelete(source_memory);
	source_memory = NULL;
	source_error = NULL;
}

char *
run_error_json(const ErrorData *error, const char *step)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_member(&json, "code", source_error ? source_error->code : unpack_sql_state(error->sqlerrcode));
	add_member(&json, "message", error->message);
	add_member(&json, "detail", error->detail);
	add_member(&json, "hint", error->hint);
	add_member(&json, "column", error->column_name);
	add_member(&json, "constraint", error->constraint_name);
	add_member(&json, "context", error->context);
	add_member(&json, "step", step);
	if (source_error && source_error->url)
	{
		appendStringInfoString(&json, ", \"request\": {");
		add_member(&json, "method", source_error->method);
		add_member(&json, "url", source_error->url);
		if (source_error->status > 0)
			appendStringInfo(&json, ", \"status\": %d", source_error->status);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

char *
run_error_json_simple(const char *code, const char *message, const char *hint)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_member(&json, "code", code);
	add_member(&json, "message", message);
	add_member(&json, "hint", hint);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * An error's context without the statement that writes a batch or renders a
 * request: it tells the user nothing that the rest does not, and a request may
 * have credentials written into it.
 */
static char *
without_own_statement(const char *context)
{
	static const char quoted[] = "SQL statement \"";
	const char *begin = strstr(context, "FROM databite.batch() AS b(");
	const char *end;

	if (begin == NULL)
		begin = strstr(context, "FROM (SELECT $1::pg_catalog.jsonb) AS scopes");
	if (begin == NULL)
		return pstrdup(context);
	while (begin > context && !(strncmp(begin, quoted, strlen(quoted)) == 0 && begin[-1] == '\n'))
		begin--;
	end = strstr(begin, "\njob \"");
	return psprintf("%.*s%s", (int) (begin - context), context, end ? end + 1 : "");
}

/* Appends "name": "value" with the comma that it needs; nothing for NULL. */
static void
add_member(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (json->data[json->len - 1] != '{')
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}
