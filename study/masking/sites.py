"""Where the heads of a model are: the output projection of each of its attentions.

An attention is a module of a class that is called so, and its output projection is found by the name that transformers
gives it. A model that has an attention whose projection is not known is refused, so that no head is silently missing.
What has no heads (linear attention, convolutions) or reads no text is left out, and named.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from study.record.errors import InputError
from study.record.units import AttentionKind

ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
"""In the names of attention modules' classes."""

PROJECTIONS = ("output.dense", "out_proj", "o_proj", "c_proj", "out_lin", "post_proj", "dense", "output", "Wo", "o")
"""Names of output projections within an attention module of transformers."""

QUERY = re.compile(r"(?:^|\.)(?:query|query_proj|q_proj|q_lin|q_head|q|q_attn)$")
"""Names of query projections within an attention module."""

FUSED = re.compile(r"(?:^|\.)(?:query_key_value|qkv_proj|qkv|Wqkv|in_proj|c_attn)$")
"""Names of projections that make queries, keys and values."""

CROSS = re.compile(r"encoder_attn|encdec|cross", re.IGNORECASE)

LINEAR = "linear_attention"
"""What configs of transformers call a layer whose attention has no heads that look at tokens."""

TOWER = re.compile(r"(?:.*?\.)?(?:vision|visual|audio)[^.]*")
"""The path of a part that reads no text, in a model that has such parts."""


@dataclass
class AttentionSite:
    """The output projection of one attention layer.

    Attributes:
        name: its path in the module.
        projection: the module whose input is gated: a Linear, or GPT-2's transposed Conv1D.
        num_heads: heads whose contexts, one after the other, are that input.
        num_groups: key/value groups, each of as many of these heads, one after the other; as many as heads where each
            has keys and values of its own; 0 where heads were removed from some groups more than from others.
        query: the projection that makes the queries of these heads; None where its name is not known.
        is_fused: whether it makes their keys and values as well.
        batch_dim: which axis of the input counts the rows: 0, or 1 where time comes first (FSMT).
        caller: the module that calls an attention function for it; None where none is called, see `Gate.learn`.
        attention: the module whose output projection it is.
    """

    name: str
    kind: AttentionKind
    layer: int
    projection: nn.Module
    num_heads: int
    num_groups: int = 0
    query: nn.Module | None = None
    is_fused: bool = False
    batch_dim: int = 0
    caller: nn.Module | None = field(default=None, repr=False)
    attention: nn.Module | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.kind} layer {self.layer} ({self.name})"

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


def heads_left(site: AttentionSite) -> tuple[int, ...]:
    """Its heads among those that the model's config gives it: not all of them where heads were removed."""
    return getattr(site.projection, "heads_left", tuple(range(site.num_heads)))


def find_sites(module: PreTrainedModel, *, causal: bool) -> list[AttentionSite]:
    """The output projections of a transformers model, by their names, in the order of its modules.

    Args:
        module: a transformers model; its config tells the number of heads.
        causal: whether self-attention outside an encoder-decoder looks back only (kind `decoder_self`).

    Raises:
        InputError: when an attention has no output projection of a known name, or two; when the model has no attention;
            or when a width is no multiple of its number of heads.
    """
    attentions = _attentions(module)
    projections = {name: _projections(name, attention) for name, attention in attentions.items()}
    sites = [
        _site(module, attention, name, causal=causal)
        for attention, names in projections.items()
        for name in names  # one at most
    ]
    unknown = [name for name in attentions if not _is_known(name, projections)]
    if unknown or not sites:
        where = ", ".join(f"{name} ({type(attentions[name]).__name__})" for name in unknown)
        raise InputError(
            f"{type(module).__name__} has {'an' if unknown else 'no'} attention whose output projection is "
            f"{'not ' if unknown else ''}known by name ({', '.join(PROJECTIONS)}): "
            f"{f'{where}: ' if unknown else ''}its heads cannot be masked"
        )
    return _numbered(sites)


