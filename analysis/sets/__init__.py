"""Sets of heads: pairs, Shapley values, sufficient sets, screening; from the outcomes of designs, without a model."""
