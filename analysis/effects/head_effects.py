"""Effects: the score with a mask minus the score without, for every mask that says something about one head or layer.

Three measures are read off the same outcomes: one head off (ablation), all but one head of a layer off, and no head in
a layer. Which masks these are follows from the layout. In a layer of two heads, one head off is also all but the other;
such a mask is listed under each name.
"""

from enum import StrEnum
from typing import Any

import polars as pl

from analysis.inference import COLUMNS, Inference
from analysis.inference.effect_inference import DomainInference
from analysis.results.domain import Domain
from study.record.errors import InputError
from study.record.metrics import Metric
from study.record.scores import mask_scores
from study.record.units import ADDRESS, HeadLayout

ALL_KINDS = "all"
"""In a column of attention kinds: heads of every kind together."""


class Measure(StrEnum):
    """What a mask is read as."""

    ABLATION = "ablation"
    ALL_BUT_ONE = "all_but_one"
    NO_HEAD = "no_head"


def measured_masks(layout: HeadLayout) -> pl.DataFrame:
    """The masks of every measure: columns measure, kind, layer, head (from 0; null for a whole layer), mask."""
    heads = [head.row for head in layout.heads]
    layers = [{"kind": str(kind), "layer": layer} for kind, layer in layout.layers]
    measures = (
        (Measure.ABLATION, heads, layout.each_off()),
        (Measure.ALL_BUT_ONE, heads, layout.each_alone()),
        (Measure.NO_HEAD, layers, layout.each_layer_off()),
    )
    return pl.DataFrame(
        [
            {"measure": str(measure), **address, "mask": layout.key(mask)}
            for measure, addresses, masks in measures
            for address, mask in zip(addresses, masks, strict=True)
        ],
        schema={"measure": pl.String, **ADDRESS, "mask": pl.String},
    )


def head_effects(rows: pl.DataFrame, layout: HeadLayout, metric: Metric) -> pl.DataFrame:
    """The effects that outcome rows hold, in the order of `measured_masks`.

    Args:
        rows: outcome rows (`mask`, `example`, the metric's statistics), the full mask among them.
        layout: the heads of the model.
        metric: what to score with.

    Returns:
        Columns measure, kind, layer, head (from 0), metric, unit, n (examples), base_score, score, effect.

    Raises:
        InputError: when the full mask is missing, or a mask has another number of examples.
    """
    scores = mask_scores(rows, metric)
    base = scores.filter(pl.col("mask") == layout.full_key)
    if base.is_empty():
        raise InputError("no outcomes of the full mask (every head on): an effect is a difference from its score")
    uneven = scores.filter(pl.col("n") != base["n"][0])
    if uneven.height:
        mask, n, _ = uneven.row(0)
        raise InputError(f"mask {mask} has {n} examples, the full mask {base['n'][0]}: compare on the same ones")
    return _effect_rows(scores, base["score"][0], layout, metric).drop("mask")


def _effect_rows(scores: pl.DataFrame, base: float, layout: HeadLayout, metric: Metric) -> pl.DataFrame:
    """The columns of `head_effects` and mask, from the mask, n and score of every mask."""
    rows = measured_masks(layout).join(scores, on="mask", how="inner", maintain_order="left")
    return rows.select(
        "measure",
        *ADDRESS,
        pl.lit(metric.name).alias("metric"),
        pl.lit(metric.unit).alias("unit"),
        "n",
        pl.lit(base).alias("base_score"),
        "score",
        (pl.col("score") - base).alias("effect"),
        "mask",
    )


DEFAULT = Inference()


def families(domain: Domain) -> dict[str, list[str]]:
    """The masks that were evaluated of every measure, by its name: within each, p values are corrected."""
    masks = measured_masks(domain.layout).filter(pl.col("mask").is_in(domain.masks))
    return {str(name): own["mask"].to_list() for (name,), own in masks.group_by("measure", maintain_order=True)}


def effects(domain: Domain, inference: Inference = DEFAULT, drawn: DomainInference | None = None) -> pl.DataFrame:
    """The tidy table of a domain: every effect with how sure one can be of it.

    Args:
        domain: what is stored of it.
        inference: how intervals and p values are made.
        drawn: its masks (those of `families` among them), where they have been resampled already.

    Returns:
        Columns subject, subject_id, domain, setting_id; those of `head_effects`; and

        - groups, group: how many of what (premise, document, example ...) were resampled;
        - changed: groups in which the mask changes the outcome; below 20 a bootstrap knows little;
        - undefined: share of resamples in which a score is 0/0, as all answers are the same, and counts as 0; 0 of
          metrics that are always a number;
        - standard_error: of the effect, by a jackknife over groups;
        - low, high, interval, alpha: the interval that holds the true effect with probability 1 - alpha, and how it was
          made: `percentile`, `bca`, or `flips` where few examples flip;
        - p, test: of "this mask changes nothing but by chance", two-sided, for this mask alone;
        - p_corrected, correction, significant: over the heads of this measure on this domain; significant up to alpha;
        - detectable: the size of effect that this set finds with probability .8, after correction; one a measure, none
          where there is no such size;
        - margin, p_equivalence, p_equivalence_corrected, equivalent: whether the effect is shown to be within the
          margin (corrected by Holm where the others are by max-T): the head does not matter;
        - resamples, seed: that the numbers came of;
        - reason: why there are none of these numbers (they are null then); null where there are.

    Raises:
        InputError: when the options do not fit the domain.
    """
    own = families(domain)
    drawn = drawn or DomainInference.of(domain, own, inference)
    sample = drawn.sample
    columns = {"mask": sample.masks, "n": sample.different_examples, "score": sample.scores}
    scores = pl.DataFrame(columns, schema_overrides={"n": pl.Int64}).unique("mask", keep="first", maintain_order=True)
    rows = _effect_rows(scores, sample.base_score, domain.layout, domain.metric)
    names = (pl.lit(value).alias(name) for name, value in domain.identity.items())
    return rows.select(*names, pl.exclude("mask")).hstack(drawn.effects(own).select(*COLUMNS))


LOSES_LESS = pl.col("low") > -pl.col("margin")
"""Rows whose effect is shown to be a loss of less than the margin: the interval lies above it, as that of a gain does.

`equivalent` says more, that it is no gain beyond the margin either, and is corrected over the heads.
"""


def strongest_head(table: pl.DataFrame) -> dict[str, Any] | None:
    """The row of the single head whose removal changes the score most; None where no head was removed."""
    single = table.filter(measure=Measure.ABLATION).sort(pl.col("effect").abs(), descending=True, maintain_order=True)
    return single.row(0, named=True) if single.height else None
