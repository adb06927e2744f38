# Databases in another encoding than UTF-8: what comes from an API is UTF-8 all the same.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
$node->safe_psql('postgres', q(CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0));
$node->safe_psql('latin1', 'CREATE EXTENSION databite');

# All in ASCII: \u00e9 in JSON and chr() are the server's business.
gives('{{ item.a | length }}', '{"a": "\u00e9\u00e9"}', '2');
gives('{{ item.a | url_encode }}', '{"a": "\u00e9"}', '"%C3%A9"');
gives('{{ item.a | url_decode | length }}', '{"a": "%C3%A9x"}', '2');
gives('{{ item.a | url_decode | length }}', '{"a": "\u00e9\u00e9%41"}', '3');
gives('{{ item.a | base64 }}', '{"a": "\u00e9"}', '"w6k="');
gives('{{ item.a | unbase64 | length }}', '{"a": "w6k="}', '1');
gives('{{ item.a | split("\u00e9") | size }}', '{"a": "1\u00e92"}', '2');
gives('{{ item.a | strip_html | length }}', '{"a": "<p>&#233;\u00e9</p>"}', '2');
gives('{{ item["\u00e9"] }}', '{"\u00e9": 1}', '1');
gives('{{ item | get("\u00e9") }}', '{"\u00e9": 1}', '1');
gives('{{ item.a | lower | length }}', '{"a": "\u00c9X"}', '2');
gives('{{ item.a | slug | length }}', '{"a": "\u00c9 X"}', '3');

$node->stop;
done_testing();

sub gives
{
	my ($template, $item, $expected) = @_;
	is($node->safe_psql('latin1', "SELECT databite.evaluate('$template', '$item')"), $expected, "$template of $item");
	return;
}
