/* databite--1.0.sql */

\echo Use "CREATE EXTENSION databite" to load this file. \quit

/*
 * Without IF NOT EXISTS or OR REPLACE anywhere: what this script owns it makes,
 * and what somebody has planted before makes it fail.
 */
CREATE SCHEMA databite;

/*
 * Tables.  Every one has row security and no privilege for anybody: functions
 * reach them as the extension's owner, users see the views.
 */

CREATE TABLE databite.job (
	job_id pg_catalog.text PRIMARY KEY,
	owner pg_catalog.regrole NOT NULL,
	definition pg_catalog.jsonb NOT NULL,
	search_path pg_catalog.text NOT NULL,
	enabled pg_catalog.bool NOT NULL,
	next_run_at pg_catalog.timestamptz,
	created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE databite.job IS 'job definitions, their owners and when each runs next';
CREATE INDEX job_due ON databite.job (next_run_at) WHERE enabled AND next_run_at IS NOT NULL;

/* Counters change with every batch that is committed: room for HOT updates, and no index on them. */
CREATE TABLE databite.run (
	run_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_id pg_catalog.text NOT NULL,
	owner pg_catalog.regrole NOT NULL,
	status pg_catalog.text NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'partial',
													  'failed', 'cancelled', 'crashed', 'skipped')),
	trigger pg_catalog.text NOT NULL,
	scheduled_for pg_catalog.timestamptz,
	queued_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at pg_catalog.timestamptz,
	finished_at pg_catalog.timestamptz,
	updated_at pg_catalog.timestamptz,
	resumes pg_catalog.int8,
	payload pg_catalog.jsonb,
	pid pg_catalog.int4,
	cancel_requested pg_catalog.bool NOT NULL DEFAULT false,
	step pg_catalog.text,
	records_processed pg_catalog.int8 NOT NULL DEFAULT 0,
	records_inserted pg_catalog.int8 NOT NULL DEFAULT 0,
	records_updated pg_catalog.int8 NOT NULL DEFAULT 0,
	records_unchanged pg_catalog.int8 NOT NULL DEFAULT 0,
	records_deleted pg_catalog.int8 NOT NULL DEFAULT 0,
	records_rejected pg_catalog.int8 NOT NULL DEFAULT 0,
	pages pg_catalog.int8 NOT NULL DEFAULT 0,
	requests pg_catalog.int8 NOT NULL DEFAULT 0,
	retries pg_catalog.int8 NOT NULL DEFAULT 0,
	bytes_received pg_catalog.int8 NOT NULL DEFAULT 0,
	total_items pg_catalog.int8,
	notices pg_catalog.text[],
	error pg_catalog.jsonb
) WITH (fillfactor = 50);
COMMENT ON TABLE databite.run IS 'the queue, what runs now, and history';
CREATE INDEX run_by_job ON databite.run (job_id, run_id);
CREATE INDEX run_active ON databite.run (run_id) WHERE status IN ('queued', 'running');
CREATE INDEX run_finished ON databite.run (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE databite.step_state (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	last_sync_time pg_catalog.timestamptz,
	checkpoint pg_catalog.jsonb,
	PRIMARY KEY (job_id, step_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE databite.step_state IS 'cursors of steps, and checkpoints of passes that have not ended';

CREATE TABLE databite.token (
	owner pg_catalog.regrole NOT NULL,
	name pg_catalog.text NOT NULL,
	value pg_catalog.text NOT NULL,
	PRIMARY KEY (owner, name)
);
COMMENT ON TABLE databite.token IS 'secrets of roles; written and used, never read by SQL, never dumped';

CREATE TABLE databite.setting (
	name pg_catalog.text PRIMARY KEY,
	value pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE databite.setting IS 'defaults for all jobs of this database';

ALTER TABLE databite.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.run ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.step_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.token ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.setting ENABLE ROW LEVEL SECURITY;

/*
 * Should somebody grant SELECT on all tables of the schema: own rows only, and
 * no token to anybody (no policy, no row).
 */
CREATE POLICY own_jobs ON databite.job FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_runs ON databite.run FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));

/* A dump carries jobs, cursors and settings.  Not tokens; and not runs: history belongs to the server where it happened. */
SELECT pg_catalog.pg_extension_config_dump('databite.job', '');
SELECT pg_catalog.pg_extension_config_dump('databite.step_state', '');
SELECT pg_catalog.pg_extension_config_dump('databite.setting', '');
