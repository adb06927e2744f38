/*
 * columns.h
 *	  Which columns a step fills, and from what.
 */
#ifndef DATABITE_COLUMNS_H
#define DATABITE_COLUMNS_H

#include "destination/infer.h"
#include "destination/target.h"
#include "job/definition.h"
#include "template/template.h"

/* A column that a step fills. */
typedef struct PlanColumn
{
	const TargetColumn *column;
	TemplateExpr *expr;
	bool		in_use;			/* part of the statement; see columns_map_by_name */
} PlanColumn;

/*
 * What can be said of the transform's templates while the table is not known:
 * adds their problems.
 */
extern void columns_check(const JobStep *step, ProblemList *problems);

/* The compiler for the templates of the step's transform. */
/* TEMPLATE_SCOPE_ of the scopes that transform and validation name, TEMPLATE_USES_PARENT; what is wrong with them is said elsewhere. */
extern int	columns_scopes(const JobStep *step);

extern TemplateCompiler *columns_compiler(const JobStep *step, ProblemList *problems);

/*
 * Compiles the transform for the columns of the table: PlanColumns, with a
 * problem for each column that is not there, is generated, or cannot take the
 * value.
 */
extern List *columns_from_transform(const JobStep *step, const Target *target, TemplateCompiler *compiler);

/*
 * Without a transform: each column takes the item's key of its name (only the
 * columns of the schema, where one is stated).  Which keys the items have is
 * seen as they come, so no column is in use yet.
 */
extern List *columns_map_by_name(const JobStep *step, const Target *target, TemplateInputs *inputs);

/* The column takes the item's key of its name; it is not in use yet.  Adds the input. */
extern PlanColumn *columns_of_key(TemplateInputs *inputs, const TargetColumn *column);

/* The one of that name among columns (TargetColumn), or NULL. */
extern const TargetColumn *columns_find(const List *columns, const char *name);

/*
 * Compiles the transform for a table that does not exist, or for the columns that an
 * existing one has not: TargetColumns with the types of their expressions.
 * sample: sample items, which decide the type of a lone path; NULL where there
 * are none yet.  *undecided tells whether a type is still open.
 */
extern List *columns_of_transform(const JobStep *step, const Target *existing, const Sample *sample,
								  bool *undecided, ProblemList *problems);

/*
 * Columns (TargetColumn) of the stated schema.  Where the table exists, they are
 * checked against it.
 */
extern List *columns_of_schema(const JobStep *step, const Target *existing, ProblemList *problems);

#endif
