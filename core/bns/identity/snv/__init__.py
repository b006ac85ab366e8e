"""SNV, simplified name verification: what a node says, proven from one consensus hash (spec 08 section 14)."""
