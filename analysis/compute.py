"""Everything that is computed from a results folder, before any of it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from analysis.agreement import Agreement, Stop, agreement, kept_sets
from analysis.along import Along, Match, along
from analysis.cascade import Cascade, cascade
from analysis.comparison.head_differences import head_differences, too_many
from analysis.components import VarianceComponents, variance_components
from analysis.correlation import CorrelationOptions, Correlations, DomainEffects, correlate
from analysis.correlation.first_order_fit import taylor
from analysis.curves.area_under_curve import contrasts, curve_summary
from analysis.curves.bands import ResampledCurves, curve_points
from analysis.curves.training_dynamics import dynamics
from analysis.defaults import DEFAULTS
from analysis.effects.base_scores import base_table
from analysis.effects.changes import changes
from analysis.effects.head_effects import DEFAULT, Measure
from analysis.effects.parts import part_effects
from analysis.effects.unit_effects import LEVELS, effect_tables
from analysis.gates import Gates, gates
from analysis.inference import Inference
from analysis.influence.groups import Influence, influence
from analysis.results.cells import DATA
from analysis.results.domain import Domain
from analysis.results.namesakes import namesakes
from analysis.results.read import Results
from analysis.results.slices import sliced
from analysis.results.speed import Speed, read_speed
from analysis.roles import AttentionOptions, HeadAttention, head_attention
from analysis.second_tasks import SecondTasks, second_tasks
from analysis.sets import Sets, sets
from analysis.syntax.probe_scores import Probes, probes
from study.record.errors import InputError
from study.record.units import UnitLevel

FEWEST_UNITS = 10
"""Groups, layers or MLPs whose effects are correlated unasked: r of fewer says little."""


@dataclass(frozen=True)
class Analysis:
    """What was computed from a results folder.

    Attributes:
        results: what was read.
        effects: the tidy tables of all domains, one below the other.
        units: those of groups, layers and MLPs, each removed as a whole.
        changes: by setting id, the examples that came out otherwise without a head, a group, a layer or an MLP.
        parts: effects of these on parts of the examples, by what they are like.
        differences: how the effect of each head differs between every two subjects of the same heads.
        correlations: between every two domains of a subject.
        influence: influence of single groups of examples on noise, effects and correlations.
        base: one row a domain.
        points: points of the pruning curves of all domains.
        curves: one row a curve.
        contrasts: differences of every two curves.
        dynamics: what is left of the score at each epoch of a training.
        taylor: importance against measured effects.
        larger: correlations of groups, layers and MLPs between the domains of a subject, by level, as far as there are
            `FEWEST_UNITS` of them that were removed one at a time on two domains.
        sliced: correlations between slices of the domains; None where none were asked for.
        speed: speed of models whose heads are really removed; None where that was not timed.
        namesakes: which subjects are not compared, and why, a sentence each.
        least_r: correlation of true effects from which on the same heads are said to matter on two domains.
        along: cells compared along other axes than the data; None where none were asked for.
        components: what the variance of effects along these axes belongs to; None where none were asked for.
        kept: how far kept heads agree along these axes; None where none were asked for, or too few cells have curves.
        attention: what heads look at and the roles they play; None where nobody measured it.
        probes: what probes of attention find; None where nobody trained one.
        gates: what gates of trainings come to; None where no training has any.
        second_tasks: what later tasks of models come to; None where no model was taught any.
        sets: what sets of units come to; None where none were measured.
        cascade: how many decisions were drafted, and how many of these may be wrong; None where none was.
    """

    results: Results
    effects: pl.DataFrame
    units: pl.DataFrame
    changes: dict[str, pl.DataFrame]
    parts: pl.DataFrame
    differences: pl.DataFrame
    correlations: Correlations
    influence: Influence
    base: pl.DataFrame
    points: pl.DataFrame
    curves: pl.DataFrame
    contrasts: pl.DataFrame
    dynamics: pl.DataFrame
    taylor: pl.DataFrame
    larger: Mapping[UnitLevel, Correlations] = field(default_factory=dict)
    sliced: Correlations | None = None
    speed: Speed | None = None
    namesakes: tuple[str, ...] = ()
    least_r: float = DEFAULTS["least_r"]
    along: Along | None = None
    components: VarianceComponents | None = None
    kept: Agreement | None = None
    attention: HeadAttention | None = None
    probes: Probes | None = None
    gates: Gates | None = None
    second_tasks: SecondTasks | None = None
    sets: Sets | None = None
    cascade: Cascade | None = None

    @property
    def level(self) -> UnitLevel:
        """The units that slices and cells along axes were compared by."""
        other = self.along or self.sliced
        return UnitLevel.head if other is None else other.level

    @cached_property
    def subjects(self) -> dict[str, tuple[Domain, ...]]:
        """The domains of each subject that is shown by itself, by subject id.

        A checkpoint of a training of which there are pruning curves alone is a point of figure 5 and no more; one of
        which the heads that it keeps were scored, and no more, is a point of theirs, and so is one task of several.
        """
        alone = frozenset() if self.second_tasks is None else self.second_tasks.alone
        single = self.effects.filter(measure=Measure.ABLATION)
        removed = dict(single.group_by("setting_id").len().iter_rows())

        def is_point(domain: Domain) -> bool:
            if domain.checkpoint is not None:
                return removed.get(domain.setting_id, 0) < len(domain.layout)
            return _is_point(domain, alone)

        subjects = self.results.subjects.items()
        return {subject_id: domains for subject_id, domains in subjects if not all(map(is_point, domains))}


def analyse(
    results: Results,
    inference: Inference = DEFAULT,
    *,
    within: Mapping[str, float] | float = DEFAULTS["within"],
    by: str | None = None,
    splits: int = DEFAULTS["splits"],
    least_r: float = DEFAULTS["least_r"],
    axes: Sequence[str] = (DATA,),
    match: Match | None = None,
    attention: AttentionOptions | None = None,
    level: UnitLevel | None = None,
) -> Analysis:
    """Effects, correlations, base scores and pruning curves of all domains.

    Args:
        results: what was read.
        inference: how intervals and p values of the effects are made.
        within: loss of score that the largest share of heads that can go is given for; by metric, or one for any.
        by: a column of the examples (genre) whose values are compared as domains, beside the domains themselves.
        splits: number of splits of each domain, for the noise ceiling.
        least_r: correlation of true effects from which on the same heads are said to matter on two domains.
        axes: along which cells are compared; the domains of a subject are in any case.
        match: how heads of models that start from different weights are compared; None: they are not.
        attention: how roles of heads are decided.
        level: the units that slices, and cells along the axes, are compared by; None: heads, or where no head was
            removed alone the units that were.

    Raises:
        InputError: when `least_r` is no correlation from 0 to 1, the options of the inference do not fit a domain, no
            examples have the column `by`, or nothing can be compared along the axes.
    """
    if not 0 <= least_r < 1:
        raise InputError(f"least_r is the least correlation that counts, from 0 to below 1, and not {least_r:g}")
    domains = results.distinct
    heads = [DomainEffects.of(domain, inference.groups) for domain in domains]
    level = level or compared_level(domains)
    of_slices = [DomainEffects.of(part, inference.groups, level) for part in sliced(domains, by)] if by else None
    options = CorrelationOptions(
        level=1 - inference.alpha, splits=splits, resamples=inference.resamples, seed=inference.seed
    )
    table, units = map(pl.concat, zip(*(effect_tables(domain, inference) for domain in domains), strict=True))
    compared, divided, kept = None, None, None
    if tuple(axes) != (DATA,):
        tested = table if level is UnitLevel.head else units
        compared = along(results, axes, tested, options=options, groups=inference.groups, match=match, level=level)
        position = match is Match.position
        divided = variance_components(compared.grids, inference.groups, options.level, by_position=position)
        kept = _kept(results, axes, inference)
    every = [ResampledCurves.of(domain, inference) for domain in results.domains]
    later = second_tasks(results, inference, table)
    alone = frozenset() if later is None else later.alone
    folders, shown = {domain.folder for domain in domains}, _shown(domains, heads, alone)
    looks = head_attention(results, inference, attention)
    drawn = [of_domain for of_domain in every if of_domain.domain.folder in folders]
    return Analysis(
        results=results,
        effects=table,
        units=units,
        changes={domain.setting_id: changes(domain) for domain in domains},
        parts=pl.concat([part_effects(domain, inference) for domain in domains]),
        differences=head_differences(shown, inference.alpha),
        correlations=correlate(heads, options),
        influence=influence(list(zip(domains, heads, strict=True)), table, inference.groups),
        base=base_table(domains, inference),
        points=pl.concat(map(curve_points, drawn)),
        curves=pl.concat(curve_summary(of_domain, within) for of_domain in drawn),
        contrasts=pl.concat(map(contrasts, drawn)),
        dynamics=dynamics(every),
        taylor=pl.concat(taylor(domain, inference) for domain in domains),
        larger=_larger(domains, inference.groups, options),
        sliced=None if of_slices is None else correlate(of_slices, options),
        speed=read_speed(results.folder),
        namesakes=(*namesakes(_subjects(results, alone), axes), *too_many(shown, along=compared is not None)),
        least_r=least_r,
        along=compared,
        components=divided,
        kept=kept,
        attention=looks,
        probes=probes(results.probes, inference),
        gates=gates(results, inference, looks, within),
        second_tasks=later,
        sets=sets(results, inference),
        cascade=cascade(domains),
    )


def compared_level(domains: Iterable[Domain]) -> UnitLevel:
    """The units that domains are compared by: heads; where none was removed alone, the first of `LEVELS` that were."""
    stored, levels = list(domains), (UnitLevel.head, *LEVELS)
    return next((level for level in levels if any(own.single_units(level) for own in stored)), UnitLevel.head)


def _larger(domains: Sequence[Domain], groups: str, options: CorrelationOptions) -> dict[UnitLevel, Correlations]:
    """`Analysis.larger`."""
    found = {}
    for level in LEVELS:
        enough = [domain for domain in domains if len(domain.single_units(level)) >= FEWEST_UNITS]
        of_level = correlate([DomainEffects.of(domain, groups, level) for domain in enough], options)
        if of_level.correlation.height:
            found[level] = of_level
    return found


def _shown(
    domains: Sequence[Domain], heads: Sequence[DomainEffects], alone: frozenset[str]
) -> list[tuple[Domain, DomainEffects]]:
    """The domains with their effects, but for checkpoints of trainings and those that are points of a comparison."""
    pairs = zip(domains, heads, strict=True)
    return [both for both in pairs if both[0].checkpoint is None and not _is_point(both[0], alone)]


def _subjects(results: Results, alone: frozenset[str]) -> list[tuple[Domain, ...]]:
    """The domains of each subject, but for those that are points of a comparison."""
    return [own for own in results.subjects.values() if not all(_is_point(domain, alone) for domain in own)]


def _is_point(domain: Domain, alone: frozenset[str]) -> bool:
    """Whether the kept heads of a training alone were scored, or one task of several with all heads that it has."""
    return domain.keeps_alone or domain.setting_id in alone


def _kept(results: Results, axes: Sequence[str], inference: Inference) -> Agreement | None:
    """How far the heads that pruning keeps agree along axes; None where no two cells can be compared."""
    sets = []
    for axis in axes:
        with suppress(InputError):  # models with other heads, which `along` names
            sets += kept_sets(results, axis, Stop())
    return agreement(sets, inference.resamples, inference.seed) if sets else None
