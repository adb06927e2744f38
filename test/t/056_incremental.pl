# Incremental sync: what is asked for, what has been seen, and that nothing is lost in between.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

# A source whose behaviour is set by PUT /_set: {"items": [...], "field": "at", "fail": ["2024-01-03"], ...}. It gives the
# items of which field is at least "since" and less than "until", as numbers, times or texts, whatever both are.
my $program = <<'PYTHON';
import json, os, sys, threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

state = {}
log = []

def key(value):
    try:
        return (0, int(value), "")
    except (TypeError, ValueError):
        pass
    try:
        time = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return (1, (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp(), "")
    except ValueError:
        return (2, 0, str(value))

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, value, status=200, headers=()):
        body = b"" if status == 304 else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        state.clear()
        state.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        log.clear()
        self.answer({})

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if url.path == "/_log":
            taken = list(log)
            log.clear()
            return self.answer(taken)
        log.append({"path": url.path, "query": query, "headers": {n.lower(): v for n, v in self.headers.items()}})
        items = state.get("items", [])
        if query.get("since") in state.get("fail", []) or query.get("offset") in state.get("fail", []):
            return self.answer({"error": "out of order"}, 500)
        if url.path == "/changes":
            return self.changes(query, items)
        if "etag" in state:
            validators = [("ETag", state["etag"])]
            if self.headers.get("If-None-Match") == state["etag"]:
                return self.answer(None, 304, validators)
            return self.answer(items, 200, validators)
        if "modified" in state:
            if self.headers.get("If-Modified-Since") == state["modified"]:
                return self.answer(None, 304)
            return self.answer(items, 200, [("Last-Modified", state["modified"])])
        if "since" in query and "field" in state:
            items = [i for i in items if key(i.get(state["field"])) >= key(query["since"])]
        if "until" in query and "field" in state:
            items = [i for i in items if key(i.get(state["field"])) < key(query["until"])]
        if "offset" in query:
            items = items[int(query["offset"]):int(query["offset"]) + int(query["limit"])]
        self.answer(items)

    # A list of changes: a token is the number of those that were seen.
    def changes(self, query, items):
        token = query.get("syncToken")
        if token is not None and token in state.get("expired", []):
            return self.answer({"error": "gone"}, state.get("gone", 410))
        begin = int(token[1:]) if token is not None else 0
        begin += 2 * int(query.get("page", "0"))
        answer = {"items": items[begin:begin + 2]}
        if begin + 2 < len(items):
            answer["nextPage"] = str(int(query.get("page", "0")) + 1)
        else:
            answer["nextToken"] = "t%d" % len(items)
        self.answer(answer)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(sys.argv[1] + ".new", "w") as file:
    file.write("%d\n" % server.server_address[1])
os.rename(sys.argv[1] + ".new", sys.argv[1])
sys.stdin.read()
PYTHON

my $directory = PostgreSQL::Test::Utils::tempdir_short();
append_to_file("$directory/source.py", $program);
my ($in, $out) = ('', '');
my $server = IPC::Run::start([ 'python3', "$directory/source.py", "$directory/port" ], \$in, \$out, '2>&1');
wait_for_file("$directory/port", sub { $server->pumpable }) or die "the source did not start: $out";
my $address = 'http://127.0.0.1:' . (split /\n/, slurp_file("$directory/port"))[0];
my $http = HTTP::Tiny->new(timeout => 30);

my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

sub sql { return $node->safe_psql('postgres', shift); }

# What the source does from now on.
sub source
{
	my (%state) = @_;
	my $response = $http->request('PUT', "$address/_set", { content => encode_json(\%state) });
	die "$response->{status} $response->{content}" unless $response->{success};
	return;
}

