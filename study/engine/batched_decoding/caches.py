"""Keys and values of a decoder that carries many searches: those of the target so far, and those of the source."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from study.engine.batched_decoding.replaced import mean_present
from study.engine.batched_decoding.shared_states import Nodes

HIDDEN = -1e30
"""Added to the score of what must not be seen; its weight is then exactly 0."""

FEWEST_COLUMNS = 16
"""torch's softmax of shorter rows takes ten times as long on a CPU."""

STEPS_BETWEEN = 4
"""Steps after which slots that no beam descends from are squeezed out."""

FEWEST = 0.75
"""Share of the groups that still search below which those that do not are left out."""


def attend(
    query: Float[Tensor, "B H Q D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D"],
    bias: Float[Tensor, "B #H #Q S"] | None,
) -> Float[Tensor, "B Q H D"]:
    """Contexts of queries that are already scaled; the bias is added to the scores."""
    score = query @ key.transpose(2, 3)
    if bias is not None:
        score += bias
    seen = score.shape[-1]
    if seen < FEWEST_COLUMNS:
        score = functional.pad(score, (0, FEWEST_COLUMNS - seen), value=HIDDEN)
    return (score.softmax(-1)[..., :seen] @ value).transpose(1, 2)


class TargetCache:
    """Self-attention of one decoder layer, each node to itself and its ancestors.

    A group of one pair has W nodes a step: they look at the slots of the group, and each sees its ancestors. A group of
    several pairs has any number of nodes; these are few, and each keeps its own past.
    """

    def __init__(self, num_heads: int, num_shared: int) -> None:
        """Begin with nothing; the groups that have several pairs, `num_shared` of them, come first."""
        self._num_heads, self._num_shared = num_heads, num_shared
        self._before = 0  # nodes of shared groups in the last step
        self._paths, self._beams = PathCache(), BeamCache()

    def attend(self, qkv: Float[Tensor, "N qkv"], nodes: Nodes, width: int) -> Float[Tensor, "N d"]:
        """Take the next token of every node, its query scaled, and give its context; `width` is W in this step."""
        query, key, value = qkv.view(len(qkv), 3, self._num_heads, -1).unbind(1)
        shared = int((nodes.group < self._num_shared).sum()) if self._num_shared else 0
        contexts = []
        if shared:
            parent = None if nodes.parent is None else nodes.parent[:shared]
            contexts.append(self._paths.attend(query[:shared], key[:shared], value[:shared], parent))
        if shared < len(qkv):
            group_G = nodes.group[shared::width] - self._num_shared
            beam = None if nodes.parent is None else nodes.parent[shared:] - self._before
            query, key, value = (x[shared:].unflatten(0, (-1, width)) for x in (query, key, value))
            contexts.append(self._beams.attend(query, key, value, group_G, beam))
        self._before = shared
        return contexts[0] if len(contexts) == 1 else torch.cat(contexts)


class PathCache:
    """Keys and values of each node's own past."""

    def __init__(self) -> None:
        self._key_value: tuple[Tensor, Tensor] | None = None

    def attend(
        self,
        query: Float[Tensor, "N H D"],
        key: Float[Tensor, "N H D"],
        value: Float[Tensor, "N H D"],
        parent: Int[Tensor, " N"] | None,
    ) -> Float[Tensor, "N d"]:
        """Contexts of nodes that continue these of the last step."""
        key_NHTD, value_NHTD = key[:, :, None], value[:, :, None]
        if parent is not None and self._key_value is not None:
            key_NHTD = torch.cat([self._key_value[0][parent], key_NHTD], dim=2)
            value_NHTD = torch.cat([self._key_value[1][parent], value_NHTD], dim=2)
        self._key_value = key_NHTD, value_NHTD
        return attend(query[:, :, None], key_NHTD, value_NHTD, None).flatten(1)


