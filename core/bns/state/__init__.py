"""The name database: SQLite tables, records, history, undo (spec 02 section 3, spec 03)."""
