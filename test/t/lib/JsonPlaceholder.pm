package JsonPlaceholder;

=pod

=head1 NAME

JsonPlaceholder - the JSONPlaceholder service, from its npm package, on loopback

=head1 SYNOPSIS

  my $service = JsonPlaceholder->start;
  $service->url('/posts');

=head1 DESCRIPTION

The package is looked for in C<$JSONPLACEHOLDER_DIR>, which C<./dev test> sets, else in .build/npm, where npm installs it
if it is not there yet. Once installed it needs no network. The service ends with the object.

=cut

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use SampleApi ();

my $root = abs_path(dirname(__FILE__) . '/../../..');

# The package's own start script listens on every address; this one on loopback, and it ends with whoever started it.
my $script = <<'JS';
const fs = require('fs');
const [file] = process.argv.slice(1);
const parent = process.ppid;
const server = require('jsonplaceholder/src/app').listen(0, '127.0.0.1', () => {
	fs.writeFileSync(file + '.tmp', String(server.address().port));
	fs.renameSync(file + '.tmp', file);
});
setInterval(() => { if (process.ppid !== parent) process.exit(0); }, 1000);
JS

sub start
{
	my ($class) = @_;
	my $directory = directory();
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/port';
	local $ENV{NODE_PATH} = "$directory/node_modules";
	local $ENV{NODE_ENV} = 'production';
	my ($in, $out) = ('', '');
	my $process = IPC::Run::start([ 'node', '-e', $script, $file ], \$in, \$out, '2>&1');
	SampleApi::wait_for_file($file, sub { $process->pumpable }) or die "JSONPlaceholder did not start: $out";
	return bless { process => $process, port => slurp_file($file) }, $class;
}

# Where the package is installed; installs it if need be.
sub directory
{
	my $directory = $ENV{JSONPLACEHOLDER_DIR} // "$root/.build/npm";
	unless (-d "$directory/node_modules/jsonplaceholder")
	{
		my @command = ('npm', 'install', '--prefix', $directory, '--no-audit', '--no-fund', '--ignore-scripts',
			'--loglevel=error', 'jsonplaceholder@0.3.3');
		system_log(@command) == 0 or die "npm could not install the JSONPlaceholder service";
	}
	return $directory;
}

sub url
{
	my ($self, $path) = @_;
	return "http://127.0.0.1:$self->{port}$path";
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@);
	eval { $self->{process}->kill_kill(grace => 2) };
	return;
}

1;
