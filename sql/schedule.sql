--
-- When a schedule fires next.
--
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Cron: expression, time zone, a moment, the next run after it.
CREATE TEMP TABLE cron_case (n serial, expression text, zone text, after timestamptz, expected timestamptz);

-- The five fields.  2024-01-01 is a Monday.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('* * * * *', 'UTC', '2024-01-01 00:00:00Z', '2024-01-01 00:01Z'),
	('* * * * *', 'UTC', '2024-01-01 00:00:59.999999Z', '2024-01-01 00:01Z'),
	('* * * * *', 'UTC', '2023-12-31 23:59:00.000001Z', '2024-01-01 00:00Z'),
	('30 * * * *', 'UTC', '2024-01-01 00:30Z', '2024-01-01 01:30Z'),
	('30 * * * *', 'UTC', '2024-01-01 00:29:59.999999Z', '2024-01-01 00:30Z'),
	('0 6 * * *', 'UTC', '2024-01-01 06:00Z', '2024-01-02 06:00Z'),
	('0 */6 * * *', 'UTC', '2024-01-01 06:00Z', '2024-01-01 12:00Z'),
	('0 0-23/6 * * *', 'UTC', '2024-01-01 18:30Z', '2024-01-02 00:00Z'),
	('*/15 * * * *', 'UTC', '2024-01-01 00:46Z', '2024-01-01 01:00Z'),
	('*/7 * * * *', 'UTC', '2024-01-01 00:56Z', '2024-01-01 01:00Z'),
	('5-59/20 * * * *', 'UTC', '2024-01-01 00:26Z', '2024-01-01 00:45Z'),
	('0,15,45 8-10 * * *', 'UTC', '2024-01-01 10:45Z', '2024-01-02 08:00Z'),
	('0,15,45 8-10,20 * * *', 'UTC', '2024-01-01 10:45Z', '2024-01-01 20:00Z'),
	('*/90 * * * *', 'UTC', '2024-01-01 00:00Z', '2024-01-01 01:00Z'),
	('07 08 09 01 *', 'UTC', '2024-01-01 00:00Z', '2024-01-09 08:07Z'),
	('  0	6  * * *  ', 'UTC', '2024-01-01 00:00Z', '2024-01-01 06:00Z'),
	('59 23 31 12 *', 'UTC', '2024-01-01 00:00Z', '2024-12-31 23:59Z'),
	('59 23 31 12 *', 'UTC', '2024-12-31 23:59Z', '2025-12-31 23:59Z');

-- Names, either case.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 6 * * mon-fri', 'UTC', '2024-01-05 06:00Z', '2024-01-08 06:00Z'),
	('0 6 * * MON,Wed', 'UTC', '2024-01-01 06:00Z', '2024-01-03 06:00Z'),
	('0 6 1 jan,JUL *', 'UTC', '2024-01-01 06:00Z', '2024-07-01 06:00Z'),
	('0 6 1 feb-apr/2 *', 'UTC', '2024-02-01 06:00Z', '2024-04-01 06:00Z'),
	('0 0 * * sun', 'UTC', '2024-01-01 00:00Z', '2024-01-07 00:00Z'),
	('0 0 * * 0', 'UTC', '2024-01-01 00:00Z', '2024-01-07 00:00Z'),
	('0 0 * * 7', 'UTC', '2024-01-01 00:00Z', '2024-01-07 00:00Z'),
	('0 0 * * 5-7', 'UTC', '2024-01-06 00:00Z', '2024-01-07 00:00Z'),
	('0 0 * * 5-7', 'UTC', '2024-01-07 00:00Z', '2024-01-12 00:00Z');

-- Day of month or day of week, unless one begins with "*".
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 0 13 * fri', 'UTC', '2024-01-05 00:00Z', '2024-01-12 00:00Z'),
	('0 0 13 * fri', 'UTC', '2024-01-12 00:00Z', '2024-01-13 00:00Z'),
	('0 0 */2 * mon', 'UTC', '2024-01-01 00:00Z', '2024-01-15 00:00Z'),
	('0 0 13 * */5', 'UTC', '2024-01-01 00:00Z', '2024-09-13 00:00Z'),
	('0 0 1-7 * *', 'UTC', '2024-01-07 00:00Z', '2024-02-01 00:00Z');

