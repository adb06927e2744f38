# Reads the files of test/conformance; README.md there says what is in them.
package ConformanceTable;

use strict;
use warnings FATAL => 'all';

use JSON::PP;

# JSON, loosely: where it ends.
my $json = qr/(?:(?<part>"(?:[^"\\]++|\\.)*+"|\{(?:[^][{}"]++|(?&part))*+\}|\[(?:[^][{}"]++|(?&part))*+\])|[^][{}"\s,:]++)/;
my $reader = JSON::PP->new->allow_nonref->allow_bignum;
my $writer = JSON::PP->new->allow_nonref->ascii;

# A file as { rows, mistakes }.  A row is a hash of texts: line, template, item, expected (as it is written) and, of what
# is expected, kind (value, into, error, skipped or rejected), type, value (JSON), code and message; scopes (JSON) where
# the row has any; definition (JSON), the job's.  A mistake is a line that is none of what may stand in a table.
sub read_table
{
	my ($file) = @_;
	my (@rows, @mistakes, $template, $scopes);
	my $rows_of_template = 0;
	open my $handle, '<:encoding(UTF-8)', $file or die "could not read $file: $!";

	while (my $text = <$handle>)
	{
		chomp $text;
		my $mistake;
		if ($text =~ /^(#|\s*$)/) { }
		elsif ($text =~ /^with (\{.*\})$/)
		{
			$scopes = $1 eq '{}' ? undef : $1;
			$mistake = 'not JSON' if !_is_json($1);
		}
		elsif ($text =~ /^\S/)
		{
			push @mistakes, "line $.: the template before has no rows" if defined $template && !$rows_of_template;
			$rows_of_template = 0;
			$template = $text =~ /^"/ ? eval { $reader->decode($text) } : $text;
			$mistake = 'a template that begins with a quote is JSON' if !defined $template;
		}
		else
		{
			my $row = _read_row($text);
			$rows_of_template++;
			$mistake = !defined $template ? 'a row before the first template' : $row->{mistake};
			if (!defined $mistake)
			{
				@{$row}{qw(line template)} = ($., $template);
				$row->{scopes} = $scopes if defined $scopes;
				$row->{definition} = _definition($row);
				push @rows, $row;
			}
		}
		push @mistakes, "line $.: $mistake: $text" if defined $mistake;
	}
	push @mistakes, "line $.: the last template has no rows" if defined $template && !$rows_of_template;
	close $handle;
	return { rows => \@rows, mistakes => \@mistakes };
}

sub _read_row
{
	my ($text) = @_;
	my $row = {};

	$text =~ s/^\s+//;
	return { mistake => 'an item and => expected' } if $text !~ /^($json)\s+=>\s+(.*?)\s*$/;
	$row->{item} = $1;
	my $result = $row->{expected} = $3;

	if ($result =~ /^into (.+?): (.+)$/)
	{
		($row->{kind}, $row->{type}, $result) = ('into', $1, $2);
	}
	if ($result =~ /^(error|rejected) ([0-9A-Z]{5})(?: (".*"))?$/)
	{
		($row->{kind}, $row->{code}) = ($1, $2);
		$row->{message} = defined $3 ? eval { $reader->decode($3) } : '';
		return { mistake => 'the message is not JSON' } if !defined $row->{message};
		return $row;
	}
	if ($result eq 'skipped')
	{
		$row->{kind} = 'skipped';
		return $row;
	}
	if (!defined $row->{kind})
	{
		return { mistake => 'a type and a value expected' }
		  if $result !~ /^([a-z_][\w. ]*?(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*) (["\[{\d-].*|true|false|null)$/i;
		($row->{kind}, $row->{type}, $result) = ('value', $1, $2);
	}
	return { mistake => 'the value is not JSON' } if !_is_json($result);
	$row->{value} = $result;
	return $row;
}

# The job of a row, with the item as it is written: its numbers must keep their digits.
sub _definition
{
	my ($row) = @_;
	my $template = $writer->encode($row->{template});

	return qq({"id": "conformance", "source": {"type": "inline", "items": [$row->{item}]},)
	  . qq( "destination": {"type": "database", "table": "conformance_result"},)
	  . qq( "transform": {"v": $template}});
}

sub _is_json
{
	my ($text) = @_;
	return defined eval { $reader->decode($text); 1 };
}

1;
