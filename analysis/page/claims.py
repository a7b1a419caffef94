"""Which claims of the paper hold on these results, from intervals alone; every verdict by a rule that is stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from analysis.compute import Analysis
from analysis.page.findings import (
    EARLY_SHARE,
    WEAK,
    Finding,
    Verdict,
    at_once,
    better_than_random,
    cross_attention,
    during_training,
    each_head,
    one_head,
    other_domain,
)
from analysis.read import Domain


@dataclass(frozen=True)
class Claim:
    """What the paper says, by which rule it is judged, and what was found."""

    says: str
    rule: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The one of all findings; None where they differ."""
        verdicts = {finding.verdict for finding in self.findings}
        return verdicts.pop() if len(verdicts) == 1 else None


def in_words(judged: Sequence[Claim]) -> str:
    """Which claims hold on every domain, on some, on none, and which are open."""
    openings: list[tuple[str, str, Verdict | None]] = [
        ("Here it holds", "that", Verdict.HOLDS),
        ("It holds on some of the domains only", "that", None),
        ("It does not hold", "that", Verdict.FAILS),
        ("It cannot be said", "whether", Verdict.OPEN),
    ]
    sentences = []
    for opening, word, verdict in openings:
        said = [f"{word} {_clause(claim.says)}" for claim in judged if claim.verdict is verdict]
        sentences += [f"{opening} {'; '.join(said)}."] if said else []
    return " ".join(sentences)


def _clause(says: str) -> str:
    """A sentence as part of another."""
    return says[0].lower() + says[1:].rstrip(".")


def claims(analysis: Analysis, domains: Mapping[str, Domain]) -> tuple[Claim, ...]:
    """Every claim of the paper that these domains of one subject say something about.

    Args:
        analysis: of everything.
        domains: by their label.
    """
    own = analysis.effects.filter(pl.col("setting_id").is_in([domain.setting_id for domain in domains.values()]))
    within = "".join(f"{margin:g}" for margin in own["margin"].drop_nulls().head(1))  # one metric, so one margin
    judged = [
        (
            "Most heads can go, one at a time, without a significant loss.",
            f"Holds where the intervals of more than half of all heads lie above −{within}; does not where more than "
            "half of the heads lose significantly.",
            [each_head(analysis, domain, label) for label, domain in domains.items()],
        ),
        (
            "One head is enough in most layers.",
            f"Holds where the interval of the best head left alone lies above −{within} in more than half of the "
            "layers; does not where it lies below 0 in half of them or more. The best head is picked on the same "
            "examples, which flatters it.",
            [one_head(analysis, domain, label) for label, domain in domains.items()],
        ),
        (
            "The heads that matter on one domain matter on another.",
            "Holds where the interval of r at this size of test sets lies above 0; "
            f"does not where it lies below {WEAK:g}.",
            list(other_domain(analysis, domains)),
        ),
        (
            "A good part of the heads goes at once, in order of importance.",
            "Holds where the interval of the loss at the paper’s share (40 % of a classifier’s heads, 20 % of a "
            "translator’s) lies above minus the loss that is allowed; does not where it lies below it.",
            [at_once(analysis, domain, label) for label, domain in domains.items()],
        ),
        (
            "Importance is a better order than chance.",
            "Holds where the interval of the difference, mean score along the curve by importance less that of random "
            "orders, lies above 0; does not where it lies below.",
            [better_than_random(analysis, domain, label) for label, domain in domains.items()],
        ),
        (
            "Encoder–decoder attention needs its heads more than self-attention does.",
            "Holds where the intervals of the difference, mean score along its curve less that of either "
            "self-attention on the same resamples, lie below 0; does not where one of them lies above.",
            [cross_attention(analysis, domain, label) for label, domain in domains.items()],
        ),
    ]
    found = ((says, rule, tuple(filter(None, findings))) for says, rule, findings in judged)
    return tuple(Claim(says, rule, findings) for says, rule, findings in found if findings)


def training_claim(dynamics: pl.DataFrame) -> Claim | None:
    """The claim of figure 5, of one training; None where fewer than two epochs have curves."""
    findings = tuple(during_training(dynamics))
    if not findings:
        return None
    return Claim(
        "Heads can be spared only after the first epochs of training.",
        f"Holds where, with about {100 * EARLY_SHARE:.0f} % of the heads removed, the interval of the share of the "
        "score that is left lies higher at the last epoch than at the first; does not where it lies lower. Of several "
        "curves there is a range and no interval, so that it stays open.",
        findings,
    )
