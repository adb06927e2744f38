/*
 * definition.h
 *	  The job definition: JSON in, typed and checked structs out.
 *
 * Everything a Job points to lives in the memory context that was current when
 * job_parse was called.  Texts that may hold templates are kept as they were
 * written; template/ compiles them.
 */
#ifndef DATABITE_DEFINITION_H
#define DATABITE_DEFINITION_H

#include "base/log_level.h"
#include "base/problem.h"
#include "base/signature.h"
#include "datatype/timestamp.h"
#include "job/path.h"
#include "job/schedule.h"

#define JOB_ID_MAX 63

/*
 * A value of the definition that may hold templates.  A string is kept in
 * text; any other JSON value is kept as JSON text with is_json true, and
 * templates in strings inside of it are templates too.
 */
typedef struct JobValue
{
	char	   *text;
	bool		is_json;		/* text is JSON (number, true, null, object, array), not a plain string */
	char	   *pointer;		/* where it stands in the definition */
} JobValue;

typedef struct JobNamedValue
{
	char	   *name;
	JobValue	value;
} JobNamedValue;

typedef enum SourceType
{
	SOURCE_API,
	SOURCE_INLINE,
	SOURCE_SQL,
	SOURCE_WEBHOOK				/* "webhook_data": what the job's endpoint has taken */
} SourceType;

typedef enum BodyKind
{
	BODY_NONE,
	BODY_JSON,					/* object or array: sent as application/json */
	BODY_TEXT,					/* string: sent as it is */
	BODY_FORM					/* {"form": {...}}: application/x-www-form-urlencoded */
} BodyKind;

typedef enum PaginationType
{
	PAGINATION_NONE,
	PAGINATION_OFFSET,
	PAGINATION_PAGE,
	PAGINATION_CURSOR,
	PAGINATION_LINK,
	PAGINATION_NEXT_URL,
	PAGINATION_KEYSET
} PaginationType;

/* Where the position of a page (offset, number, cursor) and its size go. */
typedef enum CursorPlace
{
	CURSOR_IN_QUERY,
	CURSOR_IN_BODY,
	CURSOR_IN_HEADER,
	CURSOR_IN_TEMPLATE			/* nowhere by itself: the request's templates have {{ page.offset }} and its like */
} CursorPlace;

typedef struct JobPagination
{
	PaginationType type;
	int			limit;			/* offset: items a page; page: pageSize; default: batchSize where stated, else 100 */
	bool		send_limit;		/* whether the size parameter is sent (stated by the user, or offset) */
	char	   *offset_param;	/* "offset" */
	char	   *limit_param;	/* "limit"; page: sizeParam, NULL when not named */
	int			start_page;		/* 1 */
	char	   *page_param;		/* "page" */
	JsonPath   *total_path;		/* offset, page: totalPath, or NULL */
	JsonPath   *total_pages_path;	/* page: totalPagesPath, or NULL */
	JsonPath   *cursor_path;	/* cursor, in the response; or NULL */
	char	   *cursor_header;	/* cursor, a response header; or NULL */
	char	   *cursor_param;	/* cursor, keyset: name (query, header) or dotted path (body) */
	CursorPlace cursor_place;	/* of all kinds but link and next_url */
	JsonPath   *has_more_path;	/* or NULL */
	JsonPath   *next_url_path;	/* next_url */
	JsonPath   *keyset_field;	/* keyset: of the item, "id" */
	bool		ties_whole;		/* "ties": "whole": items with one keyset or restart field are never divided between pages */
	List	   *allowed_origins;	/* link, next_url: of char *, "https://host[:port]" beside the source's own */
	JobValue	stop_when;		/* over the response; text NULL: none */
	int64		restart_after;	/* restart.items: the listing begins anew after so many items; 0: never */
	JsonPath   *restart_field;	/* restart.field: of the last item, {{ page.after }} from then on */
	char	   *restart_param;	/* restart.param: where the value goes (as cursor_place says), or NULL: templates only */
	bool		drop_other_query;	/* the next request carries the cursor (and size) only */
	int			max_pages;		/* 10000 */
	bool		implied;		/* by parallel.enabled: a first page of more items than limit is the whole list */
} JobPagination;

typedef enum BackoffKind
{
	BACKOFF_EXPONENTIAL,
	BACKOFF_LINEAR,
	BACKOFF_FIXED
} BackoffKind;