-- The last day of the month.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 0 $ * *', 'UTC', '2024-01-01 00:00Z', '2024-01-31 00:00Z'),
	('0 0 $ * *', 'UTC', '2024-01-31 00:00Z', '2024-02-29 00:00Z'),
	('0 0 $ 2 *', 'UTC', '2024-02-29 00:00Z', '2025-02-28 00:00Z'),
	('0 0 1,15,$ * *', 'UTC', '2024-04-15 00:00Z', '2024-04-30 00:00Z'),
	('0 0 31 * *', 'UTC', '2024-01-31 00:00Z', '2024-03-31 00:00Z'),
	('0 0 $ 2 *', 'UTC', '2100-01-01 00:00Z', '2100-02-28 00:00Z');

-- Dates that are rare.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 0 29 2 *', 'UTC', '2024-02-29 00:00Z', '2028-02-29 00:00Z'),
	('0 0 29 2 *', 'UTC', '2096-02-29 00:00Z', '2104-02-29 00:00Z'),
	('0 0 29 2 */7', 'UTC', '2024-01-01 00:00Z', '2032-02-29 00:00Z'),
	('0 0 29 2 */7', 'UTC', '2032-02-29 00:00Z', '2060-02-29 00:00Z'),
	('0 0 29 2 */7', 'UTC', '2088-02-29 00:00Z', '2128-02-29 00:00Z'),
	('0 0 30 2 sun', 'UTC', '2024-01-29 00:00Z', '2024-02-04 00:00Z');

-- Shorthands.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('@hourly', 'UTC', '2024-01-01 00:00Z', '2024-01-01 01:00Z'),
	('@daily', 'UTC', '2024-01-01 00:00Z', '2024-01-02 00:00Z'),
	('@midnight', 'Europe/Riga', '2024-01-01 00:00Z', '2024-01-01 22:00Z'),
	('@weekly', 'UTC', '2024-01-01 00:00Z', '2024-01-07 00:00Z'),
	('@monthly', 'UTC', '2024-01-01 00:00Z', '2024-02-01 00:00Z'),
	('@yearly', 'UTC', '2024-01-01 00:00Z', '2025-01-01 00:00Z'),
	('@ANNUALLY', 'UTC', '2024-01-01 00:00Z', '2025-01-01 00:00Z');

-- Time zones.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 6 * * *', 'Europe/Riga', '2024-01-15 00:00Z', '2024-01-15 04:00Z'),
	('0 6 * * *', 'Europe/Riga', '2024-07-15 00:00Z', '2024-07-15 03:00Z'),
	('0 6 * * *', 'America/New_York', '2024-01-15 00:00Z', '2024-01-15 11:00Z'),
	('0 0 * * *', 'Asia/Kathmandu', '2024-01-15 18:15Z', '2024-01-16 18:15Z'),
	('*/30 * * * *', 'Asia/Kathmandu', '2024-01-15 00:00Z', '2024-01-15 00:15Z'),
	('0 0 1 * *', 'Asia/Kathmandu', '2024-01-31 18:14:59Z', '2024-01-31 18:15Z'),
	('0 0 1 1 *', 'Pacific/Kiritimati', '2023-12-31 00:00Z', '2023-12-31 10:00Z'),
	('0 0 * * *', 'UTC', '1969-12-31 00:00Z', '1970-01-01 00:00Z'),
	('0 0 * * *', 'UTC', '1960-02-28 12:00Z', '1960-02-29 00:00Z'),
	('* * * * *', 'Europe/Riga', '1900-01-01 00:00Z', '1900-01-01 00:00:26Z');

