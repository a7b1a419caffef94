"""The rules by which a head has a role: a statistic, a threshold, and who says so. A new role is a line here.

A head may have several roles, or none. It has a role where a one-sided limit of its statistic is beyond the threshold.
Roles of syntax come from `analysis.syntax` instead: accuracies of heads against a baseline have tests of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from analysis.attention.statistics import head_statistics
from study.record.errors import InputError
from study.record.lines import did_you_mean
from study.record.tables.statistics import CLARK, OLSSON, VOITA
from study.record.units import AttentionKind

OURS = "ours: no threshold is published"


@dataclass(frozen=True)
class Role:
    """A role and its rule.

    Attributes:
        name: its name in tables and options.
        title: what people call such a head.
        statistic: the statistic that decides (`analysis.attention.statistics`).
        threshold: where it begins.
        source: who introduced the role, and whose the threshold is.
        above: whether the statistic must lie above the threshold, or below.
        reached: whether it is enough that the threshold is reached; else it must be passed.
        across: whether heads of encoder-decoder attention may have it, whose keys are another text.
    """

    name: str
    title: str
    statistic: str
    threshold: float
    source: str
    above: bool = True
    reached: bool = False
    across: bool = True

    @property
    def rule(self) -> str:
        """`weight on the token before > 0.5`."""
        sign = (">" if self.above else "<") if not self.reached else ("≥" if self.above else "≤")
        return f"{LABELS[self.statistic]} {sign} {self.threshold:g}"

    def suits(self, kind: AttentionKind) -> bool:
        """Whether heads of this kind of attention may have it."""
        return self.across or kind is not AttentionKind.CROSS


LABELS = {statistic.name: statistic.label for statistic in head_statistics()}

ROLES = (
    Role("positional", "positional", "position", 0.9, VOITA, reached=True, across=False),
    Role("previous", "previous-token", "previous", 0.5, CLARK, across=False),
    Role("next", "next-token", "next", 0.5, CLARK, across=False),
    Role("separator", "separator", "separator", 0.6, CLARK),
    Role("beginning", "[CLS] or BOS", "beginning", 0.6, CLARK),
    Role("first", "first-token", "first", 0.6, f"attention sinks; the threshold as for [CLS] in {CLARK}"),
    Role("punctuation", "punctuation", "punctuation", 0.6, CLARK),
    Role("broad", "broad", "entropy", 3.8, CLARK),
    Role("relatively_broad", "relatively broad", "relative_entropy", 0.9, OURS),
    Role("duplicate", "duplicate-token", "duplicate", 0.5, f"Wang et al. 2023; {OURS}", across=False),
    Role("induction", "induction", "induction", 0.5, f"{OLSSON}; {OURS}", across=False),
    Role("copy", "copy", "copy", 0.5, f"{OLSSON}; {OURS}", across=False),
    Role("retrieval", "retrieval", "retrieval", 0.1, "Wu et al. 2024", reached=True, across=False),
    Role(
        "inactive_norm", "inactive by norm", "relative_norm", 0.5, f"Sandoval-Segura et al. 2025; {OURS}", above=False
    ),
    Role("inactive_first", "inactive by first token", "first", 0.9, f"Sandoval-Segura et al. 2025; {OURS}"),
    Role(
        "inactive_entropy", "inactive by entropy", "entropy", 0.1, f"Sandoval-Segura et al. 2025; {OURS}", above=False
    ),
)
"""Every role that a statistic decides."""

BY_NAME = {role.name: role for role in ROLES}


def roles(thresholds: Mapping[str, float] | None = None) -> tuple[Role, ...]:
    """Every role, some with other thresholds.

    Raises:
        InputError: when there is no role of such a name.
    """
    chosen = dict(thresholds or {})
    unknown = [name for name in chosen if name not in BY_NAME]
    if unknown:
        raise InputError(
            f"there is no role '{unknown[0]}': there are {', '.join(BY_NAME)}{did_you_mean(unknown[0], BY_NAME)}"
        )
    return tuple(
        replace(role, threshold=chosen[role.name], source=f"chosen by hand; {role.source}")
        if role.name in chosen
        else role
        for role in ROLES
    )
