"""A model on a data set, for a notebook: its heads masked, the outcomes, and what removing each head costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from analysis import CorrelationOptions, Domain, DomainEffects, Inference, correlate, effects, read_domain
from analysis.correlation import Correlations
from analysis.effects.head_effects import Measure, strongest_head
from analysis.figures import Drawing, colour_limit, heat_map
from analysis.formatting import address, score, signed
from study.config import compose, to_study
from study.engine.evaluator import Evaluator
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.heads import Head, HeadLayout, stack

DEFAULT = Inference()


class Model:
    """A model on a data set, certified before it is masked. What it computes is stored, and not computed again.

    >>> model = Model("toy_classifier", "toy_matched", "data.limit=500")
    >>> model.effects()                      # each head off: a table, and a heat map where a notebook shows it
    >>> model.outcomes([["encoder_self.1.2"], ["encoder_self.1.2", "encoder_self.3.0"]])
    """

    def __init__(self, model: str, data: str, *overrides: str, results: str | Path = "results") -> None:
        """Compose the job; nothing is loaded yet.

        Args:
            model: name of a model (`study list`), such as `hf_classifier`.
            data: name of a data set.
            overrides: options as on the command line: `model.path=FOLDER`, `data.limit=500`.
            results: folder in which outcomes are stored.

        Raises:
            StudyError: when there is no such model, data set or option.
        """
        given = (f"model={model}", f"data={data}", "measure=ablation", f"results='{results}'", *overrides)
        self._job = MeasuringJob(to_study(compose(*given)))

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
            off: for each mask the addresses of the heads that it removes.

        Returns:
            A row for each mask and example: mask, example, the metric's statistics, margin, prediction or translation.
            The mask without any head removed comes first.
        """
        masks = [self.layout.full(), *(self.layout.without([Head.parse(head) for head in heads]) for heads in off)]
        return self._evaluator.outcomes(stack(masks, self.layout))

    def effects(self, inference: Inference = DEFAULT) -> "Effects":
        """Remove each head, one at a time, and compare the scores.

        Args:
            inference: how intervals and p values are made.
        """
        self._prepared.compute()
        return Effects(read_domain(self._job.setting.folder(self._job.results)), inference)

    @cached_property
    def _prepared(self) -> MeasuringJob:
        """The job, once everything that it needs is on this machine and has been checked."""
        self._job.make_ready()
        return self._job

    @property
    def _evaluator(self) -> Evaluator:
        return self._prepared.evaluator


@dataclass(frozen=True)
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
        """A row for each head: effect (points), interval, p, corrected p; columns as in `analysis.effects`."""
        return effects(self.domain, self.inference).filter(measure=Measure.ABLATION)

    def heat_maps(self) -> list[Drawing]:
        """A heat map for each kind of attention: layers down, heads across."""
        limit, counts = colour_limit(self.table), self.domain.layout.counts
        return [
            heat_map(own, counts[kind], limit, f"{self.domain.setting_id}-{kind}")
            for (kind,), own in self.table.group_by("kind", maintain_order=True)
        ]

    def __str__(self) -> str:
        """The answer in a sentence."""
        rows, name = self.table, f"{self.domain.model} on {self.domain.data}"
        strongest = strongest_head(rows)
        if strongest is None:
            return f"{name}: no head was removed"
        base = score(strongest["base_score"], strongest["metric"])
        found = f"{rows['significant'].sum()} of {rows.height} heads matter"
        return f"{name}: {base}; {found}, most of all {address(strongest)} ({signed(strongest['effect'])})"

    def _repr_html_(self) -> str:
        pictures = "".join(f'<div style="max-width:28em">{drawing.svg}</div>' for drawing in self.heat_maps())
        return f"<p>{self}</p><div style='display:flex;flex-wrap:wrap'>{pictures}</div>"


@dataclass(frozen=True)
class Correlation:
    """Whether the heads that matter on one domain matter on another.

    Attributes:
        correlations: the tables of the analysis.
    """

    correlations: Correlations

    @property
    def table(self) -> pl.DataFrame:
        """A row for each two domains: r as measured, r of the true effects, intervals, noise ceiling."""
        return self.correlations.correlation

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def correlation(*effects: Effects, inference: Inference = DEFAULT) -> Correlation:
    """Correlate the effects of one model over domains.

    Args:
        effects: those of two or more domains.
        inference: groups, level, resamples and seed.

    Raises:
        InputError: when there are fewer than two domains.
    """
    if len(effects) < 2:
        raise InputError("a correlation needs the effects on two data sets")
    options = CorrelationOptions(level=1 - inference.alpha, resamples=inference.resamples, seed=inference.seed)
    return Correlation(correlate([DomainEffects.of(each.domain, inference.groups) for each in effects], options))
