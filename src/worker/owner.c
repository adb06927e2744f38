/*
 * owner.c
 *	  Whether the owner of a job can still run it.
 *
 * A runner connects as the owner, so that he must be able to.  A session that runs what is due
 * (pass.c) does not, but who was shut out of the database is shut out there as well.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "worker/owner.h"

char *
owner_cannot_run(Oid owner, char **hint)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	Form_pg_authid role;
	char	   *reason = NULL;

	if (!HeapTupleIsValid(tuple))
	{
		*hint = pstrdup("Schedule the job again as a role that exists, or remove it with databite.unschedule_job.");
		return psprintf("role with OID %u, which owns the job, does not exist", owner);
	}

	role = (Form_pg_authid) GETSTRUCT(tuple);
	if (!role->rolcanlogin)
	{
		reason = psprintf("role \"%s\", which owns the job, is not permitted to log in", NameStr(role->rolname));
		*hint = psprintf("Run ALTER ROLE %s LOGIN, or schedule the job as another role.",
						 quote_identifier(NameStr(role->rolname)));
	}
	else if (compat_database_aclcheck(MyDatabaseId, owner, ACL_CONNECT) != ACLCHECK_OK)
	{
		char	   *database = get_database_name(MyDatabaseId);

		reason = psprintf("role \"%s\", which owns the job, may not connect to database \"%s\"",
						  NameStr(role->rolname), database);
		*hint = psprintf("Run GRANT CONNECT ON DATABASE %s TO %s.",
						 quote_identifier(database), quote_identifier(NameStr(role->rolname)));
	}
	ReleaseSysCache(tuple);
	return reason;
}
