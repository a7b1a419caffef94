"""Where the MLPs of a decoder are: what the feed-forward block of each layer adds to the residual stream.

A block is found by the name that transformers gives it, whatever is in it (experts as well). It is gated where its
output is about to be added: behind the norm that some architectures put there, as in front of it a factor other than 0
would change nothing, and in front of the sum where the block adds the residual stream itself.
"""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn
from transformers import PreTrainedModel

from study.masking.sites import AttentionSite, place_of
from study.record.units.address import AttentionKind

BLOCKS = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "fc2")
"""Names of feed-forward blocks within a layer; OPT has its second projection there."""

FIRST_HALVES = ("fc1",)
"""Names of what a layer with a block of these has beside it: OPT's first projection."""

NORMS_BEHIND = ("post_feedforward_layernorm", "post_mlp_layernorm")
"""Names of norms that take the output of a block before it is added."""

MIXER = re.compile(r"attention|attn|mamba|mixer|conv|deltanet|recurrent", re.IGNORECASE)
"""In the names of classes that mix tokens, as a layer does beside its block."""


@dataclass
class MlpSite:
    """The feed-forward block of one layer.

    Attributes:
        name: path of the block in the module.
        layer: number of the layer.
        output: the module whose output is gated: the block, the norm behind it, or its last projection.
        block: the block, or its last projection: with all of its weights at zero it gives nothing.
        batch_dim: which axis of the output counts the rows; None where rows and tokens are one axis (OPT).
    """

    name: str
    layer: int
    output: nn.Module = field(repr=False)
    block: nn.Module = field(repr=False)
    batch_dim: int | None = 0

    def __str__(self) -> str:
        return f"MLP of layer {self.layer} ({self.name})"

    @property
    def weights(self) -> list[nn.Parameter]:
        """What is zero where the layer has no MLP: all of the block, and the bias of a norm behind it."""
        behind = self.output.named_parameters() if self.output is not self.block else ()
        return [*self.block.parameters(), *(weight for name, weight in behind if name == "bias")]


def find_mlps(module: PreTrainedModel, sites: Sequence[AttentionSite]) -> tuple[list[MlpSite], list[str]]:
    """The feed-forward blocks of a decoder, and the layers that have none that can be masked, in words.

    Args:
        module: a transformers model that is no encoder-decoder.
        sites: its attention layers.
    """
    places = [place for site in sites if site.kind is AttentionKind.DECODER_SELF and (place := place_of(site.name))]
    found, without = [], []
    for stack in dict.fromkeys(stack for stack, _ in places):
        for layer, block in enumerate(module.get_submodule(stack).children()):
            site = _site(f"{stack}.{layer}", layer, block)
            (found if isinstance(site, MlpSite) else without).append(site)
    numbers = [site.layer for site in found]
    if len(set(numbers)) < len(numbers) or len({id(site.output) for site in found}) < len(found):
        return [], ["every MLP, as layers share it or have the same number"]
    return found, without


def _site(path: str, number: int, layer: nn.Module) -> MlpSite | str:
    """The block of a layer, or why it cannot be masked."""
    weighty = [name for name, part in layer.named_children() if any(weight.dim() > 1 for weight in part.parameters())]
    blocks = [name for name in BLOCKS if name in weighty]
    others = [
        name
        for name in weighty
        if name not in (*blocks, *FIRST_HALVES) and not MIXER.search(type(layer.get_submodule(name)).__name__)
    ]
    if len(blocks) != 1 or others:
        return f"MLP of {path} (has {', '.join([*blocks, *others]) or 'nothing'})"
    name, block = f"{path}.{blocks[0]}", layer.get_submodule(blocks[0])
    if "residual" in inspect.signature(block.forward).parameters:  # BLOOM's and MPT's blocks add it
        last, block = [(last, part) for last, part in block.named_children() if isinstance(part, nn.Linear)][-1]
        name = f"{name}.{last}"
    behind = [getattr(layer, norm) for norm in NORMS_BEHIND if hasattr(layer, norm)]
    return MlpSite(name, number, output=[block, *behind][-1], block=block)
