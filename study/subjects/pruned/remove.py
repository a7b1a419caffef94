"""Remove heads for real: their rows of queries, keys and values, and their columns of the output projection.

With grouped queries a key/value group goes with its last query head; a group that has fewer query heads than another
stays whole, and its keys and values are given to those that it has left.

Shapes: D size of a head.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.models.fsmt.modeling_fsmt import Attention as FsmtAttention
from transformers.models.t5.modeling_t5 import T5Attention
from transformers.pytorch_utils import Conv1D

from study.masking.sites import AttentionSite, heads_left
from study.record.errors import InputError
from study.subjects.pruned.attention import BiasedAttention, EmptyAttention, GroupProjection, TimeFirstAttention

Kept = Mapping[str, Sequence[int]]
"""The heads that an attention layer keeps, counted among those that its config gives it, by the name of its site."""

SEPARATE = (
    ("query", "key", "value"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("q", "k", "v"),
)
"""Names of the three projections in attention modules of transformers."""

FUSED = "c_attn"
"""GPT-2's: queries, keys and values of all heads, one after the other."""

COUNTS = ("num_attention_heads", "num_heads", "n_heads")
WIDTHS = ("all_head_size", "inner_dim", "split_size")
"""What attention modules remember of their number of heads, and of all heads' width."""


def remove_heads(module: PreTrainedModel, sites: Sequence[AttentionSite], kept: Kept) -> None:
    """Cut a model's attention layers, in place; they have to be found anew afterwards.

    Args:
        module: the model; no gate must be on it.
        sites: its attention layers.
        kept: heads that stay in each of them, ascending.

    Raises:
        InputError: when a projection is not known by name: the architecture cannot be pruned; or when the heads that
            are to stay are not the model's.
    """
    missing = [site.name for site in sites if site.name not in kept]
    unknown = sorted(kept.keys() - {site.name for site in sites})
    wrong = [
        f"{site.name} keeps {list(kept[site.name])} of {list(heads_left(site))}"
        for site in sites
        if site.name in kept
        and (list(kept[site.name]) != sorted(set(kept[site.name])) or set(kept[site.name]) - set(heads_left(site)))
    ]
    if missing or unknown or wrong:
        reasons = [*(f"{name} is not named" for name in missing), *(f"no {name} here" for name in unknown), *wrong]
        raise InputError("\n  - ".join([f"these heads are not those of {type(module).__name__}:", *reasons]))
    parts = {site.name: _projecting(module, site) for site in sites}  # refuse before anything is cut
    for site in sites:
        _cut(module, site, parts[site.name], tuple(kept[site.name]))


def _projecting(module: PreTrainedModel, site: AttentionSite) -> nn.Module:
    """See `find_projections`.

    Raises:
        InputError: when they are not known by name.
    """
    found = find_projections(module, site)
    if found is None:
        raise InputError(f"{type(module).__name__} cannot be pruned: {unknown_projections(site)}")
    return found


def find_projections(module: nn.Module, site: AttentionSite) -> nn.Module | None:
    """The module that has the queries, keys and values of an attention layer; None where it is not known by name."""
    above, path = [], site.name.split(".")
    for length in (len(path) - 1, len(path) - 2):
        around = module.get_submodule(".".join(path[:length]))
        above += [around, *around.children()]
    for part in above:
        if (hasattr(part, FUSED) and not hasattr(part, "q_attn")) or separate_names(part) is not None:
            return part
    return None


def unknown_projections(site: AttentionSite) -> str:
    """What is said of a layer whose projections are not found."""
    known = ", ".join("/".join(names) for names in SEPARATE)
    return f"{site.name} has no queries, keys and values of a known name ({known}, {FUSED})"


def separate_names(part: nn.Module) -> tuple[str, str, str] | None:
    """The names of a module's queries, keys and values."""
    return next((n for n in SEPARATE if all(isinstance(getattr(part, name, None), nn.Linear) for name in n)), None)


