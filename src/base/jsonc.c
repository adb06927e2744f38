/*
 * jsonc.c
 *	  JSON texts to json-c objects.
 *
 * The text is read by PostgreSQL's own lexer and only the tree is json-c's.
 * json-c's tokener, strict mode included, takes NaN, "1." and control
 * characters in strings, cuts a key at \u0000, turns a lone surrogate into a
 * replacement character, and stores an integer beyond 64 bits as the nearest
 * it has.  Here such texts are errors, and every number keeps its digits: an
 * integer that fits is an int64, any other number is a double that prints as
 * the source wrote it.
 *
 * The text is in the database's encoding, and so are the strings of the tree.
 *
 * Lifecycle: the tree hangs on a holder in the caller's memory context from its
 * first node on, and every node hangs on the tree before anything that may
 * fail is done, so an ERROR anywhere releases all of it with that context.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "base/compat.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* An error message quotes what it found; no more of it than this. */
#define MAX_ERROR_LEN 200

/* Keeps a tree alive as long as its memory context. */
typedef struct JsonHolder
{
	MemoryContextCallback callback;
	struct json_object *root;
} JsonHolder;

typedef struct JsonBuilder
{
	JsonLexContext *lexer;
	MemoryContext caller;		/* the error message */
	const char *text;
	size_t		len;
	int			max_depth;
	JsonHolder *holder;
	char	   *error;
} JsonBuilder;

static JsonHolder *holder_create(MemoryContext context);
static void holder_release(void *arg);
static bool build_document(JsonBuilder *builder);
static bool build_value(JsonBuilder *builder, struct json_object *parent, const char *key, int depth);
static bool build_object(JsonBuilder *builder, struct json_object *object, int depth);
static bool build_array(JsonBuilder *builder, struct json_object *array, int depth);
static struct json_object *new_string(JsonBuilder *builder);
static struct json_object *new_number(JsonBuilder *builder);
static struct json_object *not_null(struct json_object *object);
static void attach(JsonBuilder *builder, struct json_object *parent, const char *key, struct json_object *value);
static bool next_token(JsonBuilder *builder);
static bool fail_unexpected(JsonBuilder *builder, const char *expected);
static bool fail_depth(JsonBuilder *builder);
static bool fail_lexer(JsonBuilder *builder, JsonParseErrorType error);
static size_t token_position(JsonBuilder *builder);

bool
jsonc_parse(const char *text, size_t len, int max_depth, MemoryContext context,
			struct json_object **result, char **error)
{
	JsonBuilder builder = {0};
	MemoryContext scratch;
	MemoryContext old;
	bool		ok;

	*result = NULL;
	*error = NULL;

	if (len >= MaxAllocSize)
	{
		*error = pstrdup("larger than 1 GB");
		return false;
	}
	if (!pg_verify_mbstr(GetDatabaseEncoding(), text, len, true))
	{
		*error = psprintf("invalid byte sequence for encoding \"%s\"", GetDatabaseEncodingName());
		return false;
	}

	scratch = AllocSetContextCreate(CurrentMemoryContext, "databite json lexer", ALLOCSET_DEFAULT_SIZES);
	builder.caller = CurrentMemoryContext;
	builder.text = text;
	builder.len = len;
	builder.max_depth = max_depth;
	builder.holder = holder_create(context);

	old = MemoryContextSwitchTo(scratch);
	builder.lexer = compat_json_lexer(text, len);
	ok = build_document(&builder);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);

	if (ok)
		*result = builder.holder->root;
	else
	{
		holder_release(builder.holder);
		*error = builder.error;
	}
	return ok;
}

bool
jsonc_get(struct json_object *object, const char *key, struct json_object **value)
{
	*value = NULL;
	return object != NULL &&
		json_object_is_type(object, json_type_object) &&
		json_object_object_get_ex(object, key, value);
}

/* A holder that releases its tree when context is reset or deleted. */
static JsonHolder *
holder_create(MemoryContext context)
{
	JsonHolder *holder = MemoryContextAllocZero(context, sizeof(JsonHolder));

	holder->callback.func = holder_release;
	holder->callback.arg = holder;
	MemoryContextRegisterResetCallback(context, &holder->callback);
	return holder;
}

/* Releases the tree; a second call does nothing. */
static void
holder_release(void *arg)
{
	JsonHolder *holder = arg;

	json_object_put(holder->root);
	holder->root = NULL;
}

/* One value and nothing after it. */
static bool
build_document(JsonBuilder *builder)
{
	if (!next_token(builder) || !build_value(builder, NULL, NULL, 0))
		return false;
	if (builder->lexer->token_type != JSON_TOKEN_END)
		return fail_unexpected(builder, "the end");
	return true;
}

/*
 * Builds the value at the current token as member key of the object parent, as
 * next element of the array parent, or as the root where parent is NULL, and
 * goes to the token after it.
 */
static bool
build_value(JsonBuilder *builder, struct json_object *parent, const char *key, int depth)
{
	JsonTokenType type = builder->lexer->token_type;
	struct json_object *value = NULL;

	switch (type)
	{
		case JSON_TOKEN_STRING:
			value = new_string(builder);
			break;
		case JSON_TOKEN_NUMBER:
			value = new_number(builder);
			break;
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			value = not_null(json_object_new_boolean(type == JSON_TOKEN_TRUE));
			break;
		case JSON_TOKEN_NULL:
			break;
		case JSON_TOKEN_OBJECT_START:
			value = not_null(json_object_new_object());
			break;
		case JSON_TOKEN_ARRAY_START:
			value = not_null(json_object_new_array());
			break;
		default:
			return fail_unexpected(builder, "a value");
	}

	attach(builder, parent, key, value);
	if (!next_token(builder))
		return false;

	if (type == JSON_TOKEN_OBJECT_START)
		return build_object(builder, value, depth + 1);
	if (type == JSON_TOKEN_ARRAY_START)
		return build_array(builder, value, depth + 1);
	return true;
}