# The requests since the last call, or the values of one parameter in them.
sub requests
{
	my ($parameter) = @_;
	my $requests = decode_json($http->get("$address/_log")->{content});
	return defined $parameter ? join(' ', map { $_->{query}{$parameter} // '-' } @$requests) : $requests;
}

# Schedules job "j", which writes id and note into table j; a hash is merged over its source.
sub schedule
{
	my ($incremental, %source) = @_;
	my %destination = %{ delete $source{destination} // {} };
	schedule_job(
		$node,
		'postgres',
		{
			id => 'j',
			source => {
				type => 'api',
				url => "$address/items",
				query => { since => '{{ cursor }}' },
				retry => { attempts => 1 },
				(defined $incremental ? (incremental => $incremental) : ()),
				%source
			},
			destination => { type => 'database', table => 'j', %destination },
			transform => { id => '{{ item.id }}', note => '{{ item.note }}' }
		});
	return;
}

# A new job and an empty table.
sub begin
{
	my @arguments = @_;
	sql(q{SELECT databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id = 'j'});
	sql('DROP TABLE IF EXISTS j; CREATE TABLE j (id text PRIMARY KEY, note text)');
	return schedule(@arguments);
}

# Runs the job in this session: "processed/inserted/updated", or what it failed with.
sub run
{
	my $result = execute_job($node, 'postgres', 'j');
	return join('/', @$result{qw(records_processed records_inserted records_updated)}) if $result->{status} eq 'completed';
	return "$result->{status}: $result->{error}{message}";
}

sub cursor { return sql(q{SELECT cursor FROM databite.cursors WHERE job_id = 'j'}); }
sub rows { return sql(q{SELECT string_agg(id, ' ' ORDER BY length(id), id) FROM j}); }

# Items of "id value" pairs.
sub items
{
	my ($field, @pairs) = @_;
	my @items;
	while (my ($id, $value) = splice @pairs, 0, 2)
	{
		push @items, { id => $id, (defined $value ? ($field => $value) : ()) };
	}
	return (items => \@items, field => $field);
}

subtest 'formats of requests' => sub {
	my %shown = (
		iso => '2024-03-01T10:20:30Z',
		epoch => '1709288430',
		epoch_ms => '1709288430456',
		epoch_float => '1709288430.456789',
		date => '2024-03-01',
		http => 'Fri, 01 Mar 2024 10:20:30 GMT',
		'%Y-%m-%d %H:%M' => '2024-03-01 10:20',
		'%d.%m.%Y %H:%M:%S' => '01.03.2024 10:20:30');

	source();
	foreach my $format (sort keys %shown)
	{
		begin(
			{ format => $format, initialValue => '2024-03-01T10:20:30.456789Z', end => '2024-03-01T10:20:30.456789Z' },
			query => { since => '{{ cursor }}', from => '{{ window.from }}', to => '{{ window.to }}', last => '{{ last_sync_time }}' },
			headers => { 'X-Since' => '{{ cursor }}' });
		is(run(), '0/0/0', $format);
		my ($request) = @{ requests() };
		is($request->{query}{$_}, $shown{$format}, "$format: $_") foreach qw(since from to);
		is($request->{query}{last}, '2024-03-01T10:20:30Z', "$format: last_sync_time");
		is($request->{headers}{'x-since'}, $shown{$format}, "$format: header");
	}

	# of a time zone: what has no zone is of it, and comes back as it was
	foreach (
		[ '%Y-%m-%d %H:%M', 'Europe/Riga', '2024-03-01T10:20:00Z', '2024-03-01 12:20' ],
		[ '%Y-%m-%d %H:%M', 'America/New_York', '2024-07-01T03:20:00Z', '2024-06-30 23:20' ],
		[ '%Y-%m-%d %H:%M', 'Europe/Riga', '2024-03-01 10:20', '2024-03-01 10:20' ],
		[ '%d.%m.%Y %H:%M', 'America/New_York', '01.07.2024 23:20', '01.07.2024 23:20' ],
		[ '%Y-%m-%dT%H:%M:%S%z', '+02:00', '2024-03-01T10:20:00Z', '2024-03-01T12:20:00+0200' ],
		[ 'date', 'America/New_York', '2024-03-01', '2024-03-01' ],
		[ 'date', 'Asia/Tokyo', '2024-03-01', '2024-03-01' ],
		[ 'date', 'Asia/Tokyo', '2024-03-01T20:00:00Z', '2024-03-02' ],
		# the hour that there is twice: from its first time on, and before that an hour earlier
		[ '%H:%M', 'Europe/Riga', '2024-10-27T01:30:00Z', '03:30' ],
		[ '%H:%M', 'Europe/Riga', '2024-10-27T00:30:00Z', '02:30' ],
		[ '%H:%M', 'America/New_York', '2024-11-03T05:30:00Z', '00:30' ],
		[ '%H:%M', 'America/New_York', '2024-03-10T07:30:00Z', '03:30' ])
	{
		my ($format, $zone, $value, $since) = @$_;
		begin({ format => $format, timezone => $zone, initialValue => $value });
		is(run(), '0/0/0', "$format in $zone");
		is(requests('since'), $since, "$value in $zone");
	}
};

subtest 'times' => sub {
	source(items(at => a => '2024-05-01T10:00:00Z', b => '2024-05-01T12:00:00.750+02:00', c => '2024-04-01'));
	begin({ cursorField => 'at' });
	is(run(), '3/3/0', 'everything');
	is(requests('since'), '1970-01-01T00:00:00Z', 'since the beginning');
	is(cursor(), '2024-05-01T10:00:00.750000Z', 'the greatest is kept');

	is(run(), '2/0/0', 'what is equal to the lower bound comes again');
	is(requests('since'), '2024-05-01T10:00:00Z', 'in whole seconds, rounded down');

	source(
		items(
			at => a => '2024-05-01T10:00:00Z',
			b => '2024-05-01T12:00:00.750+02:00',
			d => '2024-05-01T10:00:00.750Z',
			e => '2024-05-01T10:00:00.100Z'));
	is(run(), '4/2/0', 'equal times and earlier ones of the same second');
	is(rows(), 'a b c d e', 'are not lost');
	is(cursor(), '2024-05-01T10:00:00.750000Z', 'and the cursor stays');

	source(items(at => f => '2024-05-01T09:30:00Z'));
	is(run(), '0/0/0', 'a late one is not asked for');
	schedule({ cursorField => 'at', lookback => '1h' });
	is(run(), '1/1/0', 'but with a lookback');
	is(requests('since'), '2024-05-01T10:00:00Z 2024-05-01T09:00:00Z', 'which is taken off');
	is(run(), '1/0/0', 'again');
	is(requests('since'), '2024-05-01T09:00:00Z', 'and only once');
	is(cursor(), '2024-05-01T10:00:00.750000Z', 'an earlier time does not move it');

	# where times have no zone
	source(items(at => a => '2024-07-01 10:00:00'));
	begin({ cursorField => 'at', format => '%Y-%m-%d %H:%M:%S', timezone => 'Europe/Riga' });
	is(run(), '1/1/0', 'a time without a zone');
	is(cursor(), '2024-07-01T07:00:00.000000Z', 'is of the time zone');
	is(run(), '1/0/0', 'and comes again');
	is(requests('since'), '1970-01-01 03:00:00 2024-07-01 10:00:00', 'as it is written');

	# seconds, in numbers and texts
	source(items(at => a => 1709288430, b => '1709288431'));
	begin({ cursorField => 'at', format => 'epoch', initialValue => 1709288430 });
	is(run(), '2/2/0', 'seconds');
	is(run(), '1/0/0', 'and from the last on');
	is(requests('since'), '1709288430 1709288431', 'as seconds');

	# the upper bound
	source(items(at => a => '2024-05-01T10:00:00Z', b => '9999-01-01T00:00:00Z'));
	begin({ cursorField => 'at', end => '2024-06-01' }, query => { since => '{{ cursor }}', until => '{{ window.to }}' });
	is(run(), '1/1/0', 'until the end');
	is(requests('until'), '2024-06-01T00:00:00Z', 'which is asked for');
	begin({ cursorField => 'at', end => '2024-06-01' });
	is(run(), '2/2/0', 'one that the source gives all the same');
	is(cursor(), '2024-06-01T00:00:00.000000Z', 'moves the cursor to the end only');
	begin({ cursorField => 'at', lag => '1h' });
	is(run(), '2/2/0', 'one in the future');
	is(sql(q{SELECT cursor::timestamptz BETWEEN now() - interval '61 min' AND now() - interval '1 h' FROM databite.cursors}),
		't', 'moves it to the lag only');
};

subtest 'numbers and texts' => sub {
	source(items(n => a => 9007199254740992, b => 9007199254740993, c => -1));
	begin({ cursorField => 'n', type => 'number', initialValue => -5 });
	is(run(), '3/3/0', 'numbers');
	is(cursor(), '9007199254740993', 'exactly');
	is(run(), '1/0/0', 'the greatest again');
	is(requests('since'), '-5 9007199254740993', 'exactly');
	schedule({ cursorField => 'n', type => 'number', lookback => 1.5 });
	run();
	is(requests('since'), '9007199254740991.5', 'a lookback is taken off');

	source(items(n => a => '00123456789012345678901234567890', b => '12.5', c => '-0'));
	begin({ cursorField => 'n', type => 'number' }, query => { from => '{{ cursor }}' });
	is(run(), '3/3/0', 'numbers in texts');
	is(run(), '3/0/0', 'which may have zeros in front');
	is(requests('from'), '0 123456789012345678901234567890', 'and any number of digits');

	source(items(n => a => '1e99999'));
	is(run(), 'failed: item 1 has no usable value at "n"', 'but no more than a numeric');

	source(items(v => a => 'b', b => 'a', c => 'B'));
	begin({ cursorField => 'v', type => 'text', initialValue => 'A' });
	is(run(), '3/3/0', 'texts');
	is(run(), '1/0/0', 'the greatest again');
	is(requests('since'), 'A b', 'by bytes');
	is(cursor(), 'b', 'kept');
};

subtest 'the clock' => sub {
	source();
	begin({ lookback => '1h', initialValue => '2024-01-01', format => 'epoch_ms' });
	run();
	is(requests('since'), '1704067200000', 'begins with the initial value');
	my $last = sql(q{SELECT trunc(extract(epoch FROM last_sync_time - interval '1 h') * 1000) FROM databite.cursors});
	run();
	is(requests('since'), $last, 'and goes on from when the last run began');

	# What was not asked for is asked for by the next run.
	begin({ lag => '1h', format => 'epoch_float' }, query => { since => '{{ cursor }}', until => '{{ window.to }}' });
	run();
	my ($until) = requests('until');
	run();
	is(requests('since'), $until, 'or from where it ended');
	is(sql("SELECT to_timestamp($until) BETWEEN now() - interval '61 min' AND now() - interval '1 h'"), 't', 'an hour ago');
};

subtest 'windows' => sub {
	my @days = map { ("i$_" => "2024-01-0${_}T12:00:00Z") } 1 .. 5;
	my %query = (since => '{{ window.from }}', until => '{{ window.to }}');
	my $incremental = { initialValue => '2024-01-01', end => '2024-01-06', step => '1d', format => 'date' };

	foreach my $clock (0, 1)
	{
		my $of = $clock ? 'clock: ' : 'field: ';

		source(items(at => @days), fail => ['2024-01-03']);
		begin({ %$incremental, $clock ? () : (cursorField => 'at') }, query => \%query, parallel => { maxConcurrency => 1 });
		my $run = enqueue_and_wait($node, 'postgres', 'j');
		is($run->{status}, 'failed', "${of}the third window fails");
		is(requests('since'), '2024-01-01 2024-01-02 2024-01-03', "${of}those before it come in order");
		is(rows(), 'i1 i2', "${of}and stay");
		is(cursor(), '2024-01-03T00:00:00.000000Z', "${of}databite.cursors says how far it came");
		enqueue_and_wait($node, 'postgres', 'j');
		is(requests('since'), '2024-01-03', "${of}a second run begins there");
		is(cursor(), '2024-01-03T00:00:00.000000Z', "${of}and comes no farther");

		source(items(at => @days));
		$run = enqueue_and_wait($node, 'postgres', 'j');
		is($run->{status}, 'completed', "${of}the next run");
		my $requests = requests();
		is(join(' ', map { "$_->{query}{since}..$_->{query}{until}" } @$requests),
			'2024-01-03..2024-01-04 2024-01-04..2024-01-05 2024-01-05..2024-01-06', "${of}reads the rest");
		is(rows(), 'i1 i2 i3 i4 i5', "${of}everything is there");
		is(cursor(), '2024-01-06T00:00:00.000000Z', "${of}up to the end");
		$run = enqueue_and_wait($node, 'postgres', 'j');
		is("$run->{status} " . @{ requests() }, 'completed 0', "${of}and nothing is left to be asked for");
	}

	# Several at once, and a table without a key: nothing twice.
	source(items(at => @days), fail => ['2024-01-03']);
	begin($incremental, query => \%query);
	sql('ALTER TABLE j DROP CONSTRAINT j_pkey');
	schedule($incremental, query => \%query, destination => { mode => 'insert' });
	is(enqueue_and_wait($node, 'postgres', 'j')->{status}, 'failed', 'inserts: the third window fails');
	source(items(at => @days));
	is(enqueue_and_wait($node, 'postgres', 'j')->{status}, 'completed', 'inserts: the next run');
	is(rows(), 'i1 i2 i3 i4 i5', 'inserts: nothing twice');

	# Up to now, in whole days of the format.
	source();
	begin({ initialValue => '-30d', step => '7d', format => 'date' }, query => \%query);
	is(run(), '0/0/0', 'until today');
	is(scalar(split / /, requests('since')), 5, 'thirty days in weeks');
	is(sql(q{SELECT cursor::timestamptz = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM databite.cursors}),
		't', 'the day that is not over is left to the next run');

	# Days of a zone in which clocks change have 23 and 25 hours; none is left out.
	foreach ([ 'Europe/Riga', '2024-10-25', '2024-10-30' ], [ 'America/New_York', '2024-03-08', '2024-03-13' ])
	{
		my ($zone, $from, $to) = @$_;
		begin({ initialValue => $from, end => $to, step => '1d', format => 'date', timezone => $zone },
			query => \%query, parallel => { maxConcurrency => 1 });
		run();
		my @requests = @{ requests() };
		is($requests[0]{query}{since}, $from, "$zone: the first day");
		is($requests[-1]{query}{until}, $to, "$zone: the last day");
		is($requests[$_]{query}{since}, $requests[ $_ - 1 ]{query}{until}, "$zone: window $_") foreach 1 .. $#requests;
	}
};

subtest 'sync token' => sub {
	my @source = (
		url => "$address/changes",
		query => { since => '{{ cursor }}', kind => 'all' },
		pagination => { type => 'cursor', cursorPath => 'nextPage', cursorParam => 'page' });
	my $incremental = { syncToken => { path => 'nextToken', param => 'syncToken', drop => ['since'] } };

	source(items(at => map { $_ => undef } qw(a b c)));
	begin($incremental, @source);
	is(run(), '3/3/0', 'everything');
	is(requests('syncToken'), '- -', 'without a token');
	source(items(at => map { $_ => undef } qw(a b c d e f)));
	is(run(), '3/3/0', 'what has changed');
	my @requests = @{ requests() };
	is(join(' ', map { $_->{query}{syncToken} // '-' } @requests), 't3 t3', 'the token goes with every page');
	is(join(' ', map { $_->{query}{since} // '-' } @requests), '- -', 'without the parameters that do not go with it');
	is(join(' ', map { $_->{query}{kind} // '-' } @requests), 'all all', 'and with the others');

	source(items(at => map { $_ => undef } qw(a b c d e f g)), expired => ['t6']);
	is(run(), '7/1/0', 'a token that has expired: everything again');
	is(requests('syncToken'), 't6 - - - -', 'without it');
	is(sql(q{SELECT array_to_string(notices, '') LIKE '%forgotten the sync token%' FROM databite.runs WHERE job_id = 'j' ORDER BY run_id DESC LIMIT 1}),
		't', 'history says so');
	is(run(), '0/0/0', 'then as before');
	is(requests('syncToken'), 't7', 'with the new one');

	source(items(at => map { $_ => undef } qw(a)), expired => ['t7'], gone => 400);
	like(run(), qr/^failed: /, 'another status is an error');
	$incremental->{syncToken}{expiredStatus} = 400;
	schedule($incremental, @source);
	is(run(), '1/0/0', 'but where the definition names it');
	is(requests('syncToken'), 't7 t7 -', 'the token was kept meanwhile');

	# without a key all of it would be there twice
	source(items(at => map { $_ => undef } qw(a b c)));
	begin($incremental, @source, destination => { mode => 'insert' });
	is(run(), '3/3/0', 'rows that are only inserted');
	source(items(at => map { $_ => undef } qw(a b c d)), expired => ['t3'], gone => 400);
	like(run(), qr/^failed: the source has forgotten the sync token/, 'are not read anew');
	is(sql('SELECT count(*) FROM j'), '3', 'and stay as they are');
	sql(q{TRUNCATE j; SELECT databite.reset_job('j')});
	is(run(), '4/4/0', 'until somebody has emptied the table, and says so');
};

subtest 'conditions' => sub {
	source(items(x => a => 1), etag => '"v1"');
	begin(undef, query => {}, cache => { conditional => JSON::PP::true });
	is(run(), '1/1/0', 'a first answer');
	is(run(), '0/0/0', 'nothing has changed');
	is(join(' ', map { $_->{headers}{'if-none-match'} // '-' } @{ requests() }), '- "v1"', 'asked by its tag');
	is(run(), '0/0/0', 'and still has not');
	source(items(x => a => 1, b => 2), etag => '"v2"');
	is(run(), '2/1/0', 'until it has');
	schedule(undef, query => {}, cache => { conditional => JSON::PP::true }, where => '{{ true }}');
	is(run(), '2/0/0', 'another definition makes other rows');
	schedule(undef, query => { q => 1 }, cache => { conditional => JSON::PP::true });
	requests();
	is(run(), '2/0/0', 'and another address');
	is(requests()->[0]{headers}{'if-none-match'}, undef, 'is another answer');

	source(items(x => a => 1), modified => 'Fri, 01 Mar 2024 10:20:30 GMT');
	begin(undef, query => {}, cache => { conditional => JSON::PP::true });
	is(run(), '1/1/0', 'likewise by its date');
	is(run(), '0/0/0', 'nothing is newer');
	is(requests()->[1]{headers}{'if-modified-since'}, 'Fri, 01 Mar 2024 10:20:30 GMT', 'as the source wrote it');

	begin(
		{ format => 'http', initialValue => '2024-03-01T10:20:30Z' },
		query => {},
		headers => { 'If-Modified-Since' => '{{ cursor }}' });
	is(run(), '0/0/0', 'a condition of the definition');
	is(requests()->[0]{headers}{'if-modified-since'}, 'Fri, 01 Mar 2024 10:20:30 GMT', 'in the format of HTTP');
};

subtest 'a source that cannot filter' => sub {
	my $all = { url => "$address/all", query => {} };

	source(items => [ map { { id => "i$_", n => $_ } } 1 .. 5 ]);
	begin({ cursorField => 'n', type => 'number', filter => JSON::PP::true, initialValue => 3, end => 5 }, %$all);
	is(run(), '5/2/0', 'only those between the bounds');
	is(rows(), 'i3 i4', 'the end is not');
	is(cursor(), '5', 'the cursor');
	is(sql(q{SELECT records_skipped FROM databite.runs WHERE job_id = 'j' ORDER BY run_id DESC LIMIT 1}), '3', 'the others are skipped');

	# items without a usable value
	my @items = ({ id => 'a', n => 1 }, { id => 'b' }, { id => 'c', n => undef }, { id => 'd', n => '' }, { id => 'e', n => 2 });
	source(items => \@items);
	begin({ cursorField => 'n', type => 'number' }, %$all);
	is(run(), '5/5/0', 'are written');
	is(cursor(), '2', 'and do not move the cursor');
	begin({ cursorField => 'n', type => 'number', missing => 'skip' }, %$all);
	is(run(), '5/2/0', 'or left out');
	is(rows(), 'a e', 'where the definition says so');
	begin({ cursorField => 'n', type => 'number', missing => 'fail' }, %$all);
	is(run(), 'failed: item 2 has no usable value at "n"', 'or fail');
	is(cursor(), '', 'and then nothing is kept');

	foreach ([ time => 'soon' ], [ time => 12 ], [ number => 'many' ], [ number => [1] ], [ text => {} ])
	{
		my ($type, $value) = @$_;
		source(items => [ { id => 'a', n => $value }, { id => 'b' } ]);
		begin({ cursorField => 'n', type => $type }, %$all);
		is(run(), 'failed: item 1 has no usable value at "n"', 'a wrong value fails: ' . encode_json([ $type, $value ]));
		begin({ cursorField => 'n', type => $type, missing => 'skip' }, %$all);
		is(run(), '2/0/0', 'or is left out');
	}
};

subtest 'what is kept' => sub {
	source(items(at => a => '2024-05-01T10:00:00Z', b => '2024-05-02T10:00:00Z'), field => 'none');
	begin({ cursorField => 'at' });
	run();
	requests();

	# Changes of the definition: the cursor is that of its field.
	schedule({ cursorField => 'at', lookback => '1d' }, where => '{{ true }}');
	run();
	is(requests('since'), '2024-05-01T10:00:00Z', 'another definition goes on');
	schedule({ cursorField => 'id', type => 'text' });
	run();
	is(requests('since'), '', 'another field begins anew');
	is(cursor(), 'b', 'with its own');
	schedule(undef);
	run();
	like(requests('since'), qr/^20\d\d-/, 'without a field it is the clock');
	schedule({ cursorField => 'at' });
	run();
	is(requests('since'), '1970-01-01T00:00:00Z', 'a field after the clock begins anew');

	# A failed run leaves it.
	source(items(at => a => '2024-05-03T10:00:00Z'), fail => ['2024-05-02T10:00:00Z']);
	like(run(), qr/^failed/, 'a run that fails');
	is(cursor(), '2024-05-02T10:00:00.000000Z', 'leaves the cursor');

	# A dump carries it.
	source(items(at => a => '2024-05-03T10:00:00Z'));
	$node->safe_psql('postgres', 'CREATE DATABASE copy');
	my $dump = "$directory/dump.sql";
	$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'is restored');
	is($node->safe_psql('copy', q{SELECT cursor FROM databite.cursors WHERE job_id = 'j'}), '2024-05-02T10:00:00.000000Z',
		'with the cursor');
	is(execute_job($node, 'copy', 'j')->{records_updated}, 0, 'and goes on');
	is(requests('since'), '2024-05-02T10:00:00Z', 'from there');
	is(cursor(), '2024-05-02T10:00:00.000000Z', 'by itself');

	sql(q{SELECT databite.reset_job('j')});
	is(cursor(), '', 'reset_job forgets it');
	run();
	is(requests('since'), '1970-01-01T00:00:00Z', 'and the next run reads everything');
};

subtest 'a pass in two runs' => sub {
	my %source = (
		query => { since => '{{ cursor }}' },
		pagination => { type => 'offset', limit => 2 },
		destination => { mode => 'insert', batchSize => 1 });
	my @newest_first = map { ("i$_" => $_) } reverse 1 .. 5;

	source(items(n => @newest_first), fail => ['2']);
	begin({ cursorField => 'n', type => 'number' }, %source);
	sql('ALTER TABLE j DROP CONSTRAINT j_pkey');
	is(enqueue_and_wait($node, 'postgres', 'j')->{status}, 'failed', 'the second page fails');
	is(rows(), 'i4 i5', 'after the greatest value');
	is(cursor(), '', 'which is not the cursor yet');
	source(items(n => @newest_first));
	is(enqueue_and_wait($node, 'postgres', 'j')->{status}, 'completed', 'the next run reads the rest');
	is(requests('since'), '0 0 0', 'of the same list');
	is(rows(), 'i1 i2 i3 i4 i5', 'nothing twice');
	is(cursor(), '5', 'and what was seen before counts');
};

subtest 'another encoding' => sub {
	source(items(v => a => 'z', b => "\x{fc}"));
	$node->safe_psql('postgres', q{CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
	$node->safe_psql('latin1', 'CREATE EXTENSION databite; CREATE TABLE j (id text PRIMARY KEY, v text)');
	schedule_job(
		$node, 'latin1',
		{
			id => 'j',
			source => {
				type => 'api',
				url => "$address/items",
				query => { since => '{{ cursor }}' },
				incremental => { cursorField => 'v', type => 'text' }
			},
			destination => { type => 'database', table => 'j' }
		});
	is(execute_job($node, 'latin1', 'j')->{records_inserted}, 2, 'texts');
	is($node->safe_psql('latin1', q{SELECT ascii(cursor) FROM databite.cursors}), 252, 'the cursor is a text of the database');
	is(execute_job($node, 'latin1', 'j')->{records_processed}, 1, 'and asks for the last one');
	is(ord(requests()->[1]{query}{since}), 252, 'in UTF-8');
};

subtest 'the sample API' => sub {
	my $api = SampleApi->start;

	sql('CREATE TABLE orders (id int PRIMARY KEY, status text, updated_at timestamptz)');
	schedule_job(
		$node,
		'postgres',
		{
			id => 'orders',
			source => {
				type => 'api',
				url => $api->url('/orders'),
				query => { updated_since => '{{ cursor }}' },
				pagination => { type => 'offset', limit => 300 },
				incremental => { cursorField => 'updated_at' }
			},
			destination => { type => 'database', table => 'orders' }
		});
	is(execute_job($node, 'postgres', 'orders')->{records_inserted}, 1000, 'everything');
	my $again = execute_job($node, 'postgres', 'orders');
	is("$again->{records_processed} $again->{records_updated}", '1 0', 'the newest again');
	$api->control({ version => 1 });
	my $changed = execute_job($node, 'postgres', 'orders');
	is($changed->{records_updated}, 100, 'what has changed');
	cmp_ok($changed->{records_processed}, '<=', 101, 'and nothing else');
	$api->stop;
};

$server->kill_kill(grace => 2);
$node->stop;
done_testing();
