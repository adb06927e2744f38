--
-- What is wrong with a job definition, and what is not.
--

-- A definition that is right, and a change to it: keys of source and destination are added to what is there.
CREATE FUNCTION pg_temp.job(change jsonb) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT base || change
		|| CASE WHEN jsonb_typeof(change -> 'source') = 'object'
			THEN jsonb_build_object('source', base -> 'source' || (change -> 'source')) ELSE '{}' END
		|| CASE WHEN jsonb_typeof(change -> 'destination') = 'object'
			THEN jsonb_build_object('destination', base -> 'destination' || (change -> 'destination')) ELSE '{}' END
	FROM (SELECT '{
		"id": "definition_test",
		"source": {"type": "api", "url": "https://api.example.com/items"},
		"destination": {"type": "database", "table": "definition_test", "schema": {"id": "integer", "name": "string"}},
		"transform": {"id": "{{item.id}}", "name": "{{item.name}}"}
	}'::jsonb) AS b(base)
$$;

-- The definitions of the guide that this version runs: no problem.
CREATE TEMP TABLE guide (n serial, job jsonb);
INSERT INTO guide (job) VALUES ('{
	"id": "user_sync", "name": "User Data Sync",
	"source": {"type": "api", "url": "https://api.service.com/users",
		"headers": {"Authorization": "Bearer {{tokens.access_token}}"}},
	"destination": {"type": "database", "table": "users",
		"schema": {"id": "string", "name": "string", "email": "string", "created_at": "datetime"}},
	"transform": {"id": "{{item.id}}", "name": "{{item.name}}", "email": "{{item.email}}", "created_at": "{{item.created_at}}"}
}'), ('{
	"id": "incremental_orders", "name": "Incremental Orders Sync",
	"source": {"type": "api", "url": "https://api.service.com/orders",
		"query": {"updated_since": "{{last_sync_time}}", "limit": 1000},
		"headers": {"Authorization": "Bearer {{tokens.access_token}}"}},
	"destination": {"type": "database", "table": "orders", "mode": "upsert", "key": "id"},
	"transform": {"id": "{{item.id}}", "customer_id": "{{item.customer_id}}", "total": "{{item.total}}",
		"status": "{{item.status}}", "updated_at": "{{item.updated_at}}"},
	"schedule": {"type": "interval", "minutes": 15}
}'), ('{
	"id": "product_catalog_sync", "name": "Product Catalog Sync",
	"source": {"type": "api", "url": "https://api.service.com/products"},
	"destination": {"type": "database", "table": "products"},
	"transform": {"id": "{{item.id}}", "name": "{{item.name}}", "description": "{{item.description}}",
		"price": "{{item.pricing.amount}}", "currency": "{{item.pricing.currency}}", "category": "{{item.category.name}}",
		"tags": "{{item.tags | join(\",\")}}", "in_stock": "{{item.inventory.quantity > 0}}",
		"created_at": "{{item.created_at | to_datetime}}", "updated_at": "{{item.updated_at | to_datetime}}"}
}'), ('{
	"id": "integration_sync", "name": "Integration Sync",
	"source": {"type": "api", "url": "https://jsonplaceholder.typicode.com/posts"},
	"destination": {"type": "database", "table": "posts"},
	"transform": {"id": "{{item.id}}", "title": "{{item.title}}", "body": "{{item.body}}", "user_id": "{{item.userId}}"}
}');
SELECT job ->> 'id' AS id, p.* FROM guide, databite.validate_job(job) AS p ORDER BY n;

