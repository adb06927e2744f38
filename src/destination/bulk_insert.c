/*
 * bulk_insert.c
 *	  A plain INSERT of a batch by the table's multi-row insertion, as COPY writes.
 *
 * An INSERT puts row after row into the table: for each it finds and locks a
 * page and writes a WAL record.  COPY hands the table access method some hundred
 * rows at a time, which takes one record for each page.  That is open to an
 * INSERT too, where nobody can see the difference.
 *
 * It is the statement's own plan that is executed, by the executor: permissions,
 * read-only transactions, defaults, rules, row-level security, coercions and
 * AFTER triggers are what they are for the statement.  Two nodes of it are given another way
 * to run (ExecProcNode):
 *
 * - ModifyTable collects the rows of its source, calls what ExecInsert calls for a
 *   row (generated columns, constraints, the partition's own constraint), writes them with
 *   table_multi_insert, then each row's index entries, and queues its AFTER ROW triggers.
 *
 * - FunctionScan of databite.batch() takes the rows as they are converted, where its
 *   own way puts them into a tuplestore first.
 *
 * What a user's code could tell apart is that a row is computed while the ones
 * before it are not in the table yet.  So the statement is run as it is where code
 * that looks at the table may run between rows: BEFORE and statement triggers,
 * volatile functions in expressions or CHECK constraints, domains.  And where the plan
 * has anything else than such an INSERT has on a plain table: a view, a foreign or a
 * partitioned table, WITH CHECK OPTION (which is how row-level security shows), RETURNING,
 * rules that add statements, subqueries.  All that is asked anew of each batch's plan, whose locks
 * are held.  It works for any table access method, and through nothing but its interface.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "destination/batch.h"
#include "destination/bulk_insert.h"
#include "destination/marks.h"
#include "destination/prepared.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* So many rows are written at once: more than a page takes, and few enough that they are still in the processor's cache. */
#define ROWS_AT_ONCE	256

/* Rows on their way into the table. */
typedef struct BulkInsert
{
	EState	   *estate;
	ResultRelInfo *result;
	Relation	table;
	TupleDesc	row_type;
	TupleTableSlot *slots[ROWS_AT_ONCE];	/* made when they are first needed; the query's */
	int			nrows;
	MemoryContext memory;		/* of what table_multi_insert leaves behind */
} BulkInsert;

/* What the FunctionScan of the query that is executed reads. */
static BatchRows *scanned_rows = NULL;

static bool is_plain_insert(const PlannedStmt *statement);
static bool table_takes_bulk(const PlannedStmt *statement);
static bool triggers_allow_bulk(const TriggerDesc *triggers);
static bool constraints_allow_bulk(const TupleConstr *constraints);
static bool source_is_simple(const Plan *source);
static bool may_look_at_table(Node *node, void *context);
static bool function_may_look(Oid function, void *context);
static uint64 execute(PlannedStmt *statement, const char *sql, ParamListInfo parameters);
static FunctionScanState *find_scan(PlanState *source);
static TupleTableSlot *exec_scan(PlanState *node);
static TupleTableSlot *next_scanned(ScanState *node);
static bool recheck_scanned(ScanState *node, TupleTableSlot *slot);
static TupleTableSlot *exec_insert(PlanState *node);
static void add_row(BulkInsert *bulk, TupleTableSlot *row);
static void check_row(BulkInsert *bulk, TupleTableSlot *row);
static TupleTableSlot *free_slot(BulkInsert *bulk);
static void write_rows(BulkInsert *bulk);

bool
bulk_insert_run(SPIPlanPtr statement, const char *sql, Jsonb *scopes, uint64 *inserted)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(statement);
	PlannedStmt *planned;
	bool		possible = false;

	if (cached == NULL)
		return false;
	if (list_length(cached->stmt_list) == 1)	/* a rule can make it none, or several */
	{
		planned = linitial_node(PlannedStmt, cached->stmt_list);
		possible = is_plain_insert(planned) && table_takes_bulk(planned);
		if (possible)
			*inserted = execute(planned, sql, prepared_parameters(sql, scopes));
	}
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return possible;
}

static bool
is_plain_insert(const PlannedStmt *statement)
{
	const ModifyTable *insert = (const ModifyTable *) statement->planTree;

	return statement->commandType == CMD_INSERT && statement->canSetTag && !statement->hasModifyingCTE &&
		statement->subplans == NIL && IsA(insert, ModifyTable) && insert->operation == CMD_INSERT &&
		list_length(insert->resultRelations) == 1 && insert->onConflictAction == ONCONFLICT_NONE &&
		insert->returningLists == NIL && insert->withCheckOptionLists == NIL && insert->plan.initPlan == NIL &&
		source_is_simple(outerPlan(insert));
}