/* The members of an object, from the token after "{" to the token after "}". */
static bool
build_object(JsonBuilder *builder, struct json_object *object, int depth)
{
	JsonLexContext *lexer = builder->lexer;

	check_stack_depth();
	if (depth > builder->max_depth)
		return fail_depth(builder);

	if (lexer->token_type == JSON_TOKEN_OBJECT_END)
		return next_token(builder);

	for (;;)
	{
		char	   *key;

		if (lexer->token_type != JSON_TOKEN_STRING)
			return fail_unexpected(builder, "a key");
		key = pnstrdup(lexer->strval->data, lexer->strval->len);

		if (!next_token(builder))
			return false;
		if (lexer->token_type != JSON_TOKEN_COLON)
			return fail_unexpected(builder, "\":\"");
		if (!next_token(builder) || !build_value(builder, object, key, depth))
			return false;
		pfree(key);

		if (lexer->token_type == JSON_TOKEN_OBJECT_END)
			return next_token(builder);
		if (lexer->token_type != JSON_TOKEN_COMMA)
			return fail_unexpected(builder, "\",\" or \"}\"");
		if (!next_token(builder))
			return false;
	}
}

/* The elements of an array, from the token after "[" to the token after "]". */
static bool
build_array(JsonBuilder *builder, struct json_object *array, int depth)
{
	JsonLexContext *lexer = builder->lexer;

	check_stack_depth();
	if (depth > builder->max_depth)
		return fail_depth(builder);

	if (lexer->token_type == JSON_TOKEN_ARRAY_END)
		return next_token(builder);

	for (;;)
	{
		if (!build_value(builder, array, NULL, depth))
			return false;
		if (lexer->token_type == JSON_TOKEN_ARRAY_END)
			return next_token(builder);
		if (lexer->token_type != JSON_TOKEN_COMMA)
			return fail_unexpected(builder, "\",\" or \"]\"");
		if (!next_token(builder))
			return false;
	}
}

static struct json_object *
new_string(JsonBuilder *builder)
{
	StringInfo	string = builder->lexer->strval;

	return not_null(json_object_new_string_len(string->data, string->len));
}

/* An int64 where the number is one, digit for digit; else a double that keeps its text. */
static struct json_object *
new_number(JsonBuilder *builder)
{
	const char *start = builder->lexer->token_start;
	char	   *number = pnstrdup(start, builder->lexer->token_terminator - start);
	struct json_object *object;
	char	   *end;
	int64		integer;

	errno = 0;
	integer = strtoi64(number, &end, 10);
	if (errno == 0 && *end == '\0' && strcmp(number, "-0") != 0)
		object = json_object_new_int64(integer);
	else
		object = json_object_new_double_s(strtod(number, NULL), number);
	pfree(number);

	return not_null(object);
}

static struct json_object *
not_null(struct json_object *object)
{
	if (object == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A JSON value could not be allocated.")));
	return object;
}

/* Hangs value on the tree, which owns it from here on. */
static void
attach(JsonBuilder *builder, struct json_object *parent, const char *key, struct json_object *value)
{
	int			failed = 0;

	if (parent == NULL)
		builder->holder->root = value;
	else if (key != NULL)
		failed = json_object_object_add(parent, key, value);
	else
		failed = json_object_array_add(parent, value);

	if (failed)
	{
		json_object_put(value);
		not_null(NULL);
	}
}

static bool
next_token(JsonBuilder *builder)
{
	JsonParseErrorType error = json_lex(builder->lexer);

	return error == JSON_SUCCESS || fail_lexer(builder, error);
}

/* Says what stands at the current token instead of what was expected. */
static bool
fail_unexpected(JsonBuilder *builder, const char *expected)
{
	JsonLexContext *lexer = builder->lexer;
	MemoryContext old = MemoryContextSwitchTo(builder->caller);

	if (lexer->token_type == JSON_TOKEN_END)
		builder->error = psprintf("unexpected end of the text, expected %s", expected);
	else
	{
		int			len = lexer->token_terminator - lexer->token_start;

		builder->error = psprintf("unexpected %.*s at byte %zu, expected %s",
								  pg_mbcliplen(lexer->token_start, len, MAX_ERROR_LEN),
								  lexer->token_start, token_position(builder), expected);
	}
	MemoryContextSwitchTo(old);
	return false;
}

static bool
fail_depth(JsonBuilder *builder)
{
	builder->error = MemoryContextStrdup(builder->caller,
										 psprintf("nested more than %d levels deep", builder->max_depth));
	return false;
}

/* Turns the lexer's message, a sentence, into one that can follow a colon. */
static bool
fail_lexer(JsonBuilder *builder, JsonParseErrorType error)
{
	char	   *detail = pstrdup(json_errdetail(error, builder->lexer));
	int			len = strlen(detail);
	MemoryContext old = MemoryContextSwitchTo(builder->caller);

	if (len > 0 && detail[len - 1] == '.')
		len--;
	detail[0] = pg_ascii_tolower((unsigned char) detail[0]);
	builder->error = psprintf("%.*s at byte %zu",
							  pg_mbcliplen(detail, len, MAX_ERROR_LEN), detail,
							  token_position(builder));
	MemoryContextSwitchTo(old);
	return false;
}

/* Position of the current token in the text, in bytes from 1. */
static size_t
token_position(JsonBuilder *builder)
{
	const char *start = builder->lexer->token_start;

	return start == NULL ? builder->len : (size_t) (start - builder->text) + 1;
}
