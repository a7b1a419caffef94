"""Tables of bounds: a row for each domain that was drafted, and a row for each of its masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analysis.cascade.domain_bounds import DomainBounds, domain_bounds
from analysis.cascade.words import bound_words, mask_name
from analysis.results.domain import IDENTITY, Domain
from study.record.cascade import Stage
from study.record.units import ADDRESS, UnitLevel

POINTS = "draft_points"
"""Column of what drafted decisions that are wrong may have changed a score by, at most, in percentage points."""

DOMAINS = {
    **dict.fromkeys(IDENTITY, pl.String),
    "masks": pl.Int64,
    "decisions": pl.Int64,
    **{str(stage): pl.Int64 for stage in Stage},
    "rounds": pl.Int64,
    "population": pl.Int64,
    "sample": pl.Int64,
    "bound": pl.Float64,
    "confidence": pl.Float64,
    "limit": pl.Int64,
    "limit_share": pl.Float64,
    "mean_points": pl.Float64,
    "worst": pl.String,
    "worst_limit": pl.Int64,
    "worst_points": pl.Float64,
    "flips": pl.Int64,
    "flips_limit": pl.Float64,
    "lacking": pl.Int64,
}

MASKS = {
    **dict.fromkeys(IDENTITY, pl.String),
    "name": pl.String,
    "mask": pl.String,
    "drafts": pl.Int64,
    "sample": pl.Int64,
    "limit": pl.Int64,
    POINTS: pl.Float64,
}


@dataclass(frozen=True)
class Cascade:
    """The bounds of all domains that were drafted.

    Attributes:
        domains: the bounds of each.
    """

    domains: tuple[DomainBounds, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """`cascade`: a row for each domain; `cascade_masks`: for each mask, those first of which least is known."""
        rows = [_domain_row(one) for one in self.domains]
        masks = [
            {
                **one.domain.identity,
                "name": mask_name(one.domain, own.mask),
                "mask": own.mask,
                "drafts": own.drafts,
                "sample": own.sample,
                "limit": own.limit,
                POINTS: own.points,
            }
            for one in self.domains
            for own in one.masks
        ]
        return {"cascade": pl.DataFrame(rows, schema=DOMAINS), "cascade_masks": pl.DataFrame(masks, schema=MASKS)}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say of each domain."""
        return tuple(line for one in self.domains for line in bound_words(one))

    def of(self, setting_id: str) -> DomainBounds | None:
        """The bounds of a domain; None of one whose decisions are all computed as its precision says."""
        return next((one for one in self.domains if one.domain.setting_id == setting_id), None)

    def beside(self, effects: pl.DataFrame, measure: str) -> pl.DataFrame:
        """A table of effects with the column `draft_points`: what the score with a single head off may be off by."""
        rows = [
            {"setting_id": one.domain.setting_id, "measure": measure, **unit.row, POINTS: points.get(mask, 0.0)}
            for one in self.domains
            for points in [{own.mask: own.points for own in one.masks}]
            for unit, mask in one.domain.single_units(UnitLevel.head).items()
        ]
        known = pl.DataFrame(
            rows, schema={"setting_id": pl.String, "measure": pl.String, **ADDRESS, POINTS: pl.Float64}
        )
        on = ["setting_id", "measure", *ADDRESS]
        return effects.join(known, on=on, how="left", maintain_order="left")


def cascade(domains: Sequence[Domain]) -> Cascade | None:
    """The bounds of the domains that were drafted; None where none was."""
    found = [bounds for domain in domains if (bounds := domain_bounds(domain)) is not None]
    return Cascade(tuple(found)) if found else None


def _domain_row(one: DomainBounds) -> dict[str, object]:
    worst = one.worst
    return {
        **one.domain.identity,
        "masks": len(one.domain.masks),
        "decisions": one.decisions,
        **{str(stage): count for stage, count in one.stages.items()},
        "rounds": one.rounds,
        "population": one.population,
        "sample": one.sample,
        "bound": one.bound,
        "confidence": one.confidence or None,
        "limit": one.limit,
        "limit_share": one.limit_share,
        "mean_points": one.mean_points,
        "worst": worst and mask_name(one.domain, worst.mask),
        "worst_limit": worst and worst.limit,
        "worst_points": worst and worst.points,
        "flips": one.flips,
        "flips_limit": one.flips_limit,
        "lacking": one.lacking,
    }