class BeamCache:
    """Keys and values of groups of W beams: appended to, never reordered.

    Each beam sees the slots of its ancestors. Slots that no beam sees and groups that search no more are left out now
    and then.
    """

    def __init__(self) -> None:
        self._slots = self._steps = 0
        self._width = 1  # W of the last step

    def attend(
        self,
        query: Float[Tensor, "G W H D"],
        key: Float[Tensor, "G W H D"],
        value: Float[Tensor, "G W H D"],
        group: Int[Tensor, " G"],
        parent: Int[Tensor, " N"] | None,
    ) -> Float[Tensor, "N d"]:
        """Contexts of nodes that continue these of the last step; `group` is the number of each group that searches."""
        groups, width = query.shape[:2]
        if parent is None:
            self._begin(key)
        elif self._steps == STEPS_BETWEEN or groups < FEWEST * len(self._bias_GWL):
            self._squeeze(group)
        place = self._place_G[group]
        end = self._slots + width
        self._see(place, None if parent is None else parent.view(groups, width) % self._width)
        whole = groups == len(self._bias_GWL)
        for cache, new in ((self._key_GHLD, key), (self._value_GHLD, value)):
            cache[slice(None) if whole else place, :, self._slots : end] = new.transpose(1, 2)
        if not whole:
            query = query.new_zeros(len(self._bias_GWL), *query.shape[1:]).index_copy_(0, place, query)
        self._slots, self._steps, self._width = end, self._steps + 1, width
        context_GWHD = attend(
            query.transpose(1, 2), self._key_GHLD[:, :, :end], self._value_GHLD[:, :, :end], self._bias_GWL[:, None]
        )
        return (context_GWHD if whole else context_GWHD[place]).reshape(groups * width, -1)

    def _begin(self, key: Float[Tensor, "G W H D"]) -> None:
        groups, _, heads, size = key.shape
        self._place_G = torch.arange(groups, device=key.device)
        self._bias_GWL = key.new_zeros(groups, 1, 0)
        self._key_GHLD, self._value_GHLD = (key.new_zeros(groups, heads, 1, size) for _ in "kv")

    def _see(self, place: Int[Tensor, " G"], beam: Int[Tensor, "G W"] | None) -> None:
        """Let each node see what the beam of the last step saw that it continues, and itself."""
        own_WW = torch.full((1, 1), 0.0, device=place.device)
        bias_GWL = self._bias_GWL
        if beam is not None:
            width = beam.shape[1]
            own_WW = torch.full((width, width), HIDDEN, device=place.device).fill_diagonal_(0)
            bias_GWL = bias_GWL.new_full((len(bias_GWL), width, self._slots), HIDDEN)
            bias_GWL[place] = self._bias_GWL[place[:, None], beam]
        self._bias_GWL = torch.cat([bias_GWL, own_WW.expand(len(bias_GWL), *own_WW.shape)], dim=2)
        self._make_room(self._slots + len(own_WW))

    def _make_room(self, slots: int) -> None:
        """Have as many slots, and some for the steps to come."""
        short = slots - self._key_GHLD.shape[2]
        if short > 0:
            groups, heads, _, size = self._key_GHLD.shape
            more = self._key_GHLD.new_zeros(groups, heads, STEPS_BETWEEN * short, size)
            self._key_GHLD = torch.cat([self._key_GHLD, more], dim=2)
            self._value_GHLD = torch.cat([self._value_GHLD, more], dim=2)

    def _squeeze(self, group: Int[Tensor, " G"]) -> None:
        """Keep only these groups, and of each the slots that are seen, in their order."""
        place = self._place_G[group]
        bias_GWL = self._bias_GWL[place]
        seen_GL = (bias_GWL == 0).any(1)
        kept = int(seen_GL.sum(1).max())
        slot_GL = seen_GL.int().argsort(dim=1, descending=True, stable=True)[:, :kept]
        self._bias_GWL = bias_GWL.gather(2, slot_GL[:, None].expand(-1, bias_GWL.shape[1], -1))
        self._key_GHLD, self._value_GHLD = (
            _kept(cache, place, slot_GL, room=STEPS_BETWEEN * self._width)
            for cache in (self._key_GHLD, self._value_GHLD)
        )
        self._place_G[group] = torch.arange(len(group), device=group.device)
        self._slots, self._steps = kept, 0


