"""Measures of sets of units: pairs, coalitions, sufficient sets, screening. Each stores what its masks mean."""
