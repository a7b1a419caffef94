"""The observer of divergences: how far the patterns of each two heads of a kind are apart.

Jensen-Shannon divergence of two rows p and q, in nats: H(m) - (H(p) + H(q)) / 2 with m = (p + q) / 2, summed over the
queries that count, without smoothing. A share that goes to a learned sink counts as one more key.

Two heads of different layers are compared, so the patterns of a whole pass are kept until it ends: passes are small,
and what no query may look at is left out.

Shapes: K heads of a kind, N weights of one example, one query's keys after another's.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern, PatternError
from study.observing.statistics import LEAST, Looks, View
from study.record.tables import head_pairs
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import wide

AT_ONCE = 2**21
"""Numbers of a mixture of two patterns, times pairs."""

MOST_WEIGHTS = 2**30
"""Weights that are kept at most: those of one long text."""


class Divergences(Observer):
    """Adds up the divergence of each two heads of a kind."""

    def __init__(self, num_rows: int, layout: HeadLayout, view: View) -> None:
        """See `Observer`; the view says which tokens count."""
        super().__init__(num_rows, layout)
        self._view = view
        first, second = (torch.from_numpy(heads) for heads in head_pairs(len(layout)))
        kinds = torch.tensor([list(AttentionKind).index(head.kind) for head in layout.heads])
        self._sums = torch.zeros(num_rows, len(first), dtype=torch.float64)
        self._sums[:, kinds[first] != kinds[second]] = torch.nan
        self._pairs = torch.zeros(len(layout), len(layout), dtype=torch.long)
        self._pairs[first, second] = torch.arange(len(first))
        self._queries = torch.zeros(num_rows, len(layout), dtype=torch.long)
        self._kept: dict[AttentionKind, dict[int, list[Float[Tensor, "R H n"]]]] = {}

    def fits(self, passages: int, queries: int, keys: int) -> bool:
        """Whether the patterns of so many passages can be kept.

        Raises:
            PatternError: when those of one cannot.
        """
        weights = len(self.layout) * queries * keys
        if weights > MOST_WEIGHTS:
            raise PatternError(
                f"divergences between {len(self.layout)} heads of a text of {keys} tokens hold "
                f"{4e-9 * weights:.2g} GB of weights at once: choose shorter texts, or measure.divergence=false"
            )
        return passages * weights <= MOST_WEIGHTS // 16

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Keep the rows that count, without what lies behind a query that looks back only."""
        site, looks = pattern.site, Looks(pattern, now.batch(pattern.site.kind), self._view)
        weights = looks.weights.masked_fill(~looks.counted[..., None], 0)
        query, key = looks.positions
        seen = key <= query[:, None] if site.kind is AttentionKind.DECODER_SELF else (key >= 0).expand(len(query), -1)
        parts = [weights[:, :, seen], *([] if looks.sink is None else [looks.sink * looks.counted])]
        self._kept.setdefault(site.kind, {}).setdefault(self.place(site).start, []).append(torch.cat(parts, dim=-1))
        counts = looks.counted.sum(2).cpu()
        self._queries[:, self.place(site)].index_add_(0, now.owners.cpu(), counts)

    def finish(self, now: Pass) -> None:
        """Compare the heads of a pass."""
        for layers in self._kept.values():
            columns = torch.tensor([start + i for start in layers for i in range(layers[start][0].shape[1])])
            every = [torch.cat(chunks, dim=-1) for chunks in layers.values()]
            if len({chunks.shape[-1] for chunks in every}) > 1:
                raise PatternError("some layers share their weights with others and some do not: no two patterns match")
            for owner, patterns_KN in zip(now.owners.tolist(), torch.cat(every, dim=1), strict=True):
                for head, divergences in enumerate(pair_divergences(patterns_KN)):
                    pairs = self._ordered(columns[head], columns[head + 1 :])
                    self._sums[owner, pairs] += divergences.cpu()
        self._kept.clear()

    def _ordered(self, head: Tensor, others: Tensor) -> Tensor:
        """Positions of pairs of heads, the one that comes first in the layout first."""
        return self._pairs[torch.minimum(head, others), torch.maximum(head, others)]

    def columns(self) -> dict[str, Tensor]:
        """Sums of every pair, in the order of `head_pairs`, and queries of every head."""
        return {"queries": self._queries, "divergence": self._sums}


def pair_divergences(patterns: Float[Tensor, "K N"]) -> Iterator[Float[Tensor, " others"]]:
    """For each of K patterns but the last, its divergence from each that comes after it, summed over rows."""
    entropies = torch.cat([_entropy(part) for part in patterns.split(max(1, AT_ONCE // patterns.shape[1]))])
    for i in range(len(patterns) - 1):
        others = patterns[i + 1 :].split(max(1, AT_ONCE // patterns.shape[1]))
        mixed = torch.cat([_entropy((part + patterns[i]) / 2) for part in others])
        yield (mixed - (entropies[i] + entropies[i + 1 :]) / 2).clamp(min=0)


def _entropy(weights: Float[Tensor, "n N"]) -> Float[Tensor, " n"]:
    """-sum a ln a over all numbers of a pattern, nats."""
    return -torch.add(weights, LEAST).log_().mul_(weights).sum(-1, dtype=wide(weights.device))
