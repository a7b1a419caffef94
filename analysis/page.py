"""What the page shows of each subject, cut to the template's needs; `templates/report.html.j2` gives it its form."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import figures, paper
from analysis.correlation import ALL_KINDS, matched, pairs
from analysis.curves import mean_curves
from analysis.effects import Measure, of_measure, strongest
from analysis.figures import Drawing
from analysis.read import Domain, Results
from analysis.words import KIND_LABELS, KIND_NAMES, score, signed, slug
from study.heads import AttentionKind
from study.importance import Estimator
from study.loss import PLAIN

Row = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """A table of layers by heads or by attention kinds; a cell is None where nothing was measured."""

    columns: tuple[Any, ...]
    layers: tuple[tuple[int, tuple[Row | None, ...]], ...]
    paper: bool

    @classmethod
    def of(cls, table: pl.DataFrame, column: str, columns: Sequence[Any]) -> "Grid":
        """The rows of a table, each at its `layer` and `column`."""
        cells = {(row["layer"], row[column]): row for row in table.rows(named=True)}
        layers = table["layer"].unique().sort().to_list()
        return cls(
            columns=tuple(columns),
            layers=tuple((layer, tuple(cells.get((layer, name)) for name in columns)) for layer in layers),
            paper=bool(table["paper_effect"].is_not_null().any()),
        )


@dataclass(frozen=True)
class DomainView:
    """One domain on the page; `label` is its data set's name, with the setting id where the name is not enough."""

    domain: Domain
    label: str
    base: Row
    measured: Row
    strongest: Row | None
    distribution: Drawing | None
    heat_maps: tuple[Drawing, ...]
    one_head: tuple[Drawing, ...]
    table_1: Grid
    one_head_left: Grid
    curves: tuple[Row, ...]
    curve_drawings: tuple[Drawing, ...]
    taylor: tuple[Row, ...]


@dataclass(frozen=True)
class SubjectView:
    """One subject on the page: its domains, and what holds between them."""

    label: str
    subject_id: str
    unit: str
    metric: str
    heads: str
    domains: tuple[DomainView, ...]
    limit: float
    correlation: tuple[Row, ...]
    scatters: tuple[Drawing, ...]

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the subject."""
        own = [
            drawing
            for view in self.domains
            for drawing in (view.distribution, *view.heat_maps, *view.one_head, *view.curve_drawings)
            if drawing is not None
        ]
        return (*own, *self.scatters)


def subject_views(
    results: Results,
    effects: pl.DataFrame,
    correlation: pl.DataFrame,
    base: pl.DataFrame,
    cuts: Mapping[str, pl.DataFrame],
) -> list[SubjectView]:
    """The view of every subject.

    Args:
        results: what was read.
        effects: tidy table of all domains.
        correlation: as `correlation.correlation` gives it.
        base: as `tables.base_table` gives it.
        cuts: as `tables.paper_tables` gives them; and `points`, `curves`, `taylor`, as `curves` and `taylor` do.
    """
    names = _labels((domains[0].model, subject_id) for subject_id, domains in results.subjects.items())
    views = []
    for subject_id, domains in results.subjects.items():
        labels = _labels((domain.data, domain.setting_id) for domain in domains)
        folder = slug(f"{domains[0].model}-{subject_id}")
        own = effects.filter(pl.col("subject_id") == subject_id)
        shown = own.with_columns(pl.col("setting_id").replace_strict(labels).alias("domain"))
        limit = figures.colour_limit(of_measure(own, Measure.ABLATION))
        rows = correlation.filter(pl.col("subject_id") == subject_id).rows(named=True)
        views.append(
            SubjectView(
                label=names[subject_id],
                subject_id=subject_id,
                unit=domains[0].metric.unit,
                metric=str(domains[0].metric.name),
                heads=_heads(domains[0]),
                domains=tuple(
                    _domain_view(domain, labels[domain.setting_id], folder, shown, limit, base, cuts)
                    for domain in domains
                ),
                limit=limit,
                correlation=tuple(_correlation_row(row, labels) for row in rows),
                scatters=tuple(_scatters(shown, rows, folder)),
            )
        )
    return views


def render(results: Results, subjects: Sequence[SubjectView]) -> str:
    """The page, self-contained: styles and figures inside, no script, nothing from the network."""
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signed": lambda value: "–" if value is None else signed(value), "score": score}
    return environment.get_template("report.html.j2").render(
        results=results,
        subjects=subjects,
        kind_names=KIND_NAMES,
        kind_labels=KIND_LABELS,
        source=paper.SOURCE,
        all_kinds=ALL_KINDS,
    )


def _labels(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names by id: the name alone where it is unique, else with the id."""
    pairs_ = list(named)
    counts = Counter(name for name, _ in pairs_)
    return {id_: name if counts[name] == 1 else f"{name} ({id_})" for name, id_ in pairs_}


def _heads(domain: Domain) -> str:
    """`32 encoder self-attention heads (4 layers × 8)`, for each kind."""
    parts = []
    for kind, counts in domain.layout.counts.items():
        even = f"{len(counts)} layers × {counts[0]}" if len(set(counts)) == 1 else f"{len(counts)} layers"
        parts.append(f"{sum(counts)} {KIND_NAMES[kind]} heads ({even})")
    return ", ".join(parts)


