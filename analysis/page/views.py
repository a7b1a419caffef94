"""Subjects and domains with all that was computed of them: what every section of the page is made from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import polars as pl

from analysis import figures
from analysis.attention_kinds import kind_label, kind_name
from analysis.compute import Analysis
from analysis.effects.head_effects import LOSES_LESS, Measure, strongest_head
from analysis.formatting import labelled, slug
from analysis.page.claims import Claim, claims
from analysis.page.unit_verdicts import adding_up
from analysis.results.domain import Domain
from analysis.results.namesakes import subject_names
from analysis.results.rescoring import rescored
from study.record.errors import InputError
from study.record.metrics import Task
from study.record.metrics.loss import LOSS
from study.record.units import HeadLayout, UnitLevel

Row = dict[str, Any]


@dataclass(frozen=True)
class DomainView:
    """One domain of a subject.

    Attributes:
        domain: its examples and outcomes.
        label: name of its data set, with the setting id where the name is not enough.
        base: its row of `Analysis.base`.
        effects: its rows of `Analysis.effects`, the label for the name of the domain.
    """

    domain: Domain
    label: str
    base: Row
    effects: pl.DataFrame

    @classmethod
    def of(cls, domain: Domain, label: str, analysis: Analysis) -> "DomainView":
        """The view of a domain under its label."""
        base = analysis.base.row(by_predicate=pl.col("setting_id") == domain.setting_id, named=True)
        effects = analysis.effects.filter(setting_id=domain.setting_id)
        return cls(domain, label, base, effects.with_columns(domain=pl.lit(label)))

    @cached_property
    def ablation(self) -> pl.DataFrame:
        """Effects of single heads that were removed."""
        return self.effects.filter(measure=Measure.ABLATION)

    @cached_property
    def log_likelihood(self) -> float | None:
        """The mean log-likelihood of the right choice with every head, nats; None unless choices are scored otherwise.

        An accuracy hardly moves under one head, while this moves with every one.
        """
        domain = self.domain
        if domain.metric.task is not Task.CHOICE or domain.metric.name == LOSS or LOSS not in domain.rows.columns:
            return None
        try:
            return rescored(domain, LOSS).sample().base_score
        except InputError:  # most losses are drafts
            return None

    @property
    def mine(self) -> pl.Expr:
        """Rows of a table that are about this domain."""
        return pl.col("setting_id") == self.domain.setting_id

    @cached_property
    def strongest(self) -> Row | None:
        """The effect of largest size; None where no head was removed."""
        return strongest_head(self.effects)

    @cached_property
    def measured(self) -> Row:
        """How many of the masks of each measure there are, and what the effects of single heads look like in counts."""
        effect, sure = self.ablation["effect"], self.ablation["significant"].fill_null(False)
        return {
            "heads": len(self.domain.layout),
            "layers": len(self.domain.layout.layers),
            **{str(measure): self.effects.filter(measure=measure).height for measure in Measure},
            "lower": int((effect < 0).sum()),
            "higher": int((effect > 0).sum()),
            "worse": int((sure & (effect < 0)).sum()),
            "better": int((sure & (effect > 0)).sum()),
            "safe": self.ablation.filter(LOSES_LESS).height,
        }


@dataclass(frozen=True)
class SubjectView:
    """One subject.

    Attributes:
        analysis: all that was computed, of every subject.
        label: name of its model, with the subject id where the name is not enough.
        domains: those that it was measured on.
    """

    analysis: Analysis
    label: str
    domains: tuple[DomainView, ...]

    @cached_property
    def subject_id(self) -> str:
        """What its weights are known by."""
        return self.domains[0].domain.subject_id

    @property
    def mine(self) -> pl.Expr:
        """Rows of a table that are about this subject."""
        return pl.col("subject_id") == self.subject_id

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention that its model has."""
        return tuple(map(str, self.domains[0].domain.layout.counts))

    @property
    def several(self) -> bool:
        """Whether its model has more than one kind of attention, so that a head needs its address."""
        return len(self.kinds) > 1

    @property
    def unit(self) -> str:
        """Unit of its effects."""
        return self.domains[0].domain.metric.unit

    @property
    def digits(self) -> int:
        """Decimals with which its scores and effects are shown."""
        return self.domains[0].domain.metric.digits

    @property
    def metric(self) -> str:
        """Name of its metric."""
        return self.domains[0].domain.metric.name

    @property
    def task(self) -> str:
        """What the model does with texts."""
        return str(self.domains[0].domain.metric.task)

    @property
    def scores(self) -> str:
        """What a score is, with its unit: `accuracy (%)`, `BLEU`."""
        return self.domains[0].domain.metric.axis

    @property
    def has_paper(self) -> bool:
        """Whether the paper has a base score of one of its domains."""
        return any(view.base["paper_base_score"] is not None for view in self.domains)

    @property
    def has_log_likelihood(self) -> bool:
        """Whether its choices have a log-likelihood beside their score."""
        return any(view.log_likelihood is not None for view in self.domains)

    @property
    def shape(self) -> str:
        """`16 heads of encoder self-attention (4 layers × 4)`; of several kinds of attention each with its layers."""
        counts = self.domains[0].domain.layout.counts
        sizes = {
            kind: f"{len(own)} layers\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{own[0]}"
            if len(set(own)) == 1
            else f"{sum(own)} in {len(own)} layers"
            for kind, own in counts.items()
        }
        groups, mlps = len(self.layout.key_groups), len(self.layout.mlps)
        heads = f"{sum(map(sum, counts.values()))} heads{f' in {groups} groups' if groups else ''}"
        more = f", {mlps} MLPs" if mlps else ""
        if len(counts) == 1:
            (size,) = sizes.values()
            return f"{heads} of {kind_name(*counts)} ({size}){more}"
        return f"{heads}: {', '.join(f'{kind_label(kind)} {size}' for kind, size in sizes.items())}{more}"

    @cached_property
    def effects(self) -> pl.DataFrame:
        """Its effects."""
        return self.analysis.effects.filter(self.mine)

    @cached_property
    def units(self) -> pl.DataFrame:
        """Its effects of groups, layers and MLPs."""
        return self.analysis.units.filter(self.mine)

    @property
    def largest(self) -> UnitLevel | None:
        """The level that stands for single heads where none was removed alone; None where nothing was."""
        known = set(self.units["level"])
        return next((level for level in (UnitLevel.group, UnitLevel.mlp, UnitLevel.layer) if level in known), None)

    @property
    def layout(self) -> HeadLayout:
        """The heads, groups and MLPs of its model, as any of its domains knows them."""
        return reduce(HeadLayout.knowing, (view.domain.layout for view in self.domains))

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels of its domains by setting id."""
        return {view.domain.setting_id: view.label for view in self.domains}

    @property
    def compared(self) -> list[DomainView]:
        """The domains on which single heads were removed."""
        return [view for view in self.domains if view.ablation.height]

    @cached_property
    def limit(self) -> float:
        """The effect at which colours saturate, in every panel."""
        return figures.colour_limit(self.effects.filter(measure=Measure.ABLATION))

    @cached_property
    def folder(self) -> str:
        """Folder of its figures."""
        return slug(f"{self.domains[0].domain.model}-{self.subject_id}")

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of the paper that its domains say something about."""
        return claims(self.analysis, {view.label: view.domain for view in self.domains})

    @cached_property
    def beyond(self) -> tuple[Claim, ...]:
        """Whether single heads tell what groups of them and layers do."""
        return adding_up(self.units, self.labels)


