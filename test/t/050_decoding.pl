# What APIs send: formats, charsets, compressed bodies, maps, rows under names, and bodies that are cut, end to end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run ();
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir_short();

# Each address is a body with its headers.  "/half/..." ends it in the middle, without a length; "/once/..." does that
# with a length, and only the first time.
append_to_file("$dir/server.py", <<'PYTHON');
import gzip, http.server, json, os, sys

directory = sys.argv[1]
ITEMS = [{"id": i, "name": "n\u00e4me %d" % i} for i in range(1, 501)]
JSON = json.dumps(ITEMS, ensure_ascii=False)
LINES = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ITEMS)
CSV = "id,name\r\n" + "".join('%d,"%s"\r\n' % (item["id"], item["name"]) for item in ITEMS)
MAP = json.dumps({"base": "EUR", "rates": {"USD": {"id": 1, "name": "x"}, "GBP": {"id": 2}}, "scalars": {"USD": 1.1, "GBP": 0.9}})
SHEET = json.dumps({"range": "A1:B3", "values": [["id", "name"], [1, "x"], [2]]})
REPORT = json.dumps({
    "dimensionHeaders": [{"name": "name"}], "metricHeaders": [{"name": "id", "type": "INTEGER"}],
    "rows": [{"dimensionValues": [{"value": "x"}], "metricValues": [{"value": "1"}]},
             {"dimensionValues": [{"value": "y"}], "metricValues": [{"value": "2"}]}]})

BODIES = {
    "/lines": ("application/x-ndjson", LINES.encode()),
    "/csv": ("text/csv; charset=utf-8", CSV.encode()),
    "/csv-gzip": ("text/csv", gzip.compress(CSV.encode())),
    "/csv-windows": ("text/csv; charset=windows-1252", CSV.encode("cp1252")),
    "/csv-plain": ("text/plain", CSV.encode()),
    "/csv-empty": ("text/csv", b""),
    "/csv-bad": ("text/csv", b"id,name\n1,x\n2,y,z\n3,w\n"),
    "/csv-open": ("text/csv", b'id,name\n1,x\n2,"y\n'),
    "/json-utf16": ("application/json", b"\xff\xfe" + JSON.encode("utf-16-le")),
    "/json-bom": ("application/json", b"\xef\xbb\xbf" + JSON.encode()),
    "/json-latin": ("application/json; charset=ISO-8859-1", JSON.encode("latin-1")),
    "/json-klingon": ("application/json; charset=klingon", JSON.encode()),
    "/json-wrong": ("application/json; charset=windows-1252", b'[{"id": 1, "name": "\x81"}]'),
    "/map": ("application/json", MAP.encode()),
    "/sheet": ("application/json", SHEET.encode()),
    "/report": ("application/json", REPORT.encode()),
    "/country": ("application/json", b'[{"page": 1, "pages": 1}, [{"id": 1, "name": "x"}]]'),
    "/deals": ("application/json", b'{"data": [{"data": {"id": 1, "name": "x"}}]}'),
    "/number": ("application/json", b"12"),
    "/number-line": ("application/x-ndjson", b'{"id": 1, "name": "x"}\n12'),
    "/no-deals": ("application/json", b'{"data": null}'),
}
asked = set()

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        half = self.path.startswith("/half/")
        once = self.path.startswith("/once/") and self.path not in asked
        asked.add(self.path)
        path = self.path[5:] if self.path.startswith(("/half/", "/once/")) else self.path
        content_type, body = BODIES[path]
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        if path.endswith("-gzip"):
            self.send_header("Content-Encoding", "gzip")
        if not half:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2 + 3] if half or once else body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
with open(directory + "/port.new", "w") as file:
    file.write("%d\n" % server.server_port)
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
PYTHON
my ($in, $out) = ('', '');
my $server = IPC::Run::start([ 'python3', "$dir/server.py", $dir ], \$in, \$out, '2>&1');
wait_for_file("$dir/port", sub { $server->pumpable }) or die "the server did not start: $out";
chomp(my $port = slurp_file("$dir/port"));

my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite; CREATE TABLE items (id int, name text)');

# Runs a job over the path into the emptied table; its row.
sub run_of
{
	my ($path, $source, $transform, %more) = @_;
	$node->safe_psql('postgres', 'TRUNCATE items');
	schedule_job(
		$node,
		'postgres',
		{
			id => 'decoding',
			source => { type => 'api', url => "http://127.0.0.1:$port$path", retry => { attempts => 2, delay => 10 }, %$source },
			destination => { type => 'database', table => 'items' },
			transform => $transform // { id => '{{item.id}}', name => '{{item.name}}' },
			%more
		});
	return execute_job($node, 'postgres', 'decoding');
}

# Rows as "number|first|last" by id.
my $summary = 'SELECT count(*), min(id), max(id), count(DISTINCT name), min(name) FROM items';
my $all = "500|1|500|500|n\x{C3}\x{A4}me 1";

