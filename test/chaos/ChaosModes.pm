package ChaosModes;

# The jobs of the chaos test.  A mode is a way to write and a way to read; the seed draws sizes, and what else may
# differ.  What a mode says of itself is all that Chaos.pm knows of it.
#
# An API that gives items twice doubles the rows of a table without a key, as each of them is an item like others.
# So pages overlap, and are repeated, only where a key absorbs it ("overlap").

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(chaos_modes chaos_mode);

my $true = JSON::PP::true;

# Items that the job rejects by a rule, that the table refuses, that the transform skips.
my $by_rule = 'id % 17 = 3';
my $by_table = 'id % 41 = 7';
my $skipped = 'id % 23 = 5';

my %pagination = (
	offset => { type => 'offset', totalPath => 'total' },
	ahead => { type => 'offset' },
	cursor => { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor', hasMorePath => 'has_more', limitParam => 'limit' },
	keyset => { type => 'keyset', field => 'id', cursorParam => 'after', hasMorePath => 'has_more', limitParam => 'limit' },
	link => { type => 'link' });

# paging: by which pages are found; write: the destination; table: plain, keyed, history
my %modes = (
	insert_offset => { paging => 'offset', write => { mode => 'insert' }, goes_on => 1 },
	insert_cursor => { paging => 'cursor', write => { mode => 'insert' }, goes_on => 1 },
	insert_windows => { paging => 'offset', write => { mode => 'insert' }, goes_on => 1, windows => 1 },
	upsert_keyset => { paging => 'keyset', write => { mode => 'upsert' }, keyed => 1, overlap => 1, cursor => 1 },
	upsert_link => { paging => 'link', write => { mode => 'upsert' }, keyed => 1, overlap => 1, cursor => 1 },
	upsert_ahead => { paging => 'ahead', write => { mode => 'upsert' }, keyed => 1, ahead => 1 },
	replace_keyed => { paging => 'cursor', write => { mode => 'replace' }, keyed => 1, overlap => 1, whole => 1 },
	replace_plain => { paging => 'offset', write => { mode => 'replace' }, whole => 1 },
	parallel_keyed => { paging => 'cursor', write => { mode => 'parallel_insert' }, keyed => 1, overlap => 1, writers => 1, cursor => 1 },
	parallel_plain => { paging => 'offset', write => { mode => 'parallel_insert' }, goes_on => 1, writers => 1 },
	parallel_cursor => { paging => 'cursor', write => { mode => 'parallel_insert' }, goes_on => 1, writers => 1 },
	history => { paging => 'keyset', write => { mode => 'append_history', key => 'id' }, goes_on => 1, keyed => 1, history => 1, overlap => 1 },
	missing => { paging => 'cursor', write => { mode => 'upsert', deletes => { missing => 'hard', maxFraction => 1 } }, keyed => 1,
		overlap => 1, whole => 1, all_good => 1 },
	fanout_keyed => { paging => 'offset', write => { mode => 'upsert' }, keyed => 1, fanout => 1 },
	fanout_plain => { paging => 'cursor', write => { mode => 'insert' }, goes_on => 1, fanout => 1 },
	fanout_parallel => { paging => 'offset', write => { mode => 'parallel_insert' }, goes_on => 1, fanout => 1, writers => 1 });

sub chaos_modes { return sort keys %modes; }

# A number from .. to, of the seed.
sub between { return $_[0] + int(rand($_[1] - $_[0] + 1)); }
sub chance { return rand() < shift; }

# chaos_mode($name, $scale): the mode with what the seed (srand) draws for it.
sub chaos_mode
{
	my ($name, $scale) = @_;
	my $known = $modes{$name} or die "no such mode: $name (there are: @{[ chaos_modes() ]})\n";
	my %mode = (
		name => $name,
		%$known,
		items => int(between(800, 2400) * $scale),
		page => between(20, 70),
		batch => between(15, 150),
		concurrency => between(2, 6),
		retrying => chance(0.3),
		error_when => chance(0.6),
		halve => chance(0.4),
		slow => chance(0.5),
		pool => between(2, 4),
		overlap_seed => between(1, 1_000_000));
	$mode{halve} = 0 if $mode{paging} eq 'link' || $mode{fanout} || $mode{overlap};
	$mode{concurrency} = between(1, 4) if $mode{fanout};
	$mode{pages} = $mode{fanout} ? int($mode{items} / 12) : int($mode{items} / $mode{page}) + 1;
	$mode{source} = $mode{fanout} ? 'orders' : 'users';
	return \%mode;
}

# The faults that the API may commit beside those that any client must bear.
sub fault_kinds
{
	my ($mode) = @_;
	return join('', map { ":$_" } $mode->{error_when} ? ('error200', 'html') : (), $mode->{halve} ? 'too_large' : ());
}

# The job $id, at the API whose addresses begin with $base, into tables named after $id.
sub job
{
	my ($mode, $id, $base) = @_;
	my %source = (
		type => 'api',
		retry => $mode->{retrying} ? { attempts => 2, delay => 1 } : { attempts => 8, delay => 1, maxDelay => 20 },
		$mode->{error_when} ? (errorWhen => [
			{ when => q({{ response.status == 'error' }}), action => 'retry' },
			{ when => q({{ http.headers['content-type'] | contains('html') }}), action => 'retry' } ]) : (),
		$mode->{halve} ? (onStatus => { 413 => 'halve_page' }) : ());
	my %job = (
		performance => { concurrency => $mode->{concurrency} },
		$mode->{retrying} ? (errorHandling => { strategy => 'retry_with_backoff', maxRetries => 100, retryDelay => 1, backoff => 'fixed' }) : ());
	return { id => $id, %job, steps => [ steps_of_fanout($mode, $id, $base, \%source) ] } if $mode->{fanout};

	my $paging = $mode->{paging} eq 'ahead' ? 'offset' : $mode->{paging};
	my $prefix = $mode->{overlap} ? "/overlap/$mode->{overlap_seed}" : '';
	my %query = $mode->{windows} ? (since => '{{ window.from }}', until => '{{ window.to }}') : ();
	$query{since} = '{{ cursor }}' if $mode->{cursor};
	my $envelope = $paging eq 'offset' && $mode->{paging} ne 'ahead' ? '&envelope=results' : '';
	$source{url} = "$base$prefix/paging/$paging/users?size=$mode->{items}$envelope" . ($paging eq 'link' ? "&per_page=$mode->{page}" : '');
	$source{query} = \%query if %query;
	$source{pagination} = { %{ $pagination{$mode->{paging}} }, $paging eq 'link' ? () : (limit => $mode->{page}) };
	$source{parallel} = { enabled => $true } if $mode->{ahead};
	$source{incremental} = { initialValue => '2024-01-01T00:00:00Z', end => '2024-05-01T00:00:00Z', step => '5d' } if $mode->{windows};
	$source{incremental} = { cursorField => 'updated_at', initialValue => '2024-01-01T00:00:00Z' } if $mode->{cursor};
	return { id => $id, %job, source => \%source, destination => destination($mode, $id), columns($mode) };
}

sub destination
{
	my ($mode, $table) = @_;
	return {
		type => 'database',
		table => $table,
		batchSize => $mode->{batch},
		onError => 'log_and_continue',
		$mode->{writers} ? (connectionPool => { min => $mode->{pool}, max => $mode->{pool} }) : (),
		%{ $mode->{write} }
	};
}

sub columns
{
	my ($mode) = @_;
	my $name = $mode->{source} eq 'orders' ? 'status' : 'name';
	my $skip = $mode->{all_good} ? '' : ' | skip(item.id % 23 == 5)';
	return (
		transform => { id => '{{ item.id }}', name => "{{ item.$name$skip }}", updated_at => '{{ item.updated_at }}' },
		$mode->{all_good} ? () : (validation => { id => '{{ item.id % 17 != 3 }}' }));
}

# Customers, and the orders of each; the table of customers has a key.
sub steps_of_fanout
{
	my ($mode, $id, $base, $source) = @_;
	my $paging = $mode->{paging};
	my $envelope = $paging eq 'offset' ? '&envelope=results' : '';
	return ({
		id => 'customers',
		source => { %$source, url => "$base/paging/offset/customers?envelope=results",
			pagination => { %{ $pagination{offset} }, limit => 9 } },
		destination => { type => 'database', table => "${id}_parents", batchSize => 7, onError => 'log_and_continue' },
		transform => { id => '{{ item.id }}', name => '{{ item.name }}' }
	}, {
		id => 'orders',
		dependsOn => ['customers'],
		source => { %$source, url => "$base/paging/$paging/orders?size=$mode->{items}$envelope", query => { customer_id => '{{ customers.id }}' },
			pagination => { %{ $pagination{$paging} }, limit => 12 } },
		destination => destination($mode, $id),
		columns($mode)
	});
}

# SQL that makes the tables of job $id, with rows that are there before; "source" has what the API has.
sub tables
{
	my ($mode, $id) = @_;
	my $check = $mode->{all_good} || $mode->{whole} ? '' : ', CHECK (NOT (id % 41 = 7))';
	my $key = $mode->{history} ? ', valid_from timestamptz, valid_to timestamptz, PRIMARY KEY (id, valid_from)'
	  : $mode->{keyed} ? ', PRIMARY KEY (id)' : '';
	my $sql = "CREATE TABLE $id (id bigint, name text, updated_at timestamptz$key$check);";
	$sql .= "CREATE UNIQUE INDEX ON $id (id) WHERE valid_to IS NULL;" if $mode->{history};
	$sql .= "CREATE TABLE ${id}_parents (id bigint PRIMARY KEY, name text);" if $mode->{fanout};
	$sql .= "CREATE TRIGGER slow BEFORE INSERT ON $id EXECUTE FUNCTION wait_a_little();" if $mode->{slow};
	return "$sql INSERT INTO $id SELECT * FROM (" . before($mode) . ') AS b' . ($mode->{history} ? " CROSS JOIN (VALUES ('2024-01-01'::timestamptz, NULL::timestamptz)) AS v;" : ';');
}

# What is in the table before: rows that are equal, that differ, and, where the whole is compared, that are to go.
sub before
{
	my ($mode) = @_;
	return 'SELECT id, name, updated_at FROM source WHERE false' unless $mode->{keyed} || $mode->{whole};
	my $rows = q(SELECT id, CASE WHEN id % 4 = 1 THEN 'old' ELSE name END AS name, updated_at FROM source WHERE id % 4 < 2 AND NOT (id % 41 = 7));
	$rows .= q( UNION ALL SELECT -g, 'gone', NULL FROM generate_series(1, 30) AS g) if $mode->{whole};
	return $rows;
}

# What is to be in the table afterwards; of a history, the versions that hold.
sub after
{
	my ($mode) = @_;
	my @bad = $mode->{all_good} ? () : ($by_rule, $skipped, $mode->{whole} ? () : $by_table);
	push @bad, q(updated_at >= '2024-05-01T00:00:00Z') if $mode->{windows};
	my $good = 'SELECT id, name, updated_at FROM source' . (@bad ? ' WHERE NOT (' . join(' OR ', @bad) . ')' : '');
	return $good if $mode->{whole} || !$mode->{keyed};
	return "$good UNION ALL SELECT * FROM (" . before($mode) . ") AS b WHERE NOT EXISTS (SELECT FROM ($good) AS g WHERE g.id = b.id)";
}

1;
