# The definitions of the data synchronization guide, verbatim but for the host name, by hand and by the worker.
# integration_sync runs here against the sample API's posts, in 020_jsonplaceholder.pl against the real service.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use HTTP::Tiny;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WebhookTest;

my $api = SampleApi->start;
my $door = PostgreSQL::Test::Cluster::get_free_port();
my $node = databite_node('main', conf => "databite.webhook_listen = '127.0.0.1:$door'\n");
$node->safe_psql('postgres', q(CREATE EXTENSION databite; SELECT databite.set_token('access_token', 'test-token')));

my %definition = (
	user_sync => <<'JSON',
{
  "id": "user_sync",
  "name": "User Data Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/users",
    "headers": {
      "Authorization": "Bearer {{tokens.access_token}}"
    }
  },
  "destination": {
    "type": "database",
    "table": "users",
    "schema": {
      "id": "string",
      "name": "string",
      "email": "string",
      "created_at": "datetime"
    }
  },
  "transform": {
    "id": "{{item.id}}",
    "name": "{{item.name}}",
    "email": "{{item.email}}",
    "created_at": "{{item.created_at}}"
  }
}
JSON
	customer_orders_sync => <<'JSON',
{
  "id": "customer_orders_sync",
  "name": "Customer and Orders Sync",
  "steps": [
    {
      "id": "sync_customers",
      "source": {
        "type": "api",
        "url": "https://api.service.com/customers"
      },
      "destination": {
        "type": "database",
        "table": "customers"
      },
      "transform": {
        "id": "{{item.id}}",
        "name": "{{item.name}}",
        "email": "{{item.email}}"
      }
    },
    {
      "id": "sync_orders",
      "dependsOn": ["sync_customers"],
      "source": {
        "type": "api",
        "url": "https://api.service.com/orders",
        "query": {
          "customer_id": "{{customers.id}}"
        }
      },
      "destination": {
        "type": "database",
        "table": "orders"
      },
      "transform": {
        "id": "{{item.id}}",
        "customer_id": "{{item.customer_id}}",
        "total": "{{item.total}}"
      }
    }
  ]
}
JSON
	rate_limited_sync => <<'JSON',
{
  "id": "rate_limited_sync",
  "name": "Rate Limited Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data",
    "rateLimit": {
      "requestsPerMinute": 60,
      "burstLimit": 10
    },
    "retry": {
      "attempts": 3,
      "delay": 1000,
      "backoff": "exponential"
    }
  }
}
JSON
	resource_aware_sync => <<'JSON',
{
  "id": "resource_aware_sync",
  "name": "Resource Aware Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data",
    "rateLimit": {
      "requestsPerMinute": 100,
      "burstLimit": 20
    }
  },
  "destination": {
    "type": "database",
    "table": "data",
    "connectionPool": {
      "min": 2,
      "max": 10,
      "idleTimeout": 30000
    }
  }
}
JSON
	parallel_sync => <<'JSON',
{
  "id": "parallel_sync",
  "name": "Parallel Data Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data",
    "parallel": {
      "enabled": true,
      "maxConcurrency": 10,
      "chunkSize": 100
    }
  },
  "destination": {
    "type": "database",
    "table": "data",
    "mode": "parallel_insert"
  }
}
JSON
	partial_success_sync => <<'JSON',
{
  "id": "partial_success_sync",
  "name": "Partial Success Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/batch_data",
    "batchSize": 100
  },
  "destination": {
    "type": "database",
    "table": "batch_data",
    "mode": "batch_insert"
  },
  "errorHandling": {
    "strategy": "partial_success",
    "onItemError": "log_and_continue",
    "onBatchError": "retry_batch"
  }
}
JSON
	batch_sync => <<'JSON',
{
  "id": "batch_sync",
  "name": "Batch Data Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data",
    "batchSize": 1000,
    "pagination": {
      "type": "offset",
      "limit": 1000
    }
  },
  "destination": {
    "type": "database",
    "table": "data",
    "mode": "batch_insert",
    "batchSize": 1000
  },
  "performance": {
    "concurrency": 5,
    "timeout": 300000,
    "memoryLimit": "512MB"
  }
}
JSON
	memory_efficient_sync => <<'JSON',
{
  "id": "memory_efficient_sync",
  "name": "Memory Efficient Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/large-dataset",
    "streaming": true,
    "batchSize": 1000
  },
  "destination": {
    "type": "database",
    "table": "large_dataset",
    "mode": "streaming_insert"
  }
}
JSON
	incremental_orders => <<'JSON',
{
  "id": "incremental_orders",
  "name": "Incremental Orders Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/orders",
    "query": {
      "updated_since": "{{last_sync_time}}",
      "limit": 1000
    },
    "headers": {
      "Authorization": "Bearer {{tokens.access_token}}"
    }
  },
  "destination": {
    "type": "database",
    "table": "orders",
    "mode": "upsert",
    "key": "id"
  },
  "transform": {
    "id": "{{item.id}}",
    "customer_id": "{{item.customer_id}}",
    "total": "{{item.total}}",
    "status": "{{item.status}}",
    "updated_at": "{{item.updated_at}}"
  },
  "schedule": {
    "type": "interval",
    "minutes": 15
  }
}
JSON
	product_catalog_sync => <<'JSON',
{
  "id": "product_catalog_sync",
  "name": "Product Catalog Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/products"
  },
  "destination": {
    "type": "database",
    "table": "products"
  },
  "transform": {
    "id": "{{item.id}}",
    "name": "{{item.name}}",
    "description": "{{item.description}}",
    "price": "{{item.pricing.amount}}",
    "currency": "{{item.pricing.currency}}",
    "category": "{{item.category.name}}",
    "tags": "{{item.tags | join(\",\")}}",
    "in_stock": "{{item.inventory.quantity > 0}}",
    "created_at": "{{item.created_at | to_datetime}}",
    "updated_at": "{{item.updated_at | to_datetime}}"
  }
}
JSON
	validated_sync => <<'JSON',
{
  "id": "validated_sync",
  "name": "Validated Data Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data"
  },
  "destination": {
    "type": "database",
    "table": "data"
  },
  "validation": {
    "required": ["id", "name", "email"],
    "email": "{{item.email}}",
    "phone": "{{item.phone}}"
  },
  "transform": {
    "id": "{{item.id}}",
    "name": "{{item.name}}",
    "email": "{{item.email | validate_email}}",
    "phone": "{{item.phone | validate_phone}}"
  }
}
JSON
	products_with_discounts => <<'JSON',
{
  "id": "products_with_discounts",
  "name": "Products with Discount Calculation",
  "source": {
    "type": "api",
    "url": "https://api.service.com/products"
  },
  "destination": {
    "type": "database",
    "table": "products"
  },
  "transform": {
    "id": "{{item.id}}",
    "name": "{{item.name}}",
    "original_price": "{{item.original_price}}",
    "sale_price": "{{item.sale_price}}",
    "discount_percentage": "{{item | calculate_discount}}",
    "is_valid_email": "{{item.contact_email | validate_email}}"
  }
}
JSON
	webhook_sync => <<'JSON',
{
  "id": "webhook_sync",
  "name": "Webhook-based Real-time Sync",
  "trigger": {
    "type": "webhook",
    "endpoint": "/webhook/sync",
    "secret": "{{secrets.WEBHOOK_SECRET}}"
  },
  "source": {
    "type": "webhook_data",
    "payload": "{{webhook.payload}}"
  },
  "destination": {
    "type": "database",
    "table": "real_time_data"
  },
  "transform": {
    "id": "{{payload.id}}",
    "event_type": "{{payload.event_type}}",
    "data": "{{payload.data}}",
    "timestamp": "{{payload.timestamp}}"
  }
}
JSON
	event_driven_sync => <<'JSON',
{
  "id": "event_driven_sync",
  "name": "Event-driven Sync",
  "trigger": {
    "type": "event",
    "event": "data_updated",
    "source": "external_system"
  },
  "source": {
    "type": "api",
    "url": "https://api.service.com/updated_data",
    "query": {
      "since": "{{event.timestamp}}"
    }
  },
  "destination": {
    "type": "database",
    "table": "updated_data"
  }
}
JSON
	integration_sync => <<'JSON');
{
  "id": "integration_sync",
  "name": "Integration Sync",
  "source": {
    "type": "api",
    "url": "https://jsonplaceholder.typicode.com/posts"
  },
  "destination": {
    "type": "database",
    "table": "posts"
  },
  "transform": {
    "id": "{{item.id}}",
    "title": "{{item.title}}",
    "body": "{{item.body}}",
    "user_id": "{{item.userId}}"
  }
}
JSON

