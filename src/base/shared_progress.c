/*
 * shared_progress.c
 *	  What each run is doing right now, in shared memory, readable without locks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "base/shared_state.h"

int
progress_slot_count(void)
{
	return MaxBackends;
}
