# Every job of doc/examples runs, against the sample API's imitation of the API that it is for: once for everything, and
# again when a day has passed there, which asks only for what is new.  Of the definitions nothing is changed but hosts,
# and where the real numbers would take too long: waits and sizes, each of which is named here.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP qw(decode_json encode_json);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use Time::HiRes qw(time);

my $examples = "$FindBin::RealBin/../../doc/examples";
my $api = SampleApi->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

sub sql { return $node->safe_psql('postgres', shift); }

# Seconds since 1970 of a time as text; the zone is that of texts without one.
sub instant
{
	my ($text, $zone) = @_;
	$zone //= 'UTC';
	return sql("SET TimeZone = '$zone'; SELECT extract(epoch FROM '$text'::timestamptz)") + 0;
}

# What an imitation says of its data, after a change of it.
sub imitation
{
	my ($name, %change) = @_;
	return $api->call('POST', "/_apis/$name", encode_json(\%change));
}

# hosts    where the definition goes to
# replace  what else is changed in the text
# set      settings of the imitation
# keys     SELECT of the keys of all rows, as the imitation has them
# list     the path of the requests for data
# since    what a request asks from: as the imitation counts (seconds, or a year); undef where the page does not say it
# back     how much further back than the last value it may ask: a lookback, and what the API cannot say finer
# again    how many items come again beside those that changed; undef: any number
# check    more to see, of the first run's requests and the second run's
my $day = strftime('%Y-%m-%d', gmtime(time - 5 * 86400));
my %api = (
	github => {
		hosts => ['https://api.github.com'],
		keys => 'SELECT id FROM github_issues',
		list => qr{/issues$},
		since => sub { instant($_[0]{query}{since}) },
		again => 1,
		check => sub {
			my ($first) = @_;
			like($first->[0]{headers}{'user-agent'}, qr/databite/, 'github: User-Agent');
			is($first->[-1]{query}{page}, 3, 'github: three pages');
			# A limit that is used up after the first page of three, and one that is used up already.
			imitation('github', remaining => 1);
			sql("SELECT databite.reset_job('github')");
			$api->clear_requests;
			is(run_job('github')->{status}, 'completed', 'github: a limit is waited for');
			is_deeply([ map { $_->{status} } @{ $api->requests } ], [ 200, 200, 200 ], 'github: without asking before it ends');
			imitation('github', remaining => 0);
			is(run_job('github')->{status}, 'completed', 'github: and a 403 that says so is tried again');
		}
	},
	github_stats => {
		imitation => 'github',
		hosts => ['https://api.github.com'],
		replace => { '"delay": "2s"' => '"delay": "50ms"' },
		keys => undef,
		check => sub {
			my ($first, $second) = @_;
			is_deeply([ map { $_->{status} } @$first ], [ 202, 200 ], 'github_stats: asked again after 202');
			is(sql('SELECT count(*) FROM github_contributors'), '5', 'github_stats: rows');
		}
	},
	stripe => {
		hosts => ['https://api.stripe.com'],
		keys => 'SELECT id FROM stripe_charges',
		list => qr{/charges$},
		since => sub { $_[0]{query}{'created[gte]'} },
		again => 1,
		check => sub {
			my ($first) = @_;
			cmp_ok(abs($first->[0]{query}{'created[lte]'} - (time - 60)), '<', 300, 'stripe: a minute behind');
			is(sql("SELECT amount || currency FROM stripe_charges WHERE id = 'ch_000001'"), '10.01EUR', 'stripe: a row');
		}
	},
	stripe_ev => {
		hosts => ['https://api.stripe.com'],
		keys => 'SELECT id FROM stripe_events',
		list => qr{/events$},
		since => sub { $_[0]{query}{'created[gte]'} },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply($first->[0]{query}{'types[]'}, [qw(customer.created customer.updated customer.deleted)], 'stripe_ev: a parameter that repeats');
			is(sql("SELECT count(*) FROM stripe_customers WHERE customer = 'cus_2'"), '1', 'stripe_ev: a customer');
			is(sql("SELECT count(*) FROM stripe_events WHERE type = 'customer.deleted'"), '7', 'stripe_ev: deletions');
		}
	},
	shopify => {
		hosts => ['https://example.myshopify.com'],
		replace => { '"limit": "250"' => '"limit": "100"' },
		keys => 'SELECT id FROM shopify_orders',
		list => qr{/orders\.json$},
		since => sub { instant($_[0]{query}{updated_at_min}) },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply([ sort keys %{ $first->[1]{query} } ], [qw(limit page_info)], 'shopify: a next page has its cursor alone');
			is($_->{headers}{'x-shopify-access-token'}, 'shopify-token', 'shopify: and the token') for @$first;
			is(sql("SELECT total FROM shopify_orders WHERE name = '#7'"), '7.90', 'shopify: a price');
		}
	},
	hubspot => {
		hosts => ['https://api.hubapi.com'],
		replace => { '"items": 10000' => '"items": 200' },
		set => { cap => 200, token_uses => 2 },
		keys => 'SELECT id FROM hubspot_contacts',
		list => qr{/search$},
		since => sub { decode_json($_[0]{body})->{filterGroups}[0]{filters}[0]{value} / 1000 },
		back => 3600,
		check => sub {
			my ($first) = @_;
			my @good = grep { $_->{status} == 200 } @$first;
			my @after = map { decode_json($_->{body}) } @good;
			is_deeply([ map { 0 + ($_->{after} // 0) } @after[ 0 .. 2 ] ], [ 0, 100, 0 ], 'hubspot: the listing begins anew');
			is($after[2]{filterGroups}[0]{filters}[1]{value}, 7200, 'hubspot: behind the last id');
			is(scalar(grep { $_->{status} == 401 } @$first), 1, 'hubspot: a token that has ended is refreshed, and the page asked for again');
		}
	},
	salesforce => {
		hosts => ['https://example.my.salesforce.com'],
		keys => 'SELECT id FROM salesforce_accounts',
		list => qr{/queryAll$},
		since => sub { $_[0]{query}{q} =~ />= (\S+)/ or die; instant($1) },
		again => 1,
		check => sub {
			my ($first) = @_;
			like($first->[0]{path}, qr{/instance/services/data/}, 'salesforce: asked where the token says');
			is(sql('SELECT count(*) FROM salesforce_accounts WHERE deleted'), '1', 'salesforce: deletions');
		}
	},
	slack => {
		hosts => ['https://slack.com'],
		keys => q{SELECT channel_id || '/' || ts FROM slack_messages},
		list => qr{/conversations\.history$},
		since => sub { $_[0]{query}{oldest} },
		# A message of each channel at the most.
		again => 3,
		each => { name => 'slack', of => sub { $_[0]{query}{channel} }, all => [qw(C01 C02 C03 C04)] },
		check => sub {
			my ($first) = @_;
			my %latest = map { $_->{query}{latest} => 1 } @$first;
			is(scalar(keys %latest), 1, 'slack: all channels are read to the same time');
			is(scalar(grep { $_->{query}{channel} eq 'C02' && !$_->{query}{cursor} } @$first), 2, 'slack: "ratelimited" with status 200 is tried again');
			is(sql("SELECT count(*) FROM slack_messages WHERE channel_id = 'C04'"), '0', 'slack: a channel without access is passed over');
		}
	},
	notion => {
		hosts => ['https://api.notion.com'],
		keys => 'SELECT id FROM notion_pages',
		list => qr{/search$},
		again => undef,
		check => sub {
			my ($first, $second) = @_;
			is_deeply([ map { decode_json($_->{body})->{page_size} } @$first[ 0, 1, 2 ] ], [ 100, 50, 50 ], 'notion: half a page after 504, from then on');
			is(sql("SELECT records_inserted + records_updated FROM databite.runs WHERE job_id = 'notion' ORDER BY run_id DESC LIMIT 1"),
				scalar(@{ imitation('notion')->{changed} }), 'notion: what has not changed is dropped here');
		}
	},
	zendesk => {
		hosts => ['https://example.zendesk.com'],
		replace => { '"requestsPerMinute": 10' => '"requestsPerMinute": 6000' },
		keys => 'SELECT id FROM zendesk_tickets',
		list => qr{/cursor\.json$},
		since => sub { $_[0]{query}{start_time} },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply([ keys %{ $first->[1]{query} } ], ['cursor'], 'zendesk: the next address as it is');
			is($first->[-1]{status}, 200, 'zendesk: ends at end_of_stream');
		}
	},
	jira => {
		hosts => ['https://example.atlassian.net'],
		keys => 'SELECT key FROM jira_issues',
		list => qr{/search/jql$},
		since => sub { $_[0]{query}{jql} =~ /'([^']+)'/ or die; instant($1, 'Europe/Riga') },
		back => 3600 + 60
	},
	intercom => {
		hosts => ['https://api.intercom.io'],
		keys => 'SELECT id FROM intercom_contacts',
		list => qr{/search$},
		since => sub { decode_json($_[0]{body})->{query}{value} },
		back => 86400,
		check => sub {
			my ($first) = @_;
			my @after = map { decode_json($_->{body})->{pagination}{starting_after} } @$first;
			is($first->[1]{status}, 500, 'intercom: fails in the middle');
			is($after[2], undef, 'intercom: and the listing begins anew');
			imitation('intercom', missing => JSON::PP::true);
			my $run = run_job('intercom');
			is("$run->{status} $run->{records_processed}", 'completed 0', 'intercom: a 404 of HTML is passed over');
		}
	},
	airtable => {
		hosts => ['https://api.airtable.com'],
		replace => { '"wait": "30s"' => '"wait": "1s"', '"requestsPerSecond": 5' => '"requestsPerSecond": 100' },
		set => { limit_at => 2, wait => 0.9 },
		keys => 'SELECT id FROM airtable_contacts',
		list => qr{/Contacts$},
		since => sub { $_[0]{query}{filterByFormula} =~ /'([^']+)'/ or die; instant($1) },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply([ map { $_->{status} } @$first ], [ 200, 429, 200, 200 ], 'airtable: one 429, waited for as long as it means');
			cmp_ok($first->[2]{time} - $first->[1]{time}, '>=', 0.9, 'airtable: the wait');
		}
	},
	gcal => {
		hosts => [ 'https://www.googleapis.com', 'https://oauth2.googleapis.com' ],
		keys => 'SELECT id FROM gcal_events',
		list => qr{/events$},
		again => 0,
		each => {
			name => 'gcal',
			of => sub { ($_[0]{path} =~ m{/calendars/([^/]+)/events})[0] =~ s/%(..)/chr hex $1/ger },
			all => [ 'ada@example.com', 'empty@example.com', 'team#holiday@group.v.calendar.google.com' ]
		},
		check => sub {
			my ($first, $second) = @_;
			is(scalar(grep { defined $_->{query}{syncToken} } @$first), 0, 'gcal: no token at first');
			is(scalar(grep { !defined $_->{query}{syncToken} || defined $_->{query}{timeMin} } @$second), 0, 'gcal: then the token of each calendar, without the filter');
			is(sql('SELECT count(*) FROM gcal_events WHERE cancelled'), '1', 'gcal: deletions');
			imitation('gcal', expired => JSON::PP::true);
			$api->clear_requests;
			my $run = run_job('gcal');
			is($run->{status}, 'completed', 'gcal: a token that has expired');
			is(scalar(grep { $_->{status} == 410 } @{ $api->requests }), 1, 'gcal: was refused once');
			cmp_ok($run->{records_processed}, '>', 30, 'gcal: and everything read again');
		}
	},
	ga4 => {
		hosts => [ 'https://analyticsdata.googleapis.com', 'https://oauth2.googleapis.com' ],
		replace => { '2024-05-01T00:00:00+03:00' => "${day}T00:00:00+02:00", '"limit": 100000' => '"limit": 10' },
		keys => undef,
		list => qr{:runReport$},
		check => sub {
			my ($first, $second) = @_;
			my @days = map { decode_json($_->{body})->{dateRanges}[0]{startDate} } @$first;
			is((sort @days)[0], $day, 'ga4: begins at the first day');
			is(scalar(grep { $_ eq $day } @days), 3, 'ga4: three pages of a day');
			cmp_ok(sql('SELECT count(DISTINCT day) FROM ga4_users'), '>=', 5, 'ga4: all days');
			is(sql('SELECT count(*) FROM ga4_users GROUP BY day HAVING count(*) <> 25'), '', 'ga4: all rows of each');
			my @again = sort map { decode_json($_->{body})->{dateRanges}[0]{startDate} } @$second;
			cmp_ok($again[0], 'gt', $day, 'ga4: then only the last days');
			cmp_ok(sql('SELECT count(DISTINCT day) FROM ga4_users WHERE active_users = length(country) + 1'), '>=', 3, 'ga4: are read again');
		}
	},
	sheets => {
		hosts => ['https://sheets.googleapis.com'],
		keys => 'SELECT sku FROM sheets_stock',
		list => qr{/values/},
		again => undef,
		check => sub {
			is(sql("SELECT counted_on FROM sheets_stock WHERE sku = 'SKU-1'"), '2024-05-02', 'sheets: a date');
			is(sql("SELECT string_agg(note, ' ') FROM sheets_stock"), 'changed changed', 'sheets: a cell that not all rows have');
		}
	},
	mailchimp => {
		hosts => ['https://us1.api.mailchimp.com'],
		replace => { '"limit": 1000' => '"limit": 100' },
		keys => 'SELECT id FROM mailchimp_members',
		list => qr{/members$},
		since => sub { instant($_[0]{query}{since_last_changed}) },
		back => 1,
		check => sub {
			is(sql("SELECT count(*) FROM mailchimp_members WHERE phone IS NULL"), '127', 'mailchimp: an empty text is none');
		}
	},
	xero => {
		hosts => [ 'https://api.xero.com', 'https://identity.xero.com' ],
		set => { problem => 'minute' },
		keys => 'SELECT id FROM xero_invoices',
		list => qr{/Invoices$},
		since => sub { instant($_[0]{headers}{'if-modified-since'}) },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply([ map { $_->{status} } @$first[ 0, 1 ] ], [ 429, 200 ], 'xero: a limit a minute is waited for');
			is(sql("SELECT day FROM xero_invoices WHERE number = 'INV-1'"), '2024-05-01', 'xero: a date');
			imitation('xero', problem => 'day');
			$api->clear_requests;
			my $run = run_job('xero');
			is($run->{status}, 'failed', 'xero: a limit a day ends the run');
			like(error_of($run), qr/daily limit of Xero/, 'xero: and says so');
			is(scalar(grep { $_->{path} =~ /Invoices/ } @{ $api->requests }), 1, 'xero: after one request');
		}
	},
	quickbooks => {
		hosts => [ 'https://quickbooks.api.intuit.com', 'https://oauth.platform.intuit.com' ],
		replace => { '"limit": 1000' => '"limit": 100' },
		keys => 'SELECT id FROM quickbooks_invoices',
		list => qr{/query$},
		since => sub { $_[0]{query}{query} =~ />= '([^']+)'/ or die; instant($1) },
		again => 1,
		check => sub {
			my ($first) = @_;
			is_deeply([ map { ($_->{query}{query} =~ /STARTPOSITION (\d+)/)[0] } @$first ], [ 1, 101, 201, 301 ], 'quickbooks: pages inside of the query');
			# Only the refresh token of the last answer is good.
			for my $round (1, 2)
			{
				imitation('quickbooks', expire => JSON::PP::true);
				is(run_job('quickbooks')->{status}, 'completed', 'quickbooks: a refresh token that rotates');
			}
		}
	},
	pipedrive => {
		hosts => ['https://api.pipedrive.com'],
		keys => 'SELECT id FROM pipedrive_deals',
		list => qr{/recents$},
		since => sub { instant($_[0]{query}{since_timestamp}) },
		again => 1,
		check => sub {
			my ($first) = @_;
			is($first->[0]{query}{api_token}, 'pipedrive-token', 'pipedrive: the token');
			unlike(slurp_file($node->logfile), qr/api_token=pipedrive/, 'pipedrive: is in no log');
		}
	},
	twilio => {
		hosts => ['https://api.twilio.com'],
		keys => 'SELECT sid FROM twilio_calls',
		list => qr{/Calls\.json$},
		since => sub { instant($_[0]{query}{'EndTime>'}) },
		back => 86400,
		each => { name => 'twilio', of => sub { ($_[0]{path} =~ m{/Accounts/([^/]+)/})[0] }, all => [qw(AC01 AC02 AC03)] },
		check => sub {
			is(sql("SELECT count(*) FROM twilio_calls WHERE ended_at IS NULL"), '0', 'twilio: a call that went on has ended');
		}
	},
	openfda => {
		hosts => ['https://api.fda.gov'],
		replace => { '"limit": "1000"' => '"limit": "100"', '"requestsPerMinute": 240' => '"requestsPerMinute": 6000' },
		keys => 'SELECT id FROM openfda_events',
		list => qr{/event\.json$},
		since => sub { $_[0]{query}{search} =~ /\[(\d+) TO/ or die; instant($1) },
		# The reports of the last day.
		again => 21,
		check => sub {
			my ($first) = @_;
			is($_->{query}{api_key}, 'openfda-key', 'openfda: the key, on every page') for @$first;
			is(sql('SELECT drugs FROM openfda_events LIMIT 1'), '{ASPIRIN}', 'openfda: a list');
		}
	},
	worldbank => {
		hosts => ['https://api.worldbank.org'],
		replace => { '"pageSize": 1000' => '"pageSize": 400' },
		keys => q{SELECT country || '/' || year FROM worldbank_population},
		list => qr{/indicator/},
		since => sub { ($_[0]{query}{date} =~ /^(\d+):/)[0] },
		back => 1,
		check => sub {
			my ($first) = @_;
			is(scalar(@$first), 2, 'worldbank: as many pages as there are');
			my $text = example('worldbank');
			$text =~ s/SP\.POP\.TOTL/NO.SUCH/;
			sql($text);
			my $run = run_job('worldbank');
			is($run->{status}, 'failed', 'worldbank: an array of one is an error');
			like(error_of($run), qr/provided parameter value is not valid/, 'worldbank: in its words');
		}
	});

