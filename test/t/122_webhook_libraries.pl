# Deliveries as the vendors' own libraries sign them, by both doors: what they have signed is taken as it is, and nothing else.
use strict;
use utf8;
use warnings FATAL => 'all';

use Encode qw(decode_utf8 encode_utf8);
use FindBin;
use HTTP::Tiny;
use JSON::PP ();
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WebhookTest;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $http = HTTP::Tiny->new(timeout => 60);
my $json = JSON::PP->new->canonical->allow_nonref;
my $seed = $ENV{WEBHOOK_SEED} // time;
my $number = 0;

my %secret = (
	github => 'It\'s a "secret" to everybody, Ünïcode too',
	stripe => 'whsec_7d1e9f0a3c',
	standard => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
	twilio_json => '12345f0a',
	twilio_form => '12345f0a',
);
my %other_secret = (
	github => 'another', stripe => 'whsec_another', standard => 'whsec_AAAAAAAAKYqrTwjUPD8ILPZIo2LaLaSw', twilio_json => 'another',
	twilio_form => 'another');
my %scheme = (twilio_json => 'twilio', twilio_form => 'twilio');

srand $seed;
note "WEBHOOK_SEED=$seed";
my $node = new_cluster('main', 1, "databite.webhook_listen = '127.0.0.1:$port'");

sub sql { return $node->safe_psql('postgres', encode_utf8(shift)); }

# A character of any plane, but none that PostgreSQL cannot hold.
sub any_character
{
	my @from = ([ 32, 95 ], [ 1, 31 ], [ 0xa0, 0x500 ], [ 0x3000, 0x2000 ], [ 0xe000, 0x1ff0 ], [ 0x10000, 0x10000 ], [ 0x1f600, 0x50 ]);
	my ($first, $many) = @{ $from[ rand @from ] };

	return chr($first + int rand $many);
}

sub any_text { return join '', map { any_character() } 1 .. int rand shift; }

# A JSON string in one of the ways in which it may be written.
sub written
{
	my ($text) = @_;
	my $way = int rand 3;

	return JSON::PP->new->allow_nonref->encode($text) if $way == 0;
	return JSON::PP->new->allow_nonref->ascii->encode($text) if $way == 1;
	return '"' . join('', map { rand() < 0.5 && ord $_ < 0xd800 ? sprintf('\\u%04X', ord $_) : substr(JSON::PP->new->allow_nonref->encode($_), 1, -1) }
		  split //, $text) . '"';
}

# Bytes as a sender might write them.
sub any_body
{
	my ($kind) = @_;

	return '{}' if $kind eq 'empty';
	return '{"data": "' . 'x' x 500_000 . '"}' if $kind eq 'large';
	my @members = map { sprintf '%s%s:%s%s', written("k$_" . any_text(6)), ' ' x int rand 3, "\n" x int rand 2, written(any_text(40)) } 1 .. 1 + int rand 6;
	push @members, '"price": 1.10', '"big": 12345678901234567890.00', '"nested": {"a": [1, {"b": null}], "slash": "\/"}';
	return encode_utf8('{' . join(', ', map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } @members) . "}\n");
}

sub form_of
{
	my ($fields) = @_;

	return join '&', map { my $name = $_; join '=', map { my $bytes = encode_utf8($_); $bytes =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ge; $bytes } $name, $fields->{$name} }
	  keys %$fields;
}

sub message
{
	my ($library, $kind, %more) = @_;
	my %message = (library => $library, secret => $secret{$library}, seconds => time, id => 'id_' . ++$number,
		url => "https://127.0.0.1:$port/$library", body => '', kind => $kind, %more);

	if ($library eq 'twilio_form')
	{
		my $fields = $kind eq 'empty' ? {} : { From => '+1555', Body => any_text(30), map { ("Field$_" => any_text(20)) } 1 .. int rand 5 };

		$fields->{Body} = 'x' x 300_000 if $kind eq 'large';
		$message{fields} = JSON::PP->new->ascii->encode($fields);
		$message{body} = form_of($fields);
	}
	else
	{
		$message{body} = any_body($kind);
	}
	return \%message;
}

# The status that the listener gives, and the one of the function.
sub by_http
{
	my ($message) = @_;
	(my $url = $message->{signed}{url}) =~ s/^https/http/;	# a proxy has the TLS
	my $answer = $http->post($url,
		{ headers => { 'Content-Type' => 'application/json', %{ $message->{signed}{headers} } }, content => $message->{body} });

	return $answer->{status};
}

