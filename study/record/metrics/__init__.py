"""Metrics: the additive statistics of an example, and the score of their sums."""
