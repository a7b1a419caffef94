"""Effects of units beyond single heads: groups of heads that share keys and values, whole layers, MLPs.

Beside the effect of a unit of several heads stands the sum of the effects of its heads, each removed alone. Where heads
do the same work, none of them is missed alone and all of them are missed together: the effect is lower than the sum.
"""

import polars as pl

from analysis.effects.head_effects import DEFAULT, Measure, effects, families
from analysis.inference import COLUMNS, Inference
from analysis.inference.effect_inference import DIFFERENCE, DomainInference
from analysis.results.domain import IDENTITY, Domain
from study.record.units import ADDRESS, UnitLevel, parse_unit

LEVELS = (UnitLevel.group, UnitLevel.layer, UnitLevel.mlp)
"""What is larger than a head, or none."""

UNIT = {"level": pl.String, "address": pl.String, "kind": pl.String, "layer": pl.Int64, "index": pl.Int64}
"""Columns of a unit's address; a layer and an MLP have no index, an MLP has the kind `mlp`."""

EXCESS = {
    "sum": pl.Float64,
    "excess": pl.Float64,
    **{f"excess_{name}": COLUMNS[name] for name in DIFFERENCE},
    "heads_alone": pl.Int64,
    "heads_significant": pl.Int64,
}

UNITS = (
    dict.fromkeys(IDENTITY, pl.String)
    | UNIT
    | {"heads": pl.Int64, "metric": pl.String, "unit": pl.String, "n": pl.Int64}
    | dict.fromkeys(["base_score", "score", "effect"], pl.Float64)
    | COLUMNS
    | EXCESS
)


def unit_masks(domain: Domain) -> pl.DataFrame:
    """The units beyond single heads that were removed: columns `UNIT`, heads (how many it has), parts, mask.

    `parts` are the masks of its heads, each off, where all of these were evaluated too; else null.
    """
    layout, masks, alone = domain.layout, domain.masks, domain.single_heads
    rows = []
    for level in LEVELS:
        for unit in layout.units(level):
            mask = layout.key(layout.without([unit]))
            if mask in masks:
                heads = layout.members(unit)
                parts = [alone[head] for head in heads if head in alone]
                known = parts if heads and len(parts) == len(heads) else None
                own = unit.row
                at = {"level": str(level), "address": str(unit), **own, "index": own["head"]}
                rows.append({name: at[name] for name in UNIT} | {"heads": len(heads), "parts": known, "mask": mask})
    return pl.DataFrame(rows, schema=UNIT | {"heads": pl.Int64, "parts": pl.List(pl.String), "mask": pl.String})


def effect_tables(domain: Domain, inference: Inference = DEFAULT) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tidy table of heads (`analysis.effects.head_effects.effects`) and that of larger units, from one resampling.

    Returns:
        The second has a row for each group, layer and MLP that was removed as a whole: columns of the domain; `UNIT`;
        heads (how many it has; 0 of an MLP); metric, unit, n, base_score, score, effect; how sure one can be of it, as
        in the first, with p corrected over the units of its level on this domain. Where its heads were removed one by
        one as well:

        - sum: of the effects of its heads;
        - excess: its effect less the sum; below 0 where its heads stand in for each other;
        - excess_low, excess_high: its interval, made as those of effects are;
        - excess_p, excess_p_corrected, excess_significant: of "its heads add up but by chance", over its level;
        - excess_equivalent: whether it is shown to be within the margin;
        - heads_alone: how many of its heads were removed alone; heads_significant: how many of these had a
          significant effect.

    Raises:
        InputError: when the options do not fit the domain.
    """
    masks, singles = unit_masks(domain), families(domain)
    levels = {str(level): masks.filter(level=str(level)) for level in LEVELS}
    drawn = DomainInference.of(
        domain, singles | {level: own["mask"].to_list() for level, own in levels.items()}, inference
    )
    heads = effects(domain, inference, drawn)
    tables = [_table(own, drawn, domain, heads) for own in levels.values()]
    return heads, pl.concat([pl.DataFrame(schema=UNITS), *tables])


def single_effects(effects: pl.DataFrame, level: UnitLevel) -> pl.DataFrame:
    """The effects of units of a level, each removed by itself, at addresses in the columns kind, layer and head.

    Args:
        effects: rows of the first table of `effect_tables` for heads, else of the second.
        level: which units.
    """
    if level is UnitLevel.head:
        return effects.filter(measure=Measure.ABLATION)
    return effects.filter(level=str(level)).rename({"index": "head", "heads": "members"})


def unit_effects(domain: Domain, inference: Inference = DEFAULT) -> pl.DataFrame:
    """The second table of `effect_tables`."""
    return effect_tables(domain, inference)[1]


def _table(units: pl.DataFrame, drawn: DomainInference, domain: Domain, heads: pl.DataFrame) -> pl.DataFrame:
    """The rows of one level."""
    sample, masks = drawn.sample, units["mask"].to_list()
    at = dict(zip(sample.masks, sample.scores, strict=True))
    told = {**domain.identity, "metric": domain.metric.name, "unit": domain.metric.unit, "n": sample.different_examples}
    told |= {"base_score": sample.base_score}
    score = pl.Series("score", [at[mask] for mask in masks], dtype=pl.Float64)
    rows = units.with_columns(score, **{name: pl.lit(value) for name, value in told.items()})
    rows = rows.with_columns(effect=pl.col("score") - pl.col("base_score"))
    rows = rows.hstack(drawn.effects({"units": masks}).select(*COLUMNS))
    whole = units.filter(pl.col("parts").is_not_null())
    excess = drawn.differences(whole["mask"].to_list(), whole["parts"].to_list())
    excess = excess.rename({"difference": "excess", **{name: f"excess_{name}" for name in DIFFERENCE}})
    rows = rows.join(excess.hstack([whole["mask"]]), on="mask", how="left", maintain_order="left")
    rows = rows.join(_alone(domain, units, heads), on="address", how="left", maintain_order="left")
    return rows.select(*UNITS).cast(UNITS)  # type: ignore[arg-type]


def _alone(domain: Domain, units: pl.DataFrame, heads: pl.DataFrame) -> pl.DataFrame:
    """How many heads of each unit were removed alone, and how many of these with a significant effect."""
    single = heads.filter(measure=Measure.ABLATION)
    sure = {tuple(row[:-1]): row[-1] for row in single.select(*ADDRESS, "significant").iter_rows()}
    rows = []
    for address in units["address"]:
        unit = parse_unit(address)
        own = [sure[key] for head in domain.layout.members(unit) if (key := tuple(head.row.values())) in sure]
        known = None if None in own else sum(own)
        rows.append({"address": address, "heads_alone": len(own), "heads_significant": known})
    schema = {"address": pl.String, "heads_alone": pl.Int64, "heads_significant": pl.Int64}
    return pl.DataFrame(rows, schema=schema)