def subject_labels(analysis: Analysis) -> dict[str, str]:
    """The name of the model of every subject, by its id; of namesakes with seed, results folder, metric, or else id."""
    folders = {id_: domains[0].folder.parents[2] for id_, domains in analysis.subjects.items()}
    if not folders:  # of a training whose checkpoints are points of figure 5 alone
        return {}
    models = subject_names(analysis.subjects)
    shared = Path(os.path.commonpath(list(folders.values())))
    for name in set(models.values()):
        namesakes = [id_ for id_ in models if models[id_] == name]
        if len({folders[id_] for id_ in namesakes}) > 1:
            models |= {id_: f"{name} in {folders[id_].relative_to(shared)}" for id_ in namesakes}
    for name in set(models.values()):
        namesakes = {id_: analysis.subjects[id_][0].metric.label for id_ in models if models[id_] == name}
        if len(namesakes) > 1 and len(set(namesakes.values())) == len(namesakes):
            models |= {id_: f"{name}, {label}" for id_, label in namesakes.items()}
    return labelled((name, id_) for id_, name in models.items())


def subject_views(analysis: Analysis) -> list[SubjectView]:
    """The view of every subject."""
    names = subject_labels(analysis)
    views = []
    for subject_id, domains in analysis.subjects.items():
        labels = labelled((domain.data, domain.setting_id) for domain in domains)
        own = tuple(DomainView.of(domain, labels[domain.setting_id], analysis) for domain in domains)
        views.append(SubjectView(analysis, names[subject_id], own))
    return views


def pair_rows(table: pl.DataFrame, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows of a table that are about pairs of these domains (labels by setting id), with label_a and label_b."""
    return tuple(
        {**row, "label_a": labels[row["setting_a"]], "label_b": labels[row["setting_b"]]}
        for row in table.filter(pl.col("setting_a").is_in(list(labels))).rows(named=True)
    )