-- Those that later versions run: every key is known, and each problem is one of "not supported yet".
CREATE TEMP TABLE later (n serial, job jsonb);
INSERT INTO later (job) VALUES ('{
	"id": "customer_orders_sync", "name": "Customer and Orders Sync",
	"steps": [
		{"id": "sync_customers", "source": {"type": "api", "url": "https://api.service.com/customers"},
			"destination": {"type": "database", "table": "customers"},
			"transform": {"id": "{{item.id}}", "name": "{{item.name}}", "email": "{{item.email}}"}},
		{"id": "sync_orders", "dependsOn": ["sync_customers"],
			"source": {"type": "api", "url": "https://api.service.com/orders", "query": {"customer_id": "{{customers.id}}"}},
			"destination": {"type": "database", "table": "orders"},
			"transform": {"id": "{{item.id}}", "customer_id": "{{item.customer_id}}", "total": "{{item.total}}"}}]
}'), ('{
	"id": "resilient_data_sync", "name": "Resilient Data Sync",
	"source": {"type": "api", "url": "https://api.service.com/data",
		"retry": {"attempts": 3, "delay": 5000, "backoff": "exponential"}},
	"destination": {"type": "database", "table": "data", "onError": "log_and_continue"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 3, "retryDelay": 5000, "onFailure": "notify_admin"}
}'), ('{
	"id": "partial_success_sync", "name": "Partial Success Sync",
	"source": {"type": "api", "url": "https://api.service.com/batch_data", "batchSize": 100},
	"destination": {"type": "database", "table": "batch_data", "mode": "batch_insert"},
	"errorHandling": {"strategy": "partial_success", "onItemError": "log_and_continue", "onBatchError": "retry_batch"}
}'), ('{
	"id": "webhook_sync", "name": "Webhook-based Real-time Sync",
	"trigger": {"type": "webhook", "endpoint": "/webhook/sync", "secret": "x"},
	"source": {"type": "webhook_data", "payload": "{{webhook.payload}}"},
	"destination": {"type": "database", "table": "real_time_data"},
	"transform": {"id": "{{payload.id}}", "event_type": "{{payload.event_type}}"}
}'), ('{
	"id": "event_driven_sync", "name": "Event-driven Sync",
	"trigger": {"type": "event", "event": "data_updated", "source": "external_system"},
	"source": {"type": "api", "url": "https://api.service.com/updated_data", "query": {"since": "{{event.timestamp}}"}},
	"destination": {"type": "database", "table": "updated_data"}
}'), ('{
	"id": "batch_sync", "name": "Batch Data Sync",
	"source": {"type": "api", "url": "https://api.service.com/data", "batchSize": 1000, "pagination": {"type": "offset", "limit": 1000}},
	"destination": {"type": "database", "table": "data", "mode": "batch_insert", "batchSize": 1000},
	"performance": {"concurrency": 5, "timeout": 300000, "memoryLimit": "512MB"}
}'), ('{
	"id": "parallel_sync", "name": "Parallel Data Sync",
	"source": {"type": "api", "url": "https://api.service.com/data",
		"parallel": {"enabled": true, "maxConcurrency": 10, "chunkSize": 100}},
	"destination": {"type": "database", "table": "data", "mode": "parallel_insert"}
}'), ('{
	"id": "validated_sync", "name": "Validated Data Sync",
	"source": {"type": "api", "url": "https://api.service.com/data"},
	"destination": {"type": "database", "table": "data"},
	"validation": {"required": ["id", "name", "email"], "email": "{{item.email}}", "phone": "{{item.phone}}"},
	"transform": {"id": "{{item.id}}", "name": "{{item.name}}",
		"email": "{{item.email | validate_email}}", "phone": "{{item.phone | validate_phone}}"}
}'), ('{
	"id": "resource_aware_sync", "name": "Resource Aware Sync",
	"source": {"type": "api", "url": "https://api.service.com/data", "rateLimit": {"requestsPerMinute": 100, "burstLimit": 20}},
	"destination": {"type": "database", "table": "data", "connectionPool": {"min": 2, "max": 10, "idleTimeout": 30000}}
}'), ('{
	"id": "memory_efficient_sync", "name": "Memory Efficient Sync",
	"source": {"type": "api", "url": "https://api.service.com/large-dataset", "streaming": true, "batchSize": 1000},
	"destination": {"type": "database", "table": "large_dataset", "mode": "streaming_insert"}
}');
SELECT job ->> 'id' AS id, pointer, message FROM later, databite.validate_job(job) WITH ORDINALITY AS p ORDER BY n, ordinality;

