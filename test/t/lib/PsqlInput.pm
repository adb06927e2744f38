# psql reads its queries from a file.  Through a pipe, which IPC::Run makes of a string, a test dies ("ack Broken pipe") where psql has
# ended before it has read them, as it does while a server starts again after a crash.
package PsqlInput;

use strict;
use warnings FATAL => 'all';

use File::Temp ();
use IPC::Run   ();

my $run = \&IPC::Run::run;

{
	no warnings 'redefine';
	*IPC::Run::run = sub {
		my @arguments = @_;
		my @files;

		for my $i (1 .. $#arguments)
		{
			next unless ref($arguments[$i]) eq 'SCALAR' && !ref($arguments[ $i - 1 ]) && ($arguments[ $i - 1 ] // '') eq '<';
			push @files, _file_of(${ $arguments[$i] });
			$arguments[$i] = $files[-1]->filename;
		}
		return $run->(@arguments);
	};
}

# A file, which goes with the object, of what IPC::Run would have written.
sub _file_of
{
	my ($input) = @_;
	my $file = File::Temp->new;

	$input //= '';
	utf8::encode($input) if utf8::is_utf8($input);
	binmode $file;
	print {$file} $input or die "could not write " . $file->filename . ": $!";
	close $file or die "could not write " . $file->filename . ": $!";
	return $file;
}

1;
