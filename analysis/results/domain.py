"""A domain: what is stored of one subject on one data set, and its sample, which every number is computed from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int
from polars import selectors

from analysis.replacements import DRAWN, Replacement, counted_of
from analysis.results.groups import Groups
from analysis.results.row_sample import RowSample
from analysis.results.sample import EXAMPLE, GROUP_COLUMN, NOUNS, Sample, narrowed
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.factors import Factors, checkpoint
from study.record.loss import Loss
from study.record.metrics import Metric, Task
from study.record.reading.mask_sums import RunningSums
from study.record.scores import counted
from study.record.setting import StoredSetting
from study.record.store import read_examples
from study.record.units import ADDRESS, Head, HeadLayout, Unit, UnitLevel

IDENTITY = ("subject", "subject_id", "domain", "setting_id")
"""Columns that say in every table which subject and domain a row is about."""

KEPT = "kept"
"""The order of what is stored as a curve of one step: the heads that a training with gates keeps."""

AUTO = "auto"
"""Groups of the examples' own column `group`: the premise, the document; single examples where there is none."""


def group_column(columns: Sequence[str], groups: str, data: str) -> str:
    """The column that groups examples: `group` of `auto` where there is one, else single examples; or the one named.

    Raises:
        InputError: when the examples of this data have no such column.
    """
    if groups == AUTO:
        return GROUP_COLUMN if GROUP_COLUMN in columns else EXAMPLE
    if groups not in columns:
        others = [EXAMPLE, *(name for name in columns if name != EXAMPLE)]
        raise InputError(f"the examples of {data} have no column '{groups}' to group by: there are {', '.join(others)}")
    return groups


