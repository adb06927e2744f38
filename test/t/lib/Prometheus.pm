# Reads the text exposition format of Prometheus, version 0.0.4, and takes nothing that it does not say.
package Prometheus;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(parse_metrics);

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
my $number = qr/[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|Inf)|NaN/;

=item parse_metrics($text)

The samples by what they are written as, without spaces (C<up> or C<m{a="b",c="d"}>), as hashes of name, labels (a hash), type and value.
Dies with the number of the line where the text is not of the format, or not what scrapers and their users expect: each metric is one
block of # HELP, # TYPE and its samples, a counter and nothing else ends in _total, and nothing is there twice.

=cut

sub parse_metrics
{
	my ($text) = @_;
	my (%samples, %types, $block, $help);
	my $line_number = 0;

	die 'the last line does not end' unless $text =~ /\n\z/;
	for my $line (split /\n/, $text)
	{
		$line_number++;
		if ($line =~ /^# HELP ($name) (?:[^\\]|\\[\\n])+$/)
		{
			die "line $line_number: $1 is there already" if $types{$1};
			$help = $1;
			$block = undef;
		}
		elsif ($line =~ /^# TYPE ($name) (counter|gauge)$/)
		{
			my ($metric, $type) = ($1, $2);
			die "line $line_number: no help before the type of $metric" if !defined $help || $help ne $metric;
			die "line $line_number: $metric is no name of a $type" if $type ne ($metric =~ /_total$/ ? 'counter' : 'gauge');
			$types{ $block = $metric } = $type;
		}
		elsif ($line =~ /^($name)(?:\{($label(?:,$label)*)\})? ($number)$/)
		{
			my ($metric, $labels, $value) = ($1, $2, $3);
			my $series = $metric . (defined $labels ? "{$labels}" : '');
			die "line $line_number: $metric is not in its block" if !defined $block || $block ne $metric;
			die "line $line_number: $series is there already" if $samples{$series};
			$samples{$series} = { name => $metric, labels => _labels($labels // ''), type => $types{$metric}, value => $value };
		}
		else
		{
			die "line $line_number: $line";
		}
	}
	return \%samples;
}

sub _labels
{
	my ($text) = @_;
	my %labels;
	while ($text =~ /([a-zA-Z0-9_]+)="((?:[^"\\\n]|\\["\\n])*)"/g)
	{
		my ($label, $value) = ($1, $2);
		die "label $label twice" if exists $labels{$label};
		$labels{$label} = $value =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ger;
	}
	return \%labels;
}

1;
