"""Other ways to run a language model than the plain pass over rows of one length: what they say must be the same.

Shapes: R rows, T tokens, V words.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from study.masking.gate import Gate

Way = Callable[[PreTrainedModel, Tensor, Gate], Float[Tensor, "R T V"]]
"""What a model says of rows of one length; the gate is told the positions of tokens where they are not 0, 1, 2 ..."""

ROUNDING = 1e-4
"""Largest difference, as a share of the largest logit, that rounding may explain."""


def other_ways(
    module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate, xi: Float[Tensor, "R width"], number: int
) -> dict[str, Float[Tensor, "R out"]]:
    """What the model says under a mask, by name of the way; without those ways in which it says otherwise without one.

    Args:
        module: the model.
        ids: rows of one length.
        gate: masks the model.
        xi: the masks.
        number: how many of the last tokens count.
    """
    plain = _plain(module, ids)
    found = {}
    for name, way in WAYS.items():
        untouched = _attempt(way, module, ids, gate)
        if untouched is None or not (untouched - plain).abs().max() <= ROUNDING * plain.abs().max():
            continue  # the model itself does not do it
        with gate.masked(xi):
            found[name] = way(module, ids, gate)[:, -number:].float().cpu().flatten(1)
    return found


def _attempt(way: Way, module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate) -> Float[Tensor, "R T V"] | None:
    try:
        return way(module, ids, gate)
    except Exception:  # noqa: BLE001 (what an architecture does not do is told by errors of many kinds)
        return None


def _plain(module: PreTrainedModel, ids: Int[Tensor, "R T"]) -> Float[Tensor, "R T V"]:
    return module(input_ids=ids, use_cache=False).logits


def _with_cache(module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate) -> Float[Tensor, "R T V"]:
    """The first half at once, then token by token."""
    half = ids.shape[1] // 2
    output = module(input_ids=ids[:, :half], use_cache=True)
    logits = [output.logits]
    for position, token in enumerate(ids[:, half:].split(1, dim=1), half):
        with gate.part(slice(None), positions=torch.full((1, 1), position, device=ids.device)):
            output = module(input_ids=token, past_key_values=output.past_key_values, use_cache=True)
        logits.append(output.logits)
    return torch.cat(logits, dim=1)


def _padded_left(module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate) -> Float[Tensor, "R T V"]:
    """Each row behind another number of padding tokens, positions counted from its first token."""
    return _padded(module, ids, gate, left=True)


def _padded_right(module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate) -> Float[Tensor, "R T V"]:
    return _padded(module, ids, gate, left=False)


def _padded(module: PreTrainedModel, ids: Int[Tensor, "R T"], gate: Gate, *, left: bool) -> Float[Tensor, "R T V"]:
    """Rows among padding, row r with r + 1 tokens of it on one side and the rest on the other."""
    num_rows, length = ids.shape
    pads = torch.arange(1, num_rows + 1, device=ids.device) if left else torch.zeros(num_rows, device=ids.device).long()
    wide = ids.new_zeros(num_rows, length + num_rows)
    places = pads[:, None] + torch.arange(length, device=ids.device)
    wide.scatter_(1, places, ids)
    present = torch.zeros_like(wide).scatter_(1, places, 1)
    counted = "position_ids" in signature(module.forward).parameters
    positions = (present.cumsum(1) - 1).clamp(min=0)
    given = {"position_ids": positions} if counted else {}
    with gate.part(slice(None), positions=positions):
        logits = module(input_ids=wide, attention_mask=present, use_cache=False, **given).logits
    return logits.gather(1, places[..., None].expand(-1, -1, logits.shape[-1]))


def _other_attention(module: PreTrainedModel, ids: Int[Tensor, "R T"], _: Gate) -> Float[Tensor, "R T V"]:
    """Eager attention where it is sdpa, and sdpa where it is eager."""
    with _attention(module, "eager" if module.config._attn_implementation != "eager" else "sdpa"):
        return _plain(module, ids)


@contextmanager
def _attention(module: PreTrainedModel, name: str) -> Iterator[None]:
    before = str(module.config._attn_implementation)
    module.set_attn_implementation(name)
    try:
        yield
    finally:
        module.set_attn_implementation(before)


WAYS: dict[str, Way] = {
    "decoding with a cache": _with_cache,
    "padding on the left": _padded_left,
    "padding on the right": _padded_right,
    "another implementation of attention": _other_attention,
}
