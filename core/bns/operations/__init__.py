"""The rules of the name system: pure functions and values, one module per operation (spec 02)."""
