# A short run of the chaos test: fixed seeds, small jobs.  test/chaos has the long one ("./dev chaos").
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../chaos";
use Chaos;
use SampleApi;
use Test::More;

my $node = chaos_begin();
my @rounds = ([ 1, 'insert_cursor' ], [ 6, 'parallel_plain' ], [ 4, 'fanout_plain' ]);

splice(@rounds, 0, 1) if is_sanitized($node);
chaos_round(@$_, is_sanitized($node) ? 0.2 : 0.5) for @rounds;
chaos_end();
done_testing();
