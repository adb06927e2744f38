# Grammars in the W3C's EBNF: recognizes texts, and makes random ones.
#
# Rules are syntactic, with optional space before each of their tokens, or lexical: those from the given one on.  A reference
# to a lexical rule is as long as it can be; all else is tried every way, so the order of alternatives means nothing.
package Ebnf;

use strict;
use warnings FATAL => 'all';
no warnings 'recursion';

my $max_depth = 60;

sub new
{
	my ($class, $source, $first_lexical) = @_;
	my $self = bless { rules => {}, lexical => {} }, $class;
	my $lexical = 0;

	for my $line (grep { /\S/ } split /\n/, $source)
	{
		my ($name, $body) = $line =~ /^(\w+)\s*::=\s*(.*)$/ or die "not a rule: $line";
		my @tokens;
		push @tokens, $1 while $body =~ /\G(\w+|"[^"]*"|'[^']*'|\[[^]]*\]|[()|?*+-])\s*/gc;
		die "cannot read: $line" if (pos($body) // 0) < length $body;
		$lexical = 1 if $name eq $first_lexical;
		$self->{lexical}{$name} = $lexical;
		$self->{rules}{$name} = _alternatives(\@tokens);
		die "left over in: $line" if @tokens;
	}
	$self->_find_heights;
	return $self;
}

# Does the rule make the whole text?
sub accepts
{
	my ($self, $rule, $text) = @_;
	local $self->{text} = $text;
	local $self->{memo} = {};
	return exists $self->_ends([ rule => $rule ], 0, $self->{lexical}{$rule})->{ length $text };
}

# A random text as a list of tokens, not much more of them than the budget, nor deeper; those of the lexical rules and what is between syntactic tokens come whole.
sub derive
{
	my ($self, $rule, $budget) = @_;
	local $self->{room} = $budget;
	return $self->_derive([ rule => $rule ], $budget, $self->{lexical}{$rule});
}

# ---- reading rules: a node is [kind, ...]

sub _alternatives
{
	my ($tokens) = @_;
	my @alternatives = (_sequence($tokens));
	while (@$tokens && $tokens->[0] eq '|')
	{
		shift @$tokens;
		push @alternatives, _sequence($tokens);
	}
	return @alternatives == 1 ? $alternatives[0] : [ either => @alternatives ];
}

sub _sequence
{
	my ($tokens) = @_;
	my @parts;
	while (@$tokens && $tokens->[0] !~ /^[|)]$/)
	{
		my $part = _repeated($tokens);
		if (@$tokens && $tokens->[0] eq '-')
		{
			shift @$tokens;
			$part = [ minus => $part, _repeated($tokens) ];
		}
		push @parts, $part;
	}
	return @parts == 1 ? $parts[0] : [ sequence => @parts ];
}

