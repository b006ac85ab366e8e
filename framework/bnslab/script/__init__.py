"""Scenario scripts, *.bns: scenarios in plain words, one statement a line (docs/scripts.md)."""