-- What is taken: none of these changes is a problem.
CREATE TEMP TABLE taken (n serial, change jsonb);
INSERT INTO taken (change) VALUES
	('{}'),
	('{"id": "A.b-c_0"}'),
	('{"id": "a12345678901234567890123456789012345678901234567890123456789012"}'),
	('{"name": "", "description": "Äñ", "enabled": false}'),
	('{"logging": {"level": "warning", "destination": "database", "table": "public.\"a.b\""}}'),
	('{"logging": {"level": "debug"}}'),
	('{"logging": {}}'),
	('{"schedule": {"type": "cron", "expression": "0 6 * * mon-fri", "timezone": "Europe/Riga"}}'),
	('{"schedule": {"type": "interval", "hours": 1, "minutes": 30}}'),
	('{"errorHandling": {"strategy": "fail_fast", "onItemError": "fail", "onBatchError": "fail"}}'),
	('{"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 0, "retryDelay": "1m", "backoff": "linear", "onFailure": "notify_admin", "onItemError": "log_and_continue"}}'),
	('{"destination": {"onError": "log_and_continue", "connectionPool": {"min": 2, "max": 2, "idleTimeout": 0}}}'),
	('{"errorHandling": {}}'),
	('{"source": {"method": "POST", "body": {"a": [1, null]}}}'),
	('{"source": {"method": "post", "body": [1]}}'),
	('{"source": {"method": "POST", "body": "text"}}'),
	('{"source": {"method": "POST", "body": {"form": {"a": "b", "c": [1, 2]}}}}'),
	('{"source": {"method": "POST", "body": {"form": "contact"}}}'),
	('{"source": {"headers": {"X-Version": 2, "X-Exact": 1.10, "X-On": true, "X-Tab": "a\tb"}}}'),
	('{"source": {"query": {"a": "x", "b": 1, "c": true, "d": ["x", 1, false], "e[f]": "g"}}}'),
	('{"source": {"dataPath": "data.items"}}'),
	('{"source": {"dataPath": "a.*.b"}}'),
	('{"source": {"format": "json"}}'),
	('{"source": {"format": "ndjson", "dataPath": "$", "zip": "header"}}'),
	('{"source": {"format": "csv"}}'),
	('{"source": {"dataPath": "rows", "zip": [{"names": "headers[*].name", "values": "cells[*].value"}]}}'),
	('{"source": {"batchSize": 1000, "timeout": "1.5m", "streaming": true, "parallel": {"enabled": false}}}'),
	('{"source": {"retry": {"attempts": 1, "delay": 0, "maxDelay": "1h", "backoff": "fixed", "statuses": [500, 503]}}}'),
	('{"source": {"retry": {"delay": "5m", "budget": "10m", "idempotent": true}}}'),
	('{"source": {"rateLimit": {"requestsPerMinute": 60, "burstLimit": 10}, "retry": {"attempts": 3, "delay": 1000, "backoff": "exponential"}}}'),
	('{"source": {"rateLimit": {"requestsPerSecond": 0.5, "remainingHeader": "x-left", "resetHeader": "x-reset", "resetIs": "delay",
		"ratioHeader": "x-ratio", "retryAfterHeader": "x-wait", "waitPattern": "after ([0-9]+) s", "wait": "30s"}}}'),
	('{"source": {"errorWhen": "{{ response.ok == false }}", "errorMessage": "{{ response.error }}"}}'),
	('{"source": {"errorWhen": [{"when": "{{ response.error == ''busy'' }}", "action": "retry", "message": "busy since {{ run.started_at }}"}]}}'),
	('{"source": {"onStatus": {"404": "empty", "4xx": {"action": "fail", "message": "no"}, "504": "halve_page",
		"429": [{"when": "{{ response.message | contains(''daily'') }}", "action": "fail"}, "retry"]}}}'),
	('{"source": {"retry": {"statuses": []}}}'),
	('{"source": {"pagination": {"type": "none"}}}'),
	('{"source": {"pagination": {"type": "offset", "limit": 1e2, "offsetParam": "skip", "limitParam": "take", "totalPath": "meta.total", "maxPages": 5}}}'),
	('{"source": {"pagination": {"type": "page", "pageSize": 50, "startPage": 0, "pageParam": "p", "sizeParam": "n", "totalPagesPath": "pages"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "next", "cursorParam": "after", "in": "query", "hasMorePath": "more"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorHeader": "X-Next", "cursorParam": "X-Cursor", "in": "header"}}}'),
	('{"source": {"method": "POST", "pagination": {"type": "cursor", "cursorPath": "next", "cursorParam": "page.after", "in": "body"}}}'),
	('{"source": {"pagination": {"type": "keyset", "cursorParam": "after"}}}'),
	('{"source": {"pagination": {"type": "keyset", "field": "meta.id", "cursorParam": "X-After", "in": "header", "hasMorePath": "more", "limit": 10}}}'),
	('{"source": {"pagination": {"type": "keyset", "in": "template", "limit": 50, "ties": "whole"}}}'),
	('{"source": {"pagination": {"type": "page", "totalPath": "total", "restart": {"items": 5, "field": "id", "param": "after", "ties": "fail"}}}}'),
	('{"source": {"method": "POST", "body": {"q": 1}, "pagination": {"type": "offset", "in": "body", "offsetParam": "pagination.offset", "limitParam": "pagination.limit"}}}'),
	('{"source": {"pagination": {"type": "page", "in": "template", "pageSize": 10, "startPage": 0}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "next", "cursorParam": "after", "limit": 10, "limitParam": "size", "stopWhen": "{{ response.isLast }}"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "next", "cursorParam": "after", "restart": {"items": 10000, "field": "properties.id", "param": "id_gt"}}}}'),
	('{"source": {"pagination": {"type": "link", "allowedOrigins": ["https://files.example.com", "HTTPS://[::1]:8443", "http://10.0.0.1:80"]}}}'),
	('{"source": {"pagination": {"type": "link", "dropOtherQuery": true}}}'),
	('{"source": {"parallel": {"enabled": true, "maxConcurrency": 10, "chunkSize": 100}}}'),
	('{"source": {"parallel": {}}}'),
	('{"performance": {"concurrency": 100}}'),
	('{"performance": {"memoryLimit": "8MB"}}'),
	('{"performance": {"concurrency": 100, "memoryLimit": 1073741824}}'),
	('{"source": {"pagination": {"type": "next_url", "nextUrlPath": "links.next"}}}'),
	('{"source": {"incremental": {}}}'),
	('{"source": {"incremental": {"cursorField": "updated_at"}}}'),
	('{"source": {"incremental": {"cursorField": "meta.changes[0].at", "type": "time", "format": "epoch_ms", "initialValue": "2024-01-01", "end": 1735689600, "lookback": "5m", "lag": "1m", "step": 1000, "filter": true, "missing": "skip"}}}'),
	('{"source": {"incremental": {"format": "%d.%m.%Y %H:%M", "timezone": "Europe/Riga", "lookback": 0, "lag": 0, "step": "3650d"}}}'),
	('{"source": {"incremental": {"cursorField": "$", "type": "number", "initialValue": 12345678901234567890123, "end": "1e30", "lookback": 1.5, "filter": false, "missing": "fail"}}}'),
	('{"source": {"incremental": {"cursorField": "key", "type": "text", "initialValue": "", "end": "z", "missing": "include"}}}'),
	('{"source": {"incremental": {"syncToken": {"path": "nextSyncToken", "param": "syncToken", "drop": ["timeMin", "orderBy"], "expiredStatus": 400}, "type": "time", "format": "iso", "initialValue": "2024-01-01", "lookback": "1h"}}}'),
	('{"source": {"incremental": {"syncToken": {"path": "token", "param": "since", "drop": []}}}}'),
	('{"source": {"cache": {}}}'),
	('{"source": {"cache": {"conditional": true}}}'),
	('{"source": {"method": "POST", "cache": {"conditional": false}}}'),
	('{"destination": {"mode": "insert", "batchSize": 1, "onError": "fail", "schemaChanges": "add_columns"}}'),
	('{"destination": {"mode": "upsert", "key": "id"}}'),
	('{"destination": {"key": ["id", "name"]}}');