sub sql { return $node->safe_psql('postgres', shift); }

sub schedule
{
	my ($id) = @_;
	my $base = $api->url('');
	(my $json = $definition{$id}) =~ s{https://[a-z.]+}{$base}g;
	return is(sql("SELECT databite.schedule_job(\$json\$$json\$json\$)"), $id, "$id is scheduled");
}

# The items of a path as a relation "api" with a column "item".
sub api_items
{
	my ($path) = @_;
	my $json = $api->{http}->get($api->url($path))->{content};
	sql('CREATE TABLE IF NOT EXISTS api (path text PRIMARY KEY, items jsonb)');
	sql("INSERT INTO api VALUES ('$path', \$json\$$json\$json\$) ON CONFLICT (path) DO UPDATE SET items = excluded.items");
	return "(SELECT item FROM api, jsonb_array_elements(items) AS i(item) WHERE path = '$path') AS a";
}

sub counts
{
	my ($run) = @_;
	return "$run->{status}: " . join ' ', map { $run->{"records_$_"} } qw(processed inserted updated unchanged);
}

sub columns
{
	my ($table) = @_;
	return sql(qq(SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_name COLLATE "C")
		FROM information_schema.columns WHERE table_name = '$table'));
}

# Runs a job by hand, again, and by the worker.
sub runs_three_ways
{
	my ($id, $rows) = @_;
	my $run = execute_job($node, 'postgres', $id);
	is(counts($run), "completed: $rows $rows 0 0", "$id: the first run inserts") or diag(explain($run));
	is($run->{success}, 1, "$id: success");
	$run = execute_job($node, 'postgres', $id);
	is(counts($run), "completed: $rows 0 0 $rows", "$id: the second finds all unchanged");
	$run = enqueue_and_wait($node, 'postgres', $id);
	is(counts($run), "completed: $rows 0 0 $rows", "$id: and so does the worker");
	return;
}

