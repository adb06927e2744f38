/*
 * source_definition.c
 *	  Where items come from: {type: "api", url, ...} and its like.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define DEFAULT_TIMEOUT_MS	30000

/* What a request is made of is in its URL or body, and in the checkpoint as long as it is open. */
#define MAX_BATCH_PARENTS	1000

#define API				(1U << SOURCE_API)
#define INLINE			(1U << SOURCE_INLINE)
#define WEBHOOK_DATA	(1U << SOURCE_WEBHOOK)
#define SQL				(1U << SOURCE_SQL)

static const Choice source_types[] = {
	{"api", SOURCE_API},
	{"inline", SOURCE_INLINE},
	{"webhook_data", SOURCE_WEBHOOK},
	{"sql", SOURCE_SQL},
	{NULL}
};

/* Kept by name: JobSource.method. */
static const Choice methods[] = {
	{"GET"},
	{"POST"},
	{"PUT", 0, true},
	{"PATCH", 0, true},
	{"DELETE", 0, true},
	{"HEAD", 0, true},
	{NULL}
};

static void read_streaming(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_retry(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_where(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_items(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_payload(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void read_sql_query(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_pagination(ProblemList *problems, struct json_object *object,
							const char *pointer, JobSource *source);
static char *lone_template(const char *text);
static bool is_plain(const JsonPath *path);
static const char *position_name(PaginationType type);
static void check_batch_parents(ProblemList *problems, const char *pointer, const JobSource *source);
static void check_body(ProblemList *problems, const char *pointer, const JobSource *source);

static const KeyRule source_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "url", .types = VALUE_STRING, .parse = read_url, .flags = KEY_REQUIRED, .variants = API},
	{.name = "method", .types = VALUE_STRING, .parse = read_method, .variants = API},
	{.name = "headers", .types = VALUE_OBJECT, .parse = read_headers, .variants = API},
	{.name = "query", .types = VALUE_OBJECT, .parse = read_query, .variants = API},
	{.name = "query", .types = VALUE_STRING, .parse = read_sql_query, .flags = KEY_REQUIRED, .variants = SQL},
	{.name = "body", .types = VALUE_OBJECT | VALUE_ARRAY | VALUE_STRING, .parse = read_body, .variants = API},
	{.name = "auth", .types = VALUE_OBJECT, .parse = read_auth, .variants = API},
	{.name = "tls", .types = VALUE_OBJECT, .parse = read_tls, .variants = API},
	{.name = "payload", .types = VALUE_STRING, .parse = read_payload, .variants = WEBHOOK_DATA, FIELD(JobSource, payload_path)},
	{.name = "items", .types = VALUE_ARRAY, .parse = read_items, .flags = KEY_REQUIRED, .variants = INLINE},
	{.name = "dataPath", .types = VALUE_STRING, .parse = read_data_path, .variants = API | WEBHOOK_DATA,
	FIELD(JobSource, data_path)},
	{.name = "format", .types = VALUE_STRING, .parse = read_choice, .variants = API, .choices = format_choices,
	FIELD(JobSource, format)},
	{.name = "zip", .types = VALUE_STRING | VALUE_ARRAY, .parse = read_zip, .variants = API, FIELD(JobSource, zip)},
	/* After the batch size is known: see read_pagination. */
	{.name = "pagination", .types = VALUE_OBJECT, .variants = API},
	{.name = "incremental", .types = VALUE_OBJECT, .parse = read_incremental, .variants = API | SQL},
	{.name = "rateLimit", .types = VALUE_OBJECT, .parse = read_rate_limit, .variants = API},
	{.name = "retry", .types = VALUE_OBJECT, .parse = read_retry, .variants = API},
	/* What is in them belongs together: see response_definition.c. */
	{.name = "errorWhen", .types = VALUE_STRING | VALUE_ARRAY, .variants = API},
	{.name = "errorMessage", .types = VALUE_STRING, .variants = API},
	{.name = "onStatus", .types = VALUE_OBJECT, .variants = API},
	{.name = "batchSize", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobSource, batch_size), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "parallel", .types = VALUE_OBJECT, .parse = read_parallel, .variants = API},
	{.name = "batchParents", .types = VALUE_NUMBER, .parse = read_int, .variants = API,
	FIELD(JobSource, batch_parents), .min = 1, .max = MAX_BATCH_PARENTS},
	{.name = "streaming", .types = VALUE_BOOLEAN, .parse = read_streaming},
	{.name = "timeout", .types = VALUE_TIME, .parse = read_duration, .variants = API,
	FIELD(JobSource, timeout_ms), .min = 1, .max = MAX_TIME_MS},
	{.name = "cache", .types = VALUE_OBJECT, .parse = read_cache, .variants = API},
	{.name = "where", .types = VALUE_STRING, .parse = read_where},
	{NULL}
};

void
source_definition_parse(ProblemList *problems, struct json_object *object,
						const char *pointer, JobSource *source)
{
	ObjectType	type;

	source->method = "GET";
	source->timeout_ms = DEFAULT_TIMEOUT_MS;
	retry_definition_default(&source->retry);

	read_type(problems, object, pointer, source_types, &type);
	read_object(problems, object, pointer, source_rules, type.variant, type.label, source);

	source->type = type.value;
	read_pagination(problems, object, pointer, source);
	check_decoding(problems, pointer, source);
	check_incremental(problems, pointer, source);
	if (type.variant == API)
	{
		check_body(problems, pointer, source);
		check_batch_parents(problems, pointer, source);
		response_definition_parse(problems, object, pointer, source);
	}
}

/* A URL that starts with a template is checked when it is rendered. */
void
read_url(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		 const char *pointer, void *target)
{
	JobSource  *source = target;
	const char *url = json_object_get_string(value);

	if (strncmp(url, "{{", 2) != 0 &&
		pg_strncasecmp(url, "http://", 7) != 0 && pg_strncasecmp(url, "https://", 8) != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must begin with \"https://\" or \"http://\"", rule->name);

	source->url = job_value(value, pointer);
}

/* Case does not count. */
void
read_method(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	JobSource  *source = target;
	char	   *method = pstrdup(json_object_get_string(value));

	for (char *c = method; *c != '\0'; c++)
		*c = pg_ascii_toupper((unsigned char) *c);
	source->method = method;

	find_choice(problems, methods, rule->name, method, pointer);
}

/* Nothing ever holds a whole response, so there is nothing to turn off. */
static void
read_streaming(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	if (!json_object_get_boolean(value))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Leave it out, or set it to true.",
					"\"%s\" cannot be turned off", rule->name);
}

static void
read_retry(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobSource  *source = target;

	source->states_retry = true;
	retry_definition_parse(problems, value, pointer, &source->retry);
}

/* A condition without a template would be the same for every item. */
static void
read_where(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobSource  *source = target;

	if (strstr(json_object_get_string(value), "{{") == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write a condition as \"{{ item.status == 'open' }}\".",
					"\"%s\" must be a template", rule->name);
	else
		source->where = job_value(value, pointer);
}

static void
read_items(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobSource  *source = target;

	size_t		nitems = json_object_array_length(value);

	source->inline_items = json_print(value);
	source->plain_items = nitems > 0;
	for (size_t i = 0; i < nitems && source->plain_items; i++)
		source->plain_items = !value_is(json_object_array_get_idx(value, i), VALUE_OBJECT);
}

/* Which part of what has come is meant: the payload, or something in it. */
static void
read_payload(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	static const char payload[] = "webhook.payload";
	char	   *text = lone_template(json_object_get_string(value));
	JsonPath  **path = rule_field(rule, target);
	char	   *error;

	if (text == NULL || strncmp(text, payload, strlen(payload)) != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write \"{{webhook.payload}}\", or a part of it as \"{{webhook.payload.data}}\".",
					"\"%s\" must be the payload of the webhook", rule->name);
	else if (text[strlen(payload)] == '.')
	{
		*path = json_path_parse(text + strlen(payload) + 1, &error);
		if (*path == NULL || !is_plain(*path))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
						"\"%s\" is not a path to one part of the payload", text);
	}
	else if (text[strlen(payload)] != '\0')
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" is not a path to one part of the payload", text);
}

