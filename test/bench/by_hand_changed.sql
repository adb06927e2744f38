-- What people write by hand for rows that may be there, with the pages already in a table.
INSERT INTO items
SELECT (item ->> 'id')::bigint, (item ->> 'customer_id')::integer, item ->> 'name', item ->> 'email', item ->> 'status',
	(item ->> 'total')::numeric, (item ->> 'quantity')::integer, (item ->> 'active')::boolean,
	(item ->> 'created_at')::timestamptz, (item ->> 'updated_at')::timestamptz
FROM bench_pages, jsonb_array_elements(body::jsonb) AS item
ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, name = excluded.name, email = excluded.email,
	status = excluded.status, total = excluded.total, quantity = excluded.quantity, active = excluded.active,
	created_at = excluded.created_at, updated_at = excluded.updated_at;
