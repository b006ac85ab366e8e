"""Subdomains: records in zone files, signatures, the rules that accept them, the index (spec 04 sections 4 to 6)."""
