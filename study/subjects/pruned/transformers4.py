"""Models whose heads transformers 4 removed: `pruned_heads` in config.json names them, the weights are without them.

transformers 5 does not read `pruned_heads`, and builds every layer with all of its heads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PretrainedConfig, PreTrainedModel

from study.masking.sites import AttentionSite, find_sites
from study.record.errors import InputError
from study.subjects.pruned.remove import Kept, remove_heads

PRUNED_HEADS = "pruned_heads"


def take_pruned_heads(config: PretrainedConfig) -> dict[int, list[int]]:
    """The heads that were removed from each layer, counted among all that it had; the config forgets them.

    Raises:
        InputError: when they are not a list of numbers for each number of a layer.
    """
    named = vars(config).pop(PRUNED_HEADS, None) or {}
    try:
        return {int(layer): [int(head) for head in heads] for layer, heads in named.items() if heads}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{PRUNED_HEADS} in config.json does not name heads by layer: {named!r}") from error


def without_heads(architecture: type[PreTrainedModel], removed: Mapping[int, Sequence[int]]) -> type[PreTrainedModel]:
    """An architecture without some heads, by their layer, so that transformers reads the weights of such a model."""

    class Smaller(architecture):
        def __init__(self, config: PretrainedConfig, *inputs: Any, **options: Any) -> None:
            super().__init__(config, *inputs, **options)
            sites = find_sites(self, causal=False)
            remove_heads(self, sites, _kept(sites, removed))

    Smaller.__name__ = architecture.__name__
    return Smaller


def _kept(sites: Sequence[AttentionSite], removed: Mapping[int, Sequence[int]]) -> Kept:
    """The heads that stay.

    Raises:
        InputError: when a layer or a head is not the model's, or the layers of several attentions have one number.
    """
    layers = {site.layer: site for site in sites}
    wrong = [
        f"{head} of layer {layer}"
        for layer, heads in removed.items()
        for head in heads
        if layer not in layers or not 0 <= head < layers[layer].num_heads
    ]
    if wrong or len(layers) < len(sites):
        reason = f"the model has no head {', '.join(wrong)}" if wrong else "the model has several attentions a layer"
        raise InputError(f"{PRUNED_HEADS} in config.json cannot be followed: {reason}")
    return {
        site.name: [head for head in range(site.num_heads) if head not in removed.get(site.layer, ())] for site in sites
    }
