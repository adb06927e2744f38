/*
 * write_mode.h
 *	  What the modes ask of a table, and what they make of the rows.
 */
#ifndef DATABITE_WRITE_MODE_H
#define DATABITE_WRITE_MODE_H

#include "destination/write_plan_data.h"

/* Of several rows of a key in a batch the first counts, rather than the last. */
extern bool mode_takes_first(WriteMode mode);

/*
 * What of the definition cannot do without a key, for a message ("mode \"upsert\""), and where it
 * stands; NULL where rows without one are inserted.
 */
extern const char *mode_needs_key(const JobStep *step, const char **pointer);

/* The key of a table where none is stated; NIL where there is none. */
extern List *mode_usual_key(WriteMode mode, const Target *target);

/* A column that databite fills, and no item: the mark of a soft delete, the times of a version. */
extern bool mode_owns_column(const JobDestination *destination, const char *name);

/* A transform must not fill those. */
extern void mode_check_transform(const JobStep *step, ProblemList *problems);

/* The table that is to be created for the columns (of TargetColumn *), or NULL with a problem. */
extern Target *mode_planned_target(const JobStep *step, const char *schema, const char *name,
								   List *columns, ProblemList *problems);

/* Has the table the unique index that the stated key needs?  Else adds a problem. */
extern bool mode_check_index(const WritePlan *plan, ProblemList *problems);

/* Has it all else that the mode needs?  The plan has its columns and key. */
extern void mode_check_target(const WritePlan *plan, ProblemList *problems);

/* Does an upsert do nothing but write rows that are new or differ?  Batches of new rows may be tried as a plain INSERT then. */
extern bool mode_inserts_new(const WritePlan *plan);

/* The statement of a plan that finds rows by their key. */
extern char *mode_statement(const WritePlan *plan, const StatementParts *parts);

/* Says in parts what the statement does beside writing its columns. */
extern void mode_add_parts(const WritePlan *plan, StatementParts *parts);

/* The statement needs the column whether any item has it or not. */
extern bool mode_looks_at(const StatementParts *parts, const TargetColumn *column);

/* The columns (of StatementColumn *), and the mark of a soft delete, which a row that is written loses. */
extern List *mode_add_mark(const StatementParts *parts, List *columns);

/* Tells the binding which inputs are needed of items whose rows are to be deleted. */
extern void mode_bind(WritePlan *plan);

#endif
