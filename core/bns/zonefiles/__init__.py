"""Zone files: text, hash, store, and the sequence in which the chain announces them (spec 04 sections 1 to 3)."""
