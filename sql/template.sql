--
-- The template language: what a mistake looks like, and what is left to the planner.
-- What each template makes of an item is in test/conformance.
--
-- What a mistake looks like: where it is, and what to do
CREATE FUNCTION pg_temp.mistake(template text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	PERFORM databite.evaluate(template, '{}');
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN message || E'\n' || hint;
END $$;

\pset format unaligned
\pset tuples_only on
SELECT pg_temp.mistake('Hello {{ item.name | uper }}');
SELECT pg_temp.mistake('{{ item.price > 1 and }}');
SELECT pg_temp.mistake('{{ item.price * 1.2 | round(2) }}');
SELECT pg_temp.mistake('{{ item.a = 1 }}');
SELECT pg_temp.mistake('{{ item.name | slugify }}');
SELECT pg_temp.mistake('{{ true + 1 }}');
SELECT pg_temp.mistake(repeat('é', 1000) || E'\t{{ item.€ | round("x") }} ' || repeat('x', 1000));

-- What is constant is computed when the statement is planned
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.plan_of(template text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	line text;
BEGIN
	SELECT substring(string_agg(explained, E'\n') FROM 'INSERT.*') INTO STRICT statement
	FROM databite.explain_job(jsonb_build_object('id', 'template_plan',
		'source', '{"type": "inline", "items": []}'::jsonb,
		'destination', '{"type": "database", "table": "template_plan"}'::jsonb,
		'transform', jsonb_build_object('v', template))) AS explained;
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || statement LOOP
		RETURN NEXT line;
	END LOOP;
END $$;
CREATE TABLE template_plan (v text);
SELECT * FROM pg_temp.plan_of('{{ ("a" ~ "b") | upper ~ (1 + 2 * 3) ~ (["x", "y"] | join("-")) }}') AS line WHERE line ~ 'Output';
DROP TABLE template_plan;