/* What stands between {{ and }} where the text is that and nothing else, or NULL. */
static char *
lone_template(const char *text)
{
	size_t		len = strlen(text);

	if (len < 4 || strncmp(text, "{{", 2) != 0 || strcmp(text + len - 2, "}}") != 0)
		return NULL;
	text += 2;
	len -= 4;
	while (len > 0 && *text == ' ')
	{
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return pnstrdup(text, len);
}

static bool
is_plain(const JsonPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].kind == PATH_ALL)
			return false;
	}
	return true;
}

/* PostgreSQL itself says what is wrong with it: see sql_source.c. */
static void
read_sql_query(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	JobSource  *source = target;

	source->sql_query = job_value(value, pointer);
}

/*
 * The page size falls back on the size of a chunk or of a batch, so this comes
 * after all other keys.  Who wants requests at the same time and says nothing of
 * pages has a list in mind that is cut by offset.
 */
static void
read_pagination(ProblemList *problems, struct json_object *object,
				const char *pointer, JobSource *source)
{
	struct json_object *pagination;
	int			size = source->chunk_size > 0 ? source->chunk_size : source->batch_size;

	if (jsonc_get(object, "pagination", &pagination) && value_is(pagination, VALUE_OBJECT))
		pagination_definition_parse(problems, pagination, pointer_key(pointer, "pagination"),
									size, &source->pagination);
	else
		pagination_definition_default(&source->pagination, source->parallel ? source->chunk_size : size);
	if (source->parallel && !json_object_object_get_ex(object, "pagination", NULL))
		pagination_definition_imply(&source->pagination);
}

