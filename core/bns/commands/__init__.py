"""Commands of the node, each loading what it needs when it runs."""
