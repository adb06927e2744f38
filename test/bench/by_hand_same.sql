-- The same with a guard against rows that have not changed.
INSERT INTO items
SELECT (item ->> 'id')::bigint, (item ->> 'customer_id')::integer, item ->> 'name', item ->> 'email', item ->> 'status',
	(item ->> 'total')::numeric, (item ->> 'quantity')::integer, (item ->> 'active')::boolean,
	(item ->> 'created_at')::timestamptz, (item ->> 'updated_at')::timestamptz
FROM bench_pages, jsonb_array_elements(body::jsonb) AS item
ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, name = excluded.name, email = excluded.email,
	status = excluded.status, total = excluded.total, quantity = excluded.quantity, active = excluded.active,
	created_at = excluded.created_at, updated_at = excluded.updated_at
WHERE (items.customer_id, items.name, items.email, items.status, items.total, items.quantity, items.active,
		items.created_at, items.updated_at) IS DISTINCT FROM
	(excluded.customer_id, excluded.name, excluded.email, excluded.status, excluded.total, excluded.quantity,
		excluded.active, excluded.created_at, excluded.updated_at);
