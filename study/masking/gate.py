"""The gate: multiplies each head's output by xi, at the input of the attention's output projection and nowhere else.

That place is exact for every architecture: a head's context reaches the rest of the network only through its columns of
the output projection, so multiplying there equals zeroing those columns, or removing the head. It works under
eager, sdpa and flash attention and while decoding with a cache. transformers 5 has no head masking of its own, and
ignores `head_mask=` without a word.

With MLPs, what the feed-forward block of a layer adds is multiplied as well, its output bias with it. The bias of an
attention's output projection stays, whichever heads are off.

Zero is one choice of what stands in the place of a head that is off. Where the gate has another `stand_in`, it gives
xi * c + (1 - xi) * r, see `stand_ins`.

Shapes: R rows of a batch (each with a mask of its own), T tokens, H heads of one layer, D size of a head.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.mlp_sites import BLOCKS, MlpSite, find_mlps
from study.masking.one_pass import OnePass
from study.masking.products import Products
from study.masking.sites import AttentionSite, find_sites, left_out
from study.masking.stand_ins import Place, StandIn, Zero, replaced
from study.record.errors import InputError
from study.record.units import Head, HeadLayout, Layer, Mlp
from study.terminal.once import say_once

log = logging.getLogger(__name__)


@dataclass
class Gate:
    """All output projections of a module, and the xi that multiplies their inputs while `masked` is active.

    Attributes:
        sites: the projections.
        left_out: parts of the module without a head, in words, see `study.masking.sites.left_out`.
        mlps: the feed-forward blocks whose outputs are multiplied as well.
        stand_in: what stands in the place of units that are off.
        layout: the units: heads, their groups, and MLPs.
    """

    sites: list[AttentionSite]
    left_out: Sequence[str] = ()
    mlps: Sequence[MlpSite] = ()
    stand_in: StandIn = field(default_factory=Zero)
    layout: HeadLayout = field(init=False)
    _hooks: list[RemovableHandle] = field(init=False, default_factory=list)
    _now: "_State" = field(init=False, default_factory=lambda: _State())

    def __post_init__(self) -> None:
        self.layout = self._layout()
        for site in self.sites:
            self._hooks.append(site.projection.register_forward_pre_hook(self._before(site)))
        for mlp in self.mlps:
            self._hooks.append(mlp.output.register_forward_hook(self._behind(mlp)))

    def _layout(self) -> HeadLayout:
        heads = {(site.kind, site.layer): site.num_heads for site in self.sites}
        groups = {(site.kind, site.layer): site.num_groups for site in self.sites if site.num_heads}
        last = {kind: max(layer for of, layer in heads if of is kind) for kind, _ in heads}
        grouped = {kind for kind in last if all(number for (of, _), number in groups.items() if of is kind)}
        return HeadLayout(
            {kind: [heads.get((kind, i), 0) for i in range(last[kind] + 1)] for kind in last},
            groups={kind: [groups.get((kind, i), 0) for i in range(last[kind] + 1)] for kind in grouped},
            mlps=[mlp.layer for mlp in self.mlps],
        )

    @classmethod
    def on(cls, module: PreTrainedModel, *, causal: bool, mlps: bool = False) -> "Gate":
        """A gate on all attention of a model, see `study.masking.sites.find_sites`.

        Args:
            module: a transformers model.
            causal: whether self-attention outside an encoder-decoder looks back only.
            mlps: whether the MLPs of a decoder can be masked as well; the log names those that are not found.
        """
        sites = find_sites(module, causal=causal)
        found, without = find_mlps(module, sites) if mlps else ([], [])
        if without:
            words = "MLPs that cannot be masked, expected one of %s: %s"
            say_once(log.warning, words, ", ".join(BLOCKS), "; ".join(without))
        return cls(sites, left_out(module, sites), found)

    def remove(self) -> None:
        """Leave the module as it was before."""
        for hook in self._hooks:
            hook.remove()

    def _before(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]:
        """The hook that multiplies what a projection reads."""
        columns, layer = self.layout.columns(site.kind, site.layer), (site.kind, site.layer)

        def multiply(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if self._now.xi is None or not site.num_heads or (self.stand_in.is_seen_at_calls and site.caller):
                return None
            context, *rest = inputs
            heads = context.unflatten(-1, (site.num_heads, -1))
            if self.stand_in.is_seen_at_calls:
                instead = self._at_product(site, heads)
            else:
                instead = self._instead(heads, site.batch_dim, lambda place: self.stand_in.heads(layer, place))
            return (self._product(self._now.xi, heads, site.batch_dim, columns, instead).flatten(-2), *rest)

        return multiply

    def _behind(self, mlp: MlpSite) -> Callable[[nn.Module, Any, Any], Any]:
        """The hook that multiplies what a feed-forward block gives, the first of it where there is more."""
        column = self.layout.mlp_column(mlp.layer)

        def multiply(_: nn.Module, __: Any, output: Any) -> Any:
            if self._now.xi is None:
                return None
            given, *rest = output if isinstance(output, tuple) else (output,)
            rows = given if mlp.batch_dim is not None else given.unflatten(0, (len(self._now.xi[self._now.part]), -1))
            whole, batch_dim = rows.unsqueeze(-2), mlp.batch_dim or 0  # as the only head of its layer
            instead = self._instead(whole, batch_dim, lambda place: self.stand_in.mlp(mlp.layer, place))
            product = self._product(self._now.xi, whole, batch_dim, slice(column, column + 1), instead)
            product = product.reshape(given.shape)
            return (product, *rest) if isinstance(output, tuple) else product

        return multiply

    def _at_call(self, call: AttentionCall) -> Answer:
        """What an attention function hands on where something stands at its output."""
        contexts, weights = call.attend()
        site = next((site for site in self.sites if site.caller is call.module), None)
        if self._now.xi is None or site is None:
            return contexts, weights
        instead = self.stand_in.contexts(call.value, call.visible, call.num_heads)
        columns = self.layout.columns(site.kind, site.layer)
        return self._product(self._now.xi, contexts, 0, columns, instead), weights

    def _at_product(self, site: AttentionSite, heads: Tensor) -> Tensor:
        """What stands for heads whose attention multiplies weights and values itself, with axes in their order."""
        product = self._now.products and self._now.products.take()
        if not product:
            raise InputError(f"{site} multiplies no weights of all tokens by values: its values are not seen")
        _, value, visible = product.by_heads(heads.shape[site.batch_dim], site.num_heads)
        return self.stand_in.contexts(value, visible, site.num_heads).movedim(0, site.batch_dim)

    def _instead(
        self, values: Float[Tensor, "*tokens heads D"], batch_dim: int, at: Callable[[Place], Tensor | None]
    ) -> Tensor | None:
        """What stands for values, with axes in their order; None where that is zero."""
        if isinstance(self.stand_in, Zero):
            return None
        positions = self._now.positions
        if positions is None:
            tokens = values.movedim(batch_dim, 0).shape[1]
            positions = torch.arange(tokens, device=values.device)[None]
        found = at(Place(self._now.examples, positions))
        if found is None:
            return None
        found = found if found.dim() == values.dim() else found.unsqueeze(-2)  # an MLP is the only head of its layer
        return found.movedim(0, batch_dim).to(values)

    def _product(self, xi: Tensor, values: Tensor, batch_dim: int, columns: slice, instead: Tensor | None) -> Tensor:
        """Values [..., heads, D] of these columns of a mask, multiplied by the xi of their row and head.

        What stands instead is multiplied by 1 - xi, and added.
        """
        xi_RH = xi[self._now.part, columns].to(values)
        shape = [1] * values.dim()
        shape[batch_dim], shape[-2] = xi_RH.shape
        xi_RH = xi_RH.view(shape)
        if self._now.acts is not None:
            xi_RH = xi_RH.where(self._now.acts[..., None, None].movedim(0, batch_dim), 1.0)
        if self._now.trace is not None:
            where = self._now.trace, batch_dim, (self._now.part, columns), self._now.acts
            return _TracedProduct.apply(values, xi_RH, instead, *where)
        return replaced(values, xi_RH, instead)

    @contextmanager
    def masked(self, xi: Float[Tensor, "rows width"] | None) -> Iterator[None]:
        """Multiply head h of row r by `xi[r, h]` within the block, and its MLPs by the columns after those of heads.

        Args:
            xi: one row for each row of the batch; may require gradients. Nothing is multiplied when None.
        """
        before = self._now.xi, self._now.products
        self._now.xi = xi
        try:
            with ExitStack() as stack:
                if xi is not None and self.stand_in.is_seen_at_calls:
                    stack.enter_context(attention_calls(self._at_call))
                    if any(site.caller is None for site in self.sites if site.num_heads):
                        self._now.products = stack.enter_context(Products())
                yield
        finally:
            self._now.xi, self._now.products = before

    @contextmanager
    def part(
        self,
        rows: slice | Int[Tensor, " some"],
        *,
        examples: Int[Tensor, " some"] | None = None,
        positions: Int[Tensor, "r T"] | None = None,
        acts: Bool[Tensor, "r T"] | None = None,
    ) -> Iterator[None]:
        """Within the block the module reads only these of the rows that `masked` was given masks for, in this order.

        Args:
            rows: places of their masks.
            examples: places of their examples among those that the stand-in was made for; as of their masks when None.
            positions: position of each token in its own row; 0, 1, 2 ... when None.
            acts: tokens on which masks act; every unit is on at the others. All when None.
        """
        now = self._now
        before = now.part, now.examples, now.positions, now.acts
        now.part, now.positions, now.acts = rows, positions, acts
        now.examples = rows if examples is None else examples
        try:
            yield
        finally:
            now.part, now.examples, now.positions, now.acts = before

    @contextmanager
    def standing(self, stand_in: StandIn) -> Iterator[None]:
        """Within the block this stands in the place of units that are off."""
        before, self.stand_in = self.stand_in, stand_in
        try:
            yield
        finally:
            self.stand_in = before

    @contextmanager
    def traced(self, xi: Float[Tensor, "rows width"], trace: "Trace | None" = None) -> Iterator["Trace"]:
        """As `masked`, and a backward pass within the block leaves in the trace what it says of each unit.

        Args:
            xi: as of `masked`.
            trace: where it is left; an empty trace of these rows when None.
        """
        before, self._now.trace = self._now.trace, trace or Trace(torch.zeros_like(xi), torch.zeros_like(xi))
        try:
            with self.masked(xi.detach().requires_grad_()):
                yield self._now.trace
        finally:
            self._now.trace = before

    def forget_mlps(self) -> None:
        """Leave MLPs as they are: the layout has none any more."""
        for hook in self._hooks[len(self.sites) :]:
            hook.remove()
        self._hooks, self.mlps = self._hooks[: len(self.sites)], ()
        self.layout = replace(self.layout, mlps=())

    def site(self, head: Head) -> AttentionSite:
        """The projection that a head belongs to."""
        return next(site for site in self.sites if (site.kind, site.layer) == (head.kind, head.layer))

    def mlp_site(self, mlp: Mlp) -> MlpSite:
        """The feed-forward block that an MLP is."""
        return next(site for site in self.mlps if site.layer == mlp.layer)

    def learn(self, forward: Callable[[], object], rows: int) -> None:
        """Learn from one pass which axis of an input counts the rows, and which layers share weights.

        Where attention functions are called, how many groups of keys and values they are given is learned as well.

        Args:
            forward: runs the module on a batch in which no other axis is as long as `rows`.
            rows: number of rows of that batch.
        """
        seen = OnePass()
        seen.watch(forward, self.sites, self.mlps)
        uses = Counter[Layer]()
        for site in self.sites:
            shape = list(seen.inputs[site.name][0]) if site.name in seen.inputs else []
            if rows not in shape:
                raise InputError(f"{site.name} sees no axis of {rows} rows: its input is {shape or 'never computed'}")
            site.batch_dim = shape.index(rows)
            uses[site.kind, site.layer] += len(seen.inputs[site.name])
            if (call := seen.calls.get(site.name)) is None:
                continue
            site.caller = call.module
            if site.num_groups and not site.num_heads % call.num_groups:  # others are refused when it is certified
                site.num_groups = call.num_groups
        for mlp in self.mlps:
            shape = list(seen.outputs.get(mlp.name, ()))
            if not shape or shape[0] % rows:
                raise InputError(f"{mlp.name} gives no {rows} rows: its output is {shape or 'never computed'}")
            mlp.batch_dim = shape.index(rows) if rows in shape else None
        if any(site.num_heads and not site.num_groups for site in self.sites):
            log.info("groups of heads cannot be turned off as a whole: some have lost more heads than others")
        self.layout = replace(self._layout(), uses={layer: number for layer, number in uses.items() if number > 1})


class _State(threading.local):
    """What the gate multiplies by in a thread: threads that compute side by side do not see each other's masks."""

    xi: Tensor | None = None
    products: Products | None = None
    trace: "Trace | None" = None
    part: slice | Tensor = slice(None)
    examples: slice | Tensor = slice(None)
    positions: Tensor | None = None
    acts: Tensor | None = None


