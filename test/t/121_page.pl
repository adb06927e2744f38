# The page in a browser, headless Chromium: it shows itself as it is, refreshes itself, and asks for nothing else.
# SCREENSHOTS=directory keeps the pictures.
# sanitize: skip (the server's part is tested by 120_watch.pl)
use strict;
use warnings FATAL => 'all';

use Compress::Zlib ();
use FindBin;
use HTTP::Tiny;
use IPC::Run ();
use lib "$FindBin::RealBin/lib";
use SampleApi;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($browser) = grep { -x } map { my $name = $_; map { "$_/$name" } split /:/, $ENV{PATH} } 'chromium', 'chromium-browser', 'google-chrome';
plan skip_all => 'there is no chromium here' unless defined $browser;

my $token = 'a-token-of-32-characters-or-more';
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $api = SampleApi->start;
my $node = databite_node('main', conf => "databite.webhook_listen = '127.0.0.1:$port'\ndatabite.watch_token = '$token'\ncluster_name = 'orders-1'");
my $directory = PostgreSQL::Test::Utils::tempdir_short();

sub sql { return $node->safe_psql('postgres', shift); }

# What chromium prints, and what it says of errors of the page.
sub browse
{
	my ($what, %options) = @_;
	my @command = ($browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars',
		'--no-first-run', '--disable-background-networking', '--enable-logging=stderr', "--user-data-dir=$directory/profile",
		'--window-size=' . ($options{size} // '1280,1500'), '--virtual-time-budget=' . ($options{time} // 1000));

	push @command, '--blink-settings=preferredColorScheme=0' if $options{dark};
	my ($out, $error);
	IPC::Run::run([ @command, $what, "http://me:$token\@127.0.0.1:$port/" ], \undef, \$out, \$error,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return ($out, join "\n", grep { /CONSOLE/ } split /\n/, $error);
}

# A picture: it has the size that was asked for, the right background, and something on it.
sub screenshot
{
	my ($name, $background, %options) = @_;
	my $file = "$directory/$name.png";

	my (undef, $complaints) = browse("--screenshot=$file", %options);
	is($complaints, '', "$name: the browser has nothing to complain of");
	my ($size, $corner, $variety) = look_at(slurp_file($file));
	is($size, $options{size}, "$name: its size");
	is($corner, $background, "$name: its background");
	cmp_ok($variety, '>', 200, "$name: it is not blank");
	system('cp', $file, $ENV{SCREENSHOTS}) == 0 || diag("$file could not be copied") if defined $ENV{SCREENSHOTS};
	return;
}

# Size, first pixel and number of different bytes of a PNG.  A row is told by its differences from what is around it, so of a blank one all are 0.
sub look_at
{
	my ($png) = @_;
	my ($pixels, $place, $size) = ('', 8);

	while ($place < length $png)
	{
		my ($length, $kind) = unpack 'N a4', substr $png, $place, 8;
		my $body = substr $png, $place + 8, $length;
		$size = join ',', unpack 'N N', $body if $kind eq 'IHDR';
		$pixels .= $body if $kind eq 'IDAT';
		$place += 12 + $length;
	}
	$pixels = Compress::Zlib::uncompress($pixels);
	return ($size, unpack('x H6', $pixels), scalar grep { index($pixels, chr) >= 0 } 0 .. 255);
}

# Jobs as there may be some: with a past, failing, paused, waiting, and one that is at work.
sql('CREATE EXTENSION databite');
sql(q(CREATE FUNCTION job(id text, name text, more text DEFAULT '') RETURNS void LANGUAGE sql AS $$
	SELECT databite.schedule_job(format('{"id": "%s", "name": "%s", "source": {"type": "inline", "items": [{"id": 1}]},
		"destination": {"type": "database", "table": "rows", "schema": {"id": "bigint"}, "key": "id"} %s}', id, name, more)::jsonb) $$));
sql(q(SELECT job('customers', 'Customers of the shop', ', "schedule": {"type": "cron", "expression": "0 3 * * *"}'), job('invoices', 'Invoices', ', "schedule": {"type": "cron", "expression": "0 4 1 1 *"}'),
	job('prices', 'Prices of all suppliers', ', "schedule": {"type": "cron", "expression": "0 5 * * 1"}'), job('stock_levels', 'Stock', ', "enabled": false'),
	job('weather', 'Weather for deliveries'), job('exchange_rates', 'Exchange rates', ', "schedule": {"type": "cron", "expression": "0 6 * * *"}')));
sql(q(INSERT INTO databite.run (job_id, owner, status, trigger, started_at, finished_at, records_processed, records_inserted,
		records_updated, records_rejected, error)
	SELECT j, current_user::regrole, CASE WHEN j = 'invoices' AND i IN (1, 2, 9) THEN 'failed' WHEN j = 'prices' AND i % 6 = 1 THEN 'partial'
			ELSE 'completed' END, 'schedule',
		t.finished_at - (2 + (i * 7919 + length(j) * 31) % 11 + length(j)) * interval '0.7 s', t.finished_at,
		12000 + (i * 7717) % 4000, (i * 331 + length(j)) % 900, (i * 677) % 3000, CASE WHEN j = 'prices' AND i % 6 = 1 THEN 14 ELSE 0 END,
		CASE WHEN j = 'invoices' AND i IN (1, 2, 9) THEN jsonb_build_object('code', 'http_status', 'step', 'main',
			'message', 'https://api.example.com/v2/invoices?... answered 503 Service Unavailable') END
	FROM unnest(ARRAY['customers', 'invoices', 'prices', 'exchange_rates', 'stock_levels']) AS j, generate_series(24, 1, -1) AS i,
		LATERAL (SELECT now() - (i - 0.8) * interval '37 min' AS finished_at) AS t;
	INSERT INTO databite.rejected_item (job_id, owner, run_id, step, item, error_code, message, column_name)
	SELECT 'prices', current_user::regrole, run_id, 'main', '{}', '22P02', 'x', 'amount'
	FROM (SELECT max(run_id) AS run_id FROM databite.run WHERE job_id = 'prices') AS r, generate_series(1, 14)));
sql(sprintf q(SELECT databite.schedule_job('{"id": "catalog", "name": "Catalog of products", "source": {"type": "api", "timeout": "300s",
		"url": "%s", "pagination": {"type": "offset", "limit": 100, "totalPath": "total"}, "dataPath": "data"},
	"destination": {"type": "database", "table": "catalog", "schema": {"id": "bigint", "name": "text"}, "key": "id"}}')),
	$api->url('/users?size=500&envelope=data&fault=silent:after=3:scope=path'));
sql(q(SELECT databite.enqueue_job('catalog')));
wait_for_sql($node, 'postgres', q(SELECT waiting_for = 'response' AND items >= 300 FROM databite.progress));
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if HTTP::Tiny->new->get("http://127.0.0.1:$port/health")->{status} == 200;
	select(undef, undef, undef, 0.1);
}

screenshot('wide-light', 'f6f7f9', size => '1280,1000');
screenshot('wide-dark', '12161b', size => '1280,1000', dark => 1);
screenshot('narrow-light', 'f6f7f9', size => '500,1400');

# The script loads the page again, puts in what is new, and says so.
my ($dom, $complaints) = browse('--dump-dom', time => 12000);
is($complaints, '', 'nothing to complain of while it refreshes itself');
like($dom, qr/<html [^>]*data-refreshed="[1-9]"/, 'the page refreshes itself');
like($dom, qr/<progress max="500" value="300"/, 'the run that goes on is there');
like($dom, qr/rowheader">invoices<.*rowheader">catalog</s, 'the jobs are there');
unlike($dom, qr/class="stale"/, 'and it is new');

sql(q(SELECT databite.cancel_job('catalog')));
$node->stop;
done_testing();
