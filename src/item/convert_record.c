/*
 * convert_record.c
 *	  JSON objects to values of composite types, member by name.
 *
 * A member that is missing is NULL, one that the type does not have is left
 * out, and of two of one name the last counts, as for PostgreSQL's own JSON
 * functions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "funcapi.h"
#include "item/convert_parts.h"
#include "item/json_text.h"
#include "item/scanner.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* A member's value as it is written; text NULL: missing. */
typedef struct RecordMember
{
	const char *text;
	size_t		len;
} RecordMember;

static void find_members(const RecordTarget *target, const char *text, size_t len, RecordMember *members);
static int	member_number(const RecordTarget *target, const char *text, size_t len);
pg_noreturn static void reject_object(void);

void
record_target_prepare(RecordTarget *target)
{
	MemoryContext old = MemoryContextSwitchTo(target->context);

	target->descriptor = lookup_rowtype_tupdesc_copy(target->type, -1);
	target->identifier = assign_record_type_identifier(target->type, -1);
	target->members = palloc0(Max(target->descriptor->natts, 1) * sizeof(CellConverter *));
	for (int i = 0; i < target->descriptor->natts; i++)
	{
		Form_pg_attribute member = TupleDescAttr(target->descriptor, i);

		if (!member->attisdropped)
			target->members[i] = cell_converter_create(member->atttypid, member->atttypmod, target->context);
	}
	MemoryContextSwitchTo(old);
}

Datum
json_to_composite(RecordTarget *target, const char *text, size_t len)
{
	int			natts;
	RecordMember *members;
	Datum	   *values;
	bool	   *nulls;

	/* ALTER TYPE under a run */
	if (assign_record_type_identifier(target->type, -1) != target->identifier)
		record_target_prepare(target);

	natts = target->descriptor->natts;
	members = palloc0(Max(natts, 1) * sizeof(RecordMember));
	values = palloc(Max(natts, 1) * sizeof(Datum));
	nulls = palloc(Max(natts, 1) * sizeof(bool));
	find_members(target, text, len, members);
	for (int i = 0; i < natts; i++)
	{
		if (target->members[i] == NULL)
			nulls[i] = true;
		else if (members[i].text == NULL)
			values[i] = cell_convert(target->members[i], CELL_MISSING, "", 0, &nulls[i]);
		else
			values[i] = json_convert(target->members[i], members[i].text, members[i].len, &nulls[i]);
	}
	return HeapTupleGetDatum(heap_form_tuple(target->descriptor, values, nulls));
}

/* Where in the object the values of the type's members are. */
static void
find_members(const RecordTarget *target, const char *text, size_t len, RecordMember *members)
{
	const char *p = text;
	const char *end = text + len;
	uint64		objects[SCANNER_MAX_DEPTH / 64];
	JsonNesting nesting = {.max_depth = SCANNER_MAX_DEPTH, .objects = objects};

	p = json_skip_space(p + 1, end);
	while (p < end && *p == '"')
	{
		JsonUnstorable unstorable = JSON_STORABLE;
		JsonStringInfo string;
		const char *name = p + 1;
		const char *name_end = json_string_end(name, end, &string);
		const char *after;
		int			number;

		if (name_end == NULL)
			reject_object();
		p = json_skip_space(name_end + 1, end);
		if (p == end || *p != ':')
			reject_object();
		p = json_skip_space(p + 1, end);
		after = json_value_end(p, end, 1, &nesting, &unstorable);
		if (after == NULL)
			reject_object();
		number = member_number(target, name, name_end - name);
		if (number >= 0)
		{
			members[number].text = p;
			members[number].len = after - p;
		}
		p = json_skip_space(after, end);
		if (p < end && *p == ',')
			p = json_skip_space(p + 1, end);
	}
}

/* The member of that name, which is given as it is written; -1 where there is none. */
static int
member_number(const RecordTarget *target, const char *text, size_t len)
{
	char	   *name = palloc(len + 1);
	char	   *name_here;
	int			number = -1;

	name[json_unescape(text, len, name)] = '\0';
	name_here = pg_any_to_server(name, strlen(name), PG_UTF8);
	for (int i = 0; i < target->descriptor->natts && number < 0; i++)
	{
		Form_pg_attribute member = TupleDescAttr(target->descriptor, i);

		if (!member->attisdropped && strcmp(NameStr(member->attname), name_here) == 0)
			number = i;
	}
	if (name_here != name)
		pfree(name_here);
	pfree(name);
	return number;
}

static void
reject_object(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid JSON object")));
}