-- Riga, 31 March 2024: 03:00 becomes 04:00 (at 01:00Z).
-- A fixed time that is skipped runs right after the gap, once.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('30 3 * * *', 'Europe/Riga', '2024-03-30 12:00Z', '2024-03-31 01:00Z'),
	('30 3 * * *', 'Europe/Riga', '2024-03-31 01:00Z', '2024-04-01 00:30Z'),
	('0,20,40 3 * * *', 'Europe/Riga', '2024-03-31 00:59:59Z', '2024-03-31 01:00Z'),
	('0,20,40 3 * * *', 'Europe/Riga', '2024-03-31 01:00Z', '2024-04-01 00:00Z'),
	('0 3,4 * * *', 'Europe/Riga', '2024-03-31 00:30Z', '2024-03-31 01:00Z'),
	('0 3,4 * * *', 'Europe/Riga', '2024-03-31 01:00Z', '2024-04-01 00:00Z'),
	('30 3 31 3 *', 'Europe/Riga', '2024-01-01 00:00Z', '2024-03-31 01:00Z'),
	('30 2 * * *', 'Europe/Riga', '2024-03-31 00:30Z', '2024-03-31 23:30Z'),
	('0 4 * * *', 'Europe/Riga', '2024-03-31 00:30Z', '2024-03-31 01:00Z'),
-- What follows the clock has no run at times that are skipped.
	('*/30 3 * * *', 'Europe/Riga', '2024-03-31 00:30Z', '2024-04-01 00:00Z'),
	('30 * * * *', 'Europe/Riga', '2024-03-31 00:30Z', '2024-03-31 01:30Z'),
	('*/20 * * * *', 'Europe/Riga', '2024-03-31 00:40Z', '2024-03-31 01:00Z'),
	('0 */3 * * *', 'Europe/Riga', '2024-03-30 22:00Z', '2024-03-31 03:00Z'),
	('0 0-23/3 * * *', 'Europe/Riga', '2024-03-30 22:00Z', '2024-03-31 01:00Z');

-- Riga, 27 October 2024: 04:00 becomes 03:00 (at 01:00Z).
-- A fixed time that is repeated runs the first time only.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('30 3 * * *', 'Europe/Riga', '2024-10-26 12:00Z', '2024-10-27 00:30Z'),
	('30 3 * * *', 'Europe/Riga', '2024-10-27 00:30Z', '2024-10-28 01:30Z'),
	('30 3 * * *', 'Europe/Riga', '2024-10-27 01:10Z', '2024-10-28 01:30Z'),
	('0 3 * * *', 'Europe/Riga', '2024-10-27 00:00Z', '2024-10-28 01:00Z'),
	('0 4 * * *', 'Europe/Riga', '2024-10-27 00:00Z', '2024-10-27 02:00Z'),
	('0,30 0-23 * * *', 'Europe/Riga', '2024-10-27 00:30Z', '2024-10-27 02:00Z'),
-- What follows the clock runs again.
	('30 * * * *', 'Europe/Riga', '2024-10-27 00:30Z', '2024-10-27 01:30Z'),
	('*/30 3 * * *', 'Europe/Riga', '2024-10-27 00:30Z', '2024-10-27 01:00Z'),
	('*/30 3 * * *', 'Europe/Riga', '2024-10-27 01:30Z', '2024-10-28 01:00Z');

-- New York, 10 March and 3 November 2024.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('30 2 * * *', 'America/New_York', '2024-03-10 00:00Z', '2024-03-10 07:00Z'),
	('30 2 * * *', 'America/New_York', '2024-03-10 07:00Z', '2024-03-11 06:30Z'),
	('30 1 * * *', 'America/New_York', '2024-11-03 00:00Z', '2024-11-03 05:30Z'),
	('30 1 * * *', 'America/New_York', '2024-11-03 05:30Z', '2024-11-04 06:30Z'),
	('30 * * * *', 'America/New_York', '2024-11-03 05:30Z', '2024-11-03 06:30Z');

-- Sao Paulo: on 4 November 2018 midnight was skipped, on 17 February 2019 the hour before midnight was repeated.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 0 * * *', 'America/Sao_Paulo', '2018-11-03 12:00Z', '2018-11-04 03:00Z'),
	('0 0 * * *', 'America/Sao_Paulo', '2018-11-04 03:00Z', '2018-11-05 02:00Z'),
	('0 0 4 11 *', 'America/Sao_Paulo', '2018-11-03 12:00Z', '2018-11-04 03:00Z'),
	('30 23 * * *', 'America/Sao_Paulo', '2019-02-16 12:00Z', '2019-02-17 01:30Z'),
	('30 23 * * *', 'America/Sao_Paulo', '2019-02-17 01:30Z', '2019-02-18 02:30Z'),
	('0 0 * * *', 'America/Sao_Paulo', '2019-02-17 01:30Z', '2019-02-17 03:00Z');

