/* databite--1.0.sql */

\echo Use "CREATE EXTENSION databite" to load this file. \quit

/*
 * Without IF NOT EXISTS or OR REPLACE anywhere: what this script owns it makes,
 * and what somebody has planted before makes it fail.
 */
CREATE SCHEMA databite;

/*
 * Tables.  Every one has row security: functions reach them as the extension's
 * owner, users see the views.  No privilege for anybody, but to read the columns
 * that views show of a user's own rows.
 */

CREATE TABLE databite.job (
	job_id pg_catalog.text PRIMARY KEY,
	owner pg_catalog.regrole NOT NULL,
	definition pg_catalog.jsonb NOT NULL,
	search_path pg_catalog.text NOT NULL,
	enabled pg_catalog.bool NOT NULL,
	next_run_at pg_catalog.timestamptz,
	state_epoch pg_catalog.int8 NOT NULL DEFAULT 0,
	created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE databite.job IS 'job definitions, their owners and when each runs next';
CREATE INDEX job_event ON databite.job ((definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'event'));
CREATE UNIQUE INDEX job_endpoint ON databite.job ((definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'endpoint'));
CREATE INDEX job_due ON databite.job (next_run_at) WHERE enabled AND next_run_at IS NOT NULL;

/*
 * Counters change with every batch that is committed: room for HOT updates, and no index on them.  Made for a million rows,
 * of which few change: the default would leave 200,000 dead ones in the queue's way.
 */
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
	event_id pg_catalog.int8,
	place pg_catalog.int8, -- in the queue, of what goes on for an event: that of the first run for it; NULL: run_id
	pid pg_catalog.int4,
	cancel_requested pg_catalog.bool NOT NULL DEFAULT false,
	step pg_catalog.text,
	records_processed pg_catalog.int8 NOT NULL DEFAULT 0,
	records_inserted pg_catalog.int8 NOT NULL DEFAULT 0,
	records_updated pg_catalog.int8 NOT NULL DEFAULT 0,
	records_unchanged pg_catalog.int8 NOT NULL DEFAULT 0,
	records_deleted pg_catalog.int8 NOT NULL DEFAULT 0,
	records_rejected pg_catalog.int8 NOT NULL DEFAULT 0,
	records_skipped pg_catalog.int8 NOT NULL DEFAULT 0,
	pages pg_catalog.int8 NOT NULL DEFAULT 0,
	requests pg_catalog.int8 NOT NULL DEFAULT 0,
	retries pg_catalog.int8 NOT NULL DEFAULT 0,
	bytes_received pg_catalog.int8 NOT NULL DEFAULT 0,
	total_items pg_catalog.int8,
	notices pg_catalog.text[],
	error pg_catalog.jsonb,
	resumed pg_catalog.int4 NOT NULL DEFAULT 0,
	hook_owed pg_catalog.bool NOT NULL DEFAULT false
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE databite.run IS 'the queue, what runs now, and history';
CREATE INDEX run_by_job ON databite.run (job_id, run_id);
CREATE INDEX run_by_status ON databite.run (job_id, status, run_id);
CREATE INDEX run_by_end ON databite.run (job_id, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX run_active ON databite.run (job_id, run_id) WHERE status IN ('queued', 'running');
CREATE INDEX run_finished ON databite.run (finished_at, run_id) WHERE finished_at IS NOT NULL;
CREATE INDEX run_hook_owed ON databite.run (job_id) WHERE hook_owed;

/*
 * What runs of a job have done in all, by how they ended: it does not go with history, but with the job.  There may be several rows of
 * a job and a status, whose numbers add up: one that another transaction has changed and not committed is not waited for.
 */
CREATE TABLE databite.job_total (
	job_id pg_catalog.text NOT NULL,
	status pg_catalog.text NOT NULL,
	runs pg_catalog.int8 NOT NULL,
	seconds pg_catalog.float8 NOT NULL,
	records_processed pg_catalog.int8 NOT NULL,
	records_inserted pg_catalog.int8 NOT NULL,
	records_updated pg_catalog.int8 NOT NULL,
	records_unchanged pg_catalog.int8 NOT NULL,
	records_deleted pg_catalog.int8 NOT NULL,
	records_rejected pg_catalog.int8 NOT NULL,
	records_skipped pg_catalog.int8 NOT NULL,
	pages pg_catalog.int8 NOT NULL,
	requests pg_catalog.int8 NOT NULL,
	retries pg_catalog.int8 NOT NULL,
	bytes_received pg_catalog.int8 NOT NULL,
	last_at pg_catalog.timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE databite.job_total IS 'what runs of jobs have done since the job was scheduled first';
CREATE INDEX job_total_by_job ON databite.job_total (job_id, status);
-- It has no key, so a publication of all tables needs to know its rows by all of their columns.
ALTER TABLE databite.job_total REPLICA IDENTITY FULL;

/* Items of a run that were not written; they go with the run. */
CREATE TABLE databite.rejected_item (
	id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_id pg_catalog.text NOT NULL,
	owner pg_catalog.regrole NOT NULL,
	run_id pg_catalog.int8 NOT NULL,
	step pg_catalog.text NOT NULL,
	item pg_catalog.json,
	error_code pg_catalog.text NOT NULL,
	message pg_catalog.text NOT NULL,
	column_name pg_catalog.text,
	constraint_name pg_catalog.text,
	context pg_catalog.json,
	rejected_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE databite.rejected_item IS 'items that were not written, and why';
CREATE INDEX rejected_item_by_run ON databite.rejected_item (job_id, run_id);

CREATE TABLE databite.step_state (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	last_sync_time pg_catalog.timestamptz,
	cursor pg_catalog.text,
	sync_token pg_catalog.text,
	etag pg_catalog.text,
	last_modified pg_catalog.text,
	validators_for pg_catalog.text,
	PRIMARY KEY (job_id, step_id)
);
COMMENT ON TABLE databite.step_state IS 'cursors of steps';

/* Where a pass that has not ended goes on.  A next URL that a server gave may hold a key: no view shows it, no dump carries it. */
CREATE TABLE databite.checkpoint (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	position pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (job_id, step_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE databite.checkpoint IS 'where passes that have not ended go on';

/* What parallel writers have committed that the checkpoint does not have yet: which items they were, by page and place. */
CREATE TABLE databite.writer_part (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	run_id pg_catalog.int8 NOT NULL,
	round pg_catalog.int8 NOT NULL,
	part pg_catalog.int4 NOT NULL,
	items pg_catalog.json NOT NULL,
	counted pg_catalog.bool NOT NULL DEFAULT false,
	records_processed pg_catalog.int8 NOT NULL,
	records_inserted pg_catalog.int8 NOT NULL,
	records_updated pg_catalog.int8 NOT NULL,
	records_unchanged pg_catalog.int8 NOT NULL,
	records_deleted pg_catalog.int8 NOT NULL,
	records_rejected pg_catalog.int8 NOT NULL,
	records_skipped pg_catalog.int8 NOT NULL,
	PRIMARY KEY (job_id, step_id, run_id, round, part)
);
COMMENT ON TABLE databite.writer_part IS 'what parallel writers have written since the last checkpoint';

/* What a step delivered, for the requests of steps that depend on it; gone when the run is complete. */
CREATE TABLE databite.parent_row (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	number pg_catalog.int8 GENERATED ALWAYS AS IDENTITY,
	hash pg_catalog.bytea NOT NULL,
	value pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (job_id, step_id, number),
	UNIQUE (job_id, step_id, hash)
);
COMMENT ON TABLE databite.parent_row IS 'rows of steps before it that the requests of a step are made of';

/* What a step keeps of each row of the step before, found again by a hash of what the row holds. */
CREATE TABLE databite.parent_state (
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	hash pg_catalog.bytea NOT NULL,
	parent pg_catalog.jsonb NOT NULL,
	last_sync_time pg_catalog.timestamptz,
	cursor pg_catalog.text,
	sync_token pg_catalog.text,
	PRIMARY KEY (job_id, step_id, hash)
) WITH (fillfactor = 80);
COMMENT ON TABLE databite.parent_state IS 'cursors of steps, of each row that their requests are made of';

/*
 * What a pass gathers before it is published is in a table of its own, databite.stage_<stage_id>, which is made a member
 * of the extension: no dump carries it, and it goes with the extension.
 */
CREATE TABLE databite.stage (
	stage_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_id pg_catalog.text NOT NULL,
	step_id pg_catalog.text NOT NULL,
	columns pg_catalog.text NOT NULL,
	UNIQUE (job_id, step_id)
);
COMMENT ON TABLE databite.stage IS 'tables in which passes gather what they publish at their end';

CREATE TABLE databite.event (
	event_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name pg_catalog.text NOT NULL,
	source pg_catalog.text,
	payload pg_catalog.jsonb NOT NULL,
	emitter pg_catalog.regrole NOT NULL,
	emitted_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX event_emitted ON databite.event (emitted_at);
COMMENT ON TABLE databite.event IS 'what was emitted';

/*
 * What webhooks have brought and no run has written yet.  Beside each what its sender calls it, kept for longer, so that
 * one that comes again is known.
 */
CREATE TABLE databite.delivery (
	delivery_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_id pg_catalog.text NOT NULL,
	headers pg_catalog.json NOT NULL,
	payload pg_catalog.json NOT NULL,
	bytes pg_catalog.int4 NOT NULL,
	received_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	set_aside pg_catalog.bool NOT NULL DEFAULT false -- it cannot be read: no run takes it before the job is scheduled anew
);
CREATE INDEX delivery_by_job ON databite.delivery (job_id, set_aside, delivery_id);
CREATE INDEX delivery_set_aside ON databite.delivery (received_at) WHERE set_aside;
COMMENT ON TABLE databite.delivery IS 'what webhooks have brought and no run has written yet';

CREATE TABLE databite.delivery_seen (
	job_id pg_catalog.text NOT NULL,
	hash pg_catalog.bytea NOT NULL,
	received_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (job_id, hash)
);
CREATE INDEX delivery_seen_received ON databite.delivery_seen (received_at);
COMMENT ON TABLE databite.delivery_seen IS 'hashes of the names of deliveries that were taken';

/* Lines on runs of jobs that name no log table of their own. */
CREATE TABLE databite.log (
	log_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	"time" pg_catalog.timestamptz NOT NULL,
	level pg_catalog.text NOT NULL,
	job_id pg_catalog.text NOT NULL,
	owner pg_catalog.regrole NOT NULL,
	run_id pg_catalog.int8 NOT NULL,
	step pg_catalog.text,
	message pg_catalog.text NOT NULL,
	detail pg_catalog.jsonb
);
CREATE INDEX log_by_run ON databite.log (job_id, run_id);
CREATE INDEX log_time ON databite.log ("time");
COMMENT ON TABLE databite.log IS 'what runs have said';

/* What is to be told by webhooks, and was.  Where it goes and what it is signed with is in the job's definition. */
CREATE TABLE databite.notification (
	notification_id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	webhook_id pg_catalog.text NOT NULL,
	job_id pg_catalog.text NOT NULL,
	owner pg_catalog.regrole NOT NULL,
	run_id pg_catalog.int8 NOT NULL,
	body pg_catalog.text NOT NULL,
	status pg_catalog.text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'failed')),
	tries pg_catalog.int4 NOT NULL DEFAULT 0,
	created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	next_try_at pg_catalog.timestamptz DEFAULT pg_catalog.clock_timestamp(),
	finished_at pg_catalog.timestamptz,
	http_status pg_catalog.int4,
	error pg_catalog.text
);
CREATE INDEX notification_waiting ON databite.notification (next_try_at) WHERE status = 'waiting';
CREATE INDEX notification_finished ON databite.notification (finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON TABLE databite.notification IS 'what is to be told by webhooks, and was';

CREATE TABLE databite.token (
	owner pg_catalog.regrole NOT NULL,
	name pg_catalog.text NOT NULL,
	value pg_catalog.text NOT NULL,
	PRIMARY KEY (owner, name)
);
COMMENT ON TABLE databite.token IS 'secrets of roles; written and used, never read by SQL, never dumped';

CREATE TABLE databite.access_token (
	owner pg_catalog.regrole NOT NULL,
	key pg_catalog.text NOT NULL,
	value pg_catalog.text NOT NULL,
	obtained_at pg_catalog.timestamptz NOT NULL,
	expires_at pg_catalog.timestamptz,
	extra pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (owner, key)
);
COMMENT ON TABLE databite.access_token IS 'tokens that sources have given for secrets of roles; never read by SQL, never dumped';

/* A function by its names: reg* columns would stop pg_upgrade, and OIDs mean nothing in another database. */
CREATE TABLE databite.transform (
	owner pg_catalog.regrole NOT NULL,
	name pg_catalog.text NOT NULL,
	function_schema pg_catalog.text NOT NULL,
	function_name pg_catalog.text NOT NULL,
	signature pg_catalog.text NOT NULL,
	PRIMARY KEY (owner, name)
);
COMMENT ON TABLE databite.transform IS 'functions that roles have named as filters';

CREATE TABLE databite.setting (
	name pg_catalog.text PRIMARY KEY,
	value pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE databite.setting IS 'defaults for all jobs of this database';

ALTER TABLE databite.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.run ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.job_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.rejected_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.step_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.checkpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.writer_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.parent_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.parent_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.stage ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.delivery_seen ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.log ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.token ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.access_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.transform ENABLE ROW LEVEL SECURITY;
ALTER TABLE databite.setting ENABLE ROW LEVEL SECURITY;

/*
 * Own rows only, for the views and should somebody grant SELECT on all tables of
 * the schema; and no token to anybody (no policy, no row).
 */
CREATE POLICY own_jobs ON databite.job FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_runs ON databite.run FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_rejected_items ON databite.rejected_item FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_log ON databite.log FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_notifications ON databite.notification FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
CREATE POLICY own_transforms ON databite.transform FOR SELECT
	USING (pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));

/*
 * A dump carries jobs, their totals, cursors, transforms and settings.  Not tokens; and not runs and their rejected items: history
 * belongs to the server where it happened.  Nor what a role owned that does not exist any more: all that is left of its
 * name is an OID, which may be another role's where the dump is restored.
 */
SELECT pg_catalog.pg_extension_config_dump('databite.job',
	'WHERE owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles AS r)');
SELECT pg_catalog.pg_extension_config_dump('databite.job_total',
	'WHERE job_id IN (SELECT j.job_id FROM databite.job AS j JOIN pg_catalog.pg_roles AS r ON r.oid = j.owner::pg_catalog.oid)');
SELECT pg_catalog.pg_extension_config_dump('databite.step_state',
	'WHERE job_id IN (SELECT j.job_id FROM databite.job AS j JOIN pg_catalog.pg_roles AS r ON r.oid = j.owner::pg_catalog.oid)');
SELECT pg_catalog.pg_extension_config_dump('databite.parent_state',
	'WHERE job_id IN (SELECT j.job_id FROM databite.job AS j JOIN pg_catalog.pg_roles AS r ON r.oid = j.owner::pg_catalog.oid)');
SELECT pg_catalog.pg_extension_config_dump('databite.transform',
	'WHERE owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles AS r)');
SELECT pg_catalog.pg_extension_config_dump('databite.setting', '');

/*
 * Views: what a user may see.  Each shows the jobs of roles whose privileges the
 * caller has, and everything to members of pg_monitor.  They can be read by
 * anybody who was given USAGE on the schema, and by nobody else.
 *
 * Those of tables that grow large leave it to the tables' row security who sees
 * what: the newest 20 of a million runs are read from an index then, while a
 * view with security_barrier gives all of them away to be sorted.
 */

CREATE VIEW databite.jobs WITH (security_invoker) AS
SELECT j.job_id,
	j.definition ->> 'name' AS name,
	j.definition ->> 'description' AS description,
	j.owner,
	j.enabled,
	COALESCE((
			SELECT a.status
			FROM databite.run AS a
			WHERE a.job_id OPERATOR(pg_catalog.=) j.job_id
				AND a.status IN ('queued', 'running')
			ORDER BY a.status DESC
			LIMIT 1),
		CASE WHEN j.enabled THEN 'idle' ELSE 'paused' END) AS state,
	j.definition -> 'schedule' AS schedule,
	j.next_run_at,
	j.definition,
	j.created_at,
	j.updated_at
FROM databite.job AS j;
COMMENT ON VIEW databite.jobs IS 'your jobs';

CREATE VIEW databite.runs WITH (security_invoker) AS
SELECT r.run_id,
	r.job_id,
	r.owner,
	r.status,
	r.trigger,
	r.scheduled_for,
	r.queued_at,
	r.started_at,
	r.finished_at,
	r.finished_at OPERATOR(pg_catalog.-) r.started_at AS duration,
	r.resumes,
	r.payload,
	r.step,
	r.records_processed,
	r.records_inserted,
	r.records_updated,
	r.records_unchanged,
	r.records_deleted,
	r.records_rejected,
	r.records_skipped,
	r.pages,
	r.requests,
	r.retries,
	r.bytes_received,
	r.notices,
	r.error,
	r.resumed
FROM databite.run AS r;
COMMENT ON VIEW databite.runs IS 'runs of your jobs: waiting, going on, and history';

CREATE VIEW databite.rejected_items WITH (security_invoker) AS
SELECT i.id,
	i.run_id,
	i.job_id,
	i.owner,
	i.step,
	i.item,
	i.error_code,
	i.message,
	i.column_name AS "column",
	i.constraint_name AS "constraint",
	i.rejected_at
FROM databite.rejected_item AS i;
COMMENT ON VIEW databite.rejected_items IS 'items of your jobs that were not written, and why';

CREATE VIEW databite.logs WITH (security_invoker) AS
SELECT l.log_id,
	l."time",
	l.level,
	l.job_id,
	l.owner,
	l.run_id,
	l.step,
	l.message,
	l.detail
FROM databite.log AS l;
COMMENT ON VIEW databite.logs IS 'what runs of your jobs have said';

/* What runs say of themselves, from shared memory: only of roles whose privileges the caller has, as in the views. */
CREATE FUNCTION databite.live_progress(OUT run_id pg_catalog.int8, OUT job_id pg_catalog.text,
		OUT owner pg_catalog.regrole, OUT pid pg_catalog.int4, OUT started_at pg_catalog.timestamptz,
		OUT step pg_catalog.text, OUT pages pg_catalog.int8, OUT items pg_catalog.int8,
		OUT total_items pg_catalog.int8, OUT bytes_received pg_catalog.int8, OUT requests pg_catalog.int8,
		OUT in_flight pg_catalog.int4, OUT waiting_for pg_catalog.text, OUT waiting_until pg_catalog.timestamptz,
		OUT updated_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME', 'databite_live_progress' LANGUAGE C STRICT VOLATILE PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION databite.live_progress() IS 'what your runs are doing; use the view databite.progress';

/*
 * A run is here while history says that it is running, and also where only the run itself says so: one in another
 * session's transaction, or a dry run (without a run_id).  Not for the moment between its last commit and its end.
 */
CREATE VIEW databite.progress WITH (security_barrier) AS
SELECT l.run_id,
	l.job_id,
	l.owner,
	l.pid,
	l.step,
	l.pages,
	l.items,
	l.total_items,
	l.bytes_received,
	pg_catalog.round(l.items
		OPERATOR(pg_catalog./) NULLIF(EXTRACT(epoch FROM t.elapsed), 0), 1) AS items_per_second,
	t.elapsed,
	CASE
		WHEN l.items OPERATOR(pg_catalog.>) 0 AND l.total_items OPERATOR(pg_catalog.>) l.items
		THEN t.elapsed OPERATOR(pg_catalog.*) ((l.total_items OPERATOR(pg_catalog.-) l.items)::pg_catalog.float8
			OPERATOR(pg_catalog./) l.items::pg_catalog.float8)
	END AS remaining,
	l.started_at,
	l.updated_at,
	l.requests,
	l.in_flight,
	l.waiting_for,
	l.waiting_until
FROM (
		SELECT COALESCE(p.run_id, r.run_id) AS run_id,
			COALESCE(p.job_id, r.job_id) AS job_id,
			COALESCE(p.owner, r.owner) AS owner,
			COALESCE(p.pid, r.pid) AS pid,
			COALESCE(p.started_at, r.started_at) AS started_at,
			COALESCE(p.step, r.step) AS step,
			COALESCE(p.pages, r.pages) AS pages,
			COALESCE(p.items, r.records_processed) AS items,
			COALESCE(p.total_items, r.total_items) AS total_items,
			COALESCE(p.bytes_received, r.bytes_received) AS bytes_received,
			COALESCE(p.requests, r.requests) AS requests,
			p.in_flight,
			p.waiting_for,
			p.waiting_until,
			COALESCE(p.updated_at, r.updated_at) AS updated_at
		FROM (
				SELECT a.run_id, a.job_id, a.owner, a.pid, a.started_at, a.step, a.pages, a.records_processed, a.total_items,
					a.bytes_received, a.requests, a.updated_at
				FROM databite.run AS a
				WHERE a.status OPERATOR(pg_catalog.=) 'running'
					AND (pg_catalog.pg_has_role(a.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))) AS r
			FULL JOIN databite.live_progress() AS p ON p.run_id OPERATOR(pg_catalog.=) r.run_id
		WHERE r.run_id IS NOT NULL OR NOT EXISTS (
				SELECT 1
				FROM databite.run AS f
				WHERE f.run_id OPERATOR(pg_catalog.=) p.run_id AND f.finished_at IS NOT NULL)) AS l
	CROSS JOIN LATERAL (
		SELECT pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) l.started_at AS elapsed) AS t;
COMMENT ON VIEW databite.progress IS 'what runs now: as it goes on where databite is preloaded, else as of the last batch that was committed';

CREATE VIEW databite.cursors WITH (security_barrier) AS
SELECT j.job_id,
	k.step_id,
	s.last_sync_time,
	(c.position #>> '{listings,0,page,page}')::pg_catalog.int8 AS unfinished_page,
	(c.position ->> 'position')::pg_catalog.int8 AS unfinished_items,
	s.cursor
FROM databite.job AS j
	CROSS JOIN LATERAL (
		SELECT a.step_id FROM databite.step_state AS a WHERE a.job_id OPERATOR(pg_catalog.=) j.job_id
		UNION
		SELECT b.step_id FROM databite.checkpoint AS b WHERE b.job_id OPERATOR(pg_catalog.=) j.job_id) AS k
	LEFT JOIN databite.step_state AS s
		ON s.job_id OPERATOR(pg_catalog.=) j.job_id AND s.step_id OPERATOR(pg_catalog.=) k.step_id
	LEFT JOIN databite.checkpoint AS c
		ON c.job_id OPERATOR(pg_catalog.=) j.job_id AND c.step_id OPERATOR(pg_catalog.=) k.step_id
WHERE pg_catalog.pg_has_role(j.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW databite.cursors IS 'how far each step of your jobs has come';

CREATE VIEW databite.parent_cursors WITH (security_barrier) AS
SELECT s.job_id,
	s.step_id,
	s.parent,
	s.last_sync_time,
	s.cursor
FROM databite.parent_state AS s
	JOIN databite.job AS j ON j.job_id OPERATOR(pg_catalog.=) s.job_id
WHERE pg_catalog.pg_has_role(j.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW databite.parent_cursors IS 'how far steps of your jobs have come for each row that their requests are made of';

CREATE VIEW databite.transforms WITH (security_barrier) AS
SELECT t.name,
	t.signature AS function,
	t.owner
FROM databite.transform AS t
WHERE pg_catalog.pg_has_role(t.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW databite.transforms IS 'functions that you have named as filters';

/*
 * For exporters: a row for each job, with the columns that name it and one for each number.  The names are those of metrics without
 * their prefix, and the comments what a scrape says of them (metrics_catalog.c).  What ends in _total never falls while the job is
 * there: what ended runs have done, and what runs that go on have committed.
 */
CREATE VIEW databite.metrics WITH (security_barrier) AS
SELECT j.job_id,
	pg_catalog.pg_get_userbyid(j.owner::pg_catalog.oid)::pg_catalog.text AS owner,
	j.enabled::pg_catalog.int4::pg_catalog.int8 AS enabled,
	CASE WHEN j.enabled THEN EXTRACT(epoch FROM j.next_run_at OPERATOR(pg_catalog.-) t.now)::pg_catalog.float8 END AS next_run_seconds,
	a.running AS running_runs,
	a.queued AS queued_runs,
	EXTRACT(epoch FROM t.now OPERATOR(pg_catalog.-) a.queued_since)::pg_catalog.float8 AS oldest_queued_seconds,
	a.events AS waiting_events,
	(SELECT pg_catalog.count(*) FROM databite.delivery AS d WHERE d.job_id OPERATOR(pg_catalog.=) j.job_id) AS waiting_deliveries,
	(SELECT pg_catalog.count(*) FROM databite.rejected_item AS i WHERE i.job_id OPERATOR(pg_catalog.=) j.job_id) AS rejected_items,
	l.success AS last_run_success,
	l.seconds AS last_run_duration_seconds,
	EXTRACT(epoch FROM t.now OPERATOR(pg_catalog.-) e.succeeded_at)::pg_catalog.float8 AS last_success_age_seconds,
	e.completed AS runs_completed_total,
	e.partial AS runs_partial_total,
	e.failed AS runs_failed_total,
	e.cancelled AS runs_cancelled_total,
	e.crashed AS runs_crashed_total,
	e.skipped AS runs_skipped_total,
	e.seconds AS run_seconds_total,
	e.records_processed OPERATOR(pg_catalog.+) a.records_processed AS records_processed_total,
	e.records_inserted OPERATOR(pg_catalog.+) a.records_inserted AS records_inserted_total,
	e.records_updated OPERATOR(pg_catalog.+) a.records_updated AS records_updated_total,
	e.records_unchanged OPERATOR(pg_catalog.+) a.records_unchanged AS records_unchanged_total,
	e.records_deleted OPERATOR(pg_catalog.+) a.records_deleted AS records_deleted_total,
	e.records_rejected OPERATOR(pg_catalog.+) a.records_rejected AS records_rejected_total,
	e.records_skipped OPERATOR(pg_catalog.+) a.records_skipped AS records_skipped_total,
	e.pages OPERATOR(pg_catalog.+) a.pages AS pages_total,
	e.requests OPERATOR(pg_catalog.+) a.requests AS requests_total,
	e.retries OPERATOR(pg_catalog.+) a.retries AS retries_total,
	e.bytes_received OPERATOR(pg_catalog.+) a.bytes_received AS received_bytes_total
FROM databite.job AS j
	CROSS JOIN (SELECT pg_catalog.statement_timestamp() AS now) AS t
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) FILTER (WHERE r.status OPERATOR(pg_catalog.=) 'running') AS running,
			pg_catalog.count(*) FILTER (WHERE r.status OPERATOR(pg_catalog.=) 'queued') AS queued,
			pg_catalog.count(*) FILTER (WHERE r.status OPERATOR(pg_catalog.=) 'queued' AND r.event_id IS NOT NULL) AS events,
			pg_catalog.min(COALESCE(r.scheduled_for, r.queued_at)) FILTER (WHERE r.status OPERATOR(pg_catalog.=) 'queued'
				AND COALESCE(r.scheduled_for, r.queued_at) OPERATOR(pg_catalog.<=) t.now) AS queued_since,
			COALESCE(pg_catalog.sum(r.records_processed), 0)::pg_catalog.int8 AS records_processed,
			COALESCE(pg_catalog.sum(r.records_inserted), 0)::pg_catalog.int8 AS records_inserted,
			COALESCE(pg_catalog.sum(r.records_updated), 0)::pg_catalog.int8 AS records_updated,
			COALESCE(pg_catalog.sum(r.records_unchanged), 0)::pg_catalog.int8 AS records_unchanged,
			COALESCE(pg_catalog.sum(r.records_deleted), 0)::pg_catalog.int8 AS records_deleted,
			COALESCE(pg_catalog.sum(r.records_rejected), 0)::pg_catalog.int8 AS records_rejected,
			COALESCE(pg_catalog.sum(r.records_skipped), 0)::pg_catalog.int8 AS records_skipped,
			COALESCE(pg_catalog.sum(r.pages), 0)::pg_catalog.int8 AS pages,
			COALESCE(pg_catalog.sum(r.requests), 0)::pg_catalog.int8 AS requests,
			COALESCE(pg_catalog.sum(r.retries), 0)::pg_catalog.int8 AS retries,
			COALESCE(pg_catalog.sum(r.bytes_received), 0)::pg_catalog.int8 AS bytes_received
		FROM databite.run AS r
		WHERE r.job_id OPERATOR(pg_catalog.=) j.job_id AND r.status IN ('queued', 'running')) AS a
	CROSS JOIN LATERAL (
		SELECT COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'completed'), 0)::pg_catalog.int8 AS completed,
			COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'partial'), 0)::pg_catalog.int8 AS partial,
			COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'failed'), 0)::pg_catalog.int8 AS failed,
			COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'cancelled'), 0)::pg_catalog.int8 AS cancelled,
			COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'crashed'), 0)::pg_catalog.int8 AS crashed,
			COALESCE(pg_catalog.sum(s.runs) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'skipped'), 0)::pg_catalog.int8 AS skipped,
			COALESCE(pg_catalog.sum(s.seconds), 0) AS seconds,
			COALESCE(pg_catalog.sum(s.records_processed), 0)::pg_catalog.int8 AS records_processed,
			COALESCE(pg_catalog.sum(s.records_inserted), 0)::pg_catalog.int8 AS records_inserted,
			COALESCE(pg_catalog.sum(s.records_updated), 0)::pg_catalog.int8 AS records_updated,
			COALESCE(pg_catalog.sum(s.records_unchanged), 0)::pg_catalog.int8 AS records_unchanged,
			COALESCE(pg_catalog.sum(s.records_deleted), 0)::pg_catalog.int8 AS records_deleted,
			COALESCE(pg_catalog.sum(s.records_rejected), 0)::pg_catalog.int8 AS records_rejected,
			COALESCE(pg_catalog.sum(s.records_skipped), 0)::pg_catalog.int8 AS records_skipped,
			COALESCE(pg_catalog.sum(s.pages), 0)::pg_catalog.int8 AS pages,
			COALESCE(pg_catalog.sum(s.requests), 0)::pg_catalog.int8 AS requests,
			COALESCE(pg_catalog.sum(s.retries), 0)::pg_catalog.int8 AS retries,
			COALESCE(pg_catalog.sum(s.bytes_received), 0)::pg_catalog.int8 AS bytes_received,
			pg_catalog.max(s.last_at) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'completed') AS succeeded_at
		FROM databite.job_total AS s
		WHERE s.job_id OPERATOR(pg_catalog.=) j.job_id) AS e
	LEFT JOIN LATERAL (
		SELECT (r.status OPERATOR(pg_catalog.=) 'completed')::pg_catalog.int4::pg_catalog.int8 AS success,
			EXTRACT(epoch FROM r.finished_at OPERATOR(pg_catalog.-) r.started_at)::pg_catalog.float8 AS seconds
		FROM databite.run AS r
		WHERE r.job_id OPERATOR(pg_catalog.=) j.job_id AND r.status NOT IN ('queued', 'running', 'skipped')
		ORDER BY r.run_id DESC
		LIMIT 1) AS l ON true
