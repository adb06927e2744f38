/*
 * definition_parts.h
 *	  What the files that parse a definition offer each other; private to them.
 *
 * Every function takes a value that is known to be an object, adds what is
 * wrong with it to problems, and sets the defaults of what it leaves out.
 */
#ifndef DATABITE_DEFINITION_PARTS_H
#define DATABITE_DEFINITION_PARTS_H

#include "job/reader.h"

/* source_definition.c */
extern void source_definition_parse(ProblemList *problems, struct json_object *object,
									const char *pointer, JobSource *source);

/* The same file; KeyParsers of the keys url and method, target is the JobSource. */
extern void read_url(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_method(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* auth_definition.c; KeyParsers of the keys auth and tls, target is the JobSource. */
extern void read_auth(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_tls(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* The same file; the name in a text that is {{tokens.name}} or {{secrets.name}} and nothing else, or NULL. */
extern char *lone_token(const char *text);

/*
 * steps_definition.c: the steps, each after those it depends on, with their
 * parents; as they were where a problem was added.
 */
extern List *steps_in_order(List *steps, const char *pointer, ProblemList *problems);

/* The same; a step that has none: whether later steps name what it delivers is found out where templates are compiled. */
extern void steps_without_destination(JobStep *step);

/* request_definition.c; KeyParsers of the keys headers, query and body, target is the JobSource. */
extern void read_headers(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_query(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_body(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* True where name may be the name of an HTTP header (RFC 9110: a token). */
extern bool is_header_name(const char *name);

/* decoding_definition.c; KeyParsers of the keys dataPath and zip, and what the keys must be together. */
extern const Choice format_choices[];
extern void read_data_path(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_zip(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void check_decoding(ProblemList *problems, const char *pointer, const JobSource *source);

/* pagination_definition.c */
extern void pagination_definition_default(JobPagination *pagination, int size);
extern void pagination_definition_parse(ProblemList *problems, struct json_object *object,
										const char *pointer, int size, JobPagination *pagination);

/* Makes default pagination that of parallel.enabled: by offset, with the usual names. */
extern void pagination_definition_imply(JobPagination *pagination);

/* concurrency_definition.c; KeyParsers of parallel and performance, targets are the JobSource and the Job. */
extern void read_parallel(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_performance(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
#define DEFAULT_CONCURRENCY	4

/* retry_definition.c */
extern void retry_definition_default(JobRetry *retry);
extern void retry_definition_parse(ProblemList *problems, struct json_object *object,
								   const char *pointer, JobRetry *retry);
extern const Choice backoff_choices[];

/* incremental_definition.c; KeyParsers of the keys incremental and cache, target is the JobSource. */
extern void read_incremental(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_cache(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* What else their source must be like; after all of its keys have been read. */
extern void check_incremental(ProblemList *problems, const char *pointer, const JobSource *source);

/* rate_definition.c; a KeyParser, target is the JobSource. */
extern void read_rate_limit(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* response_definition.c; object is the source, whose keys' types have been checked. */
extern void response_definition_parse(ProblemList *problems, struct json_object *object, const char *pointer, JobSource *source);

/* destination_definition.c */
extern void destination_definition_parse(ProblemList *problems, struct json_object *object,
										 const char *pointer, JobDestination *destination);

/* What is wrong between the parts of a step that has been read. */
extern void destination_definition_check(ProblemList *problems, const JobStep *step);

/* validation_definition.c; a KeyParser, target is where a JobValidation * goes. */
extern void read_validation(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* error_definition.c; the KeyParsers' targets are a JobErrorHandling, by FIELD, and the JobDestination. */
extern void error_definition_default(JobErrorHandling *handling);
extern void read_error_handling(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_on_failure(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_on_error(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* trigger_definition.c; a KeyParser, target is where a JobTrigger * goes. */
extern void read_trigger(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

/* The same file: a webhook and what it brings belong together. */
extern void trigger_definition_check(ProblemList *problems, const Job *job);

/* watching_definition.c; KeyParsers, targets are a JobLogging and a JobHooks, by FIELD. */
extern void read_logging(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);
extern void read_hooks(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer, void *target);

#endif
