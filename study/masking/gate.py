"""The gate: multiplies each head's output by xi, at the input of the attention's output projection and nowhere else.

That place is exact for every architecture: a head's context reaches the rest of the network only through its columns of
the output projection, so multiplying there equals zeroing those columns, or removing the head. It works under
eager, sdpa and flash attention and while decoding with a cache. transformers 5 has no head masking of its own, and
ignores `head_mask=` without a word.

Shapes: R rows of a batch (each with a mask of its own), T tokens, H heads of one layer, D size of a head.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from study.masking.sites import AttentionSite, find_sites, left_out
from study.record.errors import InputError
from study.record.units import Head, HeadLayout, Layer


@dataclass
class Gate:
    """All output projections of a module, and the xi that multiplies their inputs while `masked` is active.

    Attributes:
        sites: the projections.
        left_out: parts of the module without a head, in words, see `study.masking.sites.left_out`.
        layout: the heads.
    """

    sites: list[AttentionSite]
    left_out: Sequence[str] = ()
    layout: HeadLayout = field(init=False)
    _hooks: list[RemovableHandle] = field(init=False, default_factory=list)
    _xi: Tensor | None = field(init=False, default=None)
    _trace: "Trace | None" = field(init=False, default=None)
    _part: "slice | Tensor" = field(init=False, default_factory=lambda: slice(None))

    def __post_init__(self) -> None:
        heads = {(site.kind, site.layer): site.num_heads for site in self.sites}
        last = {kind: max(layer for of, layer in heads if of is kind) for kind, _ in heads}
        self.layout = HeadLayout({kind: [heads.get((kind, i), 0) for i in range(last[kind] + 1)] for kind in last})
        for site in self.sites:
            self._hooks.append(site.projection.register_forward_pre_hook(self._hook(site)))

    @classmethod
    def on(cls, module: PreTrainedModel, *, causal: bool) -> "Gate":
        """A gate on all attention of a model, see `study.masking.sites.find_sites`."""
        sites = find_sites(module, causal=causal)
        return cls(sites, left_out(module, sites))

    def remove(self) -> None:
        """Leave the module as it was before."""
        for hook in self._hooks:
            hook.remove()

    def _hook(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]:
        columns = self.layout.columns(site.kind, site.layer)

        def multiply(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if self._xi is None or not site.num_heads:
                return None
            context, *rest = inputs
            xi_RH = self._xi[self._part, columns]
            heads = context.unflatten(-1, (site.num_heads, -1))
            shape = [1] * heads.dim()
            shape[site.batch_dim], shape[-2] = xi_RH.shape
            xi = xi_RH.view(shape)
            if self._trace is None:
                return ((heads * xi).flatten(-2), *rest)
            gated = _TracedProduct.apply(heads, xi, self._trace, site.batch_dim, (self._part, columns))
            return (gated.flatten(-2), *rest)

        return multiply

    @contextmanager
    def masked(self, xi: Float[Tensor, "rows heads"]) -> Iterator[None]:
        """Multiply head h of row r by `xi[r, h]` within the block.

        Args:
            xi: one row for each row of the batch, in the module's dtype and on its device; may require gradients.
        """
        before, self._xi = self._xi, xi
        try:
            yield
        finally:
            self._xi = before

    @contextmanager
    def part(self, rows: Int[Tensor, " some"]) -> Iterator[None]:
        """Within the block the module reads only these of the rows that `masked` was given masks for, in this order."""
        before, self._part = self._part, rows
        try:
            yield
        finally:
            self._part = before

    @contextmanager
    def traced(self, xi: Float[Tensor, "rows heads"], trace: "Trace | None" = None) -> Iterator["Trace"]:
        """As `masked`, and a backward pass within the block leaves in the trace what it says of each head.

        Args:
            xi: as of `masked`.
            trace: where it is left; an empty trace of these rows when None.
        """
        before, self._trace = self._trace, trace or Trace(torch.zeros_like(xi), torch.zeros_like(xi))
        try:
            with self.masked(xi.detach().requires_grad_()):
                yield self._trace
        finally:
            self._trace = before

    def site(self, head: Head) -> AttentionSite:
        """The projection that a head belongs to."""
        return next(site for site in self.sites if (site.kind, site.layer) == (head.kind, head.layer))

    def learn(self, forward: Callable[[], object], rows: int) -> None:
        """Learn from one pass which axis of each projection's input counts the rows, and which layers share weights.

        Args:
            forward: runs the module on a batch in which no other axis is as long as `rows`.
            rows: number of rows of that batch.
        """
        contexts = self.contexts(forward)
        uses = Counter[Layer]()
        for site in self.sites:
            shape = list(contexts[site.name][0].shape) if site.name in contexts else []
            if rows not in shape:
                raise InputError(f"{site.name} sees no axis of {rows} rows: its input is {shape or 'never computed'}")
            site.batch_dim = shape.index(rows)
            uses[site.kind, site.layer] += len(contexts[site.name])
        self.layout = replace(self.layout, uses={layer: number for layer, number in uses.items() if number > 1})

    def contexts(self, forward: Callable[[], object]) -> dict[str, list[Tensor]]:
        """What each projection reads in one pass, call by call, by the name of its site."""
        seen: dict[str, list[Tensor]] = {}

        def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda _, inputs: seen.setdefault(name, []).append(inputs[0])

        hooks = [site.projection.register_forward_pre_hook(record(site.name)) for site in self.sites]
        try:
            forward()
        finally:
            for hook in hooks:
                hook.remove()
        return seen


@dataclass(frozen=True)
class Trace:
    """What a backward pass says of each row and head: two sums over the tokens t of Att_h,t . dL/d(xi_h Att_h,t).

    Attributes:
        signed: sum of the values themselves, which is dL/dxi_h.
        absolute: sum of their absolute values.
    """

    signed: Float[Tensor, "rows heads"]
    absolute: Float[Tensor, "rows heads"]

    def add(self, part: "slice | Tensor", columns: slice, tokens: Float[Tensor, "P T h"]) -> None:
        """Take what a pass over a part of the rows, none of them twice, says of one layer."""
        self.signed[part, columns] += tokens.sum(1)
        self.absolute[part, columns] += tokens.abs().sum(1)


class _TracedProduct(torch.autograd.Function):
    """heads x xi; on the way back it adds to a trace, so that both sums come from one product."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, xi: Tensor, trace: Trace, batch_dim: int, place: tuple[Any, slice]) -> Tensor:
        ctx.save_for_backward(heads, xi)
        ctx.where = trace, batch_dim, place
        return heads * xi

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (heads, xi) = grad_outputs, ctx.saved_tensors
        trace, batch_dim, place = ctx.where
        token_RTH = (gradient * heads).sum(-1).movedim(batch_dim, 0).flatten(1, -2)
        trace.add(*place, token_RTH)
        return (gradient * xi if ctx.needs_input_grad[0] else None), None, None, None, None
