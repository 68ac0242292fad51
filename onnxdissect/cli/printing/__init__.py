"""What commands print: tables, progress, verdicts; data on stdout, everything else on stderr."""
