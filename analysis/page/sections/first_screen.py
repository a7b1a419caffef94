"""The first screen of a subject: the answer at the first sight, and below it the same in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from analysis import figures
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import head_name, slug
from analysis.influence.groups import deciding
from analysis.page.claims import Claim
from analysis.page.section import Section
from analysis.page.sections.correlation import correlation_title, effects_on_both
from analysis.page.tiles import Tile, tiles
from analysis.page.views import Row, SubjectView, pair_rows

TEXT = 160
"""Letters of an example's text that a sentence shows."""


@dataclass(frozen=True)
class FirstScreen(Section):
    """What one sees first.

    Attributes:
        shape: the heads of the model, in a line.
        tiles: the numbers that the study comes to.
        forest: heads sorted by effect, for a wide and for a narrow screen; empty where no head was removed.
        pictures: the paper's figures in miniature.
        claims: what can be said of the paper's claims, a line each.
        deciding: a sentence for each group of examples that decides on a number.
        correlations: the pairs of domains that the text has a sentence about.
    """

    template = "first_screen"
    shape: str
    tiles: tuple[Tile, ...]
    forest: tuple[Drawing, ...]
    pictures: tuple[Drawing, ...]
    claims: tuple[Claim, ...]
    deciding: tuple[str, ...]
    correlations: tuple[Row, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "FirstScreen":
        """Every subject has one."""
        forest, pictures = tuple(_forest(subject)), tuple(_pictures(subject))
        named = partial(head_name, several=subject.several)
        return cls(
            shape=subject.shape,
            tiles=tiles(subject),
            forest=forest,
            pictures=pictures,
            claims=subject.claims,
            deciding=tuple(deciding(subject.analysis.influence, subject.labels, named, TEXT)),
            correlations=pair_rows(subject.analysis.correlations.overall.drop_nulls("pearson"), subject.labels),
            drawings=(*forest, *pictures),
        )


def _forest(subject: SubjectView) -> Iterator[Drawing]:
    """Heads sorted by effect, for a wide and for a narrow screen."""
    if subject.compared:
        heads = pl.concat([view.ablation for view in subject.compared])
        for name, narrow in (("forest", False), ("forest-narrow", True)):
            drawn = figures.forest(heads, f"{subject.folder}/{name}", narrow=narrow)
            if drawn is not None:
                yield drawn


def _pictures(subject: SubjectView) -> Iterator[Drawing]:
    """The heat map of the first domain, and the scatter of the first two."""
    for view in subject.compared[:1]:
        name = f"{subject.folder}/small-heat-{slug(view.label)}"
        yield figures.small_heat_map(view.ablation, view.domain.layout.counts, subject.limit, name)
    rows = pair_rows(subject.analysis.correlations.overall.drop_nulls("pearson"), subject.labels)
    single = subject.effects.filter(measure=Measure.ABLATION)
    for row in rows[:1]:
        names = row["label_a"], row["label_b"]
        name = f"{subject.folder}/small-scatter-{'-'.join(map(slug, names))}"
        yield figures.small_scatter(effects_on_both(single, row), names, subject.unit, correlation_title(row), name)
