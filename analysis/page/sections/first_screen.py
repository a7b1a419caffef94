"""The first screen of a subject: the answer at the first sight, and below it the same in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from analysis import figures
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import decimal, head_name, slug
from analysis.influence.groups import deciding
from analysis.page.claims import Claim
from analysis.page.section import Section
from analysis.page.sections.correlation import effects_on_both, units_on_both
from analysis.page.tiles import Tile, tiles
from analysis.page.views import Row, SubjectView, pair_rows

TEXT = 160
"""Letters of an example's text that a sentence shows."""


@dataclass(frozen=True)
class Answer:
    """What one sees first.

    Attributes:
        shape: the heads of the model, in a line.
        tiles: the numbers that the study comes to.
        claims: what can be said of the paper's claims, a line each.
        beyond: whether heads add up to their groups, where they have any.
        forest: heads sorted by effect, for a wide and for a narrow screen; empty where no head was removed.
        pictures: the paper's figures in miniature.
        deciding: a sentence for each group of examples that decides on a number.
        replacement: what stands in the place of a removed head, where it is not zero in all that is shown.
    """

    shape: str
    tiles: tuple[Tile, ...]
    claims: tuple[Claim, ...] = ()
    beyond: tuple[Claim, ...] = ()
    forest: tuple[Drawing, ...] = ()
    pictures: tuple[Drawing, ...] = ()
    deciding: tuple[str, ...] = ()
    replacement: tuple[str, ...] = ()

    @property
    def pictured(self) -> str:
        """What the pictures show."""
        heads = "Each head: orange below zero, blue above."
        return heads if len(self.pictures) == 1 else f"{heads} Beside it the same heads on two domains."


@dataclass(frozen=True)
class FirstScreen(Section):
    """The answer, and the pairs of domains that the text below it has a sentence about."""

    template = "first_screen"
    answer: Answer
    correlations: tuple[Row, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "FirstScreen":
        """Every subject has one."""
        named = partial(head_name, several=subject.several)
        answer = Answer(
            shape=subject.shape,
            tiles=tiles(subject),
            claims=subject.claims,
            beyond=subject.beyond if subject.layout.key_groups else (),
            forest=tuple(_forest(subject)),
            pictures=tuple(_pictures(subject)),
            replacement=_replacement(subject),
            deciding=tuple(deciding(subject.analysis.influence, subject.labels, named, TEXT)),
        )
        rows = pair_rows(subject.analysis.correlations.overall.drop_nulls("pearson"), subject.labels)
        return cls(answer, rows, drawings=(*answer.forest, *answer.pictures))


def _replacement(subject: SubjectView) -> tuple[str, ...]:
    """What stands in the place of a removed head; nothing is said where it is zero in all results."""
    if all(domain.replacement.is_usual for domain in subject.analysis.results.domains):
        return ()
    return subject.domains[0].domain.replacement.sentences


def _forest(subject: SubjectView) -> Iterator[Drawing]:
    """Heads sorted by effect, or groups where no head was removed, for a wide and for a narrow screen."""
    if subject.largest and not subject.compared:
        units = subject.units.filter(level=str(subject.largest))
        id_, label = next((id_, label) for id_, label in subject.labels.items() if id_ in set(units["setting_id"]))
        for name, wide in (("forest", True), ("forest-narrow", False)):
            yield figures.unit_rows(units.filter(setting_id=id_), label, f"{subject.folder}/{name}", wide=wide)
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
    yield from small_scatters(rows[:1], subject.effects.filter(measure=Measure.ABLATION), subject.folder)


def small_scatters(rows: Sequence[Row], single: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    """The scatter of each of these pairs of domains in miniature, from the effects of single heads."""
    for row in rows:
        names, title = (row["label_a"], row["label_b"]), f"r = {decimal(row['pearson'])}"
        name = f"{folder}/small-scatter-{'-'.join(map(slug, names))}"
        yield figures.small_scatter(effects_on_both(single, row), names, units_on_both(single, row), title, name)
