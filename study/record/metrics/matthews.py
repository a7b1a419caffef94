"""Matthews correlation: how predicted and gold labels go together, whatever the shares of the labels."""

import numpy as np
from jaxtyping import Float, Num

from study.record.metrics.labels import LabelMetric


class Matthews(LabelMetric):
    """Matthews (1975) correlation coefficient times 100, of more than two labels Gorodkin's (2004) R_K.

    0/0, answers or gold labels that are all the same, is 0, as in scikit-learn. Margin: where both labels are equally
    frequent and as often mistaken, it is 2 x accuracy - 100: one point is half a point of accuracy.
    """

    name = "matthews"
    label = "Matthews correlation"
    score_unit = "Matthews"
    axis = "Matthews correlation (× 100)"
    margin = 1.0
    method = "The Matthews correlation [matthews1975comparison], times 100, follows from the stored predictions"

    def ratio(
        self,
        right: Float[np.ndarray, "sums labels"],
        predicted: Float[np.ndarray, "sums labels"],
        gold: Float[np.ndarray, "sums labels"],
    ) -> tuple[Num[np.ndarray, " sums"], Num[np.ndarray, " sums"]]:
        """Covariance of both, and the root of the product of their variances, in squared counts."""
        count = gold.sum(axis=-1)
        both = count * right.sum(axis=-1) - (predicted * gold).sum(axis=-1)
        of_predicted, of_gold = (count**2 - (each**2).sum(axis=-1) for each in (predicted, gold))
        return both, np.sqrt(of_predicted) * np.sqrt(of_gold)