sub _repeated
{
	my ($tokens) = @_;
	my $token = shift @$tokens;
	my $node;

	if ($token eq '(')
	{
		$node = _alternatives($tokens);
		die 'a parenthesis is not closed' if (shift(@$tokens) // '') ne ')';
	}
	elsif ($token =~ /^["'](.*)["']$/s) { $node = [ literal => $1 ]; }
	elsif ($token =~ /^\[(\^?)(.*)\]$/s) { $node = [ class => _class($1, $2) ]; }
	else { $node = [ rule => $token ]; }
	return $node if !@$tokens || $tokens->[0] !~ /^[?*+]$/;
	my $repeat = shift @$tokens;
	return [ repeat => $node, $repeat eq '+' ? 1 : 0, $repeat eq '?' ? 1 : undef ];
}

# A class as a compiled pattern for one character.
sub _class
{
	my ($negated, $body) = @_;
	my $set = join '', map { /^#x(.+)/ ? "\\x{$1}" : $_ eq '-' ? '-' : quotemeta } $body =~ /#x[0-9A-F]+|./gs;
	$set =~ s/^-|-$/\\-/g;
	return qr/[$negated$set]/;
}

# ---- recognizing: the places where a node that begins at $pos may end, as a hash

sub _ends
{
	my ($self, $node, $pos, $lexical) = @_;
	my ($kind, @parts) = @$node;

	if ($kind eq 'rule')
	{
		return $self->{memo}{ $parts[0] }{$pos} //= $self->_ends_of_rule($parts[0], $pos, $lexical);
	}
	elsif ($kind eq 'literal')
	{
		return { _found($self, qr/\Q$parts[0]\E/, $pos) } if $lexical;
		my ($end) = _found($self, $parts[0] =~ /^\w/ ? qr/[ \x09-\x0D]*+\Q$parts[0]\E(?![\w\$])/ : qr/[ \x09-\x0D]*+\Q$parts[0]\E/, $pos);
		return defined $end ? { $end => 1 } : {};
	}
	elsif ($kind eq 'class') { return { _found($self, $parts[0], $pos) }; }
	elsif ($kind eq 'either') { return { map { %{ $self->_ends($_, $pos, $lexical) } } @parts }; }
	elsif ($kind eq 'minus')
	{
		my %ends = %{ $self->_ends($parts[0], $pos, $lexical) };
		delete @ends{ keys %{ $self->_ends($parts[1], $pos, $lexical) } };
		return \%ends;
	}
	elsif ($kind eq 'sequence')
	{
		my $ends = { $pos => 1 };
		for my $part (@parts)
		{
			$ends = { map { %{ $self->_ends($part, $_, $lexical) } } keys %$ends };
		}
		return $ends;
	}

	my ($part, $min, $max) = @parts;
	my %all = $min == 0 ? ($pos => 1) : ();
	my @new = ($pos);
	for (my $n = 0; @new && (!defined $max || $n < $max); $n++)
	{
		@new = grep { !$all{$_}++ } map { keys %{ $self->_ends($part, $_, $lexical) } } @new;
	}
	return \%all;
}

sub _ends_of_rule
{
	my ($self, $name, $pos, $lexical) = @_;
	my $rule = $self->{rules}{$name} // die "no rule $name";

	return $self->_ends($rule, $pos, 0) if !$self->{lexical}{$name};
	if (!$lexical)
	{
		($pos) = _found($self, qr/[ \x09-\x0D]*+/, $pos);
	}
	my ($longest) = sort { $b <=> $a } keys %{ $self->_ends($rule, $pos, 1) };
	return {} if !defined $longest;
	return {} if !$lexical && $name =~ /^(number|index)$/ && substr($self->{text}, $longest, 1) =~ /[\w\$]/;
	return { $longest => 1 };
}

# The end of the pattern at the place, and 1; or nothing.
sub _found
{
	my ($self, $pattern, $pos) = @_;
	pos($self->{text}) = $pos;
	return $self->{text} =~ /\G$pattern/gc ? (pos($self->{text}), 1) : ();
}

# ---- making texts

# How deep the shortest derivation of each rule is.
sub _find_heights
{
	my ($self) = @_;
	my $changed = 1;

	$self->{heights} = { map { $_ => $max_depth } keys %{ $self->{rules} } };
	while ($changed)
	{
		$changed = 0;
		for my $name (sort keys %{ $self->{rules} })
		{
			my $height = $self->_height($self->{rules}{$name});
			next if $height >= $self->{heights}{$name};
			$self->{heights}{$name} = $height;
			$changed = 1;
		}
	}
	return;
}

sub _height
{
	my ($self, $node) = @_;
	my ($kind, @parts) = @$node;

	return 1 + ($self->{heights}{ $parts[0] } // die "no rule $parts[0]") if $kind eq 'rule';
	return 0 if $kind =~ /^(literal|class)$/;
	return $parts[1] == 0 ? 0 : $self->_height($parts[0]) if $kind eq 'repeat';
	return $self->_height($parts[0]) if $kind eq 'minus';
	my @heights = sort { $a <=> $b } map { $self->_height($_) } @parts;
	return $kind eq 'either' ? $heights[0] : $heights[-1];
}

sub _derive
{
	my ($self, $node, $budget, $lexical) = @_;
	my ($kind, @parts) = @$node;
	$budget = 0 if $self->{room} < 0;

	if ($kind eq 'rule')
	{
		my $inner = $self->{lexical}{ $parts[0] };
		my @tokens = $self->_derive($self->{rules}{ $parts[0] }, $budget - 1, $inner);
		return $inner && !$lexical ? join('', @tokens) : @tokens;
	}
	$self->{room}-- if $kind eq 'literal';
	return $parts[0] if $kind eq 'literal';
	return _character($parts[0]) if $kind eq 'class';
	return map { $self->_derive($_, $budget, $lexical) } @parts if $kind eq 'sequence';
	if ($kind eq 'either')
	{
		my @possible = grep { $self->_height($_) <= $budget } @parts;
		@possible = sort { $self->_height($a) <=> $self->_height($b) } @parts if !@possible;
		return $self->_derive($possible[ $self->_height($possible[0]) <= $budget ? rand @possible : 0 ], $budget, $lexical);
	}
	if ($kind eq 'minus')
	{
		for (1 .. 1000)
		{
			my $text = join '', $self->_derive($parts[0], $budget, $lexical);
			local $self->{text} = $text;
			local $self->{memo} = {};
			return $text if !exists $self->_ends($parts[1], 0, 1)->{ length $text };
		}
		die 'nothing is left of a difference';
	}

	my ($part, $min, $max) = @parts;
	my $more = $self->_height($part) > $budget ? 0 : defined $max ? rand() < 0.3 : int(rand() ** 3 * 3);
	return map { $self->_derive($part, $budget, $lexical) } 1 .. ($more > $min ? $more : $min);
}

# A character of the class, often an odd one.
sub _character
{
	my ($class) = @_;
	my @odd = map { chr } 0x22, 0x27, 0x5C, 0x7B, 0x7D, 0x24, 0x9, 0xA, 0xE9, 0x5D0, 0x301, 0x20AC, 0xE000, 0x1F600;

	for (1 .. 1000)
	{
		my $character = rand() < 0.2 ? $odd[ rand @odd ] : chr(32 + int rand 95);
		return $character if $character =~ /^$class$/;
	}
	for my $code (1 .. 0x10FFFF)
	{
		return chr $code if chr($code) =~ /^$class$/;
	}
	die 'an empty class';
}

1;
