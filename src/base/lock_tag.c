/*
 * lock_tag.c
 *	  databite's own locks in PostgreSQL's lock manager.
 */
#include "postgres.h"

#include "base/lock_tag.h"
#include "miscadmin.h"

void
lock_tag_set(LOCKTAG *tag, LockPurpose purpose, uint64 key)
{
	/* Of the user lock method: its session locks survive the abort of a transaction, those of the default one do not. */
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, (uint16) purpose);
}

int
lock_tag_holder(const LOCKTAG *tag)
{
	LockData   *data = GetLockStatusData();
	int			pid = 0;

	for (int i = 0; i < data->nelements && pid == 0; i++)
	{
		const LockInstanceData *instance = &data->locks[i];

		if (instance->holdMask != 0 && memcmp(&instance->locktag, tag, sizeof(LOCKTAG)) == 0)
			pid = instance->pid;
	}
	pfree(data->locks);
	pfree(data);
	return pid;
}

bool
lock_tag_is_held_by(int pid, LockPurpose purpose)
{
	LockData   *data = GetLockStatusData();
	bool		held = false;

	for (int i = 0; i < data->nelements && !held; i++)
	{
		const LockInstanceData *instance = &data->locks[i];

		held = instance->holdMask != 0 && instance->pid == pid &&
			instance->locktag.locktag_type == LOCKTAG_ADVISORY &&
			instance->locktag.locktag_field1 == MyDatabaseId &&
			instance->locktag.locktag_field4 == (uint16) purpose;
	}
	pfree(data->locks);
	pfree(data);
	return held;
}
