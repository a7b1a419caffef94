"""Certification: proof, on a small batch, that masking a subject's heads does what it says.

Silence is how tools of this field got it wrong (an ignored `head_mask=`, heads cut from the wrong axis), so no
subject is studied before all of this holds, and every reason for a refusal is given at once:

1. the full mask gives what the untouched model gives;
2. a mask gives what zeroing the columns of the output projections gives, which is what removing the heads gives, and
   what zeroing all weights of the MLPs that are off gives;
3. rows of one batch with different masks do not mix;
4. every other way of running the model (decoding with a cache, padding) gives the same under a mask;
5. the numbers that are masked for a head are that head's, all of them and no other's, and the heads of a group are off
   where its values are zero, see `head_columns`;
6. every unit's mask reaches the output. A head that contributes nothing is reported as dead, not refused, unless none
   contributes (attention whose kernel is not on this machine may compute zeros).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from study.certification.head_columns import Proof, try_cut, unchanged
from study.record.errors import StudyError
from study.record.units import Head, HeadLayout, Mlp
from study.subjects.subject import Subject, TokenRow
from study.terminal.once import say_once

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest value of the model's response, that rounding may explain."""

_NOT_ZERO = (
    "a mask is not its heads' columns set to zero",
    "a mask is not its heads' columns and its MLPs' weights set to zero",
)
"""What is said where only heads can be masked, and where MLPs can be as well."""

NUM_MASKS = 4
ROWS_AT_ONCE = 48


class CertificationError(StudyError):
    """Masking this model's heads was not proved exact."""

    def __init__(self, loaded: str, reasons: Sequence[str]) -> None:
        super().__init__("\n  - ".join([f"the heads of {loaded} cannot be masked exactly:", *reasons]))
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Certificate:
    """What was proved.

    Attributes:
        largest_difference: between masking and its references, as a share of the largest value of the response.
        dead: heads and MLPs whose mask changes nothing; their effect is exactly zero.
        proofs: how the cut of the layers into heads was proved, each way once.
        left_out: parts of the model without a head, in words.
    """

    largest_difference: float
    dead: tuple[Head | Mlp, ...]
    proofs: tuple[Proof, ...]
    left_out: tuple[str, ...] = ()


@torch.no_grad()
def certify(subject: Subject) -> Certificate:
    """Prove a subject's gate.

    Raises:
        CertificationError: with all the reasons.
    """
    rows = subject.probe()
    untouched = subject.response(rows, None)
    scale = untouched.abs().max().item() or 1.0
    masks = random_masks(subject.layout, max(NUM_MASKS, len(rows)))
    masked = [subject.response(rows, _on_all(subject, mask, len(rows))) for mask in masks]

    differences: dict[str, float] = {}

    def compare(what: str, found: Tensor, expected: Tensor) -> None:
        difference = (found - expected).abs().max().item() / scale
        differences[what] = max(difference, differences.get(what, 0.0))

    full = _on_all(subject, subject.layout.full(), len(rows))
    compare("the full mask is not the untouched model", subject.response(rows, full), untouched)
    for mask, response in zip(masks, masked, strict=True):
        compare(_NOT_ZERO[bool(subject.layout.mlps)], response, _with_columns_zeroed(subject, rows, mask))
    mixed = subject.as_xi(masks[: len(rows)])
    own = torch.stack([masked[i][i] for i in range(len(rows))])
    compare("rows of one batch with different masks mix", subject.response(rows, mixed), own)
    for way, response in subject.other_responses(rows, mixed).items():
        compare(f"{way} does not agree with the plain pass under a mask", response, own)

    reasons = [f"{what} (differs by {d:.2g} of the largest value)" for what, d in differences.items() if d > TOLERANCE]
    reasons += [f"{what} (not a number)" for what, d in differences.items() if np.isnan(d)]
    if reasons:
        reasons += _layers_at_fault(subject, rows, scale)
    cut = try_cut(subject, rows[0])
    reasons += cut.faults
    if reasons:
        raise CertificationError(subject.loaded, reasons)
    dead = _dead_units(subject, rows)
    dead_heads = [str(unit) for unit in dead if isinstance(unit, Head)]
    if dead and len(dead_heads) == len(subject.layout):
        raise CertificationError(subject.loaded, ["no head's mask changes anything that the model says"])
    dead_heads = [head for head in dead_heads if head not in set(map(str, subject.silent))]
    if dead_heads:
        words = "%s: %d dead heads, their masks change nothing: %s"
        say_once(log.warning, words, subject.loaded, len(dead_heads), ", ".join(dead_heads))
    if dead_mlps := [str(unit) for unit in dead if isinstance(unit, Mlp)]:
        words = "%s: %d dead MLPs, their masks change nothing: %s"
        say_once(log.warning, words, subject.loaded, len(dead_mlps), ", ".join(dead_mlps))
    if left_out := tuple(subject.gate.left_out):
        words = "%s: left out, as it has no heads that read text: %s"
        say_once(log.warning, words, subject.loaded, "; ".join(left_out))
    return Certificate(max(differences.values()), dead, tuple(dict.fromkeys(cut.proofs.values())), left_out)


