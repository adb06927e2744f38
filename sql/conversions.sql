-- The conversions that databite has code of its own for give what PostgreSQL's input functions give: for
-- a million and a half random values, for values at the edges, and for such values with a mistake in them.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT setseed(0.5);

-- Integers of each length
WITH random_value AS MATERIALIZED (
	SELECT round((random() - 0.5) * 2 * 10 ^ (random() * 18.9))::numeric::text AS v FROM generate_series(1, 250000)
)
SELECT count(*) AS integers,
	count(*) FILTER (WHERE databite.from_text(v, NULL::int8) IS DISTINCT FROM v::int8) AS wrong_int8,
	count(*) FILTER (WHERE length(v) < 10 AND databite.from_text(v, NULL::int4) IS DISTINCT FROM v::int4) AS wrong_int4,
	count(*) FILTER (WHERE length(v) < 5 AND databite.from_text(v, NULL::int2) IS DISTINCT FROM v::int2) AS wrong_int2,
	count(*) FILTER (WHERE numeric_send(databite.from_text(v, NULL::numeric)) <> numeric_send(v::numeric)) AS wrong_numeric
FROM random_value;

-- Numbers with a point, with zeroes before and behind, with exponents
WITH random_value AS MATERIALIZED (
	SELECT concat(CASE WHEN n % 3 = 0 THEN '-' END, CASE WHEN n % 7 = 0 THEN '000' END, a, '.', lpad(b, (n % 11)::int, '0'), CASE WHEN n % 5 = 0 THEN '00' END,
		CASE WHEN n % 13 = 0 THEN 'e' || n % 41 - 20 END) AS v
	FROM (SELECT n, floor(random() * 10 ^ (random() * 13))::int8 AS a, floor(random() * 10 ^ (random() * 10))::int8::text || n % 10 AS b
		FROM generate_series(1, 300000) AS n) AS r
)
SELECT count(*) AS numbers,
	count(*) FILTER (WHERE numeric_send(databite.from_text(v, NULL::numeric)) <> numeric_send(v::numeric)) AS wrong_numeric,
	count(*) FILTER (WHERE float8send(databite.from_text(v, NULL::float8)) <> float8send(v::float8)) AS wrong_float8,
	count(*) FILTER (WHERE float4send(databite.from_text(v, NULL::float4)) <> float4send(v::float4)) AS wrong_float4
FROM random_value;

-- Doubles as they are written, of any size
WITH random_value AS MATERIALIZED (
	SELECT ((random() - 0.5) * 10 ^ (random() * 60 - 30))::float8::text AS v FROM generate_series(1, 200000)
)
SELECT count(*) AS doubles,
	count(*) FILTER (WHERE numeric_send(databite.from_text(v, NULL::numeric)) <> numeric_send(v::numeric)) AS wrong_numeric,
	count(*) FILTER (WHERE float8send(databite.from_text(v, NULL::float8)) <> float8send(v::float8)) AS wrong_float8,
	count(*) FILTER (WHERE float4send(databite.from_text(v, NULL::float4)) <> float4send(v::float4)) AS wrong_float4
FROM random_value;

-- Times in the forms of ISO 8601, of years 1 to 9999, with and without a zone and a fraction
WITH random_value AS MATERIALIZED (
	SELECT concat(to_char(at, CASE n % 4 WHEN 0 THEN 'YYYYMMDD' ELSE 'YYYY-MM-DD' END), CASE n % 3 WHEN 0 THEN ' ' ELSE 'T' END,
		to_char(at, CASE n % 4 WHEN 0 THEN 'HH24MISS' ELSE 'HH24:MI:SS' END),
		CASE WHEN n % 2 = 0 THEN '.' || lpad(floor(random() * 10 ^ (1 + n % 6))::int8::text, (1 + n % 6)::int, '0') END,
		CASE n % 7 WHEN 0 THEN 'Z' WHEN 1 THEN '+00' WHEN 2 THEN to_char(n % 14, 'S00FM') || ':30' WHEN 3 THEN '-' || lpad((n % 14)::text, 2, '0') || '00'
			WHEN 4 THEN 'z' END) AS v
	FROM (SELECT n, to_timestamp(CASE WHEN n % 8 = 0 THEN random() * 315537897599 - 62135596800 ELSE random() * 4e9 END) AS at
		FROM generate_series(1, 500000) AS n) AS r
)
SELECT count(*) AS times,
	count(*) FILTER (WHERE databite.from_text(v, NULL::timestamptz) IS DISTINCT FROM v::timestamptz) AS wrong_timestamptz,
	count(*) FILTER (WHERE databite.from_text(v, NULL::timestamp) IS DISTINCT FROM v::timestamptz AT TIME ZONE 'UTC') AS wrong_timestamp,
	count(*) FILTER (WHERE databite.from_text(v, NULL::date) IS DISTINCT FROM v::date) AS wrong_date
FROM random_value;

-- Every day of two thousand years
SELECT count(*) AS days,
	count(*) FILTER (WHERE databite.from_text(to_char(d, 'YYYY-MM-DD'), NULL::date) IS DISTINCT FROM d) AS wrong
FROM (SELECT '0800-01-01'::date + n AS d FROM generate_series(0, 730000, 3) AS n) AS days;

WITH random_value AS MATERIALIZED (
	SELECT CASE n % 3 WHEN 0 THEN upper(u) WHEN 1 THEN replace(u, '-', '') ELSE u END AS v
	FROM (SELECT n, gen_random_uuid()::text AS u FROM generate_series(1, 100000) AS n) AS r
)
SELECT count(*) AS uuids, count(*) FILTER (WHERE databite.from_text(v, NULL::uuid) IS DISTINCT FROM v::uuid) AS wrong FROM random_value;