typedef struct JobRetry
{
	int			attempts;		/* 5; tries in all, 1 means no retry */
	int64		delay_ms;		/* 1000 */
	BackoffKind backoff;
	int64		max_delay_ms;	/* 60000 */
	int64		budget_ms;		/* "budget": all waiting before tries of one request together; 0: no bound but the attempts */
	bool		idempotent;		/* "idempotent": a POST or PATCH may be sent again, as it only reads */
	int			nstatuses;
	int		   *statuses;		/* default 408 425 429 500 502 503 504 */
} JobRetry;

/* What a response that is no success, or that a rule has found to be an error, leads to. */
typedef enum ResponseAction
{
	ACTION_DEFAULT,				/* as without rules: by status, see JobRetry */
	ACTION_FAIL,
	ACTION_RETRY,				/* counts as a try */
	ACTION_EMPTY,				/* a page without items: the listing ends there */
	ACTION_SKIP,				/* as empty, with a line in history that says so */
	ACTION_REFRESH_TOKEN,		/* once for a request; then as fail */
	ACTION_RESTART,				/* the listing begins anew at its first page; counts as a try */
	ACTION_HALVE_PAGE			/* the same page again with half the size, which stays; at size 1 as fail */
} ResponseAction;

/*
 * One rule over a response.  onStatus: {"404": "empty", "429": [{"when": "{{ ... }}", "action": "fail"}, "retry"]};
 * errorWhen: "{{ response.ok == false }}", or [{"when": ..., "action": ..., "message": ...}].
 */
#define RULE_ANY_ERROR (-1)

typedef struct JobResponseRule
{
	int			status;			/* of onStatus, or its class (4: "4xx"); 0: of errorWhen, for any success; RULE_ANY_ERROR */
	JobValue	when;			/* text NULL: always */
	ResponseAction action;
	JobValue	message;		/* template over the response; text NULL: a standard one */
	char	   *pointer;
} JobResponseRule;

typedef enum RateHeaderMeaning
{
	RATE_RESET_IS_GUESSED,		/* a date; or a number above 1e9 is a time (ms above 1e11), a smaller one a delay in seconds */
	RATE_RESET_IS_TIME,			/* seconds since 1970 (ms where it is greater than 1e11), or a date */
	RATE_RESET_IS_DELAY			/* seconds */
} RateHeaderMeaning;

/* A token bucket, and what the server says of its own. */
typedef struct JobRateLimit
{
	double		per_second;		/* 0: no bucket, only the signals below */
	int			burst;			/* tokens of a full bucket: burstLimit, default 1 */
	char	   *key;			/* jobs of the same owner that name it share the bucket; NULL: the job's own */
	char	   *remaining_header;	/* "x-ratelimit-remaining", or NULL */
	char	   *reset_header;	/* "x-ratelimit-reset", or NULL */
	RateHeaderMeaning reset_is;	/* "resetIs": "time" | "delay" */
	char	   *ratio_header;	/* "x-shopify-shop-api-call-limit": "32/40", or NULL */
	char	   *retry_after_header;	/* beside Retry-After, or NULL */
	char	   *wait_pattern;	/* POSIX regex over an error's body whose first group is seconds to wait, or NULL */
	int64		wait_ms;		/* "wait": after a 429 that says nothing, at least so long; 0: the retry's delay */
} JobRateLimit;

typedef enum AuthType
{
	AUTH_NONE,
	AUTH_BEARER,
	AUTH_BASIC,
	AUTH_API_KEY,
	AUTH_OAUTH2,
	AUTH_LOGIN,
	AUTH_AWS_SIGV4
} AuthType;

typedef enum AuthPlace
{
	AUTH_IN_HEADER,
	AUTH_IN_QUERY,
	AUTH_IN_COOKIE
} AuthPlace;

typedef enum OAuthGrant
{
	GRANT_CLIENT_CREDENTIALS,
	GRANT_REFRESH_TOKEN
} OAuthGrant;

/* A request that is not the source's own: the login's. */
typedef struct JobRequest
{
	JobValue	url;
	char	   *method;
	List	   *headers;		/* of JobNamedValue * */
	List	   *query;			/* of JobNamedValue * */
	BodyKind	body_kind;
	JobValue	body;
	List	   *body_form;		/* of JobNamedValue * */
} JobRequest;