/* A GET request has no body, so nothing may be meant to go there. */
static void
check_body(ProblemList *problems, const char *pointer, const JobSource *source)
{
	const JobPagination *pagination = &source->pagination;
	const char *position = position_name(pagination->type);

	if (strcmp(source->method, "GET") == 0 && source->body_kind != BODY_NONE)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "body"),
					"Set \"method\" to \"POST\".",
					"a GET request has no body");
	if (position == NULL || pagination->cursor_place != CURSOR_IN_BODY)
		return;

	if (strcmp(source->method, "GET") == 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer_key(pointer, "pagination"), "in"),
					"Set \"method\" to \"POST\".",
					"a GET request has no body that could carry the %s", position);
	else if (source->body_kind == BODY_TEXT || source->body_kind == BODY_FORM ||
			 (source->body_kind == BODY_JSON && source->body.text[0] != '{'))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "body"), NULL,
					"the %s can be put only into a body that is a JSON object", position);
}

/* What of a page goes into the request, in messages; NULL where nothing does. */
static const char *
position_name(PaginationType type)
{
	switch (type)
	{
		case PAGINATION_OFFSET:
			return "offset";
		case PAGINATION_PAGE:
			return "page number";
		case PAGINATION_CURSOR:
		case PAGINATION_KEYSET:
			return "cursor";
		default:
			return NULL;
	}
}

/* A sync token, or a cursor of each row, says up to where one row's listing was read. */
static void
check_batch_parents(ProblemList *problems, const char *pointer, const JobSource *source)
{
	if (source->batch_parents > 0 && source->incremental != NULL && source->incremental->per_parent_state)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "batchParents"),
					"Leave it out: each row then has a request and a cursor of its own.",
					"\"batchParents\" does not go with \"incremental.perParentState\", which is kept for each row by itself");
	else if (source->batch_parents > 0 && source->incremental != NULL && source->incremental->sync_token_path != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "batchParents"),
					"Leave it out: each row then has a request and a sync token of its own.",
					"\"batchParents\" does not go with \"incremental.syncToken\", which is kept for each row by itself");
}