SELECT n, change, p.* FROM taken, databite.validate_job(pg_temp.job(change)) AS p ORDER BY n;
SELECT count(*) AS taken FROM taken;

-- Other sources.
SELECT * FROM databite.validate_job('{"id": "a",
	"source": {"type": "inline", "items": [{"id": 12345678901234567890123, "name": 1.10}], "batchSize": 10},
	"destination": {"type": "database", "table": "definition_test", "schema": {"id": "numeric", "name": "string"}}}');

-- What is not: each change and what is said of it.
CREATE TEMP TABLE wrong (n serial, change jsonb);

-- the job
INSERT INTO wrong (change) VALUES
	('{"id": ""}'),
	('{"id": "a b"}'),
	('{"id": "käse"}'),
	('{"id": "a123456789012345678901234567890123456789012345678901234567890123"}'),
	('{"id": 5}'),
	('{"id": null}'),
	('{"name": 1}'),
	('{"description": []}'),
	('{"enabled": "yes"}'),
	('{"nam": "x"}'),
	('{"Name": "x"}'),
	('{"error_handling": {}}'),
	('{"destinaton": {}}'),
	('{"tarnsform": {}}'),
	('{"frequency": 5}'),
	('{"a/b~c": 5}'),
	('{"": 5}'),
	('{"source": "https://api.example.com"}'),
	('{"source": []}'),
	('{"destination": "items"}'),
	('{"transform": {}}'),
	('{"transform": []}'),
	('{"transform": {"": 1}}'),
	('{"transform": {"a234567890123456789012345678901234567890123456789012345678901234": 1}}');

-- its schedule
INSERT INTO wrong (change) VALUES
	('{"schedule": "daily"}'),
	('{"schedule": {}}'),
	('{"schedule": {"type": "hourly"}}'),
	('{"schedule": {"type": "cron", "expression": "60 * * * *", "timezone": "Mars/Olympus"}}'),
	('{"schedule": {"type": "cron", "expresion": "* * * * *"}}'),
	('{"schedule": {"type": "interval", "minutes": 0}}'),
	('{"schedule": {"type": "interval", "mins": 5}}');

