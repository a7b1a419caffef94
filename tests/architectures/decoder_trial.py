"""A trial: one tiny decoder, every unit of it off in turn, by the gate and by hand in plain transformers."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from study.certification.certify import certify
from study.engine.choose import choose_engine
from study.engine.precision import Precision, Screening
from study.observing.patterns import PatternError
from study.observing.proof import prove_patterns
from study.record.units import Group, Head, Mlp, Unit
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.ways import WAYS

from . import decoders

TOLERANCE = 1e-5
"""Largest difference that rounding may explain, as a share of the largest logit."""


MECHANISMS = {
    "falcon_h1": ["a state space beside the attention of each layer, which stays as it is"],
    "gpt_oss": ["attention sinks: the weights of a head sum to less than 1"],
    "deepseek_v3": ["latent attention: each head has keys and values of its own"],
    "qwen3_next": ["gated queries: what a head gives is multiplied by a gate before it is masked"],
}
"""What is peculiar to the attention of a row."""


@dataclass(frozen=True)
class Decoder:
    """What came out for a tiny decoder.

    Attributes:
        units: their numbers, in words.
        gates: the modules at which heads and MLPs are multiplied.
        proof: how the cut into heads was proved.
        patterns: how its attention patterns are seen, or why they cannot be told.
        engine: what computes it.
        notes: what else there is to say.
        faults: what is not as by hand, in words.
    """

    units: str
    gates: str
    proof: str
    patterns: str
    engine: str
    notes: str
    faults: tuple[str, ...]


def try_decoder(name: str) -> Decoder:
    """Certify a tiny model of this row, and try all of its units."""
    subject = decoders.subject(name)
    certificate = certify(subject)
    layout, gate = subject.layout, subject.gate
    paths = {part: path for path, part in subject.module.named_modules()}
    gated = [paths[part] for part in (*(site.projection for site in gate.sites), *(mlp.output for mlp in gate.mlps))]
    numbers = {"heads": len(layout), "groups": len(layout.key_groups), "MLPs": len(layout.mlps)}
    left_out = [f"no heads in {part}" for part in certificate.left_out]
    ways = subject.other_responses(subject.probe(), subject.as_xi(layout.each_off(layout.heads[:3])))
    other = [f"not the same without a mask: {way}" for way in WAYS if way not in ways]
    return Decoder(
        units=", ".join(f"{number} {kind}" for kind, number in numbers.items() if number),
        gates=", ".join(dict.fromkeys(map(_within_layer, gated))),
        proof=", ".join(certificate.proofs),
        patterns=sight(subject),
        engine=_engine(subject),
        notes="; ".join([*MECHANISMS.get(name, ()), *left_out, *other]),
        faults=tuple(_faults(subject, decoders.Plain(name))),
    )


def sight(subject: LanguageModel) -> str:
    """How the attention patterns of a model are seen and proved, or that they are refused."""
    try:
        proof = prove_patterns(subject)
    except PatternError:
        return "refused"
    return f"{proof}; contexts are gated" if proof.changed else str(proof)


def _within_layer(path: str) -> str:
    """The path of a module within its layer."""
    parts = path.split(".")
    number = next(i for i, part in enumerate(parts) if part.isdigit())
    return f"`{'.'.join(parts[number + 1 :])}`"


def _engine(subject: LanguageModel) -> str:
    log = logging.getLogger("study.engine.choose")
    log.disabled = True
    try:
        return choose_engine(subject, Precision.float32, Screening()).name
    finally:
        log.disabled = False


def _faults(subject: LanguageModel, plain: decoders.Plain) -> Iterator[str]:
    """Where a unit off is not that unit off by hand, and units that are missing."""
    own = plain.own
    expected = {Head(kind, layer, i) for kind in subject.layout.counts for layer in own.layers for i in range(4)}
    if set(subject.layout.heads) != expected:
        yield f"heads are {', '.join(map(str, subject.layout.heads))}"
    if own.groups < decoders.HEADS and len(subject.layout.key_groups) != own.groups * len(own.layers):
        yield f"groups are {', '.join(map(str, subject.layout.key_groups))}"
    if tuple(subject.layout.mlps) != (0, 1):
        yield f"MLPs are {list(subject.layout.mlps)}"
    row = subject.probe()[0]
    assert isinstance(row, LanguageRow)
    ids = torch.tensor([row.requests[0].read])
    scale = plain.logits(ids).abs().max().item()

    def said(unit: Unit | None) -> Tensor:
        mask = subject.layout.without([] if unit is None else [unit])
        return subject.response([row], subject.as_xi(mask[None]))[0]

    untouched = said(None)
    for unit in (*subject.layout.heads, *subject.layout.key_groups, *map(Mlp, subject.layout.mlps)):
        with _without(plain, unit):
            by_hand = plain.logits(ids)
        found = said(unit)
        if not (found - by_hand).abs().max().item() <= TOLERANCE * scale:
            yield f"{unit} off differs by {(found - by_hand).abs().max().item() / scale:.2g}"
        if torch.equal(found, untouched):
            yield f"{unit} off changes nothing"


def _without(plain: decoders.Plain, unit: Unit) -> AbstractContextManager[None]:
    match unit:
        case Head():
            return plain.without_head(unit.layer, unit.index)
        case Group():
            return plain.without_group(unit.layer, unit.index)
        case _:
            return plain.without_mlp(unit.layer)
