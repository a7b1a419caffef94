"""Rows of very many masks: numbers in the place of masks and examples, and sums that are taken while reading."""
