# The conformance table: test/conformance/*.txt say what each template makes of an item; test/conformance/README.md says
# how they are read.  Every row is a job of its own: scheduled, run, looked at, and undone.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/lib";
use ConformanceTable;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $least_rows = 300;
my $directory = abs_path("$FindBin::RealBin/../conformance");
my $node = PostgreSQL::Test::Cluster->new('main');
my $json = JSON::PP->new->allow_nonref->ascii;
my $total = 0;

$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', slurp_file("$directory/runner.sql"));

for my $file (sort glob("$directory/*.txt"))
{
	my $table = ConformanceTable::read_table($file);
	my ($name) = $file =~ m{([^/]+)$};
	my @rows = @{ $table->{rows} };

	is_deeply($table->{mistakes}, [], "$name is well formed");
	ok(@rows > 0, "$name has rows");
	next if !@rows;
	my @wrong = wrong_rows(@rows);
	is(scalar(@wrong), 0, "$name: all " . scalar(@rows) . " rows") or diag(join "\n", "of $name:", @wrong);
	$total += @rows;
}
cmp_ok($total, '>=', $least_rows, "all together there are at least $least_rows rows");

$node->stop;
done_testing();

# Runs the rows; what is to be said of each that is not as expected.
sub wrong_rows
{
	my (@rows) = @_;
	my $tag = '$conformance_rows$';
	my ($status, $out, $err) =
	  $node->psql('postgres', "SELECT outcome FROM conformance($tag" . $json->encode(\@rows) . $tag . ') AS outcome');
	my @outcomes = map { $json->decode($_) } split /\n/, $out;
	my @wrong;

	for my $i (0 .. $#rows)
	{
		my ($row, $got) = ($rows[$i], $outcomes[$i] // { wrong => "no outcome: $err" });
		next if !defined $got->{wrong};
		push @wrong, join "\n    ", "line $row->{line}: " . shortened($row->{template}),
		  'item      ' . shortened($row->{item}), 'expected  ' . shortened($row->{expected}),
		  'got       ' . shortened($got->{wrong});
	}
	utf8::encode($_) for @wrong;
	return @wrong;
}

sub shortened
{
	my ($text) = @_;
	return length $text > 500 ? substr($text, 0, 500) . '...' : $text;
}