subtest 'user_sync' => sub
{
	schedule('user_sync');
	runs_three_ways('user_sync', 100);
	my $request = $api->requests('/users')->[0];
	is($request->{headers}{authorization}, 'Bearer test-token', 'the token went with the request');
	is(columns('users'), 'created_at timestamp with time zone, email text, id text, name text', 'the columns of "schema"');
	is( sql('SELECT count(*) FROM users JOIN ' . api_items('/users') . q( ON id = item ->> 'id' AND name = item ->> 'name'
			AND email = item ->> 'email' AND created_at = (item ->> 'created_at')::timestamptz)),
		'100', 'the values');
	sql('DROP TABLE users');
	is(counts(enqueue_and_wait($node, 'postgres', 'user_sync')), 'completed: 100 100 0 0', 'the worker makes the table anew');
};

# One request for each customer; the definition has no pages, so each is answered whole.
subtest 'customer_orders_sync' => sub
{
	schedule('customer_orders_sync');
	runs_three_ways('customer_orders_sync', 1050);
	my %asked;
	$asked{ $_->{query}{customer_id} }++ for grep { defined $_->{query}{customer_id} } @{ $api->requests('/orders') };
	is(scalar(keys %asked), 50, 'each customer was asked for');
	is_deeply([ grep { $_ != 3 } values %asked ], [], 'once in each run');
	is( sql('SELECT count(*) FROM orders JOIN ' . api_items('/orders') . q( ON id = (item ->> 'id')::int
			AND customer_id = (item ->> 'customer_id')::int AND total::text = item ->> 'total')),
		'1000', 'the values');
	is(sql('SELECT count(*) FROM databite.parent_row'), '0', 'what the requests were made of is gone');
	sql('DROP TABLE orders');
};