-- Lord Howe moves by half an hour: 6 October 2024 02:00 becomes 02:30, 7 April 2024 02:00 becomes 01:30 (at 15:00Z the day before).
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('15 2 * * *', 'Australia/Lord_Howe', '2024-10-05 12:00Z', '2024-10-05 15:30Z'),
	('15 2 * * *', 'Australia/Lord_Howe', '2024-10-05 15:30Z', '2024-10-06 15:15Z'),
	('45 1 * * *', 'Australia/Lord_Howe', '2024-04-06 12:00Z', '2024-04-06 14:45Z'),
	('45 1 * * *', 'Australia/Lord_Howe', '2024-04-06 14:45Z', '2024-04-07 15:15Z'),
	('*/15 * * * *', 'Australia/Lord_Howe', '2024-04-06 14:45Z', '2024-04-06 15:00Z');

-- Apia left out 30 December 2011: no daylight saving time, so nothing is made up for.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('0 12 * * *', 'Pacific/Apia', '2011-12-29 22:00Z', '2011-12-30 22:00Z'),
	('0 12 30 12 *', 'Pacific/Apia', '2011-12-01 00:00Z', '2012-12-29 22:00Z');

-- A time that the zone always skips never comes; nor does anything after the end of time.
INSERT INTO cron_case (expression, zone, after, expected) VALUES
	('* 2 8-14 3 */7', 'America/New_York', '2024-01-01 00:00Z', 'infinity'),
	('* * * * *', 'UTC', 'infinity', 'infinity'),
	('* * * * *', 'UTC', '294276-12-31 23:59:30Z', 'infinity');

SELECT n, expression, zone, after, expected, got
FROM cron_case,
	databite.next_run(jsonb_build_object('type', 'cron', 'expression', expression, 'timezone', zone), after) AS got
WHERE got IS DISTINCT FROM expected
ORDER BY n;
SELECT count(*) AS cron_cases FROM cron_case;

-- Without a time zone: that of the session.
SET timezone = 'Europe/Riga';
SELECT databite.next_run('{"type": "cron", "expression": "0 6 * * *"}', '2024-07-15 00:00Z');
SET timezone = 'UTC';

-- Each run of a day with and without a change of the clock, counted from run to run.
CREATE FUNCTION pg_temp.runs(expression text, zone text, after timestamptz, until timestamptz) RETURNS bigint
LANGUAGE sql AS $$
	WITH RECURSIVE run(at) AS (
		SELECT databite.next_run(jsonb_build_object('type', 'cron', 'expression', expression, 'timezone', zone), after)
		UNION ALL
		SELECT databite.next_run(jsonb_build_object('type', 'cron', 'expression', expression, 'timezone', zone), at)
		FROM run WHERE at <= until)
	SELECT count(*) FROM run WHERE at <= until
$$;
SELECT day, expression,
	pg_temp.runs(expression, 'Europe/Riga', (day - interval '1 second') AT TIME ZONE 'Europe/Riga',
				 (day + interval '1 day' - interval '1 second') AT TIME ZONE 'Europe/Riga')
FROM unnest(ARRAY['2024-03-30', '2024-03-31', '2024-10-27']::timestamp[]) day,
	unnest(ARRAY['* * * * *', '0 * * * *', '0 0-23 * * *', '0,30 3 * * *', '0 4 * * *']) WITH ORDINALITY e(expression, o)
ORDER BY day, o;

