"""Which claims of the paper hold on these results, from intervals alone; every verdict by a rule that is stated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from analysis.compute import Analysis
from analysis.correlation import Correlations
from analysis.page import verdicts
from analysis.page.verdicts import EARLY_SHARE, Finding, Verdict
from analysis.results.domain import Domain
from study.record.metrics import Task


@dataclass(frozen=True)
class Claim:
    """What the paper says, by which rule it is judged, and what was found.

    Attributes:
        says: the claim as a sentence.
        short: the claim in a few words.
        rule: when it holds, and when it does not.
        findings: what each domain, or pair of domains, says of it.
    """

    says: str
    short: str
    rule: str
    findings: tuple[Finding, ...]

    @property
    def verdicts(self) -> frozenset[Verdict]:
        """Every verdict that some finding has."""
        return frozenset(finding.verdict for finding in self.findings)

    @property
    def marks(self) -> tuple[Verdict, ...]:
        """Every verdict that some finding has, in one order."""
        return tuple(outcome for outcome in Verdict if outcome in self.verdicts)

    @property
    def outcome(self) -> str:
        """`holds`, or `does not hold on home, cannot be said on away`; of many findings how many say what."""
        caveats = dict.fromkeys(finding.caveat for finding in self.findings if finding.caveat)
        more = f" ({', '.join(caveats)})" if caveats else ""
        if len(self.marks) == 1:
            return f"{self.marks[0]}{more}"
        places = {mark: [each.where for each in self.findings if each.verdict is mark] for mark in self.marks}
        if len(self.findings) <= FEW_FINDINGS:
            return ", ".join(f"{mark} on {' and '.join(where)}" for mark, where in places.items()) + more
        return (
            ", ".join(f"{mark} on {len(where)}" for mark, where in places.items()) + f" of {len(self.findings)}{more}"
        )


FEW_FINDINGS = 2
"""Findings up to which one line names the domains of each verdict."""


OPENINGS: Mapping[frozenset[Verdict], str] = {
    frozenset({Verdict.HOLDS}): "Here it holds that",
    frozenset({Verdict.HOLDS, Verdict.FAILS}): "It holds on some of the domains only that",
    frozenset({Verdict.HOLDS, Verdict.OPEN}): "It holds on some of the domains, and cannot be said on the others, that",
    frozenset(Verdict): "It holds on some of the domains, does not on some, and cannot be said on the others, that",
    frozenset({Verdict.FAILS, Verdict.OPEN}): (
        "It does not hold on some of the domains, and cannot be said on the others, that"
    ),
    frozenset({Verdict.FAILS}): "It does not hold that",
    frozenset({Verdict.OPEN}): "It cannot be said whether",
}
"""How a sentence begins about claims whose findings have these verdicts, in the order of the sentences."""


def claims_sentences(judged: Sequence[Claim]) -> str:
    """One sentence for the claims of each combination of verdicts."""
    sentences = []
    for found, opening in OPENINGS.items():
        said = [claim.says[0].lower() + claim.says[1:].rstrip(".") for claim in judged if claim.verdicts == found]
        word = opening.rsplit(" ", 1)[1]
        sentences += [f"{opening} {f'; {word} '.join(said)}."] if said else []
    return " ".join(sentences)


def claims(analysis: Analysis, domains: Mapping[str, Domain]) -> tuple[Claim, ...]:
    """Every claim of the paper that these domains of one subject, by their labels, say something about."""
    own = analysis.effects.filter(pl.col("setting_id").is_in([domain.setting_id for domain in domains.values()]))
    within = "".join(f"{margin:g}" for margin in own["margin"].drop_nulls().head(1))  # one metric, so one margin
    least, share = analysis.least_r, max(verdicts.DISPENSABLE[domain.metric.task] for domain in domains.values())
    judged = [
        (
            "Most heads can be removed, one at a time, without a significant loss.",
            "Most heads can go, one at a time",
            f"Holds where the intervals of more than half of all heads lie above −{within}; fails where removing "
            "more than half of the heads costs significantly.",
            _on_each(verdicts.each_head, analysis, domains),
        ),
        (
            "One head is enough in most layers.",
            "One head per layer is enough",
            f"Holds where the interval of the best head left alone lies above −{within} in more than half of the "
            "layers; fails where it lies below 0 in half of them or more. The best head is picked on the same "
            "examples, which flatters it.",
            _on_each(verdicts.one_head, analysis, domains),
        ),
        (*same_heads_rule(least), list(verdicts.other_domain(analysis, domains))),
        (
            "Many heads can be removed at once, in order of importance.",
            f"{100 * share:.0f} % of the heads can go at once",
            f"Holds where the interval of the loss at the paper’s share ({_papers_share(domains.values())}) lies above "
            "minus the loss that is allowed; fails where it lies below it.",
            _on_each(verdicts.at_once, analysis, domains),
        ),
        (
            "Importance is a better order than chance.",
            "Importance beats a random order",
            "Holds where the interval of the difference, mean score along the curve by importance minus that of random "
            "orders, lies above 0; fails where it lies below.",
            _on_each(verdicts.better_than_random, analysis, domains),
        ),
        (
            "Encoder–decoder attention needs its heads more than self-attention does.",
            "Encoder–decoder attention needs its heads most",
            "Holds where the intervals of the difference, mean score along its curve minus that of either "
            "self-attention on the same resamples, lie below 0; fails where one of them lies above.",
            _on_each(verdicts.cross_attention, analysis, domains),
        ),
    ]
    rule_of_chance = " On a domain whose base score is not shown to be above chance it cannot be said."
    found = (Claim(says, short, rule + rule_of_chance, tuple(found)) for says, short, rule, found in judged)
    return tuple(claim for claim in found if claim.findings)


def _papers_share(domains: Iterable[Domain]) -> str:
    """The paper’s share of heads that go, in words, and whose it is."""
    if any(domain.metric.task in (Task.CHOICE, Task.TEXT) for domain in domains):
        return "40 % as of its classifier where the model chooses, 20 % as of its translator where it reads a text"
    return "40 % of a classifier’s heads, 20 % of a translator’s"


def same_heads_rule(least: float) -> tuple[str, str, str]:
    """What the claim about two domains says, in full and in short, and the rule that judges it."""
    return (
        "The heads that matter on one domain matter on another.",
        f"The same heads matter elsewhere (r > {least:g})",
        f"Holds where the interval of the true r lies above {least:g}; fails where it lies below {least:g}. Where the "
        "true r cannot be estimated, the measured r is judged: noise lowers it, so it can show that the claim holds "
        f"and not that it fails. The threshold {least:g} is an option, --least-r.",
    )


def same_heads_claim(rows: Sequence[Mapping[str, Any]], found: Correlations, least: float) -> tuple[Claim, ...]:
    """The claim about these pairs of domains (with label_a and label_b) alone; none where there are none."""
    judged = [(f"{row['label_a']} and {row['label_b']}", verdicts.same_heads(row, found, least)) for row in rows]
    findings = tuple(replace(finding, where=where) for where, finding in judged)
    return (Claim(*same_heads_rule(least), findings),) if findings else ()


def _on_each(
    judge: Callable[[Analysis, Domain, str], Finding | None], analysis: Analysis, domains: Mapping[str, Domain]
) -> list[Finding]:
    """What a domain says of a claim, for each of those that say something; open where its score is at chance."""
    found = [(domain, judge(analysis, domain, label)) for label, domain in domains.items()]
    return [verdicts.open_at_chance(analysis, finding, domain.setting_id) for domain, finding in found if finding]


def training_claim(dynamics: pl.DataFrame) -> Claim | None:
    """The claim of figure 5, of one training; None where fewer than two epochs have curves."""
    findings = tuple(verdicts.during_training(dynamics))
    if not findings:
        return None
    return Claim(
        "Heads can be spared only after the first epochs of training.",
        "Heads can be spared only after the first epochs",
        f"Holds where, with about {100 * EARLY_SHARE:.0f} % of the heads removed, the interval of the share of the "
        "score above chance that is left lies higher at the last epoch than at the first; fails where it lies lower. "
        "Epochs whose base score is not shown to be above chance are left out. Of several curves there is a "
        "range and no interval, so that it stays open.",
        findings,
    )
