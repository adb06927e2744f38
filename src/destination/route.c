/*
 * route.c
 *	  Which of several writers an item goes to.
 *
 * What decides is a hash of the key's values as the columns have them, by the
 * hash function of their types: 1, 1.0 and "1" are one key of an integer column.
 * A value that does not fit its column has no hash; its item goes to
 * the first writer, which finds out what is wrong with it.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/subtransaction.h"
#include "common/hashfn.h"
#include "destination/route.h"
#include "destination/write_plan_data.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

typedef struct RouteColumn
{
	int			path;
	CellConverter *converter;
	FmgrInfo   *hash;
	Oid			collation;
} RouteColumn;

struct WriteRoute
{
	int			ncolumns;		/* 0: no key */
	RouteColumn *columns;
	MemoryContext memory;		/* reset every few items */

	/* what is routed just now */
	const ItemBatch *batch;
	int			nparts;
	int		   *parts;
	int			first;
};

/* Values are freed after that many items. */
#define ITEMS_PER_RESET 64

static void hash_items(void *arg);
static uint32 hash_item(const WriteRoute *route, int item);

WriteRoute *
write_route_create(const WritePlan *plan, char **why_not)
{
	WriteRoute *route = palloc0(sizeof(WriteRoute));
	ListCell   *lc;

	*why_not = NULL;
	route->columns = palloc0(sizeof(RouteColumn) * Max(list_length(plan->key), 1));
	route->memory = AllocSetContextCreate(CurrentMemoryContext, "databite route", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, plan->key)
	{
		const char *name = lfirst(lc);
		const PlanColumn *column = write_plan_column(plan, name);
		const TemplateInput *input = column != NULL ? column->expr->lone : NULL;
		TypeCacheEntry *type;

		if (input == NULL || input->is_index || input->is_context || input->type != column->column->type)
		{
			*why_not = psprintf("key column \"%s\" is computed", name);
			return NULL;
		}
		type = lookup_type_cache(input->type, TYPECACHE_HASH_PROC_FINFO);
		if (!OidIsValid(type->hash_proc_finfo.fn_oid))
		{
			*why_not = psprintf("the type of key column \"%s\" cannot be hashed", name);
			return NULL;
		}
		route->columns[route->ncolumns].path = batch_binding_path(plan->binding, input);
		route->columns[route->ncolumns].converter = cell_converter_create(input->type, input->typmod, CurrentMemoryContext);
		route->columns[route->ncolumns].hash = &type->hash_proc_finfo;
		route->columns[route->ncolumns++].collation = column->column->collation;
	}
	return route;
}

void
write_route_items(WriteRoute *route, const ItemBatch *batch, int nparts, int *parts)
{
	route->batch = batch;
	route->nparts = nparts;
	route->parts = parts;
	if (route->ncolumns == 0 || nparts == 1)
	{
		for (int i = 0; i < batch->nitems; i++)
			parts[i] = (int) ((int64) i * nparts / batch->nitems);
		return;
	}
	route->first = 0;
	while (route->first < batch->nitems)
	{
		ErrorData  *error;

		error = subtransaction_run(hash_items, route, SUBTRANSACTION_KEEP);
		if (error == NULL)
			break;
		if (!error_is_of_value(error))
			error_rethrow(error);
		FreeErrorData(error);
		parts[route->first++] = 0;
	}
	MemoryContextReset(route->memory);
}

/* From route->first on, which stays at an item whose key cannot be hashed. */
static void
hash_items(void *arg)
{
	WriteRoute *route = arg;
	MemoryContext old = MemoryContextSwitchTo(route->memory);

	for (; route->first < route->batch->nitems; route->first++)
	{
		route->parts[route->first] = hash_item(route, route->first) % route->nparts;
		if (route->first % ITEMS_PER_RESET == 0)
		{
			MemoryContextReset(route->memory);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(old);
}

static uint32
hash_item(const WriteRoute *route, int item)
{
	const Cell *cells = &route->batch->cells[(int64) item * route->batch->npaths];
	uint32		hash = 0;

	for (int i = 0; i < route->ncolumns; i++)
	{
		const RouteColumn *column = &route->columns[i];
		const Cell *cell = &cells[column->path];
		bool		isnull;
		Datum		value = cell_convert(column->converter, (CellKind) cell->kind,
										 route->batch->arena + cell->offset, cell->length, &isnull);

		if (!isnull)
			hash = hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(column->hash, column->collation, value)));
	}
	return murmurhash32(hash);
}
