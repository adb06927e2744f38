# The demo's two jobs: an interval job and a paged one with nested templates, run by the worker.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

schedule_job(
	$node,
	'postgres',
	{
		id => 'customers',
		source => { type => 'api', url => $api->url('/customers') },
		destination => {
			type => 'database',
			table => 'customers',
			mode => 'upsert',
			key => 'id',
			schema => { id => 'integer', name => 'text', email => 'text', city => 'text', since => 'datetime' }
		},
		transform => {
			id => '{{item.id}}',
			name => '{{item.name}}',
			email => '{{item.email}}',
			city => '{{item.address.city}}',
			since => '{{item.created_at}}'
		},
		schedule => { type => 'interval', seconds => 2 }
	});
schedule_job(
	$node,
	'postgres',
	{
		id => 'products',
		source => {
			type => 'api',
			url => $api->url('/envelope/data/products'),
			dataPath => 'data',
			pagination => { type => 'page', pageSize => 50, sizeParam => 'per_page' }
		},
		destination => { type => 'database', table => 'products' },
		transform => {
			id => '{{item.id}}',
			price => '{{item.pricing.amount}}',
			tags => '{{item.tags | join(",")}}',
			in_stock => '{{item.inventory.quantity > 0}}',
			created_at => '{{item.created_at | to_datetime}}'
		},
		schedule => { type => 'cron', expression => '* * * * *' }
	});

wait_for_runs($node, 'postgres', 'customers', 1);
is($node->safe_psql('postgres', 'SELECT count(*) FROM customers'), '50', 'the interval job wrote its rows');

$api->control({ version => 1 });
my $changed = 'SELECT EXISTS (SELECT FROM customers WHERE name LIKE \'%(v1)\')';
wait_for_sql($node, 'postgres', $changed);
is($node->safe_psql('postgres', 'SELECT count(*) FROM customers WHERE name LIKE \'%(v1)\''),
	'5', 'a later run took over what had changed');
my $run = row_of($node, 'postgres', 'SELECT * FROM databite.runs WHERE job_id = \'customers\' AND records_updated > 0');
is_deeply([ @$run{qw(status records_processed records_inserted records_updated records_unchanged)} ],
	[ 'completed', 50, 0, 5, 45 ], 'and counted it');

wait_for_runs($node, 'postgres', 'products', 1);
is( $node->safe_psql('postgres', 'SELECT count(*), count(price), count(tags), count(created_at) FROM products'),
	'200|200|200|200', 'the cron job wrote its rows');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT in_stock) FROM products'), '2', 'some products are in stock, some are not');

$node->stop;
done_testing();