/* Who asks.  All values may be templates; secrets must be. */
typedef struct JobAuth
{
	AuthType	type;
	JobValue	token;			/* bearer */
	JobValue	username;		/* basic */
	JobValue	password;
	AuthPlace	place;			/* api_key: in; login: where its token goes (header) */
	char	   *name;			/* api_key, login: of the header, parameter or cookie; login: "Authorization" */
	JobValue	value;			/* api_key */
	char	   *prefix;			/* login, oauth2: before the token, "Bearer " */

	OAuthGrant	grant;			/* oauth2 */
	JobValue	token_url;
	JobValue	client_id;
	JobValue	client_secret;	/* text NULL: none */
	JobValue	refresh_token;	/* exactly {{tokens.name}}: a rotated one is stored under that name */
	JobValue	scope;			/* text NULL: none */
	List	   *params;			/* of JobNamedValue *: more of the token request (audience, resource, ...) */
	bool		client_in_header;	/* clientAuth: "basic"; false: "body" */

	JobRequest *request;		/* login */
	JsonPath   *token_path;		/* login (required), oauth2: "access_token" */
	JsonPath   *expires_in_path;	/* seconds; oauth2: "expires_in"; or NULL */
	int64		expires_in_ms;	/* login: where the answer does not tell; 0: until a 401 */
	JsonPath   *base_url_path;	/* {{ auth.base_url }}, or NULL */
	int64		margin_ms;		/* refreshed so long before it expires: 60000 */

	JobValue	access_key_id;	/* aws_sigv4 */
	JobValue	secret_access_key;
	JobValue	session_token;	/* text NULL: none */
	JobValue	region;
	JobValue	service;

	char	   *refresh_token_name; /* the name in refresh_token */
} JobAuth;

/* source.tls: PEM texts, from the token store where they are secret; text NULL: none. */
typedef struct JobTls
{
	JobValue	certificate;
	JobValue	key;
	JobValue	ca;				/* in place of those of the system or databite.ca_bundle */
} JobTls;

typedef enum CursorType
{
	CURSOR_TIME,
	CURSOR_NUMBER,
	CURSOR_TEXT
} CursorType;

typedef enum CursorMissing
{
	MISSING_INCLUDE,			/* the item is written and does not move the cursor (default) */
	MISSING_FAIL,
	MISSING_SKIP				/* with filter: the item is dropped */
} CursorMissing;

/* What was there already is not asked for again. */
typedef struct JobIncremental
{
	JsonPath   *cursor_field;	/* of the item; NULL: the clock (start of the last successful run) */
	CursorType	type;			/* "type": "time" (default) | "number" | "text" */
	char	   *format;			/* of times in requests: "iso" (default), "epoch", "epoch_ms", "epoch_float", "date", "http", or strftime */
	char	   *timezone;		/* of formats without offset, and of "date"; NULL: UTC */
	char	   *initial_value;	/* as the definition has it, number or text; NULL: 1970-01-01T00:00:00Z, 0, '' */
	char	   *end;			/* upper bound, or NULL */
	int64		lookback_ms;	/* time: begins so much earlier */
	double		lookback_number;	/* number: likewise */
	int64		lag_ms;			/* time: never asks for what is newer than now minus this */
	int64		step_ms;		/* "step": windows of that length, each with its own checkpoint; 0: none */
	bool		filter;			/* items outside of [cursor, end) are dropped here: the source cannot */
	CursorMissing missing;
	JsonPath   *sync_token_path;	/* syncToken.path: opaque state of the last page, in place of a cursor */
	char	   *sync_token_param;	/* syncToken.param: where it goes in the query; the other query stays unless dropQuery */
	List	   *sync_token_drops;	/* syncToken.drop: of char *, query parameters that do not go with it */
	int			sync_token_expired;	/* syncToken.expiredStatus, 410: forget it and read everything */
	bool		per_parent_state;	/* each row of the parent step has a cursor of its own */
} JobIncremental;

typedef enum SourceFormat
{
	FORMAT_BY_CONTENT_TYPE,		/* JSON unless the response says NDJSON or CSV */
	FORMAT_JSON,
	FORMAT_NDJSON,
	FORMAT_CSV
} SourceFormat;

/* Rows of values and a row of names: an item is made of both. */
typedef struct JobZip
{
	bool		header_row;		/* zip: "header": the first row of the list has the names */
	JsonPath   *names;			/* zip[].names: in the response, before the list, "dimensionHeaders[*].name" */
	JsonPath   *values;			/* zip[].values: in the row, "dimensionValues[*].value" */
} JobZip;

