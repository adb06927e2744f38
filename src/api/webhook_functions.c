/*
 * webhook_functions.c
 *	  SQL functions that webhooks come in by.
 */
#include "postgres.h"

#include <time.h>

#include "base/compat.h"
#include "base/jsonc.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "worker/receive.h"

#define MAX_HEADERS_DEPTH 8

static void read_headers(Jsonb *headers, SignedMessage *message);
static void list_headers(struct json_object *root, SignedMessage *message);
static const char *header_value(struct json_object *value);
static Datum reception_jsonb(const Reception *reception);
static void tell_gateway(int status);

PG_FUNCTION_INFO_V1(databite_receive_webhook);

/*
 * receive_webhook(endpoint text, headers jsonb, body bytea) returns jsonb
 *
 * {"status": 200, "delivery_id": 1, "message": "taken"}; a 2xx holds when the
 * caller's transaction has committed.  22023 where headers is no object.  Not STRICT: a gateway would take NULL for 200.
 */
Datum
databite_receive_webhook(PG_FUNCTION_ARGS)
{
	char	   *endpoint = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bytea	   *body = PG_ARGISNULL(2) ? NULL : PG_GETARG_BYTEA_PP(2);
	SignedMessage message = {
		.body = body != NULL ? VARDATA_ANY(body) : "",
		.body_len = body != NULL ? VARSIZE_ANY_EXHDR(body) : 0,
		.url = endpoint,
		.now = (int64) time(NULL),
	};
	Reception	reception = {0};

	if (!PG_ARGISNULL(1))
		read_headers(PG_GETARG_JSONB_P(1), &message);
	receive_delivery(receiver_create(), endpoint, &message, &reception);
	tell_gateway(reception.status);
	PG_RETURN_DATUM(reception_jsonb(&reception));
}

/* An object; of a header that came several times, the array that it may have has the first value first. */
static void
read_headers(Jsonb *headers, SignedMessage *message)
{
	char	   *text = JsonbToCString(NULL, &headers->root, VARSIZE(headers));
	struct json_object *root;
	char	   *error;

	if (!jsonc_parse(text, strlen(text), MAX_HEADERS_DEPTH, CurrentMemoryContext, &root, &error) ||
		!json_object_is_type(root, json_type_object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers must be a JSON object of names and values")));
	list_headers(root, message);
}

static void
list_headers(struct json_object *root, SignedMessage *message)
{
	MessageHeader *list = palloc(sizeof(MessageHeader) * Max(json_object_object_length(root), 1));
	struct json_object_iter member;

	message->headers = list;
	json_object_object_foreachC(root, member)
	{
		const char *value = header_value(member.val);

		if (value != NULL)
		{
			list[message->nheaders].name = member.key;
			list[message->nheaders++].value = value;
		}
	}
}

static const char *
header_value(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0)
		value = json_object_array_get_idx(value, 0);
	return value != NULL && !json_object_is_type(value, json_type_array) && !json_object_is_type(value, json_type_object)
		? json_object_get_string(value)
		: NULL;
}

static Datum
reception_jsonb(const Reception *reception)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"status\": %d, \"message\": ", reception->status);
	escape_json(&json, reception->message);
	if (reception->delivery_id != 0)
		appendStringInfo(&json, ", \"delivery_id\": " INT64_FORMAT, reception->delivery_id);
	if (reception->run_id != 0)
		appendStringInfo(&json, ", \"run_id\": " INT64_FORMAT, reception->run_id);
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/* PostgREST answers with the status that it finds in this setting. */
static void
tell_gateway(int status)
{
	(void) set_config_option("response.status", psprintf("%d", status), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}