@dataclass(frozen=True)
class Domain:
    """What is stored of one subject on one data set.

    Attributes:
        model: short name of the model.
        data: short name of the data set.
        folder: where it is stored.
        setting: what was computed.
        setting_id: hash of all that determines the outcomes; names the folder. Of a view (a slice, another metric) with
            an ending.
        subject_id: hash of the model side and metric alone.
        layout: the heads of the model.
        metric: what the outcomes are scored with.
        signature: signature of the metric, as stored; ends in `weighted` where examples have weights.
        examples: texts, targets and columns of the examples that the base mask was evaluated on, one row each.
        rows: outcome rows of the complete masks: those with every example that the base mask has; `weight` says how
            much each counts where not all count alike.
        close_calls: rows computed twice with another outcome, all within the tolerance of the store.
        left_out: what the folder holds and `rows` does not, in words.
        provenance: what was stored with the parts (devices, versions ...): the distinct values of each entry.
        gradients: by loss, gradient rows on these examples of the masks that have all of them, the full one among
            them; none where importance was not measured.
        curves: which masks form a pruning curve; those whose masks are all complete.
        kept: the heads that a training with gates keeps (`study.record.gates`), as curves of one step.
        labels: labels of a classifier, in the order of the column `prediction`.
        factors: the places at which the setting stands on the axes.
        damaged: whether `left_out` names files that were stored and cannot be used.
        is_summed: whether outcomes of masks that are not among `rows` are summed from the parts where they are asked
            for: those of a design, which may be very many.
    """

    model: str
    data: str
    folder: Path
    setting: StoredSetting
    setting_id: str
    subject_id: str
    layout: HeadLayout
    metric: Metric
    signature: str
    examples: pl.DataFrame
    rows: pl.DataFrame
    close_calls: int = 0
    left_out: tuple[str, ...] = ()
    provenance: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gradients: Mapping[Loss, pl.DataFrame] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    kept: tuple[Curve, ...] = ()
    labels: tuple[str, ...] = ()
    factors: tuple[Factors, ...] = ()
    damaged: bool = False
    is_summed: bool = False
    _samples: dict[str, Sample] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def model_id(self) -> str:
        """Hash of the model alone (`Setting.model_id`): that of a reading of the same weights is equal."""
        return self.setting.model_id

    @property
    def different_examples(self) -> int:
        """Number of its examples, the draws of one counted once."""
        return self.examples[DRAWN].n_unique() if DRAWN in self.examples.columns else self.examples.height

    @cached_property
    def masks(self) -> frozenset[str]:
        """Keys of the complete masks, the base mask among them."""
        return frozenset(self.rows["mask"].unique())

    @cached_property
    def single_heads(self) -> dict[Head, str]:
        """The mask of each head that was removed alone, by head."""
        return self.single_units(UnitLevel.head)  # type: ignore[return-value]

    def single_units(self, level: UnitLevel) -> dict[Unit, str]:
        """The mask of each unit of a level that was removed by itself, by unit."""
        units = self.layout.units(level)
        masks = zip(units, map(self.layout.key, self.layout.each_off(units)), strict=True)
        return {unit: mask for unit, mask in masks if mask in self.masks}

    def removed(self, levels: Iterable[UnitLevel]) -> pl.DataFrame:
        """The units of these levels that were removed by themselves: columns level, kind, layer, head, mask."""
        rows = [
            {"level": str(level), **unit.row, "mask": mask}
            for level in levels
            for unit, mask in self.single_units(level).items()
        ]
        return pl.DataFrame(rows, schema={"level": pl.String, **ADDRESS, "mask": pl.String})

    @cached_property
    def replacement(self) -> Replacement:
        """What stands in the place of a masked unit."""
        return Replacement.of(self.setting)

    @property
    def subject(self) -> str:
        """Name of its model, with the gates of its training, its task of several, what stands in for masked units."""
        place = self.factors[0] if self.factors else None
        told = [self.model, *filter(None, (place.gates, place.reuse, place.taught) if place else ())]
        return ", ".join([*told, *([] if self.replacement.is_usual else [f"replacement {self.replacement.label}"])])

    @property
    def names(self) -> tuple[str, str, str]:
        """Names of subject, data set and metric: what the paper's numbers are found by."""
        return self.subject, self.data, self.metric.name

    @property
    def checkpoint(self) -> Factors | None:
        """The place of a model that is named as one of several checkpoints of a training; None of any other."""
        return checkpoint(self.model, self.factors)

    @cached_property
    def keeps_alone(self) -> bool:
        """Whether the heads that a training keeps were scored, and nothing else but all heads."""
        return bool(self.kept) and self.masks <= {self.layout.full_key, *(curve.masks[-1] for curve in self.kept)}

    @property
    def weighted(self) -> bool:
        """Whether examples count by weights."""
        return WEIGHT in self.rows.columns

    @property
    def has_flips(self) -> bool:
        """Whether an effect is a number of examples that flip: of a share, where all examples count alike."""
        return self.metric.is_share and not self.weighted

    @property
    def identity(self) -> dict[str, str]:
        """The cells of `IDENTITY`."""
        return dict(zip(IDENTITY, (self.subject, self.subject_id, self.data, self.setting_id), strict=True))

    def sample(self, groups: str = AUTO) -> Sample:
        """The outcomes as sums over groups of examples, made once for each way to group them.

        The base mask comes first, then the masks that heads, layers, groups, MLPs and curves are read off.

        Args:
            groups: `auto` (the premise or document, single examples where no column says which), `example`, or any
                column of the examples, such as `genre`.

        Raises:
            InputError: when the examples have no such column, or a mask lacks outcomes.
        """
        column = self.group_column(groups)
        if column not in self._samples:
            self._samples[column] = self._grouped(self._each, self.examples, column)
        return self._samples[column]

    def sample_on(self, examples: pl.DataFrame, groups: str = AUTO) -> Sample:
        """The outcomes of some of the examples, in their order, as sums over groups; as `sample` but not kept.

        Raises:
            InputError: when the examples have no such column, or a mask lacks outcomes.
        """
        at = np.flatnonzero(self.examples["example"].is_in(examples["example"].implode()).to_numpy())
        return self._grouped(self._each.part(at), examples, self.group_column(groups))

    def sample_of(self, masks: Iterable[str], groups: str = AUTO) -> Sample:
        """The outcomes of any complete masks as sums over groups of examples, as `sample`; the base mask comes first.

        Raises:
            InputError: when the examples have no such column, or a mask lacks outcomes.
        """
        wanted, column = tuple(dict.fromkeys((self.layout.full_key, *masks))), self.group_column(groups)
        if self.is_summed and not self.masks.issuperset(wanted):
            return self._summed(wanted, column)
        return self._grouped(self._sample(wanted), self.examples, column)

    def group_column(self, groups: str) -> str:
        """The column that groups the examples as in `sample`; draws of one example are never told apart.

        Raises:
            InputError: when the examples have no such column.
        """
        column = group_column(self.examples.columns, groups, self.data)
        if DRAWN not in self.examples.columns:
            return column
        alone = column == EXAMPLE or self.examples[column].cast(pl.String).equals(self.examples[DRAWN])
        return DRAWN if alone else column

    @property
    def _usual_masks(self) -> list[str]:
        """The masks that heads, layers, groups, MLPs and curves are read off, those that are complete."""
        curves = (mask for curve in (*self.curves, *self.kept) for mask in curve.masks)
        return [mask for mask in chain(usual_masks(self.layout), curves) if mask in self.masks]

    @cached_property
    def _each(self) -> Sample:
        """The outcomes of `_usual_masks` on single examples, which all groups are made of."""
        return self._sample(self._usual_masks)

    def _grouped(self, each: Sample, examples: pl.DataFrame, column: str) -> Sample:
        """The sample of some examples, from that of each of them by itself."""
        groups = self._groups(examples, column)
        merged = each.merged(groups.numbers, tuple(map(str, groups.names)))
        return replace(merged, unit=self._unit(column), draws=self.replacement.draws)

    def _groups(self, examples: pl.DataFrame, column: str) -> Groups:
        """The groups of examples; every one has one."""
        if examples[column].null_count():
            raise InputError(f"{self.data}: some examples have no '{column}', by which they are grouped")
        return Groups.of(examples, column)

    def _unit(self, column: str) -> str:
        """What the groups of a column are, in the singular."""
        return self._group_unit if column == GROUP_COLUMN else EXAMPLE if column == DRAWN else column

    def _summed(self, masks: tuple[str, ...], column: str) -> Sample:
        """The sample of masks whose outcomes are summed while part after part is read."""
        groups, every = self._groups(self.examples, column), read_examples(self.folder)["example"]
        within = self.setting.tolerance
        sums = RunningSums(self.folder, self.metric, self.examples, self.layout, every, groups.numbers, within)
        sums.update()
        at = np.array([sums.number.get(mask, -1) for mask in masks], dtype=np.int64)
        counts = np.append(sums.counts(), 0)[at]
        self._require_all(masks, counts.tolist())
        sums.require(masks)
        names, draws = tuple(map(str, groups.names)), self.replacement.draws
        return Sample(masks, self.metric, sums.sums[at], groups.sizes, names, self._unit(column), draws)

    def _sample(self, wanted: Iterable[str]) -> Sample:
        """The outcomes of some masks, in this order, each example by itself."""
        masks = tuple(dict.fromkeys(wanted))
        ids = self.examples["example"]
        sizes, names = np.ones(ids.len(), dtype=np.int64), tuple(map(str, ids))
        rows = self._rows(masks)
        if self.metric.is_additive:
            return Sample(masks, self.metric, narrowed(rows.astype(np.int64)), sizes, names)
        return RowSample(masks, self.metric, rows, sizes, names, group=np.arange(ids.len()))

    @property
    def _group_unit(self) -> str:
        """What the column `group` holds, in the singular: the noun of a column that says the same, or of the task."""
        if self.metric.task in (Task.TRANSLATION, Task.TEXT):
            usual = "document"
        else:
            usual = "premise" if self.is_inference else GROUP_COLUMN
        known = (name for name in NOUNS if name in self.examples.columns and name not in (EXAMPLE, GROUP_COLUMN))
        groups = self.examples[GROUP_COLUMN].cast(pl.String)
        return next((name for name in known if self.examples[name].cast(pl.String).equals(groups)), usual)

    @property
    def is_inference(self) -> bool:
        """Whether its texts are a premise and a hypothesis: pairs that are, or are not, an entailment."""
        pairs = self.metric.task is Task.CLASSIFICATION and "text_2" in self.examples.columns
        return pairs and (not self.labels or any("entail" in label.casefold() for label in self.labels))

    def _rows(self, masks: tuple[str, ...]) -> Int[np.ndarray, "masks examples statistics"]:
        """The metric's statistics of these masks on every example, in the order of both."""
        rows, ids = self._complete(masks), self.examples["example"]
        at = [
            rows[name].replace_strict(values, np.arange(len(values))).to_numpy()
            for name, values in (("mask", masks), ("example", ids))
        ]
        values = rows.select(self.metric.statistics).to_numpy()
        found = np.zeros((len(masks), ids.len(), values.shape[1]), dtype=values.dtype)
        found[tuple(at)] = values
        return found

    def _complete(self, masks: tuple[str, ...]) -> pl.DataFrame:
        """The metric's statistics of these masks, as they count: columns mask, example and the statistics.

        Raises:
            InputError: when a mask lacks examples.
        """
        statistics = list(self.metric.statistics)
        rows = self.rows.filter(pl.col("mask").is_in(masks))
        rows = rows.select("mask", "example", selectors.by_name(*statistics, WEIGHT, require_all=False))
        rows = rows.with_columns(selectors.float().fill_nan(None))
        rows = rows.select("mask", "example", *counted(rows, self.metric))
        counts = dict(rows.drop_nulls(statistics).group_by("mask").len().iter_rows())
        self._require_all(masks, [counts.get(mask, 0) for mask in masks])
        return rows

    def _require_all(self, masks: Sequence[str], counts: Sequence[int]) -> None:
        """Refuse masks of which the first that lacks examples is named, by how many each has."""
        for mask, count in zip(masks, counts, strict=True):
            if count != self.examples.height:
                had = counted_of(count, self.examples.height, self.replacement.draws)
                raise InputError(
                    f"{self.data}: mask {mask} has outcomes of {had}; every mask is compared on the same ones"
                )


def usual_masks(layout: HeadLayout) -> list[str]:
    """Keys of the masks that mean the same in every folder: the full one, one unit off, one head left in its layer."""
    larger = (layout.units(level) for level in (UnitLevel.group, UnitLevel.mlp))
    heads = chain([layout.full()], layout.each_off(), layout.each_alone(), layout.each_layer_off())
    return list(map(layout.key, chain(heads, *map(layout.each_off, larger))))


def scoring_signature(metric_signature: str, examples: pl.DataFrame) -> str:
    """A metric's signature as it scores these examples: it says where they have weights."""
    return metric_signature + ("|weighted" if WEIGHT in examples.columns else "")