def _cut(module: PreTrainedModel, site: AttentionSite, attention: nn.Module, kept: tuple[int, ...]) -> None:
    before, size = heads_left(site), site.head_size
    rows = head_numbers([before.index(head) for head in kept], size)
    names = separate_names(attention)
    if names is None:
        fused = getattr(attention, FUSED)
        _select(fused, [row + part * len(before) * size for part in range(3) for row in rows], output=True)
    else:
        query, key, value = (getattr(attention, name) for name in names)
        _select(query, rows, output=True)
        per_group = heads_per_group(module)
        groups = list(dict.fromkeys(head // per_group for head in before))
        groups_left = list(dict.fromkeys(head // per_group for head in kept))
        group_rows = head_numbers([groups.index(group) for group in groups_left], size)
        for projection in (key, value):
            _select(projection, group_rows, output=True)
        if per_group > 1:
            _give_out(attention, (key, value), [groups_left.index(head // per_group) for head in kept], size)
    projection: Any = site.projection
    _select(projection, rows, output=False)
    if not kept and isinstance(projection, Conv1D):
        projection = _as_linear(projection)
        module.set_submodule(site.name, projection)
    projection.heads_left = kept
    _remember(attention, kept, size)


def heads_per_group(module: PreTrainedModel) -> int:
    """Query heads that share a key and a value, as the model was made."""
    config = module.config.get_text_config()
    all_heads, groups = getattr(config, "num_attention_heads", 1), getattr(config, "num_key_value_heads", None)
    return 1 if module.config.is_encoder_decoder or not groups else all_heads // groups


def _give_out(attention: Any, projections: Sequence[Any], group_of_head: list[int], size: int) -> None:
    """Tell grouped queries how many of them share a key, or which key is whose where the numbers differ."""
    shares = set(Counter(group_of_head).values())
    attention.num_key_value_groups = shares.pop() if len(shares) == 1 else 1
    uneven = bool(shares)
    for projection in projections:
        projection.__class__ = GroupProjection if uneven else nn.Linear
        projection.group_of_head, projection.head_dim = tuple(group_of_head), size


def _remember(attention: Any, kept: tuple[int, ...], size: int) -> None:
    """Let an attention module know its heads."""
    for name, value in [*((name, len(kept)) for name in COUNTS), *((name, len(kept) * size) for name in WIDTHS)]:
        if hasattr(attention, name):
            setattr(attention, name, value)
    kind = type(attention)
    if issubclass(kind, T5Attention):
        attention.__class__, attention.heads_left = BiasedAttention, kept
    elif kind in (FsmtAttention, TimeFirstAttention):
        attention.__class__ = TimeFirstAttention
    elif not kept:
        attention.__class__ = EmptyAttention


def head_numbers(places: Sequence[int], size: int) -> list[int]:
    """The rows of heads at these places, of so many numbers each."""
    return [place * size + i for place in places for i in range(size)]


def _select(projection: Any, numbers: Sequence[int], *, output: bool) -> None:
    """Keep these outputs, or these inputs, of a projection."""
    weight = projection.get_parameter("weight")
    chosen = torch.tensor(numbers, dtype=torch.long, device=weight.device)
    is_linear = isinstance(projection, nn.Linear)
    projection.weight = _chosen(weight, chosen, dim=0 if output == is_linear else 1)
    if output and getattr(projection, "bias", None) is not None:
        projection.bias = _chosen(projection.get_parameter("bias"), chosen, dim=0)
    number = ("out_features" if output else "in_features") if is_linear else ("nf" if output else "nx")
    setattr(projection, number, len(numbers))


def _chosen(parameter: nn.Parameter, chosen: torch.Tensor, dim: int) -> nn.Parameter:
    return nn.Parameter(parameter.detach().index_select(dim, chosen), requires_grad=parameter.requires_grad)


def _as_linear(projection: nn.Module) -> nn.Linear:
    """GPT-2's projection of nothing, as torch can compute it: its own kind cannot."""
    bias = projection.get_parameter("bias")
    with torch.device("meta"):
        linear = nn.Linear(1, len(bias))
    linear.in_features = 0
    linear.weight = nn.Parameter(bias.new_empty(len(bias), 0), requires_grad=bias.requires_grad)
    linear.bias = bias
    return linear
