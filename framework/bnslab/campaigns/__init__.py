"""Campaigns against the node: killed at random points, led through random reorganisations. All take a seed."""
