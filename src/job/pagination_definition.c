/*
 * pagination_definition.c
 *	  How to get from one page to the next: {type: "offset", limit, ...} and its like.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define DEFAULT_PAGE_SIZE	100
#define DEFAULT_MAX_PAGES	10000
#define MAX_PAGES			1000000

#define OFFSET		(1U << PAGINATION_OFFSET)
#define PAGE		(1U << PAGINATION_PAGE)
#define CURSOR		(1U << PAGINATION_CURSOR)
#define NEXT_URL	(1U << PAGINATION_NEXT_URL)
#define KEYSET		(1U << PAGINATION_KEYSET)

static const Choice pagination_types[] = {
	{"none", PAGINATION_NONE},
	{"offset", PAGINATION_OFFSET},
	{"page", PAGINATION_PAGE},
	{"cursor", PAGINATION_CURSOR},
	{"keyset", PAGINATION_KEYSET, true},
	{"link", PAGINATION_LINK},
	{"next_url", PAGINATION_NEXT_URL},
	{NULL}
};

static const Choice cursor_places[] = {
	{"query", CURSOR_IN_QUERY},
	{"body", CURSOR_IN_BODY},
	{"header", CURSOR_IN_HEADER},
	{NULL}
};

static const KeyRule pagination_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "limit", .types = VALUE_NUMBER, .parse = read_int, .variants = OFFSET,
	FIELD(JobPagination, limit), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "offsetParam", .types = VALUE_STRING, .parse = read_string, .variants = OFFSET,
	FIELD(JobPagination, offset_param), .min = 1},
	{.name = "limitParam", .types = VALUE_STRING, .parse = read_string, .variants = OFFSET,
	FIELD(JobPagination, limit_param), .min = 1},
	{.name = "totalPath", .types = VALUE_STRING, .parse = read_path, .variants = OFFSET,
	FIELD(JobPagination, total_path)},
	{.name = "pageSize", .types = VALUE_NUMBER, .parse = read_int, .variants = PAGE,
	FIELD(JobPagination, limit), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "startPage", .types = VALUE_NUMBER, .parse = read_int, .variants = PAGE,
	FIELD(JobPagination, start_page), .min = 0, .max = MAX_PAGES},
	{.name = "pageParam", .types = VALUE_STRING, .parse = read_string, .variants = PAGE,
	FIELD(JobPagination, page_param), .min = 1},
	{.name = "sizeParam", .types = VALUE_STRING, .parse = read_string, .variants = PAGE,
	FIELD(JobPagination, limit_param), .min = 1},
	{.name = "totalPagesPath", .types = VALUE_STRING, .parse = read_path, .variants = PAGE,
	FIELD(JobPagination, total_pages_path)},
	{.name = "cursorPath", .types = VALUE_STRING, .parse = read_path, .variants = CURSOR,
	FIELD(JobPagination, cursor_path)},
	{.name = "cursorHeader", .types = VALUE_STRING, .parse = read_string, .variants = CURSOR,
	FIELD(JobPagination, cursor_header), .min = 1},
	{.name = "cursorParam", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = CURSOR | KEYSET,
	FIELD(JobPagination, cursor_param), .min = 1},
	{.name = "in", .types = VALUE_STRING, .parse = read_choice, .variants = CURSOR,
	FIELD(JobPagination, cursor_place), .choices = cursor_places},
	{.name = "hasMorePath", .types = VALUE_STRING, .parse = read_path, .variants = CURSOR | KEYSET,
	FIELD(JobPagination, has_more_path)},
	{.name = "field", .types = VALUE_STRING, .variants = KEYSET},
	{.name = "nextUrlPath", .types = VALUE_STRING, .parse = read_path, .flags = KEY_REQUIRED, .variants = NEXT_URL,
	FIELD(JobPagination, next_url_path)},
	{.name = "maxPages", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobPagination, max_pages), .min = 1, .max = MAX_PAGES},
	{.name = "stopWhen", .types = VALUE_STRING, .flags = KEY_UNSUPPORTED},
	{.name = "dropOtherQuery", .types = VALUE_BOOLEAN, .parse = read_boolean,
	FIELD(JobPagination, drop_other_query)},
	{NULL}
};

static void check_cursor(ProblemList *problems, struct json_object *object, const char *pointer,
						 const JobPagination *pagination);
static bool is_key_path(const char *text);

/* One page; what other types leave out.  batch_size: the source's, 0 where it states none. */
void
pagination_definition_default(JobPagination *pagination, int batch_size)
{
	memset(pagination, 0, sizeof(*pagination));
	pagination->type = PAGINATION_NONE;
	pagination->limit = batch_size > 0 ? batch_size : DEFAULT_PAGE_SIZE;
	pagination->offset_param = "offset";
	pagination->page_param = "page";
	pagination->start_page = 1;
	pagination->cursor_place = CURSOR_IN_QUERY;
	pagination->max_pages = DEFAULT_MAX_PAGES;
}

/*
 * With offset the size is always sent: the next offset is counted by it.  With
 * page it is sent where the user says under which name.
 */
void
pagination_definition_parse(ProblemList *problems, struct json_object *object,
							const char *pointer, int batch_size, JobPagination *pagination)
{
	ObjectType	type;

	pagination_definition_default(pagination, batch_size);
	read_type(problems, object, pointer, pagination_types, &type);
	read_object(problems, object, pointer, pagination_rules, type.variant, type.label, pagination);

	pagination->type = type.value;
	if (type.variant == OFFSET && pagination->limit_param == NULL)
		pagination->limit_param = "limit";
	pagination->send_limit = pagination->limit_param != NULL;

	if (type.variant == CURSOR)
		check_cursor(problems, object, pointer, pagination);
}

/* Where the cursor is found and where it goes. */
static void
check_cursor(ProblemList *problems, struct json_object *object, const char *pointer,
			 const JobPagination *pagination)
{
	bool		has_path = json_object_object_get_ex(object, "cursorPath", NULL);
	bool		has_header = json_object_object_get_ex(object, "cursorHeader", NULL);

	if (!has_path && !has_header)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Say where a response has the next cursor: \"cursorPath\" or \"cursorHeader\".",
					"\"cursorPath\" is missing");
	if (has_path && has_header)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "cursorHeader"), NULL,
					"\"cursorHeader\" does not go with \"cursorPath\"");

	if (pagination->cursor_header != NULL && !is_header_name(pagination->cursor_header))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "cursorHeader"), NULL,
					"\"cursorHeader\" is not the name of a header");

	if (pagination->cursor_param == NULL)
		return;
	if (pagination->cursor_place == CURSOR_IN_HEADER && !is_header_name(pagination->cursor_param))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "cursorParam"), NULL,
					"\"cursorParam\" is not the name of a header");
	if (pagination->cursor_place == CURSOR_IN_BODY && !is_key_path(pagination->cursor_param))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "cursorParam"),
					"Write the place in the body as \"after\" or \"pagination.after\".",
					"\"cursorParam\" is not a path of keys");
}

/* A path through objects only, at least one key long: a cursor can be put there. */
static bool
is_key_path(const char *text)
{
	char	   *error = NULL;
	JsonPath   *path = json_path_parse(text, &error);

	if (path == NULL || path->nsteps == 0)
		return false;
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].kind != PATH_KEY)
			return false;
	}
	return true;
}
