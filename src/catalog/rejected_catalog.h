/*
 * rejected_catalog.h
 *	  Table databite.rejected_item: items that were not written, and why.
 */
#ifndef DATABITE_REJECTED_CATALOG_H
#define DATABITE_REJECTED_CATALOG_H

#include "catalog/tables.h"

typedef struct RejectedRecord
{
	const char *item;			/* JSON text, or NULL */
	int			sqlstate;
	const char *message;
	const char *column;			/* or NULL */
	const char *constraint;		/* or NULL */
} RejectedRecord;

/* Adds items of a step of the run. */
extern void rejected_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *step,
								 int nrecords, const RejectedRecord *records);

#endif
