# A token goes into requests and nowhere else: not into the log at its loudest,
# history, errors, pg_stat_activity or a dump, and not to another host.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $canary = 'canary-7f3a91-test-token';
my $api = SampleApi->start;
my $node = databite_node('main', conf => <<'CONF');
log_min_messages = debug2
log_min_error_statement = debug2
log_min_duration_statement = 0
log_parameter_max_length_on_error = -1
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_verbose = on
CONF

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');

# Given as a file's content is the only way that no statement log can show it.
my $file = PostgreSQL::Test::Utils::tempdir() . '/token';
append_to_file($file, $canary);
sql(qq(SELECT databite.set_token('canary', pg_read_file('$file'))));

my %job = (
	good => $api->url('/echo'),
	not_found => $api->url('/users?fault=status:404'),
	redirected => $api->url('/echo?fault=redirect:other'),
	broken => $api->url('/users?fault=badjson'),
	in_query => $api->url('/users?fault=status:500'),
);
for my $id (sort keys %job)
{
	sql(qq(SELECT databite.schedule_job('{
		"id": "$id", "source": {"type": "api", "url": "$job{$id}", "retry": {"attempts": 1},
			"headers": {"Authorization": "Bearer {{tokens.canary}}", "X-Api-Key": "{{secrets.canary}}"},
			"query": {"api_token": "{{tokens.canary}}"}},
		"destination": {"type": "database", "table": "t_$id", "schema": {"method": "text"}}}')));
	sql(qq(SELECT databite.execute_job('$id')));
	sql(qq(SELECT databite.enqueue_job('$id')));
	sql(qq(SELECT * FROM databite.explain_job('$id')));
	$node->psql('postgres', qq(SELECT * FROM databite.preview_job('$id')));
}
# Where an error would name it: in the path of a URL, and as a value that does not fit.
my $in_path = $api->url('/users/{{tokens.canary}}?fault=status:404');
sql(qq(SELECT databite.schedule_job('{
	"id": "in_path", "source": {"type": "api", "url": "$in_path", "retry": {"attempts": 1}},
	"destination": {"type": "database", "table": "t_in_path", "schema": {"id": "integer"}}}')));
sql(qq(SELECT databite.schedule_job('{
	"id": "as_number", "source": {"type": "api", "url": "$job{good}",
		"headers": {"X-Number": "{{tokens.canary | round(2)}}"}},
	"destination": {"type": "database", "table": "t_as_number", "schema": {"id": "integer"}}}')));
for my $id ('in_path', 'as_number')
{
	is(sql(qq(SELECT status, error::text ~ 'canary-7' FROM databite.execute_job('$id'))), 'failed|f', "not in the error of $id");
	enqueue_and_wait($node, 'postgres', $id);
	my (undef, undef, $error) = $node->psql('postgres', qq(CALL databite.run_job('$id')));
	like($error, qr/ERROR/, "$id fails in CALL");
	unlike($error, qr/canary-7/, 'without the token');
	(undef, undef, $error) = $node->psql('postgres', qq(SELECT * FROM databite.preview_job('$id')));
	unlike($error, qr/canary-7/, 'nor is it in the error of the preview');
}
like(sql(q(SELECT error #>> '{request,url}' FROM databite.runs WHERE job_id = 'in_path' LIMIT 1)), qr{/users/\*\*\*}, 'the URL is masked');

ok($node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM databite.runs WHERE status IN ('queued', 'running')"), 'all have run');
is(sql(q(SELECT count(*) FROM databite.runs WHERE status = 'failed')), '12', 'five kinds failed, as they should');

my $seen = grep { ($_->{headers}{authorization} // '') eq "Bearer $canary" } @{ $api->requests };
cmp_ok($seen, '>', 4, 'the API got the token');
my @foreign = grep { $_->{port} != $api->{port} } @{ $api->requests };
cmp_ok(scalar(@foreign), '>', 0, 'the redirect was followed to another origin');
is(scalar(grep { exists $_->{headers}{authorization} || exists $_->{headers}{'x-api-key'} } @foreign), 0,
	'which got no secret header');

is(join('', grep { /\Q$canary\E/ } split /^/, slurp_file($node->logfile)), '', 'not in the server log');
unlike(sql('SELECT r.*::text FROM databite.runs AS r'), qr/\Q$canary\E/, 'not in history');
unlike(sql('SELECT a.*::text FROM pg_stat_activity AS a'), qr/\Q$canary\E/, 'not in pg_stat_activity');
my ($dump, $err) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
like($dump, qr/redirected/, 'the dump has the jobs');
unlike($dump, qr/\Q$canary\E/, 'but not the token');

# An API may send it back.  The item is data then; in what is said of it, the token is masked.
my $echoed = qq({
	"id": "echoed", "source": {"type": "api", "url": "$job{good}", "headers": {"X-Key": "{{tokens.canary}}"}},
	"destination": {"type": "database", "table": "t_echoed", "schema": {"id": "integer"}},
	"transform": {"id": "{{ item.headers['x-key'] }}"}, "validation": {}});
$echoed =~ s/'/''/g;
sql(qq(SELECT databite.schedule_job('$echoed')));
like(sql(q(SELECT status, error ->> 'detail' FROM databite.execute_job('echoed'))),
	qr/^failed\|.*invalid input syntax for type bigint: "\*\*\*"/, 'masked in the error of a run that rejected every item');
is(sql('SELECT message FROM databite.rejected_items'), 'invalid input syntax for type bigint: "***"', 'and in the reason');
is(sql(q(SELECT error FROM databite.preview_job('echoed'))), 'invalid input syntax for type bigint: "***"', 'and in a preview');
my $unchecked = $echoed =~ s/, "validation": \{\}//r;
is(sql("SELECT error FROM databite.preview_job('$unchecked')"),
	'invalid input syntax for type bigint: "***" (column "id", value "***")', 'also where the item fails the run');

# A function of the user's is called while the request is rendered: it is given no secret, and gets none by asking.
sql(q{
	CREATE TABLE loot (answer text);
	CREATE FUNCTION ask(statement text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE answer text;
	BEGIN
		EXECUTE statement INTO answer;
		RETURN coalesce(answer, 'null');
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;
	CREATE FUNCTION thief(value text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO loot VALUES
			(ask($q$SELECT databite.secret('canary')$q$)),
			(ask($q$SELECT databite.secret('canary', NULL)$q$)),
			(ask($q$SELECT databite.secret('canary', '')$q$)),
			(ask($q$SELECT databite.secret('canary', repeat('0', 32))$q$)),
			(ask($q$SELECT databite.evaluate('{{ tokens.canary }}')$q$)),
			(ask($q$SELECT string_agg(a::text, ' ') FROM pg_stat_activity AS a WHERE pid = pg_backend_pid()$q$)),
			(ask($q$SELECT string_agg(p::text, ' ') FROM pg_prepared_statements AS p$q$)),
			(ask($q$SELECT string_agg(c::text, ' ') FROM pg_cursors AS c$q$)),
			(ask($q$SELECT string_agg(s::text, ' ') FROM pg_settings AS s$q$)),
			(ask($q$SELECT current_query()$q$));
		RETURN value;
	END $$});
sql(qq(SELECT databite.schedule_job('{
	"id": "thief", "source": {"type": "api", "url": "$job{good}", "retry": {"attempts": 1},
		"headers": {"X-Before": "{{tokens.canary}}", "X-Stolen": "{{ ''mine'' | public.thief }}", "X-Behind": "{{tokens.canary}}"}},
	"destination": {"type": "database", "table": "t_thief", "schema": {"method": "text"}}}')));
is(sql(q(SELECT status FROM databite.execute_job('thief'))), 'completed', 'a function of the user is called in a request');
is($api->requests('/echo')->[-1]{headers}{'x-stolen'}, 'mine', 'its value went with the request');
is($api->requests('/echo')->[-1]{headers}{'x-behind'}, $canary, 'and so did the token, after it too');
enqueue_and_wait($node, 'postgres', 'thief');
is(sql('SELECT count(*) FROM loot'), '20', 'it has tried');
unlike(sql('SELECT * FROM loot'), qr/canary-7/, 'and got nothing');
sql('SELECT * FROM databite.explain_job(\'thief\')');
unlike(sql('SELECT * FROM loot'), qr/canary-7/, 'nor from explain_job');
for my $template ('{{ tokens.canary | public.thief }}', '{{ \'x\' | public.thief ~ (secrets.canary | upper | public.thief) }}',
	'{{ [1, {\'a\': tokens.canary}] | public.thief }}', '{{ (true ? tokens.canary : 1) | default(2) | public.thief }}')
{
	(my $quoted = $template) =~ s/'/''/g;
	my (undef, undef, $refusal) = $node->psql('postgres', qq(SELECT databite.schedule_job('{
		"id": "thief", "source": {"type": "api", "url": "$job{good}", "headers": {"X-Stolen": "$quoted"}},
		"destination": {"type": "database", "table": "t_thief", "schema": {"method": "text"}}}')));
	like($refusal, qr{a secret cannot be given to function public\.thief\(text\).*/source/headers/X-Stolen}s, "refused: $template");
}

# The key that the statement has for its secrets is not in its plan, which a user can have printed,
my (undef, undef, $plans) = $node->psql('postgres', q(SET debug_print_plan = on; SET debug_print_parse = on;
	SET debug_print_rewritten = on; SET debug_pretty_print = off; SET client_min_messages = log; SELECT * FROM databite.explain_job('thief')));
$plans =~ s/\s+/ /g;
like($plans, qr/:args \(\{CONST [^{}]*\} \{PARAM :paramkind 0 :paramid 2 /, 'but as a parameter');

# A user cannot read it, whatever he is given but the superuser's rights.
sql('CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA databite TO reader;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA databite TO reader');
is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.token', extra_params => [ '-U', 'reader' ]), '0',
	'no row of the token table for anybody');
my (undef, undef, $message) = $node->psql('postgres', q(SELECT databite.secret('canary', '0')), extra_params => [ '-U', 'reader' ]);
like($message, qr/only in a request/, 'nor by the function that requests use');
is(sql(q(SELECT databite.evaluate('{{tokens.canary}}') IS NULL)), 't', 'nor by a template that is no request');

$node->stop;
$api->stop;
done_testing();
