"""Pairs: what is missed of two units together that is not missed of each by itself.

The interaction is I(i, j) = e(i, j) - e(i) - e(j), of effects e that are below 0 where the score falls. Below 0 the two
are redundant: either suffices, and only both are missed. Above 0 they are complementary: one needs the other, so that
with one gone there is less of the other to miss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import sparse

from analysis.inference import Inference
from analysis.inference.contrasts import Contrasts, Weights
from analysis.results.designs import StoredDesign
from analysis.results.domain import IDENTITY, Domain
from analysis.results.sample import Sample
from analysis.sets.scales import scale_samples, tested_scale
from study.record.units import UnitLevel

REDUNDANT, COMPLEMENTARY = "redundant", "complementary"

ABOUT = dict.fromkeys(IDENTITY, pl.String) | {"design": pl.String, "level": pl.String}

PAIRS = (
    ABOUT
    | dict.fromkeys(["a", "b", "scale", "metric", "unit"], pl.String)
    | {"n": pl.Int64, "groups": pl.Int64, "group": pl.String}
    | dict.fromkeys(["effect_a", "effect_b", "effect_both", "interaction", "standard_error", "low", "high"], pl.Float64)
    | {"changed": pl.Int64, "p": pl.Float64, "p_corrected": pl.Float64, "significant": pl.Boolean, "alpha": pl.Float64}
    | {"named": pl.String, "resamples": pl.Int64, "seed": pl.Int64}
)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of one design, on every scale.

    Attributes:
        stored: the design, with its outcomes.
        places: positions of the two units of each pair, among those of the design.
        inference: how intervals and p values are made.
    """

    stored: StoredDesign
    places: tuple[tuple[int, int], ...]
    inference: Inference

    @classmethod
    def of(cls, stored: StoredDesign, inference: Inference) -> "Pairs":
        """The pairs both of whose units were removed alone as well."""
        singles = stored.domain.single_units(stored.design.unit)
        alone = [unit in singles for unit in stored.design.parsed()]
        off = (tuple(map(int, np.flatnonzero(~row))) for row in stored.design.on)
        return cls(stored, tuple((i, j) for i, j in off if alone[i] and alone[j]), inference)

    @property
    def units(self) -> tuple[str, ...]:
        """Addresses of the units of its design."""
        return self.stored.design.units

    @property
    def name(self) -> str:
        """Model and data, in words."""
        return f"{self.stored.domain.subject} on {self.stored.domain.data}"

    @property
    def level(self) -> UnitLevel:
        """What its units are."""
        return self.stored.design.unit

    @cached_property
    def _known(self) -> dict[str, tuple[Domain, Sample]]:
        """On every scale, the outcomes of the masks that interactions are made of."""
        masks = self.stored.domain.single_units(self.level)
        own = [masks[unit] for unit in self.stored.design.parsed() if unit in masks]
        return scale_samples(self.stored.domain, [*own, *self.pair_masks], self.inference.groups)

    @property
    def scales(self) -> dict[str, Domain]:
        """The outcomes on every scale, by name."""
        return {scale: domain for scale, (domain, _) in self._known.items()}

    @property
    def tested(self) -> str:
        """The scale by which pairs are named."""
        return tested_scale(self.scales)

    @property
    def samples(self) -> dict[str, Sample]:
        """The masks that interactions are made of, on every scale: the base, each unit off, each pair off."""
        return {scale: sample for scale, (_, sample) in self._known.items()}

    @cached_property
    def pair_masks(self) -> list[str]:
        """The mask without both units of each pair."""
        layout, units = self.stored.domain.layout, self.stored.design.parsed()
        return [layout.key(layout.without([units[i], units[j]])) for i, j in self.places]

    def weights(self, sample: Sample) -> Weights:
        """The weight of each mask of `sample` in each interaction: of scores s it is s(i, j) - s(i) - s(j) + s()."""
        place = {mask: number for number, mask in enumerate(sample.masks)}
        singles = self.stored.domain.single_units(self.level)
        alone = [place.get(singles.get(unit, "")) for unit in self.stored.design.parsed()]
        both = zip(self.places, self.pair_masks, strict=True)
        at = np.array([[place[mask], alone[i], alone[j], 0] for (i, j), mask in both], dtype=np.int64)
        count = len(self.places)
        signs = np.tile([1.0, -1.0, -1.0, 1.0], count)
        across = np.repeat(np.arange(count), 4)
        return sparse.csr_array((signs, (at.ravel(), across)), shape=(len(sample.masks), count))

    @cached_property
    def contrasts(self) -> Mapping[str, Contrasts]:
        """The interactions on every scale, tested."""
        options = self.inference
        found = {}
        for scale in self.scales:
            sample = self.samples[scale]
            found[scale] = Contrasts.of(sample, self.weights(sample), options.resamples, options.seed)
        return found

    @cached_property
    def matrix(self) -> Float[np.ndarray, "units units"]:
        """The interactions on the scale that is tested, both ways; NaN where there are none."""
        found = np.full((len(self.units), len(self.units)), np.nan)
        for (i, j), value in zip(self.places, self.contrasts[self.tested].estimates, strict=True):
            found[i, j] = found[j, i] = value
        return found

    @cached_property
    def named(self) -> list[str | None]:
        """What each pair is called: where all scales agree in sign, and the corrected test of one is significant."""
        signs = np.stack([np.sign(contrast.estimates) for contrast in self.contrasts.values()])
        agree = np.abs(signs.sum(axis=0)) == len(signs)
        sure = agree & (np.nan_to_num(self.contrasts[self.tested].p_corrected, nan=1.0) <= self.inference.alpha)
        called = {-1: REDUNDANT, 1: COMPLEMENTARY}
        return [called[int(sign)] if is_sure else None for sign, is_sure in zip(signs[0], sure, strict=True)]

    @property
    def about(self) -> dict[str, Any]:
        """The cells that say which domain and design a row is of."""
        return {**self.stored.domain.identity, "design": self.stored.design.id, "level": str(self.level)}


