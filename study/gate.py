"""The gate: multiplies each head's output by xi, at the input of the attention's output projection and nowhere else.

That place is exact for every architecture: a head's context reaches the rest of the network only through its columns of
the output projection, so multiplying there equals zeroing those columns, or removing the head. It works under
eager, sdpa and flash attention and while decoding with a cache. transformers 5 has no head masking of its own, and
ignores `head_mask=` without a word.

Shapes: R rows of a batch (each with a mask of its own), T tokens, H heads of one layer, D size of a head.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from study.errors import InputError
from study.heads import AttentionKind, Head, HeadLayout

PROJECTION = re.compile(
    r"(?P<attention>[^.]*(?:attn|attention)[^.]*)\.(?:output\.dense|out_proj|o_proj|c_proj|out_lin|dense|Wo|o)$",
    re.IGNORECASE,
)
"""Names of output projections, `<attention module>.<projection>`, in transformers' models."""

QUERY = re.compile(r"(?:^|\.)(?:query|q_proj|q_lin|q|c_attn|q_attn)$")
"""Names of query projections within an attention module; in GPT-2's `c_attn` the queries come first."""

CROSS = re.compile(r"encoder_attn|encdec|cross", re.IGNORECASE)


@dataclass
class Site:
    """The output projection of one attention layer.

    Attributes:
        name: its path in the module.
        projection: the module whose input is gated: a Linear, or GPT-2's transposed Conv1D.
        num_heads: heads whose contexts, one after the other, are that input.
        query: the projection that makes the queries of these heads; None where its name is not known.
        batch_dim: which axis of the input counts the rows: 0, or 1 where time comes first (FSMT).
    """

    name: str
    kind: AttentionKind
    layer: int
    projection: nn.Module
    num_heads: int
    query: nn.Module | None = None
    batch_dim: int = 0

    @property
    def weight(self) -> Float[Tensor, "input output"]:
        """A view of the projection's weights, input first as in GPT-2's Conv1D."""
        return input_first(self.projection)

    @property
    def width(self) -> int:
        """Size of the projection's input, H x D."""
        return self.weight.shape[0]

    @property
    def head_size(self) -> int:
        """D, how many numbers of the input belong to each head; 0 where no head is left."""
        return self.width // max(self.num_heads, 1)

    def head_columns(self, index: int) -> Tensor:
        """A view of the weights that read head `index`: zero them to remove the head."""
        return self.weight[index * self.head_size : (index + 1) * self.head_size]


def input_first(projection: nn.Module) -> Float[Tensor, "input output"]:
    """A view of a projection's weights: a Linear stores them output first, GPT-2's Conv1D input first."""
    weight = projection.get_parameter("weight")
    return weight.T if isinstance(projection, nn.Linear) else weight


def heads_left(site: Site) -> tuple[int, ...]:
    """Its heads among those that the model's config gives it: not all of them where heads were removed."""
    return getattr(site.projection, "heads_left", tuple(range(site.num_heads)))


