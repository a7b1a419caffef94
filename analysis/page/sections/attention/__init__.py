"""Sections on what heads look at, a file each: statistics, roles, whether roles matter, correlations, clusters."""
