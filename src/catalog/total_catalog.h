/*
 * total_catalog.h
 *	  Table databite.job_total: what runs of a job have done in all.
 */
#ifndef DATABITE_TOTAL_CATALOG_H
#define DATABITE_TOTAL_CATALOG_H

#include "postgres.h"

#include "catalog/expiry_catalog.h"

/*
 * Adds what a run has done to the totals of its job, in the transaction that ends the run; once for each run.
 * job_id and status are those of the run.  A job that is not there any more has none.
 */
extern void total_catalog_add(int64 run_id, const char *job_id, const char *status);

/* For expiry: makes one row of several of a job and a status.  True if there may be more of them. */
extern bool total_catalog_merge(int minutes, ExpiryPosition *position);

#endif
