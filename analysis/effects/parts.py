"""Effects on parts of the examples: by gold label or score, annotation (genre, phenomenon), length of a source.

They show where an effect comes from; they are looked at one by one, and are not corrected for how many there are.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from polars import selectors
from scipy import stats

from analysis.inference import Inference
from analysis.inference.discordant_pairs import flip_interval, flips
from analysis.results.domain import IDENTITY, Domain
from analysis.results.sample import EXAMPLE, GROUP_COLUMN, Sample
from study.record.designs.jackknife import standard_error
from study.record.examples import WEIGHT, text_columns
from study.record.metrics import Task
from study.record.units import ADDRESS, UnitLevel

LABEL, SCORE, LENGTH, PLACE = "gold label", "gold score", "words of the source", "place of the right choice"

MOST = 8
"""Parts by one column that are shown, the most frequent ones."""

FEWEST = 10
"""Examples that the values of a column have in the mean, if it says what examples are like, and not which they are."""

PARTS = (
    dict.fromkeys(IDENTITY, pl.String)
    | {"by": pl.String, "part": pl.String, "parts": pl.Int64}
    | ADDRESS
    | {"n": pl.Int64, "groups": pl.Int64, "effect": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    | {"interval": pl.String, "alpha": pl.Float64, "level": pl.String}
)


def part_effects(domain: Domain, inference: Inference) -> pl.DataFrame:
    """The effect of each unit that was removed by itself, on each part of the examples of a domain that has a score.

    A Matthews or Pearson correlation of examples of one label is 0/0, which is no effect of nought. By gold label there
    are means alone: no other score of labels says anything of examples that have one in common.

    Returns:
        Columns of the domain; by (what the examples are parted by), part, parts (how many there are of them, the most
        frequent of which have rows); kind, layer, head; n (examples), groups (of them); effect, in the unit of the
        metric; low, high, interval, alpha: `jackknife` over groups with Student's t, or `flips` where fewer than 20
        examples flip; null where there is one group; level (what the unit is; of a layer and of an MLP there is no
        head).
    """
    removed = domain.removed(UnitLevel)
    masks = removed["mask"].unique(maintain_order=True)  # the only group of a layer is the layer
    examples = _noted(domain)
    frames = [pl.DataFrame(schema=PARTS)]
    for by in _columns(examples):
        for part in _parts(examples, by):
            sample = domain.sample_on(part, inference.groups).select(masks)
            if sample.undefined(np.ones((1, sample.groups), dtype=np.int64)).any():
                continue
            told = {**domain.identity, "by": by, "part": str(part[by][0])}
            told |= {"parts": examples[by].drop_nulls().n_unique(), "alpha": inference.alpha}
            told |= {"n": sample.different_examples, "groups": sample.groups}
            columns = _intervals(sample, inference.alpha, countable=domain.has_flips)
            literals = {name: pl.lit(value) for name, value in told.items()}
            effects = pl.DataFrame({"mask": masks, "effect": sample.effects, **columns})
            frames.append(removed.join(effects, on="mask", maintain_order="left").with_columns(**literals))
    return pl.concat([frame.select(*PARTS).cast(PARTS) for frame in frames])  # type: ignore[arg-type]


def _parts(examples: pl.DataFrame, by: str) -> list[pl.DataFrame]:
    """The examples of the most frequent parts by a column, the largest first; by length the shortest first."""
    frequent = examples[by].drop_nulls().value_counts(sort=True).head(MOST)[by].sort()
    parts = [examples.filter(pl.col(by) == value) for value in frequent]
    if by in (LENGTH, SCORE):
        return sorted(parts, key=lambda part: float(part[by][0].split(" ")[0]))
    return sorted(parts, key=lambda part: -part.height)


def _noted(domain: Domain) -> pl.DataFrame:
    """The examples with their label as a column; with the quarter that their gold score or their length lies in."""
    examples = domain.examples
    match domain.metric.task:
        case Task.CLASSIFICATION:
            return examples.with_columns(pl.col("target").alias(LABEL)) if domain.metric.is_mean else examples
        case Task.REGRESSION:
            return examples.with_columns(_quarters(examples["target"].cast(pl.Float64)).alias(SCORE))
        case Task.TRANSLATION:
            return examples.with_columns(_quarters(examples["text_1"].str.split(" ").list.len()).alias(LENGTH))
        case Task.CHOICE:
            return examples.with_columns(pl.col("target").alias(PLACE)) if domain.metric.is_mean else examples
        case Task.TEXT | Task.READING:
            return examples


def _quarters(values: pl.Series) -> pl.Series:
    """`3 to 7`: the smallest and the largest value of the quarter that each value lies in."""
    quarter = np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values)
    own = pl.DataFrame({"value": values, "quarter": quarter})
    low, high = pl.col("value").min().over("quarter"), pl.col("value").max().over("quarter")
    span = pl.when(low == high).then(low.cast(pl.String)).otherwise(pl.format("{} to {}", low, high))
    return own.select(span.alias("span"))["span"]


def _columns(examples: pl.DataFrame) -> Iterator[str]:
    """The columns that say what examples are like: of few values, each of several examples; the label comes first."""
    plain = {EXAMPLE, GROUP_COLUMN, WEIGHT, "target"}
    lists = set(examples.select(selectors.nested()).columns)  # lengths of choices
    names = [name for name in examples.columns if name not in plain | lists | set(text_columns(examples.columns))]
    for name in sorted(names, key=lambda name: name not in (LABEL, PLACE)):
        values = examples[name].drop_nulls()
        if 2 <= values.n_unique() <= values.len() / FEWEST:
            yield name


def _intervals(sample: Sample, alpha: float, *, countable: bool) -> dict[str, pl.Series]:
    """Low and high end of each effect, and how they were made; nulls where nothing can be left out."""
    count = len(sample.effects)
    if sample.groups < 2:
        return {name: pl.Series([None] * count, dtype=PARTS[name]) for name in ("low", "high", "interval")}
    width = stats.t.ppf(1 - alpha / 2, sample.groups - 1) * standard_error(sample.effects_without_each)
    low, high, made = sample.effects - width, sample.effects + width, np.full(count, "jackknife", dtype=object)
    if countable:
        of_flips = flips(sample)
        low, high = (
            np.where(of_flips.few, *ends) for ends in zip(flip_interval(of_flips, alpha), (low, high), strict=True)
        )
        made[of_flips.few] = "flips"
    return {"low": pl.Series(low), "high": pl.Series(high), "interval": pl.Series(made, dtype=pl.String)}
