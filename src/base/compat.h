/*
 * compat.h
 *	  What differs between the supported PostgreSQL majors, 15 to 18.
 *
 * The only file that looks at PG_VERSION_NUM.
 */
#ifndef DATABITE_COMPAT_H
#define DATABITE_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "databite needs PostgreSQL 15 or later"
#endif

#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "common/jsonapi.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "parser/parse_type.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif

#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif

/* Stands before a declaration since 18; what stood after it until then, pg_attribute_noreturn(), is gone there. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn _Noreturn
#endif

/* This backend's own number below MaxBackends; -1 where it has none.  Backend ids, from 1 on, became numbers of processes in 17. */
static inline int
compat_backend_number(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyBackendId == InvalidBackendId ? -1 : MyBackendId - 1;
#endif
}

/* A wait event set belongs to a resource owner since 17; ours outlives transactions, so it has none. */
static inline WaitEventSet *
compat_create_wait_event_set(MemoryContext context, int nevents)
{
#if PG_VERSION_NUM >= 170000
	(void) context;
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(context, nevents);
#endif
}

/* Custom wait events have names since 17; before, all of an extension are "Extension". */
static inline uint32
compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* Per-class permission functions became one for all classes in 16. */
static inline bool
compat_database_ownercheck(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, role);
#else
	return pg_database_ownercheck(database, role);
#endif
}

static inline bool
compat_extension_ownercheck(Oid extension, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(ExtensionRelationId, extension, role);
#else
	return pg_extension_ownercheck(extension, role);
#endif
}

static inline AclResult
compat_database_aclcheck(Oid database, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, database, role, mode);
#else
	return pg_database_aclcheck(database, role, mode);
#endif
}

static inline AclResult
compat_schema_aclcheck(Oid schema, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, mode);
#else
	return pg_namespace_aclcheck(schema, role, mode);
#endif
}

static inline AclResult
compat_function_aclcheck(Oid function, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role, mode);
#else
	return pg_proc_aclcheck(function, role, mode);
#endif
}

/*
 * Index entries of a new row, as INSERT makes them; gives the indexes that are checked
 * again at the end.  Summarizing indexes are told apart since 16.
 */
static inline List *
compat_insert_index_tuples(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false);
#else
	return ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL);
#endif
}

/* Runs a query to its end.  That it is run only once had to be said until 17. */
static inline void
compat_executor_run(QueryDesc *query)
{
#if PG_VERSION_NUM >= 180000
	ExecutorRun(query, ForwardScanDirection, 0);
#else
	ExecutorRun(query, ForwardScanDirection, 0, true);
#endif
}

/* A lexer over a JSON text in the database's encoding; lives in the current memory context.  Its first argument is new in 17. */
static inline JsonLexContext *
compat_json_lexer(const char *text, size_t len)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, text, len, GetDatabaseEncoding(), true);
#else
	return makeJsonLexContextCstringLen((char *) text, (int) len, GetDatabaseEncoding(), true);
#endif
}

/* The parts of a name as SQL writes it; raises what is wrong with it.  Soft errors came with 16. */
static inline List *
compat_qualified_names(const char *text)
{
#if PG_VERSION_NUM >= 160000
	return stringToQualifiedNameList(text, NULL);
#else
	return stringToQualifiedNameList(text);
#endif
}

/* Reads "numeric(10,2)" as SQL does; raises what is wrong with it.  Soft errors came with 16. */
static inline void
compat_parse_type(const char *text, Oid *type, int32 *typmod)
{
#if PG_VERSION_NUM >= 160000
	(void) parseTypeString(text, type, typmod, NULL);
#else
	parseTypeString(text, type, typmod, false);
#endif
}

#endif