@dataclass(frozen=True)
class Trace:
    """What a backward pass says of each row and unit h: two sums over the tokens t of Att_h,t . dL/d(xi_h Att_h,t).

    Att_h,t is what the unit gives at token t: the context of a head, the output of an MLP; less what stands in its
    place where that is not zero.

    Attributes:
        signed: sum of the values themselves, which is dL/dxi_h.
        absolute: sum of their absolute values.
    """

    signed: Float[Tensor, "rows width"]
    absolute: Float[Tensor, "rows width"]

    def add(self, part: "slice | Tensor", columns: slice, tokens: Float[Tensor, "P T h"]) -> None:
        """Take what a pass over a part of the rows, none of them twice, says of one layer."""
        self.signed[part, columns] += tokens.sum(1)
        self.absolute[part, columns] += tokens.abs().sum(1)


class _TracedProduct(torch.autograd.Function):
    """heads x xi; on the way back it adds to a trace, so that both sums come from one product.

    With something instead, which is held: + instead x (1 - xi).
    """

    @staticmethod
    def forward(
        ctx: Any,
        heads: Tensor,
        xi: Tensor,
        instead: Tensor | None,
        trace: Trace,
        batch_dim: int,
        place: tuple[Any, slice],
        acts: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(heads if instead is None else heads - instead, xi)
        ctx.where = trace, batch_dim, place, acts
        return replaced(heads, xi, instead)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (difference, xi) = grad_outputs, ctx.saved_tensors
        trace, batch_dim, place, acts = ctx.where
        token_RTH = (gradient * difference).sum(-1).movedim(batch_dim, 0).flatten(1, -2)
        if acts is not None:
            token_RTH = token_RTH * acts[..., None]
        trace.add(*place, token_RTH.to(trace.signed))
        return (gradient * xi if ctx.needs_input_grad[0] else None), *[None] * 6
