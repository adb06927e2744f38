/*
 * prepared.c
 *	  Runs databite's own statements over the bound batch: prepared once, planned generically.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/prepared.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

/*
 * Settings that leave the planner one way to look up a batch's keys: see
 * statement.c.  Hash joins stay, for rows of the batch among themselves
 * (statement_history): to the table there is none that could be one.
 */
static const char *const planner_settings[] = {
	"enable_seqscan", "enable_bitmapscan", "enable_mergejoin", "enable_material", "enable_memoize", "jit"
};

/* Those that have it read a range of keys beside the batch, which is in their order. */
static const char *const range_settings[] = {
	"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_nestloop", "enable_material", "jit"
};

static void plan(SPIPlanPtr *statement, const char *sql, bool ranged);
static void execute(SPIPlanPtr statement, const char *sql, Jsonb *scopes, int64 least, int64 greatest);
static int	parameter_count(const char *sql);
static int	set_planner(const char *const *settings, int nsettings);
static bool sql_uses_scopes(const char *sql);
static void make_generic_plan(SPIPlanPtr statement, bool ranged);
static void set_for_now(const char *name, const char *value);

void
prepared_run(SPIPlanPtr *statement, const char *sql, Jsonb *scopes)
{
	prepared_plan(statement, sql);
	prepared_execute(*statement, sql, scopes);
}

void
prepared_run_range(SPIPlanPtr *statement, const char *sql, Jsonb *scopes, int64 least, int64 greatest)
{
	plan(statement, sql, true);
	execute(*statement, sql, scopes, least, greatest);
}

void
prepared_plan(SPIPlanPtr *statement, const char *sql)
{
	plan(statement, sql, false);
}

static void
plan(SPIPlanPtr *statement, const char *sql, bool ranged)
{
	if (*statement == NULL)
	{
		SPIPlanPtr	prepared = prepared_create(sql);

		SPI_keepplan(prepared);
		*statement = prepared;
	}
	make_generic_plan(*statement, ranged);
}

ParamListInfo
prepared_parameters(const char *sql, Jsonb *scopes)
{
	ParamListInfo parameters;

	if (!sql_uses_scopes(sql))
		return NULL;
	parameters = makeParamList(1);
	parameters->params[0].value = PointerGetDatum(scopes);
	parameters->params[0].isnull = scopes == NULL;
	parameters->params[0].pflags = PARAM_FLAG_CONST;
	parameters->params[0].ptype = JSONBOID;
	return parameters;
}

SPIPlanPtr
prepared_create(const char *sql)
{
	Oid			types[] = {JSONBOID, INT8OID, INT8OID};
	SPIPlanPtr	statement = SPI_prepare_cursor(sql, parameter_count(sql), types, CURSOR_OPT_GENERIC_PLAN);

	if (statement == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not prepare a statement: %s", SPI_result_code_string(SPI_result))));
	return statement;
}

void
prepared_execute(SPIPlanPtr statement, const char *sql, Jsonb *scopes)
{
	execute(statement, sql, scopes, 0, 0);
}

static void
execute(SPIPlanPtr statement, const char *sql, Jsonb *scopes, int64 least, int64 greatest)
{
	Datum		values[] = {PointerGetDatum(scopes), Int64GetDatum(least), Int64GetDatum(greatest)};
	char		nulls[] = {scopes == NULL ? 'n' : ' ', ' ', ' '};
	int			level = NewGUCNestLevel();
	int			code;

	/* the one setting that would overrule the generic plan */
	if (plan_cache_mode == PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN)
		set_for_now("plan_cache_mode", "auto");
	code = SPI_execute_plan(statement, values, nulls, false, 0);
	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not execute a statement: %s", SPI_result_code_string(code))));
	AtEOXact_GUC(true, level);
}

int
prepared_set_planner(void)
{
	return set_planner(planner_settings, lengthof(planner_settings));
}

static int
set_planner(const char *const *settings, int nsettings)
{
	int			level = NewGUCNestLevel();

	for (int i = 0; i < nsettings; i++)
		set_for_now(settings[i], "off");
	return level;
}

/* How many stand in it: see sql_uses_scopes. */
static int
parameter_count(const char *sql)
{
	if (strstr(sql, "$2") != NULL)
		return 3;
	return sql_uses_scopes(sql) ? 1 : 0;
}

/* A parameter that is declared and not used costs nothing, so a literal "$1" does no harm. */
static bool
sql_uses_scopes(const char *sql)
{
	return strstr(sql, "$1") != NULL;
}

/*
 * Has the statement planned, if it is not, with the settings it needs.  They
 * hold for the planning alone: triggers of the table plan as ever.  The locks
 * that are taken here keep the plan valid until it is executed.
 */
static void
make_generic_plan(SPIPlanPtr statement, bool ranged)
{
	int			level = ranged ? set_planner(range_settings, lengthof(range_settings)) : prepared_set_planner();
	CachedPlan *cached;

	if (ranged)
		set_for_now("enable_mergejoin", "on");
	cached = SPI_plan_get_cached_plan(statement);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(true, level);
}

/* Sets a setting until the current GUC nest level ends. */
static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}
