"""What a node tells the world: records as served, and the interfaces over them (spec 06, spec 07)."""
