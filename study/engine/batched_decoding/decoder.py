"""One beam search for many masks: a decoder whose rows are (mask, sentence), and which does nothing twice.

At every height in the decoder a hidden state depends on the mask below, the sentence and the tokens before it. Each
distinct one is computed once (see `shared_states`): hypotheses of different masks that begin with the same words share
the layers below the first one that their masks differ in. Within that layer queries, keys, values and contexts are
shared too; only then each mask takes the heads that it leaves on. No number changes but by rounding.

The first self-attention comes before anything of the source, so there even sentences share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from study.engine.batched_decoding.caches import STEPS_BETWEEN, TargetCache
from study.engine.batched_decoding.encoder import read_sources
from study.engine.batched_decoding.replaced import Instead, LayerReplacement
from study.engine.batched_decoding.shared_states import NodeTree, nested_groupings, pair_keys
from study.engine.pairs import Pairs
from study.engine.prefixes import forward_order, prefix_classes
from study.engine.weights.translator import CrossAttention, SelfAttention, TranslatorWeights
from study.masking.stand_ins import StandIn, Uniform
from study.record.units import AttentionKind, HeadLayout, Layer
from study.subjects.decoding.top_tokens import TokenRequest, TopTokens, top_tokens

PIECE = 512
"""Rows of a piece on a CPU; about right for the inner width of a feed-forward layer and a cache of 1 MB."""

ROUND = 32
"""Every piece is of a multiple of so many rows."""


@dataclass(frozen=True)
class LayerMasks:
    """The masks of one attention layer, and which searches share it.

    Attributes:
        below: the grouping of the nodes that it reads.
        above: the grouping of the nodes after it.
        xi: 1 for each head that a group above leaves on, 0 where it is off; None where all are on.
        replacement: what stands in where heads are off.
    """

    below: int
    above: int
    xi: Float[Tensor, "G H"] | None
    replacement: LayerReplacement

    def gate(
        self,
        context: Float[Tensor, "n c"],
        below: Int[Tensor, " n"],
        group: Int[Tensor, " n"],
        instead: Instead | None,
    ) -> Float[Tensor, "n c"]:
        """Contexts of rows after the layer, given the node below and the group of each; `context` is overwritten."""
        if self.xi is None:
            return context
        xi_nH1 = self.xi[group, :, None]
        heads = context.view(len(context), xi_nH1.shape[1], -1).mul_(xi_nH1)
        if instead is not None:
            heads.addcmul_(instead(below, group).view(-1, *heads.shape[1:]), 1 - xi_nH1)
        return context


class BatchedDecoder:
    """A decoder for `study.subjects.decoding.beam.search`; its rows are pairs of mask and sentence."""

    def __init__(
        self,
        model: TranslatorWeights,
        layout: HeadLayout,
        pairs: Pairs,
        ids: Int[Tensor, "E S"],
        present: Int[Tensor, "E S"],
        stand_in: StandIn,
    ) -> None:
        """Read the sources under every mask, and start with one hypothesis for each pair.

        Args:
            model: weights of the model.
            layout: its heads.
            pairs: distinct masks, and which sentences to decode under each; at least one pair.
            ids: token ids of the sentences.
            present: 1 for a token, 0 for padding.
            stand_in: what stands in the place of heads that are off, in these sentences.
        """
        self._model = model
        order, keys = _heights(pairs, layout, stand_in)
        self._groupings, levels = nested_groupings(keys)
        self._sources, source_P = read_sources(model, layout, pairs, ids, present, stand_in)
        self._source_P = torch.from_numpy(source_P).to(ids.device)
        self._source_G = [torch.from_numpy(source_P[grouping.first]).to(ids.device) for grouping in self._groupings]
        masks: list[LayerMasks] = []
        for i, (layer, below, above) in enumerate(zip(order, levels[::2], levels[1::2], strict=True)):
            first = self._groupings[above].first
            on_GH = pairs.masks[pairs.mask[first]][:, layout.columns(*layer)]
            xi = None if on_GH.all() else torch.from_numpy(on_GH).to(ids.device, torch.float32)
            means = None
            if layer[0] is AttentionKind.CROSS and isinstance(stand_in, Uniform):
                means = self._sources.mean_values(i // 2)[self._source_G[above]]
            sentences = torch.from_numpy(pairs.example[first]).to(ids.device)
            masks.append(LayerMasks(below, above, xi, LayerReplacement(stand_in, layer, sentences, means)))
        self._own, self._cross = masks[::2], masks[1::2]
        self._caches = [
            TargetCache(layer.attention.num_heads, self._groupings[own.below].num_shared)
            for layer, own in zip(model.decoder, self._own, strict=True)
        ]
        self._tree: NodeTree | None = None
        self._origins: Tensor | None = None
        self._step, self._width = 0, 1

    def step(self, tokens: Int[Tensor, " R"], request: TokenRequest) -> TopTokens:
        """See `study.subjects.decoding.beam.StepDecoder`."""
        return top_tokens(self._states(tokens), self._logits, request)

    def logprobs(self, tokens: Int[Tensor, " R"]) -> Float[Tensor, "R V"]:
        """A step that tells the log-probabilities of all words."""
        return self._logits(self._states(tokens)).log_softmax(-1)[:, : len(self._model.target.words)]

    def select(self, origins: Int[Tensor, " R"], *, rows_changed: bool) -> None:
        """See `study.subjects.decoding.beam.StepDecoder`."""
        self._origins = origins
        if rows_changed and self._tree is not None:
            pair_R = self._tree.levels[-1].group[origins]
            self._width = int((pair_R == pair_R[0]).sum())
            self._sources.keep(self._source_P[pair_R].unique())

    def _states(self, tokens: Int[Tensor, " R"]) -> Float[Tensor, "R d"]:
        """Last hidden states of every hypothesis after its next token."""
        if self._tree is None:
            self._tree = NodeTree(self._groupings, tokens[0], len(self._model.target.words))
        else:
            origins = torch.arange(len(tokens), device=tokens.device) if self._origins is None else self._origins
            self._tree.advance(origins, tokens)
        self._origins = None
        x, qkv = by_pieces(self._begin, [self._tree.tokens])
        for i in range(len(self._model.decoder)):
            x, qkv = self._layer(i, x, qkv, self._tree)
        self._step += 1
        last = self._tree.path(self._cross[-1].above, len(self._groupings) - 1)
        return x if last is None else x[last]

    def _begin(self, tokens: Int[Tensor, " N"]) -> tuple[Tensor, Tensor]:
        """First hidden states, and what the first self-attention takes of them."""
        return self._ready(0, self._model.target.target(tokens, self._step))

    def _ready(self, index: int, x: Float[Tensor, "N d"]) -> tuple[Tensor, Tensor]:
        """Hidden states before a layer, and what its self-attention takes of them; or the last ones, and nothing."""
        model = self._model
        if index == len(model.decoder):
            return model.decoder_norm(x) if model.decoder_norm else x, x[:, :0]
        attention = model.decoder[index].attention
        return x, attention.qkv(model.read(x, attention.norm))

    def _layer(
        self, index: int, x: Float[Tensor, "N d"], qkv: Float[Tensor, "N qkv"], tree: NodeTree
    ) -> tuple[Tensor, ...]:
        """From what is ready before a layer to what is ready before the next."""
        model, layer = self._model, self._model.decoder[index]
        own, cross = self._own[index], self._cross[index]

        def ask(x: Tensor) -> tuple[Tensor, Tensor]:
            return x, layer.cross.query(model.read(x, layer.cross.norm))

        def feed_forward(x: Tensor) -> tuple[Tensor, Tensor]:
            return self._ready(index + 1, model.feed_forward(x, layer.feed_forward))

        nodes, values = tree.levels[own.below], qkv[:, 2 * qkv.shape[1] // 3 :]
        context = self._caches[index].attend(qkv, nodes, self._width)
        instead = None if own.xi is None else own.replacement.target(self._step, values, nodes)
        x, query = self._part(x, context, layer.attention, own, instead, tree, ask)
        place = tree.path(own.above, cross.below)
        if place is not None:
            x, query = x[place], query[place]
        lanes = self._sources.lanes(self._source_G[cross.below][tree.levels[cross.below].group])
        context = self._sources.attend(index, query, lanes)
        instead = None if cross.xi is None else cross.replacement.source(self._step)
        return self._part(x, context, layer.cross, cross, instead, tree, feed_forward)

    def _part(
        self,
        x: Float[Tensor, "N d"],
        context: Float[Tensor, "N c"],
        attention: SelfAttention | CrossAttention,
        masks: LayerMasks,
        instead: Instead | None,
        tree: NodeTree,
        follow: Callable[[Tensor], tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, ...]:
        """From what masks share below an attention layer to what each has after it, and what follows from that."""
        group = tree.levels[masks.above].group
        place = tree.path(masks.below, masks.above)

        def rise(place: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
            context_nc = masks.gate(context.index_select(0, place), place, group, instead)
            return follow(self._model.add(x.index_select(0, place), attention.out(context_nc), attention.norm))

        return by_pieces(rise, [torch.arange(len(group), device=group.device) if place is None else place, group])

    def _logits(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n words"]:
        return self._model.words(functional.pad(states, (0, 0, 0, -len(states) % ROUND)))[: len(states)]


def by_pieces(function: Callable[..., tuple[Tensor, ...]], places: Sequence[Int[Tensor, " N"]]) -> tuple[Tensor, ...]:
    """The results of a function that goes row by row, a few rows at a time: they stay in the processor's cache.

    Pieces are of few different sizes, as libraries make a kernel for each: the last is filled up and cut.
    """
    rows, on_cpu = len(places[0]), places[0].device.type == "cpu"
    filled = [functional.pad(place, (0, -rows % ROUND)).split(PIECE if on_cpu else rows + ROUND) for place in places]
    made = [function(*piece) for piece in zip(*filled, strict=True)]
    results = [list(parts) for parts in zip(*made, strict=True)]
    return tuple((torch.cat(parts) if len(parts) > 1 else parts[0])[:rows] for parts in results)


def _heights(pairs: Pairs, layout: HeadLayout, stand_in: StandIn) -> tuple[list[Layer], list[Int[np.ndarray, " P"]]]:
    """The decoder's attention layers, self and cross in turns, and a key of each pair before and after each of them.

    The first self-attention comes before the encoder: what is after it differs only in heads of its own, and in what
    stands in their place where that is of the sentence.
    """
    first = (AttentionKind.DECODER_SELF, 0)
    order = [first, *(layer for layer in forward_order(layout) if layer != first)]
    classes = prefix_classes(pairs.masks, [layout.columns(*layer) for layer in order])
    encoder = len(layout.counts[AttentionKind.ENCODER_SELF])
    keys = [
        pair_keys(pairs, classes[0], by_sentence=False),
        pair_keys(pairs, classes[1], by_sentence=stand_in.is_of_rows),
    ]
    for depth in range(1 + encoder, len(order)):
        keys += [pair_keys(pairs, classes[depth]), pair_keys(pairs, classes[depth + 1])]
    return [first, *order[1 + encoder :]], keys


def pair_bytes(model: TranslatorWeights, longest: int, beam: int) -> int:
    """Bytes that a mask of a sentence takes, as if masks had nothing in common and targets were twice as long as it."""
    slots = 2 * longest + (1 + STEPS_BETWEEN) * beam
    vectors = 2 * len(model.decoder) * (slots + longest) + 12 * beam
    return 4 * model.target.words.shape[1] * vectors
