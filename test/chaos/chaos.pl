# The chaos test, as long as one wants: "./dev chaos" says how.  Settings come by the environment, as prove gives no arguments.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../t/lib";
use Chaos;
use Test::More;

my $seed = $ENV{CHAOS_SEED} // 1;
my $end = time() + 60 * ($ENV{CHAOS_MINUTES} // 0);
my @modes = $ENV{CHAOS_MODE} ? split(/,/, $ENV{CHAOS_MODE}) : chaos_modes();
my (%killed, %faults);
my $rounds = 0;

sub add
{
	my ($sums, $counts) = @_;
	$sums->{$_} += $counts->{$_} for keys %{ $counts // {} };
	return;
}

chaos_begin();
my $first = $seed;
do
{
	for my $mode (@modes)
	{
		my ($killed, $faults) = chaos_round($seed, $mode, $ENV{CHAOS_SCALE});
		add(\%killed, $killed);
		add(\%faults, $faults);
		$rounds++;
	}
	$seed++;
} while (time() < $end);
chaos_end();

note("seeds $first to " . ($seed - 1) . ", $rounds rounds");
note("killed: " . Chaos::counts(\%killed));
note("faults: " . Chaos::counts(\%faults));
done_testing();
