"""Variance components: how much of an effect belongs to the head, its layer, the domain, the seed, and to noise."""

from analysis.components.tables import VarianceComponents, variance_components

__all__ = ["VarianceComponents", "variance_components"]
