"""The vocabulary of table-driven scenarios: rows that read like those of the catalogue (spec 10 section 3)."""