-- Intervals; next_run counts them from the moment given.
SELECT schedule, databite.next_run(schedule::jsonb, '2024-03-30 12:00Z')
FROM (VALUES
	(1, '{"type": "interval", "seconds": 1}'),
	(2, '{"type": "interval", "minutes": 15}'),
	(3, '{"type": "interval", "hours": 36}'),
	(4, '{"type": "interval", "days": 1}'),
	(5, '{"type": "interval", "days": 1, "hours": 2, "minutes": 3, "seconds": 4}'),
	(6, '{"type": "interval", "days": 3650}'),
	(7, '{"type": "interval", "minutes": 15.0}')) v(n, schedule)
ORDER BY n;
SELECT databite.next_run('{"type": "interval", "days": 3650}', '294276-12-31 00:00Z');
SELECT databite.next_run('{"type": "interval", "minutes": 1}', '-infinity');

-- What is wrong, and what the error says.
CREATE FUNCTION pg_temp.try(schedule jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	RETURN databite.next_run(schedule, '2024-01-01 00:00Z');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN sqlstate || ': ' || sqlerrm || CASE WHEN hint <> '' THEN ' (' || hint || ')' ELSE '' END;
END
$$;
\pset format unaligned
SELECT left(expression, 30) AS expression, pg_temp.try(jsonb_build_object('type', 'cron', 'expression', expression))
FROM unnest(ARRAY[
	'', '   ', '* * * *', '* * * * * *', '30 seconds', '0 0 * * * 2024',
	'60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 0 *', '* * * 13 *', '* * * * 8', '99999999999 * * * *', '0-60 * * * *',
	'*/0 * * * *', '* */0 * * *', '1-5/0 * * * *', '*/ * * * *', '*/x * * * *', '*/5x * * * *', '*/-5 * * * *',
	'0/15 * * * *', '5/10 * * * *', '* * * jan/2 *',
	'30-10 * * * *', '* 22-5 * * *', '* * * * fri-mon', '* * * dec-feb *', '* * * * sat-sun',
	'a * * * *', '* x * * *', '* * L * *', '* * ? * *', '* * 15W * *', '* * * january *', '* * * * monday', '* * * * mon#2', '* * * mon *', '* * * * jan', 'mon * * * *',
	'1,,2 * * * *', ',1 * * * *', '1, * * * *', '-5 * * * *', '5- * * * *', '1-2-3 * * * *', '1-5x * * * *', '** * * * *', '*5 * * * *', '1.5 * * * *', '+5 * * * *',
	'$ * * * *', '* * * $ *', '* * * * $', '* * 28-$ * *', '* * $/2 * *',
	'0 0 30 2 *', '0 0 30,31 feb *', '0 0 31 4,6,9,11 *', '0 0 31 2-2 */2', '@reboot', '@Restart', '@dayly', '@every', '@hourly 5',
	repeat('1,', 600) || '1 * * * *']) WITH ORDINALITY e(expression, o)
ORDER BY o;

SELECT schedule, pg_temp.try(schedule::jsonb)
FROM unnest(ARRAY[
	'{}', '[]', '"daily"', 'null',
	'{"type": "cron"}', '{"type": "crone", "expression": "* * * * *"}', '{"type": 1}', '{"expression": "* * * * *"}',
	'{"type": "cron", "expression": 5}', '{"type": "cron", "expression": null}',
	'{"type": "cron", "expression": "* * * * *", "timezone": "Europe/Rga"}',
	'{"type": "cron", "expression": "* * * * *", "timezone": ""}',
	'{"type": "cron", "expression": "* * * * *", "time_zone": "UTC"}',
	'{"type": "cron", "expression": "* * * * *", "minutes": 5}',
	'{"type": "interval"}', '{"type": "interval", "minutes": 0}', '{"type": "interval", "minutes": -1}',
	'{"type": "interval", "minutes": 1.5}', '{"type": "interval", "minutes": "15"}', '{"type": "interval", "minute": 15}',
	'{"type": "interval", "weeks": 1}', '{"type": "interval", "days": 3651}', '{"type": "interval", "days": 3650, "seconds": 1}',
	'{"type": "interval", "seconds": 99999999999999999999999}', '{"type": "interval", "seconds": 1e300}',
	'{"type": "interval", "minutes": 15, "timezone": "UTC"}']) WITH ORDINALITY e(schedule, o)
ORDER BY o;
\pset format aligned
