"""The proof that the numbers masked for a head are that head's, all of them and no other's.

There are two ways. Where a model computes its attention through transformers' attention interface, the contexts of all
heads are seen there: another context of one head must reach the projection in this head's columns alone. Elsewhere the
queries are changed: a head's attention depends on each row of its query projection, and its context on nothing of other
heads', so the first of these rows must move all of the head's columns, if it moves any, and no others.

Shapes: R rows, T tokens, H heads, D size of a head, W = H x D width of a projection's input.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface

from study.masking.sites import AttentionSite, input_first
from study.subjects.subject import Subject, TokenRow

log = logging.getLogger(__name__)

ROUNDING = 1e-4
"""Largest change of a column, as a share of the change of the column that moves most, that rounding may explain."""


def wrongly_cut(subject: Subject, rows: Sequence[TokenRow]) -> list[str]:
    """The attention layers whose columns are not those of its heads one by one, and attention that has no layer.

    The log warns of layers on which neither way says anything.
    """
    sites = [site for site in subject.gate.sites if site.num_heads]
    interface = Interface(sites)
    interface.listen(subject, rows[0])
    unseen = [site for site in sites if site.name not in interface.seen]
    unknown = [site.name for site in unseen if site.query is None]
    faults = list(dict.fromkeys(interface.faults))  # weights that layers share are tried in each
    faults += [fault for site in unseen if site.query for fault in _by_queries(subject, rows, site)]
    if unknown and interface.seen:
        faults.append(f"{', '.join(unknown)}: no attention by heads, as that of the other layers is")
    elif unknown:
        log.warning("the cut into heads is not proved where the queries have no known name: %s", ", ".join(unknown))
    return faults


@dataclass
class Interface:
    """A pass of a model in which each call of the attention interface is followed to the projection that reads it.

    All rows of the batch are one example. In each attention row 0 keeps its context, and row h + 1 gets another one for
    head h; behind the projection all rows are row 0 again. So one pass tries every head of every layer.

    Attributes:
        sites: the layers.
        seen: names of those that read what the interface computes.
        faults: what is wrong, in words.
    """

    sites: Sequence[AttentionSite]
    seen: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _unread: list[tuple[str, int]] = field(default_factory=list)

    def listen(self, subject: Subject, row: TokenRow) -> None:
        """Run a subject on copies of one example."""
        rows = [row] * (1 + max((site.num_heads for site in self.sites), default=0))
        with ExitStack() as stack:
            for site in self.sites:
                stack.enter_context(site.projection.register_forward_pre_hook(self._reader(site)))
                stack.enter_context(site.projection.register_forward_hook(_first_row_again(site)))
            stack.enter_context(_contexts_through(self._change))
            subject.response(rows, None)
        self._miss(self._unread)

    def _change(self, module: nn.Module, context: Float[Tensor, "R T H D"]) -> Float[Tensor, "R T H D"]:
        """What an attention hands on, given what it computes."""
        num_rows, _, num_heads, _ = context.shape
        self._unread.append((type(module).__name__, num_heads))
        changed = context[:1].repeat(num_rows, 1, 1, 1)
        for index in range(min(num_heads, num_rows - 1)):
            changed[index + 1, :, index] += 1.0 + context[0].abs().max()
        return changed

    def _reader(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if not self._unread:
                return
            *missed, (_name, num_heads) = self._unread
            self._miss(missed)
            self._unread = []
            self.seen.add(site.name)
            if num_heads != site.num_heads:
                self.faults.append(f"{site}: the model computes {num_heads} heads there, not {site.num_heads}")
                return
            self.faults += _by_contexts(site, inputs[0].movedim(site.batch_dim, 0))

        return read

    def _miss(self, attentions: Sequence[tuple[str, int]]) -> None:
        self.faults += [
            f"{name} computes {num_heads} heads that no output projection of a known name reads"
            for name, num_heads in attentions
        ]


@contextmanager
def _contexts_through(change: Callable[[nn.Module, Tensor], Tensor]) -> Iterator[None]:
    """Let `change` see and replace the contexts [R, T, H, D] of every call of the attention interface in the block."""
    plain = AttentionInterface.get_interface

    def get_interface(
        self: AttentionInterface, attn_implementation: str, default: Callable[..., Any]
    ) -> Callable[..., Any]:
        attend = plain(self, attn_implementation, default)

        def attend_and_change(module: nn.Module, *inputs: Any, **options: Any) -> tuple[Tensor, Any]:
            context, *rest = attend(module, *inputs, **options)
            return (change(module, context), *rest)

        return attend_and_change

    AttentionInterface.get_interface = get_interface
    try:
        yield
    finally:
        AttentionInterface.get_interface = plain


def _first_row_again(site: AttentionSite) -> Callable[[nn.Module, Any, Any], Any]:
    def first_row(_: nn.Module, __: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):  # a quantised projection gives its scale as well
            return output
        return output.narrow(site.batch_dim, 0, 1).expand_as(output).contiguous()

    return first_row


def _by_contexts(site: AttentionSite, seen: Float[Tensor, "R T W"]) -> list[str]:
    """What is wrong with a layer of which row h + 1 reads another context of head h than row 0.

    Numbers that a gate holds back may stay as they are; none of another head may move.
    """
    for index, row in enumerate(seen[1 : site.num_heads + 1]):
        change = (row - seen[0]).abs().flatten(0, -2).amax(dim=0)
        moved = (change > ROUNDING * change.max()).nonzero().flatten().tolist()
        if not set(moved) <= set(_columns(site, index)):
            return [_fault(site, index, moved)]
    return []


def _by_queries(subject: Subject, rows: Sequence[TokenRow], site: AttentionSite) -> list[str]:
    """What is wrong with a layer when the queries of its first head change, or of its last."""
    assert site.query is not None

    def read() -> Tensor:
        """What the projection reads when it is called first."""
        return subject.gate.contexts(lambda: subject.response(rows, None))[site.name][0]

    untouched = read()
    for index in sorted({0, site.num_heads - 1}):
        view = input_first(site.query)[:, index * site.head_size]
        with unchanged([view]):
            view.copy_(torch.linspace(-1.0, 1.0, len(view)) * (1.0 + 4.0 * view.abs().max().item()))
            moved = (read() != untouched).flatten(0, -2).any(dim=0).nonzero().flatten().tolist()
        if moved and moved != list(_columns(site, index)):
            return [_fault(site, index, moved)]
    return []


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