sub by_function
{
	my ($message) = @_;
	my ($path) = $message->{signed}{url} =~ m{//[^/]*(.*)};
	my $headers = $json->encode({ Host => "127.0.0.1:$port", %{ $message->{signed}{headers} } });
	my $body = encode_base64($message->{body}, '');

	return sql("SELECT databite.receive_webhook('$path', \$h\$$headers\$h\$, decode('$body', 'base64')) ->> 'status'");
}

# What is kept of the job's deliveries, newest last, is what was sent, byte for byte.
sub is_kept
{
	my ($library, @messages) = @_;
	my @kept = split /\n/, sql("SELECT encode(convert_to(payload::text, 'UTF8'), 'hex') FROM databite.delivery WHERE job_id = '$library' ORDER BY delivery_id");

	return is(scalar @kept, scalar @messages, "$library: each is kept once") unless @kept == @messages;
	for my $i (0 .. $#messages)
	{
		my $kept = pack 'H*', $kept[$i];
		my $is_same = $library eq 'twilio_form'
		  ? $json->encode($json->decode(decode_utf8($kept))) eq $json->encode($json->decode($messages[$i]{fields}))
		  : $kept eq $messages[$i]{body};
		return fail("$library: " . substr($kept, 0, 500) . ' is not ' . substr($messages[$i]{body}, 0, 500)) unless $is_same;
	}
	return pass("$library: what is kept is what was sent");
}

# The message with one byte of the body changed to another that its place might have.
sub altered
{
	my ($message) = @_;
	my %copy = %$message;
	my $place = int rand length $copy{body};

	substr($copy{body}, $place, 1) = substr($copy{body}, $place, 1) eq ' ' ? 'x' : ' ';
	return \%copy;
}

# Of a list, what the libraries sign.
sub signed
{
	my (@messages) = @_;
	my @signed = sign_by_libraries($node->basedir, @messages);

	$messages[$_]{signed} = $signed[$_] for 0 .. $#messages;
	return @messages;
}

sub statuses
{
	my ($door, @messages) = @_;

	return join ' ', map { $door->($_) } @messages;
}

sql('CREATE EXTENSION databite');
for my $library (sort keys %secret)
{
	my $name = $scheme{$library} // $library;
	sql("SELECT databite.set_token('$library', \$s\$$secret{$library}\$s\$)");
	sql(qq(SELECT databite.schedule_job('{"id": "$library", "enabled": false,
		"trigger": {"type": "webhook", "endpoint": "/$library", "secret": "{{secrets.$library}}", "signature": "$name"},
		"source": {"type": "webhook_data"},
		"destination": {"type": "database", "table": "rows", "mode": "insert", "schema": {"id": "text"}}}')));
}
wait_for_worker($node, 'listener');
wait_until_listening($port);

# One process of node signs all of them.
my @kinds = ('empty', 'large', ('any') x 10);
my %good;
my %bad;
for my $library (sort keys %secret)
{
	$good{$library} = [ map { message($library, $_) } @kinds, @kinds ];
	$bad{altered}{$library} = [ map { message($library, 'any') } 1 .. 6 ];
	$bad{other}{$library} = [ map { message($library, 'any', secret => $other_secret{$library}) } 1, 2 ];
	$bad{old}{$library} = [ message($library, 'any', seconds => time - 400), message($library, 'any', seconds => time + 400) ]
	  if $library =~ /stripe|standard/;
}
signed(map { @$_ } values %good, map { values %$_ } values %bad);

for my $library (sort keys %secret)
{
	my @messages = @{ $good{$library} };
	my @http = @messages[ 0 .. $#kinds ];
	my @function = @messages[ @kinds .. $#messages ];

	is(statuses(\&by_http, @http), join(' ', ('200') x @http), "$library: the listener takes what the library signs");
	is(statuses(\&by_function, @function), join(' ', ('200') x @function), "$library: so does the function");
	is_kept($library, @messages);

	my @altered = map { altered($_) } @{ $bad{altered}{$library} };
	is(statuses(\&by_http, @altered[ 0 .. 2 ]), '401 401 401', "$library: a byte is another");
	is(statuses(\&by_function, @altered[ 3 .. 5 ]), '401 401 401', "$library: by the function, too");
	my @other = @{ $bad{other}{$library} };
	is(by_http($other[0]) . by_function($other[1]), '401401', "$library: another secret");
	if ($bad{old}{$library})
	{
		my @old = @{ $bad{old}{$library} };
		is(statuses(\&by_http, @old), '401 401', "$library: a time that is past, and one to come");
		is(statuses(\&by_function, @old), '401 401', "$library: by the function, too");
	}
	is_kept($library, @messages);
}

# A message that has come by one door does not come by the other.
my ($once) = @{ $good{github} };
is(by_function($once), '200', 'one that was taken before is taken for good');
is_kept('github', @{ $good{github} });

$node->stop;
done_testing();