typedef struct JobSource
{
	SourceType	type;
	JobValue	url;
	char	   *method;			/* upper case: GET, POST, PUT, PATCH, DELETE, HEAD */
	List	   *headers;		/* of JobNamedValue * */
	List	   *query;			/* of JobNamedValue *; an array value repeats the parameter */
	BodyKind	body_kind;
	JobValue	body;			/* BODY_JSON: is_json; BODY_TEXT: text */
	List	   *body_form;		/* BODY_FORM: of JobNamedValue * */
	JobAuth		auth;
	JobTls	   *tls;			/* NULL: none */
	SourceFormat format;
	List	   *zip;			/* of JobZip *; NIL: items are items */
	JsonPath   *data_path;		/* NULL: found by the usual names */
	JobPagination pagination;
	JobIncremental *incremental;	/* NULL: none */
	JobRetry	retry;
	JobRateLimit *rate_limit;	/* NULL: none */
	List	   *response_rules;	/* of JobResponseRule *: errorWhen, onStatus, in order */
	bool		conditional;	/* cache: {"conditional": true} */
	int			max_concurrency;	/* requests in flight: parallel.maxConcurrency; 0: not stated */
	int			chunk_size;		/* parallel.chunkSize: items of a request where pagination names no size; 0: not stated */
	bool		parallel;		/* parallel.enabled: pages are asked for ahead even where the total is not known */
	int			batch_size;		/* 0: not stated */
	int64		timeout_ms;		/* whole request; default 30000 */
	char	   *inline_items;	/* SOURCE_INLINE: JSON text of the array */
	bool		plain_items;	/* SOURCE_INLINE: none of them is an object */
	int			batch_parents;	/* batchParents: a request is made of so many rows of the step it names; 0: of one */
	JobValue	sql_query;		/* SOURCE_SQL */
	JsonPath   *payload_path;	/* SOURCE_WEBHOOK: of the payload, the items or the list; NULL: all of it */
	JobValue	where;			/* which items are taken; text NULL: all */
	bool		states_retry;
	bool		states_rate_limit;
	char	   *default_retry;	/* JSON: what databite.configure gave it, or NULL */
	char	   *default_rate_limit;
} JobSource;

typedef enum WriteMode
{
	WRITE_DEFAULT,				/* upsert when a key is known, else insert */
	WRITE_INSERT,
	WRITE_UPSERT,
	WRITE_INSERT_ONLY,			/* keep what is there */
	WRITE_UPDATE_ONLY,
	WRITE_BATCH,				/* "batch_insert": as WRITE_DEFAULT */
	WRITE_STREAMING,			/* "streaming_insert": as WRITE_DEFAULT, and what has come is written whenever the source pauses */
	WRITE_PARALLEL,				/* "parallel_insert": as WRITE_DEFAULT, by several writers */
	WRITE_REPLACE,				/* the table is what the run has read, from one moment to the next */
	WRITE_APPEND_HISTORY		/* a row for each version of a key: valid_from, valid_to */
} WriteMode;

/* What becomes of a row that is to be deleted. */
typedef enum DeleteMode
{
	DELETE_NONE,
	DELETE_HARD,
	DELETE_SOFT					/* a column says when */
} DeleteMode;

typedef struct JobDeletes
{
	DeleteMode	mode;			/* of the items for which "when" is true */
	JobValue	when;			/* text NULL: not stated */
	DeleteMode	missing;		/* of rows that a complete listing does not have */
	double		max_fraction;	/* no more of the table's rows than that: 0.5 */
	char	   *column;			/* of a soft delete: "deleted_at" */
	char	   *pointer;
} JobDeletes;

typedef enum SchemaChanges
{
	SCHEMA_IGNORE,				/* keys of items that are no column are left out */
	SCHEMA_ADD_COLUMNS,
	SCHEMA_FAIL
} SchemaChanges;

/* The parallel writers. */
typedef struct JobPool
{
	int			min;
	int			max;			/* 0: not stated */
	int64		idle_timeout_ms;	/* 0: not stated */
} JobPool;

typedef struct JobColumn
{
	char	   *name;
	char	   *type;			/* as written: "string", "datetime", "numeric(10,2)", ... */
	char	   *pointer;
} JobColumn;

