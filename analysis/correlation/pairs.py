"""Two domains of one subject, head by head: which heads were measured on both, and their effects there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

from analysis.correlation.coefficients import Heads
from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.shared_examples import SharedGroups, aligned
from analysis.correlation.true_correlation import NoisyEffects
from analysis.effects.head_effects import ALL_KINDS
from analysis.inference.significance import TIE
from study.record.units import AttentionKind, Unit, UnitLevel

FEWEST = 3
"""Two points always lie on a line."""


@dataclass(frozen=True, eq=False)
class Pair:
    """The heads that were measured on two domains, or the units of another level.

    Attributes:
        a: one domain.
        b: the other.
        cells: columns that say which cells on an axis they are; None of two domains of one subject.
    """

    a: DomainEffects
    b: DomainEffects
    cells: Mapping[str, str] | None = None

    @cached_property
    def heads(self) -> tuple[Unit, ...]:
        """In the order of the first domain."""
        other = set(self.b.heads)
        return tuple(head for head in self.a.heads if head in other)

    @cached_property
    def at_a(self) -> Int[np.ndarray, " heads"]:
        """Where they stand on the first domain."""
        return _places(self.a, self.heads)

    @cached_property
    def at_b(self) -> Int[np.ndarray, " heads"]:
        """Where they stand on the second domain."""
        return _places(self.b, self.heads)

    @property
    def effects(self) -> tuple[Heads, Heads]:
        """On both domains."""
        return self.a.effects[self.at_a], self.b.effects[self.at_b]

    @property
    def names(self) -> dict[str, str]:
        """The columns that say in every table which pair a row is about."""
        if self.cells is not None:
            return dict(self.cells)
        both = {name: self.a.names[name] for name in ("subject", "subject_id", "metric")}
        for column, name in (("domain", "domain"), ("setting", "setting_id")):
            both |= {f"{column}_a": self.a.names[name], f"{column}_b": self.b.names[name]}
        return both

    @property
    def level(self) -> UnitLevel:
        """What its units are."""
        return self.a.level

    @property
    def has_outcomes(self) -> bool:
        """Whether both domains have outcomes, without which nothing can be said about noise."""
        return self.a.sample is not None and self.b.sample is not None

    @cached_property
    def shared(self) -> int:
        """Examples of the smaller domain that the other one has too, by their text: the first one (premise, source)."""
        few, many = sorted((self.a.texts, self.b.texts), key=len)
        known = set(many)
        return sum(text in known for text in few)

    @cached_property
    def sides(self) -> tuple[DomainEffects, DomainEffects]:
        """Both domains, in groups that are shared one to one; they have outcomes."""
        return self._aligned[:2]

    @cached_property
    def shared_groups(self) -> SharedGroups:
        """The groups of examples that `sides` have in common."""
        return self._aligned[2]

    @cached_property
    def _aligned(self) -> tuple[DomainEffects, DomainEffects, SharedGroups]:
        return aligned(self.a, self.b)

    def noisy(self, kept: Bool[np.ndarray, " heads"]) -> tuple[NoisyEffects, NoisyEffects]:
        """Effects of some of the heads on both domains, with what they are without each group."""
        return tuple(  # type: ignore[return-value]
            NoisyEffects(side.domain, side.effects[at[kept]], side.without[:, at[kept]])
            for side, at in zip(self.sides, (self.at_a, self.at_b), strict=True)
        )

    def no_correlation(self, kept: Bool[np.ndarray, " heads"]) -> str | None:
        """Why these heads have no correlation; None when they have one."""
        if kept.sum() < FEWEST:
            return f"{kept.sum()} {self.level.plural} measured in both: a correlation needs {FEWEST}"
        sides = zip((self.a.domain, self.b.domain), self.effects, strict=True)
        constant = [domain for domain, effects in sides if np.ptp(effects[kept]) < TIE]
        return f"all effects on {' and on '.join(constant)} are equal" if constant else None


def pairs_of(domains: Sequence[DomainEffects]) -> list[Pair]:
    """Every two domains of one subject; of subjects in their order."""
    subjects: dict[str, list[DomainEffects]] = {}
    for domain in domains:
        subjects.setdefault(domain.names["subject_id"], []).append(domain)
    return [Pair(a, b) for own in subjects.values() for a, b in combinations(own, 2)]


def by_kind(heads: Sequence[Unit], beside: Iterable[Unit] = ()) -> list[tuple[str, Bool[np.ndarray, " heads"]]]:
    """All heads, then those of each attention kind where there are several, with the kinds of heads beside them."""
    present = {head.row["kind"] for head in (*heads, *beside)}
    kinds = [kind for kind in AttentionKind if kind in present] if len(present) > 1 else []
    parts = [(str(kind), np.array([head.row["kind"] == kind for head in heads], dtype=bool)) for kind in kinds]
    return [(ALL_KINDS, np.ones(len(heads), dtype=bool)), *parts]


def _places(domain: DomainEffects, heads: Sequence[Unit]) -> Int[np.ndarray, " heads"]:
    places = {head: i for i, head in enumerate(domain.heads)}
    return np.array([places[head] for head in heads], dtype=np.int64)
