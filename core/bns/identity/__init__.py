"""Who a name stands for: decentralised identifiers (spec 04 section 8)."""
