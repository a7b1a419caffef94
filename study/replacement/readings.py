"""What the units of the un-masked model give at the tokens of passages, pass by pass.

Shapes: R rows of a pass, T tokens, H heads, D size of a head, d width of the model.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from study.masking.mlp_sites import MlpSite
from study.masking.sites import AttentionSite
from study.observing.batch import batches
from study.record.units import Layer
from study.subjects.subject import Subject
from study.subjects.tokens.passage import Passage

PASS_TOKENS = 4096
"""Tokens of a forward pass, padding included; one passage may have more."""


@dataclass
class Reading:
    """What the units gave in one pass.

    Attributes:
        heads: contexts of each layer's heads, once for every use of its weights.
        mlps: output of each MLP.
    """

    heads: dict[Layer, list[Float[Tensor, "R T H D"]]] = field(default_factory=dict)
    mlps: dict[int, Float[Tensor, "R T d"]] = field(default_factory=dict)


@torch.no_grad()
def readings(subject: Subject, passages: Sequence[Passage]) -> Iterator[tuple[list[int], Reading]]:
    """Read passages with every unit on, as many at once as fit.

    Returns:
        Positions of the passages of each pass, and what the units gave; rows that are shorter than others have
        numbers of padding at their ends.
    """

    def fits(number: int, source: int, target: int) -> bool:
        return number * (source + target) <= PASS_TOKENS

    for chosen in batches(passages, fits, pads=subject.pads_passages):
        own = [passages[i] for i in chosen.tolist()]
        with _recorded(subject, len(own)) as reading:
            subject.read(own)
        yield chosen.tolist(), reading


@contextmanager
def _recorded(subject: Subject, num_rows: int) -> Iterator[Reading]:
    """What the units give within the block."""
    reading = Reading()
    with ExitStack() as stack:
        stack.enter_context(subject.gate.masked(None))
        for site in subject.gate.sites:
            if site.num_heads:
                stack.callback(site.projection.register_forward_pre_hook(_head_reader(reading, site)).remove)
        for mlp in subject.gate.mlps:
            stack.callback(mlp.output.register_forward_hook(_mlp_reader(reading, mlp, num_rows)).remove)
        yield reading


def _head_reader(reading: Reading, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        heads = inputs[0].movedim(site.batch_dim, 0).unflatten(-1, (site.num_heads, -1))
        reading.heads.setdefault((site.kind, site.layer), []).append(heads)

    return read


def _mlp_reader(reading: Reading, mlp: MlpSite, num_rows: int) -> Callable[[nn.Module, Any, Any], None]:
    def read(_: nn.Module, __: Any, output: Any) -> None:
        given = output[0] if isinstance(output, tuple) else output
        reading.mlps[mlp.layer] = given if mlp.batch_dim is not None else given.unflatten(0, (num_rows, -1))

    return read
