"""Sections of sets of units: pairs, Shapley values."""