def left_out(module: PreTrainedModel, sites: Sequence[AttentionSite]) -> list[str]:
    """The parts of a model that have no head in its layout, though others like them have, in words.

    These are layers without attention or with linear attention, towers that read no text, and the kinds of attention
    that an encoder-decoder has by its config, and no module of its own for.
    """
    with_heads: dict[str, set[int]] = {}
    for stack, layer in filter(None, (place_of(site.name) for site in sites)):
        with_heads.setdefault(stack, set()).add(layer)
    without = {
        stack: sorted(set(range(len(list(module.get_submodule(stack).children())))) - numbers)
        for stack, numbers in with_heads.items()
    }
    layers = [f"{stack} {', '.join(map(str, numbers))}" for stack, numbers in without.items() if numbers]
    towers = dict.fromkeys(_tower(module, name) for name, _ in _called_attention(module))
    kinds = set(AttentionKind) - {site.kind for site in sites} if module.config.is_encoder_decoder else set()
    return [*layers, *filter(None, towers), *(f"every {kind} attention" for kind in sorted(kinds))]


def _attentions(module: PreTrainedModel) -> dict[str, nn.Module]:
    """The attention modules that have heads and read text, by their paths; one may be part of another."""
    layer_types = getattr(module.config.get_text_config(), "layer_types", None) or ()
    linear = {i for i, layer_type in enumerate(layer_types) if layer_type == LINEAR}
    places = {name: place_of(name) for name, _ in _called_attention(module)}
    return {
        name: part
        for name, part in _called_attention(module)
        if not _tower(module, name) and not ((place := places[name]) and place[1] in linear)
    }


