"""A model on a data set, for a notebook: its heads masked, the outcomes, and what removing each head costs."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from analysis import CorrelationOptions, Domain, DomainEffects, Inference, correlate, effects, read_domain, read_results
from analysis.correlation import Correlations
from analysis.effects.head_effects import Measure, strongest_head
from analysis.figures import Drawing, colour_limit, forest, heat_map, scatter
from analysis.formatting import address, decimal, effect, ends, interval, score
from analysis.results.namesakes import apart
from sixteen_heads.attention.maps import AttentionMaps, maps
from sixteen_heads.attention.sentence import page_of, read_example, unit_called
from sixteen_heads.head_sets import ChosenSets, HeadPairs, ShapleyValues, pairs, shapley, sufficient
from sixteen_heads.trainings.gated_trainings import GatedTrainings, gates
from sixteen_heads.trainings.later_tasks import LaterTasks, second_tasks
from study.config import compose, to_study
from study.engine.evaluator import Evaluator
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.units import ADDRESS, HeadLayout, parse_unit, stack
from study.terminal.once import say_once

warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm in transformers; bars here need no widgets

__all__ = [
    "AttentionMaps",
    "ChosenSets",
    "Correlation",
    "Effects",
    "GatedTrainings",
    "HeadPairs",
    "LaterTasks",
    "Model",
    "ShapleyValues",
    "correlation",
    "gates",
    "maps",
    "pairs",
    "read",
    "second_tasks",
    "shapley",
    "sufficient",
]

DEFAULT = Inference()

EFFECT_COLUMNS = ("effect", "low", "high", "p", "p_corrected", "significant")
CORRELATION_COLUMNS = ("pearson", "pearson_low", "pearson_high", "true", "true_low", "true_high", "ceiling")


class Model:
    """A model on a data set, certified before it is masked. What it computes is stored, and not computed again.

    Examples:
        >>> model = Model("toy_classifier", "toy_matched", "data.limit=500")
        >>> model.effects()  # each head off: a sentence and a heat map
        >>> model.outcomes([["encoder_self.1.2"], ["encoder_self.1.2", "encoder_self.3.0"]])
    """

    def __init__(self, model: str, data: str, *overrides: str, results: str | Path = "results") -> None:
        """Compose the job; nothing is loaded yet.

        Args:
            model: name of a model (`study list`), such as `hf_classifier`.
            data: name of a data set.
            overrides: options as on the command line: `model.path=FOLDER`, `data.limit=500`.
            results: folder in which outcomes are stored; the first call that stores something says which it is.

        Raises:
            StudyError: when there is no such model, data set or option.
        """
        place = str(results).replace("'", "\\'")
        given = (f"model={model}", f"data={data}", "measure=ablation", f"results='{place}'", *overrides)
        self._job = MeasuringJob(to_study(compose(*given)))

    def __repr__(self) -> str:
        """Model, data, and where outcomes are stored."""
        study, choice = self._job.study, self._job.study.replacement
        replaced = "" if choice.is_usual else f", replacement {choice.words()}"
        return f"{study.model.name} on {study.data.name}{replaced}, stored in {study.results}"

    @property
    def layout(self) -> HeadLayout:
        """The heads of the model: how many in each layer of each kind of attention."""
        return self._evaluator.layout

    @property
    def heads(self) -> tuple[str, ...]:
        """The address of every head, `encoder_self.0.0` first."""
        return tuple(map(str, self.layout.heads))

    def outcomes(self, off: Iterable[Sequence[str]] = ()) -> pl.DataFrame:
        """What becomes of every example with heads removed.

        Args:
            off: for each mask the addresses of the heads, groups, layers and MLPs that it removes.

        Returns:
            A row for each mask and example: mask, example, the metric's statistics, margin, prediction or translation.
            The mask that removes nothing comes first.
        """
        masks = [self.layout.full(), *(self.layout.without(map(parse_unit, units)) for units in off)]
        return self._evaluator.outcomes(stack(masks, self.layout))

    def effects(self, inference: Inference = DEFAULT) -> "Effects":
        """Remove each head, one at a time, and compare the scores.

        Args:
            inference: how intervals and p values are made.
        """
        self._prepared.compute()
        return Effects(read_domain(self._job.setting.folder(self._job.results)), inference)

    def maps(self, example: str = "", heads_off: Sequence[str] = (), layers: Sequence[int] = ()) -> AttentionMaps:
        """What every head looks at in an example of the data; nothing is stored.

        Args:
            example: its id; empty: the first one.
            heads_off: names of heads, groups, layers and MLPs that are off in a second look.
            layers: the layers that are looked at; all where none is named.

        Raises:
            InputError: when there is no such example, head or layer, or it is too long.
        """
        examples, subject = self._prepared.examples, self._prepared.subject()
        sentence = read_example(subject, examples, example or examples.ids[0], self._job.study.data.name)
        off = [unit_called(name, subject.layout) for name in heads_off]
        return AttentionMaps(page_of(self._job.study.model.name, subject, sentence, off, layers))

    @cached_property
    def _prepared(self) -> MeasuringJob:
        """The job, once everything that it needs is on this machine and has been checked."""
        self._job.make_ready()
        where = self._job.results if self._job.results.is_absolute() else f"./{self._job.results}"
        say_once(print, f"Outcomes are stored in {where} (results=FOLDER chooses another folder).")
        return self._job

    @property
    def _evaluator(self) -> Evaluator:
        return self._prepared.evaluator


@dataclass(frozen=True, repr=False)
class Effects:
    """What removing each head of a model costs on a data set.

    Attributes:
        domain: the stored outcomes.
        inference: how intervals and p values are made.
    """

    domain: Domain
    inference: Inference = DEFAULT

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row for each head: its address; effect (points) with its interval; p, corrected p, significance."""
        address = pl.concat_str(ADDRESS.keys(), separator=".").alias("head")
        return self.all_columns.select(address, *EFFECT_COLUMNS)

    @cached_property
    def all_columns(self) -> pl.DataFrame:
        """A row for each head, with every column of `analysis.effects`."""
        return effects(self.domain, self.inference).filter(measure=Measure.ABLATION)

    def heat_map(self, kind: str = "") -> Drawing:
        """The effect of every head of one kind of attention: layers down, heads across.

        Args:
            kind: `encoder_self`, `decoder_self` or `cross`; needed where the model has several.

        Raises:
            InputError: when the model has no attention of this kind, or several and none is named.
        """
        drawn = self.heat_maps()
        if len(drawn) == 1 and kind in ("", *drawn):
            return next(iter(drawn.values()))
        if kind not in drawn:
            raise InputError(f"there is a heat map of {', '.join(drawn)}, not of '{kind}'")
        return drawn[kind]

    def heat_maps(self) -> dict[str, Drawing]:
        """A heat map for each kind of attention, by its name."""
        rows, counts = self.all_columns, self.domain.layout.counts
        limit = colour_limit(rows)
        return {
            kind: heat_map(own, counts[kind], limit, f"{self.domain.setting_id}-{kind}")
            for (kind,), own in rows.group_by("kind", maintain_order=True)
        }

    def forest(self) -> Drawing | None:
        """The heads by their effect, with intervals; None where no head was removed."""
        return forest(self.all_columns, f"{self.domain.setting_id}-forest")

    def __repr__(self) -> str:
        """The answer in a sentence."""
        domain, rows = self.domain, self.all_columns
        replaced = "" if domain.replacement.is_usual else f", replacement {domain.replacement.label}"
        name = f"{domain.model} on {domain.data}{replaced}"
        strongest = strongest_head(rows)
        if strongest is None:
            return f"{name}: no head was removed"
        base = score(strongest["base_score"], strongest["metric"])
        found = f"{rows['significant'].sum()} of {rows.height} heads have a significant effect"
        if strongest["reason"]:
            found = f"Nothing is said of significance, {strongest['reason']}"
        largest = f"{address(strongest)}: {effect(strongest)} {strongest['unit']}{interval(strongest)}"
        return f"{name}: {base}. {found}; the largest is that of {largest}"

    def _repr_html_(self) -> str:
        return _html(str(self), self.heat_maps().values())


