# Scripts of other versions of the extension, in the private server that the tests run with, and what a script has made.
package ExtensionScript;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(script_directory install_script remove_scripts shipped_script shipped_updates extension_objects);

my @installed;

# Where the server looks for scripts; undef where the tests may not write there.
sub script_directory
{
	my ($directory) = run_command([ 'pg_config', '--sharedir' ]);
	$directory .= '/extension';
	return -w $directory ? $directory : undef;
}

# install_script('0.9--1.0', 'text'): databite--0.9--1.0.sql, until the test ends.
sub install_script
{
	my ($versions, $text) = @_;
	my $file = script_directory() . "/databite--$versions.sql";
	die "$file is there already" if -e $file;
	push @installed, $file;
	append_to_file($file, $text);
	return;
}

sub remove_scripts
{
	unlink splice @installed;
	return;
}

END { remove_scripts(); }

# The text of a script that is installed: '1.0'.
sub shipped_script
{
	my ($versions) = @_;
	return slurp_file(script_directory() . "/databite--$versions.sql");
}

# Versions other than that one which have a script that makes them from nothing.
sub shipped_updates
{
	my ($current) = @_;
	my @versions = map { /databite--([^-]+)\.sql$/ ? $1 : () } glob(script_directory() . '/databite--*.sql');
	return grep { $_ ne $current } @versions;
}

# All that the extension has in a database, a line for each property, in order. What is the same in two databases was made alike.
sub extension_objects
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, <<'SQL');
SET search_path = pg_catalog;
CREATE TEMP TABLE member AS
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name FROM pg_depend d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'databite');
CREATE TEMP VIEW relation AS SELECT name, c.* FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid;
SELECT line FROM (
	SELECT name || ': member; ' || coalesce(obj_description(objid, classid::regclass::name), '') AS line FROM member
	UNION ALL SELECT name || ': first privileges ' || i.initprivs::text FROM member m JOIN pg_init_privs i ON (i.classoid, i.objoid) = (m.classid, m.objid)
	UNION ALL SELECT name || ': ' || concat_ws(' ', relkind, relacl, reloptions, relrowsecurity, relforcerowsecurity, relpersistence) FROM relation
	UNION ALL SELECT name || ' column ' || concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attstattarget, attstorage,
		pg_get_expr(adbin, adrelid)) FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND attnum > 0
		LEFT JOIN pg_attrdef ON adrelid = r.oid AND adnum = attnum
	UNION ALL SELECT name || ' index ' || pg_get_indexdef(indexrelid) FROM relation r JOIN pg_index ON indrelid = r.oid
	UNION ALL SELECT name || ' constraint ' || conname || ' ' || pg_get_constraintdef(k.oid) FROM relation r JOIN pg_constraint k ON conrelid = r.oid
	UNION ALL SELECT name || ' trigger ' || pg_get_triggerdef(t.oid) FROM relation r JOIN pg_trigger t ON tgrelid = r.oid
	UNION ALL SELECT name || ' policy ' || concat_ws(' ', polname, polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
		FROM relation r JOIN pg_policy ON polrelid = r.oid
	UNION ALL SELECT name || ' view ' || pg_get_viewdef(oid) FROM relation WHERE relkind = 'v'
	UNION ALL SELECT name || ' function ' || concat_ws(' ', proacl, pg_get_functiondef(p.oid))
		FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	UNION ALL SELECT 'dumped: ' || pg_describe_object('pg_class'::regclass, c, 0) || ' ' || w
		FROM pg_extension, unnest(extconfig, extcondition) AS u (c, w) WHERE extname = 'databite'
) AS lines ORDER BY line COLLATE "C";
SQL
}

1;
