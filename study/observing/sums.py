"""The observer of the statistics of patterns: their sums over tokens, passes and layers that share weights."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.norms import ProjectedNorm
from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern
from study.observing.statistics import Looks, View, pattern_sums, repetition_sums
from study.record.units import HeadLayout
from study.subjects.subject import wide


class StatisticSums(Observer):
    """Adds up all statistics of every head."""

    def __init__(
        self, num_rows: int, layout: HeadLayout, view: View, *, repetitions: bool, changed: frozenset[str]
    ) -> None:
        """Take what to count.

        Args:
            num_rows: number of examples.
            layout: the heads.
            view: which tokens count.
            repetitions: whether the statistics of language models are wanted.
            changed: names of sites whose contexts the model changes before they are masked.
        """
        super().__init__(num_rows, layout)
        self._view, self._repetitions, self._changed = view, repetitions, changed
        self._totals: dict[str, Tensor] = {}
        self._norms: dict[str, ProjectedNorm] = {}
        self._counted: list[Bool[Tensor, "R H Q"]] = []
        self._norm: tuple[Tensor, Float[Tensor, "R H S"]] | None = None

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Add the sums of a pattern."""
        looks = Looks(pattern, now.batch(pattern.site.kind), self._view)
        sums = pattern_sums(looks, self._value_norm(pattern))
        if self._repetitions:
            sums |= repetition_sums(looks)
        self._counted.append(looks.counted)
        self._add(pattern.site, sums, now)

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"], now: Pass) -> None:
        """Add the norms of what the heads give."""
        norm = self._projected(site)(heads.transpose(1, 2))
        counted = torch.cat(self._counted, dim=2)
        self._add(site, {"output_norm": norm.masked_fill(~counted, 0).sum(2, dtype=wide(norm.device))}, now)
        self._counted.clear()
        self._norm = None

    def _value_norm(self, pattern: Pattern) -> Float[Tensor, "R H S"]:
        """The norm of what each head adds for each key; the same for all chunks of an attention."""
        if self._norm is None or self._norm[0] is not pattern.value:
            norm = self._projected(pattern.site)(pattern.head_value)
            if pattern.site.name in self._changed:
                norm = torch.full_like(norm, torch.nan)
            self._norm = pattern.value, norm
        return self._norm[1]

    def _projected(self, site: AttentionSite) -> ProjectedNorm:
        if site.name not in self._norms:
            self._norms[site.name] = ProjectedNorm(site)
        return self._norms[site.name]

    def _add(self, site: AttentionSite, sums: Mapping[str, Shaped[Tensor, "R H *more"]], now: Pass) -> None:
        for name, values in sums.items():
            if name not in self._totals:
                shape = (self.num_rows, len(self.layout), *values.shape[2:])
                self._totals[name] = torch.zeros(shape, dtype=values.dtype, device=values.device)
            self._totals[name][:, self.place(site)].index_add_(0, now.owners, values)

    def columns(self) -> dict[str, Shaped[Tensor, "rows H *more"]]:
        """Every statistic, by name."""
        return self._totals