typedef struct JobDestination
{
	char	   *table;			/* as written: "name" or "schema.name" */
	char	   *table_pointer;
	List	   *schema;			/* of JobColumn *, NIL when not stated */
	WriteMode	mode;
	List	   *key;			/* of char *, NIL when not stated */
	char	   *key_pointer;
	int			batch_size;		/* 0: not stated */
	bool		rejects_bad_items;	/* onError: "log_and_continue", or the job's errorHandling.onItemError */
	bool		rejects_failed_batches; /* the job's errorHandling.rejects_failed_batches */
	bool		has_pool;		/* connectionPool is stated */
	JobPool		pool;
	JobDeletes *deletes;		/* NULL: nothing is deleted */
	SchemaChanges schema_changes;
	char	   *newer_by;		/* a column: rows that are older by it than what is there are not written; or NULL */
	char	   *newer_by_pointer;
	bool		implied;		/* there is none in the definition: the table has the job's name */
	bool		none;			/* there is none: what the step delivers is for the requests of later steps */
	bool		states_on_error;	/* onError is stated: it wins over the job's onItemError */
} JobDestination;

typedef enum RuleType
{
	RULE_TYPE_ANY,				/* not stated */
	RULE_TYPE_STRING,
	RULE_TYPE_NUMBER,
	RULE_TYPE_INTEGER,
	RULE_TYPE_BOOLEAN,
	RULE_TYPE_DATETIME,
	RULE_TYPE_DATE,
	RULE_TYPE_EMAIL,
	RULE_TYPE_PHONE,
	RULE_TYPE_URL,
	RULE_TYPE_UUID,
	RULE_TYPE_ARRAY,
	RULE_TYPE_OBJECT
} RuleType;

/* What a column's value must be like: a template, or any of the others. */
typedef struct JobRule
{
	char	   *column;
	char	   *pointer;
	JobValue	template;		/* the others: text NULL where not stated */
	RuleType	type;
	JobValue	min;
	JobValue	max;
	JobValue	pattern;
	List	   *in;				/* of JobValue *; NIL: not stated */
} JobRule;

typedef struct JobValidation
{
	List	   *required;		/* of char *: columns */
	char	   *required_pointer;
	List	   *rules;			/* of JobRule * */
} JobValidation;

typedef struct JobStep
{
	char	   *id;				/* "main" for a job without steps */
	char	   *pointer;		/* "" for a job without steps, else "/steps/N" */
	JobSource	source;
	JobDestination destination;
	bool		has_transform;
	List	   *transform;		/* of JobNamedValue *: column and its template or literal */
	JobValidation *validation;	/* NULL: none */
	List	   *depends_on;		/* of char *: ids of steps */
	List	   *parents;		/* of JobStep *: the steps it depends on, directly or through others */
	List	   *delivers;		/* of char *, without a destination: the columns that later steps name; by parents_link */
} JobStep;

/* The least memoryLimit, and the least share of it that a step needs. */
#define MIN_MEMORY_LIMIT	(INT64CONST(8) << 20)

typedef enum ErrorStrategy
{
	STRATEGY_FAIL_FAST,
	STRATEGY_RETRY_WITH_BACKOFF,	/* a run that fails is run again */
	STRATEGY_PARTIAL_SUCCESS	/* what can be written is, and the run ends as partial */
} ErrorStrategy;

/* What becomes of a batch that fails for no item of it. */
typedef enum BatchErrorAction
{
	BATCH_ERROR_FAIL,
	BATCH_ERROR_RETRY,			/* it is tried again, as often and after as long as the run would be */
	BATCH_ERROR_LOG				/* its items are rejected */
} BatchErrorAction;

typedef struct JobWebhookHeader
{
	char	   *name;
	char	   *value;			/* tokens may stand in it: see secret_text.h */
} JobWebhookHeader;

/* Where a POST goes; texts in which tokens may stand. */
typedef struct JobWebhook
{
	char	   *url;
	char	   *secret;			/* NULL: nothing is signed */
	List	   *headers;		/* of JobWebhookHeader * */
} JobWebhook;

typedef struct JobOnFailure
{
	bool		notify_admin;
	JobWebhook *webhook;		/* NULL: none */
} JobOnFailure;

