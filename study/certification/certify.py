"""Certification: proof, on a small batch, that masking a subject's heads does what it says.

Silence is how tools of this field got it wrong (an ignored `head_mask=`, heads cut from the wrong axis), so no
subject is studied before all of this holds, and every reason for a refusal is given at once:

1. the full mask gives what the untouched model gives;
2. a mask gives what zeroing the columns of the output projections gives, which is what removing the heads gives;
3. rows of one batch with different masks do not mix;
4. every other way of running the model (decoding with a cache) gives the same under a mask;
5. the numbers that are masked for a head are that head's, all of them and no other's, see `head_columns`;
6. every head's mask reaches the output. A head that contributes nothing is reported as dead, not refused, unless none
   contributes (attention whose kernel is not on this machine may compute zeros).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from study.certification.head_columns import unchanged, wrongly_cut
from study.record.errors import StudyError
from study.record.units import Head, HeadLayout
from study.subjects.subject import Subject, TokenRow

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest value of the model's response, that rounding may explain."""

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
        dead: heads whose mask changes nothing; their effect is exactly zero.
        left_out: parts of the model without a head, in words.
    """

    largest_difference: float
    dead: tuple[Head, ...]
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
        compare("a mask is not its heads' columns set to zero", response, _with_columns_zeroed(subject, rows, mask))
    mixed = subject.as_xi(masks[: len(rows)])
    own = torch.stack([masked[i][i] for i in range(len(rows))])
    compare("rows of one batch with different masks mix", subject.response(rows, mixed), own)
    for way, response in subject.other_responses(rows, mixed).items():
        compare(f"{way} does not agree with the plain pass under a mask", response, own)

    reasons = [f"{what} (differs by {d:.2g} of the largest value)" for what, d in differences.items() if d > TOLERANCE]
    reasons += [f"{what} (not a number)" for what, d in differences.items() if np.isnan(d)]
    if reasons:
        reasons += _layers_at_fault(subject, rows, scale)
    reasons += wrongly_cut(subject, rows)
    if reasons:
        raise CertificationError(subject.loaded, reasons)
    dead = _dead_heads(subject, rows)
    if dead and len(dead) == len(subject.layout):
        raise CertificationError(subject.loaded, ["no head's mask changes anything that the model says"])
    if dead:
        log.warning("%d dead heads, their masks change nothing: %s", len(dead), ", ".join(map(str, dead)))
    if left_out := tuple(subject.gate.left_out):
        log.warning("left out, as it has no heads that read text: %s", "; ".join(left_out))
    return Certificate(max(differences.values()), dead, left_out)


def _on_all(subject: Subject, mask: Bool[np.ndarray, " heads"], num_rows: int) -> Tensor:
    """One mask on every row."""
    return subject.as_xi(np.tile(mask, (num_rows, 1)))


def random_masks(layout: HeadLayout, number: int) -> Bool[np.ndarray, "masks heads"]:
    """Masks with about half of the heads off at random, so that each head is off in some and on in others."""
    half = np.random.default_rng(0).random((number, len(layout))) < 0.5
    half[1::2] = ~half[::2][: len(half[1::2])]
    return half


@contextmanager
def columns_zeroed(subject: Subject, mask: Bool[np.ndarray, " heads"]) -> Iterator[None]:
    """The output projections' columns of the heads that are off set to zero within the block."""
    views = [subject.gate.site(head).head_columns(head.index) for head in subject.layout.changed(mask)]
    with unchanged(views):
        for view in views:
            view.zero_()
        yield


def _with_columns_zeroed(subject: Subject, rows: Sequence[TokenRow], mask: Bool[np.ndarray, " heads"]) -> Tensor:
    with columns_zeroed(subject, mask):
        return subject.response(rows, None)


def _layers_at_fault(subject: Subject, rows: Sequence[TokenRow], scale: float) -> list[str]:
    """The attention layers in which masking every head is not zeroing the whole projection."""
    faults = []
    for site in subject.gate.sites:
        mask = subject.layout.without_layer((site.kind, site.layer))
        found = subject.response(rows, _on_all(subject, mask, len(rows)))
        difference = (found - _with_columns_zeroed(subject, rows, mask)).abs().max().item() / scale
        if not difference <= TOLERANCE:
            faults.append(f"{site}: differs by {difference:.2g}")
    return faults


def _dead_heads(subject: Subject, rows: Sequence[TokenRow]) -> tuple[Head, ...]:
    """Heads whose mask changes no row's response; the last row is tried first, the others where it does not change."""
    suspects = list(subject.layout.heads)
    for index in reversed(range(len(rows))):
        still: list[Head] = []
        for start in range(0, len(suspects), ROWS_AT_ONCE):
            heads = suspects[start : start + ROWS_AT_ONCE]
            masks = subject.layout.each_off(heads)
            batch = [rows[index]] * len(heads)
            alone = subject.response(batch, _on_all(subject, subject.layout.full(), len(heads)))
            changes = (subject.response(batch, subject.as_xi(masks)) - alone).abs().amax(dim=1)
            still += [head for head, change in zip(heads, changes.tolist(), strict=True) if change == 0.0]
        suspects = still
    return tuple(suspects)
