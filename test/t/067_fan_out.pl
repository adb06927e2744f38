# Requests that are made of the rows of another step: where the rows come from (a query, a list, an API, with and without a
# table), several in one request, three levels, pages of each, what fails, and kill -9 in the middle.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');

# A step over the API.
sub step
{
	my ($id, $parent, $source, $table, $transform, %more) = @_;
	return {
		id => $id,
		($parent ? (dependsOn => [$parent]) : ()),
		source => { type => 'api', %$source },
		($table ? (destination => { type => 'database', ref $table ? %$table : (table => $table) }) : ()),
		($transform ? (transform => $transform) : ()),
		%more
	};
}

sub job
{
	my ($id, @steps) = @_;
	my %more = ref $steps[-1] eq 'ARRAY' ? @{ pop @steps } : ();
	return { id => $id, steps => \@steps, %more };
}

# Schedules the job and has the worker run it.
sub run
{
	my ($job) = @_;
	$api->clear_requests;
	schedule_job($node, 'postgres', $job);
	return enqueue_and_wait($node, 'postgres', $job->{id});
}

sub completes
{
	my ($name, $job) = @_;
	my $run = run($job);
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run));
	return $run;
}

sub table
{
	my ($name, $columns) = @_;
	sql("CREATE TABLE $name ($columns)");
	return $name;
}

sub targets
{
	my ($path) = @_;
	return join(' ', sort map { $_->{target} } @{ $api->requests($path) });
}

# Those of a step that only delivers what an API, a query or a list gives, and what they fetch.
my $of_customer = { id => '{{item.id}}', customer_id => '{{item.customer_id}}' };

subtest 'the columns of a new table' => sub
{
	completes('new_table', job('new_table',
			{ id => 'regions', source => { type => 'inline', items => [ { code => 'eu', n => 1, at => '2024-05-01T10:00:00Z', more => { a => 1 } } ] } },
			step('customers', 'regions', { url => $api->url('/customers?page={{regions.n}}&per_page=2') }, 'new_table',
				{ id => '{{item.id}}', code => '{{regions.code}}', n => '{{regions.n}}', at => '{{regions.at}}', more => '{{regions.more}}', a => '{{regions.more.a}}',
					text => 'n {{regions.n}}' })));
	is(sql(q(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) FROM pg_attribute
			WHERE attrelid = 'new_table'::regclass AND attnum > 0)),
		'a bigint, at timestamp with time zone, code text, id bigint, more jsonb, n bigint, text text', 'new_table: types are those of the values');
	is(sql(q(SELECT count(*) FROM new_table WHERE (code, n, a, text) = ('eu', 1, 1, 'n 1'))), '2', 'new_table: the rows');
};

