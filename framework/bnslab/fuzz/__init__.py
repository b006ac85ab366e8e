"""Random chains, a second reading of the rules, and what finds the smallest chain on which two readings differ."""
