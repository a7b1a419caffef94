"""What the page shows of each subject, cut to the templates' needs; `templates/` gives it its form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.curves.training_dynamics import LINE
from analysis.effects.head_effects import LOSES_LESS, Measure, of_measure, strongest
from analysis.figures import Drawing
from analysis.formatting import KIND_NAMES, labelled, place, slug
from analysis.influence.groups import deciding
from analysis.page.agreement import Agreement, agreement
from analysis.page.claims import Claim, claims, training_claim
from analysis.page.drawings import curve_drawings, heat_maps, one_head_drawings
from analysis.page.examples import examples_json
from analysis.page.grids import Grid, HeadRow, by_kind, head_rows
from analysis.page.verdicts import at_chance
from analysis.results.read import Domain
from analysis.tables import paper_tables
from study.record.importance import Estimator
from study.record.loss import PLAIN

Row = dict[str, Any]

TEXT = 160
"""Letters of an example's text that a sentence shows."""


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
    contrasts: tuple[Row, ...]
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
    head_rows: tuple[HeadRow, ...]
    examples: str
    agreement: Agreement
    claims: tuple[Claim, ...]
    deciding: tuple[str, ...]

    @property
    def compared(self) -> list[DomainView]:
        """The domains on which single heads were removed."""
        return [view for view in self.domains if view.distribution]

    @property
    def contents(self) -> list[tuple[str, str, bool]]:
        """Anchor and name of each part, and whether there is anything in it."""
        return [
            ("claims", "What holds", bool(self.claims)),
            ("base", "Base scores", True),
            ("heads", "One head removed", bool(self.compared)),
            ("layers", "One head left", any(view.one_head for view in self.domains)),
            ("domains", "Another domain", bool(self.agreement.pairs or self.agreement.slices)),
            ("curves", "Share by share", any(view.curves for view in self.domains)),
            ("importance", "Importance", any(view.taylor for view in self.domains)),
        ]

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the subject."""
        own = [
            drawing
            for view in self.domains
            for drawing in (view.distribution, *view.heat_maps, *view.one_head, *view.curve_drawings)
            if drawing is not None
        ]
        return (*own, *self.agreement.scatters, *self.agreement.maps)


@dataclass(frozen=True)
class TrainingView:
    """The trainings of one name: their course, and figure 5 where checkpoints have pruning curves."""

    name: str
    count: int
    seeds: int
    course: tuple[Drawing, ...]
    figure_5: tuple[Drawing, ...]
    rows: tuple[Row, ...]
    claim: Claim | None
    at_chance: tuple[str, ...]

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the training."""
        return (*self.course, *self.figure_5)


def training_views(analysis: Analysis) -> list[TrainingView]:
    """The view of every training that was a job or has pruning curves."""
    names = pl.concat([analysis.dynamics["training"], analysis.results.trainings["training"]]).unique(
        maintain_order=True
    )
    return [_training_view(analysis, name) for name in names]


def _training_view(analysis: Analysis, name: str) -> TrainingView:
    own, course = analysis.dynamics.filter(training=name), analysis.results.trainings.filter(training=name)
    folder = slug(f"training-{name}")
    lines = own.drop_nulls("kept").group_by(LINE, maintain_order=True)
    base = own.unique("epoch", maintain_order=True).select("epoch", "base_score", "paper_base_score", "metric")
    return TrainingView(
        name=name,
        count=course["training_id"].n_unique(),
        seeds=course["seed"].n_unique(),
        course=tuple(_course(course, folder)),
        figure_5=tuple(
            figures.dynamics(line, f"{line['domain'][0]}, by {line['curve'][0]}", f"{folder}/figure5-{i}")
            for i, (_, line) in enumerate(lines, 1)
        ),
        rows=tuple(base.rows(named=True)),
        claim=training_claim(own) if own.height else None,
        at_chance=tuple(
            f"{domain}: {at_chance(rows)}"
            for (domain,), rows in own.filter(pl.col("reason").is_not_null()).group_by("domain", maintain_order=True)
        ),
    )


