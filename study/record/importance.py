"""Importance: a number for each head from stored gradient rows, without a model; every published estimator by name.

A gradient row holds dL(x)/dxi_h (`gradient`) and the sum over tokens t of |Att_h,t . dL/dAtt_h,t| (`token_gradient`)
of one example. The larger its importance, the later a head is removed.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.units import AttentionKind, HeadLayout


class Estimator(StrEnum):
    """What is averaged over examples. Names are what is written on the command line.

    A new estimator is a name here and its case in `each`.
    """

    paper = "paper"
    """|dL/dxi_h| of each example (Michel et al. 2019, equation 2)."""
    released_code = "released_code"
    """|dL/dxi_h| of each token, as the code that came with the paper has it."""
    signed = "signed"
    """-dL/dxi_h: what the loss rises by, to first order, when the head is removed."""
    fisher = "fisher"
    """(dL/dxi_h)^2."""

    def each(self, rows: pl.DataFrame) -> Float[np.ndarray, "examples heads"]:
        """What is averaged, of each example, from gradient rows under one mask."""
        signed = rows["gradient"].to_numpy().astype(np.float64)
        match self:
            case Estimator.paper:
                return np.abs(signed)
            case Estimator.released_code:
                return rows["token_gradient"].to_numpy().astype(np.float64)
            case Estimator.signed:
                return -signed
            case Estimator.fisher:
                return np.square(signed)

    @property
    def normalisation(self) -> "Normalisation":
        """What it was published with: the released code normalises nothing unless told to."""
        return Normalisation.none if self is Estimator.released_code else Normalisation.layer_l2


class Normalisation(StrEnum):
    """What makes numbers of different layers comparable; a layer is an attention kind and its layer."""

    none = "none"
    layer_l2 = "layer_l2"
    """Divided by the root of the layer's summed squares (Molchanov et al. 2017), as the paper says."""
    layer_max = "layer_max"
    """Divided by the largest size in the layer."""
    model = "model"
    """Globally: divided by the root of all heads' summed squares."""


class Average(StrEnum):
    """What the sum over examples is divided by; of consequence where no layer is normalised."""

    examples = "examples"
    """Number of examples: of a translation, whose loss is summed over its reference, the mean of whole sentences."""
    tokens = "tokens"
    """Number of tokens that the attention answers, as in the released code: of the source for the encoder's, of the
    target for the decoder's."""


def importance(
    rows: pl.DataFrame,
    layout: HeadLayout,
    estimator: Estimator = Estimator.paper,
    normalisation: Normalisation | None = None,
    average: Average = Average.examples,
    mask: Bool[np.ndarray, " heads"] | None = None,
) -> Float[np.ndarray, " heads"]:
    """The importance of every head.

    Args:
        rows: gradient rows under one mask, one for each example, with weights where there are any.
        layout: the heads of the model.
        estimator: what is averaged.
        normalisation: what makes layers comparable; None: what the estimator was published with.
        average: what the sum over examples is divided by.
        mask: the mask of the rows; a head that is off has no importance and no part in its layer. None: all on.

    Raises:
        InputError: when there is no row.
    """
    if rows.is_empty():
        raise InputError("importance needs gradients of at least one example")
    weights = rows[WEIGHT].to_numpy().astype(np.float64) if WEIGHT in rows.columns else np.ones(rows.height)
    total = (estimator.each(rows) * weights[:, None]).sum(axis=0)
    mean = total / (weights.sum() if average is Average.examples else _tokens(rows, weights, layout))
    if mask is not None:
        mean = np.where(mask, mean, 0.0)
    return _normalised(mean, layout, normalisation or estimator.normalisation)


def _tokens(
    rows: pl.DataFrame, weights: Float[np.ndarray, " examples"], layout: HeadLayout
) -> Float[np.ndarray, " heads"]:
    """How many tokens each head's attention answers, over all examples."""
    source, target = (float(weights @ rows[column].to_numpy()) for column in ("source_tokens", "target_tokens"))
    return np.array([source if head.kind is AttentionKind.ENCODER_SELF else target for head in layout.heads])


def _normalised(
    values: Float[np.ndarray, " heads"], layout: HeadLayout, normalisation: Normalisation
) -> Float[np.ndarray, " heads"]:
    """Divided by the size of its layer or of the model; a layer of zeros stays one."""
    if normalisation is Normalisation.none:
        return values
    whole = normalisation is Normalisation.model
    parts = [slice(None)] if whole else [layout.columns(*layer) for layer in layout.layers]
    result = values.copy()
    for part in parts:
        size = np.abs(values[part]).max() if normalisation is Normalisation.layer_max else np.linalg.norm(values[part])
        result[part] = values[part] / (size or 1.0)
    return result
