"""Roles of syntax and of rare words: heads that find more than what looks at no word, decided on one-sided limits.

A head is syntactic for a relation where it finds 10 points more of its words than the best fixed offset does, in either
direction (Voita et al. 2019). For rare words nobody gives a threshold: a head must be above a word at random, the
longest word and the rarest word's usual place.
"""

from collections.abc import Iterator

import polars as pl

from analysis.roles.assignment import ROLE_ROWS
from analysis.roles.rules import OURS
from analysis.syntax import Syntax
from analysis.syntax.relation_scores import LEVEL, VOITA_POINTS
from analysis.syntax.words import DIRECTIONS, RELATIONS, WHOLES
from study.record.tables.statistics import VOITA
from study.record.units import ADDRESS

SYNTACTIC, RARE = "syntactic_", "rare_words"
"""Names of roles: the first is followed by the relation."""


def syntactic_roles(syntax: Syntax | None) -> pl.DataFrame:
    """The roles that follow from attended words, as `roles_table` has the others.

    A relation of which no head has the role, on any reading, has no rows. The detail is the direction.
    """
    frames = [pl.DataFrame(schema=ROLE_ROWS)]
    if syntax is not None:
        frames += [*_relations(syntax.scores), *_rare(syntax.rare)]
    return pl.concat(frames)


def syntactic_title(role: str) -> str | None:
    """What people call heads of such a role; None of another one."""
    if role == RARE:
        return "rare words"
    if not role.startswith(SYNTACTIC):
        return None
    relation = role.removeprefix(SYNTACTIC)
    return f"syntactic: {RELATIONS.get(relation, relation)}"


def _relations(scores: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The direction with the larger limit, for each head and relation."""
    relations = scores.filter(~pl.col("relation").is_in(WHOLES)).drop_nulls("lower")
    had = relations.filter("voita_points")["relation"].unique()
    best = relations.filter(pl.col("relation").is_in(had.implode())).sort("lower", descending=True, maintain_order=True)
    best = best.unique(["setting_id", *ADDRESS, "relation"], keep="first", maintain_order=True)
    yield (
        best.select(
            *(name for name in ROLE_ROWS if name in scores.columns),
            role=pl.lit(SYNTACTIC) + pl.col("relation"),
            rule=pl.lit(f"≥ {VOITA_POINTS:g} points above the best fixed offset"),
            source=pl.lit(VOITA),
            value=pl.col("difference"),
            limit=pl.col("lower"),
            threshold=pl.lit(VOITA_POINTS),
            level=pl.lit(LEVEL),
            met=pl.col("difference") >= VOITA_POINTS,
            decided=pl.col("voita_points"),
            detail=pl.when("voita_points").then(
                pl.col("direction").replace_strict({str(k): v for k, v in DIRECTIONS.items()})
            ),
        )
        .sort("setting_id", "role", *ADDRESS)
        .select(*ROLE_ROWS)
    )


def _rare(rare: pl.DataFrame) -> Iterator[pl.DataFrame]:
    own = rare.filter(rarest=1).drop_nulls("lower")
    above = pl.col("share") - pl.max_horizontal("blind", "longest", "position")
    yield own.select(
        *(name for name in ROLE_ROWS if name in rare.columns),
        role=pl.lit(RARE),
        rule=pl.lit("points above a word at random, the longest and the usual place > 0"),
        source=pl.lit(f"{VOITA}; {OURS}"),
        value=above,
        limit=pl.col("lower"),
        threshold=pl.lit(0.0),
        level=pl.lit(LEVEL),
        met=above > 0,
        decided=pl.col("above"),
        detail=pl.lit(None, dtype=pl.String),
    ).select(*ROLE_ROWS)
