"""Screening: units that a few random masks point at, each confirmed by a mask of its own, beside equal budgets.

What the random masks tell of a unit is its average effect while others are off too, at the rate of the masks; what is
confirmed is its effect with all others on.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.inference import COLUMNS, Inference
from analysis.inference.effect_inference import DomainInference
from analysis.inference.significance import p_of_t
from analysis.results.designs import StoredDesign
from analysis.sets.pairs import ABOUT
from analysis.sets.scales import scales, tested_scale
from study.record.designs import DesignKind
from study.record.designs.coalitions import INDEPENDENT
from study.record.designs.names import CONFIRM, IMPORTANT, KEPT, RANDOM, SCREENED
from study.record.designs.screening import screened_units

CONFIRMED = "confirmed"
"""Whether a unit's own mask shows an effect after correction over all units, also those that got no mask."""

TOLD = ("standard_error", "low", "high", "p", "p_corrected", "significant", "alpha", "correction", "resamples", "seed")

SCREENING = (
    ABOUT
    | {"address": pl.String, "metric": pl.String, "unit": pl.String}
    | dict.fromkeys([SCREENED, RANDOM, IMPORTANT], pl.Boolean)
    | {"masks": pl.Int64, "rate": pl.Float64, "units": pl.Int64, "n": pl.Int64}
    | {"average": pl.Float64, "average_unit": pl.String, "effect": pl.Float64}
    | {name: COLUMNS[name] for name in TOLD}
    | {"p_all_units": pl.Float64, CONFIRMED: pl.Boolean}
)


@dataclass(frozen=True, eq=False)
class Screening:
    """One screening.

    Attributes:
        chosen: the units that got masks of their own, with their outcomes.
        sample: the random masks, with theirs.
        inference: how intervals and p values are made.
    """

    chosen: StoredDesign
    sample: StoredDesign
    inference: Inference

    @property
    def name(self) -> str:
        """Model and data, in words."""
        return f"{self.chosen.domain.subject} on {self.chosen.domain.data}"

    @property
    def masks(self) -> int:
        """How many random masks there are."""
        return int(self.chosen.design.options["masks"])

    def units(self, chosen_by: str) -> list[str]:
        """The units that were chosen in one way."""
        names = self.chosen.design.names
        return [self.chosen.design.off(i)[0] for i, name in enumerate(names) if name == chosen_by]

    @property
    def average_unit(self) -> str:
        """The unit of average effects: that of the loss where it is stored."""
        known = scales(self.sample.domain)
        return known[tested_scale(known)].metric.unit

    @cached_property
    def averages(self) -> dict[str, float]:
        """The lasso's coefficient of each unit: its average effect at the rate of the masks, harm below 0."""
        known = scales(self.sample.domain)
        keys, design = self.sample.keys[: self.masks], self.sample.design.first(self.masks)
        sample = known[tested_scale(known)].sample_of(keys, self.inference.groups)
        scores = dict(zip(sample.masks, sample.scores, strict=True))
        costs: Float[np.ndarray, " masks"] = -np.array([scores[key] for key in keys])
        _, added = screened_units(design.on, costs, len(design.units))
        return {unit: -float(cost) for unit, cost in zip(self.sample.design.units, added, strict=True)}


def screenings(designs: list[StoredDesign], inference: Inference) -> list[Screening]:
    """Every screening whose units have got masks of their own, with its random masks."""
    samples = {_sample_of(one): one for one in designs if one.design.options.get("sampling") == INDEPENDENT}
    found = []
    for one in designs:
        if one.design.kind is DesignKind.SET and CONFIRM in one.design.options and _sample_of(one) in samples:
            found.append(Screening(one, samples[_sample_of(one)], inference))
    return found


def _sample_of(one: StoredDesign) -> tuple[str, tuple[str, ...], int | None, float]:
    """What tells the random masks of a screening from others."""
    design = one.design
    return one.domain.setting_id, design.units, design.seed, round(float(design.options[KEPT]), 9)


def p_over_all(
    effects: Float[np.ndarray, " chosen"], error: Float[np.ndarray, " chosen"], groups: int, units: int
) -> Float[np.ndarray, " chosen"]:
    """Student's p of effects, times the number of all units (Bonferroni): it holds whatever has chosen the units.

    Args:
        effects: effects of the units that were chosen, perhaps by the same examples.
        error: their standard errors.
        groups: groups of examples.
        units: how many units there were to choose from.
    """
    return np.minimum(1.0, units * p_of_t(effects, error, groups - 1))


def screening_table(found: Screening) -> pl.DataFrame:
    """A row for each unit that got a mask of its own.

    Returns:
        Columns of the domain; design, level, address; metric, unit; screened, random, important: what it was chosen by,
        perhaps by several; masks, rate: how many random masks there were, and how often each unit was off in them;
        units (how many there are), n (examples); average, average_unit: the lasso's estimate of the average effect at
        this rate; effect: of removing the unit alone, with standard_error, low, high, p, p_corrected over the units of
        the design, significant ... as of `analysis.effects.head_effects.effects`; p_all_units: Student's t, times the
        number of all units, which also holds where the same examples have chosen the unit; confirmed: whether this is
        at most alpha.
    """
    domain, design, options = found.chosen.domain, found.chosen.design, found.inference
    masks = {str(unit): mask for unit, mask in domain.single_units(design.unit).items()}
    every = (unit for number in range(len(design)) for unit in design.off(number))
    addresses = [unit for unit in dict.fromkeys(every) if unit in masks]
    keys = [masks[unit] for unit in addresses]
    drawn = DomainInference.of(domain, {"screening": keys}, options)
    told = drawn.effects({"screening": keys}).select(*TOLD)
    effects = dict(zip(drawn.sample.masks, drawn.sample.scores - drawn.sample.base_score, strict=True))
    effect = np.array([effects[key] for key in keys])
    chosen = {name: set(found.units(name)) for name in (SCREENED, RANDOM, IMPORTANT)}
    error = told["standard_error"].fill_null(0.0).to_numpy()
    rows = pl.DataFrame(
        {
            "address": addresses,
            **{name: [unit in own for unit in addresses] for name, own in chosen.items()},
            "average": [found.averages[unit] for unit in addresses],
            "effect": effect,
            "p_all_units": p_over_all(effect, error, drawn.sample.groups, len(design.units)),
        }
    ).with_columns((pl.col("p_all_units") <= options.alpha).alias(CONFIRMED))
    about = {
        **domain.identity,
        **{"design": design.id, "level": str(design.unit), "metric": domain.metric.name, "unit": domain.metric.unit},
        **{"masks": found.masks, "rate": 1 - float(found.sample.design.options[KEPT]), "units": len(design.units)},
        **{"n": drawn.sample.different_examples, "average_unit": found.average_unit},
    }
    rows = rows.hstack(told).with_columns(**{name: pl.lit(value) for name, value in about.items()})
    return rows.select(*SCREENING).cast(SCREENING)  # type: ignore[arg-type]