subtest 'customers of a query' => sub
{
	sql('CREATE TABLE customer (id int, active boolean); INSERT INTO customer SELECT i, i % 10 = 0 FROM generate_series(1, 50) AS i;
		INSERT INTO customer VALUES (10, true), (NULL, true)');
	my $job = job('query',
		step('active', undef, { type => 'sql', query => 'select id from customer where active' }),
		step('orders', 'active', { url => $api->url('/customers/{{active.id}}/orders') }, table('query_orders', 'id int, customer_id int, of int'), { %$of_customer, of => '{{active.id}}' }));
	my $run = completes('query', $job);
	is(targets(), join(' ', map { "/customers/$_/orders" } 10, 20, 30, 40, 50), 'query: one request for each');
	is("$run->{records_processed}|$run->{records_inserted}|$run->{records_unchanged}|$run->{pages}", '107|100|7|6',
		'query: what was delivered counts as processed and unchanged');
	like(join(' ', @{ $run->{notices} }), qr/no request was made of 1 row of step "active"/, 'query: history tells of the one without a value');
	is(sql('SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE customer_id = of) FROM query_orders'), '100|100|100', 'query: the rows');
	is(sql(q(SELECT count(*) FROM databite.parent_row WHERE job_id = 'query')), '0', 'query: what was delivered is gone');

	my $result = row_of($node, 'postgres', "SELECT * FROM databite.execute_job('query', dry_run => true)");
	is("$result->{status}|$result->{records_processed}|$result->{records_unchanged}", 'completed|107|7', 'query: a dry run');
	is(sql(q(SELECT count(*) FILTER (WHERE step_id = 'active'), count(*) FILTER (WHERE step_id = 'orders'),
			string_agg(DISTINCT target_row::text, ' ') FILTER (WHERE step_id = 'active') FROM databite.preview_job('query', 2))),
		'2|2|{"id": 10} {"id": 20}', 'query: a preview shows both steps');
	is(sql(q(SELECT target_row FROM databite.preview_job('query', 1) WHERE step_id = 'orders')), '{"id": 10, "of": 10, "customer_id": 10}',
		'query: with the row that the request is made of');

	for my $way ("SELECT databite.execute_job('query')", "CALL databite.run_job('query')")
	{
		sql("TRUNCATE query_orders; $way");
		is(sql('SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE customer_id = of) FROM query_orders'), '100|100|100', "query: $way");
	}

	sql('UPDATE customer SET active = false');
	$run = completes('nobody', $job);
	is(targets() . "|$run->{records_processed}|$run->{requests}", '|0|0', 'nobody: no row, no request');
	is(sql(q(SELECT count(*) FROM databite.preview_job('query'))), '0', 'nobody: nothing to preview');
};

subtest 'a list' => sub
{
	for my $list (
		[ plain => 'value', [ 'eu', 'us', 'eu', 'a/b c?', "\x{e4}&=", '{{x}}' ] ],
		[ objects => 'code', [ map { { code => $_ } } 'eu', 'us', 'eu', 'a/b c?', "\x{e4}&=", '{{x}}' ] ])
	{
		my ($id, $column, $items) = @$list;
		completes($id, job($id,
				{ id => 'regions', source => { type => 'inline', items => $items } },
				step('region', 'regions',
					{ url => $api->url("/echo/{{regions.$column}}"), method => 'POST', headers => { 'X-Region' => "r {{ regions.$column | url_encode }}" },
						query => { q => "{{regions.$column}}" }, body => { list => ["{{regions.$column}}"], text => "in {{regions.$column}}" },
						where => "{{ regions.$column != 'us' or true }}" },
					table("list_$id", 'asked text, region text, body text'), { asked => "{{item.query}}", region => "{{regions.$column}}", body => '{{item.body}}' },
					validation => { required => ['region'], region => "{{ regions.$column != 'us' }}" })));
		is(sql(qq{SELECT count(*) FROM list_$id}), '4', "$id: each value once, and the one that validation refuses is not there");
		is(sql(q(SELECT item ->> 'path' FROM databite.rejected_items)), '/echo/us', "$id: it is rejected");
		sql('DELETE FROM databite.rejected_item');
		is(targets(), join(' ', sort map { "/echo/$_->[0]?q=$_->[1]" } [ 'eu', 'eu' ], [ 'us', 'us' ],
				[ 'a%2Fb%20c%3F', 'a%2Fb%20c%3F' ], [ '%C3%A4%26%3D', '%C3%A4%26%3D' ], [ '%7B%7Bx%7D%7D', '%7B%7Bx%7D%7D' ]),
			"$id: values are encoded in the URL") or diag(targets());
	}
};

subtest 'form and numbers' => sub
{
	completes('form', job('form',
			{ id => 'numbers', source => { type => 'inline', items => [1] }, transform => { n => '{{ "12345678901234567890.10" | decimal }}', t => '{{item}}' } },
			step('asked', 'numbers', { url => $api->url('/echo'), method => 'POST', body => { form => { n => '{{numbers.n}}', t => '{{numbers.t}}' } } },
				table('form_asked', 'body text, n numeric'), { body => '{{item.body}}', n => '{{numbers.n}}' })));
	is(sql('SELECT body FROM form_asked'), 'n=12345678901234567890.10&t=1', 'form: numbers keep their digits');
};

subtest 'an API that needs no table' => sub
{
	# customers in pages, of which the transform leaves out some, and validation others
	my $run = completes('no_table', job('no_table',
			step('customers', undef, { url => $api->url('/paging/offset/customers'), pagination => { type => 'offset', limit => 20 },
					where => '{{ item.id > 5 }}' },
				undef, { id => '{{ item.id | int }}', name => "{{ item.id == 7 ? skip : item.name }}" },
				validation => { id => { max => 45 } }),
			step('orders', 'customers', { url => $api->url('/orders'), query => { customer_id => '{{customers.id}}', page => 1, per_page => 3 } },
				table('no_table_orders', 'id int, customer_id int, name text'), { %$of_customer, name => '{{customers.name}}' })));
	is(scalar(@{ $api->requests('/orders') }), 39, 'no_table: one request for each that is left');
	is(sql('SELECT count(*), count(DISTINCT customer_id), min(customer_id), max(customer_id), bool_or(customer_id = 7) FROM no_table_orders'),
		'117|39|6|45|f', 'no_table: the rows');
	is("$run->{records_processed}|$run->{records_inserted}|$run->{records_unchanged}|$run->{records_rejected}", '167|117|45|5', 'no_table: the counts');
	is($run->{records_skipped}, 6, 'no_table: and those that were dropped or skipped');
	is(sql(q(SELECT count(*), min(step), min("column") FROM databite.rejected_items WHERE job_id = 'no_table')), '5|customers|id', 'no_table: rejected items are kept');
	my $result = row_of($node, 'postgres', "SELECT * FROM databite.replay_rejected('no_table')");
	is("$result->{status}|$result->{records_processed}", 'completed|0', 'no_table: and are not replayed, as no request would come of it');
	is(sql(q(SELECT count(*) FROM databite.rejected_items WHERE job_id = 'no_table')), '5', 'no_table: they stay');
};

subtest 'what is wrong with an item' => sub
{
	my $run = completes('bad', job('bad',
			{ id => 'numbers', source => { type => 'inline', items => [ '1', 'x', '3' ] }, transform => { n => '{{ item | int }}' } },
			step('asked', 'numbers', { url => $api->url('/echo/{{numbers.n}}') }, table('bad_asked', 'n int'), { n => '{{numbers.n}}' }),
			[ errorHandling => { onItemError => 'log_and_continue' } ]));
	is("$run->{records_processed}|$run->{records_rejected}|" . sql('SELECT string_agg(n::text, $$ $$ ORDER BY n) FROM bad_asked'), '5|1|1 3',
		'bad: it is rejected, and the others are delivered');
};

subtest 'each value once, whatever else later steps name' => sub
{
	completes('two_children', job('two_children',
			{ id => 'pairs', source => { type => 'inline', items => [ { a => 1, b => 1 }, { a => 1, b => 2 }, { a => 2, b => 2 } ] } },
			step('of_a', 'pairs', { url => $api->url('/echo/a/{{pairs.a}}') }, table('of_a', 'a int'), { a => '{{pairs.a}}' }),
			step('of_both', 'pairs', { url => $api->url('/echo/ab/{{pairs.a}}/{{pairs.b}}') }, table('of_both', 'a int'), { a => '{{pairs.a}}' })));
	is(targets(), '/echo/a/1 /echo/a/2 /echo/ab/1/1 /echo/ab/1/2 /echo/ab/2/2', 'two_children: each step asks once for what it names');
};

subtest 'three levels' => sub
{
	completes('three', job('three',
			{ id => 'regions', source => { type => 'inline', items => [ { code => 'eu', n => 1 }, { code => 'us', n => 3 } ] } },
			step('customers', 'regions', { url => $api->url('/customers'), query => { page => '{{regions.n}}', per_page => 1 } }, undef,
				{ id => '{{item.id}}', region => '{{regions.code}}', name => '{{item.name}}' }),
			step('orders', 'customers', { url => $api->url('/customers/{{customers.id}}/orders'), query => { page => 1, per_page => 2 } },
				table('three_orders', 'id int, customer_id int, region text'), { id => '{{item.id}}', customer_id => '{{customers.id}}', region => '{{customers.region}}' }),
			step('details', 'orders', { url => $api->url('/echo/{{orders.id}}') },
				table('three_details', 'id int, region text'),
				{ id => '{{orders.id}}', region => '{{orders.region}}' })));
	is(sql('SELECT string_agg(DISTINCT region || customer_id, $$ $$), count(*) FROM three_orders'), 'eu1 us3|4', 'three: the children');
	is(sql('SELECT count(*) FROM three_details d JOIN three_orders o USING (id, region)'), '4', 'three: the grandchildren');
};

subtest 'several rows in one request' => sub
{
	my $run = completes('batches', job('batches',
			step('customers', undef, { url => $api->url('/customers') }, undef, { id => '{{item.id}}', name => '{{item.name}}' }),
			step('orders', 'customers', { url => $api->url('/paging/offset/orders'), batchParents => 20, query => { customer_id => '{{customers.id}}' },
					pagination => { type => 'offset', limit => 150 } },
				'batches_orders', $of_customer)));
	my %asked;
	for my $request (@{ $api->requests('/paging/offset/orders') })
	{
		my $ids = $request->{query}{customer_id};
		$asked{ ref $ids ? join(',', @$ids) : $ids }++;
	}
	is_deeply(\%asked, { join(',', 1 .. 20) => 3, join(',', 21 .. 40) => 3, join(',', 41 .. 50) => 2 }, 'batches: three listings, each with its pages')
	  or diag(explain(\%asked));
	is(sql('SELECT count(*), count(DISTINCT id) FROM batches_orders'), '1000|1000', 'batches: the rows');

	completes('arrays', job('arrays',
			{ id => 'codes', source => { type => 'inline', items => [ map { { n => $_, code => "c$_", other => $_ == 2 ? undef : $_ } } 1 .. 5 ] } },
			step('all', 'codes', { url => $api->url('/echo/{{ codes.code | join(",") }}'), method => 'POST', batchParents => 2,
					query => { n => ['{{codes.n}}'], text => '{{ codes.n | join("+") }}', other => '{{codes.other}}' },
					body => { ids => '{{codes.n}}', names => '{{codes.code}}', first => '{{codes.code[0]}}' } },
				table('arrays_all', 'body text'), { body => '{{item.body}}' }),
			step('form', 'codes', { url => $api->url('/echo/form'), method => 'POST', batchParents => 100, body => { form => { n => '{{codes.n}}' } } },
				table('arrays_form', 'body text'), { body => '{{item.body}}' })));
	is(targets(), '/echo/c1%2Cc3?n=1&n=3&text=1%2B3&other=1&other=3 /echo/c4%2Cc5?n=4&n=5&text=4%2B5&other=4&other=5 /echo/form',
		'arrays: a row without a value is in none') or diag(targets());
	is(sql(q(SELECT body::jsonb FROM arrays_all WHERE body::text LIKE '%c1%')), '{"ids": [1, 3], "first": "c1", "names": ["c1", "c3"]}', 'arrays: in a body');
	is(sql(q(SELECT count(*), min(item ->> 'target') FROM databite.preview_job('arrays', 4) WHERE step_id = 'all')),
		'1|/echo/c1%2Cc3?n=1&n=3&text=1%2B3&other=1&other=3', 'arrays: a preview asks as a run would');
	is(sql('SELECT body FROM arrays_form'), 'n=1&n=2&n=3&n=4&n=5', 'arrays: in a form');
};

subtest 'each has pages of its own' => sub
{
	for my $paging (
		[ cursor => { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor', hasMorePath => 'has_more', limit => 7, limitParam => 'limit' } ],
		[ link => { type => 'link' }, '&per_page=7' ],
		[ next_url => { type => 'next_url', nextUrlPath => 'next' }, '&limit=7' ],
		[ offset => { type => 'offset', limit => 7 } ])
	{
		my ($name, $pagination, $more) = @$paging;
		my $table = table("pages_$name", 'id int, customer_id int, page int');
		completes($name, job("pages_$name",
				{ id => 'customers', source => { type => 'sql', query => 'SELECT i AS id FROM generate_series(1, 9) AS i' } },
				step('orders', 'customers', { url => $api->url("/paging/$name/orders?customer_id={{customers.id}}" . ($more // '')), pagination => $pagination },
					$table, { %$of_customer, page => '{{page.number}}' })));
		is(sql("SELECT count(*), count(DISTINCT id), count(DISTINCT customer_id), max(page) FROM $table"), '180|180|9|3', "$name: the rows");
	}
};

subtest 'rows that are deleted by what the parent says' => sub
{
	sql('CREATE TABLE kept (id int PRIMARY KEY, customer_id int); INSERT INTO kept SELECT i FROM generate_series(1, 60) AS i');
	my $run = completes('deletes', job('deletes',
			{ id => 'customers', source => { type => 'inline', items => [ { id => 1, gone => JSON::PP::true }, { id => 2, gone => JSON::PP::false } ] } },
			step('orders', 'customers', { url => $api->url('/customers/{{customers.id}}/orders') },
				{ table => 'kept', deletes => { mode => 'hard', when => '{{ customers.gone }}' } }, $of_customer)));
	is("$run->{records_deleted}|" . sql('SELECT count(DISTINCT customer_id), min(customer_id) FROM kept'),
		sql('SELECT count(*) FROM generate_series(1, 60) AS i WHERE i IN (' . join(',', map { $_->{id} } @{ $api->call('GET', '/customers/1/orders') }) . ')')
		  . '|1|2', 'deletes: those of the customer who is gone, and of no other');
};

# Five customers of whom some cannot be had.
sub with_faults
{
	my ($id, $faults, $source, %more) = @_;
	sql("CREATE TABLE IF NOT EXISTS $id (id int, customer_id int); TRUNCATE $id");
	return run(job($id,
			{ id => 'customers', source => { type => 'inline', items => [ map { { id => $_, fault => $faults->{$_} // 'delay:0' } } 1 .. 5 ] } },
			step('orders', 'customers', { url => $api->url('/customers/{{customers.id}}/orders?fault={{customers.fault}}'),
					retry => { attempts => 2, delay => 1 }, %$source }, { table => $id, batchSize => 10 }, $of_customer),
			[%more]));
}

subtest 'one that fails' => sub
{
	my @partial = (errorHandling => { strategy => 'partial_success' });

	my $run = with_faults('fails', { 3 => 'status:404' }, {}, performance => { concurrency => 1 });
	is("$run->{status}|$run->{error}{request}{status}|$run->{error}{step}", 'failed|404|orders', 'fail_fast: the run fails');
	like($run->{error}{request}{url}, qr{/customers/3/orders}, 'fail_fast: and says for which');
	is(sql('SELECT string_agg(DISTINCT customer_id::text, $$ $$) FROM fails'), '1 2', 'fail_fast: what came before it stays');

	for my $fault ('status:404', 'status:500')
	{
		$run = with_faults('partial', { 3 => $fault }, {}, @partial);
		is("$run->{status}|$run->{records_inserted}|$run->{error}{requests_failed}", 'partial|80|1', "$fault: the others go on");
		like(join(' ', @{ $run->{notices} }), qr{a listing ended at page 1}, "$fault: history says so");
	}
	is(sql('SELECT string_agg(DISTINCT customer_id::text, $$ $$) FROM partial'), '1 2 4 5', 'partial: all but that one');

	$run = with_faults('status', { 3 => 'status:404' }, { onStatus => { 404 => 'empty' } });
	is("$run->{status}|$run->{records_inserted}", 'completed|80', 'onStatus: empty is no error');

	$run = with_faults('none', { map { $_ => 'status:404' } 1 .. 5 }, {}, @partial);
	is("$run->{status}|$run->{records_processed}|$run->{error}{requests_failed}", 'failed|5|5', 'none: what is only delivered makes no success');

	sql('CREATE TABLE batch (id int, customer_id int)');
	$run = run(job('batch',
			{ id => 'customers', source => { type => 'inline', items => [ map { { id => $_, fault => $_ == 4 ? 'status:500' : 'delay:0' } } 1 .. 5 ] } },
			step('orders', 'customers', { url => $api->url('/orders?fault={{ customers.fault | join(",") }}'), query => { customer_id => '{{customers.id}}' },
					batchParents => 2, retry => { attempts => 1 } }, 'batch', $of_customer),
			[@partial]));
	is("$run->{status}|$run->{records_inserted}|$run->{error}{requests_failed}|" . sql('SELECT string_agg(DISTINCT customer_id::text, $$ $$) FROM batch'),
		'partial|60|1|1 2 5', 'batch: one that fails is recorded, and the others go on');
};

# Without a key: what is asked for again must be what was asked for before.
subtest 'killed in the middle of batches' => sub
{
	my $table = table('killed', 'id int, customer_id int');
	$api->clear_requests;
	schedule_job($node, 'postgres', job('killed',
			{ id => 'customers', source => { type => 'sql', query => 'SELECT CASE WHEN i % 10 > 0 THEN i - i / 10 END AS id FROM generate_series(1, 55) AS i ORDER BY i' } },
			step('orders', 'customers', { url => $api->url('/paging/offset/orders?size=5000&fault=delay:15'), query => { customer_id => '{{customers.id}}' },
					batchParents => 3, pagination => { type => 'offset', limit => 20 } },
				{ table => $table, mode => 'insert', batchSize => 30 }, $of_customer)));
	sql("SELECT databite.enqueue_job('killed')");
	ok(kill_runner($node, 'killed', 2000), "killed: killed behind 2000 items, and the server is back");
	wait_for_runs($node, 'postgres', 'killed', 1);
	is(sql('SELECT count(*), count(DISTINCT id), min(id), max(id) FROM killed'), '5000|5000|1|5000', 'killed: exactly the right rows');
	is(sql(q(SELECT sum(records_inserted), count(*) FILTER (WHERE status = 'crashed') FROM databite.runs WHERE job_id = 'killed')), '5000|1', 'killed: each counted once');
	my %asked;
	$asked{ ref $_->{query}{customer_id} ? join(',', @{ $_->{query}{customer_id} }) : $_->{query}{customer_id} }++ for @{ $api->requests('/paging/offset/orders') };
	is(join(' ', sort keys %asked), join(' ', sort map { join(',', grep { $_ <= 50 } $_ .. $_ + 2) } map { 3 * $_ + 1 } 0 .. 16), 'killed: always in the same batches');
	is(sql(q(SELECT count(*) FROM databite.parent_row WHERE job_id = 'killed')), '0', 'killed: nothing is left behind');
};

subtest 'killed while a step without a destination reads' => sub
{
	my $table = table('delivered', 'body jsonb');
	$api->clear_requests;
	schedule_job($node, 'postgres', job('delivering',
			step('customers', undef, { url => $api->url('/paging/offset/customers?size=3000&fault=delay:10'), pagination => { type => 'offset', limit => 25 } },
				undef, { id => '{{item.id}}' }),
			step('all', 'customers', { url => $api->url('/echo'), method => 'POST', batchParents => 1000, body => { ids => '{{customers.id}}' } },
				{ table => $table, mode => 'insert' }, { body => '{{item.body}}' })));
	sql("SELECT databite.enqueue_job('delivering')");
	ok(kill_runner($node, 'delivering', 1200), "delivering: killed behind 1200 items, and the server is back");
	wait_for_runs($node, 'postgres', 'delivering', 1);
	is(sql(q(SELECT count(*), count(DISTINCT id) FROM delivered, jsonb_array_elements((body #>> '{}')::jsonb -> 'ids') AS id)), '3000|3000',
		'delivering: each of them once');
	is(sql(q(SELECT sum(records_processed), sum(records_unchanged), sum(records_inserted) FROM databite.runs WHERE job_id = 'delivering')),
		'3003|3000|3', 'delivering: and counted once');
};

done_testing();
