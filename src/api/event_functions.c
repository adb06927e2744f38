/*
 * event_functions.c
 *	  SQL functions that emit events.
 *
 * An event is a row, and a queued run for each job that waits for it, in the
 * transaction that emits it: a ROLLBACK means that it never was, and after COMMIT
 * nothing can lose it.  Whoever may call emit_event may have any such job run;
 * what he says to it is a value in its templates and nothing else.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "catalog/event_catalog.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/lsyscache.h"
#include "worker/worker.h"

#define EVENT_CHANNEL	"databite_event"
#define MAX_EVENT_LEN	200

static int64 emit(const char *event, const char *source, const char *payload);
static void check_name(const char *what, const char *name);
static void notify(int64 id, const char *event, const char *source);
static char *change_json(const TriggerData *trigger);
static void append_row(StringInfo json, const char *name, HeapTuple row, TupleDesc type);

PG_FUNCTION_INFO_V1(databite_emit_event);
PG_FUNCTION_INFO_V1(databite_emit_on_change);

/*
 * emit_event(event text, source text = null, payload jsonb = '{}') returns
 * bigint: the id of the event; 22023 for a name that is empty or too long.
 */
Datum
databite_emit_event(PG_FUNCTION_ARGS)
{
	Jsonb	   *payload;
	int64		id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("event must not be null")));
	payload = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	id = emit(text_to_cstring(PG_GETARG_TEXT_PP(0)),
			  PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
			  payload == NULL ? "null" : JsonbToCString(NULL, &payload->root, VARSIZE(payload)));
	PG_RETURN_INT64(id);
}

/*
 * A trigger function: CREATE TRIGGER ... EXECUTE FUNCTION databite.emit_on_change('event', 'source').
 *
 * The payload is {"operation", "schema", "table"} and, of a trigger for each row, "new" and "old".  Without a source
 * it is the table, "schema.table".
 */
Datum
databite_emit_on_change(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = (const TriggerData *) fcinfo->context;
	Relation	table;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("databite.emit_on_change must be called by an AFTER trigger")));
	if (trigger->tg_trigger->tgnargs < 1 || trigger->tg_trigger->tgnargs > 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("databite.emit_on_change takes an event and, if there is one, a source"),
				 errhint("Write EXECUTE FUNCTION databite.emit_on_change('data_updated', 'external_system').")));
	table = trigger->tg_relation;
	(void) emit(trigger->tg_trigger->tgargs[0],
				trigger->tg_trigger->tgnargs == 2
				? trigger->tg_trigger->tgargs[1]
				: psprintf("%s.%s", get_namespace_name(RelationGetNamespace(table)), RelationGetRelationName(table)),
				change_json(trigger));
	return PointerGetDatum(NULL);
}

static int64
emit(const char *event, const char *source, const char *payload)
{
	int64		id;
	ListCell   *lc;

	check_name("event", event);
	if (source != NULL)
		check_name("source", source);
	id = event_catalog_add(event, source, payload, GetUserId());
	foreach(lc, job_catalog_of_event(event, source))
	{
		const JobRecord *job = lfirst(lc);

		(void) run_catalog_add_for_event(job->id, job->owner, id);
	}
	worker_wake_scheduler_at_commit();
	notify(id, event, source);
	return id;
}

static void
check_name(const char *what, const char *name)
{
	if (name[0] == '\0' || strlen(name) > MAX_EVENT_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have between 1 and %d bytes", what, MAX_EVENT_LEN)));
}

/* For other programs; without the payload, as everybody in the database can listen. */
static void
notify(int64 id, const char *event, const char *source)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"event_id\": " INT64_FORMAT ", \"event\": ", id);
	escape_json(&json, event);
	appendStringInfoString(&json, ", \"source\": ");
	if (source != NULL)
		escape_json(&json, source);
	else
		appendStringInfoString(&json, "null");
	appendStringInfoChar(&json, '}');
	Async_Notify(EVENT_CHANNEL, json.data);
}

static char *
change_json(const TriggerData *trigger)
{
	TriggerEvent event = trigger->tg_event;
	Relation	table = trigger->tg_relation;
	TupleDesc	type = RelationGetDescr(table);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(event);
	const char *operation = "TRUNCATE";
	StringInfoData json;

	if (TRIGGER_FIRED_BY_INSERT(event))
		operation = "INSERT";
	else if (is_update)
		operation = "UPDATE";
	else if (TRIGGER_FIRED_BY_DELETE(event))
		operation = "DELETE";
	initStringInfo(&json);
	appendStringInfo(&json, "{\"operation\": \"%s\", \"schema\": ", operation);
	escape_json(&json, get_namespace_name(RelationGetNamespace(table)));
	appendStringInfoString(&json, ", \"table\": ");
	escape_json(&json, RelationGetRelationName(table));
	if (TRIGGER_FIRED_FOR_ROW(event))
	{
		if (is_update)
			append_row(&json, "new", trigger->tg_newtuple, type);
		append_row(&json, TRIGGER_FIRED_BY_INSERT(event) ? "new" : "old", trigger->tg_trigtuple, type);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

static void
append_row(StringInfo json, const char *name, HeapTuple row, TupleDesc type)
{
	Datum		value = DirectFunctionCall1(row_to_json, heap_copy_tuple_as_datum(row, type));

	appendStringInfo(json, ", \"%s\": %s", name, TextDatumGetCString(value));
}
