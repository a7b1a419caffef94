"""Statistics of a pattern: additive sums over its queries, with the counts that they are divided by.

What each means, its unit and its source: `study.record.tables.statistics`.

Shapes: R rows, H heads, T tokens that look (queries), Q those of a chunk, S tokens that are looked at (keys).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from study.observing.batch import Batch
from study.observing.patterns import Pattern
from study.subjects.subject import wide

OFFSETS = range(-5, 6)
"""Offsets of the largest weight, key less query, that are counted one by one."""

LEAST = 1e-38
"""What is added to a weight before its logarithm is taken, so that 0 log 0 is 0."""

NO_TOKEN = -2
"""The number of no token, and of no padding."""

Sums = dict[str, Shaped[Tensor, "R H *more"]]


def at_offset(values: Tensor, queries: slice, offset: int) -> Tensor:
    """What stands at the key `offset` places behind each query: [..., Q, S] becomes [..., Q], 0 where there is none."""
    rows = torch.arange(values.shape[-2], device=values.device)
    keys = rows + queries.start + offset
    there = (keys >= 0) & (keys < values.shape[-1])
    return values[..., rows, keys.clamp(0, values.shape[-1] - 1)] * there


@dataclass(frozen=True)
class View:
    """Which tokens of a pattern count.

    Attributes:
        keys: whether weights to special tokens count; where they do not, they are dropped and each row scaled to sum 1.
        queries: whether special tokens count as queries.
    """

    keys: bool = True
    queries: bool = True


@dataclass(frozen=True)
class Looks:
    """A pattern as a view shows it.

    Attributes:
        pattern: the weights as the model uses them.
        batch: its tokens.
        view: which of them count.
    """

    pattern: Pattern
    batch: Batch
    view: View

    @cached_property
    def _given(self) -> tuple[Float[Tensor, "R H Q S"], Float[Tensor, "R H Q"]]:
        """Weights, and their sums before they were scaled."""
        weights = self.pattern.weights.float()
        if self.view.keys:
            return weights, weights.sum(-1)
        weights = weights * self._key_counts[:, None, None]
        total = weights.sum(-1)
        return weights / total.clamp(min=LEAST)[..., None], total

    @property
    def weights(self) -> Float[Tensor, "R H Q S"]:
        """The weights; a row of which nothing is left has none."""
        return self._given[0]

    @cached_property
    def sink(self) -> Float[Tensor, "R H Q"] | None:
        """The share of each row that goes to no token; None where there is no such share, or it is left out."""
        return (1 - self._given[1]).clamp(min=0) if self.pattern.has_sink and self.view.keys else None

    @cached_property
    def counted(self) -> Bool[Tensor, "R H Q"]:
        """Which queries count."""
        queries = self.pattern.queries
        counted = self.batch.counted[:, queries]
        if not self.view.queries:
            counted = counted & ~self.batch.special_queries[:, queries]
        return counted[:, None] & (self._given[1] > 0)

    @cached_property
    def _key_counts(self) -> Bool[Tensor, "R S"]:
        return ~self.batch.special_keys

    @cached_property
    def visible(self) -> Bool[Tensor, "R Q S"]:
        """Which keys each query may look at, as far as they count."""
        visible = self.pattern.visible
        return visible.expand(len(self.weights), -1, -1) if self.view.keys else visible & self._key_counts[:, None]

    @cached_property
    def largest(self) -> tuple[Float[Tensor, "R H Q"], Int[Tensor, "R H Q"]]:
        """The largest weight of each query, and at which key it is."""
        found = self.weights.max(-1)
        return found.values, found.indices

    @cached_property
    def positions(self) -> tuple[Int[Tensor, " Q"], Int[Tensor, " S"]]:
        """Positions of queries and keys."""
        device, queries = self.weights.device, self.pattern.queries
        return torch.arange(queries.start, queries.stop, device=device), torch.arange(
            self.weights.shape[-1], device=device
        )

    def total(self, values: Tensor) -> Float[Tensor, "R H *more"]:
        """Values [R, H or 1, Q, ...] summed over the queries that count."""
        counted = self.counted.view(*self.counted.shape, *[1] * (values.dim() - 3))
        return values.masked_fill(~counted, 0).sum(2, dtype=wide(values.device))


def pattern_sums(looks: Looks, norm: Float[Tensor, "R H S"]) -> Sums:
    """All statistics of a pattern but those that say which token it is.

    Args:
        looks: the pattern.
        norm: length of what each head adds for each key that it looks at with weight 1.
    """
    return dict(_weight_sums(looks, norm)) | dict(_spread_sums(looks)) | dict(_place_sums(looks))


def _weight_sums(looks: Looks, norm: Float[Tensor, "R H S"]) -> Iterator[tuple[str, Tensor]]:
    """Weight on kinds of keys, one product with a column for each kind."""
    batch = looks.batch
    first = torch.zeros_like(batch.beginning)
    first[:, 0] = True
    shared = {
        "first": first,
        "beginning": batch.beginning,
        "separator": batch.separator,
        "punctuation": batch.punctuation,
    }
    own = {
        "weighted_norm": norm,
        "weighted_norm_beginning": norm * batch.beginning[:, None],
        "weighted_norm_separator": norm * batch.separator[:, None],
    }
    columns = [column[:, None].expand_as(norm).to(norm) for column in shared.values()] + list(own.values())
    sums = looks.total(looks.weights @ torch.stack(columns, dim=-1))
    yield from zip((*shared, *own), sums.unbind(-1), strict=True)


def _spread_sums(looks: Looks) -> Iterator[tuple[str, Tensor]]:
    """How far the weight is spread."""
    yield "largest", looks.total(looks.largest[0])
    entropy, keys = row_entropy(looks.weights), looks.visible.sum(-1)[:, None]
    if looks.sink is not None:
        entropy, keys = entropy + row_entropy(looks.sink[..., None]), keys + 1
        yield "sink", looks.total(looks.sink)
    else:
        yield "sink", torch.zeros_like(looks.total(entropy))
    yield "entropy", looks.total(entropy)
    yield "uniform_entropy", looks.total(keys.clamp(min=1).to(wide(keys.device)).log().expand_as(entropy))


def row_entropy(weights: Float[Tensor, "*rows S"]) -> Float[Tensor, "*rows"]:
    """-sum a ln a of each row, nats."""
    return -torch.add(weights, LEAST).log_().mul_(weights).sum(-1)


def _place_sums(looks: Looks) -> Iterator[tuple[str, Tensor]]:
    """Where the weight is, seen from the query."""
    queries, counted = looks.pattern.queries, looks.counted
    yield "queries", counted.sum(2)
    for name, offset in {"previous": -1, "self": 0, "next": 1}.items():
        yield name, looks.total(at_offset(looks.weights, queries, offset))
        if offset:
            there = at_offset(looks.visible, queries, offset)
            yield f"with_{name}", (there[:, None] & counted).sum(2)
    query, key = looks.positions
    distance = (query[:, None] - key).abs().to(looks.weights)
    yield "distance", looks.total(torch.einsum("rhqs,qs->rhq", looks.weights, distance))
    offsets = looks.largest[1] - query
    known = torch.tensor(OFFSETS, device=offsets.device)
    yield "offsets", ((offsets[..., None] == known) & counted[..., None]).sum(2)


def repetition_sums(looks: Looks) -> Sums:
    """Statistics of a language model that hang on which token comes again, see `study.record.tables.statistics`."""
    batch, (query, key) = looks.batch, looks.positions
    ids = batch.ids
    own, following = ids[:, looks.pattern.queries], _moved(ids, -1)[:, looks.pattern.queries]
    earlier = (key < query[:, None]) & looks.visible
    same = {
        "duplicate": (own[..., None] == ids[:, None]) & earlier,
        "induction": (own[..., None] == _moved(ids, 1)[:, None]) & earlier,
        "copy": (following[..., None] == ids[:, None]) & (key <= query[:, None]) & looks.visible,
    }
    weight = torch.einsum("rhqs,rqsn->rhqn", looks.weights, torch.stack(list(same.values()), -1).to(looks.weights))
    sums = dict(zip(same, looks.total(weight).unbind(-1), strict=True))
    counts = {f"{name}_queries": (which.any(-1)[:, None] & looks.counted).sum(2) for name, which in same.items()}
    return {**sums, **counts, **_retrieval(looks, following)}


def _retrieval(looks: Looks, following: Int[Tensor, "R Q"]) -> Sums:
    """How often the largest weight is on the very token of the context that is answered next (Wu et al., 2024)."""
    batch, (query, key) = looks.batch, looks.positions
    answers = (query + 1 >= batch.answer[:, None]) & (following >= 0)
    in_context = (following[..., None] == batch.ids[:, None]) & (key < batch.answer[:, None, None]) & looks.visible
    asked = (answers & in_context.any(-1))[:, None] & looks.counted
    hit = in_context[:, None].expand(-1, looks.weights.shape[1], -1, -1).gather(-1, looks.largest[1][..., None])[..., 0]
    return {"retrieval": (hit & asked).sum(2), "retrieval_queries": asked.sum(2)}


def _moved(ids: Int[Tensor, "R T"], places: int) -> Int[Tensor, "R T"]:
    """Tokens moved to the right (to the left where `places` is below 0), with no token where none comes in."""
    moved = torch.full_like(ids, NO_TOKEN)
    if places > 0:
        moved[:, places:] = ids[:, :-places]
    else:
        moved[:, :places] = ids[:, -places:]
    return moved