WHERE pg_catalog.pg_has_role(j.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW databite.metrics IS 'numbers of your jobs, for exporters';
COMMENT ON COLUMN databite.metrics.enabled IS '1 where the job is enabled, 0 where it is paused';
COMMENT ON COLUMN databite.metrics.next_run_seconds IS 'Seconds until the schedule fires next; below 0 it is late';
COMMENT ON COLUMN databite.metrics.running_runs IS 'Runs that go on';
COMMENT ON COLUMN databite.metrics.queued_runs IS 'Runs that wait';
COMMENT ON COLUMN databite.metrics.oldest_queued_seconds IS 'For how long the first of the runs has been waiting that may start';
COMMENT ON COLUMN databite.metrics.waiting_events IS 'Events whose runs wait';
COMMENT ON COLUMN databite.metrics.waiting_deliveries IS 'Deliveries of the webhook that no run has written yet';
COMMENT ON COLUMN databite.metrics.rejected_items IS 'Rejected items that history has and that were not replayed';
COMMENT ON COLUMN databite.metrics.last_run_success IS '1 where the last run was completed, 0 where not';
COMMENT ON COLUMN databite.metrics.last_run_duration_seconds IS 'How long the last run took';
COMMENT ON COLUMN databite.metrics.last_success_age_seconds IS 'Seconds since a run was completed';
COMMENT ON COLUMN databite.metrics.runs_completed_total IS 'Runs that were completed';
COMMENT ON COLUMN databite.metrics.runs_partial_total IS 'Runs that were completed in part';
COMMENT ON COLUMN databite.metrics.runs_failed_total IS 'Runs that failed';
COMMENT ON COLUMN databite.metrics.runs_cancelled_total IS 'Runs that were cancelled';
COMMENT ON COLUMN databite.metrics.runs_crashed_total IS 'Runs whose process ended without a word';
COMMENT ON COLUMN databite.metrics.runs_skipped_total IS 'Runs that were due while the one before had not ended';
COMMENT ON COLUMN databite.metrics.run_seconds_total IS 'How long runs took in all, but for crashed ones';
COMMENT ON COLUMN databite.metrics.records_processed_total IS 'Items that were read';
COMMENT ON COLUMN databite.metrics.records_inserted_total IS 'Rows that were inserted';
COMMENT ON COLUMN databite.metrics.records_updated_total IS 'Rows that were updated';
COMMENT ON COLUMN databite.metrics.records_unchanged_total IS 'Items that changed nothing';
COMMENT ON COLUMN databite.metrics.records_deleted_total IS 'Rows that were deleted';
COMMENT ON COLUMN databite.metrics.records_rejected_total IS 'Items that were rejected';
COMMENT ON COLUMN databite.metrics.records_skipped_total IS 'Items that were skipped';
COMMENT ON COLUMN databite.metrics.pages_total IS 'Pages that were read';
COMMENT ON COLUMN databite.metrics.requests_total IS 'Requests that were sent';
COMMENT ON COLUMN databite.metrics.retries_total IS 'Requests that were sent again';
COMMENT ON COLUMN databite.metrics.received_bytes_total IS 'Bytes of responses';

/* The same of the database: a single row.  Who may not see what others do sees the processes of own runs only. */
CREATE VIEW databite.database_metrics WITH (security_barrier) AS
SELECT pg_catalog.count(*) FILTER (WHERE a.backend_type OPERATOR(pg_catalog.=) 'databite scheduler') AS schedulers,
	pg_catalog.count(*) FILTER (WHERE a.backend_type OPERATOR(pg_catalog.=) 'databite listener') AS listeners,
	pg_catalog.count(*) FILTER (WHERE a.backend_type OPERATOR(pg_catalog.=) 'databite runner') AS runners,
	pg_catalog.count(*) FILTER (WHERE a.backend_type OPERATOR(pg_catalog.=) 'databite writer') AS writers,
	pg_catalog.current_setting('databite.max_workers', true)::pg_catalog.int8 AS max_workers
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database();
COMMENT ON VIEW databite.database_metrics IS 'numbers of databite in this database, for exporters';
COMMENT ON COLUMN databite.database_metrics.schedulers IS 'Schedulers that are there: 1, or 0 where nothing is to be scheduled by one';
COMMENT ON COLUMN databite.database_metrics.listeners IS 'Processes that take webhooks';
COMMENT ON COLUMN databite.database_metrics.runners IS 'Processes with a run of a worker';
COMMENT ON COLUMN databite.database_metrics.writers IS 'Processes that write for a run';
COMMENT ON COLUMN databite.database_metrics.max_workers IS 'databite.max_workers: how many runners there may be';

CREATE VIEW databite.notifications WITH (security_invoker) AS
SELECT n.notification_id,
	n.webhook_id,
	n.job_id,
	n.owner,
	n.run_id,
	n.status,
	n.tries,
	n.created_at,
	n.next_try_at,
	n.finished_at,
	n.http_status,
	n.error
FROM databite.notification AS n;
COMMENT ON VIEW databite.notifications IS 'what webhooks have told of your runs, and what they are still to tell';

GRANT SELECT ON databite.jobs, databite.runs, databite.rejected_items, databite.logs, databite.progress, databite.cursors,
	databite.parent_cursors, databite.transforms, databite.metrics, databite.database_metrics, databite.notifications TO PUBLIC;

/* What the views show that leave it to row security who sees it; each of its rows only to whom its policy names. */
GRANT SELECT (job_id, owner, definition, enabled, next_run_at, created_at, updated_at) ON databite.job TO PUBLIC;
GRANT SELECT (run_id, job_id, owner, status, trigger, scheduled_for, queued_at, started_at, finished_at, resumes, payload, step,
	records_processed, records_inserted, records_updated, records_unchanged, records_deleted, records_rejected, records_skipped,
	pages, requests, retries, bytes_received, notices, error, resumed) ON databite.run TO PUBLIC;
GRANT SELECT (id, job_id, owner, run_id, step, item, error_code, message, column_name, constraint_name, rejected_at)
	ON databite.rejected_item TO PUBLIC;
GRANT SELECT (log_id, "time", level, job_id, owner, run_id, step, message, detail) ON databite.log TO PUBLIC;
GRANT SELECT (notification_id, webhook_id, job_id, owner, run_id, status, tries, created_at, next_try_at, finished_at, http_status, error)
	ON databite.notification TO PUBLIC;

/* Types */

CREATE TYPE databite.job_result AS (
	run_id pg_catalog.int8,
	job_id pg_catalog.text,
	status pg_catalog.text,
	success pg_catalog.bool,
	records_processed pg_catalog.int8,
	records_inserted pg_catalog.int8,
	records_updated pg_catalog.int8,
	records_unchanged pg_catalog.int8,
	records_deleted pg_catalog.int8,
	records_rejected pg_catalog.int8,
	pages pg_catalog.int8,
	requests pg_catalog.int8,
	retries pg_catalog.int8,
	bytes_received pg_catalog.int8,
	duration pg_catalog.interval,
	error pg_catalog.jsonb
);

CREATE TYPE databite.job_status AS (
	job_id pg_catalog.text,
	name pg_catalog.text,
	enabled pg_catalog.bool,
	state pg_catalog.text,
	schedule pg_catalog.jsonb,
	next_run_at pg_catalog.timestamptz,
	last_run_id pg_catalog.int8,
	last_status pg_catalog.text,
	last_started_at pg_catalog.timestamptz,
	last_finished_at pg_catalog.timestamptz,
	last_records_processed pg_catalog.int8,
	last_error pg_catalog.jsonb,
	last_sync_time pg_catalog.timestamptz,
	cursor pg_catalog.jsonb,
	progress pg_catalog.jsonb
);

CREATE TYPE databite.job_metrics AS (
	runs pg_catalog.int8,
	success_rate pg_catalog.float8,
	average_duration pg_catalog.interval,
	p95_duration pg_catalog.interval,
	records_processed pg_catalog.int8,
	records_per_second pg_catalog.float8,
	bytes_received pg_catalog.int8,
	requests pg_catalog.int8,
	retries pg_catalog.int8,
	rejected pg_catalog.int8,
	last_error pg_catalog.jsonb
);

/* Jobs */

CREATE FUNCTION databite.schedule_job(job pg_catalog.jsonb) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_schedule_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.schedule_job(pg_catalog.jsonb) IS 'checks, compiles and stores a job';

CREATE FUNCTION databite.unschedule_job(job_id pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_unschedule_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.unschedule_job(pg_catalog.text) IS 'removes a job and its state';

CREATE FUNCTION databite.pause_job(job_id pg_catalog.text) RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_pause_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.pause_job(pg_catalog.text) IS 'stops a job''s schedule';

CREATE FUNCTION databite.resume_job(job_id pg_catalog.text) RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_resume_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.resume_job(pg_catalog.text) IS 'starts a job''s schedule again';

CREATE FUNCTION databite.reset_job(job_id pg_catalog.text, step_id pg_catalog.text DEFAULT NULL)
	RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_reset_job' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.reset_job(pg_catalog.text, pg_catalog.text) IS 'forgets cursors, so that the next run is a full one';

CREATE FUNCTION databite.configure(settings pg_catalog.jsonb) RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_configure' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.configure(pg_catalog.jsonb) IS 'sets defaults for all jobs of this database';

CREATE FUNCTION databite.emit_event(event pg_catalog.text, source pg_catalog.text DEFAULT NULL, payload pg_catalog.jsonb DEFAULT '{}')
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_emit_event' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.emit_event(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb)
	IS 'emits an event, which has the jobs run that wait for it';

CREATE FUNCTION databite.emit_on_change() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME', 'databite_emit_on_change' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.emit_on_change() IS 'a trigger function that emits an event for a change of a table';

CREATE FUNCTION databite.receive_webhook(endpoint pg_catalog.text, headers pg_catalog.jsonb, body pg_catalog.bytea)
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_receive_webhook' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.receive_webhook(pg_catalog.text, pg_catalog.jsonb, pg_catalog.bytea)
	IS 'verifies and accepts a delivery of a webhook; the result says with which HTTP status it is to be answered';

/* Runs */

CREATE FUNCTION databite.execute_job(job_id pg_catalog.text, dry_run pg_catalog.bool DEFAULT false)
	RETURNS databite.job_result
	AS 'MODULE_PATHNAME', 'databite_execute_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.execute_job(pg_catalog.text, pg_catalog.bool) IS 'runs a job inside this transaction';

CREATE PROCEDURE databite.run_job(job_id pg_catalog.text)
	AS 'MODULE_PATHNAME', 'databite_run_job' LANGUAGE C;
COMMENT ON PROCEDURE databite.run_job(pg_catalog.text) IS 'runs a job in this session, committing every batch';

CREATE FUNCTION databite.replay_rejected(job_id pg_catalog.text, run_id pg_catalog.int8 DEFAULT NULL)
	RETURNS databite.job_result
	AS 'MODULE_PATHNAME', 'databite_replay_rejected' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.replay_rejected(pg_catalog.text, pg_catalog.int8) IS 'tries rejected items again';

CREATE FUNCTION databite.enqueue_job(job_id pg_catalog.text, payload pg_catalog.jsonb DEFAULT NULL)
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_enqueue_job' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.enqueue_job(pg_catalog.text, pg_catalog.jsonb) IS 'has the worker run a job at once';

CREATE FUNCTION databite.cancel_job(job_id pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_cancel_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.cancel_job(pg_catalog.text) IS 'stops the run that is going on';

/* Looking and trying */

CREATE FUNCTION databite.validate_job(job pg_catalog.jsonb,
		OUT pointer pg_catalog.text, OUT message pg_catalog.text, OUT hint pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME', 'databite_validate_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.validate_job(pg_catalog.jsonb) IS 'all problems of a definition';

CREATE FUNCTION databite.explain_job(job pg_catalog.jsonb, costs pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_explain_job_definition' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.explain_job(pg_catalog.jsonb, pg_catalog.bool) IS 'requests and statements of a definition';

CREATE FUNCTION databite.explain_job(job_id pg_catalog.text, costs pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_explain_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.explain_job(pg_catalog.text, pg_catalog.bool) IS 'requests and statements of a job';

CREATE FUNCTION databite.preview_job(job pg_catalog.jsonb, max_items pg_catalog.int4 DEFAULT 10,
		OUT step_id pg_catalog.text, OUT item pg_catalog.jsonb, OUT target_row pg_catalog.jsonb,
		OUT error pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME', 'databite_preview_job_definition' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.preview_job(pg_catalog.jsonb, pg_catalog.int4) IS 'items of the first page and the rows they would be';

CREATE FUNCTION databite.preview_job(job_id pg_catalog.text, max_items pg_catalog.int4 DEFAULT 10,
		OUT step_id pg_catalog.text, OUT item pg_catalog.jsonb, OUT target_row pg_catalog.jsonb,
		OUT error pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME', 'databite_preview_job' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.preview_job(pg_catalog.text, pg_catalog.int4) IS 'items of the first page and the rows they would be';

CREATE FUNCTION databite.evaluate(template pg_catalog.text, item pg_catalog.jsonb DEFAULT '{}',
		scopes pg_catalog.jsonb DEFAULT '{}')
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_evaluate' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.evaluate(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'the value of a template';

CREATE FUNCTION databite.next_run(schedule pg_catalog.jsonb,
		after pg_catalog.timestamptz DEFAULT pg_catalog.now())
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_next_run' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.next_run(pg_catalog.jsonb, pg_catalog.timestamptz) IS 'when a schedule fires next';

CREATE FUNCTION databite.version() RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_version' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.version() IS 'versions of databite and its libraries';

/* Watching */

/* The planner does not know how many runs are asked for, and might sort all of a job's: it is to go back along an index. */
CREATE FUNCTION databite.get_job_history(job_id pg_catalog.text, max_runs pg_catalog.int4 DEFAULT 20,
		status pg_catalog.text DEFAULT NULL)
	RETURNS SETOF databite.runs
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET row_security = on
	SET enable_sort = off SET enable_bitmapscan = off
BEGIN ATOMIC
	SELECT h.r
	FROM (
			(SELECT r, r.run_id
				FROM databite.runs AS r
				WHERE r.job_id = get_job_history.job_id AND get_job_history.status IS NULL
				ORDER BY r.run_id DESC
				LIMIT max_runs)
			UNION ALL
			(SELECT r, r.run_id
				FROM databite.runs AS r
				WHERE r.job_id = get_job_history.job_id AND r.status = get_job_history.status
				ORDER BY r.run_id DESC
				LIMIT max_runs)) AS h
	ORDER BY h.run_id DESC;
END;
COMMENT ON FUNCTION databite.get_job_history(pg_catalog.text, pg_catalog.int4, pg_catalog.text) IS 'runs of a job, newest first';

/* Refuses a period below 0; NULL is since ever.  Whoever may call get_job_metrics calls it. */
CREATE FUNCTION databite.period_begin(period pg_catalog.interval) RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_period_begin' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.period_begin(pg_catalog.interval) IS 'when a period began that ends now';

/*
 * Of the runs that have ended in the period and done something: not those that were skipped, or cancelled while they waited.  They
 * are found by when they ended; no condition on the status is to lead the planner to another index, where it would read all of them.
 * When a crashed run ended is known too late to say how long it took.
 */
CREATE FUNCTION databite.get_job_metrics(job_id pg_catalog.text, period pg_catalog.interval DEFAULT '7 days')
	RETURNS databite.job_metrics
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET row_security = on
BEGIN ATOMIC
	SELECT ROW(
			count(*),
			(count(*) FILTER (WHERE r.status = 'completed'))::float8
				/ nullif(count(*) FILTER (WHERE r.status <> 'cancelled'), 0),
			avg(r.duration) FILTER (WHERE r.status <> 'crashed'),
			percentile_cont(0.95) WITHIN GROUP (ORDER BY r.duration) FILTER (WHERE r.status <> 'crashed'),
			coalesce(sum(r.records_processed), 0)::int8,
			(sum(r.records_processed) FILTER (WHERE r.status <> 'crashed')
				/ nullif(extract(epoch FROM sum(r.duration) FILTER (WHERE r.status <> 'crashed')), 0))::float8,
			coalesce(sum(r.bytes_received), 0)::int8,
			coalesce(sum(r.requests), 0)::int8,
			coalesce(sum(r.retries), 0)::int8,
			coalesce(sum(r.records_rejected), 0)::int8,
			(SELECT e.error
				FROM databite.runs AS e
				WHERE e.job_id = get_job_metrics.job_id AND e.finished_at >= databite.period_begin(period)
					AND e.error IS NOT NULL AND e.status <> 'skipped' AND (e.status <> 'cancelled' OR e.started_at IS NOT NULL)
				ORDER BY e.finished_at DESC, e.run_id DESC
				LIMIT 1))::databite.job_metrics
	FROM databite.runs AS r
	WHERE r.job_id = get_job_metrics.job_id AND r.finished_at >= databite.period_begin(period)
		AND r.status <> 'skipped' AND (r.status <> 'cancelled' OR r.started_at IS NOT NULL);
END;
COMMENT ON FUNCTION databite.get_job_metrics(pg_catalog.text, pg_catalog.interval) IS 'how a job has done lately';

CREATE FUNCTION databite.get_job_status(job_id pg_catalog.text) RETURNS databite.job_status
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET row_security = on
BEGIN ATOMIC
	SELECT ROW(j.job_id, j.name, j.enabled, j.state, j.schedule, j.next_run_at,
			r.run_id, r.status, r.started_at, r.finished_at, r.records_processed, r.error,
			(SELECT min(c.last_sync_time) FROM databite.cursors AS c WHERE c.job_id = j.job_id),
			(SELECT jsonb_object_agg(c.step_id, to_jsonb(c) - 'job_id' - 'step_id')
				FROM databite.cursors AS c WHERE c.job_id = j.job_id),
			(SELECT to_jsonb(p) FROM databite.progress AS p WHERE p.job_id = j.job_id LIMIT 1))::databite.job_status
	FROM databite.jobs AS j
		LEFT JOIN LATERAL (
			SELECT h.run_id, h.status, h.started_at, h.finished_at, h.records_processed, h.error
			FROM databite.runs AS h
			WHERE h.job_id = j.job_id AND h.status NOT IN ('queued', 'running', 'skipped')
			ORDER BY h.run_id DESC
			LIMIT 1) AS r ON true
	WHERE j.job_id = get_job_status.job_id;
END;
COMMENT ON FUNCTION databite.get_job_status(pg_catalog.text) IS 'where a job stands, in one row';

CREATE FUNCTION databite.metrics_text() RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_metrics_text' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.metrics_text() IS 'the metrics of your jobs as Prometheus reads them';

/* Tokens: a value goes in and is used; no function gives it back. */

CREATE FUNCTION databite.set_token(name pg_catalog.text, value pg_catalog.text) RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_set_token' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.set_token(pg_catalog.text, pg_catalog.text) IS 'stores a secret for the requests of your jobs';

CREATE FUNCTION databite.delete_token(name pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_delete_token' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.delete_token(pg_catalog.text) IS 'removes a secret';

/* Functions of users as filters */

CREATE FUNCTION databite.create_transform(name pg_catalog.text, function pg_catalog.regprocedure) RETURNS pg_catalog.void
	AS 'MODULE_PATHNAME', 'databite_create_transform' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.create_transform(pg_catalog.text, pg_catalog.regprocedure) IS 'names a function as a filter of your jobs';

CREATE FUNCTION databite.drop_transform(name pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_drop_transform' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.drop_transform(pg_catalog.text) IS 'forgets the name of a filter, not the function';

/* The scheduler of this database, where databite is not preloaded */

CREATE FUNCTION databite.start() RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_start' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.start() IS 'starts the scheduler of this database';

CREATE FUNCTION databite.stop() RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_stop' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.stop() IS 'stops the scheduler of this database';

/* The same by pg_cron, where that is all that starts anything */

CREATE PROCEDURE databite.run_due_jobs()
	AS 'MODULE_PATHNAME', 'databite_run_due_jobs' LANGUAGE C;
COMMENT ON PROCEDURE databite.run_due_jobs() IS 'runs the jobs that are due in this session, committing every batch';

CREATE FUNCTION databite.use_pg_cron(every pg_catalog.text DEFAULT '1 minute', keep pg_catalog.text DEFAULT NULL)
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_use_pg_cron' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.use_pg_cron(pg_catalog.text, pg_catalog.text)
	IS 'has pg_cron run the jobs of this database, or keep its scheduler';

CREATE FUNCTION databite.use_pg_cron(enabled pg_catalog.bool) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_use_pg_cron_or_not' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.use_pg_cron(pg_catalog.bool) IS 'has pg_cron run the jobs of this database, or no longer';

/* What compiled statements call: both answer only while databite itself runs such a statement. */

CREATE FUNCTION databite.batch() RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME', 'databite_batch' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION databite.batch() IS 'items of the batch that is being written';

CREATE FUNCTION databite.secret(name pg_catalog.text, key pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_secret' LANGUAGE C STRICT STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.secret(pg_catalog.text, pg_catalog.text) IS 'a secret, for the request that is being rendered';

/* Computed values on their way to a column, for the types that SQL's own casts do not bring them to by our rules. */

CREATE FUNCTION databite.from_json(value pg_catalog.jsonb, type pg_catalog.anyelement) RETURNS pg_catalog.anyelement
	AS 'MODULE_PATHNAME', 'databite_from_json' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.from_json(pg_catalog.jsonb, pg_catalog.anyelement) IS 'a JSON value as a value of the type, by the rules for paths';

CREATE FUNCTION databite.from_json_domain(value pg_catalog.jsonb, domains pg_catalog.anyarray) RETURNS pg_catalog.anyelement
	AS 'MODULE_PATHNAME', 'databite_from_json' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.from_json_domain(pg_catalog.jsonb, pg_catalog.anyarray) IS 'a JSON value as a value of the type of the elements, by the rules for paths';

CREATE FUNCTION databite.from_text(value pg_catalog.text, type pg_catalog.anyelement) RETURNS pg_catalog.anyelement
	AS 'MODULE_PATHNAME', 'databite_from_text' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.from_text(pg_catalog.text, pg_catalog.anyelement) IS 'a text as a value of the type, by the rules for paths';

CREATE FUNCTION databite.to_json(value pg_catalog.anyelement) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_to_json' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.to_json(pg_catalog.anyelement) IS 'a value with times in it as JSON, the same in every session';

CREATE FUNCTION databite.to_text(value pg_catalog.anyelement) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_to_text' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.to_text(pg_catalog.anyelement) IS 'a value with times in it as text, the same in every session';

CREATE FUNCTION databite.from_text_domain(value pg_catalog.text, domains pg_catalog.anyarray) RETURNS pg_catalog.anyelement
	AS 'MODULE_PATHNAME', 'databite_from_text' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.from_text_domain(pg_catalog.text, pg_catalog.anyarray) IS 'a text as a value of the type of the elements, by the rules for paths';

/*
 * Filters of templates.  What calls them are compiled statements and databite.evaluate.
 */

/* Filters: values that are missing */

CREATE FUNCTION databite.filter_nullif(value pg_catalog.anyelement, other pg_catalog.anyelement) RETURNS pg_catalog.anyelement
	AS 'MODULE_PATHNAME', 'databite_filter_nullif' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_nullif(pg_catalog.anyelement, pg_catalog.anyelement) IS 'filter nullif: null where the two are equal';

CREATE FUNCTION databite.filter_nullif(value pg_catalog.jsonb, other pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_nullif_json' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_nullif(pg_catalog.jsonb, pg_catalog.jsonb) IS 'filter nullif for JSON';

/* Filters: texts */

CREATE FUNCTION databite.filter_upper(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'upper' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_upper(pg_catalog.text) IS 'filter upper: capital letters';

CREATE FUNCTION databite.filter_lower(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'lower' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_lower(pg_catalog.text) IS 'filter lower: small letters';

CREATE FUNCTION databite.filter_title(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'initcap' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_title(pg_catalog.text) IS 'filter title: a capital at the beginning of each word';

CREATE FUNCTION databite.filter_trim(value pg_catalog.text, characters pg_catalog.text) RETURNS pg_catalog.text
	AS 'btrim' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_trim(pg_catalog.text, pg_catalog.text) IS 'filter trim: without these characters at both ends';

CREATE FUNCTION databite.filter_ltrim(value pg_catalog.text, characters pg_catalog.text) RETURNS pg_catalog.text
	AS 'ltrim' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_ltrim(pg_catalog.text, pg_catalog.text) IS 'filter ltrim: without these characters at the beginning';

CREATE FUNCTION databite.filter_rtrim(value pg_catalog.text, characters pg_catalog.text) RETURNS pg_catalog.text
	AS 'rtrim' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_rtrim(pg_catalog.text, pg_catalog.text) IS 'filter rtrim: without these characters at the end';

CREATE FUNCTION databite.filter_replace(value pg_catalog.text, old pg_catalog.text, new pg_catalog.text) RETURNS pg_catalog.text
	AS 'replace_text' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_replace(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'filter replace: every occurrence of a text by another';

CREATE FUNCTION databite.filter_split(value pg_catalog.text, separator pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_split' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_split(pg_catalog.text, pg_catalog.text) IS 'filter split: the parts between separators as an array';

CREATE FUNCTION databite.filter_split_part(value pg_catalog.text, separator pg_catalog.text, n pg_catalog.int4) RETURNS pg_catalog.text
	AS 'split_part' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_split_part(pg_catalog.text, pg_catalog.text, pg_catalog.int4) IS 'filter split_part: one part between separators, from the end if negative';

CREATE FUNCTION databite.filter_substr(value pg_catalog.text, start pg_catalog.int4) RETURNS pg_catalog.text
	AS 'text_substr_no_len' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_substr(pg_catalog.text, pg_catalog.int4) IS 'filter substr: from a character on, from 1';

CREATE FUNCTION databite.filter_substr(value pg_catalog.text, start pg_catalog.int4, length pg_catalog.int4) RETURNS pg_catalog.text
	AS 'text_substr' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_substr(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) IS 'filter substr: so many characters from one on, from 1';

CREATE FUNCTION databite.filter_slice(value pg_catalog.text, start pg_catalog.int4) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_slice_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_slice(pg_catalog.text, pg_catalog.int4) IS 'filter slice: from a position on, from 0, from the end if negative';

CREATE FUNCTION databite.filter_slice(value pg_catalog.text, start pg_catalog.int4, stop pg_catalog.int4) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_slice_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_slice(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) IS 'filter slice: from a position up to another one';

CREATE FUNCTION databite.filter_slice(value pg_catalog.jsonb, start pg_catalog.int4) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_slice' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_slice(pg_catalog.jsonb, pg_catalog.int4) IS 'filter slice: from a position on, from 0, from the end if negative';

CREATE FUNCTION databite.filter_slice(value pg_catalog.jsonb, start pg_catalog.int4, stop pg_catalog.int4) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_slice' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_slice(pg_catalog.jsonb, pg_catalog.int4, pg_catalog.int4) IS 'filter slice: from a position up to another one';

CREATE FUNCTION databite.filter_length(value pg_catalog.text) RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_filter_length_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_length(pg_catalog.text) IS 'filter length: characters';

CREATE FUNCTION databite.filter_length(value pg_catalog.jsonb) RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_filter_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_length(pg_catalog.jsonb) IS 'filter length: characters of a text, elements of an array, members of an object';

CREATE FUNCTION databite.filter_contains(value pg_catalog.text, part pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_contains_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_contains(pg_catalog.text, pg_catalog.text) IS 'filter contains: is it a part of the text?';

CREATE FUNCTION databite.filter_contains(value pg_catalog.jsonb, part pg_catalog.jsonb) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_contains' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_contains(pg_catalog.jsonb, pg_catalog.jsonb) IS 'filter contains: is it a part of the text, or an element of the array?';

CREATE FUNCTION databite.filter_starts_with(value pg_catalog.text, prefix pg_catalog.text) RETURNS pg_catalog.bool
	AS 'text_starts_with' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_starts_with(pg_catalog.text, pg_catalog.text) IS 'filter starts_with: does the text begin with it?';

CREATE FUNCTION databite.filter_ends_with(value pg_catalog.text, suffix pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_ends_with' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_ends_with(pg_catalog.text, pg_catalog.text) IS 'filter ends_with: does the text end with it?';

CREATE FUNCTION databite.filter_truncate(value pg_catalog.text, length pg_catalog.int4, suffix pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_truncate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_truncate(pg_catalog.text, pg_catalog.int4, pg_catalog.text) IS 'filter truncate: at most so many characters, the suffix counted in';

CREATE FUNCTION databite.filter_pad_left(value pg_catalog.text, length pg_catalog.int4, fill pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_pad_left' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_pad_left(pg_catalog.text, pg_catalog.int4, pg_catalog.text) IS 'filter pad_left: at least so many characters, filled on the left';

CREATE FUNCTION databite.filter_slug(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_slug' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_slug(pg_catalog.text) IS 'filter slug: words in lower case, joined by hyphens';

CREATE FUNCTION databite.filter_snake_case(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_snake_case' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_snake_case(pg_catalog.text) IS 'filter snake_case: words in lower case, joined by underscores';

CREATE FUNCTION databite.filter_strip_html(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_strip_html' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_strip_html(pg_catalog.text) IS 'filter strip_html: the text of a piece of HTML';

CREATE FUNCTION databite.filter_match(value pg_catalog.text, pattern pg_catalog.text) RETURNS pg_catalog.bool
	AS 'textregexeq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_match(pg_catalog.text, pg_catalog.text) IS 'filter match: does the regular expression match anywhere?';

CREATE FUNCTION databite.filter_regex_extract(value pg_catalog.text, pattern pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_regex_extract' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_regex_extract(pg_catalog.text, pg_catalog.text) IS 'filter regex_extract: the first group of the first match, or the match';

CREATE FUNCTION databite.filter_regex_extract(value pg_catalog.text, pattern pg_catalog.text, n pg_catalog.int4) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_regex_extract' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_regex_extract(pg_catalog.text, pg_catalog.text, pg_catalog.int4) IS 'filter regex_extract: a group of the first match';

CREATE FUNCTION databite.filter_regex_replace(value pg_catalog.text, pattern pg_catalog.text, replacement pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_regex_replace' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_regex_replace(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'filter regex_replace: every match by the replacement';

/* Filters: numbers and booleans */

CREATE FUNCTION databite.whole(value pg_catalog.numeric) RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_whole' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.whole(pg_catalog.numeric) IS 'a number that must be whole';

CREATE FUNCTION databite.exact(value pg_catalog.float8) RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_exact' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.exact(pg_catalog.float8) IS 'a float8 with all of its digits';

CREATE FUNCTION databite.filter_abs(value pg_catalog.numeric) RETURNS pg_catalog.numeric
	AS 'numeric_abs' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_abs(pg_catalog.numeric) IS 'filter abs';

CREATE FUNCTION databite.filter_round(value pg_catalog.numeric, digits pg_catalog.int4) RETURNS pg_catalog.numeric
	AS 'numeric_round' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_round(pg_catalog.numeric, pg_catalog.int4) IS 'filter round';

CREATE FUNCTION databite.filter_floor(value pg_catalog.numeric) RETURNS pg_catalog.numeric
	AS 'numeric_floor' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_floor(pg_catalog.numeric) IS 'filter floor';

CREATE FUNCTION databite.filter_ceil(value pg_catalog.numeric) RETURNS pg_catalog.numeric
	AS 'numeric_ceil' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_ceil(pg_catalog.numeric) IS 'filter ceil';

CREATE FUNCTION databite.filter_int(value pg_catalog.jsonb) RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_filter_int' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_int(pg_catalog.jsonb) IS 'filter int: a whole number, without the fraction';

CREATE FUNCTION databite.filter_float(value pg_catalog.jsonb) RETURNS pg_catalog.float8
	AS 'MODULE_PATHNAME', 'databite_filter_float' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_float(pg_catalog.jsonb) IS 'filter float: a double';

CREATE FUNCTION databite.filter_decimal(value pg_catalog.jsonb, decimal_separator pg_catalog.text) RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_filter_decimal' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_decimal(pg_catalog.jsonb, pg_catalog.text) IS 'filter decimal: a number written for people';

CREATE FUNCTION databite.filter_bool(value pg_catalog.jsonb) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_bool' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_bool(pg_catalog.jsonb) IS 'filter bool: yes or no';

CREATE FUNCTION databite.filter_min(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_min' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_min(pg_catalog.jsonb) IS 'filter min: the least element';

CREATE FUNCTION databite.filter_max(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_max' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_max(pg_catalog.jsonb) IS 'filter max: the greatest element';

CREATE FUNCTION databite.filter_sum(value pg_catalog.jsonb) RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_filter_sum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_sum(pg_catalog.jsonb) IS 'filter sum of an array of numbers';

CREATE FUNCTION databite.filter_avg(value pg_catalog.jsonb) RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_filter_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_avg(pg_catalog.jsonb) IS 'filter avg of an array of numbers';

/* Filters: times */

/* Stable: they read what timestamptz_in reads, "now" included. */
CREATE FUNCTION databite.to_datetime(value pg_catalog.text) RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_to_datetime' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.to_datetime(pg_catalog.text) IS 'filter to_datetime: a text that means a time; UTC without a zone';

CREATE FUNCTION databite.to_datetime(value pg_catalog.jsonb) RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_to_datetime_jsonb' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.to_datetime(pg_catalog.jsonb) IS 'filter to_datetime: a JSON string that means a time';

CREATE FUNCTION databite.to_datetime(value pg_catalog.text, format pg_catalog.text, zone pg_catalog.text)
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_to_datetime_format' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.to_datetime(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'filter to_datetime with a format';

CREATE FUNCTION databite.filter_to_date(value pg_catalog.text) RETURNS pg_catalog.date
	AS 'MODULE_PATHNAME', 'databite_filter_to_date' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_to_date(pg_catalog.text) IS 'filter to_date: a text that means a date or a time';

CREATE FUNCTION databite.filter_to_date(value pg_catalog.jsonb) RETURNS pg_catalog.date
	AS 'MODULE_PATHNAME', 'databite_filter_to_date_jsonb' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_to_date(pg_catalog.jsonb) IS 'filter to_date: a JSON string that means a date or a time';

CREATE FUNCTION databite.filter_to_date(value pg_catalog.text, format pg_catalog.text) RETURNS pg_catalog.date
	AS 'MODULE_PATHNAME', 'databite_filter_to_date_format' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_to_date(pg_catalog.text, pg_catalog.text) IS 'filter to_date with a format';

/* Stable: to_char() knows names in the language of lc_time. */
CREATE FUNCTION databite.filter_format_date(value pg_catalog.timestamptz, format pg_catalog.text, zone pg_catalog.text)
	RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_format_date' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_format_date(pg_catalog.timestamptz, pg_catalog.text, pg_catalog.text) IS 'filter format_date: a time as text';

CREATE FUNCTION databite.iso8601(value pg_catalog.timestamptz) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_iso8601' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.iso8601(pg_catalog.timestamptz) IS 'a point in time as ISO 8601 text in UTC';

CREATE FUNCTION databite.filter_from_unix(value pg_catalog.numeric, unit pg_catalog.text)
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_filter_from_unix' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_from_unix(pg_catalog.numeric, pg_catalog.text) IS 'filter from_unix: seconds, milliseconds or microseconds since 1970';

CREATE FUNCTION databite.filter_to_unix(value pg_catalog.timestamptz, unit pg_catalog.text)
	RETURNS pg_catalog.numeric
	AS 'MODULE_PATHNAME', 'databite_filter_to_unix' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_to_unix(pg_catalog.timestamptz, pg_catalog.text) IS 'filter to_unix: seconds, milliseconds or microseconds since 1970';

CREATE FUNCTION databite.filter_date_add(value pg_catalog.timestamptz, count pg_catalog.numeric, unit pg_catalog.text)
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_filter_date_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_date_add(pg_catalog.timestamptz, pg_catalog.numeric, pg_catalog.text) IS 'filter date_add with a number and a unit';

CREATE FUNCTION databite.filter_date_add(value pg_catalog.timestamptz, duration pg_catalog.text)
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_filter_date_add_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_date_add(pg_catalog.timestamptz, pg_catalog.text) IS 'filter date_add with an interval';

CREATE FUNCTION databite.filter_date_trunc(value pg_catalog.timestamptz, unit pg_catalog.text, zone pg_catalog.text)
	RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME', 'databite_filter_date_trunc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_date_trunc(pg_catalog.timestamptz, pg_catalog.text, pg_catalog.text) IS 'filter date_trunc: the start of the hour, day, month, ... in a time zone';

CREATE FUNCTION databite.filter_today(value pg_catalog.timestamptz, zone pg_catalog.text) RETURNS pg_catalog.date
	AS 'MODULE_PATHNAME', 'databite_filter_today' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_today(pg_catalog.timestamptz, pg_catalog.text) IS 'filter today: the date of a point in time in a time zone';

CREATE FUNCTION databite.filter_tz(value pg_catalog.timestamptz, zone pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_tz' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_tz(pg_catalog.timestamptz, pg_catalog.text) IS 'filter tz as text: ISO 8601 with the offset of a time zone';

CREATE FUNCTION databite.filter_tz_local(value pg_catalog.timestamptz, zone pg_catalog.text)
	RETURNS pg_catalog.timestamp
	AS 'MODULE_PATHNAME', 'databite_filter_tz_local' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_tz_local(pg_catalog.timestamptz, pg_catalog.text) IS 'filter tz as a timestamp: the time on the clocks of a time zone';

/* Filters: JSON arrays and objects */

CREATE FUNCTION databite.filter_join(value pg_catalog.jsonb, separator pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_join' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_join(pg_catalog.jsonb, pg_catalog.text) IS 'filter join: elements of an array as text';

CREATE FUNCTION databite.filter_first(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_first' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_first(pg_catalog.jsonb) IS 'filter first: the first element of an array';

CREATE FUNCTION databite.filter_last(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_last' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_last(pg_catalog.jsonb) IS 'filter last: the last element of an array';

CREATE FUNCTION databite.filter_size(value pg_catalog.jsonb) RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME', 'databite_filter_size' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_size(pg_catalog.jsonb) IS 'filter size: the number of elements, members or characters';

CREATE FUNCTION databite.filter_map(value pg_catalog.jsonb, path pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_map' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_map(pg_catalog.jsonb, pg_catalog.text) IS 'filter map: the value at a path of each element';

/* Not strict where NULL is a value to compare with, or means that there is no path. */
CREATE FUNCTION databite.filter_filter(value pg_catalog.jsonb, path pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_filter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_filter(pg_catalog.jsonb, pg_catalog.text) IS 'filter filter: the elements in which a path is neither null nor false';

CREATE FUNCTION databite.filter_filter(value pg_catalog.jsonb, path pg_catalog.text, wanted pg_catalog.jsonb)
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_filter_equal' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_filter(pg_catalog.jsonb, pg_catalog.text, pg_catalog.jsonb) IS 'filter filter: the elements in which a path is a value';

CREATE FUNCTION databite.filter_filter(value pg_catalog.jsonb, path pg_catalog.text, operator pg_catalog.text, wanted pg_catalog.jsonb)
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_filter_operator' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_filter(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS 'filter filter: the elements in which a path compares with a value';

CREATE FUNCTION databite.filter_sort(value pg_catalog.jsonb, path pg_catalog.text, direction pg_catalog.text)
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_sort' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_sort(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'filter sort: an array in order';

CREATE FUNCTION databite.filter_unique(value pg_catalog.jsonb, path pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_unique' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_unique(pg_catalog.jsonb, pg_catalog.text) IS 'filter unique: the first of equal elements';

CREATE FUNCTION databite.filter_flatten(value pg_catalog.jsonb, depth pg_catalog.int4) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_flatten' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_flatten(pg_catalog.jsonb, pg_catalog.int4) IS 'filter flatten: arrays in an array as their elements';

CREATE FUNCTION databite.filter_concat(value pg_catalog.jsonb, VARIADIC others pg_catalog.jsonb[])
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_concat(pg_catalog.jsonb, VARIADIC pg_catalog.jsonb[]) IS 'filter concat: the elements of all arrays';

CREATE FUNCTION databite.filter_keys(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_keys(pg_catalog.jsonb) IS 'filter keys: the names of the members of an object';

CREATE FUNCTION databite.filter_values(value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_values' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_values(pg_catalog.jsonb) IS 'filter values: the values of the members of an object';

CREATE FUNCTION databite.filter_get(value pg_catalog.jsonb, path pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_get' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_get(pg_catalog.jsonb, pg_catalog.text) IS 'filter get: the value at a path';

CREATE FUNCTION databite.filter_pick(value pg_catalog.jsonb, VARIADIC names pg_catalog.text[])
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_pick' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_pick(pg_catalog.jsonb, VARIADIC pg_catalog.text[]) IS 'filter pick: an object with some of its members';

CREATE FUNCTION databite.filter_omit(value pg_catalog.jsonb, VARIADIC names pg_catalog.text[])
	RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_omit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_omit(pg_catalog.jsonb, VARIADIC pg_catalog.text[]) IS 'filter omit: an object without some of its members';

CREATE FUNCTION databite.filter_to_json(value pg_catalog.jsonb) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_to_json' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_to_json(pg_catalog.jsonb) IS 'filter to_json: a value as JSON text';

CREATE FUNCTION databite.filter_from_json(value pg_catalog.text) RETURNS pg_catalog.jsonb
	AS 'MODULE_PATHNAME', 'databite_filter_from_json' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_from_json(pg_catalog.text) IS 'filter from_json: the value of a JSON text';

/* Filters: encoding, decoding and hashing */

CREATE FUNCTION databite.filter_url_encode(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_url_encode' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_url_encode(pg_catalog.text) IS 'filter url_encode: percent-encoding of a value in a URL (RFC 3986)';

CREATE FUNCTION databite.filter_url_encode(value pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_url_encode' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_url_encode(pg_catalog.bytea) IS 'filter url_encode: percent-encoding of a value in a URL (RFC 3986)';

CREATE FUNCTION databite.filter_base64(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_base64' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_base64(pg_catalog.text) IS 'filter base64: base64 on one line';

CREATE FUNCTION databite.filter_base64(value pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_base64' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_base64(pg_catalog.bytea) IS 'filter base64: base64 on one line';

CREATE FUNCTION databite.filter_hex(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hex' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hex(pg_catalog.text) IS 'filter hex: hexadecimal digits';

CREATE FUNCTION databite.filter_hex(value pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hex' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hex(pg_catalog.bytea) IS 'filter hex: hexadecimal digits';

CREATE FUNCTION databite.filter_md5(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_md5' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_md5(pg_catalog.text) IS 'filter md5: MD5 in hexadecimal digits';

CREATE FUNCTION databite.filter_md5(value pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_md5' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_md5(pg_catalog.bytea) IS 'filter md5: MD5 in hexadecimal digits';

CREATE FUNCTION databite.filter_sha256(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_sha256(pg_catalog.text) IS 'filter sha256: SHA-256 in hexadecimal digits';

CREATE FUNCTION databite.filter_sha256(value pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_sha256(pg_catalog.bytea) IS 'filter sha256: SHA-256 in hexadecimal digits';

CREATE FUNCTION databite.filter_hmac_sha256(value pg_catalog.text, key pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hmac_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hmac_sha256(pg_catalog.text, pg_catalog.text) IS 'filter hmac_sha256: in hexadecimal digits';

CREATE FUNCTION databite.filter_hmac_sha256(value pg_catalog.text, key pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hmac_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hmac_sha256(pg_catalog.text, pg_catalog.bytea) IS 'filter hmac_sha256: in hexadecimal digits';

CREATE FUNCTION databite.filter_hmac_sha256(value pg_catalog.bytea, key pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hmac_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hmac_sha256(pg_catalog.bytea, pg_catalog.text) IS 'filter hmac_sha256: in hexadecimal digits';

CREATE FUNCTION databite.filter_hmac_sha256(value pg_catalog.bytea, key pg_catalog.bytea) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_hmac_sha256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_hmac_sha256(pg_catalog.bytea, pg_catalog.bytea) IS 'filter hmac_sha256: in hexadecimal digits';

CREATE FUNCTION databite.filter_unbase64(value pg_catalog.text) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'databite_filter_unbase64' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_unbase64(pg_catalog.text) IS 'filter unbase64: bytes of base64';

CREATE FUNCTION databite.filter_url_decode(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_url_decode' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_url_decode(pg_catalog.text) IS 'filter url_decode: without percent-encoding';

CREATE FUNCTION databite.filter_uuid(value pg_catalog.text, namespace pg_catalog.text) RETURNS pg_catalog.uuid
	AS 'MODULE_PATHNAME', 'databite_filter_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_uuid(pg_catalog.text, pg_catalog.text) IS 'filter uuid: the UUID of a name, version 5 (RFC 9562)';

CREATE FUNCTION databite.filter_uuid(value pg_catalog.bytea, namespace pg_catalog.text) RETURNS pg_catalog.uuid
	AS 'MODULE_PATHNAME', 'databite_filter_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_uuid(pg_catalog.bytea, pg_catalog.text) IS 'filter uuid: the UUID of a name, version 5 (RFC 9562)';

/* Filters: checks of values */

CREATE FUNCTION databite.filter_is_empty(value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_is_empty_text' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_is_empty(pg_catalog.text) IS 'filter is_empty: missing or empty';

CREATE FUNCTION databite.filter_is_empty(value pg_catalog.jsonb) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_filter_is_empty' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_is_empty(pg_catalog.jsonb) IS 'filter is_empty: missing, or an empty text, array or object';

CREATE FUNCTION databite.filter_validate_email(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_validate_email' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_validate_email(pg_catalog.text) IS 'filter validate_email: the value if it is an e-mail address';

CREATE FUNCTION databite.valid_email(value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_valid_email' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.valid_email(pg_catalog.text) IS 'is it an e-mail address?';

CREATE FUNCTION databite.filter_validate_phone(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_validate_phone' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_validate_phone(pg_catalog.text) IS 'filter validate_phone: the value if it is a phone number (E.164)';

CREATE FUNCTION databite.valid_phone(value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_valid_phone' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.valid_phone(pg_catalog.text) IS 'is it a phone number (E.164)?';

CREATE FUNCTION databite.filter_validate_url(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_validate_url' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_validate_url(pg_catalog.text) IS 'filter validate_url: the value if it is an http or https URL';

CREATE FUNCTION databite.valid_url(value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_valid_url' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.valid_url(pg_catalog.text) IS 'is it an http or https URL?';

CREATE FUNCTION databite.filter_validate_uuid(value pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_filter_validate_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.filter_validate_uuid(pg_catalog.text) IS 'filter validate_uuid: the value if it is a UUID';

CREATE FUNCTION databite.valid_uuid(value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_valid_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.valid_uuid(pg_catalog.text) IS 'is it a UUID?';

/* Filters: dropping and rejecting items */

CREATE FUNCTION databite.missing(name pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_missing' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.missing(pg_catalog.text) IS 'filter required: the error of a value that is missing';

/* They mark the item at a position of the batch that is being written: skipped, or rejected with its reason. */

CREATE FUNCTION databite.skip_item(ord pg_catalog.int8) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_skip_item' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.skip_item(pg_catalog.int8) IS 'filter skip';

CREATE FUNCTION databite.reject_item(ord pg_catalog.int8, column_name pg_catalog.text, reason pg_catalog.text)
	RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_reject_item' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.reject_item(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'filter reject';

CREATE FUNCTION databite.reject_missing(ord pg_catalog.int8, column_name pg_catalog.text, name pg_catalog.text)
	RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_reject_missing' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.reject_missing(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'filter required in a step with validation';

CREATE FUNCTION databite.reject_invalid(ord pg_catalog.int8, column_name pg_catalog.text, filter pg_catalog.text,
		value pg_catalog.text)
	RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME', 'databite_reject_invalid' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.reject_invalid(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text)
	IS 'filters validate_email and its like in a step with validation';

CREATE FUNCTION databite.item_kept(ord pg_catalog.int8) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_item_kept' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.item_kept(pg_catalog.int8) IS 'whether an item of the batch is neither skipped nor rejected';

CREATE FUNCTION databite.item_deleted(ord pg_catalog.int8) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_item_deleted' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.item_deleted(pg_catalog.int8) IS 'whether the row of an item of the batch is to be deleted';

CREATE FUNCTION databite.fail_rule(ord pg_catalog.int8, rule pg_catalog.int4, value pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_fail_rule' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION databite.fail_rule(pg_catalog.int8, pg_catalog.int4, pg_catalog.text) IS 'rejects an item by a rule of "validation"';

/* Types of "validation" that the column's own type does not tell. */

CREATE FUNCTION databite.text_is(value pg_catalog.text, type pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_text_is' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.text_is(pg_catalog.text, pg_catalog.text) IS 'whether a text is of a type of "validation"';

CREATE FUNCTION databite.json_is(value pg_catalog.jsonb, type pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME', 'databite_json_is' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION databite.json_is(pg_catalog.jsonb, pg_catalog.text) IS 'whether a JSON value is of a type of "validation"';

/*
 * Who may do what is the administrator's to say: nothing can be called until it is granted.  Except for functions that are behind
 * others: that of the view databite.progress, which whoever reads the view calls, and which gives each role its own runs only;
 * and that of get_job_metrics, which reckons with times.
 */
REVOKE ALL ON ALL ROUTINES IN SCHEMA databite FROM PUBLIC;
GRANT EXECUTE ON FUNCTION databite.live_progress() TO PUBLIC;
GRANT EXECUTE ON FUNCTION databite.period_begin(pg_catalog.interval) TO PUBLIC;