-- keys of later versions
INSERT INTO wrong (change) VALUES
	('{"steps": []}'),
	('{"trigger": {"type": "event"}}'),
	('{"trigger": {"type": "webhok", "endpoint": "/x"}}'),
	('{"trigger": {"type": "event", "event": "x", "endpoint": "/x"}}'),
	('{"validation": {"required": "id", "name": 5}}'),
	('{"validation": {"required": ["id", "id", 1, ""]}}'),
	('{"performance": {"concurrency": 0, "timeout": "5 minutes", "memoryLimit": "512XB"}}'),
	('{"performance": {"memoryLimit": "8191kB"}}'),
	('{"performance": {"memoryLimit": 512}}'),
	('{"performance": {"concurency": 5}}'),
	('{"logging": {"level": "loud"}}'),
	('{"logging": {"level": "info", "destination": "file"}}'),
	('{"hooks": {"onJobStart": "", "onJobFailed": "f"}}'),
	('{"errorHandling": {"strategy": "fail_slow"}}'),
	('{"errorHandling": {"strategy": "partial_success", "onItemError": "ignore"}}'),
	('{"errorHandling": {"maxRetries": 1000, "retryDelay": "soon", "backoff": "exponental"}}'),
	('{"errorHandling": {"onError": "fail"}}');

-- the source
INSERT INTO wrong (change) VALUES
	('{"source": {"type": "apy"}}'),
	('{"source": {"type": "kafka"}}'),
	('{"source": {"type": 5}}'),
	('{"source": {"type": "sql"}}'),
	('{"source": {"type": "webhook_data"}}'),
	('{"source": {"type": "inline"}}'),
	('{"source": {"url": ""}}'),
	('{"source": {"url": "ftp://example.com"}}'),
	('{"source": {"url": "api.example.com/items"}}'),
	('{"source": {"url": 5}}'),
	('{"source": {"ulr": "x"}}'),
	('{"source": {"uri": "x"}}'),
	('{"source": {"method": "PUT"}}'),
	('{"source": {"method": "FETCH"}}'),
	('{"source": {"method": "PSOT"}}'),
	('{"source": {"headers": []}}'),
	('{"source": {"headers": {"X Y": "1", "": "2", "X:": "3"}}}'),
	('{"source": {"headers": {"X-A": null, "X-B": {}, "X-C": ["a"]}}}'),
	('{"source": {"headers": {"X-A": "a\r\nX-B: b"}}}'),
	('{"source": {"query": "a=b"}}'),
	('{"source": {"query": {"a": null, "b": {"c": 1}, "": 1}}}'),
	('{"source": {"query": {"a": [1, null, [2]]}}}'),
	('{"source": {"body": {"a": 1}}}'),
	('{"source": {"method": "POST", "body": 5}}'),
	('{"source": {"method": "POST", "body": {"form": {"a": {}}}}}'),
	('{"source": {"data_path": "items"}}'),
	('{"source": {"dataPath": 1}}'),
	('{"source": {"dataPath": "a.*b"}}'),
	('{"source": {"format": "csv", "dataPath": "data"}}'),
	('{"source": {"format": "ndjson", "dataPath": "data"}}'),
	('{"source": {"format": "xml"}}'),
	('{"source": {"zip": "first"}}'),
	('{"source": {"zip": []}}'),
	('{"source": {"zip": [1, {"names": "a"}, {"names": "a[*].b[*]", "values": "x.*"}]}}'),
	('{"source": {"format": "csv", "zip": "header"}}'),
	('{"source": {"format": "ndjson", "zip": [{"names": "a", "values": "b"}]}}'),
	('{"source": {"dataPath": "rows.*", "zip": "header"}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "meta.*", "cursorParam": "c"}}}'),
	('{"source": {"items": []}}'),
	('{"source": {"batchSize": 0}}'),
	('{"source": {"batchSize": 100001}}'),
	('{"source": {"batchSize": 10.5}}'),
	('{"source": {"batchSize": "10"}}'),
	('{"source": {"timeout": 0}}'),
	('{"source": {"timeout": "2d"}}'),
	('{"source": {"timeout": "5 parsecs"}}'),
	('{"source": {"timeout": "-5s"}}'),
	('{"source": {"timeout": "5M"}}'),
	('{"source": {"timeout": ""}}'),
	('{"source": {"timeout": "99999999999999999999s"}}'),
	('{"source": {"timeout": true}}'),
	('{"source": {"streaming": false}}'),
	('{"source": {"streaming": "yes"}}'),
	('{"source": {"parallel": {"enabled": "yes", "chunkSize": 0}}}'),
	('{"source": {"parallel": {"enabled": false, "maxConcurrency": 1000}}}');

-- retries
INSERT INTO wrong (change) VALUES
	('{"source": {"retry": 3}}'),
	('{"source": {"retry": {"attempts": 0}}}'),
	('{"source": {"retry": {"attempts": 101}}}'),
	('{"source": {"retry": {"atempts": 3}}}'),
	('{"source": {"retry": {"delay": -1}}}'),
	('{"source": {"retry": {"delay": "10s", "max_delay": "5s"}}}'),
	('{"source": {"retry": {"delay": "10s", "maxDelay": "5s"}}}'),
	('{"source": {"retry": {"backoff": "quadratic"}}}'),
	('{"source": {"retry": {"statuses": [99, 600, "500", 500.5, 404]}}}'),
	('{"source": {"retry": {"statuses": 500}}}');