@dataclass
class Gate:
    """All output projections of a module, and the xi that multiplies their inputs while `masked` is active."""

    sites: list[Site]
    layout: HeadLayout = field(init=False)
    _hooks: list[RemovableHandle] = field(init=False, default_factory=list)
    _xi: Tensor | None = field(init=False, default=None)
    _trace: "Trace | None" = field(init=False, default=None)

    def __post_init__(self) -> None:
        counts: dict[AttentionKind, list[int]] = {}
        for site in sorted(self.sites, key=lambda s: (s.kind.rank, s.layer)):
            counts.setdefault(site.kind, []).append(site.num_heads)
        self.layout = HeadLayout(counts)
        for site in self.sites:
            self._hooks.append(site.projection.register_forward_pre_hook(self._hook(site)))

    def remove(self) -> None:
        """Leave the module as it was before."""
        for hook in self._hooks:
            hook.remove()

    def _hook(self, site: Site) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]:
        columns = self.layout.columns(site.kind, site.layer)

        def multiply(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if self._xi is None or not site.num_heads:
                return None
            context, *rest = inputs
            xi_RH = self._xi[:, columns]
            heads = context.unflatten(-1, (site.num_heads, -1))
            shape = [1] * heads.dim()
            shape[site.batch_dim], shape[-2] = xi_RH.shape
            xi = xi_RH.view(shape)
            gated = (
                heads * xi if self._trace is None else _Traced.apply(heads, xi, self._trace, site.batch_dim, columns)
            )
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
    def traced(self, xi: Float[Tensor, "rows heads"]) -> Iterator["Trace"]:
        """As `masked`, and a backward pass within the block leaves in the trace what it says of each head."""
        before, self._trace = self._trace, Trace(torch.zeros_like(xi), torch.zeros_like(xi))
        try:
            with self.masked(xi.detach().requires_grad_()):
                yield self._trace
        finally:
            self._trace = before

    def site(self, head: Head) -> Site:
        """The projection that a head belongs to."""
        return next(site for site in self.sites if (site.kind, site.layer) == (head.kind, head.layer))

    def find_batch_axis(self, forward: Callable[[], object], rows: int) -> None:
        """Learn from one pass which axis of each projection's input counts the rows.

        Args:
            forward: runs the module on a batch in which no other axis is as long as `rows`.
            rows: number of rows of that batch.
        """
        contexts = self.contexts(forward)
        for site in self.sites:
            shape = list(contexts[site.name].shape) if site.name in contexts else []
            if rows not in shape:
                raise InputError(f"{site.name} sees no axis of {rows} rows: its input is {shape or 'never computed'}")
            site.batch_dim = shape.index(rows)

    def contexts(self, forward: Callable[[], object]) -> dict[str, Tensor]:
        """What each projection reads in one pass, by the name of its site; of the last call where there are several."""
        seen: dict[str, Tensor] = {}

        def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda _, inputs: seen.update({name: inputs[0]})

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
        signed: of the values themselves, which is dL/dxi_h.
        absolute: of their absolute values.
    """

    signed: Float[Tensor, "rows heads"]
    absolute: Float[Tensor, "rows heads"]


class _Traced(torch.autograd.Function):
    """heads x xi; on the way back it adds to a trace, so that both sums come from one product."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, xi: Tensor, trace: Trace, batch_dim: int, columns: slice) -> Tensor:
        ctx.save_for_backward(heads, xi)
        ctx.where = trace, batch_dim, columns
        return heads * xi

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (heads, xi) = grad_outputs, ctx.saved_tensors
        trace, batch_dim, columns = ctx.where
        token_RTH = (gradient * heads).sum(-1).movedim(batch_dim, 0).flatten(1, -2)
        trace.signed[:, columns] += token_RTH.sum(1)
        trace.absolute[:, columns] += token_RTH.abs().sum(1)
        return (gradient * xi if ctx.needs_input_grad[0] else None), None, None, None, None


def find_sites(module: PreTrainedModel, *, causal: bool) -> list[Site]:
    """The output projections of a transformers model, by their names.

    Args:
        module: a transformers model; its config tells the number of heads.
        causal: whether self-attention outside an encoder-decoder looks back only (kind `decoder_self`).

    Raises:
        InputError: when nothing looks like an output projection, or a width is no multiple of its number of heads.
    """
    config = module.config
    found: dict[tuple[AttentionKind, int], Site] = {}
    for name, projection in module.named_modules():
        match = PROJECTION.search(name)
        if not match or getattr(projection, "weight", torch.empty(0)).dim() != 2:
            continue
        in_decoder = bool(config.is_encoder_decoder) and ".decoder." in f".{name}."
        kind = _kind(match["attention"], self_kind_is_decoder=in_decoder or (causal and not config.is_encoder_decoder))
        layer = next((int(part) for part in name.split(".") if part.isdigit()), 0)
        query = _query(module.get_submodule(name[: match.end("attention")]))
        left = getattr(projection, "heads_left", None)
        num_heads = _num_heads(config, decoder=in_decoder) if left is None else len(left)
        site = Site(name, kind, layer, projection, num_heads, query)
        if site.width % max(num_heads, 1):
            raise InputError(f"{name}: its input of {site.width} cannot be split into {site.num_heads} heads")
        if (kind, layer) in found:
            raise InputError(f"two output projections for {kind} layer {layer}: {found[kind, layer].name} and {name}")
        found[kind, layer] = site
    if not found:
        raise InputError(
            f"{type(module).__name__} has no attention whose output projection is known by name "
            "(attention.output.dense, out_proj, o_proj, c_proj, out_lin, Wo, o): its heads cannot be masked"
        )
    return _numbered_from_zero(list(found.values()))


def _kind(attention: str, *, self_kind_is_decoder: bool) -> AttentionKind:
    if CROSS.search(attention):
        return AttentionKind.CROSS
    return AttentionKind.DECODER_SELF if self_kind_is_decoder else AttentionKind.ENCODER_SELF


def _query(attention: nn.Module) -> nn.Module | None:
    """The query projection of an attention module, by its name."""
    found = [part for name, part in attention.named_modules() if QUERY.search(name)]
    return found[0] if len(found) == 1 else None


def _num_heads(config: object, *, decoder: bool) -> int:
    side = "decoder_attention_heads" if decoder else "encoder_attention_heads"
    count = getattr(config, side, None) or getattr(config, "num_attention_heads", None)
    if not isinstance(count, int):
        raise InputError(f"the model's config names no number of heads ({side} or num_attention_heads)")
    return count


def _numbered_from_zero(sites: Sequence[Site]) -> list[Site]:
    """Layers without attention do not count: the layers of each kind are numbered 0, 1, 2 ..."""
    for kind in AttentionKind:
        for layer, site in enumerate(sorted((s for s in sites if s.kind == kind), key=lambda s: s.layer)):
            site.layer = layer
    return list(sites)