sub gives
{
	my ($name, $expected, $query, @run) = @_;
	my $run = run_of(@run);
	is($run->{status}, 'completed', "$name: completed") or diag($run->{error});
	is($node->safe_psql('postgres', $query), $expected, "$name: rows");
	return;
}

sub fails
{
	my ($name, $message, @run) = @_;
	my $run = run_of(@run);
	is($run->{status}, 'failed', "$name: failed");
	my $error = $run->{error} // {};
	$error = decode_json($error) if !ref $error;
	like($error->{message}, $message, "$name: message");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), '0', "$name: no rows");
	return;
}

subtest 'formats' => sub
{
	gives('NDJSON', $all, $summary, '/lines', { format => 'ndjson' });
	gives('CSV', $all, $summary, '/csv', { format => 'csv' });
	gives('CSV of another type', $all, $summary, '/csv-plain', { format => 'csv' });
	gives('CSV in gzip', $all, $summary, '/csv-gzip', { format => 'csv' });
	gives('an empty body of CSV', '0||', 'SELECT count(*), min(id), max(id) FROM items', '/csv-empty', { format => 'csv' });
};

subtest 'formats by the Content-Type' => sub
{
	gives('NDJSON', $all, $summary, '/lines', {});
	gives('CSV', $all, $summary, '/csv', {});
	gives('CSV in gzip', $all, $summary, '/csv-gzip', {});
	fails('CSV where the path to a list is stated', qr/the response is CSV, which has no list of items/, '/csv', { dataPath => 'data' });
};

subtest 'charsets' => sub
{
	gives('UTF-16 by its mark', $all, $summary, '/json-utf16', {});
	gives('UTF-8 with a mark', $all, $summary, '/json-bom', {});
	gives('ISO-8859-1', $all, $summary, '/json-latin', {});
	gives('CSV in windows-1252', $all, $summary, '/csv-windows', {});
	fails('a charset that is not known', qr/the charset "klingon" of the response is not known/, '/json-klingon', {});
	fails('bytes that are not of the charset', qr/not of its charset windows-1252, at byte 21/, '/json-wrong', {});
};

subtest 'places of items' => sub
{
	my $rows = "SELECT string_agg(concat_ws(' ', id, name), ',' ORDER BY id, name) FROM items";
	gives('a map of objects', '1 USD,2 GBP', $rows, '/map', { dataPath => 'rates.*' }, { id => '{{item.id}}', name => '{{item._key}}' });
	gives('a map of scalars', '0.9 GBP,1.1 USD', $rows, '/map', { dataPath => 'scalars.*' },
		{ name => "{{item._value ~ ' ' ~ item._key}}" });
	gives('rows under a header row', '1 x,2', $rows, '/sheet', { dataPath => 'values', zip => 'header' });
	gives('rows under names beside the list',
		'1 x,2 y', $rows, '/report',
		{
			dataPath => 'rows',
			zip => [
				{ names => 'dimensionHeaders[*].name', values => 'dimensionValues[*].value' },
				{ names => 'metricHeaders[*].name', values => 'metricValues[*].value' }
			]
		});
	gives('a list beside a page', '1 x', $rows, '/country', { dataPath => '$[1]' });
	gives('items one step down', '1 x', $rows, '/deals', { dataPath => '$.data[*].data' });
	gives('no items one step down', '', $rows, '/no-deals', { dataPath => '$.data[*].data' });
};

subtest 'bodies that are cut' => sub
{
	fails('JSON', qr/the response ends after byte \d+, in the middle of the document/, '/half/json-bom', {});
	fails('NDJSON', qr/the response ends after byte \d+, in the middle of a line/, '/half/lines', { format => 'ndjson' });
	fails('CSV', qr/the response ends after byte \d+, inside of quotes/, '/csv-open', { format => 'csv' });
	fails('a number alone', qr/no list of items in the response: it is a number/, '/number', {});
	gives('a number as the last line', '2|1', 'SELECT count(*), min(id) FROM items', '/number-line', { format => 'ndjson' });
	gives('CSV that comes whole the second time', $all, $summary, '/once/csv', { format => 'csv' });
	gives('NDJSON that comes whole the second time', $all, $summary, '/once/lines', { format => 'ndjson' });
	gives('UTF-16 that comes whole the second time', $all, $summary, '/once/json-utf16', {});
};

subtest 'bad rows' => sub
{
	fails('a row that is too long', qr/item 2 cannot be stored: row has 3 fields, and the header row has 2/, '/csv-bad', { format => 'csv' });
	my $run = run_of('/csv-bad', { format => 'csv' }, undef, validation => { required => ['id'] });
	is("$run->{status} $run->{records_inserted} $run->{records_rejected}", 'completed 2 1', 'where items may be rejected, the others come');
};

$server->kill_kill(grace => 1);
$node->stop;
done_testing();
