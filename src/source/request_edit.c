/*
 * request_edit.c
 *	  Puts a position or a page size into the header or body of a request.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "source/request_edit.h"
#include "utils/memutils.h"

/* Deepest JSON of a request body. */
#define MAX_BODY_DEPTH 512

static struct json_object *parse_body(const HttpRequest *request, MemoryContext context);
static struct json_object *checked(struct json_object *object);

void
edit_header(HttpRequest *request, const char *name, const char *value)
{
	HttpHeader *header;
	ListCell   *lc;

	foreach(lc, request->headers)
	{
		header = lfirst(lc);
		if (pg_strcasecmp(header->name, name) == 0)
		{
			header->value = pstrdup(value);
			return;
		}
	}
	header = palloc(sizeof(HttpHeader));
	header->name = pstrdup(name);
	header->value = pstrdup(value);
	request->headers = lappend(request->headers, header);
}

void
edit_body(HttpRequest *request, const char *path, struct json_object *value)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "databite body", ALLOCSET_SMALL_SIZES);
	struct json_object *object;
	struct json_object *root;
	char	   *key = pstrdup(path);
	char	   *dot;
	const char *text;

	checked(value);
	root = object = parse_body(request, context);
	while ((dot = strchr(key, '.')) != NULL)
	{
		struct json_object *child;

		*dot = '\0';
		if (!json_object_object_get_ex(object, key, &child) ||
			!json_object_is_type(child, json_type_object))
		{
			child = checked(json_object_new_object());
			if (json_object_object_add(object, key, child) != 0)
				checked(NULL);
		}
		object = child;
		key = dot + 1;
	}
	if (json_object_object_add(object, key, value) != 0)
		checked(NULL);

	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text == NULL)
		checked(NULL);
	request->body = pstrdup(text);
	request->body_len = strlen(text);
	MemoryContextDelete(context);
}

bool
edit_body_is_object(const HttpRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "databite body", ALLOCSET_SMALL_SIZES);
	bool		is_object;

	is_object = json_object_is_type(parse_body(request, context), json_type_object);
	MemoryContextDelete(context);
	return is_object;
}

/* The body as JSON, {} where there is none, NULL where it is not JSON; lives in context. */
static struct json_object *
parse_body(const HttpRequest *request, MemoryContext context)
{
	struct json_object *object;
	char	   *error;

	if (request->body == NULL || request->body_len == 0)
	{
		if (!jsonc_parse("{}", 2, MAX_BODY_DEPTH, context, &object, &error))
			checked(NULL);
		return object;
	}
	if (!jsonc_parse(request->body, request->body_len, MAX_BODY_DEPTH, context, &object, &error))
		return NULL;
	return object;
}

/* json-c returns NULL where memory ran out. */
static struct json_object *
checked(struct json_object *object)
{
	if (object == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed to build a JSON value.")));
	return object;
}
