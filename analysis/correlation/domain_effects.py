"""The effect of removing each unit of one level on one domain, with the outcomes behind them."""

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.replacements import DRAWN
from analysis.results.domain import AUTO, Domain
from analysis.results.sample import EXAMPLE, Sample
from study.record.errors import InputError
from study.record.examples import text_columns
from study.record.metrics import Task
from study.record.units import Unit, UnitLevel, level_of

DOMAIN = ("subject", "subject_id", "metric", "domain", "setting_id")
"""Columns that say in every table of single domains which one a row is about."""


@dataclass(frozen=True, eq=False)
class DomainEffects:
    """The effect of removing each head on one domain, or of each group, layer or MLP.

    Attributes:
        names: subject, subject_id, metric, domain, setting_id; domains are compared where subject_id is the same.
        heads: the units that were measured, of one level: heads, or groups of them, layers or MLPs.
        effects: the score without each, less the score with all.
        sample: the outcomes behind them, base mask first, then each unit off in this order; None of a table made
            elsewhere.
        texts: the text of every example by which two domains are seen to share it: the first one (a premise, a source),
            or all of them where each example is a group of its own, and of choices, whose contexts may be empty.
        group_of: place in the sample of every example's group.
        importance: whether `effects` are importances, of which the largest matter most; of effects the lowest do.
    """

    names: Mapping[str, str]
    heads: tuple[Unit, ...]
    effects: Float[np.ndarray, " heads"]
    sample: Sample | None = None
    texts: tuple[str, ...] = ()
    group_of: Int[np.ndarray, " examples"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    importance: bool = False

    @classmethod
    def of(cls, domain: Domain, groups: str = AUTO, level: UnitLevel = UnitLevel.head) -> "DomainEffects":
        """The effects of single units of a domain that has outcomes, its examples grouped as in `Domain.sample`."""
        heads = domain.single_units(level)
        sample = domain.sample(groups).select(heads.values())
        examples, column = domain.examples, domain.group_column(groups)
        told = text_columns(examples.columns)
        told = told if column in (EXAMPLE, DRAWN) or domain.metric.task is Task.CHOICE else told[:1]
        joined = pl.concat_str(told, separator="\n", ignore_nulls=True)  # some choices are fewer
        texts = examples.select(joined).to_series().to_list() if told else []
        places = {name: at for at, name in enumerate(sample.names)}
        group_of = np.array([places[str(name)] for name in examples[column]], dtype=np.int64)
        names = domain.identity | {"metric": domain.metric.name}
        return cls(names, tuple(heads), sample.effects, sample, tuple(texts), group_of)

    def __post_init__(self) -> None:
        double = sorted(str(head) for head, count in Counter(self.heads).items() if count > 1)
        if double:
            raise InputError(f"{self.domain}: more than one effect of {', '.join(double)}")
        nowhere = [str(head) for head, effect in zip(self.heads, self.effects, strict=True) if not np.isfinite(effect)]
        if nowhere:
            raise InputError(f"{self.domain}: the effect of {', '.join(nowhere)} is not a number")

    @property
    def domain(self) -> str:
        """Name of the data set."""
        return self.names["domain"]

    @property
    def level(self) -> UnitLevel:
        """What its units are; heads where there are none."""
        return level_of(self.heads[0]) if self.heads else UnitLevel.head

    @cached_property
    def without(self) -> Float[np.ndarray, "groups heads"]:
        """The effects on all examples but those of one group, where there are outcomes."""
        assert self.sample is not None
        return self.sample.effects_without_each

    def has_the_examples_of(self, other: "DomainEffects") -> bool:
        """Whether both were measured on the same examples, in the same groups."""
        if self.sample is None or other.sample is None or self.sample.names != other.sample.names:
            return False
        same = np.array_equal(self.sample.sizes, other.sample.sizes) and np.array_equal(self.group_of, other.group_of)
        return same and bool(self.texts) and self.texts == other.texts

    @cached_property
    def examples_key(self) -> str:
        """A name for its examples in their groups: cells of the same examples have the same one."""
        assert self.sample is not None
        content = "\n".join([*self.sample.names, *self.texts, *map(str, self.group_of)])
        return f"{zlib.crc32(content.encode()):08x}"
