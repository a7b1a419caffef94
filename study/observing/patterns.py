"""Patterns: the attention weights that a model really uses, seen attention by attention while it computes.

Eager attention is switched on, as only it gives weights. Where a model calls an attention function, that is called for
some queries at a time, so that no map of a long input is ever whole. Elsewhere the product of weights and values is
seen, see `products`. Nothing is kept: who looks takes what they need of a pattern.

Shapes: R rows, H heads of a layer, G key/value groups, T tokens that look (queries), Q those of a chunk, S tokens that
are looked at (keys), D size of a head.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.products import Products
from study.masking.sites import AttentionSite
from study.record.errors import StudyError
from study.subjects.kept_state import kept_state
from study.subjects.subject import Subject

CPU_WEIGHTS, GPU_WEIGHTS = 2**21, 2**27
"""Weights of a chunk: what stays near a processor, and what fills a GPU."""

SINK = "sinks"
"""The parameter of attentions in which a part of the weight goes to no token (gpt-oss)."""


class PatternError(StudyError):
    """A model's attention patterns cannot be seen, or are not what it uses."""


@dataclass(frozen=True)
class Pattern:
    """The weights of one attention for a chunk of its queries.

    Attributes:
        site: where the heads are.
        weights: how much each query looks at each key, by head.
        queries: which queries.
        visible: which keys each query may look at; r is 1 where that is the same in all rows.
        value: what the weights are multiplied by, the bias included.
        context: what an attention function gives for these queries; None where none is called.
        has_sink: whether a part of the weight goes to no token.
    """

    site: AttentionSite
    weights: Float[Tensor, "R H Q S"]
    queries: slice
    visible: Bool[Tensor, "r Q S"]
    value: Float[Tensor, "R G S D"]
    context: Float[Tensor, "R Q H D"] | None = None
    has_sink: bool = False

    @property
    def head_value(self) -> Float[Tensor, "R H S D"]:
        """The values of each head; those that share them have the same."""
        heads, groups = self.weights.shape[1], self.value.shape[1]
        return self.value if heads == groups else self.value.repeat_interleave(heads // groups, dim=1)


See = Callable[[Pattern], None]
SeeHeads = Callable[[AttentionSite, Float[Tensor, "R T H D"]], None]


@contextmanager
def observed_patterns(
    subject: Subject, see: See, see_heads: SeeHeads | None = None, *, most_weights: int = 0
) -> Iterator[None]:
    """Within the block, show every attention of every forward pass, chunk by chunk of queries, in their order.

    Args:
        subject: a certified model; its gate may be masked.
        see: takes each pattern.
        see_heads: takes what the output projection reads of each head, behind the gate, once for every attention.
        most_weights: weights of a chunk, the queries of one token at least; chosen by the device when 0.

    Raises:
        PatternError: within the block, when an attention shows no pattern.
    """
    watch = _Watch(subject.gate.sites, see, see_heads, most_weights or _most_weights(subject.device))
    with ExitStack() as stack:
        stack.enter_context(eager_attention(subject.module))
        stack.enter_context(attention_calls(watch.answer))
        if any(site.caller is None for site in watch.sites):
            stack.enter_context(watch.products)
        for site in watch.sites:
            stack.callback(site.projection.register_forward_pre_hook(watch.reader(site)).remove)
        yield


def _most_weights(device: torch.device) -> int:
    return CPU_WEIGHTS if device.type == "cpu" else GPU_WEIGHTS


@contextmanager
def eager_attention(module: PreTrainedModel) -> Iterator[None]:
    """Eager attention within the block, and then what was there before."""
    with kept_state(module):
        for part in module.modules():
            if isinstance(config := getattr(part, "config", None), PreTrainedConfig):
                config._attn_implementation = "eager"  # some models refuse to be told otherwise, and obey
        yield


@dataclass
class _Watch:
    """What shows the attentions of a model one after the other.

    Attributes:
        sites: those that have heads.
        products: where products of weights and values are seen.
    """

    every_site: Sequence[AttentionSite]
    see: See
    see_heads: SeeHeads | None
    most_weights: int
    products: Products = field(default_factory=Products)
    _shown: AttentionSite | None = None

    def __post_init__(self) -> None:
        self.sites = [site for site in self.every_site if site.num_heads]
        self._by_caller = {id(site.caller): site for site in self.sites if site.caller is not None}

    def answer(self, call: AttentionCall) -> Answer:
        """Show the call of an attention function, and give it contexts."""
        site = self._by_caller.get(id(call.module))
        if site is None:
            return call.attend()
        self._shown = site
        contexts, visible = [], call.visible
        weights_a_query = len(call.query) * call.num_heads * call.value.shape[2]
        for queries in chunks(call.num_queries, weights_a_query, self.most_weights):
            context, weights = call.part(queries).attend()
            if not isinstance(weights, Tensor):
                raise PatternError(f"{site}: its attention function gives no weights")
            sink = _has_sink(call.module)
            self.see(Pattern(site, weights, queries, visible[:, queries], call.value, context, sink))
            contexts.append(context)
        return torch.cat(contexts, dim=1) if len(contexts) > 1 else contexts[0], None

    def reader(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """The hook that hears that a projection reads what an attention has computed."""

        def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            heads = inputs[0].movedim(site.batch_dim, 0).unflatten(-1, (site.num_heads, -1))
            if self._shown is None:
                self._show_product(site, len(heads))
            elif self._shown is not site:
                raise PatternError(f"{site} reads what {self._shown} computes")
            self._shown = None
            if self.see_heads is not None:
                self.see_heads(site, heads)

        return read

    def _show_product(self, site: AttentionSite, num_rows: int) -> None:
        """Show the product of weights and values that was seen last."""
        product = self.products.take()
        if product is None:
            raise PatternError(f"{site} shows no pattern: it multiplies no weights of all tokens by values")
        weights, value, visible = product.by_heads(num_rows, site.num_heads)
        for queries in chunks(weights.shape[2], len(weights[..., 0, :].flatten()), self.most_weights):
            self.see(Pattern(site, weights[:, :, queries], queries, visible[:, queries], value))


def chunks(num_queries: int, weights_a_query: int, most_weights: int) -> list[slice]:
    """Queries in chunks of so many weights at most."""
    size = max(1, most_weights // max(weights_a_query, 1))
    return [slice(start, min(start + size, num_queries)) for start in range(0, num_queries, size)]


def _has_sink(attention: nn.Module) -> bool:
    return isinstance(getattr(attention, SINK, None), Tensor)
