"""Bounds of a domain: how many of its drafts may be wrong, together and under each mask, by audits that were passed.

An audit speaks for the drafts of its population that it did not draw. Thresholds have risen since, if anything, and
what left the population is exact: so the number of wrong ones among those that still stand is not above the number that
the audit allows for. Counts therefore stay valid, and shares are taken of what stands now.

*Together*: the limits of the jobs that are needed to cover every draft are added; each of J jobs spends a J-th of the
probability of error. *Under each mask*: all that a job's audit has left may be of one mask, so that the limit of all is
that of each too, for all of them at once, at no cost. A limit from the mask's own part of the sample would be larger:
it rests on a K-th of what was drawn, and K such limits share the probability of error.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from scipy.stats import beta

from analysis.results.domain import Domain
from study.record.cascade import Audit, Stage
from study.record.cascade.audit_files import read_audits
from study.record.cascade.stage import STAGE, is_draft
from study.record.store import read_examples

_Share = tuple[str, int, int]
"""A mask, the number of a share of the examples, and how many shares there are."""

_Left = tuple[int, Bool[np.ndarray, " examples"]]
"""How many drafts of a mask an audit has left, and of which examples of the setting it speaks."""


@dataclass(frozen=True)
class MaskBound:
    """What may be wrong under one mask.

    Attributes:
        mask: its key.
        drafts: its decisions that are drafts.
        sample: how many drafts of it were drawn for the audits.
        limit: the upper limit of the number of wrong drafts, for all masks at once; None where no audit says. It is
            never above `drafts`, nor above what is left to all masks of its job together.
        points: what its score may be off by, the limit as a share of its examples, in percentage points; None also
            where the score is no share of examples.
    """

    mask: str
    drafts: int
    sample: int
    limit: int | None
    points: float | None


@dataclass(frozen=True)
class DomainBounds:
    """What may be wrong in a domain.

    Attributes:
        domain: the domain.
        stages: how many of its decisions were taken at each stage.
        audits: the passed audits that speak for its drafts.
        jobs: how many jobs these are of, each with rounds, and perhaps shares, of its own.
        confidence: that of all limits at once, together and under each mask.
        limit: the upper limit of the number of wrong drafts of all masks together; None where no audit speaks for some.
        masks: what may be wrong under each mask, the most first.
        lacking: drafts that no passed audit speaks for.
        under_way: whether an audit has been drawn and not computed.
        elsewhere: drafts, at most, that the audits left under masks that the domain does not show one by one: of pairs
            and other designs, or asked on some examples alone, by which a search chose its set.
        elsewhere_masks: how many masks these are.
        elsewhere_limit: how many of these drafts may be wrong, at the confidence of the rounds that spoke for them.
    """

    domain: Domain
    stages: Mapping[Stage, int]
    audits: tuple[Audit, ...]
    jobs: int
    confidence: float
    limit: int | None
    masks: tuple[MaskBound, ...]
    lacking: int
    under_way: bool
    elsewhere: int = 0
    elsewhere_masks: int = 0
    elsewhere_limit: int = 0

    @property
    def decisions(self) -> int:
        """All decisions, drafted or exact."""
        return sum(self.stages.values())

    @property
    def drafts(self) -> int:
        """Decisions that are drafts."""
        return sum(count for stage, count in self.stages.items() if stage.is_draft)

    @property
    def bound(self) -> float | None:
        """The largest share of wrong decisions that the audits were to exclude; None without any."""
        return max((audit.bound for audit in self.audits), default=None)

    @property
    def limit_share(self) -> float | None:
        """`limit` as a share of the drafts."""
        return None if self.limit is None else self.limit / max(self.drafts, 1)

    @property
    def mean_points(self) -> float | None:
        """What the scores of all masks may be off by on average, in percentage points; None as of a mask."""
        if self.limit is None or not self.domain.has_flips:
            return None
        return 100.0 * self.limit / max(self.decisions, 1)

    @property
    def worst(self) -> MaskBound | None:
        """The mask of whose score least is known, of several the one with the most drafts; None without drafts."""
        return self.masks[0] if self.masks else None

    @property
    def alike(self) -> int:
        """How many masks there are of which as little is known as of the worst."""
        return sum(own.limit == self.masks[0].limit for own in self.masks)

    @property
    def population(self) -> int:
        """Drafts that the audits drew from."""
        return sum(audit.together.population for audit in self.audits)

    @property
    def sample(self) -> int:
        """How many were drawn."""
        return sum(audit.together.sample for audit in self.audits)

    @property
    def rounds(self) -> int:
        """How many rounds the longest audit took."""
        return max((audit.round for audit in self.audits), default=0)

    @property
    def flips(self) -> int:
        """Decisions of the samples that are exactly other ones than under the full mask."""
        return sum(audit.flips for audit in self.audits)

    @cached_property
    def flips_limit(self) -> float | None:
        """The upper limit of the share of wrong ones among drafts that are truly flips (Clopper and Pearson).

        Of several audits the largest: each is taken at its own probability of error, and one that drew no flip says
        nothing unless it has left no draft. None where no flip was drawn.
        """
        if not self.flips:
            return None
        left = [audit for audit in self.audits if audit.together.left]
        ends = (_share_limit(audit.wrong_flips, audit.flips, audit.alpha / self.jobs) for audit in left)
        return max(ends, default=0.0)


def domain_bounds(domain: Domain) -> DomainBounds | None:
    """The bounds of a domain; None where its rows have no stages."""
    if STAGE not in domain.rows.columns:
        return None
    audits, _ = read_audits(domain.folder)
    places = read_examples(domain.folder)["example"].to_list()
    drafts = _Drafts(domain, dict(zip(places, range(len(places)), strict=True)))
    passed = [audit for audit in audits if audit.passed]
    used, lacking = _covering(drafts, passed)
    elsewhere, others = _elsewhere(passed, domain)
    confidence = min((audit.confidence for audit in used or others), default=0.0)
    counts = dict(domain.rows.group_by(STAGE).len().iter_rows())
    masks = [_mask_bound(drafts, mask, used, lacking) for mask in drafts.masks]
    return DomainBounds(
        domain=domain,
        stages={stage: counts.get(str(stage), 0) for stage in Stage},
        audits=tuple(used),
        jobs=number_of_jobs(used),
        confidence=confidence,
        limit=None if lacking.any() else min(pooled_limit(used), drafts.number),
        masks=tuple(sorted(masks, key=lambda one: (one.limit is not None, -(one.limit or 0), -one.drafts, one.mask))),
        lacking=int(lacking.sum()),
        under_way=any(audit.passed is None for audit in audits),
        elsewhere=sum(elsewhere.values()),
        elsewhere_masks=len({mask for mask, *_ in elsewhere}),
        elsewhere_limit=min(pooled_limit(others), sum(elsewhere.values())),
    )


def _elsewhere(passed: Sequence[Audit], domain: Domain) -> tuple[dict[_Share, int], list[Audit]]:
    """At most how many drafts are left under each mask that is not shown, by share; and by which audits."""
    spoken_for, audits = defaultdict[_Share, list[_Left]](list), list[Audit]()
    size = max((audit.examples for audit in passed), default=0)
    for audit in passed:
        own = {mask: one.left for mask, one in audit.masks.items() if one.left and mask not in domain.masks}
        audits += [audit] if own else []
        whole = np.isin(np.arange(size), range(audit.share, audit.examples, audit.shards))
        parts = [(part.masks, np.isin(np.arange(size), part.examples)) for part in audit.partly]
        partly = {mask: asked for masks, asked in parts for mask in masks}
        for mask, number in own.items():
            spoken_for[mask, audit.share, audit.shards].append((number, partly.get(mask, whole)))
    return {at: _most_left(own) for at, own in spoken_for.items()}, audits


def _most_left(spoken_for: Sequence[_Left]) -> int:
    """At most how many drafts of a mask audits have left; an example of which several speak has one draft at most."""
    if len(spoken_for) == 1:
        return spoken_for[0][0]
    found, seen = 0, np.zeros_like(spoken_for[0][1])
    for number, asked in sorted(spoken_for, key=lambda own: (-own[1].sum(), -own[0])):
        found += min(number, int((asked & ~seen).sum()))
        seen |= asked
    return found


class _Drafts:
    """The drafts of a domain: a number of the mask, and the place of the example among the setting's, of each."""

    def __init__(self, domain: Domain, places: Mapping[str, int]) -> None:
        rows = domain.rows.filter(is_draft())
        self.domain = domain
        self.masks: list[str] = rows["mask"].unique().sort().to_list()
        numbers = dict(zip(self.masks, range(len(self.masks)), strict=True))
        self.mask: Int[np.ndarray, " drafts"] = np.array([numbers[mask] for mask in rows["mask"]], dtype=np.int64)
        self.place: Int[np.ndarray, " drafts"] = np.array([places[name] for name in rows["example"]], dtype=np.int64)

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.mask)

    def counts(self, chosen: Bool[np.ndarray, " drafts"]) -> Int[np.ndarray, " masks"]:
        """How many of some there are under each mask."""
        return np.bincount(self.mask[chosen], minlength=len(self.masks))

    def of(self, audit: Audit) -> Bool[np.ndarray, " drafts"]:
        """Those that an audit speaks for.

        Of a mask that has more drafts among its examples than it knew of, none: some came after it.
        """
        known = np.array([audit.masks[mask].left if mask in audit.masks else 0 for mask in self.masks], dtype=np.int64)
        inside = (self.place < audit.examples) & (self.place % audit.shards == audit.share)
        for part in audit.partly:
            of_part = np.isin(self.mask, [self.masks.index(mask) for mask in part.masks if mask in self.masks])
            inside &= ~of_part | np.isin(self.place, part.examples)
        return inside & (self.counts(inside) <= known)[self.mask]