static bool
table_takes_bulk(const PlannedStmt *statement)
{
	const ModifyTable *insert = (const ModifyTable *) statement->planTree;
	const RangeTblEntry *entry = rt_fetch(linitial_int(insert->resultRelations), statement->rtable);
	Relation	table = table_open(entry->relid, NoLock);
	bool		result = table->rd_rel->relkind == RELKIND_RELATION &&
		triggers_allow_bulk(table->trigdesc) && constraints_allow_bulk(table->rd_att->constr);

	table_close(table, NoLock);
	return result;
}

/* AFTER ROW triggers (foreign keys and deferrable keys are such) are queued, and fire behind the last row either way. */
static bool
triggers_allow_bulk(const TriggerDesc *triggers)
{
	return triggers == NULL ||
		!(triggers->trig_insert_before_row || triggers->trig_insert_instead_row ||
		  triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
		  triggers->trig_insert_new_table);
}

/* Expressions of generated columns are immutable. */
static bool
constraints_allow_bulk(const TupleConstr *constraints)
{
	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		if (may_look_at_table(stringToNode(constraints->check[i].ccbin), NULL))
			return false;
	}
	return true;
}

/* Expressions over databite.batch(), and nothing that reads a table. */
static bool
source_is_simple(const Plan *source)
{
	const FunctionScan *scan;
	const RangeTblFunction *function;

	for (;;)
	{
		if (source == NULL || source->initPlan != NIL || may_look_at_table((Node *) source->targetlist, NULL) ||
			may_look_at_table((Node *) source->qual, NULL))
			return false;
		if (IsA(source, SubqueryScan))
			source = ((const SubqueryScan *) source)->subplan;
		else if (IsA(source, Result) && ((const Result *) source)->resconstantqual == NULL)
			source = outerPlan(source);
		else
			break;
	}
	if (!IsA(source, FunctionScan))
		return false;
	scan = (const FunctionScan *) source;
	function = linitial(scan->functions);
	return list_length(scan->functions) == 1 && !scan->funcordinality && IsA(function->funcexpr, FuncExpr) &&
		batch_is_function(((const FuncExpr *) function->funcexpr)->funcid);
}

/* Can the expression see which rows are in the table already? */
static bool
may_look_at_table(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, CoerceToDomain) || IsA(node, Aggref) ||
		IsA(node, WindowFunc))
		return true;
	if (check_functions_in_node(node, function_may_look, context))
		return true;
	return expression_tree_walker(node, may_look_at_table, context);
}

/* Others than volatile ones see the table as it was when the statement began. */
static bool
function_may_look(Oid function, void *context)
{
	return func_volatile(function) == PROVOLATILE_VOLATILE && function != F_NEXTVAL && !mark_is_function(function);
}

