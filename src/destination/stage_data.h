/*
 * stage_data.h
 *	  The inside of a step's stage, for the files that fill and publish it.
 */
#ifndef DATABITE_STAGE_DATA_H
#define DATABITE_STAGE_DATA_H

#include "destination/stage.h"
#include "destination/write_plan_data.h"

/* Columns that have been added to the plan, at the end, since the stage was made are added to the stage. */
extern void stage_follow(WritePlan *plan);

/* "databite.stage_7"; while there is none, a name that stands for it. */
extern const char *stage_name(const WritePlan *plan);

/* The stage's column of positions: none of the table's, and nothing that has to be quoted. */
extern const char *stage_position_name(const Target *target);

/* The input that gives an item's position in the pass; added where no template asks for it. */
extern TemplateInput *stage_add_position(List **inputs);

/* Writes the rows into the stage, with their positions. */
extern char *stage_rows_statement(const WritePlan *plan, const StatementParts *rows);

/* Has PostgreSQL count what is in the stage.  Needs SPI, as do the next two. */
extern void stage_analyze(const WritePlan *plan);

/* Runs a statement of the stage's over the table; returns the rows that it wrote. */
extern int64 stage_execute(const char *sql);

/* Runs a query that gives one row of numbers (int8). */
extern void stage_count(const char *sql, int n, int64 *counts);

#endif