# The document gives it no destination: its table has its name.
subtest 'rate_limited_sync' => sub
{
	schedule('rate_limited_sync');
	runs_three_ways('rate_limited_sync', 1000);
	is(sql('SELECT count(*), min(id), max(id) FROM rate_limited_sync'), '1000|1|1000', 'a table of its own name');
};

subtest 'resource_aware_sync' => sub
{
	schedule('resource_aware_sync');
	runs_three_ways('resource_aware_sync', 1000);
	like(sql(q(SELECT notices::text FROM databite.runs WHERE job_id = 'resource_aware_sync' LIMIT 1)),
		qr/connectionPool is not used/, 'history says that a pool has no use here');
	sql('DROP TABLE data');
};

subtest 'parallel_sync' => sub
{
	schedule('parallel_sync');
	runs_three_ways('parallel_sync', 1000);
	is(sql('SELECT count(*), min(id), max(id) FROM data'), '1000|1|1000', 'the rows');
	sql('DROP TABLE data');
};

for ([ 'partial_success_sync', 'batch_data' ], [ 'batch_sync', 'data' ], [ 'memory_efficient_sync', 'large_dataset' ])
{
	my ($id, $table) = @$_;
	subtest $id => sub
	{
		schedule($id);
		runs_three_ways($id, 1000);
		is(sql("SELECT count(*), min(id), max(id) FROM $table"), '1000|1|1000', 'the rows');
		sql("DROP TABLE $table");
	};
}

subtest 'integration_sync' => sub
{
	schedule('integration_sync');
	runs_three_ways('integration_sync', 100);
	is(columns('posts'), 'body text, id bigint, title text, user_id bigint', 'columns by what the items hold');
	is( sql('SELECT count(*) FROM posts JOIN ' . api_items('/posts') . q( ON id = (item ->> 'id')::int AND title = item ->> 'title'
			AND body = item ->> 'body' AND user_id = (item ->> 'userId')::int)),
		'100', 'the values, line breaks too');
};

