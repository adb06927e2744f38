-- The columns of product_catalog_sync, new for each contestant.
SET client_min_messages = warning;
DROP TABLE IF EXISTS products;
CREATE TABLE products (
	id bigint PRIMARY KEY,
	name text,
	description text,
	price numeric,
	currency text,
	category text,
	tags text,
	in_stock boolean,
	created_at timestamptz,
	updated_at timestamptz
);
