"""The proof that the numbers masked for a head are that head's, all of them and no other's.

There are two ways. Where a model hands its attention to an attention function of transformers, the contexts of all
heads are seen there: another context of one head must reach the projection in this head's columns alone, and with a
group's values at zero exactly the contexts of the query heads that share them are zero. Elsewhere what makes the
queries is changed, number by number of each head (or what makes queries, keys and values in one): a query must move
this head's columns alone, a key or a value those of the heads that share it.

Either way, all rows of a batch are one example, and each has another change, so that one pass tries every head: behind
a layer's projection all rows are again as the first, in which nothing was changed.

Shapes: R rows, T tokens, S tokens that are looked at, H heads, G groups, D size of a head, W = H x D width of a
projection's input.
"""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.sites import AttentionSite, input_first
from study.subjects.subject import Subject, TokenRow
from study.terminal.once import say_once

log = logging.getLogger(__name__)

ROUNDING = 1e-4
"""Largest change of a column, as a share of the change of the column that moves most, that rounding may explain."""


class Proof(StrEnum):
    """How the cut of a layer into heads was proved."""

    FUNCTION = "attention function"
    QUERIES = "queries"
    QKV = "queries, keys and values"
    NONE = "not proved"


@dataclass(frozen=True)
class Cut:
    """What came out for a model's layers.

    Attributes:
        proofs: how each layer was tried, by the name of its site.
        faults: what is wrong, in words: layers whose columns are not those of their heads one by one, and attention
            that has no layer.
    """

    proofs: dict[str, Proof]
    faults: list[str]


def try_cut(subject: Subject, row: TokenRow) -> Cut:
    """Try every layer of a subject; the log warns of layers on which neither way says anything."""
    sites = [site for site in subject.gate.sites if site.num_heads]
    function = FunctionTrial(sites)
    function.run(subject, row, 1 + max((site.num_heads for site in sites), default=0))
    unseen = [site for site in sites if site.name not in function.seen]
    trials: list[Trial] = [function]
    for site in unseen:
        if site.query:
            trials.append(ProjectionTrial([site]))
            trials[-1].run(subject, row, 1 + _num_parts(site))
    seen = {name: proof for trial in trials for name, proof in trial.seen.items()}
    unknown = [site.name for site in unseen if site.name not in seen]
    faults = list(
        dict.fromkeys(fault for trial in trials for fault in trial.faults)
    )  # shared weights are tried in each
    if unknown and function.seen:
        faults.append(f"{', '.join(unknown)}: no attention by heads, as that of the other layers is")
    elif unknown:
        words = "the cut into heads is not proved where the queries have no known name: %s"
        say_once(log.warning, words, ", ".join(unknown))
    return Cut({site.name: seen.get(site.name, Proof.NONE) for site in sites}, faults)