INSERT INTO wrong (change) VALUES
	('{"source": {"rateLimit": {"requestsPerMinut": 60}}}'),
	('{"source": {"rateLimit": {"requestsPerMinute": 0}}}'),
	('{"source": {"rateLimit": {"requestsPerMinute": 60, "requestsPerSecond": 1}}}'),
	('{"source": {"rateLimit": {"burstLimit": 5, "remainingHeader": "x left", "resetIs": "time"}}}'),
	('{"source": {"rateLimit": {"remainingHeader": "x-left"}}}'),
	('{"source": {"rateLimit": {"waitPattern": "after ([0-9]+"}}}'),
	('{"source": {"rateLimit": {"waitPattern": "after [0-9]+"}}}'),
	('{"source": {"retry": {"budget": 0, "idempotent": "yes"}}}'),
	('{"source": {"onStatus": {"404": [{"when": "{{ item.x }}"}, "retyr", 5], "99": "fail"}}}'),
	('{"source": {"errorWhen": [{"action": "fail"}, "{{ response.x }}"]}}'),
	('{"source": {"errorWhen": "response.ok"}}'),
	('{"source": {"errorWhen": "{{ item.x }}", "errorMessage": "{{ tokens.x }}", "onStatus": {"404": {"when": "{{ respons.x }}", "action": "retry"}}}}'),
	('{"source": {"onStatus": {"4xx": "empty", "404": "explode"}}}'),
	('{"source": {"errorWhen": "{{response.error}}", "errorMessage": 5, "where": "{{item.a}}"}}');

-- who asks
INSERT INTO wrong (change) VALUES
	('{"source": {"auth": {"type": "bearer"}}}'),
	('{"source": {"auth": {"type": "bearer", "token": "{{tokens.x}}", "username": "y"}}}'),
	('{"source": {"auth": {"type": "bearer", "token": "abc {{ payload.tokens.x }}"}}}'),
	('{"source": {"auth": {"type": "oauth3"}}}'),
	('{"source": {"auth": {"type": "basic", "username": "", "password": "{{ item.id }}"}}}'),
	('{"source": {"auth": {"type": "api_key", "in": "body", "name": "x", "value": "{{tokens.y}}"}}}'),
	('{"source": {"auth": {"type": "api_key", "in": "header", "name": "x y", "value": "{{tokens.y}}"}}}'),
	('{"source": {"auth": {"type": "oauth2", "grant": "password", "tokenUrl": "x", "clientId": "y"}}}'),
	('{"source": {"auth": {"type": "oauth2", "grant": "client_credentials", "tokenUrl": "https://a/", "clientId": "y", "refreshToken": "{{tokens.r}}"}}}'),
	('{"source": {"auth": {"type": "oauth2", "grant": "refresh_token", "tokenUrl": "https://a/", "clientId": "y", "refreshToken": "{{tokens.r}}x", "clientSecret": "z"}}}'),
	('{"source": {"auth": {"type": "oauth2", "grant": "refresh_token", "tokenUrl": "https://a/", "clientId": "y", "params": {"api_key": "z"}}}}'),
	('{"source": {"auth": {"type": "login", "in": "cookie", "request": {"url": "https://a/", "body": {"user": "a", "auth": [{"password": "b"}]}}}}}'),
	('{"source": {"auth": {"type": "login", "tokenPath": "a..b", "request": {"headers": {"X-Api-Key": "b"}, "method": "GET", "body": {}}}}}'),
	('{"source": {"auth": {"type": "aws_sigv4", "accessKeyId": "a", "secretAccessKey": "b", "region": "c"}}}'),
	('{"source": {"tls": {"certificate": "x", "ca": "y", "pin": "z"}}}'),
	('{"source": {"tls": {"certificate": "{{tokens.c}}", "key": "-----BEGIN"}}}');

