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
#define MAX_RESTART_ITEMS	1000000000

#define OFFSET		(1U << PAGINATION_OFFSET)
#define PAGE		(1U << PAGINATION_PAGE)
#define CURSOR		(1U << PAGINATION_CURSOR)
#define LINK		(1U << PAGINATION_LINK)
#define NEXT_URL	(1U << PAGINATION_NEXT_URL)
#define KEYSET		(1U << PAGINATION_KEYSET)
#define PLACED		(OFFSET | PAGE | CURSOR | KEYSET)

static const Choice pagination_types[] = {
	{"none", PAGINATION_NONE},
	{"offset", PAGINATION_OFFSET},
	{"page", PAGINATION_PAGE},
	{"cursor", PAGINATION_CURSOR},
	{"keyset", PAGINATION_KEYSET},
	{"link", PAGINATION_LINK},
	{"next_url", PAGINATION_NEXT_URL},
	{NULL}
};

static const Choice places[] = {
	{"query", CURSOR_IN_QUERY},
	{"body", CURSOR_IN_BODY},
	{"header", CURSOR_IN_HEADER},
	{"template", CURSOR_IN_TEMPLATE},
	{NULL}
};

static void read_origins(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void read_stop_when(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_restart(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void read_restart_items(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							   const char *pointer, void *target);

static void read_ties(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);

static const KeyRule pagination_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "limit", .types = VALUE_NUMBER, .parse = read_int, .variants = OFFSET | CURSOR | KEYSET,
	FIELD(JobPagination, limit), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "offsetParam", .types = VALUE_STRING, .parse = read_string, .variants = OFFSET,
	FIELD(JobPagination, offset_param), .min = 1},
	{.name = "limitParam", .types = VALUE_STRING, .parse = read_string, .variants = OFFSET | CURSOR | KEYSET,
	FIELD(JobPagination, limit_param), .min = 1},
	{.name = "totalPath", .types = VALUE_STRING, .parse = read_path, .variants = OFFSET | PAGE,
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
	/* Required but where templates have the cursor: see check_places. */
	{.name = "cursorParam", .types = VALUE_STRING, .parse = read_string, .variants = CURSOR | KEYSET,
	FIELD(JobPagination, cursor_param), .min = 1},
	{.name = "in", .types = VALUE_STRING, .parse = read_choice, .variants = PLACED,
	FIELD(JobPagination, cursor_place), .choices = places},
	{.name = "hasMorePath", .types = VALUE_STRING, .parse = read_path, .variants = CURSOR | KEYSET,
	FIELD(JobPagination, has_more_path)},
	{.name = "field", .types = VALUE_STRING, .parse = read_path, .variants = KEYSET,
	FIELD(JobPagination, keyset_field)},
	{.name = "ties", .types = VALUE_STRING, .parse = read_ties, .variants = KEYSET},
	{.name = "nextUrlPath", .types = VALUE_STRING, .parse = read_path, .flags = KEY_REQUIRED, .variants = NEXT_URL,
	FIELD(JobPagination, next_url_path)},
	{.name = "allowedOrigins", .types = VALUE_ARRAY, .parse = read_origins, .variants = LINK | NEXT_URL,
	FIELD(JobPagination, allowed_origins)},
	{.name = "maxPages", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobPagination, max_pages), .min = 1, .max = MAX_PAGES},
	{.name = "stopWhen", .types = VALUE_STRING, .parse = read_stop_when,
	FIELD(JobPagination, stop_when)},
	{.name = "restart", .types = VALUE_OBJECT, .parse = read_restart, .variants = OFFSET | PAGE | CURSOR | LINK | NEXT_URL},
	{.name = "dropOtherQuery", .types = VALUE_BOOLEAN, .parse = read_boolean,
	FIELD(JobPagination, drop_other_query)},
	{NULL}
};

static const KeyRule restart_rules[] = {
	{.name = "items", .types = VALUE_NUMBER, .parse = read_restart_items, .flags = KEY_REQUIRED,
	FIELD(JobPagination, restart_after), .min = 1, .max = MAX_RESTART_ITEMS},
	{.name = "field", .types = VALUE_STRING, .parse = read_path, .flags = KEY_REQUIRED,
	FIELD(JobPagination, restart_field)},
	{.name = "param", .types = VALUE_STRING, .parse = read_string,
	FIELD(JobPagination, restart_param), .min = 1},
	{.name = "ties", .types = VALUE_STRING, .parse = read_ties},
	{NULL}
};

/* The names under which positions and sizes go. */
static const char *const place_keys[] = {"offsetParam", "limitParam", "pageParam", "sizeParam", "cursorParam", "param"};

static JsonPath *key_path(const char *key);
static void check_cursor(ProblemList *problems, struct json_object *object, const char *pointer,
						 const JobPagination *pagination);
static void check_places(ProblemList *problems, struct json_object *object, const char *pointer,
						 const JobPagination *pagination);
static void check_place(ProblemList *problems, const char *key, const char *name, CursorPlace place, const char *pointer);
static bool is_key_path(const char *text);
static bool is_origin(const char *text);

/* One page; what other types leave out.  size: items of a page where it names none, 0: 100. */
void
pagination_definition_default(JobPagination *pagination, int size)
{
	memset(pagination, 0, sizeof(*pagination));
	pagination->type = PAGINATION_NONE;
	pagination->limit = size > 0 ? size : DEFAULT_PAGE_SIZE;
	pagination->offset_param = "offset";
	pagination->page_param = "page";
	pagination->start_page = 1;
	pagination->cursor_place = CURSOR_IN_QUERY;
	pagination->max_pages = DEFAULT_MAX_PAGES;
}

/*
 * With offset the size is always sent: the next offset is counted by it.  With
 * page it is sent where the user says under which name, with cursor and keyset
 * where he says either.
 */
void
pagination_definition_parse(ProblemList *problems, struct json_object *object,
							const char *pointer, int size, JobPagination *pagination)
{
	ObjectType	type;
	bool		states_limit = json_object_object_get_ex(object, "limit", NULL);
	bool		states_size = json_object_object_get_ex(object, "pageSize", NULL);

	pagination_definition_default(pagination, size);
	read_type(problems, object, pointer, pagination_types, &type);
	read_object(problems, object, pointer, pagination_rules, type.variant, type.label, pagination);

	pagination->type = type.value;
	if (type.variant == KEYSET && pagination->keyset_field == NULL)
		pagination->keyset_field = key_path("id");
	if (pagination->cursor_place == CURSOR_IN_TEMPLATE)
		pagination->send_limit = type.variant == OFFSET || states_limit || states_size;
	else
	{
		if (pagination->limit_param == NULL && (type.variant == OFFSET || states_limit))
			pagination->limit_param = "limit";
		pagination->send_limit = pagination->limit_param != NULL;
	}

	if (type.variant == CURSOR)
		check_cursor(problems, object, pointer, pagination);
	check_places(problems, object, pointer, pagination);
}

void
pagination_definition_imply(JobPagination *pagination)
{
	pagination->type = PAGINATION_OFFSET;
	pagination->limit_param = "limit";
	pagination->send_limit = true;
	pagination->implied = true;
}

/* ["https://files.example.com", ...] */
static void
read_origins(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	List	  **origins = rule_field(rule, target);
	ListCell   *lc;

	*origins = read_names(problems, value, "an origin of \"allowedOrigins\"", pointer);
	foreach(lc, *origins)
	{
		if (!is_origin(lfirst(lc)))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
						"Write scheme, host and port as \"https://files.example.com\" or \"https://files.example.com:8443\".",
						"\"%s\" is not an origin", clip_text(lfirst(lc)));
	}
}