@dataclass(frozen=True, repr=False)
class Correlation:
    """Whether the heads that matter on one domain matter on another, or by one replacement as by another.

    Attributes:
        correlations: every table of the analysis about it.
        unit: unit of the effects.
    """

    correlations: Correlations
    unit: str

    @property
    def table(self) -> pl.DataFrame:
        """A row for each two domains: r as measured, r of the true effects, their intervals, the noise ceiling."""
        pair = pl.concat_str("domain_a", "domain_b", separator=" / ").alias("domains")
        return self.correlations.overall.select(pair, *CORRELATION_COLUMNS)

    def scatters(self) -> list[Drawing]:
        """Figure 2 of every two domains: the effect of each head on one against its effect on the other."""
        return [self._scatter(row) for row in self.correlations.overall.rows(named=True)]

    def _scatter(self, row: dict[str, Any]) -> Drawing:
        settings = {side: row[side] for side in ("setting_a", "setting_b")}
        heads, labels = self.correlations.influence.filter(**settings), (row["domain_a"], row["domain_b"])
        return scatter(heads, labels, (self.unit, self.unit), _pearson(row), "-".join(settings.values()))

    def __repr__(self) -> str:
        """The answer, a line for each two domains."""
        return "\n".join(map(_sentence, self.correlations.overall.rows(named=True)))

    def _repr_html_(self) -> str:
        return _html(str(self), self.scatters())


