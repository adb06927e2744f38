/*
 * target.h
 *	  The table that a step writes to: where it is, its columns, its keys.
 */
#ifndef DATABITE_TARGET_H
#define DATABITE_TARGET_H

#include "base/problem.h"

/* The columns of a history that say when a version began and ended; the open one has no end. */
#define HISTORY_FROM	"valid_from"
#define HISTORY_TO		"valid_to"

typedef struct TargetColumn
{
	char	   *name;
	Oid			type;
	int32		typmod;
	Oid			collation;
	bool		not_null;
	bool		generated;		/* GENERATED ALWAYS, as expression or identity: never written */
	char	   *fallback;		/* its default as SQL, or NULL */
} TargetColumn;

typedef struct Target
{
	Oid			oid;			/* InvalidOid: the table is not created yet */
	char		relkind;
	char	   *schema;
	char	   *name;
	char	   *qualified;		/* schema.name, quoted where needed */
	List	   *columns;		/* of TargetColumn *, in the table's order */
	List	   *primary_key;	/* of char *; NIL where there is none that ON CONFLICT could use */
	List	   *open_keys;		/* of List * of char *: unique indexes on versions that are open, WHERE valid_to IS NULL */
	bool		has_rules;		/* for INSERT or UPDATE: ON CONFLICT cannot be used */
} Target;

/*
 * Splits "name" or "schema.name".  A part is taken as it is written, upper case
 * kept; one that holds a dot is put in double quotes.  *schema is NULL where
 * there is none.  False with *error set where it is not a name.
 */
extern bool target_parse_name(const char *text, char **schema, char **name, char **error);

/* Says what is wrong with a name of a table or column, or NULL; *sqlstate is set. */
extern char *target_check_identifier(const char *name, int *sqlstate);

/* The same of a new column. */
extern char *target_check_column(const char *name, int *sqlstate);

/*
 * Finds the table as SQL would (schema NULL: by the search_path) and locks it
 * against changes for the transaction.  NULL where there is none.
 */
extern Target *target_find(const char *schema, const char *name);

/* A table that is to be created.  The schema must be known. */
extern Target *target_planned(const char *schema, const char *name, List *columns, List *primary_key);

extern TargetColumn *target_column(const Target *target, const char *name);

/* Names of the columns, NULL-terminated, for suggestions. */
extern const char *const *target_column_names(const Target *target);

/* Is there a unique index that ON CONFLICT could use on exactly these columns? */
extern bool target_has_unique_key(const Target *target, const List *key);

/* Is there a unique index on exactly these columns of the versions that are open? */
extern bool target_has_open_key(const Target *target, const List *key);

/* Is it something that an INSERT can go to? */
extern bool target_is_writable(const Target *target);

/* Is it a table, rather than a view or foreign table? */
extern bool target_is_table(const Target *target);

/* Can rows be found and updated here by ON CONFLICT? */
extern bool target_supports_upsert(const Target *target);

/* "ONLY " before the name of a table in which rows are looked for: those of tables that inherit from it are not its own. */
extern const char *target_only(const Target *target);

/* Why they cannot. */
extern const char *target_no_upsert_reason(const Target *target);

/* Has the table, or what its name means, become another one since? */
extern bool target_has_changed(const Target *target);

/* Is the name in the list (of char *)? */
extern bool name_list_has(const List *names, const char *name);

/* "a, b" with each name quoted where needed. */
extern char *name_list_quoted(const List *names);

#endif