def _on_all(subject: Subject, mask: Bool[np.ndarray, " width"], num_rows: int) -> Tensor:
    """One mask on every row."""
    return subject.as_xi(np.tile(mask, (num_rows, 1)))


def random_masks(layout: HeadLayout, number: int) -> Bool[np.ndarray, "masks width"]:
    """Masks with about half of the units off at random, so that each is off in some and on in others."""
    half = np.random.default_rng(0).random((number, layout.width)) < 0.5
    half[1::2] = ~half[::2][: len(half[1::2])]
    return half


@contextmanager
def columns_zeroed(subject: Subject, mask: Bool[np.ndarray, " width"]) -> Iterator[None]:
    """The output projections' columns of the heads that are off, and the weights of the MLPs, zero within the block."""
    gate, layout = subject.gate, subject.layout
    views = [gate.site(head).head_columns(head.index) for head in layout.changed(mask)]
    absent = [weight for mlp in layout.silent_mlps(mask) for weight in gate.mlp_site(mlp).weights]
    kept = [weight.data for weight in absent]
    with unchanged(views):
        for view in views:
            view.zero_()
        zeros: dict[tuple[Any, ...], Tensor] = {}  # one for all weights of a shape, so that it takes little memory
        for weight in absent:
            kind = (weight.shape, weight.dtype, weight.device)
            weight.data = zeros[kind] = zeros[kind] if kind in zeros else torch.zeros_like(weight)
        try:
            yield
        finally:
            for weight, numbers in zip(absent, kept, strict=True):
                weight.data = numbers


def _with_columns_zeroed(subject: Subject, rows: Sequence[TokenRow], mask: Bool[np.ndarray, " width"]) -> Tensor:
    with columns_zeroed(subject, mask):
        return subject.response(rows, None)


def _layers_at_fault(subject: Subject, rows: Sequence[TokenRow], scale: float) -> list[str]:
    """The attention layers in which masking every head is not zeroing the projection, and the MLPs that do not go."""
    gate, layout = subject.gate, subject.layout
    tried = [(str(site), layout.without_layer((site.kind, site.layer))) for site in gate.sites if site.num_heads]
    tried += [(str(mlp), layout.without([Mlp(mlp.layer)])) for mlp in gate.mlps]
    faults = []
    for site, mask in tried:
        found = subject.response(rows, _on_all(subject, mask, len(rows)))
        difference = (found - _with_columns_zeroed(subject, rows, mask)).abs().max().item() / scale
        if not difference <= TOLERANCE:
            faults.append(f"{site}: differs by {difference:.2g}")
    return faults


def _dead_units(subject: Subject, rows: Sequence[TokenRow]) -> tuple[Head | Mlp, ...]:
    """Units whose mask changes no row's response; the last row is tried first, the others where it does not change."""
    suspects: list[Head | Mlp] = [*subject.layout.heads, *map(Mlp, subject.layout.mlps)]
    at_once = min(len(suspects), ROWS_AT_ONCE)
    for index in reversed(range(len(rows))):
        batch = [rows[index]] * at_once
        alone = subject.response(batch, _on_all(subject, subject.layout.full(), at_once))
        still: list[Head | Mlp] = []
        for start in range(0, len(suspects), at_once):
            units = suspects[start : start + at_once]
            masks = subject.layout.each_off([*units, *[units[-1]] * (at_once - len(units))])
            changes = (subject.response(batch, subject.as_xi(masks)) - alone).abs().amax(dim=1)
            still += [unit for unit, change in zip(units, changes.tolist(), strict=False) if change == 0.0]
        if not still:
            return ()
        suspects = still
    return tuple(suspects)
