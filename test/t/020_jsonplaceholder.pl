# The document's integration_sync against the real JSONPlaceholder service: its own definition, but for the host.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JsonPlaceholder;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $service = JsonPlaceholder->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

schedule_job(
	$node,
	'postgres',
	{
		id => 'integration_sync',
		name => 'Integration Sync',
		source => { type => 'api', url => $service->url('/posts') },
		destination => { type => 'database', table => 'posts' },
		transform => {
			id => '{{item.id}}',
			title => '{{item.title}}',
			body => '{{item.body}}',
			user_id => '{{item.userId}}'
		}
	});

my $first = execute_job($node, 'postgres', 'integration_sync');
ok($first->{success}, 'the first run succeeds') or diag(explain($first));
is($first->{records_processed}, 100, 'it reads 100 items');
is($first->{records_inserted}, 100, 'and inserts them');
is( $node->safe_psql('postgres', 'SELECT count(*), min(id), max(id), count(DISTINCT user_id) FROM posts'),
	'100|1|100|10', 'the rows are the posts');
is( $node->safe_psql('postgres', 'SELECT user_id, title FROM posts WHERE id = 100'),
	'10|at nam consequatur ea labore ea harum', 'with their values');

my $second = execute_job($node, 'postgres', 'integration_sync');
ok($second->{success}, 'the second run succeeds') or diag(explain($second));
is($second->{records_processed}, 100, 'it reads 100 items again');
is($second->{records_unchanged}, 100, 'and finds them unchanged');
is($node->safe_psql('postgres', 'SELECT count(*) FROM posts'), '100', 'no row is there twice');

$node->stop;
done_testing();
