-- The table of the reference workload, new for each contestant.
SET client_min_messages = warning;
DROP TABLE IF EXISTS items;
CREATE TABLE items (
	id bigint PRIMARY KEY,
	customer_id integer,
	name text,
	email text,
	status text,
	total numeric,
	quantity integer,
	active boolean,
	created_at timestamptz,
	updated_at timestamptz
);
