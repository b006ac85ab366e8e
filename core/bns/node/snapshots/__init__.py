"""Fast-sync: signed archives of a node's state, made, verified, restored and published (spec 08 sections 11 and 12)."""