def correlation(*effects: Effects, inference: Inference = DEFAULT) -> Correlation:
    """Correlate the effects of one model over domains, or over what stands in the place of a removed head.

    The noise of examples that two of them share is taken out of the true r.

    Args:
        effects: those on two or more data sets, or of two or more replacements on one.
        inference: groups, level, resamples and seed.

    Raises:
        InputError: when there are fewer than two, some are given twice, the models or metrics differ, or data and
            replacements both do.
    """
    if len(effects) < 2:
        raise InputError("a correlation needs the effects on two data sets, or of two replacements on one")
    domains = [each.domain for each in effects]
    _require_one_model(domains)
    options = CorrelationOptions(level=1 - inference.alpha, resamples=inference.resamples, seed=inference.seed)
    sides = [DomainEffects.of(domain, inference.groups) for domain in domains]
    if len({domain.subject_id for domain in domains}) > 1:
        sides = [_called(side, domain) for side, domain in zip(sides, domains, strict=True)]
    return Correlation(correlate(sides, options), domains[0].metric.unit)


def _require_one_model(domains: Sequence[Domain]) -> None:
    first = domains[0]
    for other in domains[1:]:
        if other.model_id != first.model_id and other.model != first.model:
            raise InputError(
                f"a correlation is of one model, not of {first.model} and {other.model}: `study report --along family` "
                f"compares models, head by head where they start from the same weights"
            )
        if other.model_id != first.model_id:
            raise InputError(
                f"a correlation is of one model; the settings of {first.model} differ in {apart(first, other)}. "
                f"`study report --along AXIS` compares seeds, epochs, precisions and other axes"
            )
    if len({(domain.data, domain.setting_id) for domain in domains}) < len(domains):
        raise InputError(f"some effects of {first.model} are given twice: whatever they are, they correlate with r = 1")
    metrics = list(dict.fromkeys(domain.metric.label for domain in domains))
    if len(metrics) > 1:
        raise InputError(f"a correlation needs one metric, not {' and '.join(metrics)}")
    if len({domain.data for domain in domains}) > 1 and len({domain.subject_id for domain in domains}) > 1:
        raise InputError(
            "a correlation is of several data sets under one replacement, or of several replacements on one data set"
        )


def _called(side: DomainEffects, domain: Domain) -> DomainEffects:
    """The effects under the name of their replacement, as one of several of one model."""
    own = {"subject": domain.model, "subject_id": domain.model_id, "domain": f"replacement {domain.replacement.label}"}
    return replace(side, names={**side.names, **own})


def read(results: str | Path = "results", inference: Inference = DEFAULT) -> list[Effects]:
    """The effects that a results folder holds, of every model on every data set; nothing is computed.

    Args:
        results: folder of stored outcomes.
        inference: how intervals and p values are made.
    """
    return [Effects(domain, inference) for domain in read_results(Path(results)).domains if domain.single_heads]


def _pearson(row: dict[str, Any]) -> str:
    return f"r = {decimal(row['pearson'])}{ends(row['pearson_low'], row['pearson_high'])}"


def _sentence(row: dict[str, Any]) -> str:
    pair = f"{row['domain_a']} and {row['domain_b']}"
    if row["reason"]:
        return f"{pair}: no correlation, {row['reason']}"
    true = f"r = {decimal(row['true'])}{ends(row['true_low'], row['true_high'])} without the noise of the examples"
    return f"{pair}: {_pearson(row)} as measured, {row['true_reason'] or true}"


def _html(words: str, drawings: Iterable[Drawing]) -> str:
    """Words above figures, side by side where there is room."""
    pictures = "".join(f"<div>{drawing.svg}</div>" for drawing in drawings)
    said = escape(words, quote=False).replace("\n", "<br>")
    return f"<p>{said}</p><div style='display:flex;flex-wrap:wrap'>{pictures}</div>"