def _covering(drafts: _Drafts, passed: Sequence[Audit]) -> tuple[list[Audit], Bool[np.ndarray, " drafts"]]:
    """Audits that together speak for as many drafts as can be, and the drafts that none speaks for."""
    lacking, used = np.ones(drafts.number, dtype=bool), list[Audit]()
    for audit in sorted(passed, key=lambda audit: -audit.together.population):
        spoken_for = drafts.of(audit)
        if (lacking & spoken_for).any():
            used.append(audit)
            lacking &= ~spoken_for
    return used, lacking


def number_of_jobs(audits: Iterable[Audit]) -> int:
    """How many jobs audits are of; the shares of one have divided its probability of error already."""
    return len({(frozenset(audit.masks), audit.examples, audit.shards) for audit in audits})


def pooled_limit(audits: Sequence[Audit], some: Sequence[Audit] | None = None) -> int:
    """The upper limit of the number of wrong drafts that passed audits have left, of all masks together.

    Args:
        audits: all that something is said by.
        some: those of them that count; None for all. The limits of any of them hold at once.
    """
    jobs = number_of_jobs(audits)
    return sum(audit.together.unseen(audit.alpha / jobs) for audit in (audits if some is None else some))


def mask_limit(mask: str, audits: Sequence[Audit]) -> int:
    """The upper limit under one mask, whatever is under the others: all that its audits have left may be its own."""
    return pooled_limit(audits, [audit for audit in audits if mask in audit.masks])


def _mask_bound(drafts: _Drafts, mask: str, used: Sequence[Audit], lacking: Bool[np.ndarray, " drafts"]) -> MaskBound:
    own = drafts.mask == drafts.masks.index(mask)
    limit = None if (lacking & own).any() else min(mask_limit(mask, used), int(own.sum()))
    share = None if limit is None or not drafts.domain.has_flips else limit / drafts.domain.examples.height
    sample = sum(audit.masks[mask].sample for audit in used if mask in audit.masks)
    return MaskBound(mask, int(own.sum()), sample, limit, None if share is None else 100.0 * share)


def _share_limit(wrong: int, number: int, alpha: float) -> float:
    """The upper limit of Clopper and Pearson (1934); of no number nothing is known, which is 1."""
    if wrong >= number:
        return 1.0
    return float(beta.ppf(1 - alpha, wrong + 1, number - wrong))
