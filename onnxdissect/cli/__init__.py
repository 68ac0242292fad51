"""The command line: one file per command, each parsing, calling and printing."""