subtest 'product_catalog_sync' => sub
{
	schedule('product_catalog_sync');
	runs_three_ways('product_catalog_sync', 200);
	is( columns('products'),
		'category text, created_at timestamp with time zone, currency text, description text, id bigint, in_stock boolean, '
		  . 'name text, price numeric, tags text, updated_at timestamp with time zone',
		'columns by expressions and by what the items hold');
	my $values = q( ON id = (item ->> 'id')::int AND name = item ->> 'name' AND description = item ->> 'description'
		AND price::text = item #>> '{pricing,amount}' AND currency = item #>> '{pricing,currency}'
		AND category = item #>> '{category,name}'
		AND tags = (SELECT string_agg(tag, ',' ORDER BY n) FROM jsonb_array_elements_text(item -> 'tags') WITH ORDINALITY AS t(tag, n))
		AND in_stock = ((item #>> '{inventory,quantity}')::int > 0)
		AND created_at = (item ->> 'created_at')::timestamptz AND updated_at = (item ->> 'updated_at')::timestamptz);
	is(sql('SELECT count(*) FROM products JOIN ' . api_items('/products') . $values), '200', 'the values');
	is(sql('SELECT count(DISTINCT in_stock) FROM products'), '2', 'some are in stock and some are not');

	$api->control({ version => 2, edit => { products => { 3 => { pricing => { amount => 0.1, currency => 'CHF' } } } } });
	is(counts(execute_job($node, 'postgres', 'product_catalog_sync')), 'completed: 200 0 21 179', 'what changed is updated');
	is(sql('SELECT count(*) FROM products JOIN ' . api_items('/products') . $values), '200', 'the new values');
	is(sql('SELECT price, currency FROM products WHERE id = 3'), '0.1|CHF', 'exactly');
	$api->control({ reset => 1 });
};

subtest 'validated_sync' => sub
{
	$api->control({
		size => { data => 7 },
		edit => { data => {
			2 => { name => undef }, 3 => { email => 'nobody' }, 4 => { phone => '12' }, 5 => { phone => undef },
			6 => { name => "a\0b" } } },
	});
	schedule('validated_sync');
	my $wrong = "2|required|name\n3|validate_email|email\n4|validate_phone|phone\n||";
	my $of_run = q(SELECT item ->> 'id', "constraint", "column" FROM databite.rejected_items WHERE run_id = %d ORDER BY id);

	my $run = execute_job($node, 'postgres', 'validated_sync');
	is(counts($run) . " $run->{records_rejected}", 'completed: 7 3 0 0 4', 'the good ones are written, the others rejected')
	  or diag(explain($run));
	is(sql('SELECT string_agg(id::text, \' \' ORDER BY id) FROM data'), '1 5 7', 'a phone may be missing');
	is(sql(sprintf $of_run, $run->{run_id}), $wrong, 'each with its rule; the last one PostgreSQL cannot hold');
	$run = enqueue_and_wait($node, 'postgres', 'validated_sync');
	is(counts($run) . " $run->{records_rejected}", 'completed: 7 0 0 3 4', 'and so does the worker');
	is(sql(sprintf $of_run, $run->{run_id}), $wrong, 'the same ones');

	$api->control({ edit => { data => { map { $_ => { email => 'nobody' } } 1 .. 7 } } });
	my $before = sql(q(SELECT last_sync_time FROM databite.cursors WHERE job_id = 'validated_sync'));
	$run = enqueue_and_wait($node, 'postgres', 'validated_sync');
	is(counts($run) . " $run->{records_rejected}", 'failed: 7 0 0 0 7', 'a run in which all are rejected fails');
	is(sql("SELECT error ->> 'message' FROM databite.runs WHERE run_id = $run->{run_id}"), 'every item was rejected', 'and says so');
	is(sql("SELECT count(*) FROM databite.rejected_items WHERE run_id = $run->{run_id}"), '7', 'with its items');
	is(sql(q(SELECT last_sync_time FROM databite.cursors WHERE job_id = 'validated_sync')), $before, 'and the next one asks for them again');
	$api->control({ reset => 1 });
};

# With functions of the user's, which the document does not show.
subtest 'products_with_discounts' => sub
{
	sql('DROP TABLE IF EXISTS products');
	sql(q{
		CREATE FUNCTION public.calculate_discount(item jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS
		$$ SELECT round(100 * (1 - (item ->> 'sale_price')::numeric / nullif((item ->> 'original_price')::numeric, 0)), 2) $$;
		CREATE FUNCTION public.validate_email(address text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
		$$ SELECT address ~ '^[^@[:space:]]+@[^@[:space:]]+[.][a-z]+$' $$;
		SELECT databite.create_transform('calculate_discount', 'public.calculate_discount(jsonb)');
		SELECT databite.create_transform('validate_email', 'public.validate_email(text)')});
	schedule('products_with_discounts');
	runs_three_ways('products_with_discounts', 200);
	is( columns('products'),
		'discount_percentage numeric, id bigint, is_valid_email boolean, name text, original_price numeric, sale_price numeric',
		'columns by the results of the functions');
	my $values = q( ON id = (item ->> 'id')::int AND name = item ->> 'name'
		AND original_price IS NOT DISTINCT FROM (item ->> 'original_price')::numeric
		AND sale_price IS NOT DISTINCT FROM (item ->> 'sale_price')::numeric
		AND discount_percentage IS NOT DISTINCT FROM public.calculate_discount(item)
		AND is_valid_email IS NOT DISTINCT FROM public.validate_email(item ->> 'contact_email'));
	is(sql('SELECT count(*) FROM products JOIN ' . api_items('/products') . $values), '200', 'the values');
	cmp_ok(sql('SELECT count(DISTINCT discount_percentage) FROM products'), '>', 1, 'there are discounts');
	is(sql(q(SELECT string_agg(DISTINCT is_valid_email::text, ' ') FROM products)), 'false true', 'and addresses of both kinds');

	# The functions are what their owner makes of them.
	sql(q{
		CREATE OR REPLACE FUNCTION public.calculate_discount(item jsonb) RETURNS numeric LANGUAGE plpgsql AS
		$$ BEGIN RETURN coalesce((item ->> 'original_price')::numeric - (item ->> 'sale_price')::numeric, -1); END $$});
	is(counts(enqueue_and_wait($node, 'postgres', 'products_with_discounts')), 'completed: 200 0 200 0', 'replaced by one in PL/pgSQL');
	is(sql('SELECT count(*) FROM products JOIN ' . api_items('/products') . $values), '200', 'the new values');

	sql('DROP FUNCTION public.calculate_discount(jsonb)');
	my $run = enqueue_and_wait($node, 'postgres', 'products_with_discounts');
	is($run->{status}, 'failed', 'dropped: the run fails');
	like($run->{error}{message}, qr/transform "calculate_discount" names function public\.calculate_discount\(jsonb\), which does not exist/,
		'and history says why');

	# Another user has no such transform, and no right to the function until it is granted.
	sql(q{
		CREATE FUNCTION public.calculate_discount(item jsonb) RETURNS numeric LANGUAGE sql AS 'SELECT 0.0';
		REVOKE EXECUTE ON FUNCTION public.calculate_discount(jsonb) FROM PUBLIC;
		CREATE ROLE merchant LOGIN;
		ALTER ROLE merchant SET search_path = merchant;
		CREATE SCHEMA merchant AUTHORIZATION merchant;
		GRANT USAGE ON SCHEMA databite TO merchant;
		GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO merchant});
	my $base = $api->url('');
	(my $json = $definition{products_with_discounts}) =~ s{https://[a-z.]+}{$base};
	$json =~ s/"products_with_discounts"/"merchants"/;
	my $merchant = sub
	{
		my (undef, $out, $err) = $node->psql('postgres', shift, extra_params => [ '-U', 'merchant' ]);
		return $out . $err;
	};
	my $schedule = "SELECT databite.schedule_job(\$json\$$json\$json\$)";
	my $name = q(SELECT databite.create_transform('calculate_discount', 'public.calculate_discount(jsonb)'));
	like($merchant->($schedule), qr/unknown filter/, 'a transform of somebody else is not seen');
	is($merchant->('SELECT count(*) FROM databite.transforms'), '0', 'nor listed');
	like($merchant->($name), qr/permission denied for function public\.calculate_discount\(jsonb\)/, 'the function cannot be named');
	sql('GRANT EXECUTE ON FUNCTION public.calculate_discount(jsonb) TO merchant');
	$merchant->($name);
	$merchant->(q(SELECT databite.create_transform('validate_email', 'public.validate_email(text)')));
	like($merchant->($schedule), qr/^merchants/, 'with EXECUTE it can');
	$run = enqueue_and_wait($node, 'postgres', 'merchants');
	is($run->{status}, 'completed', 'and the worker runs the job') or diag(explain($run));
	sql('REVOKE EXECUTE ON FUNCTION public.calculate_discount(jsonb) FROM merchant');
	$run = enqueue_and_wait($node, 'postgres', 'merchants');
	like($run->{error}{message}, qr/permission denied for function public\.calculate_discount/, 'until it is revoked');

	# What a dump carries is the names.
	my ($dump) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
	like($dump, qr/^merchant\tcalculate_discount\tpublic\tcalculate_discount\tpublic\.calculate_discount\(jsonb\)$/m, 'a dump has the transforms');
};

subtest 'incremental_orders' => sub
{
	schedule('incremental_orders');
	like(sql(q(SELECT next_run_at - now() FROM databite.jobs WHERE job_id = 'incremental_orders')), qr/^00:1[45]:/, 'in 15 minutes');
	my $first = execute_job($node, 'postgres', 'incremental_orders');
	is(counts($first), 'completed: 1000 1000 0 0', 'the first run takes everything') or diag(explain($first));
	is($api->requests('/orders')->[0]{query}{updated_since}, '1970-01-01T00:00:00Z', 'since the beginning');
	is($api->requests('/orders')->[0]{query}{limit}, '1000', 'with the limit');
	is( sql('SELECT count(*) FROM orders JOIN ' . api_items('/orders') . q( ON id = (item ->> 'id')::int
			AND customer_id = (item ->> 'customer_id')::int AND total::text = item ->> 'total'
			AND status = item ->> 'status' AND updated_at = (item ->> 'updated_at')::timestamptz)),
		'1000', 'the values');
	$api->clear_requests;

	# Records that have changed since: in the data's own time that is far in the future.
	$api->control({ edit => { orders => { 7 => { status => 'changed', updated_at => '2999-01-01T00:00:00Z' } } } });
	sleep 2;		# so that the two runs can be told apart
	my $second = execute_job($node, 'postgres', 'incremental_orders');
	is(counts($second), 'completed: 1 0 1 0', 'the second run takes what has changed');
	my $since = $api->requests('/orders')->[0]{query}{updated_since};
	is(sql("SELECT started_at - '$since' BETWEEN '0' AND '2 s' FROM databite.runs WHERE run_id = $first->{run_id}"),
		't', 'since the start of the first run') or diag($since);
	like($since, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'as ISO 8601 in UTC, in whole seconds');
	is(sql('SELECT status FROM orders WHERE id = 7'), 'changed', 'the row follows');
	$api->clear_requests;

	my $third = enqueue_and_wait($node, 'postgres', 'incremental_orders');
	is(counts($third), 'completed: 1 0 0 1', 'the worker goes on from there');
	$since = $api->requests('/orders')->[0]{query}{updated_since};
	is(sql("SELECT started_at - '$since' BETWEEN '0' AND '2 s' FROM databite.runs WHERE run_id = $second->{run_id}"),
		't', 'since the start of the second run');
	$api->clear_requests;

	# A run that fails moves nothing.
	sql('ALTER TABLE orders ADD CONSTRAINT never CHECK (id <> 7) NOT VALID');
	is(execute_job($node, 'postgres', 'incremental_orders')->{status}, 'completed', 'nothing changes, so nothing is checked');
	$api->control({ edit => { orders => { 7 => { status => 'again' } } } });
	is(execute_job($node, 'postgres', 'incremental_orders')->{status}, 'failed', 'a run fails');
	sql('ALTER TABLE orders DROP CONSTRAINT never');
	$api->clear_requests;
	my $last = sql(q(SELECT last_sync_time FROM databite.get_job_status('incremental_orders')));
	is(counts(execute_job($node, 'postgres', 'incremental_orders')), 'completed: 1 0 1 0', 'the next one makes up for it');
	$since = $api->requests('/orders')->[0]{query}{updated_since};
	is(sql("SELECT '$since'::timestamptz = date_trunc('second', '$last'::timestamptz)"), 't', 'since the last that succeeded');

	sql(q(SELECT databite.reset_job('incremental_orders')));
	$api->clear_requests;
	is(counts(execute_job($node, 'postgres', 'incremental_orders')), 'completed: 1000 0 0 1000', 'after reset_job everything again');
};

# Both doors, signed by a header that any sender might use.
subtest 'webhook_sync' => sub
{
	sql(q(SELECT databite.set_token('WEBHOOK_SECRET', 'whatever')));
	schedule('webhook_sync');
	wait_until_listening($door);
	my $http = HTTP::Tiny->new(timeout => 60);
	my $send = sub
	{
		my ($body, $secret) = @_;
		my $headers = { 'X-Signature' => hmac_sha256_hex($body, $secret), 'Content-Type' => 'application/json' };
		return $http->post("http://127.0.0.1:$door/webhook/sync", { headers => $headers, content => $body })->{status};
	};
	my $hand_in = sub
	{
		my ($body, $secret) = @_;
		my $signature = hmac_sha256_hex($body, $secret);
		return sql("SELECT databite.receive_webhook('/webhook/sync', '{\"X-Signature\": \"$signature\"}', convert_to('$body', 'UTF8')) ->> 'status'");
	};

	is($send->('{"id": 1, "event_type": "created", "data": {"total": 1.10}, "timestamp": "2024-05-01T10:00:00Z"}', 'whatever'),
		'200', 'by HTTP');
	wait_for_sql($node, 'postgres', q(SELECT to_regclass('real_time_data') IS NOT NULL));
	is($hand_in->('{"id": 2, "event_type": "created", "data": [1, {"a": null}], "timestamp": "2024-05-01T10:00:01Z"}', 'whatever'),
		'200', 'by the function');
	is($send->('{"id": 1, "event_type": "paid", "data": {"total": 1.10}, "timestamp": "2024-05-01T10:00:02Z"}', 'whatever'),
		'200', 'a later one of the same id');
	is($send->('{"id": 3}', 'another') . $hand_in->('{"id": 3}', 'another'), '401401', 'others are refused');
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 2 AND count(*) FILTER (WHERE event_type = 'paid') = 1 FROM real_time_data));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM databite.delivery));
	is(columns('real_time_data'), 'data jsonb, event_type text, id bigint, timestamp timestamp with time zone', 'columns by what has come');
	is( sql(q(SELECT id, event_type, data, extract(epoch FROM timestamp)::bigint FROM real_time_data ORDER BY id)),
		"1|paid|{\"total\": 1.10}|1714557602\n2|created|[1, {\"a\": null}]|1714557601", 'the rows');
	is(sql(q(SELECT bool_and(status = 'completed') FROM databite.runs WHERE job_id = 'webhook_sync')), 't', 'runs that say so');
};

# What has changed since the event; a run for each one of the system that the job is about.
subtest 'event_driven_sync' => sub
{
	$api->control({ edit => { data => { 7 => { name => 'seven', updated_at => '2999-01-01T00:00:00Z' } } } });
	schedule('event_driven_sync');
	$api->clear_requests;
	sql(q(SELECT databite.emit_event('data_updated'), databite.emit_event('data_updated', 'elsewhere')));
	my $event = sql(q(SELECT databite.emit_event('data_updated', 'external_system', '{"by": "test"}')));
	wait_for_runs($node, 'postgres', 'event_driven_sync', 1);
	is(sql('SELECT id, name FROM updated_data'), '7|seven', 'what has changed since is there');
	is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'event_driven_sync')), '1', 'other events are not its own');
	my $requests = $api->requests('/updated_data');
	is(scalar @$requests, 1, 'one request');
	is(sql("SELECT emitted_at = '$requests->[0]{query}{since}'::timestamptz FROM databite.event WHERE event_id = $event"), 't', 'since the event')
	  or diag($requests->[0]{query}{since});

	$api->control({ edit => { data => { 8 => { name => 'eight', updated_at => '2999-01-02T00:00:00Z' } } } });
	sql(q(BEGIN; SELECT databite.emit_event('data_updated', 'external_system'); ROLLBACK;
		SELECT databite.emit_event('data_updated', 'external_system')));
	wait_for_runs($node, 'postgres', 'event_driven_sync', 2);
	is(sql('SELECT id, name FROM updated_data ORDER BY id'), "7|seven\n8|eight", 'the next event brings the next');
	is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'event_driven_sync')), '2', 'an event that was rolled back never was');
	$api->control({ reset => 1 });
};

$node->stop;
$api->stop;
done_testing();