def _kept(
    cache: Float[Tensor, "G H L D"], place: Int[Tensor, " g"], slot: Int[Tensor, "g l"], room: int
) -> Float[Tensor, "g H roomy D"]:
    """These slots of these groups, and room for more."""
    _, heads, slots, size = cache.shape
    row_gHl = (place[:, None] * heads + torch.arange(heads, device=place.device))[:, :, None] * slots + slot[:, None]
    kept = cache.new_zeros(len(slot), heads, slot.shape[1] + room, size)
    kept[:, :, : slot.shape[1]] = cache.reshape(-1, size).index_select(0, row_gHl.flatten()).view(*row_gHl.shape, size)
    return kept


@dataclass(frozen=True)
class Lanes:
    """Where the queries of each node stand among those that look at the same source.

    Attributes:
        node: place of each node's queries.
        sizes: for each bin of sources, how many queries each source has room for.
    """

    node: Int[Tensor, " N"]
    sizes: Sequence[int]


class SourceCache:
    """Cross-attention: keys and values of each source (encoder states of a sentence under a mask), for every layer.

    Sources lie in bins of those that about as many pairs look at, so that few places for queries stay empty.
    """

    def __init__(self, bins: Sequence[int], absent: Float[Tensor, "K S"] | None) -> None:
        """Begin without a layer; sources are numbered through the bins, `absent` is `HIDDEN` at padding."""
        self._bins, self._absent_KS = list(bins), absent
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._number_K: Tensor | None = None

    def add_layer(self, key_value: Float[Tensor, "K S kv"], num_heads: int) -> None:
        """Take the keys and values of the next layer."""
        key, value = key_value.unflatten(2, (2, num_heads, -1)).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        self._layers.append((key, value))

    def mean_values(self, layer: int) -> Float[Tensor, "K c"]:
        """The mean of the values of each source in a layer, before any is forgotten."""
        return mean_present(self._layers[layer][1], self._absent_KS).flatten(1)

    def keep(self, sources: Int[Tensor, " k"]) -> None:
        """Forget all but these, where it pays; they keep their numbers."""
        if len(sources) >= FEWEST * sum(self._bins):
            return
        number = sources if self._number_K is None else self._number_K[sources]
        ends = torch.tensor(self._bins, device=number.device).cumsum(0)
        self._bins = torch.searchsorted(number, ends).diff(prepend=ends.new_zeros(1)).tolist()
        self._layers = [(key[number], value[number]) for key, value in self._layers]
        self._absent_KS = None if self._absent_KS is None else self._absent_KS[number]
        renumbered = torch.zeros(int(sources.max()) + 1, dtype=torch.long, device=number.device)
        renumbered[sources] = torch.arange(len(sources), device=number.device)
        self._number_K = renumbered

    def lanes(self, source: Int[Tensor, " N"]) -> Lanes:
        """Put nodes side by side that look at the same source."""
        if self._number_K is not None:
            source = self._number_K[source]
        count_K = source.bincount(minlength=sum(self._bins))
        sizes = torch.stack([count.max() for count in count_K.split(self._bins) if len(count)]).tolist()
        sizes = [sizes.pop(0) if number else 0 for number in self._bins]
        room = torch.tensor(sizes, device=source.device).repeat_interleave(
            torch.tensor(self._bins, device=source.device)
        )
        lane_K = room.cumsum(0) - room
        ordered, order = source.sort(stable=True)
        rank = torch.arange(len(source), device=source.device) - (count_K.cumsum(0) - count_K)[ordered]
        return Lanes(torch.empty_like(order).index_copy_(0, order, lane_K[ordered] + rank), sizes)

    def attend(self, layer: int, query: Float[Tensor, "N d"], lanes: Lanes) -> Float[Tensor, "N d"]:
        """Contexts of queries that are already scaled."""
        places = [size * number for size, number in zip(lanes.sizes, self._bins, strict=True)]
        laid = query.new_zeros(sum(places), query.shape[1]).index_copy_(0, lanes.node, query)
        key, value = self._layers[layer]
        contexts, first = [], 0
        for rows, number in zip(laid.split(places), self._bins, strict=True):
            if len(rows):
                own = slice(first, first + number)
                query_KHQD = rows.view(number, -1, key.shape[1], key.shape[3]).transpose(1, 2)
                bias = None if self._absent_KS is None else self._absent_KS[own, None, None]
                contexts.append(attend(query_KHQD, key[own], value[own], bias).reshape(len(rows), -1))
            first += number
        return torch.cat(contexts).index_select(0, lanes.node)