static void
read_stop_when(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	read_condition(problems, rule, value, pointer, "{{ response.isLast }}", rule_field(rule, target));
}

static void
read_restart(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	read_object(problems, value, pointer, restart_rules, ~0U, NULL, target);
}

static void
read_restart_items(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				   const char *pointer, void *target)
{
	int64	   *field = rule_field(rule, target);
	int			items;

	if (read_bounded_int(problems, value, rule->min, rule->max, "\"items\"", pointer, &items))
		*field = items;
}

/* "fail" or "whole" */
static void
read_ties(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobPagination *pagination = target;
	const char *text = json_object_get_string(value);

	if (strcmp(text, "whole") == 0)
		pagination->ties_whole = true;
	else if (strcmp(text, "fail") != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"ties\" must be \"fail\" or \"whole\"");
}

static JsonPath *
key_path(const char *key)
{
	char	   *error;

	return json_path_parse(key, &error);
}

/* Where the cursor is found. */
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
}

/* The names of what goes into the request suit the place where it goes. */
static void
check_places(ProblemList *problems, struct json_object *object, const char *pointer,
			 const JobPagination *pagination)
{
	CursorPlace place = pagination->cursor_place;
	struct json_object *restart = NULL;

	if ((pagination->type == PAGINATION_CURSOR || pagination->type == PAGINATION_KEYSET) &&
		place != CURSOR_IN_TEMPLATE && !json_object_object_get_ex(object, "cursorParam", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"cursorParam\" is missing");

	(void) jsonc_get(object, "restart", &restart);
	for (int i = 0; i < lengthof(place_keys); i++)
	{
		const char *key = place_keys[i];
		struct json_object *name;

		if (jsonc_get(object, key, &name) && value_is(name, VALUE_STRING))
			check_place(problems, key, json_object_get_string(name), place, pointer_key(pointer, key));
		else if (jsonc_get(restart, key, &name) && value_is(name, VALUE_STRING))
			check_place(problems, key, json_object_get_string(name), place,
						pointer_key(pointer_key(pointer, "restart"), key));
	}
}

static void
check_place(ProblemList *problems, const char *key, const char *name, CursorPlace place, const char *pointer)
{
	if (name[0] == '\0')		/* there is a problem already */
		return;
	if (place == CURSOR_IN_TEMPLATE)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"The request's own templates say where it goes: {{ page.offset }}, {{ page.number }}, {{ page.limit }}, "
					"{{ page.cursor }}, {{ page.after }}.",
					"\"%s\" does not go with \"in\": \"template\"", key);
	if (place == CURSOR_IN_HEADER && !is_header_name(name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" is not the name of a header", key);
	if (place == CURSOR_IN_BODY && !is_key_path(name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write the place in the body as \"after\" or \"pagination.after\".",
					"\"%s\" is not a path of keys", key);
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

/* Scheme, host and at most a port, in characters that no URL parser can read in two ways. */
static bool
is_origin(const char *text)
{
	static const char *const host_chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t		host;

	if (pg_strncasecmp(text, "https://", 8) == 0)
		text += 8;
	else if (pg_strncasecmp(text, "http://", 7) == 0)
		text += 7;
	else
		return false;

	if (text[0] == '[')			/* IPv6 */
	{
		host = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
		if (host == 1 || text[host] != ']')
			return false;
		host++;
	}
	else if ((host = strspn(text, host_chars)) == 0)
		return false;
	text += host;
	if (text[0] == '\0')
		return true;
	return text[0] == ':' && strlen(text + 1) >= 1 && strlen(text + 1) <= 5 &&
		text[1 + strspn(text + 1, "0123456789")] == '\0' && atoi(text + 1) >= 1 && atoi(text + 1) <= 65535;
}