def _called_attention(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [
        (name, part)
        for name, part in module.named_modules()
        if ATTENTION.search(type(part).__name__) and next(part.parameters(), None) is not None
    ]


def _tower(module: PreTrainedModel, name: str) -> str | None:
    """The tower that a part belongs to, in a model whose text has a config of its own."""
    found = TOWER.match(name) if module.config.get_text_config() is not module.config else None
    return found[0] if found else None


def place_of(name: str) -> tuple[str, int] | None:
    """The stack of layers that a part stands in, and its number there; None where it stands in none."""
    stack, *inner = re.split(r"\.(\d+)(?:\.|$)", name, maxsplit=1)
    return (stack, int(inner[0])) if inner else None


def _projections(name: str, attention: nn.Module) -> list[str]:
    """The path of an attention's output projection; nothing where it has none itself, only attentions within it have.

    Raises:
        InputError: when two of its parts are called so, or when it is quantised.
    """
    parts = dict(attention.named_modules())
    called_so = [projection for projection in PROJECTIONS if projection in parts]
    found = [f"{name}.{projection}" for projection in called_so if is_matrix(parts[projection])]
    for projection in called_so:
        if _is_packed(parts[projection]):
            raise InputError(
                f"{name}.{projection} ({type(parts[projection]).__name__}) is quantised: no mask is exact "
                "where weights are not floating point. Load the model dequantised"
            )
    if len(found) > 1:
        raise InputError(f"two output projections for one attention: {' and '.join(found)}")
    return found


def is_matrix(part: nn.Module) -> bool:
    """Whether a part is a projection whose columns can be set to zero."""
    weight = getattr(part, "weight", None)
    return isinstance(weight, Tensor) and weight.dim() == 2 and weight.is_floating_point()


def _is_packed(part: nn.Module) -> bool:
    """Whether a part has weights of its own, packed as integers."""
    own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
    return not is_matrix(part) and any(not tensor.is_floating_point() for tensor in own)


def _is_known(name: str, projections: Mapping[str, Sequence[str]]) -> bool:
    """Whether an attention, or what it is part of, or what is part of it, has its output projection."""
    return any(
        found and (f"{name}.".startswith(f"{other}.") or other.startswith(f"{name}."))
        for other, found in projections.items()
    )


def _site(module: PreTrainedModel, attention: str, name: str, *, causal: bool) -> AttentionSite:
    config, projection = module.config, module.get_submodule(name)
    in_decoder = bool(config.is_encoder_decoder) and ".decoder." in f".{name}."
    last = next(part for part in reversed(attention.split(".")) if not part.isdigit())
    left = getattr(projection, "heads_left", None)
    place = place_of(name)
    query = _query(module.get_submodule(attention), QUERY)
    fused = None if query else _query(module.get_submodule(attention), FUSED)
    num_heads = _num_heads(config, decoder=in_decoder)
    num_groups = _num_groups(_part(config, decoder=in_decoder), num_heads)
    site = AttentionSite(
        name,
        _kind(last, self_kind_is_decoder=in_decoder or (causal and not config.is_encoder_decoder)),
        layer=place[1] if place else 0,
        projection=projection,
        num_heads=num_heads if left is None else len(left),
        attention=module.get_submodule(attention),
        num_groups=num_groups if left is None else _groups_left(left, num_heads // num_groups),
        query=query or fused,
        is_fused=fused is not None,
    )
    if site.width % max(site.num_heads, 1):
        raise InputError(f"{name}: its input of {site.width} cannot be split into {site.num_heads} heads")
    return site


def _kind(attention: str, *, self_kind_is_decoder: bool) -> AttentionKind:
    if CROSS.search(attention):
        return AttentionKind.CROSS
    return AttentionKind.DECODER_SELF if self_kind_is_decoder else AttentionKind.ENCODER_SELF


def _query(attention: nn.Module, names: re.Pattern[str]) -> nn.Module | None:
    """The projection of an attention module that is called so, where there is one."""
    found = [part for name, part in attention.named_modules() if names.search(name)]
    return found[0] if len(found) == 1 and is_matrix(found[0]) else None


def _part(config: Any, *, decoder: bool) -> Any:
    """The config of the encoder or the decoder, where they have one each."""
    part = getattr(config, "decoder" if decoder else "encoder", None) if config.is_encoder_decoder else None
    return (part if isinstance(part, PreTrainedConfig) else config).get_text_config()


def _num_groups(config: Any, num_heads: int) -> int:
    """Key/value groups of a layer as a config has them; a pass of the model may show others, see `Gate.learn`."""
    if getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False):
        return 1
    number = getattr(config, "num_key_value_heads", None) or getattr(config, "num_kv_heads", None)
    return number if isinstance(number, int) and not num_heads % number else num_heads


def _groups_left(heads: Sequence[int], group_size: int) -> int:
    """Key/value groups of the heads that were not removed; 0 where these have left groups of different sizes."""
    sizes = Counter(head // group_size for head in heads)
    return len(sizes) if len(set(sizes.values())) <= 1 else 0


def _num_heads(config: Any, *, decoder: bool) -> int:
    side = "decoder_attention_heads" if decoder else "encoder_attention_heads"
    own = _part(config, decoder=decoder)
    count = getattr(config, side, None) or getattr(own, "num_attention_heads", None)
    if not isinstance(count, int):
        raise InputError(f"the model's config names no number of heads ({side} or num_attention_heads)")
    return count


def _numbered(sites: Sequence[AttentionSite]) -> list[AttentionSite]:
    """Sites with one number a layer: the model's own, or 0, 1, 2 ... where stacks of layers stand one after the other.

    Attentions that share one weight are one layer.
    """
    first = {id(site.projection.weight): site for site in reversed(sites)}
    for kind in AttentionKind:
        own = [site for site in first.values() if site.kind is kind]
        if len({site.layer for site in own}) < len(own):
            for layer, site in enumerate(reversed(own)):
                site.layer = layer
    for site in sites:
        site.layer = first[id(site.projection.weight)].layer
    return list(sites)
