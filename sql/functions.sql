--
-- Users' functions as filters: by their qualified name, and named by create_transform.
--
\pset null NULL
\set VERBOSITY terse
CREATE ROLE regress_functions_ada;
CREATE ROLE regress_functions_bob;
GRANT USAGE ON SCHEMA databite TO regress_functions_ada, regress_functions_bob;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO regress_functions_ada, regress_functions_bob;

CREATE SCHEMA shop;
CREATE SCHEMA "Odd schema.";
GRANT USAGE ON SCHEMA shop TO regress_functions_ada, regress_functions_bob;
CREATE TYPE shop.mood AS ENUM ('sad', 'glad');
CREATE TYPE shop.pair AS (a int, b text);
CREATE DOMAIN shop.cents AS numeric(10,2);

CREATE FUNCTION shop.discount(item jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS
	$$ SELECT round(100 * (1 - (item ->> 'sale')::numeric / (item ->> 'price')::numeric), 1) $$;
CREATE FUNCTION shop.twice(x numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN 2 * x; END $$;
CREATE FUNCTION shop.add(x int, y int DEFAULT 10, z int DEFAULT 100) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y + z';
CREATE FUNCTION shop.glue(x text, VARIADIC more text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT x || ':' || array_to_string(more, '-') $$;
CREATE FUNCTION shop.kind(x text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'text ' || x $$;
CREATE FUNCTION shop.kind(x numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'numeric ' || x $$;
CREATE FUNCTION shop.kind(x jsonb, n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'jsonb int ' || x::text $$;
CREATE FUNCTION shop.kind(x jsonb, n text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'jsonb text ' || x::text $$;
CREATE FUNCTION shop.same(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION shop.pairs(x shop.pair) RETURNS shop.pair LANGUAGE sql IMMUTABLE AS 'SELECT (x.a + 1, x.b)::shop.pair';
CREATE FUNCTION shop.mood(x shop.mood) RETURNS shop.mood LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION shop.cents(x text) RETURNS shop.cents LANGUAGE sql IMMUTABLE AS 'SELECT x::shop.cents';
CREATE FUNCTION shop.list(x int[]) RETURNS int[] LANGUAGE sql IMMUTABLE AS 'SELECT x || 7';
CREATE FUNCTION shop.real(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION shop.out(x int, OUT y date) LANGUAGE sql IMMUTABLE AS $$ SELECT date '2024-02-28' + x $$;
CREATE FUNCTION shop.local(x text) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT timestamp '2024-03-10 02:30' $$;
CREATE FUNCTION "Odd schema."."it's" (x text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT x || '!' $$;
CREATE FUNCTION "Odd schema."."Ünï" (x text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT x || '?' $$;

-- Domains are what is below them
CREATE DOMAIN shop.moment AS timestamptz;
CREATE DOMAIN shop.bytes AS bytea;
CREATE FUNCTION shop.moment(x text) RETURNS shop.moment LANGUAGE sql IMMUTABLE AS $$ SELECT timestamptz '2024-05-01 12:00Z' $$;
CREATE FUNCTION shop.bytes(x text) RETURNS shop.bytes LANGUAGE sql IMMUTABLE AS $$ SELECT bytea '\xff00' $$;

-- What cannot be a filter
CREATE FUNCTION shop.nothing() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.many(x int) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.row(x int, OUT a int, OUT b int) LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION shop.empty(x int) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION shop.anything(x anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE shop.doing(x int) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE shop.total(int) (SFUNC = int4pl, STYPE = int);

CREATE FUNCTION pg_temp.try(template text, item jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	RETURN coalesce(databite.evaluate(template, item)::text, 'NULL');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || E'\n' || hint;
END $$;

\pset format unaligned
\pset tuples_only on

-- By qualified name
SELECT t, pg_temp.try(t, '{"price": 8, "sale": 6.00, "n": 21, "s": "x", "p": {"b": "y", "a": 1}, "l": [1, null, 2]}') FROM unnest(ARRAY[
	'{{ item | shop.discount }}',
	'{{ item.n | shop.twice }}',
	'{{ "21" | shop.twice }}',
	'{{ item.missing | shop.twice }}',
	'{{ item.n | shop . twice | shop.twice }}',
	'{{ (item.n | shop.twice) + 1 }}',
	'{{ item.n | shop.add }}',
	'{{ item.n | shop.add(1) }}',
	'{{ item.n | shop.add(1, item.price) }}',
	'{{ item.n | shop.add(1, 2.5) }}',
	'{{ item.s | shop.glue("a") }}',
	'{{ item.s | shop.glue("a", 2, item.n) }}',
	'{{ "x" | shop.kind }}',
	'{{ 1.10 | shop.kind }}',
	'{{ item.s | shop.kind(1) }}',
	'{{ item.s | shop.kind("1") }}',
	'{{ item.p | shop.pairs }}',
	'{{ (item.p | shop.pairs) ~ "" }}',
	'{{ {"a": item.n} | shop.pairs }}',
	'{{ "glad" | shop.mood }}',
	'{{ item.s | shop.mood }}',
	'{{ 1.005 | shop.cents }}',
	'{{ item.l | shop.list }}',
	'{{ [3] | shop.list }}',
	'{{ 2.5 | shop.real }}',
	'{{ 1 | shop.out }}',
	'on {{ 1 | shop.out }}',
	'{{ "" | shop.local }}',
	'at {{ "" | shop.local }}',
	'{{ "" | shop.local | format_date("%d.%m. %H:%M") }}',
	'{{ "" | shop.local | date_trunc("hour") }}',
	'{{ item.l | shop.same }}',
	'{{ null | shop.same }}',
	'{{ item.s | pg_catalog.upper }}']) AS t;

-- Mistakes
SELECT pg_temp.try(t) FROM unnest(ARRAY[
	'{{ item.x | shop.kind }}',
	'{{ item.x | shop.twise }}',
	'{{ item.x | shop.unheard_of }}',
	'{{ item.x | shoop.twice }}',
	'{{ item.x | shop.twice(1) }}',
	'{{ item.x | shop.glue }}',
	'{{ item.x | a.b.c }}',
	'{{ item.x | databite.url_encode }}',
	'{{ item.x | shop.nothing }}',
	'{{ item.x | shop.many }}',
	'{{ item.x | shop.row }}',
	'{{ item.x | shop.empty }}',
	'{{ item.x | shop.anything }}',
	'{{ item.x | shop.doing }}',
	'{{ item.x | shop.total }}',
	'{{ true | shop.twice }}',
	'{{ item.x | pg_catalog.format("a") }}']) AS t;

-- Named
SELECT databite.create_transform('discount', 'shop.discount(jsonb)');
SELECT databite.create_transform('odd', '"Odd schema."."it''s"(text)');
SELECT databite.create_transform('uni', '"Odd schema."."Ünï"(text)');
SELECT databite.create_transform('to_kind', 'shop.kind(text)');
SELECT databite.create_transform('plus', 'shop.add(int, int, int)');
SELECT name, function FROM databite.transforms ORDER BY name;
SELECT t, pg_temp.try(t, '{"price": 8, "sale": 6, "x": "y"}') FROM unnest(ARRAY[
	'{{ item | discount }}', '{{ item.x | odd | uni }}', '{{ item.x | to_kind }}', '{{ 1 | plus }}', '{{ 1 | plus(1, 1) }}',
	'{{ 1 | plus(1, 1, 1) }}', '{{ item | discountt }}']) AS t;

-- Another of the name replaces it; it comes before a filter of the name
SELECT databite.create_transform('odd', 'shop.twice(numeric)');
SELECT databite.create_transform('upper', 'shop.kind(text)');
SELECT pg_temp.try('{{ 4 | odd }} {{ "x" | upper }}');
SELECT databite.drop_transform('upper'), databite.drop_transform('upper');
SELECT pg_temp.try('{{ "x" | upper }}');

-- A shorter function beside it would be the one that SQL calls
CREATE FUNCTION shop.add(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x';
SELECT pg_temp.try('{{ 1 | plus }}'), pg_temp.try('{{ 1 | plus(1) }}');
DROP FUNCTION shop.add(int);

-- What create_transform refuses
SELECT databite.create_transform('', 'shop.discount(jsonb)');
SELECT databite.create_transform('a.b', 'shop.discount(jsonb)');
SELECT databite.create_transform('1a', 'shop.discount(jsonb)');
SELECT databite.create_transform(repeat('x', 64), 'shop.discount(jsonb)');
SELECT databite.create_transform('x', 'shop.nothing()');
SELECT databite.create_transform('x', 'shop.many(int)');
SELECT databite.create_transform('x', 'shop.doing(int)');
SELECT databite.create_transform('x', 'shop.total(int)');
SELECT databite.create_transform('x', 'shop.anything(anyelement)');
SELECT databite.create_transform('x', 'pg_catalog.int4in(cstring)');
SELECT databite.create_transform('x', 'databite.filter_url_encode(text)');
SELECT databite.create_transform('x', 0::regprocedure);

-- The function goes, is replaced, or may not be called any more
SELECT databite.schedule_job('{"id": "discounts", "source": {"type": "inline", "items": [{"id": 1, "price": 8, "sale": 6}]},
	"destination": {"type": "database", "table": "discounts"},
	"transform": {"id": "{{ item.id }}", "discount": "{{ item | discount }}", "t": "{{ item.price | shop.twice }}"}}');
SELECT status FROM databite.execute_job('discounts');
TABLE discounts;
DROP FUNCTION shop.discount(jsonb);
SELECT status, error ->> 'code', error ->> 'message', error ->> 'hint' FROM databite.execute_job('discounts');
CREATE FUNCTION shop.discount(item jsonb, factor int DEFAULT 2) RETURNS text LANGUAGE sql AS $$ SELECT repeat('x', factor) $$;
SELECT status, error ->> 'message' FROM databite.execute_job('discounts');
SELECT databite.create_transform('discount', 'shop.discount(jsonb, int)');
SELECT status, error ->> 'message' FROM databite.execute_job('discounts');
DROP SCHEMA "Odd schema." CASCADE;
SELECT pg_temp.try('{{ "x" | uni }}');

-- The owner's rights count
REVOKE EXECUTE ON FUNCTION shop.twice(numeric) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.twice(numeric) TO regress_functions_ada;
GRANT CREATE ON SCHEMA shop TO regress_functions_ada;
SET ROLE regress_functions_bob;
SELECT databite.create_transform('double', 'shop.twice(numeric)');
SELECT pg_temp.try('{{ 1 | shop.twice }}');
SET ROLE regress_functions_ada;
SELECT databite.create_transform('double', 'shop.twice(numeric)');
SELECT pg_temp.try('{{ 1 | shop.twice }} {{ 1 | double }}');
SELECT databite.schedule_job('{"id": "adas", "source": {"type": "inline", "items": [{"n": 2}]},
	"destination": {"type": "database", "table": "shop.adas"}, "transform": {"n": "{{ item.n | double }}"}}');
SELECT name, function, owner FROM databite.transforms;
RESET ROLE;
GRANT SELECT ON databite.transform TO regress_functions_bob;
SET ROLE regress_functions_bob;
SELECT count(*) FROM databite.transforms;
SELECT count(*) FROM databite.transform;
SELECT pg_temp.try('{{ 1 | double }}');
RESET ROLE;
SELECT pg_temp.try('{{ 1 | double }}');
SELECT status FROM databite.execute_job('adas');
REVOKE EXECUTE ON FUNCTION shop.twice(numeric) FROM regress_functions_ada;
SELECT status, error ->> 'code', error ->> 'message', error ->> 'hint' FROM databite.execute_job('adas');
GRANT EXECUTE ON FUNCTION shop.twice(numeric) TO regress_functions_ada;
REVOKE USAGE ON SCHEMA shop FROM regress_functions_ada;
SELECT status, error ->> 'code', error ->> 'message' FROM databite.execute_job('adas');
GRANT USAGE ON SCHEMA shop TO regress_functions_ada;

-- While a run is going on: the statement that is prepared finds no function any more
CREATE FUNCTION shop.dies(x int) RETURNS int LANGUAGE sql AS 'SELECT x';
CREATE TABLE mortal (n int);
CREATE FUNCTION mortal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DROP FUNCTION IF EXISTS shop.dies(int); RETURN NULL; END $$;
CREATE TRIGGER mortal AFTER INSERT ON mortal FOR EACH STATEMENT EXECUTE FUNCTION mortal();
SELECT databite.schedule_job('{"id": "mortal", "source": {"type": "inline", "items": [{"n": 1}, {"n": 2}, {"n": 3}]},
	"destination": {"type": "database", "table": "mortal", "batchSize": 1}, "transform": {"n": "{{ item.n | shop.dies }}"}}');
SELECT status, error ->> 'code', error ->> 'message' FROM databite.execute_job('mortal');
SELECT status, error ->> 'code', error ->> 'message', error ->> 'detail' FROM databite.execute_job('mortal');

SELECT databite.evaluate('{{ (item.x | shop.moment) == "2024-05-01 12:00" }}') AS moment,
	databite.evaluate('{{ item.x | shop.bytes | hex }}', '{"x": ""}') AS bytes,
	databite.evaluate('{{ item.x | shop.moment | tz("Europe/Riga") | format_date("%H:%M") }}') AS "there",
	databite.evaluate('{{ item.x | shop.local | format_date("%H:%M") }}') AS "local";

SELECT databite.unschedule_job(job_id) FROM databite.jobs;
SELECT databite.drop_transform(name) FROM databite.transforms WHERE owner = current_user::regrole;
SET ROLE regress_functions_ada;
SELECT databite.drop_transform('double');
RESET ROLE;
DROP TABLE discounts, mortal;
DROP FUNCTION mortal;
\set ECHO none
\set QUIET on
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
REVOKE ALL ON databite.transform FROM regress_functions_bob;
REVOKE ALL ON SCHEMA databite FROM regress_functions_ada, regress_functions_bob;
REVOKE ALL ON ALL ROUTINES IN SCHEMA databite FROM regress_functions_ada, regress_functions_bob;
DROP ROLE regress_functions_ada, regress_functions_bob;
