-- What people write by hand, with the pages already in a table.
INSERT INTO items
SELECT (item ->> 'id')::bigint, (item ->> 'customer_id')::integer, item ->> 'name', item ->> 'email', item ->> 'status',
	(item ->> 'total')::numeric, (item ->> 'quantity')::integer, (item ->> 'active')::boolean,
	(item ->> 'created_at')::timestamptz, (item ->> 'updated_at')::timestamptz
FROM bench_pages, jsonb_array_elements(body::jsonb) AS item;