def _course(rows: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    if rows.height:
        yield figures.losses(rows, "Loss", f"{folder}/loss")
    if rows["dev_score"].count():
        yield figures.dev_scores(rows, "Accuracy on the dev data", f"{folder}/dev-score")


def subject_views(analysis: Analysis) -> list[SubjectView]:
    """The view of every subject."""
    subjects = analysis.subjects
    names = labelled((domains[0].model, subject_id) for subject_id, domains in subjects.items())
    return [_subject_view(analysis, domains, names[subject_id]) for subject_id, domains in subjects.items()]


def _subject_view(analysis: Analysis, domains: Sequence[Domain], name: str) -> SubjectView:
    labels = labelled((domain.data, domain.setting_id) for domain in domains)
    mine = pl.col("subject_id") == domains[0].subject_id
    own = analysis.effects.filter(mine)
    shown = own.with_columns(pl.col("setting_id").replace_strict(labels).alias("domain"))
    removed = set(of_measure(own, Measure.ABLATION)["setting_id"])
    compared = [domain for domain in domains if domain.setting_id in removed]
    limit = figures.colour_limit(of_measure(own, Measure.ABLATION))
    folder = slug(f"{domains[0].model}-{domains[0].subject_id}")
    cuts = paper_tables.paper_tables(own)
    return SubjectView(
        label=name,
        subject_id=domains[0].subject_id,
        unit=domains[0].metric.unit,
        metric=str(domains[0].metric.name),
        heads=_heads(domains[0]),
        domains=tuple(
            _domain_view(analysis, domain, labels[domain.setting_id], shown, cuts, limit, folder) for domain in domains
        ),
        limit=limit,
        head_rows=head_rows(shown),
        examples=examples_json({labels[domain.setting_id]: domain for domain in compared}, analysis.changes),
        agreement=agreement(
            analysis.correlations.of_subject(domains[0].subject_id),
            shown,
            labels,
            folder,
            sliced=analysis.sliced and analysis.sliced.of_subject(domains[0].subject_id),
            influence=analysis.influence.correlation.filter(mine),
        ),
        claims=claims(analysis, {labels[domain.setting_id]: domain for domain in domains}),
        deciding=tuple(deciding(analysis.influence, labels, place, TEXT)),
    )


def _heads(domain: Domain) -> str:
    """`32 encoder self-attention heads (4 layers × 8)`, for each kind."""
    parts = []
    for kind, counts in domain.layout.counts.items():
        even = f"{len(counts)} layers × {counts[0]}" if len(set(counts)) == 1 else f"{len(counts)} layers"
        parts.append(f"{sum(counts)} {KIND_NAMES[kind]} heads ({even})")
    return ", ".join(parts)


def _domain_view(
    analysis: Analysis,
    domain: Domain,
    label: str,
    effects: pl.DataFrame,
    cuts: Mapping[str, pl.DataFrame],
    limit: float,
    folder: str,
) -> DomainView:
    mine = pl.col("setting_id") == domain.setting_id
    table = effects.filter(mine)
    ablation = of_measure(table, Measure.ABLATION)
    alone, none = of_measure(table, Measure.ALL_BUT_ONE), of_measure(table, Measure.NO_HEAD)
    first, layers = cuts["table1"].filter(mine), pl.concat([cuts["table2"], cuts["table3"]]).filter(mine)
    return DomainView(
        domain=domain,
        label=label,
        base=analysis.base.filter(mine).row(0, named=True),
        measured=_measured(ablation, alone, none, domain),
        strongest=next(iter(strongest(table).rows(named=True)), None),
        distribution=figures.distribution(ablation, f"{folder}/figure1-{slug(label)}") if ablation.height else None,
        heat_maps=tuple(heat_maps(ablation, domain.layout, limit, f"{folder}/heat-{slug(label)}")),
        one_head=tuple(one_head_drawings(alone, none, f"{folder}/one-head-{slug(label)}")),
        table_1=Grid.of(first, "head", first["head"].unique().sort().to_list()),
        one_head_left=Grid.of(layers, "kind", [kind for kind, _ in by_kind(layers)]),
        curves=tuple(analysis.curves.filter(mine).rows(named=True)),
        contrasts=tuple(analysis.contrasts.filter(mine).rows(named=True)),
        curve_drawings=tuple(curve_drawings(analysis.points.filter(mine), label, folder)),
        taylor=_papers_importance(analysis.taylor.filter(mine)),
    )


def _papers_importance(taylor: pl.DataFrame) -> tuple[Row, ...]:
    """The rows of the paper's estimator, of the plain loss where its gradients are stored."""
    rows = taylor.filter(pl.col("estimator") == str(Estimator.paper))
    plain = rows.filter(pl.col("loss") == str(PLAIN))
    return tuple((rows if plain.is_empty() else plain).rows(named=True))


def _measured(ablation: pl.DataFrame, alone: pl.DataFrame, none: pl.DataFrame, domain: Domain) -> Row:
    """How many of the masks of each measure there are, and what the effects of single heads look like in counts."""
    effect, sure = ablation["effect"], ablation["significant"].fill_null(False)
    return {
        "heads": len(domain.layout),
        "layers": len(domain.layout.layers),
        "ablation": ablation.height,
        "all_but_one": alone.height,
        "no_head": none.height,
        "lower": int((effect < 0).sum()),
        "higher": int((effect > 0).sum()),
        "same": int((effect == 0).sum()),
        "worse": int((sure & (effect < 0)).sum()),
        "better": int((sure & (effect > 0)).sum()),
        "safe": ablation.filter(LOSES_LESS).height,
    }
