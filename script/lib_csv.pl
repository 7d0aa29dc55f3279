# lib_csv.pl FILE ENCODING ROLE=COLUMN...: read the first line of a CSV file.
#
# Prints for the shell, each followed by a zero byte: the statement that makes a
# table of text columns named as in the file, the COPY command that fills it,
# then for every ROLE the name of its column.  A column is found by its name, or
# by its name in another case.
use strict;
use warnings;

$SIG{__DIE__} = sub { print STDERR "demo: $_[0]"; exit 1 };

my ($file, $encoding, @roles) = @ARGV;
my ($short) = $file =~ m{([^/]+)$};

# The first record: a quoted name may contain anything, line ends included.
# It is read to the end of the line on which its quotes are balanced.
open my $csv, '<:raw', $file or die "$file: $!\n";
my $header = '';
while (my $line = <$csv>)
{
	$header .= $line;
	last unless ($header =~ tr/"//) % 2;
}
$header =~ s/^\xEF\xBB\xBF//;
$header =~ s/[\r\n]+$//;
die "$short is empty: its first line must name the columns\n" if $header eq '';

# The separator is whichever of these the header has most of, outside quotes.
(my $bare = $header) =~ s/"[^"]*"//g;
my $delimiter = ',';
for my $candidate (';', "\t", '|')
{
	$delimiter = $candidate
	  if (() = $bare =~ /\Q$candidate\E/g) > (() = $bare =~ /\Q$delimiter\E/g);
}

my (@names, %taken);
while ($header =~ /\G(?:"((?:[^"]|"")*)"|([^\Q$delimiter\E]*))(?:\Q$delimiter\E|$)/gs)
{
	my $name = defined $1 ? $1 =~ s/""/"/gr : $2;
	$name =~ s/^\s+|\s+$//g;
	$name = sprintf 'column %d', @names + 1 if $name eq '';
	die "$short has two columns \"$name\"\n" if $taken{$name}++;
	push @names, $name;
	last if pos($header) >= length $header && $header !~ /\Q$delimiter\E\z/;
	last if pos($header) > length $header;
}

sub identifier { my $name = shift; return '"' . $name =~ s/"/""/gr . '"' }

my @found;
for my $role (@roles)
{
	my ($option, $wanted) = split /=/, $role, 2;
	my ($exact) = grep { $_ eq $wanted } @names;
	my @alike = grep { lc $_ eq lc $wanted } @names;
	my $name = $exact // (@alike == 1 ? $alike[0] : undef);
	die "$short has no column \"$wanted\" (--$option); its columns are: "
	  . join(', ', map { "\"$_\"" } @names) . "\n"
	  unless defined $name;
	push @found, $name;
}

my $columns = join ', ', map { identifier($_) } @names;
print 'CREATE UNLOGGED TABLE csv ("(row)" bigint GENERATED ALWAYS AS IDENTITY, ',
  join(', ', map { identifier($_) . ' text' } @names), ")\0";
print "COPY csv ($columns) FROM STDIN (FORMAT csv, HEADER, ",
  "DELIMITER E'", ($delimiter eq "\t" ? '\t' : $delimiter), "', ENCODING '",
  $encoding =~ s/'/''/gr, "')\0";
print "$_\0" for @found;
