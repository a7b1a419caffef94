"""F1: the harmonic mean of precision and recall, of one label or as a mean over labels."""

import numpy as np
from jaxtyping import Float, Num

from study.record.errors import InputError
from study.record.metrics.labels import LabelMetric
from study.record.metrics.metric import ANY, Answers


class F1(LabelMetric):
    """F1 (van Rijsbergen 1979) of the positive label, in percent: 2 right / (predicted + gold).

    0/0, where the label is neither predicted nor right anywhere, is 0, as in scikit-learn. Margin: that of accuracy,
    which it equals where both labels are equally frequent and as often mistaken.
    """

    name = "f1"
    label = "F1"
    score_unit = "F1"
    axis = "F1 (%)"
    margin = 0.5
    is_of_one_label = True
    method = "F1 [vanrijsbergen1979information] of the positive label follows from the stored predictions"

    def __init__(self, answers: Answers = ANY) -> None:
        """Find the positive label among those of the model.

        Raises:
            InputError: when the data names none, or one that the model does not have.
        """
        super().__init__(answers)
        if answers.labels and answers.positive.casefold() not in self.labels:
            named = f"'{answers.positive}' is none of them" if answers.positive else "data.positive names it"
            raise InputError(f"F1 is about one label of {', '.join(self.labels)}: {named}. f1_macro is about all")

    @property
    def signature(self) -> str:
        """The positive label besides."""
        return f"{super().signature}|positive:{self.answers.positive}"

    def ratio(
        self,
        right: Float[np.ndarray, "sums labels"],
        predicted: Float[np.ndarray, "sums labels"],
        gold: Float[np.ndarray, "sums labels"],
    ) -> tuple[Num[np.ndarray, " sums"], Num[np.ndarray, " sums"]]:
        """Twice the right ones, and the predicted and the gold ones together."""
        k = self.labels.index(self.answers.positive.casefold())
        return 2 * right[..., k], predicted[..., k] + gold[..., k]


class MacroF1(LabelMetric):
    """The mean over labels of F1, in percent; labels that are neither predicted nor gold do not count.

    As in scikit-learn (`average="macro"`). Margin: that of accuracy, see `F1`.
    """

    name = "f1_macro"
    label = "macro F1"
    score_unit = "macro F1"
    axis = "macro F1 (%)"
    margin = 0.5
    method = "Macro F1 [vanrijsbergen1979information], the mean over labels, follows from the stored predictions"

    def ratio(
        self,
        right: Float[np.ndarray, "sums labels"],
        predicted: Float[np.ndarray, "sums labels"],
        gold: Float[np.ndarray, "sums labels"],
    ) -> tuple[Num[np.ndarray, " sums"], Num[np.ndarray, " sums"]]:
        """The sum of F1 over the labels that occur, and their number."""
        either = predicted + gold
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(either > 0, 2 * right / either, 0.0).sum(axis=-1), (either > 0).sum(axis=-1)
