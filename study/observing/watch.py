"""Watching: examples are read once, each under its mask, and observers see every pattern."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.batch import batches
from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern, PatternError, observed_patterns
from study.observing.proof import length_fault, proved
from study.subjects.subject import Subject, TokenRow, to_device

PASS_TOKENS = 4096
"""Tokens of a forward pass, padding included; one passage may have more."""


@torch.inference_mode()
def watch(
    subject: Subject, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], observers: Sequence[Observer]
) -> None:
    """Read examples, and let observers see every pattern.

    Args:
        subject: a certified model.
        rows: the examples.
        masks: the mask of each example.
        observers: what takes the patterns.

    Raises:
        PatternError: when the patterns of this model cannot be told, or attention is not between the tokens of a text.
    """
    proved(subject)
    every = [(owner, passage) for owner, row in enumerate(rows) for passage in subject.passages(row)]
    xi = subject.as_xi(masks)
    now: Pass | None = None

    def fits(number: int, source: int, target: int) -> bool:
        by_observer = [observer.fits(number, max(source, target), max(source, target)) for observer in observers]
        return all(by_observer) and number * (source + target) <= PASS_TOKENS

    def see(pattern: Pattern) -> None:
        assert now is not None
        if fault := length_fault(pattern, now.passages):
            raise PatternError(fault)
        for observer in observers:
            observer.see(pattern, now)

    def see_heads(site: AttentionSite, heads: Float[Tensor, "R T H D"]) -> None:
        assert now is not None
        for observer in observers:
            observer.see_heads(site, heads, now)

    with subject.gate.masked(xi), observed_patterns(subject, see, see_heads):
        for chosen in batches([passage for _, passage in every], fits, pads=subject.pads_passages):
            owners, passages = zip(*(every[i] for i in chosen.tolist()), strict=True)
            places = to_device(torch.tensor(owners), subject.device)
            now = Pass(passages, places, [rows[i] for i in owners], subject.device)
            with subject.gate.part(places):
                subject.read(passages)
            for observer in observers:
                observer.finish(now)