@dataclass
class Trial(ABC):
    """A pass of a model on copies of one example, in each of which something of one head of every layer is changed.

    Attributes:
        sites: the layers.
        seen: how those were tried that were, by name.
        faults: what is wrong, in words.
        num_rows: R, rows of the pass.
    """

    sites: Sequence[AttentionSite]
    seen: dict[str, Proof] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    num_rows: int = 0

    def run(self, subject: Subject, row: TokenRow, num_rows: int) -> None:
        """Run a subject on so many copies, or on one more, so that no text has as many tokens."""
        self.num_rows = num_rows + (num_rows == len(row.source))
        with ExitStack() as stack:
            for site in self.sites:
                stack.enter_context(site.projection.register_forward_pre_hook(self._reader(site)))
                stack.enter_context(site.projection.register_forward_hook(_first_row_again(site)))
            stack.enter_context(self.changes())
            subject.response([row] * self.num_rows, None)

    def _reader(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: self.read(site, inputs[0].movedim(site.batch_dim, 0))

    @abstractmethod
    def changes(self) -> Any:
        """A context within which every row but the first is changed."""

    @abstractmethod
    def read(self, site: AttentionSite, contexts: Float[Tensor, "R T W"]) -> None:
        """Judge what reaches a projection."""


@dataclass
class FunctionTrial(Trial):
    """Changes at the attention function: row h + 1 gets another context for head h."""

    _unread: list[tuple[str, AttentionCall, list[str]]] = field(default_factory=list)

    @contextmanager
    def changes(self) -> Iterator[None]:
        """See `Trial`; contexts that no projection has read at the end are a fault."""
        with attention_calls(self._answer):
            yield
        self._miss(self._unread)

    def _answer(self, call: AttentionCall) -> Answer:
        """What an attention function hands on, given what it computes."""
        contexts, weights = call.attend()
        self._unread.append((type(call.module).__name__, call, _wrongly_shared(call, contexts[:1])))
        changed = contexts[:1].repeat(len(contexts), 1, 1, 1)
        for index in range(min(call.num_heads, len(contexts) - 1)):
            changed[index + 1, :, index] += 1.0 + contexts[0].abs().max()
        return changed, weights

    def read(self, site: AttentionSite, contexts: Float[Tensor, "R T W"]) -> None:
        """See `Trial`; numbers that a gate holds back may stay as they are, none of another head may move."""
        if not self._unread:
            return
        *missed, (_name, call, faults) = self._unread
        self._miss(missed)
        self._unread = []
        self.seen[site.name] = Proof.FUNCTION
        self.faults += [f"{site}: {fault}" for fault in faults]
        if call.num_heads != site.num_heads:
            self.faults.append(f"{site}: the model computes {call.num_heads} heads there, not {site.num_heads}")
            return
        if site.num_groups not in (0, call.num_groups):
            self.faults.append(f"{site}: the model has {call.num_groups} key/value groups there, not {site.num_groups}")
        for index in range(site.num_heads):
            moved = _moved(contexts, index + 1)
            if not set(moved) <= set(_columns(site, index)):
                self.faults.append(_fault(site, index, moved))
                return

    def _miss(self, attentions: Sequence[tuple[str, AttentionCall, list[str]]]) -> None:
        self.faults += [
            f"{name} computes {call.num_heads} heads that no output projection of a known name reads"
            for name, call, _ in attentions
        ]


def _wrongly_shared(call: AttentionCall, contexts: Float[Tensor, "1 T H D"]) -> list[str]:
    """What is wrong where query heads share values: group g is zero in row g + 1, and with it exactly its heads."""
    num_groups, num_heads = call.num_groups, call.num_heads
    if num_groups == num_heads:
        return []
    if num_heads % num_groups:
        return [f"{num_heads} heads cannot share {num_groups} key/value groups evenly"]
    value = call.value[:1].repeat(len(call.value), 1, 1, 1)
    for group in range(num_groups):
        value[group + 1, group] = 0.0
    found = call.attend(value)[0][1 : num_groups + 1]
    expected = contexts.repeat(num_groups, 1, 1, 1)
    for head in range(num_heads):
        expected[head * num_groups // num_heads, :, head] = 0.0
    zero = (expected == 0.0) & (found != 0.0)
    if zero.any() or (found - expected).abs().max() > ROUNDING * contexts.abs().max():
        return [f"with the values of a key/value group at zero not just its {num_heads // num_groups} heads are zero"]
    return []


class ProjectionTrial(Trial):
    """Changes of what makes the queries: row i + 1 gets other numbers in the first place of part i.

    A part is as wide as a head: the parts are the queries of each head, or also the keys and the values of each group,
    in any order.
    """

    @contextmanager
    def changes(self) -> Iterator[None]:
        """See `Trial`."""
        with ExitStack() as stack:
            for site in self.sites:
                assert site.query is not None
                stack.enter_context(site.query.register_forward_hook(self._changed(site)))
            yield

    def _changed(self, site: AttentionSite) -> Callable[[nn.Module, Any, Any], Any]:
        def change(_: nn.Module, __: Any, output: Any) -> Any:
            if not isinstance(output, Tensor) or self.num_rows not in output.shape:
                return output
            same = output.shape[site.batch_dim] == self.num_rows
            batch_dim = site.batch_dim if same else output.shape.index(self.num_rows)
            self.seen[site.name] = Proof.QKV if site.is_fused else Proof.QUERIES
            rows = output.clone().movedim(batch_dim, 0)
            parts = rows.unflatten(-1, (_num_parts(site), -1))
            noise = torch.linspace(-1.0, 1.0, rows[0, ..., 0].numel()).view(rows[0, ..., 0].shape).to(output)
            for index in range(parts.shape[-2]):
                parts[index + 1, ..., index, 0] += noise * (1.0 + 4.0 * output.abs().max())
            return rows.movedim(0, batch_dim)

        return change

    def read(self, site: AttentionSite, contexts: Float[Tensor, "R T W"]) -> None:
        """See `Trial`; a part that moves nothing says nothing."""
        if site.name not in self.seen:
            return
        found = [_moved(contexts, index + 1) for index in range(_num_parts(site))]
        self.faults += (_wrong_qkv if site.is_fused else _wrong_queries)(site, found)[:1]


def _wrong_queries(site: AttentionSite, found: Sequence[list[int]]) -> list[str]:
    """What is wrong, given the columns that the queries of each head move."""
    return [_fault(site, i, moved) for i, moved in enumerate(found) if moved and _heads(site, moved) != (i,)]


def _wrong_qkv(site: AttentionSite, found: Sequence[list[int]]) -> list[str]:
    """What is wrong, given the columns that each part of queries, keys and values moves."""
    num_groups = site.num_groups or site.num_heads
    if len(found) != site.num_heads + 2 * num_groups:
        own = f"{site.num_heads} heads in {num_groups} groups"
        return [f"{site}: {len(found)} queries, keys and values are not those of {own}"]
    size = site.num_heads // num_groups
    expected = Counter((head,) for head in range(site.num_heads))
    expected += Counter(2 * [tuple(range(group * size, (group + 1) * size)) for group in range(num_groups)])
    moved_by = [(index, moved, _heads(site, moved)) for index, moved in enumerate(found) if moved]
    too_often = Counter(heads for _, _, heads in moved_by) - expected
    return [
        f"{site}: part {index} of its queries, keys and values moves columns {moved[0]} to {moved[-1]}: not "
        f"{site.num_heads} heads in {num_groups} groups in this order"
        for index, moved, heads in moved_by
        if heads in too_often
    ]


def _heads(site: AttentionSite, moved: Sequence[int]) -> tuple[int, ...]:
    """The heads that these columns are, more than half of each or the first of each; none where they are no heads."""
    columns = Counter(column // site.head_size for column in moved)
    firsts = {head * site.head_size for head in columns}
    whole = all(number > site.head_size / 2 for number in columns.values())
    return tuple(columns) if whole or set(moved) == firsts else ()


def _num_parts(site: AttentionSite) -> int:
    """How many parts of one head's width are made: the queries of each head, or keys and values as well."""
    assert site.query is not None
    return input_first(site.query).shape[1] // site.head_size if site.is_fused else site.num_heads


def _moved(contexts: Float[Tensor, "R T W"], row: int) -> list[int]:
    """The columns of a row that are not those of the first."""
    change = (contexts[row] - contexts[0]).abs().flatten(0, -2).amax(dim=0)
    return (change > ROUNDING * change.max()).nonzero().flatten().tolist()


def _first_row_again(site: AttentionSite) -> Callable[[nn.Module, Any, Any], Any]:
    def first_row(_: nn.Module, __: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):  # a quantised projection gives its scale as well
            return output
        return output.narrow(site.batch_dim, 0, 1).expand_as(output).contiguous()

    return first_row


def _columns(site: AttentionSite, index: int) -> range:
    return range(index * site.head_size, (index + 1) * site.head_size)


def _fault(site: AttentionSite, index: int, moved: Sequence[int]) -> str:
    own = _columns(site, index)
    return (
        f"{site}: head {index} is not columns {own[0]} to {own[-1]}, it moves columns {moved[0]} to "
        f"{moved[-1]}: not {site.num_heads} heads in this order"
    )


@contextmanager
def unchanged(views: Sequence[Tensor]) -> Iterator[None]:
    """Views of weights have their numbers again after the block."""
    kept = [view.clone() for view in views]
    try:
        yield
    finally:
        for view, weights in zip(views, kept, strict=True):
            view.copy_(weights)