-- What PostgreSQL takes, databite takes, as the same value.  The answer is what differs, and what it takes beyond that.
CREATE TEMPORARY TABLE edge (type text, value text);
INSERT INTO edge SELECT type, value FROM unnest('{int2,int4,int8,numeric,float4,float8}'::text[]) AS type, unnest('{0,-0,00,007,-007,+5," 5","5 ",5.,.5,-,"",
	1e2,1E+2,1e-2,0x10,1_000,"1 2",32767,32768,-32768,-32769,2147483647,2147483648,-2147483648,-2147483649,9223372036854775807,
	9223372036854775808,-9223372036854775808,-9223372036854775809,999999999999999999,-999999999999999999,1000000000000000000,
	123456789012345678.9,0.1234567890123456789,0.000000000000000001,-0.0,0.0,1.10,1.0e400,1e-400,1e38,1e39,NaN,Infinity,-inf,0.1,
	3.4028235e38,1.17549435e-38,1.7976931348623157e308,4.9e-324,2.2250738585072011e-308,16777217,9007199254740993,00000000000000000000001}'::text[]) AS value;
INSERT INTO edge SELECT type, value FROM unnest('{timestamptz,timestamp,date}'::text[]) AS type, unnest('{2024-02-29,2023-02-29,1900-02-29,2000-02-29,
	2024-02-30,2024-13-01,2024-00-10,2024-01-00,0001-01-01,0000-01-01,9999-12-31,10000-01-01,2024-1-1,20240229,2024-060,2024-366,2023-366,
	2024-W01-1,2024-W53-1,2024-02-29T24:00:00,2024-02-29T24:00:01,2024-02-29T23:59:60Z,2024-02-29T23:59:61Z,2024-02-29T23:60:00Z,
	2024-02-29T12,2024-02-29T12:30,2024-02-29T12:30Z,2024-02-29T1230Z,2024-02-29T12:30:15.,"2024-02-29T12:30:15,5Z",2024-02-29T12:30:15.1234565Z,
	2024-02-29T12:30:15.1234575Z,2024-02-29T12:30:15.9999999Z,2024-02-29T12:30:15.9999994Z,2024-02-29T12:30:15.0000005Z,2024-02-29T12:30:15.123456789012345Z,
	2024-02-29T12:30:15+14:00,2024-02-29T12:30:15+15:59,2024-02-29T12:30:15+16:00,2024-02-29T12:30:15-00:00,2024-02-29T12:30:15+5,
	2024-02-29T12:30:15+05:30:15,2024-02-29T12:30:15 +05:30,2024-02-29T12:30:15 Z,2024-02-29t12:30:15z,"2024-02-29 12:30:15 Europe/Berlin",
	" 2024-02-29",2024-02-29T,2024-02-29 ,infinity,-infinity,epoch,"Feb 29 2024","29.02.2024",4713-01-01 BC,294276-12-31T23:59:59Z,294277-01-01}'::text[]) AS value;
INSERT INTO edge SELECT 'bool', value FROM unnest('{true,false,t,f,yes,no,on,off,1,0,TRUE,tru,y,n,"",2," true",o,of}'::text[]) AS value;
INSERT INTO edge SELECT 'uuid', value FROM unnest('{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11,"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
	a0eebc999c0b4ef8bb6d6bb9bd380a11,a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g,
	a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111,-0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,""}'::text[]) AS value;

-- Its value, or SQLSTATE
CREATE FUNCTION pg_temp.value_of(expression text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'SELECT (' || expression || ')::text' INTO answer USING value;
	RETURN answer;
EXCEPTION WHEN data_exception THEN
	RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.ours(type text, value text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.value_of(format('databite.from_text($1, NULL::%s)', type), value)
$$;
CREATE FUNCTION pg_temp.theirs(type text, value text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.value_of(CASE type WHEN 'timestamp' THEN '$1::timestamptz AT TIME ZONE ''UTC''' ELSE '$1::' || type END, value)
$$;

SELECT count(*) AS edges FROM edge;
SELECT type, value, ours, theirs FROM edge, pg_temp.ours(type, value) AS ours, pg_temp.theirs(type, value) AS theirs
WHERE ours IS DISTINCT FROM theirs ORDER BY type, value COLLATE "C";

-- A character is taken out, doubled, or is another one.  (Seven digits are a day of a year by ISO 8601, which PostgreSQL reads otherwise.)
CREATE TEMPORARY TABLE mistake AS
	SELECT DISTINCT type, overlay(value PLACING CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN repeat(substr(value, place, 1), 2) ELSE substr('0123456789-+.:eETZ W', 1 + floor(random() * 20)::int, 1) END
		FROM place FOR 1) AS value
	FROM (SELECT n, type, value, 1 + floor(random() * length(value))::int AS place
		FROM (VALUES ('int4', '2147483647'), ('int8', '-9223372036854775807'), ('numeric', '-1234567.890123'), ('float8', '1.5e-7'), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
			('timestamptz', '2024-02-29T12:30:15.123456+05:30'), ('timestamptz', '20240229T123015Z'), ('timestamptz', '2024-02-29T12:30:15Z'), ('timestamp', '2024-12-31 23:59:59'), ('date', '2024-03-31')) AS form(type, value),
		generate_series(1, 2000) AS n) AS r;
SELECT type, value, ours, theirs FROM mistake, pg_temp.ours(type, value) AS ours, pg_temp.theirs(type, value) AS theirs
WHERE ours IS DISTINCT FROM theirs AND value !~ '^ ?[0-9]{7}T' ORDER BY type, value COLLATE "C";