-- incremental
INSERT INTO wrong (change) VALUES
	('{"source": {"incremental": "updated_at"}}'),
	('{"source": {"incremental": {"cursorField": "a b", "lookback": "x", "lag": -1, "step": "999ms"}}}'),
	('{"source": {"incremental": {"cursorField": "changes[*].at"}}}'),
	('{"source": {"incremental": {"cursor_field": "updated_at", "cursorField": 5}}}'),
	('{"source": {"incremental": {"cursorField": "a", "type": "date", "lookback": []}}}'),
	('{"source": {"incremental": {"type": "number"}}}'),
	('{"source": {"incremental": {"type": "text", "filter": false, "missing": "fail"}}}'),
	('{"source": {"incremental": {"cursorField": "a", "type": "number", "lookback": "5m", "lag": 0, "step": "1d", "timezone": "UTC", "format": "iso"}}}'),
	('{"source": {"incremental": {"cursorField": "a", "type": "number", "lookback": -0.5}}}'),
	('{"source": {"incremental": {"cursorField": "a", "type": "text", "lookback": 5}}}'),
	('{"source": {"incremental": {"format": "ISO", "timezone": "", "initialValue": true, "end": null}}}'),
	('{"source": {"incremental": {"format": "%Q", "timezone": "Mars/Olympus"}}}'),
	('{"source": {"incremental": {"cursorField": "a", "initialValue": "soon", "end": 1735689600}}}'),
	('{"source": {"incremental": {"cursorField": "a", "type": "number", "initialValue": "1e", "end": "1e99999"}}}'),
	('{"source": {"incremental": {"format": "%Y-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m-%m"}}}'),
	('{"source": {"incremental": {"cursorField": "a", "filter": "yes", "missing": "drop"}}}'),
	('{"source": {"incremental": {"syncToken": "next"}}}'),
	('{"source": {"incremental": {"syncToken": {}}}}'),
	('{"source": {"incremental": {"syncToken": {"path": "a[*]", "param": "", "drop": ["x", "", "x", 1], "expiredStatus": 99, "in": "query"}}}}'),
	('{"source": {"incremental": {"syncToken": {"path": "a", "param": "b", "drop": "x"}, "cursorField": "c", "type": "number", "filter": true, "missing": "skip", "step": "1d"}}}'),
	('{"source": {"incremental": {"syncToken": {"path": "a", "param": "b"}, "type": "text"}}}'),
	('{"source": {"type": "inline", "items": [], "incremental": {}, "cache": {}}}'),
	('{"source": {"type": "sql", "query": "SELECT 1", "incremental": {"syncToken": {"path": "a", "param": "b"}}}}'),
	('{"source": {"type": "sql", "query": "SELECT 1", "incremental": {"step": "1d"}}}'),
	('{"source": {"cache": true}}'),
	('{"source": {"cache": {"conditional": 1, "ttl": 5}}}'),
	('{"source": {"method": "POST", "cache": {"conditional": true}}}');

-- pagination
INSERT INTO wrong (change) VALUES
	('{"source": {"pagination": "offset"}}'),
	('{"source": {"pagination": {}}}'),
	('{"source": {"pagination": {"limit": 5, "limt": 5}}}'),
	('{"source": {"pagination": {"type": "ofset"}}}'),
	('{"source": {"pagination": {"type": "keyset"}}}'),
	('{"source": {"pagination": {"type": "keyset", "cursorParam": "after", "ties": "some"}}}'),
	('{"source": {"pagination": {"type": "offset", "ties": "whole"}}}'),
	('{"source": {"pagination": {"type": "keyset", "field": "a[", "cursorParam": "after", "cursorPath": "next"}}}'),
	('{"source": {"pagination": {"type": "keyset", "cursorParam": "after", "limitParam": "", "limit": 0, "restart": {"items": 5, "field": "id"}}}}'),
	('{"source": {"pagination": {"type": "offset", "in": "template", "offsetParam": "a", "limitParam": "b"}}}'),
	('{"source": {"pagination": {"type": "page", "in": "header", "pageParam": "a b", "sizeParam": "c:d"}}}'),
	('{"source": {"pagination": {"type": "page", "in": "body"}}}'),
	('{"source": {"method": "POST", "body": "x", "pagination": {"type": "offset", "in": "body", "offsetParam": "a[0]", "limitParam": "$"}}}'),
	('{"source": {"pagination": {"type": "link", "in": "query"}}}'),
	('{"source": {"pagination": {"type": "link", "allowedOrigins": "https://a.example"}}}'),
	('{"source": {"pagination": {"type": "link", "allowedOrigins": ["https://a.example/x", "ftp://a.example", "a.example", "https://u@a.example", "https://a.example:", "https://a.example:65536", "https://[::1", "", 5, "https://b", "https://b"]}}}'),
	('{"source": {"pagination": {"type": "offset", "allowedOrigins": []}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "stopWhen": "true", "restart": {}}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "restart": {"items": 0, "field": 5, "param": "", "parm": "x"}}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "in": "template", "restart": {"items": 10000, "field": "id", "param": "since_id"}}}}'),
	('{"source": {"pagination": {"type": "none", "restart": {"items": 10000, "field": "id"}}}}'),
	('{"source": {"pagination": {"type": "offset", "limit": 0}}}'),
	('{"source": {"pagination": {"type": "offset", "limit": "100"}}}'),
	('{"source": {"pagination": {"type": "offset", "pageSize": 100}}}'),
	('{"source": {"pagination": {"type": "offset", "offsetParam": ""}}}'),
	('{"source": {"pagination": {"type": "offset", "offset_prm": "o"}}}'),
	('{"source": {"pagination": {"type": "page", "startPage": -1, "page_size": 5}}}'),
	('{"source": {"pagination": {"type": "page", "maxPages": 0}}}'),
	('{"source": {"pagination": {"type": "page", "maxPages": 1000001}}}'),
	('{"source": {"pagination": {"type": "cursor"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "cursorHeader": "B", "cursorParam": "c"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorHeader": "a b", "cursorParam": "c d", "in": "header"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "in": "path"}}}'),
	('{"source": {"pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "in": "body"}}}'),
	('{"source": {"method": "POST", "pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c[0]", "in": "body"}}}'),
	('{"source": {"method": "POST", "body": "x", "pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "in": "body"}}}'),
	('{"source": {"method": "POST", "body": [], "pagination": {"type": "cursor", "cursorPath": "a", "cursorParam": "c", "in": "body"}}}'),
	('{"source": {"pagination": {"type": "next_url"}}}'),
	('{"source": {"pagination": {"type": "link", "nextUrlPath": "next"}}}'),
	('{"source": {"pagination": {"type": "link", "dropOtherQuery": "yes"}}}');