def pair_table(pairs: Pairs) -> pl.DataFrame:
    """A row for each pair and scale.

    Returns:
        Columns of the domain; design (its id), level, a, b (addresses); scale (score, loss, margin), metric, unit; n
        (examples), groups, group; effect_a, effect_b, effect_both: of removing one, the other, both; interaction:
        the last less the first two; standard_error, by a jackknife; low, high: its interval at 1 - alpha; changed:
        groups in which the interaction is not 0, fewer than 20 are not tested, and then these and p are null; p;
        p_corrected: over the pairs of this design and scale; significant; named: redundant or complementary, null of
        pairs that are not named, the same on every scale; resamples, seed.
    """
    return pl.concat([pl.DataFrame(schema=PAIRS), *(_rows(pairs, scale) for scale in pairs.scales)])


def _rows(pairs: Pairs, scale: str) -> pl.DataFrame:
    domain, found, sample = pairs.scales[scale], pairs.contrasts[scale], pairs.samples[scale]
    options = pairs.inference
    effects = dict(zip(sample.masks, sample.scores - sample.base_score, strict=True))
    alone = domain.single_units(pairs.level)
    units = pairs.stored.design.parsed()
    low, high = found.interval(options.alpha)
    told = {
        **pairs.about,
        **{"scale": scale, "metric": domain.metric.name, "unit": domain.metric.unit},
        **{"n": sample.different_examples, "groups": sample.groups, "group": sample.unit},
        **{"alpha": options.alpha, "resamples": options.resamples, "seed": options.seed},
    }
    columns = {
        "a": [pairs.units[i] for i, _ in pairs.places],
        "b": [pairs.units[j] for _, j in pairs.places],
        "effect_a": [effects[alone[units[i]]] for i, _ in pairs.places],
        "effect_b": [effects[alone[units[j]]] for _, j in pairs.places],
        "effect_both": [effects[mask] for mask in pairs.pair_masks],
        "interaction": found.estimates,
        "standard_error": found.error,
        "low": low,
        "high": high,
        "changed": found.changed,
        "p": found.p,
        "p_corrected": found.p_corrected,
        "named": pl.Series(pairs.named, dtype=pl.String),
    }
    rows = pl.DataFrame(columns).with_columns(**{name: pl.lit(value) for name, value in told.items()})
    rows = rows.with_columns(pl.col("low", "high", "p", "p_corrected").fill_nan(None))
    return rows.with_columns(significant=pl.col("p_corrected") <= options.alpha).select(*PAIRS).cast(PAIRS)  # type: ignore[arg-type]