/* What SPI does for a statement that is not read-only; the result is the row count. */
static uint64
execute(PlannedStmt *statement, const char *sql, ParamListInfo parameters)
{
	BatchRows  *outer = scanned_rows;
	FunctionScanState *scan;
	QueryDesc  *query;
	uint64		inserted;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	query = CreateQueryDesc(statement, sql, GetActiveSnapshot(), InvalidSnapshot, None_Receiver, parameters, NULL, 0);
	ExecutorStart(query, 0);
	ExecSetExecProcNode(query->planstate, exec_insert);
	scan = find_scan(outerPlanState(query->planstate));
	scanned_rows = batch_rows_begin(scan->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	if (scanned_rows != NULL)
		ExecSetExecProcNode(&scan->ss.ps, exec_scan);
	compat_executor_run(query);
	scanned_rows = outer;
	inserted = query->estate->es_processed;
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return inserted;
}

/* There is one: see source_is_simple. */
static FunctionScanState *
find_scan(PlanState *source)
{
	while (!IsA(source, FunctionScanState))
		source = IsA(source, SubqueryScanState) ? ((SubqueryScanState *) source)->subplan : outerPlanState(source);
	return (FunctionScanState *) source;
}

/* The FunctionScan, in place of ExecFunctionScan. */
static TupleTableSlot *
exec_scan(PlanState *node)
{
	return ExecScan((ScanState *) node, next_scanned, recheck_scanned);
}

/* The slot is made for minimal tuples, but takes values as any slot does. */
static TupleTableSlot *
next_scanned(ScanState *node)
{
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	MemoryContext old = MemoryContextSwitchTo(node->ps.ps_ExprContext->ecxt_per_tuple_memory);

	ExecClearTuple(slot);
	if (batch_rows_next(scanned_rows, slot->tts_values, slot->tts_isnull))
		ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(old);
	return slot;
}

static bool
recheck_scanned(ScanState *node, TupleTableSlot *slot)
{
	return true;
}

/* The ModifyTable, in place of ExecModifyTable: all rows in one call. */
static TupleTableSlot *
exec_insert(PlanState *node)
{
	ModifyTableState *insert = castNode(ModifyTableState, node);
	PlanState  *source = outerPlanState(insert);
	BulkInsert	bulk = {.estate = node->state, .result = insert->resultRelInfo};

	bulk.table = bulk.result->ri_RelationDesc;
	bulk.row_type = CreateTupleDescCopy(RelationGetDescr(bulk.table));
	bulk.memory = AllocSetContextCreate(CurrentMemoryContext, "databite bulk insert", ALLOCSET_DEFAULT_SIZES);
	if (bulk.table->rd_rel->relhasindex && bulk.result->ri_IndexRelationDescs == NULL)
		ExecOpenIndices(bulk.result, false);

	for (;;)
	{
		TupleTableSlot *row;

		ResetPerTupleExprContext(bulk.estate);
		row = ExecProcNode(source);
		if (TupIsNull(row))
			break;
		add_row(&bulk, row);
		if (bulk.nrows == ROWS_AT_ONCE)
			write_rows(&bulk);
	}
	write_rows(&bulk);
	table_finish_bulk_insert(bulk.table, 0);
	MemoryContextDelete(bulk.memory);
	return NULL;
}

/*
 * What ExecInsert does to a row before it writes it.  Where no column is generated, the
 * row is checked as it came, which is cheaper than to look into the copy.
 */
static void
add_row(BulkInsert *bulk, TupleTableSlot *row)
{
	const TupleConstr *constraints = bulk->table->rd_att->constr;
	bool		generates = constraints != NULL && constraints->has_generated_stored;
	TupleTableSlot *slot = free_slot(bulk);

	row->tts_tableOid = RelationGetRelid(bulk->table);
	if (!generates)
		check_row(bulk, row);
	ExecCopySlot(slot, row);
	slot->tts_tableOid = RelationGetRelid(bulk->table);
	if (generates)
	{
		ExecComputeStoredGenerated(bulk->result, bulk->estate, slot, CMD_INSERT);
		check_row(bulk, slot);
	}
	bulk->nrows++;
}

static void
check_row(BulkInsert *bulk, TupleTableSlot *row)
{
	if (bulk->table->rd_att->constr != NULL)
		ExecConstraints(bulk->result, row, bulk->estate);
	if (bulk->table->rd_rel->relispartition)
		ExecPartitionCheck(bulk->result, row, bulk->estate, true);
}

static TupleTableSlot *
free_slot(BulkInsert *bulk)
{
	TupleTableSlot **slot = &bulk->slots[bulk->nrows];

	/* A slot of the table's own descriptor would count its references. */
	if (*slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(bulk->estate->es_query_cxt);

		*slot = MakeSingleTupleTableSlot(bulk->row_type, table_slot_callbacks(bulk->table));
		MemoryContextSwitchTo(old);
	}
	return *slot;
}

static void
write_rows(BulkInsert *bulk)
{
	EState	   *estate = bulk->estate;
	MemoryContext old;

	if (bulk->nrows == 0)
		return;
	old = MemoryContextSwitchTo(bulk->memory);
	table_multi_insert(bulk->table, bulk->slots, bulk->nrows, estate->es_output_cid, 0, NULL);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < bulk->nrows; i++)
	{
		TupleTableSlot *slot = bulk->slots[i];
		List	   *recheck = NIL;

		ResetPerTupleExprContext(estate);
		if (bulk->result->ri_NumIndices > 0)
			recheck = compat_insert_index_tuples(bulk->result, slot, estate);
		ExecARInsertTriggers(estate, bulk->result, slot, recheck, NULL);
		list_free(recheck);
		ExecClearTuple(slot);
	}
	estate->es_processed += bulk->nrows;
	bulk->nrows = 0;
	MemoryContextReset(bulk->memory);
}
