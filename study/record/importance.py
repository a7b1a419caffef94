"""Importance: a number for each unit from stored gradient rows, without a model; every published estimator by name.

A gradient row holds dL(x)/dxi_h (`gradient`) and the sum over tokens t of |Att_h,t . dL/dAtt_h,t| (`token_gradient`)
of one example, for each head and each MLP. One xi for all heads of a group or a layer has the sum of their signed
gradients as its own. The larger its importance, the later a unit is removed.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.units import AttentionKind, HeadLayout, Mlp, Unit, UnitLevel, layer_of


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

    @property
    def column(self) -> str:
        """The column of gradient rows that it reads."""
        return "token_gradient" if self is Estimator.released_code else "gradient"

    def each(self, gradients: Float[np.ndarray, "examples units"]) -> Float[np.ndarray, "examples units"]:
        """What is averaged, of each example, from what its column holds of each unit."""
        match self:
            case Estimator.paper:
                return np.abs(gradients)
            case Estimator.released_code:
                return gradients
            case Estimator.signed:
                return -gradients
            case Estimator.fisher:
                return np.square(gradients)

    def normalisation(self, level: UnitLevel = UnitLevel.head) -> "Normalisation":
        """What it was published with: the released code normalises nothing unless told to.

        Of units of which a layer has one there is nothing to normalise within a layer.
        """
        unnormalised = self is Estimator.released_code or level in ONE_A_LAYER
        return Normalisation.none if unnormalised else Normalisation.layer_l2


ONE_A_LAYER = (UnitLevel.layer, UnitLevel.mlp)
"""Levels of which each layer has one unit."""


class Normalisation(StrEnum):
    """What makes numbers of different layers comparable; a layer is an attention kind and its layer."""

    none = "none"
    layer_l2 = "layer_l2"
    """Divided by the root of the layer's summed squares (Molchanov et al. 2017), as the paper says."""
    layer_max = "layer_max"
    """Divided by the largest size in the layer."""
    model = "model"
    """Globally: divided by the root of all units' summed squares."""


class Average(StrEnum):
    """What the sum over examples is divided by; of consequence where no layer is normalised."""

    examples = "examples"
    """Number of examples: of a translation, whose loss is summed over its reference, the mean of whole sentences."""
    tokens = "tokens"
    """Number of tokens that the attention answers, as in the released code: of the source for the encoder's, of the
    target for the decoder's."""


def require_estimate(estimator: Estimator, normalisation: Normalisation | None, level: UnitLevel) -> None:
    """Refuse what cannot be estimated of units of a level.

    Raises:
        InputError: for the released code's estimator of several heads at once, of which absolute values are stored head
            by head; and for a normalisation within layers that have one unit each.
    """
    if estimator is Estimator.released_code and level in (UnitLevel.group, UnitLevel.layer):
        raise InputError(
            f"estimator=released_code is of single heads: the absolute values of each token, which it adds, are stored "
            f"for each head and not for a {level}. With unit={level} take estimator=paper, signed or fisher"
        )
    if normalisation in (Normalisation.layer_l2, Normalisation.layer_max) and level in ONE_A_LAYER:
        raise InputError(
            f"normalisation={normalisation} compares the units of a layer, and with unit={level} each layer has one: "
            f"take normalisation=none or model"
        )


def importance(
    rows: pl.DataFrame,
    layout: HeadLayout,
    estimator: Estimator = Estimator.paper,
    normalisation: Normalisation | None = None,
    average: Average = Average.examples,
    mask: Bool[np.ndarray, " width"] | None = None,
    level: UnitLevel = UnitLevel.head,
) -> Float[np.ndarray, " units"]:
    """The importance of every unit of a level, in the order of `layout.units`.

    Args:
        rows: gradient rows under one mask, one for each example, with weights where there are any.
        layout: the units of the model.
        estimator: what is averaged.
        normalisation: what makes layers comparable; None: what the estimator was published with.
        average: what the sum over examples is divided by.
        mask: the mask of the rows; a unit that is off has no importance and no part in its layer. None: all on.
        level: what is turned off as a whole.

    Raises:
        InputError: when there is no row, and for what cannot be estimated of units of this level.
    """
    if rows.is_empty():
        raise InputError("importance needs gradients of at least one example")
    require_estimate(estimator, normalisation, level)
    weights = rows[WEIGHT].to_numpy().astype(np.float64) if WEIGHT in rows.columns else np.ones(rows.height)
    gradients = rows[estimator.column].to_numpy().astype(np.float64)
    if mask is not None:
        gradients = np.where(mask[: gradients.shape[1]], gradients, 0.0)
    units = layout.units(level)
    total = (estimator.each(_unit_gradients(gradients, layout, level)) * weights[:, None]).sum(axis=0)
    mean = total / (weights.sum() if average is Average.examples else _tokens(rows, weights, units))
    return _normalised(mean, units, normalisation or estimator.normalisation(level))


def _unit_gradients(
    gradients: Float[np.ndarray, "examples columns"], layout: HeadLayout, level: UnitLevel
) -> Float[np.ndarray, "examples units"]:
    """The gradient of one xi for all columns of a unit: their sum."""
    if level is UnitLevel.head:
        return gradients[:, : len(layout)]
    columns = [gradients[:, layout.span(unit)].sum(axis=1) for unit in layout.units(level)]
    return np.stack(columns, axis=1) if columns else np.empty((len(gradients), 0))


def _tokens(
    rows: pl.DataFrame, weights: Float[np.ndarray, " examples"], units: Sequence[Unit]
) -> Float[np.ndarray, " units"]:
    """How many tokens each unit answers, over all examples; only decoders have MLPs that are masked."""
    source, target = (float(weights @ rows[column].to_numpy()) for column in ("source_tokens", "target_tokens"))
    encoder = AttentionKind.ENCODER_SELF
    return np.array([source if not isinstance(unit, Mlp) and unit.kind is encoder else target for unit in units])


def _normalised(
    values: Float[np.ndarray, " units"], units: Sequence[Unit], normalisation: Normalisation
) -> Float[np.ndarray, " units"]:
    """Divided by the size of its layer or of the model; a layer of zeros stays one."""
    if normalisation is Normalisation.none:
        return values
    parts: dict[object, list[int]] = {}
    for i, unit in enumerate(units):
        parts.setdefault(None if normalisation is Normalisation.model else layer_of(unit), []).append(i)
    result = values.copy()
    for part in parts.values():
        size = np.abs(values[part]).max() if normalisation is Normalisation.layer_max else np.linalg.norm(values[part])
        result[part] = values[part] / (size or 1.0)
    return result
