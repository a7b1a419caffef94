"""Metrics of choices: which of several continuations is the likeliest, and how likely the right one is."""