-- the destination
INSERT INTO wrong (change) VALUES
	('{"destination": {"type": "file"}}'),
	('{"destination": {"type": true}}'),
	('{"destination": {"table": ""}}'),
	('{"destination": {"table": 5}}'),
	('{"destination": {"tabel": "x"}}'),
	('{"destination": {"schema": {}}}'),
	('{"destination": {"schema": ["id"]}}'),
	('{"destination": {"schema": {"id": 5, "": "text", "b": ""}}}'),
	('{"destination": {"mode": "upsrt"}}'),
	('{"destination": {"mode": "merge"}}'),
	('{"destination": {"mode": "replace"}}'),
	('{"destination": {"mode": "append_history"}}'),
	('{"destination": {"key": ""}}'),
	('{"destination": {"key": []}}'),
	('{"destination": {"key": ["id", 5, "id", ""]}}'),
	('{"destination": {"key": {"id": true}}}'),
	('{"destination": {"batchSize": -1}}'),
	('{"destination": {"onError": "continue"}}'),
	('{"destination": {"deletes": {"mode": "soft", "whn": "{{item.deleted}}"}}}'),
	('{"destination": {"connectionPool": {"min": 1, "max": 0}}}'),
	('{"destination": {"connectionPool": {"min": 3, "max": 2}}}'),
	('{"destination": {"newerBy": "updated_at"}}');

\pset format unaligned
SELECT change, pointer, message, hint
FROM wrong LEFT JOIN LATERAL databite.validate_job(pg_temp.job(change)) WITH ORDINALITY AS p ON true
ORDER BY n, ordinality;

-- Whole documents.
SELECT n, left(job::text, 40) AS job, pointer, message, hint
FROM unnest(ARRAY[
	'{}', '[]', '"x"', '5', 'null',
	'{"id": "a"}',
	'{"id": "a", "source": {}, "destination": {}}',
	'{"id": "a", "source": {"type": "api"}, "destination": {"type": "database"}}',
	'{"id": "a", "steps": [5, {}], "source": {"type": "api", "url": "https://api.example.com"}}',
	'{"id": "a", "steps": {"id": "b"}}',
	'{"id": "a", "steps": [
		{"id": "one", "source": {"type": "api", "url": "https://api.example.com"}, "destination": {"type": "database", "table": "t"}},
		{"id": "t w o", "dependOn": ["one"], "source": {"type": "api", "url": "https://api.example.com", "timeuot": 5}, "destination": {"type": "database", "table": "t"}},
		{"id": "three", "depends_on": ["one"], "dependsOn": "one", "source": {"type": "inline", "items": {}}, "destination": {"type": "database", "table": "t"}, "transform": {}}]}'
	]::jsonb[]) WITH ORDINALITY AS d(job, n)
	LEFT JOIN LATERAL databite.validate_job(job) WITH ORDINALITY AS p ON true
ORDER BY n, p.ordinality;
\pset format aligned

-- The same as an error: the first problem, its SQLSTATE, its place and how many more there are.
CREATE FUNCTION pg_temp.try(change jsonb, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	message := databite.schedule_job(pg_temp.job(change));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
\x
SELECT * FROM pg_temp.try('{"nam": "x"}');
SELECT * FROM pg_temp.try('{"source": {"auth": {"type": "bearer", "token": "x"}}}');
SELECT * FROM pg_temp.try('{"logging": {"level": "loud"}}');
SELECT * FROM pg_temp.try('{"destination": {"mode": "replace", "batchSize": 0}}');
SELECT * FROM pg_temp.try('{"source": {"timeout": 0, "retry": {"attempts": 0}}, "id": ""}');
\x
