# The grammar of templates in doc/templates.md and the parser say the same: of every template of the conformance table, of
# texts made from the grammar at random, and of such texts with mistakes in them.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/lib";
use ConformanceTable;
use Ebnf;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sentences = 120;
my $seed = $ENV{GRAMMAR_SEED} // 1;

# What the parser says where a text is not of the grammar, and what it says beyond it.
my $not_of_grammar = join '|', 'expected, not', 'is empty$', 'is not closed$', 'is not an operator$', 'malformed number', 'unexpected character',
  'unexpected control', 'invisible character', 'cannot be chained', 'functions cannot be called', '(unknown escape|hexadecimal digits) in a string';
my $beyond_grammar = qr/(cannot be stored|surrogate pair) in a string|out of range|the number before it only|nested deeper|too many steps|parts$/;

my $root = abs_path("$FindBin::RealBin/../..");
my ($source) = slurp_file("$root/doc/templates.md") =~ /^```ebnf\n(.*?)^```$/ms;
my $grammar = Ebnf->new($source, 'name');
my $json = JSON::PP->new->allow_nonref->ascii;
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION databite;
CREATE FUNCTION problem(template text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.evaluate(template);
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;
SQL

srand $seed;
compare('the conformance table', 1, table_templates());
compare("texts of the grammar (seed $seed)", 1, map { sentence() } 1 .. $sentences);
compare("texts with a mistake (seed $seed)", 0, map { with_mistake(sentence()) } 1 .. $sentences);

$node->stop;
done_testing();

# Compares grammar and parser; of what is refused for a reason beyond the grammar, the grammar is not asked where the parser
# did not read on.
sub compare
{
	my ($what, $all, @templates) = @_;
	my @problems = problems(@templates);
	my ($accepted, @differences) = (0);

	for my $i (0 .. $#templates)
	{
		my $template = $templates[$i];
		next if !$all && $problems[$i] =~ $beyond_grammar;
		my $by_parser = $problems[$i] !~ /$not_of_grammar/;
		my $by_grammar = $grammar->accepts('text', $template);
		$accepted++ if $by_parser;
		push @differences, $json->encode($template) . ($by_grammar ? ' is' : ' is not') . " of the grammar; the parser: $problems[$i]"
		  if $by_grammar != $by_parser;
	}
	utf8::encode($_) for @differences;
	is(scalar(@differences), 0, "grammar and parser agree on $what: $accepted of " . @templates . ' accepted')
	  or diag(join "\n", @differences[ 0 .. ($#differences > 20 ? 20 : $#differences) ]);
	return;
}

# What the server says of each.
sub problems
{
	my (@templates) = @_;
	my $tag = '$grammar_templates$';
	my $out = $node->safe_psql('postgres', "SELECT to_json(problem(t)) FROM json_array_elements_text($tag"
		  . $json->encode(\@templates) . "$tag) WITH ORDINALITY AS a(t, n) ORDER BY n");
	return map { $json->decode($_) } split /\n/, $out;
}

sub table_templates
{
	my %templates;
	for my $file (glob "$root/test/conformance/*.txt")
	{
		$templates{ $_->{template} } = 1 for @{ ConformanceTable::read_table($file)->{rows} };
	}
	return sort grep { length $_ < 2000 } keys %templates;
}

# A text of the grammar, with space where there must be some, and here and there.
sub sentence
{
	my $text = '';

	for my $part (1 .. 1 + int rand 2)
	{
		$text .= join '', $grammar->derive(rand() < 0.5 ? 'plain' : 'comment', 3) if rand() < 0.3;
		my $template = '';
		for my $token ($grammar->derive('template', 15 + int rand 30))
		{
			$template .= (' ', "\n", "\t  ")[ rand 3 ] if rand() < 0.3 || ($template =~ /[\w\$]$/ && $token =~ /^[\w\$]/)
			  || $template =~ /\w$/ && $token =~ /^[^\x00-\x7F]/ || $template =~ /[^\x00-\x7F]$/ && $token =~ /^[\w\$]/;
			$template .= $token;
		}
		$text .= $template;
	}
	return $text;
}

# A token or a character less, or two of them exchanged.
sub with_mistake
{
	my ($text) = @_;
	my @tokens = $text =~ /[\w\$]+|\s+|[<>=!]=|\?\?|\{\{|\}\}|./gs;
	my ($i, $j) = (int rand @tokens, int rand @tokens);

	if (rand() < 0.5) { splice @tokens, $i, 1; }
	elsif (rand() < 0.5) { @tokens[ $i, $j ] = @tokens[ $j, $i ]; }
	else { splice @tokens, $i, 0, $tokens[$j]; }
	return join '', @tokens;
}
