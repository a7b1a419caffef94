"""Sets of heads: pairs, Shapley values, sufficient sets, screening; from the outcomes of designs, without a model."""

from analysis.sets.tables import Sets, sets

__all__ = ["Sets", "sets"]
