# What the tests of the listener share: connections, answers, and senders that sign as the vendors' own libraries do.
package WebhookTest;

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(connect_to wait_until_listening read_answer sign_by_libraries);

my $root = abs_path(dirname(__FILE__) . '/../../..');

# Gets messages (JSON, in a file) and says with which headers their libraries send them, and at which URL.
my $signer = <<'JS';
const fs = require('fs');
const [directory, file] = process.argv.slice(1);
const load = (path) => import(`${directory}/node_modules/${path}`);
(async () => {
	const github = await load('@octokit/webhooks-methods/dist-node/index.js');
	const Stripe = require(`${directory}/node_modules/stripe`);
	const { Webhook } = require(`${directory}/node_modules/standardwebhooks`);
	const twilio = require(`${directory}/node_modules/twilio/lib/webhooks/webhooks`);
	const stripe = new Stripe('sk_test_x');
	const sign = {
		github: async (m) => ({ headers: { 'X-Hub-Signature-256': await github.sign(m.secret, m.body), 'X-GitHub-Delivery': m.id } }),
		stripe: (m) => ({ headers: { 'Stripe-Signature':
			stripe.webhooks.generateTestHeaderString({ payload: m.body, secret: m.secret, timestamp: m.seconds }) } }),
		standard: (m) => ({ headers: { 'webhook-id': m.id, 'webhook-timestamp': String(m.seconds),
			'webhook-signature': new Webhook(m.secret).sign(m.id, new Date(m.seconds * 1000), m.body) } }),
		twilio_json: (m) => {
			const url = `${m.url}?bodySHA256=${twilio.getExpectedBodyHash(m.body)}`;
			return { url, headers: { 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(m.secret, url, {}) } };
		},
		twilio_form: (m) => ({ headers: { 'Content-Type': 'application/x-www-form-urlencoded',
			'X-Twilio-Signature': twilio.getExpectedTwilioSignature(m.secret, m.url, JSON.parse(m.fields)) } }),
	};
	const messages = JSON.parse(fs.readFileSync(file));
	for (const m of messages) {
		m.body = Buffer.from(m.body, 'base64').toString('utf8');
		m.signed = { url: m.url, headers: {}, ...await sign[m.library](m) };
	}
	process.stdout.write(JSON.stringify(messages.map((m) => m.signed)));
})().catch((error) => { console.error(error); process.exit(1); });
JS

sub connect_to
{
	my ($port) = @_;

	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 60)
	  || die "could not connect: $!";
}

# A worker is there before its socket is.
sub wait_until_listening
{
	my ($port) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp');
		select(undef, undef, undef, 0.1);
	}
	die "nothing listens at port $port";
}

# The next answer on a connection, head and body; what has come where it was closed before, '' if that is nothing.  Bytes that
# belong to the answer after it stay in $$rest.
sub read_answer
{
	my ($socket, $rest) = @_;
	my $answer = defined $rest ? $$rest : '';

	until ($answer =~ /\r\n\r\n/ && length($answer) >= $+[0] + (($answer =~ /^Content-Length: *(\d+)/mi)[0] // 0))
	{
		die "no answer came: $answer" unless IO::Select->new($socket)->can_read($PostgreSQL::Test::Utils::timeout_default);
		last unless sysread($socket, $answer, 65536, length $answer);
	}
	my $end = index($answer, "\r\n\r\n") + 4 + (($answer =~ /^Content-Length: *(\d+)/mi)[0] // 0);
	$$rest = substr($answer, $end < length $answer ? $end : length $answer) if defined $rest;
	return $end < length $answer ? substr($answer, 0, $end) : $answer;
}

# A list of hashes with library, secret, body (bytes), id, seconds (since 1970), url, and for twilio_form fields: for each
# {url, headers}, as the library of the vendor makes them.
sub sign_by_libraries
{
	my ($tempdir, @messages) = @_;
	my $directory = libraries();
	my $file = "$tempdir/messages.json";
	my $json = JSON::PP->new->ascii;

	PostgreSQL::Test::Utils::append_to_file($file,
		$json->encode([ map { { %$_, body => encode_base64($_->{body}, '') } } @messages ]));
	my ($out, $err) = run_command([ 'node', '-e', $signer, $directory, $file ]);
	unlink $file;
	die "the libraries did not sign: $err" unless $out =~ /^\[/;
	return @{ $json->decode($out) };
}

# Where ./dev test has installed them.
sub libraries
{
	my $directory = $ENV{WEBHOOK_LIBRARIES_DIR} // "$root/.build/npm/webhooks";

	return $directory if -d "$directory/node_modules/twilio";
	die "the libraries that sign webhooks are not installed in $directory";
}

1;