typedef struct JobErrorHandling
{
	ErrorStrategy strategy;
	int			max_retries;	/* 3 */
	int64		retry_delay_ms; /* 5000 */
	BackoffKind backoff;		/* exponential */
	JobOnFailure on_failure;	/* when a run has failed for good */
	bool		rejects_bad_items;	/* onItemError: "log_and_continue", for destinations that do not say */
	BatchErrorAction batch_error;	/* onBatchError */
	bool		rejects_failed_batches; /* the items of a batch that is given up are rejected, and the run goes on */
} JobErrorHandling;

typedef enum TriggerType
{
	TRIGGER_WEBHOOK,
	TRIGGER_EVENT
} TriggerType;

/* Exactly one of the two. */
typedef struct JobSecret
{
	char	   *name;			/* of a token: {{secrets.name}}; or NULL */
	char	   *value;			/* as it stands in the definition; or NULL */
} JobSecret;

typedef struct JobTrigger
{
	TriggerType type;
	char	   *endpoint;		/* webhook: "/webhook/sync" */
	List	   *secrets;		/* of JobSecret *: any of them will do; NIL: nothing is signed */
	SignatureRule signature;	/* max_age_ms: 300000 */
	char	   *event;			/* event: its name */
	char	   *source;			/* event: who sends it; NULL: anybody */
} JobTrigger;

/* Where lines on the job's runs go, beside the server log. */
typedef struct JobLogging
{
	bool		stated;			/* by the job itself */
	LogLevel	level;			/* not stated: databite.log_level */
	bool		to_database;	/* destination */
	char	   *table;			/* as written; NULL: databite's own */
	char	   *pointer;		/* of the table */
} JobLogging;

/* Functions (job_id text, detail jsonb), as written; NULL: none. */
typedef struct JobHooks
{
	char	   *on_start;
	char	   *on_complete;
	char	   *on_error;
} JobHooks;

/* Hooks of a job that it does not name are those of the database. */
extern void job_hooks_complete(JobHooks *hooks, const JobHooks *defaults);

typedef struct Job
{
	char	   *id;
	char	   *name;			/* or NULL */
	char	   *description;	/* or NULL */
	bool		enabled;
	JobSchedule *schedule;		/* NULL: the database's default, else by hand */
	JobErrorHandling error_handling;
	int			concurrency;	/* performance.concurrency: requests in flight, default 4 */
	int64		timeout_ms;		/* performance.timeout: of a run; 0: none */
	int64		memory_limit;	/* performance.memoryLimit: bytes that a run buffers; 0: none */
	JobTrigger *trigger;		/* NULL: none */
	JobLogging	logging;
	JobHooks	hooks;
	List	   *steps;			/* of JobStep *, each after those it depends on */
} Job;

/* What databite.configure sets: defaults for what jobs do not say. */
typedef struct JobSettings
{
	JobSchedule *schedule;		/* NULL: none */
	JobLogging	logging;
	JobHooks	hooks;
	JobRetry   *retry;			/* of sources; NULL: none */
	char	   *retry_text;		/* as JSON */
	JobRateLimit *rate_limit;	/* of sources; NULL: none */
	char	   *rate_limit_text;
} JobSettings;

/*
 * Parses and checks a definition.  Adds what is wrong to problems, every
 * problem with its JSON pointer; a key that databite knows but does not support
 * yet is a problem with ERRCODE_FEATURE_NOT_SUPPORTED.  Returns a Job that is
 * complete only if no problem was added, NULL where the text is not an object.
 */
extern Job *job_parse(const char *json, size_t len, ProblemList *problems);

/* The first step of that id in a list of JobStep *, or NULL. */
extern JobStep *job_step_find(const List *steps, const char *id);

/* Does one of its steps read what the webhook brings?  Else each delivery is a run of its own. */
extern bool job_takes_deliveries(const Job *job);

/* How many steps of a run may be under way at once. */
extern int	job_steps_at_once(const Job *job);

/* The word of the definition: "insert", ...; "default" for WRITE_DEFAULT. */
extern const char *write_mode_name(WriteMode mode);

/* The word of the definition: "string", ... */
extern const char *rule_type_name(RuleType type);

/* Parses the argument of databite.configure; NULL: no settings. */
extern JobSettings *job_parse_settings(const char *json, ProblemList *problems);

/* Gives the job what it does not say itself, but for its schedule (defaults.c).  It shares the settings' memory from then on. */
extern void job_apply_settings(Job *job, const JobSettings *settings);

#endif
