"""Proof, on the probe that certifies a model, that what is seen as its attention patterns is what it uses.

No statistic is computed before all of this holds of every attention, and every reason for a refusal is given at once:

1. it shows a pattern, of as many queries and keys as the text has tokens;
2. rows sum to 1 over the keys that a query may look at (less what goes to a learned sink), and are 0 elsewhere;
3. pattern times values, times the mask, is the context that the gate sees, so that the pattern is the masked model's;
4. chunks of queries give what all queries at once give;
5. the model says with eager attention what it says as it was loaded.

Where a model multiplies contexts by a gate of its own before they are projected (Qwen3-Next), the third is shown of
what its attention function gives, and the layer is marked: no norm of weighted values is told there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from study.certification.certify import TOLERANCE, random_masks
from study.masking.sites import AttentionSite
from study.observing.patterns import Pattern, PatternError, observed_patterns
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.passage import Passage

ROUNDING = 1e-5
"""Largest error of a row's sum in float32, and largest difference of a weight seen in chunks."""

FEW = 3
"""Tokens of a chunk where chunks are tried."""


class Sight(StrEnum):
    """How the patterns of an attention are seen."""

    FUNCTION = "attention function"
    PRODUCT = "product with the values"


@dataclass(frozen=True)
class PatternProof:
    """What was proved.

    Attributes:
        sights: how the patterns of each site are seen, by its name.
        changed: names of the sites whose contexts the model multiplies by a gate of its own.
        largest_difference: between contexts and patterns times values, as a share of the largest context.
    """

    sights: dict[str, Sight]
    changed: frozenset[str]
    largest_difference: float

    def __str__(self) -> str:
        """For people: each way once."""
        return ", ".join(dict.fromkeys(self.sights.values()))


_known: "WeakKeyDictionary[Subject, PatternProof]" = WeakKeyDictionary()


def proved(subject: Subject) -> PatternProof:
    """The proof of a subject, made the first time that it is asked for.

    Raises:
        PatternError: with all the reasons.
    """
    if subject not in _known:
        _known[subject] = prove_patterns(subject)
    return _known[subject]


@torch.no_grad()
def prove_patterns(subject: Subject) -> PatternProof:
    """Prove that a subject's patterns are seen as they are.

    Raises:
        PatternError: with all the reasons.
    """
    rows = subject.probe()
    xi = subject.as_xi(random_masks(subject.layout, len(rows))[: len(rows)])
    trial = _Trial(subject, xi)
    try:
        with observed_patterns(subject, trial.see, trial.see_heads):
            observed = subject.response(rows, xi)
        reasons = [*trial.faults, *_other_answer(subject, rows, xi, observed)]
        reasons += _in_chunks(subject, rows, xi, trial.weights) + _lengths(subject, rows[0])
    except PatternError as error:
        reasons = [str(error)]
    if reasons:
        words = [f"the attention patterns of {subject.loaded} cannot be told:", *dict.fromkeys(reasons)]
        raise PatternError("\n  - ".join(words))
    return PatternProof(trial.sights, frozenset(trial.changed), trial.difference)


@dataclass
class _Trial:
    """Judges patterns and contexts as they come.

    Attributes:
        subject: the model.
        xi: the mask of each row.
        weights: the patterns in their order.
        sights: how each was seen, by the name of its site.
        changed: names of the sites whose contexts the model changes before they are masked.
        faults: what is wrong, in words.
        difference: largest difference of a context, as a share of the largest.
    """

    subject: Subject
    xi: Float[Tensor, "R width"]
    weights: list[Float[Tensor, "R H T S"]] = field(default_factory=list)
    sights: dict[str, Sight] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    difference: float = 0.0
    _last: Pattern | None = None

    def see(self, pattern: Pattern) -> None:
        """Judge the rows of a pattern."""
        self._last = pattern
        self.weights.append(pattern.weights)
        self.sights[pattern.site.name] = Sight.PRODUCT if pattern.context is None else Sight.FUNCTION
        self.faults += [f"{pattern.site}: {fault}" for fault in _row_faults(pattern)]

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"]) -> None:
        """Judge what a projection reads."""
        assert self._last is not None
        pattern, self._last = self._last, None
        product = (pattern.weights.to(pattern.value) @ pattern.head_value).transpose(1, 2)
        if product.shape != heads.shape:
            shapes = f"{list(product.shape)}, what is masked {list(heads.shape)}"
            self.faults.append(f"{site}: pattern times values is {shapes}")
            return
        xi = self.xi[:, self.subject.layout.columns(site.kind, site.layer)].to(product)
        tolerance = _tolerance(product)
        if (difference := _difference(product * xi[:, None, :, None], heads)) <= tolerance:
            self.difference = max(self.difference, difference)
        elif pattern.context is not None and _difference(product, pattern.context) <= tolerance:
            self.changed.add(site.name)
        else:
            self.faults.append(f"{site}: pattern times values is not what is masked (differs by {difference:.2g})")