def _domain_view(
    domain: Domain,
    label: str,
    folder: str,
    effects: pl.DataFrame,
    limit: float,
    base: pl.DataFrame,
    cuts: Mapping[str, pl.DataFrame],
) -> DomainView:
    mine = pl.col("setting_id") == domain.setting_id
    table = effects.filter(mine)
    ablation = of_measure(table, Measure.ABLATION)
    alone, none = of_measure(table, Measure.ALL_BUT_ONE), of_measure(table, Measure.NO_HEAD)
    first, layers = cuts["table1"].filter(mine), pl.concat([cuts["table2"], cuts["table3"]]).filter(mine)
    return DomainView(
        domain=domain,
        label=label,
        base=base.filter(mine).row(0, named=True),
        measured=_measured(ablation, alone, none, domain),
        strongest=next(iter(strongest(table).rows(named=True)), None),
        distribution=figures.distribution(ablation, f"{folder}/figure1-{slug(label)}") if ablation.height else None,
        heat_maps=tuple(
            figures.heat_map(part, list(domain.layout.counts[kind]), limit, f"{folder}/heat-{slug(label)}-{kind}")
            for kind, part in _by_kind(ablation)
        ),
        one_head=tuple(
            figures.one_head_against_none(
                part, none.filter(pl.col("kind") == str(kind)), f"{folder}/one-head-{slug(label)}-{kind}"
            )
            for kind, part in _by_kind(alone)
        ),
        table_1=Grid.of(first, "head", first["head"].unique().sort().to_list()),
        one_head_left=Grid.of(layers, "kind", [kind for kind, _ in _by_kind(layers)]),
        curves=tuple(cuts["curves"].filter(mine).rows(named=True)),
        curve_drawings=tuple(_curve_drawings(cuts["points"].filter(mine), label, folder)),
        taylor=_papers_importance(cuts["taylor"].filter(mine)),
    )


def _papers_importance(taylor: pl.DataFrame) -> tuple[Row, ...]:
    """The rows of the paper's estimator, of the plain loss where its gradients are stored."""
    rows = taylor.filter(pl.col("estimator") == str(Estimator.paper))
    plain = rows.filter(pl.col("loss") == str(PLAIN))
    return tuple((rows if plain.is_empty() else plain).rows(named=True))


def _curve_drawings(points: pl.DataFrame, label: str, folder: str) -> Iterable[Drawing]:
    """Figure 3, the orders of all heads; figure 4, each order within one attention kind only."""
    means = mean_curves(points)
    whole = means.filter(pl.col("kinds") == ALL_KINDS)
    if whole.height:
        yield figures.pruning_curves(whole, "curve", label, f"{folder}/figure3-{slug(label)}")
    for (curve,), part in means.filter(pl.col("kinds") != ALL_KINDS).group_by("curve", maintain_order=True):
        name = f"{folder}/figure4-{slug(label)}-{slug(str(curve))}"
        yield figures.pruning_curves(part, "kinds", f"{label}, one kind only, by {curve}", name)


def _by_kind(table: pl.DataFrame) -> Iterable[tuple[AttentionKind, pl.DataFrame]]:
    for kind in AttentionKind:
        part = table.filter(pl.col("kind") == str(kind))
        if part.height:
            yield kind, part


def _measured(ablation: pl.DataFrame, alone: pl.DataFrame, none: pl.DataFrame, domain: Domain) -> Row:
    """How many of the masks of each measure there are, and what the effects of single heads look like in counts."""
    effect = ablation["effect"]
    best = alone.group_by("kind", "layer").agg(best=pl.col("effect").max())
    both = best.join(none.select("kind", "layer", none="effect"), on=["kind", "layer"])
    return {
        "heads": len(domain.layout),
        "layers": len(domain.layout.layers),
        "ablation": ablation.height,
        "all_but_one": alone.height,
        "no_head": none.height,
        "lower": int((effect < 0).sum()),
        "higher": int((effect > 0).sum()),
        "same": int((effect == 0).sum()),
        "compared_layers": both.height,
        "one_is_enough": both.filter(pl.col("best") >= 0).height,
        "none_is_enough": both.filter((pl.col("best") >= 0) & (pl.col("none") >= 0)).height,
    }


def _correlation_row(row: Row, labels: Mapping[str, str]) -> Row:
    theirs = paper.CORRELATIONS.get(frozenset(((row["subject"], row["domain_a"]), (row["subject"], row["domain_b"]))))
    return {
        **row,
        "label_a": labels[row["setting_a"]],
        "label_b": labels[row["setting_b"]],
        "paper": theirs if row["kind"] == ALL_KINDS else None,
    }


def _scatters(effects: pl.DataFrame, correlation: Sequence[Row], folder: str) -> Iterable[Drawing]:
    overall = {(row["setting_a"], row["setting_b"]): row for row in correlation if row["kind"] == ALL_KINDS}
    for a, b in pairs(effects):
        both = matched(a, b)
        row = overall.get((a["setting_id"][0], b["setting_id"][0]))
        if row is None or both.is_empty():
            continue
        labels = (a["domain"][0], b["domain"][0])
        name = f"{folder}/figure2-{slug(labels[0])}-{slug(labels[1])}"
        r = "no correlation" if row["pearson"] is None else f"r = {row['pearson']:.2f}"
        yield figures.scatter(both, labels, a["unit"][0], f"{r}, {both.height} heads", name)
