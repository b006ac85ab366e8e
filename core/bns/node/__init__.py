"""The node: where blocks come from, and the loop that indexes them."""
