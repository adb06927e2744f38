/*
 * item_filter.c
 *	  Conditions over items: source.where and deletes.when.
 *
 * The condition is a statement of its own that runs before the one that writes,
 * so that of an item that is dropped nothing else is converted: the source may
 * have items of other kinds in between.  Of an item whose row is to be deleted,
 * no more than the key need be there.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/batch.h"
#include "destination/item_filter.h"
#include "destination/prepared.h"
#include "template/template.h"
#include "utils/memutils.h"

struct ItemFilter
{
	ItemFilterKind kind;
	List	   *inputs;			/* of TemplateInput * */
	int			scopes;			/* that the condition names */
	char	   *sql;			/* gives the positions of the items to mark */
	BatchBinding *binding;
	SPIPlanPtr	statement;
};

ItemFilter *
item_filter_create(const JobStep *step, ItemFilterKind kind, const JobValue *condition, ProblemList *problems)
{
	TemplateCompiler *compiler;
	TemplateExpr *expr;
	ItemFilter *filter;

	if (condition->text == NULL)
		return NULL;
	compiler = template_compiler_create(TEMPLATE_SCOPE_ITEM | TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_CURSOR |
										TEMPLATE_SCOPES_OF_SOURCE(&step->source),
										problems);
	compiler->batch_scopes = template_context_scopes(step);
	compiler->parents = step->parents;
	expr = template_compile(compiler, condition, BOOLOID, -1);
	if (expr == NULL)
		return NULL;

	filter = palloc0(sizeof(ItemFilter));
	filter->kind = kind;
	filter->inputs = compiler->inputs->inputs;
	filter->scopes = compiler->inputs->used;
	filter->sql = psprintf("SELECT b.ord\nFROM %s\nWHERE %s %s",
						   batch_from_clause(filter->inputs), expr->sql,
						   kind == FILTER_WHERE ? "IS NOT TRUE" : "IS TRUE");
	return filter;
}

int
item_filter_scopes(const ItemFilter *filter)
{
	return filter->scopes;
}

List *
item_filter_add_paths(const ItemFilter *filter, List *paths)
{
	return batch_add_paths(paths, filter->inputs);
}

void
item_filter_bind_paths(ItemFilter *filter, const List *paths)
{
	filter->binding = batch_binding_create(filter->inputs, paths, GetMemoryChunkContext(filter));
}

const char *
item_filter_sql(const ItemFilter *filter)
{
	return filter->sql;
}

void
item_filter_mark(ItemFilter *filter, const ItemBatch *batch, int64 first_item,
				 Jsonb *scopes, Marks *marks)
{
	batch_bind(filter->binding, batch, first_item, marks);
	PG_TRY();
	{
		prepared_run(&filter->statement, filter->sql, scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		int64		item = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull));

		if (filter->kind == FILTER_WHERE)
			marks_drop(marks, item);
		else
			marks_delete(marks, item);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
item_filter_release(ItemFilter *filter)
{
	if (filter->statement != NULL)
		SPI_freeplan(filter->statement);
	filter->statement = NULL;
}
