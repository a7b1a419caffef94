"""Pruned models that transformers' own configs can express: as many heads in every layer, of a size that is free.

Of Llama and its kin (`head_dim` in the config) every layer must keep as many key/value groups, each with as many query
heads. Of T5 (`d_kv`) every layer must keep as many heads, and all layers of one side the same ones, as they share the
position bias of each head.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel, T5Config

from study.masking.sites import AttentionSite, heads_left
from study.subjects.pruned.attention import GroupProjection


def as_plain(module: PreTrainedModel, sites: Sequence[AttentionSite]) -> PreTrainedModel | None:
    """The model as transformers builds it from a config with fewer heads; None where no config says it."""
    counts = {site.num_heads for site in sites}
    if len(counts) != 1 or 0 in counts or any(isinstance(part, GroupProjection) for part in module.modules()):
        return None
    config = _config(module, sites, counts.pop())
    if config is None:
        return None
    with torch.random.fork_rng():
        plain = type(module)(config)
    weights = module.state_dict()
    for site in sites:
        bias = f"{site.name.removesuffix('.o')}.relative_attention_bias.weight"
        if bias in weights:
            weights[bias] = weights[bias][:, list(heads_left(site))]
    if {name: x.shape for name, x in weights.items()} != {name: x.shape for name, x in plain.state_dict().items()}:
        return None
    plain.load_state_dict(weights)
    return plain.eval()


def _config(module: PreTrainedModel, sites: Sequence[AttentionSite], num_heads: int) -> PretrainedConfig | None:
    """The model's config with fewer heads."""
    config = deepcopy(module.config)
    if isinstance(config, T5Config):
        kept = {
            (site.kind, heads_left(site)) for site in sites if site.name.endswith("SelfAttention.o")
        }  # not those that look at the source
        if len(kept) > len({kind for kind, _ in kept}):
            return None
        config.num_heads = num_heads
    elif hasattr(config, "head_dim") and hasattr(config, "num_key_value_heads"):
        key = next(part for name, part in module.named_modules() if name.endswith(".k_proj"))
        assert isinstance(key, nn.Linear)
        config.head_dim = sites[0].head_size
        config.num_attention_heads, config.num_key_value_heads = num_heads, key.out_features // sites[0].head_size
    else:
        return None
    return config
