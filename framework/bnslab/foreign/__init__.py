"""Implementations of other people, asked line by line over standard input and output (docs/fixture-format.md)."""
