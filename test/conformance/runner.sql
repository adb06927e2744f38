--
-- What 040_conformance.pl runs the rows of the conformance table with, and the types that rows may store into.
--
CREATE EXTENSION databite;
CREATE EXTENSION citext;

CREATE TYPE color AS ENUM ('red', 'green', 'dark blue');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN short_text AS text CHECK (length(VALUE) <= 5);
CREATE TYPE pair AS (a integer, b text);

-- What is not as the row expects; NULL where all is.  What the row did is undone.
CREATE FUNCTION conformance_wrong(expected jsonb, definition text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	kind text := expected ->> 'kind';
	type oid;
	value text;
	result record;
	rejected boolean := false;
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	BEGIN
		IF expected ? 'scopes' THEN
			type := 'jsonb'::regtype;
			value := databite.evaluate(expected ->> 'template', (expected ->> 'item')::jsonb, (expected ->> 'scopes')::jsonb);
			RAISE SQLSTATE 'CF000';
		END IF;

		IF expected ? 'type' AND kind <> 'value' THEN
			EXECUTE format('CREATE TABLE conformance_result (v %s)', expected ->> 'type');
		END IF;
		PERFORM databite.schedule_job(definition::jsonb);
		result := databite.execute_job('conformance');
		IF result.records_rejected > 0 THEN
			rejected := true;
			SELECT r.error_code, r.message INTO code, message FROM databite.rejected_items AS r WHERE r.run_id = result.run_id;
		ELSIF result.error IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = result.error ->> 'code', MESSAGE = result.error ->> 'message',
				DETAIL = coalesce(result.error ->> 'detail', ''), HINT = coalesce(result.error ->> 'hint', '');
		ELSIF result.records_inserted > 0 THEN
			PERFORM set_config('timezone', 'UTC', true);
			SELECT atttypid INTO type FROM pg_attribute WHERE attrelid = 'conformance_result'::regclass AND attname = 'v';
			SELECT to_jsonb(v) INTO value FROM conformance_result;
		END IF;
		RAISE SQLSTATE 'CF000';
	EXCEPTION
		WHEN SQLSTATE 'CF000' THEN NULL;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			IF kind = 'error' AND SQLSTATE = expected ->> 'code'
				AND strpos(concat_ws(E'\n', message, detail, hint), expected ->> 'message') > 0 THEN
				RETURN NULL;
			END IF;
			RETURN concat_ws(' ', 'error', SQLSTATE, to_json(message), detail, hint);
	END;

	IF rejected THEN
		IF kind = 'rejected' AND code = expected ->> 'code' AND strpos(message, expected ->> 'message') > 0 THEN
			RETURN NULL;
		END IF;
		RETURN concat_ws(' ', 'rejected', code, to_json(message));
	ELSIF type IS NULL THEN
		RETURN CASE WHEN kind IS DISTINCT FROM 'skipped' THEN 'skipped' END;
	ELSIF kind IN ('value', 'into') AND value IS NOT DISTINCT FROM nullif(expected ->> 'value', 'null')::jsonb::text
		AND (kind = 'into' OR type = (expected ->> 'type')::regtype) THEN
		RETURN NULL;
	END IF;
	RETURN concat_ws(' ', type::regtype, coalesce(value, 'null'));
END $$;

-- One outcome for each row, in order: {"wrong": null, or what came instead}.  Jobs run in a session with other settings
-- than those of the table: no value may depend on them.
CREATE FUNCTION conformance(rows json) RETURNS SETOF json
LANGUAGE sql SET client_min_messages = warning SET timezone = 'America/New_York' SET datestyle = 'German' AS $$
	SELECT json_build_object('wrong', conformance_wrong(expected::jsonb, expected ->> 'definition'))
	FROM json_array_elements(rows) WITH ORDINALITY AS r(expected, n)
	ORDER BY n;
$$;
