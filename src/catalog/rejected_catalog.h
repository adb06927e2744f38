/*
 * rejected_catalog.h
 *	  Table databite.rejected_item: items that were not written, and why.
 */
#ifndef DATABITE_REJECTED_CATALOG_H
#define DATABITE_REJECTED_CATALOG_H

#include "catalog/tables.h"
#include "nodes/pg_list.h"

typedef struct RejectedRecord
{
	const char *item;			/* JSON text, or NULL */
	int			sqlstate;
	const char *message;
	const char *column;			/* or NULL */
	const char *constraint;		/* or NULL */
	const char *context;		/* JSON text of what it had in common with its page, or NULL */
} RejectedRecord;

/* An item of the list, on its way to be tried again. */
typedef struct RejectedRow
{
	int64		id;
	int64		run_id;
	char	   *item;			/* JSON text */
	char	   *context;		/* JSON text, or NULL */
} RejectedRow;

/* Adds items of a step of the run. */
extern void rejected_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *step,
								 int nrecords, const RejectedRecord *records);

/*
 * Items of a step whose text was kept, behind the one with that id, in the order in which they were rejected, all
 * of one run: no more than max_items, and max_bytes but for the first.  They are locked.  run_id 0: of all runs.  List of RejectedRow *.
 */
extern List *rejected_catalog_get(const char *job_id, int64 run_id, const char *step, int64 after_id,
								  int max_items, int64 max_bytes);

extern int64 rejected_catalog_count(const char *job_id, int64 run_id);

/* An item was rejected again: item and context of the record are not looked at. */
extern void rejected_catalog_update(int64 id, const RejectedRecord *record);

extern void rejected_catalog_remove(int nids, const int64 *ids);

#endif
