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

#include "base/problem.h"
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
	SOURCE_INLINE
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
	PAGINATION_NEXT_URL
} PaginationType;

typedef enum CursorPlace
{
	CURSOR_IN_QUERY,
	CURSOR_IN_BODY,
	CURSOR_IN_HEADER
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
	JsonPath   *total_path;		/* offset: totalPath, or NULL */
	JsonPath   *total_pages_path;	/* page: totalPagesPath, or NULL */
	JsonPath   *cursor_path;	/* cursor, in the response; or NULL */
	char	   *cursor_header;	/* cursor, a response header; or NULL */
	char	   *cursor_param;	/* name (query, header) or dotted path (body) */
	CursorPlace cursor_place;
	JsonPath   *has_more_path;	/* or NULL */
	JsonPath   *next_url_path;	/* next_url */
	bool		drop_other_query;	/* the next request carries the cursor (and size) only */
	int			max_pages;		/* 10000 */
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
	int			nstatuses;
	int		   *statuses;		/* default 408 425 429 500 502 503 504 */
} JobRetry;

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
	JsonPath   *data_path;		/* NULL: found by the usual names */
	JobPagination pagination;
	JobRetry	retry;
	int			batch_size;		/* 0: not stated */
	int64		timeout_ms;		/* whole request; default 30000 */
	char	   *inline_items;	/* SOURCE_INLINE: JSON text of the array */
	JobValue	where;			/* which items are taken; text NULL: all */
} JobSource;

typedef enum WriteMode
{
	WRITE_DEFAULT,				/* upsert when a key is known, else insert */
	WRITE_INSERT,
	WRITE_UPSERT
} WriteMode;

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
} JobStep;

typedef struct Job
{
	char	   *id;
	char	   *name;			/* or NULL */
	char	   *description;	/* or NULL */
	bool		enabled;
	JobSchedule *schedule;		/* NULL: the database's default, else by hand */
	List	   *steps;			/* of JobStep * */
} Job;

/*
 * Parses and checks a definition.  Adds what is wrong to problems, every
 * problem with its JSON pointer; a key that databite knows but does not support
 * yet is a problem with ERRCODE_FEATURE_NOT_SUPPORTED.  Returns a Job that is
 * complete only if no problem was added, NULL where the text is not an object.
 */
extern Job *job_parse(const char *json, size_t len, ProblemList *problems);

/* The word of the definition: "string", ... */
extern const char *rule_type_name(RuleType type);

/* Parses the argument of databite.configure; only {"schedule": {...}} is supported yet. */
extern void job_parse_settings(const char *json, size_t len, JobSchedule **schedule, ProblemList *problems);

#endif