my @files = map { m{([^/]+)\.sql$} } sort glob("$examples/*.sql");
is_deeply(\@files, [ sort keys %api ], 'every example is known here');
my @only = split /,/, $ENV{EXAMPLES} // '';

for my $name (@only ? @only : @files)
{
	subtest $name => sub { run_example($name, %{ $api{$name} }) };
}

# The text of an example, for the sample API.
sub example
{
	my ($name) = @_;
	my %this = %{ $api{$name} };
	my $text = slurp_file("$examples/$name.sql");
	my $base = $api->url('/apis/' . ($this{imitation} // $name));

	for my $host (@{ $this{hosts} })
	{
		like($text, qr/\Q$host\E/, "$name has $host");
		$text =~ s/\Q$host\E/$base/g;
	}
	unlike($text =~ s/^--.*$//mgr, qr{https://}, "$name goes nowhere else");
	for my $from (sort keys %{ $this{replace} // {} })
	{
		like($text, qr/\Q$from\E/, "$name has $from");
		$text =~ s/\Q$from\E/$this{replace}{$from}/g;
	}
	return $text;
}

sub run_job
{
	my ($name) = @_;
	return enqueue_and_wait($node, 'postgres', $name);
}

sub error_of
{
	my ($run) = @_;
	return ref $run->{error} ? encode_json($run->{error}) : $run->{error} // '';
}

sub run_example
{
	my ($name, %this) = @_;
	my $imitation = $this{imitation} // $name;
	my $list = $this{list} // qr/./;

	imitation($imitation, reset => JSON::PP::true, %{ $this{set} // {} });
	$api->clear_requests;
	my ($ret, undef, $error) = $node->psql('postgres', example($name));
	is($ret, 0, 'it is taken') or diag($error) or return;

	my $run = run_job($name);
	is($run->{status}, 'completed', 'everything: completed') or diag(error_of($run));
	my $before = compare($imitation, $this{keys}, 'everything');
	my @first = grep { $_->{path} =~ $list } @{ $api->requests };
	ask_each($this{each}, \@first) if $this{each};

	my $after = imitation($imitation, advance => JSON::PP::true);
	$api->clear_requests;
	$run = run_job($name);
	is($run->{status}, 'completed', 'what is new: completed') or diag(error_of($run));
	compare($imitation, $this{keys}, 'what is new');
	my @second = grep { $_->{path} =~ $list } @{ $api->requests };
	ask_each($this{each}, \@second) if $this{each};

	if ($this{since})
	{
		my $since = $this{since}->($second[0] // die "$name asked for nothing");
		my $latest = $before->{latest};
		cmp_ok($since, '<=', $latest, 'it asks from no later than the last value');
		cmp_ok($since, '>=', $latest - ($this{back} // 0), 'and from no earlier');
		cmp_ok($this{since}->($first[0]), '<', $latest - ($this{back} // 0), 'which at first it did not');
	}
	if (exists $this{again} && defined $this{again})
	{
		cmp_ok($run->{records_processed} - parent_items($name, \%this), '<=', @{ $after->{changed} } + $this{again}, 'only what is new comes');
	}
	$this{check}->(\@first, \@second) if $this{check};
	return;
}

# Rows are what the imitation has, no more and no less.
sub compare
{
	my ($imitation, $keys, $what) = @_;
	my $truth = imitation($imitation);
	return $truth if !defined $keys;
	my @rows = sort split /\n/, sql($keys);
	my @wanted = sort @{ $truth->{keys} };
	is(scalar(@rows), scalar(@wanted), "$what: as many rows");
	is_deeply(\@rows, \@wanted, "$what: the rows") if @rows == @wanted;
	return $truth;
}

# Each of the parent's rows was asked for.
sub ask_each
{
	my ($each, $requests) = @_;
	my %asked = map { $each->{of}->($_) => 1 } @$requests;
	is_deeply([ sort keys %asked ], $each->{all}, 'each parent was asked for');
	return;
}

# The items of the parent's step, which come every time.
sub parent_items
{
	my ($name, $this) = @_;
	return $this->{each} ? scalar(@{ $this->{each}{all} }) : 0;
}

unlike(join("\n", grep { !/LOG:  statement: / } split /\n/, slurp_file($node->logfile)), qr/TRAP:|terminated by signal/, 'no crash');
$node->stop;
$api->stop;
done_testing();
