# lib_parallel.pl FILE...: functions and aggregates whose install SQL does not
# say PARALLEL.  Without it a function is UNSAFE and every query that calls it
# runs without workers: right for some, but to be said and not to be forgotten.
use strict;
use warnings;

my $missing = 0;
for my $file (@ARGV)
{
	open my $sql, '<', $file or die "$file: $!\n";
	my $text = do { local $/; <$sql> };
	$text =~ s/--[^\n]*//g;
	$text =~ s/\$(\w*)\$.*?\$\1\$/\$\$/gs;
	for my $statement (split /;/, $text)
	{
		my ($name) = $statement =~ /^\s*CREATE\s+(?:FUNCTION|AGGREGATE)\s+([\w.]+)/i or next;
		next if $statement =~ /\bPARALLEL\b/i;
		print "$file: $name\n";
		$missing++;
	}
}
exit($missing > 0);
