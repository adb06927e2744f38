# What the other tests lean on: a query to a server that is not there fails, and the test goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $node = databite_node('main');

# longer than a pipe holds, so that psql is always gone before it has been written
my $long = 'SELECT true -- ' . 'x' x 200_000;

is($node->safe_psql('postgres', $long), 't', 'a long query is read whole');
is($node->safe_psql('postgres', "SELECT octet_length('\xc3\xa9')"), '2', 'bytes stay bytes');
is($node->safe_psql('postgres', "SELECT octet_length('\x{20ac}')"), '3', 'characters go as UTF-8');

$node->stop;
my ($ret) = $node->psql('postgres', $long, on_error_stop => 0);
is($ret, 2, 'psql has no connection');
{
	local $PostgreSQL::Test::Utils::timeout_default = 0.2;
	ok(!$node->poll_query_until('postgres', $long), 'and a wait comes to its end');
}
$node->start;
ok($node->poll_query_until('postgres', $long), 'until the server is back');

$node->stop;
done_testing();