def _row_faults(pattern: Pattern) -> list[str]:
    """What is wrong with the rows of a pattern."""
    weights = pattern.weights.float()
    visible = pattern.visible[:, None].expand_as(weights)
    total, rounding = weights.sum(-1), max(ROUNDING, 2 * torch.finfo(pattern.weights.dtype).eps)
    faults = []
    if not (weights >= 0).all():
        faults.append("some weights are below 0, or no numbers")
    if (weights * ~visible).any():
        faults.append("tokens are looked at that cannot be seen")
    if not (total <= 1 + rounding).all() or (not pattern.has_sink and not (total >= 1 - rounding).all()):
        faults.append(f"weights do not sum to 1, but to {total.min():.4g} to {total.max():.4g}")
    return faults


def _tolerance(values: Tensor) -> float:
    return max(TOLERANCE, 4 * torch.finfo(values.dtype).eps)


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return ((found - expected).abs().max() / (expected.abs().max() or 1.0)).item()


def _other_answer(subject: Subject, rows: Sequence[TokenRow], xi: Tensor, observed: Tensor) -> list[str]:
    """What is wrong where the model says something else while its attention is observed."""
    plain = subject.response(rows, xi)
    difference, tolerance = _difference(observed, plain), _tolerance(torch.empty(0, dtype=subject.module.dtype))
    if difference <= tolerance:
        return []
    loaded = str(subject.module.config._attn_implementation)
    return [
        f"with eager attention, which alone gives weights, it says something else than with {loaded} (differs by "
        f"{difference:.2g} of the largest value)"
    ]


def _in_chunks(subject: Subject, rows: Sequence[TokenRow], xi: Tensor, whole: Sequence[Tensor]) -> list[str]:
    """What is wrong where patterns are not the same chunk by chunk of queries."""
    chunks: list[list[Tensor]] = []

    def see(pattern: Pattern) -> None:
        if pattern.queries.start == 0:
            chunks.append([])
        chunks[-1].append(pattern.weights)

    most = FEW * max(weights[:, :, 0].numel() for weights in whole)
    with observed_patterns(subject, see, most_weights=most):
        subject.response(rows, xi)
    parts = [torch.cat(part, dim=2) for part in chunks]
    same = len(parts) == len(whole) and all(a.shape == b.shape for a, b in zip(parts, whole, strict=True))
    if same and all(_difference(a, b) <= _tolerance(a) for a, b in zip(parts, whole, strict=True)):
        return []
    return ["weights are others where a few queries are computed at a time"]


def _lengths(subject: Subject, row: TokenRow) -> list[str]:
    """What is wrong where attention is not between the tokens of the text."""
    faults = []
    for passage in subject.passages(row):

        def see(pattern: Pattern, passage: Passage = passage) -> None:
            if fault := length_fault(pattern, [passage]):
                faults.append(fault)

        with observed_patterns(subject, see):
            subject.read([passage])
    return faults


def length_fault(pattern: Pattern, passages: Sequence[Passage]) -> str:
    """What is wrong where a pattern is not between the tokens of some passages; nothing where it is."""
    site, looking = pattern.site, pattern.queries.stop
    queries, keys = (max(map(len, side)) for side in zip(*(p.sides(site.kind) for p in passages), strict=True))
    if (found := pattern.weights.shape[-1]) != keys:
        return f"{site}: it looks at {found} places where the text has {keys} tokens"
    return f"{site}: {looking} places look where the text has {queries} tokens" if looking > queries else ""
