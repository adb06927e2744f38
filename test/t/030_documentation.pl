# Every example in the README and in doc/ runs.  The SQL of one file runs in order
# in a database of its own, against the sample API in place of api.example.com.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');
my $base = $api->url('');
my $root = "$FindBin::RealBin/../..";

for my $file ("$root/README.md", sort glob("$root/doc/*.md"))
{
	my $text = slurp_file($file);
	my @examples = $text =~ /^```sql\n(.*?)^```$/gms;
	my ($name) = $file =~ m{([^/]+)\.md$};

	next if !@examples;
	$name = lc $name;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION databite');
	for my $number (1 .. @examples)
	{
		my $sql = $examples[ $number - 1 ];
		$sql =~ s{https://api\.example\.com}{$base}g;
		my ($ret, $out, $err) = $node->psql($name, $sql);
		is($ret, 0, "$name, example $number") or diag("$sql\n$err");
		unlike($out, qr/^(failed|f)\|/m, "$name, example $number: no run failed") or diag("$sql\n$out");
	}
}

$node->stop;
$api->stop;
done_testing();
