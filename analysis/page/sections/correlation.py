"""Figure 2: the same head on another domain, and what one must know to believe it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from analysis import figures, paper
from analysis.correlation import Correlations, correlate
from analysis.effects.head_effects import ALL_KINDS
from analysis.effects.unit_effects import single_effects
from analysis.figures import Drawing
from analysis.formatting import decimal, ends, labelled, slug
from analysis.page.section import Section
from analysis.page.views import Row, SubjectView, pair_rows
from study.record.units import ADDRESS, UnitLevel

CARRIERS = 10
"""Heads of a pair that are named with their part in r."""

SLICES = "agreement-of-slices"
"""Folder of the maps of slices."""

INFLUENTIAL = 5
"""Groups of examples of a pair that are named with r without them."""


@dataclass(frozen=True)
class Matrix:
    """Every two of many domains: a cell is a row of `Correlations.overall`, None on the diagonal."""

    names: tuple[str, ...]
    cells: tuple[tuple[Row | None, ...], ...]

    @classmethod
    def of(cls, overall: pl.DataFrame) -> "Matrix | None":
        """From the rows of one subject; None where there are none."""
        if overall.is_empty():
            return None
        sides = [overall.select(f"domain_{side}", f"setting_{side}").rows() for side in "ab"]
        named = labelled((name, setting) for name, setting in dict.fromkeys([*sides[0], *sides[1]]))
        found = {(row["setting_a"], row["setting_b"]): row for row in overall.rows(named=True)}
        return cls(
            tuple(named.values()), tuple(tuple(found.get((a, b)) or found.get((b, a)) for b in named) for a in named)
        )


@dataclass(frozen=True)
class Layers:
    """Layers by pairs of domains: a cell is a row of `Correlations.by_layer`."""

    pairs: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Row | None, ...]], ...]

    @classmethod
    def of(cls, rows: tuple[Row, ...]) -> "Layers":
        """Layers from 0, each with its attention kind."""
        pairs = tuple(dict.fromkeys(_both(row) for row in rows))
        found = {(row["kind"], row["layer"], _both(row)): row for row in rows}
        layers = dict.fromkeys((row["kind"], row["layer"]) for row in rows)
        cells = [(kind, layer, tuple(found.get((kind, layer, pair)) for pair in pairs)) for kind, layer in layers]
        return cls(pairs, tuple(cells))


@dataclass(frozen=True)
class Carriers:
    """The heads of a pair that make most of its r, and what all others add."""

    pair: str
    pearson: float
    rows: tuple[Row, ...]
    others: float

    @classmethod
    def of(cls, pair: str, influence: pl.DataFrame) -> "Carriers":
        """From the rows of one pair of `Correlations.influence`."""
        size = pl.col("contribution").abs()
        ordered = influence.sort(size, *ADDRESS, descending=[True, False, False, False], maintain_order=True)
        parts = ordered["contribution"]
        rows = tuple(ordered.head(CARRIERS).rows(named=True))
        return cls(pair, float(parts.sum()), rows, float(parts[CARRIERS:].sum()))


@dataclass(frozen=True)
class Correlation(Section):
    """The correlations of one subject: of its heads, or of the units of another level.

    Attributes:
        pairs: r of every two domains, of all heads and by attention kind, beside the paper's.
        scatters: figure 2 of every two domains, each with its leave-top-k curve.
        maps: r of many domains, or of slices of them, as heat maps.
        nulls: what r would be if nothing were there.
        groups: the groups of examples that weigh most in r.
        slices: r of every two slices; None where none were asked for.
    """

    template = "correlation"
    level: UnitLevel
    pairs: tuple[Row, ...]
    scatters: tuple[Drawing, ...]
    maps: tuple[Drawing, ...]
    nulls: tuple[Row, ...]
    overlap: tuple[Row, ...]
    splits: int | None
    layers: Layers
    carriers: tuple[Carriers, ...]
    groups: tuple[Row, ...]
    slices: Matrix | None

    @property
    def anchor(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] of what is correlated
        """`correlation`; of other units than heads `correlation-groups`."""
        return "correlation" if self.level is UnitLevel.head else f"correlation-{self.level.plural}"

    @property
    def title(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] of what is correlated
        """`Correlation between domains`; of other units than heads `Correlation of groups between domains`."""
        of = "" if self.level is UnitLevel.head else f" of {self.level.plural}"
        return f"Correlation{of} between domains"

    @property
    def link(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] of what is correlated
        """The title without the domains."""
        return self.title.removesuffix(" between domains")

    @classmethod
    def of(cls, subject: SubjectView, level: UnitLevel = UnitLevel.head) -> "Correlation | None":
        """The correlations between the domains of a subject, and between slices of them, by the units of a level."""
        analysis, id_, heads = subject.analysis, subject.subject_id, level is UnitLevel.head
        found = analysis.correlations if heads else analysis.larger.get(level)
        sliced = analysis.sliced if analysis.sliced is not None and analysis.sliced.level is level else None
        if found is None and sliced is None:
            return None
        return cls.between(
            found.select(id_) if found is not None else correlate([]),
            single_effects(subject.effects if heads else subject.units, level),
            subject.labels,
            subject.folder,
            sliced=sliced and sliced.select(id_),
            influence=analysis.influence.correlation.filter(subject.mine) if heads else None,
        )

    @classmethod
    def between(
        cls,
        found: Correlations,
        effects: pl.DataFrame,
        labels: Mapping[str, str],
        folder: str,
        *,
        drawn: bool = True,
        sliced: Correlations | None = None,
        influence: pl.DataFrame | None = None,
    ) -> "Correlation | None":
        """What there is to show of one subject; None where nothing was compared.

        Args:
            found: correlations of the subject.
            effects: effects of its single heads, or of the units that `found` is about.
            labels: labels of its domains by setting id.
            folder: folder of the figures.
            drawn: whether every pair has figures of its own.
            sliced: correlations between slices of its domains, where some were asked for.
            influence: influence of groups of examples on r (`Influence.correlation`), where there are outcomes.
        """
        parts = None if sliced is None else sliced.overall
        level = sliced.level if sliced is not None else found.level
        of = "" if level is UnitLevel.head else f"-of-{level.plural}"
        named = [pl.col(f"setting_{side}").replace(labels).alias(f"domain_{side}") for side in "ab"]
        maps = [*figures.agreement_maps(found.overall.with_columns(named), f"agreement{of}")]
        maps += [] if parts is None else figures.agreement_maps(parts, f"agreement{of}-by-slices" if of else SLICES)
        carried = found.influence.partition_by("setting_a", "setting_b", maintain_order=True)
        scatters = tuple(_scatters(found, effects, labels, folder)) if drawn else ()
        section = cls(
            level=level,
            pairs=tuple(row | {"paper": _papers_r(row)} for row in pair_rows(found.correlation, labels)),
            scatters=scatters,
            maps=tuple(maps),
            drawings=(*scatters, *maps),
            nulls=pair_rows(found.null, labels),
            overlap=pair_rows(found.overlap, labels),
            splits=next(iter(found.reliability["splits"]), None),
            layers=Layers.of(pair_rows(found.by_layer, labels)),
            carriers=tuple(Carriers.of(_both(pair_rows(own.head(1), labels)[0]), own) for own in carried),
            groups=() if influence is None else _most_influential(influence, labels),
            slices=None if parts is None else Matrix.of(parts),
        )
        return section if section.pairs or section.slices else None

    @property
    def several(self) -> bool:
        """Whether heads are of several kinds of attention, so that they need their addresses."""
        return any(row["kind"] != ALL_KINDS for row in self.pairs)

    @property
    def group_counts(self) -> dict[str, int]:
        """Groups of examples of every domain, by label; none where there are no outcomes."""
        return {
            row[f"label_{side}"]: row[f"groups_{side}"]
            for row in self.pairs
            for side in "ab"
            if row[f"groups_{side}"] is not None
        }


def _scatters(found: Correlations, effects: pl.DataFrame, labels: Mapping[str, str], folder: str) -> Iterator[Drawing]:
    """Figure 2 of every two domains, each with its leave-top-k curve."""
    level, single = found.level, effects
    of = "" if level is UnitLevel.head else f"-{level.plural}"
    half = pl.col("left_out") <= single.select(*ADDRESS).n_unique() / 2
    for row in pair_rows(found.overall, labels):
        names = row["label_a"], row["label_b"]
        suffix = "-".join(map(slug, names)) + of
        heads = effects_on_both(single, row)
        if heads.is_empty():
            continue
        units = units_on_both(single, row)
        compared = single if units[0] == units[1] else None
        title = correlation_title(row, level)
        yield figures.scatter(heads, names, units, title, f"{folder}/figure2-{suffix}", compared)
        pair = {name: row[name] for name in ("setting_a", "setting_b")}
        without = found.without_largest.filter(half, **pair)
        if without.height > 1:
            name = f"{folder}/leave-out-{suffix}"
            yield figures.leave_out(without, names, name, found.without_largest.filter(half), level)


def units_on_both(single: pl.DataFrame, row: Row) -> tuple[str, str]:
    """The unit of the effects on both domains of a pair."""
    a, b = (str(single.filter(setting_id=row[f"setting_{side}"])["unit"][0]) for side in "ab")
    return a, b


def effects_on_both(single: pl.DataFrame, row: Row) -> pl.DataFrame:
    """The heads measured on both domains of a pair: kind, layer, head, effect_a, effect_b; low_a ... where known.

    Of other units there is a column `level` besides.
    """
    numbers = [name for name in ("effect", "low", "high") if name in single.columns]
    a, b = (
        single.filter(setting_id=row[f"setting_{side}"]).select(*ADDRESS, pl.col(numbers).name.suffix(f"_{side}"))
        for side in "ab"
    )
    both = a.join(b, on=[*ADDRESS], maintain_order="left", nulls_equal=True)
    return both.with_columns(level=pl.lit(single["level"][0])) if "level" in single.columns else both


def correlation_title(row: Row, level: UnitLevel = UnitLevel.head) -> str:
    """`r = 0.97 (0.91 to 0.99), 16 heads`; of tables made elsewhere `r = 0.11, ρ = 0.51 (0.41 to 0.60), 256 groups`."""
    if row["pearson"] is None:
        return f"no correlation, {row['heads']} {level.plural}"
    r = decimal(row["pearson"]) + ends(row["pearson_low"], row["pearson_high"])
    if row.get("spearman_low") is not None:
        r += f", ρ = {decimal(row['spearman'])}{ends(row['spearman_low'], row['spearman_high'])}"
    return f"r = {r}, {row['heads']} {level.plural}"


def _most_influential(rows: pl.DataFrame, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """The groups of examples that weigh most in the r of each pair, with the label of the domain that they are of."""
    rows = rows.filter(pl.int_range(pl.len()).over("setting_a", "setting_b") < INFLUENTIAL)
    return tuple(row | {"label": labels[row["setting_id"]]} for row in pair_rows(rows, labels))


def _both(row: Row) -> str:
    return f"{row['label_a']} and {row['label_b']}"


def _papers_r(row: Row) -> float | None:
    return paper.correlation(row) if row["kind"] == ALL_KINDS else None
