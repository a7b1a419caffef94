"""What these results say of each claim of the paper: a verdict on a domain, and the numbers that it follows from.

A claim is open where the interval allows both: few examples make claims open, never wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import polars as pl

from analysis.attention_kinds import STYLES, kind_name
from analysis.compute import Analysis
from analysis.correlation import Correlations
from analysis.curves.order_names import IMPORTANCE, papers_order
from analysis.effects.head_effects import ALL_KINDS, LOSES_LESS, Measure
from analysis.formatting import decimal, decimals, effect, ends, head_name, interval, layer_name, score, signed
from analysis.results.domain import Domain
from study.record.metrics import Task
from study.record.units import AttentionKind

DISPENSABLE = {task: 0.2 if task is Task.TRANSLATION else 0.4 for task in Task}
"""Share of the heads that go without noticeable loss: WMT's and, of all that do not translate, BERT's in figure 3."""

FEW = 2
"""Heads that may not make a correlation alone; an eighth of the heads where that is fewer."""

EARLY_SHARE = 0.4
"""Share of the heads that figure 5 is read at."""


class Verdict(StrEnum):
    """What can be said of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "cannot be said"

    @property
    def mark(self) -> str:
        """What says it without colour."""
        return {"HOLDS": "✓", "FAILS": "✗", "OPEN": "?"}[self.name]

    @property
    def style(self) -> str:
        """Name of its class on the page."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """A verdict on one domain, or on two, and the numbers that it follows from.

    Attributes:
        where: the label of the domain, or of both.
        verdict: what can be said there.
        because: the numbers, in sentences.
        caveat: in a few words, what is to be known beside the verdict; empty where nothing is.
    """

    where: str
    verdict: Verdict
    because: str
    caveat: str = ""


def verdict(holds: bool, fails: bool) -> Verdict:
    """Open where neither is so."""
    return Verdict.HOLDS if holds else Verdict.FAILS if fails else Verdict.OPEN


def open_at_chance(analysis: Analysis, finding: Finding, *setting_ids: str) -> Finding:
    """A finding as it is, or open where the base score of one of its domains is not shown to be above chance."""
    rows = analysis.base.filter(pl.col("setting_id").is_in(setting_ids), ~pl.col("above_chance"))
    if rows.is_empty():
        return finding
    said = " and ".join(_not_above_chance(row, f" on {row['domain']}") for row in rows.rows(named=True))
    return Finding(finding.where, Verdict.OPEN, f"With every head, {said}. {finding.because}", "score at chance")


def _known(analysis: Analysis, domain: Domain, measure: Measure) -> pl.DataFrame:
    """The effects of one measure that have an interval."""
    return analysis.effects.filter(setting_id=domain.setting_id, measure=measure).drop_nulls("low")


def each_head(analysis: Analysis, domain: Domain, label: str) -> Finding | None:
    """How many heads of a domain are shown to lose less than the margin, and how many lose significantly."""
    heads = _known(analysis, domain, Measure.ABLATION)
    if heads.is_empty():
        return None
    safe = heads.filter(LOSES_LESS).height
    worse = heads.filter(pl.col("significant") & (pl.col("effect") < 0)).height
    middle = heads.sort("effect").row(heads.height // 2, named=True)
    unit, count = middle["unit"], len(domain.layout)
    measured = "" if heads.height == count else f" ({heads.height} were measured)"
    because = (
        f"Removing {worse} of {count} heads{measured} costs significantly; {safe} are shown to cost less than "
        f"{middle['margin']:g} {unit}. The median head changes the score by {effect(middle)} {unit}"
        f"{interval(middle)}."
    )
    return Finding(label, verdict(2 * safe > count, 2 * worse > count), because)


def one_head(analysis: Analysis, domain: Domain, label: str) -> Finding | None:
    """In how many layers of a domain the best head alone is enough, and in how many it is not."""
    layer = ["kind", "layer"]
    alone = _known(analysis, domain, Measure.ALL_BUT_ONE)
    if alone.is_empty():
        return None
    tried = alone.with_columns(tried=pl.len().over(layer)).sort("effect", descending=True, maintain_order=True)
    best = tried.unique(layer, keep="first", maintain_order=True)
    count, margin = len(domain.layout.layers), best["margin"][0]
    enough = best.filter(LOSES_LESS)
    lost = _all_tried(best, domain).filter(pl.col("high") < 0).height
    none = _known(analysis, domain, Measure.NO_HEAD).filter(LOSES_LESS)
    idle = enough.join(none.select(layer), on=layer, how="semi").height
    worst = best.sort("effect").row(0, named=True)
    control = f", {idle} of which can do without any head" if enough.height else ""
    name = layer_name(worst, several=len(domain.layout.counts) > 1)
    because = (
        f"With its best head alone, a layer is shown to cost less than {margin:g} {worst['unit']} in {enough.height} "
        f"of {count} layers{control}; in {lost} the interval lies below 0. The worst is {name}: "
        f"{effect(worst)}{interval(worst)}."
    )
    return Finding(label, verdict(2 * enough.height > count, 2 * lost >= count), because)


def _all_tried(best: pl.DataFrame, domain: Domain) -> pl.DataFrame:
    """The layers each of whose heads was left alone: of the others the best one may not be known."""
    heads = {(str(kind), layer): domain.layout.counts[kind][layer] for kind, layer in domain.layout.layers}
    every = [row["tried"] == heads[row["kind"], row["layer"]] for row in best.rows(named=True)]
    return best.filter(pl.Series(every, dtype=pl.Boolean))


def other_domain(analysis: Analysis, domains: Mapping[str, Domain]) -> Iterator[Finding]:
    """The correlation of every two domains."""
    labels = {domain.setting_id: label for label, domain in domains.items()}
    rows = analysis.correlations.overall.filter(pl.col("setting_a").is_in(list(labels))).drop_nulls("pearson")
    for row in rows.rows(named=True):
        found = same_heads(row, analysis.correlations, analysis.least_r)
        where = f"{labels[row['setting_a']]} and {labels[row['setting_b']]}"
        said = f"{found.because}{_one_group(analysis, row, labels)}"
        finding = replace(found, where=where, because=said)
        yield open_at_chance(analysis, finding, row["setting_a"], row["setting_b"])


def same_heads(row: Mapping[str, Any], found: Correlations, least: float) -> Finding:
    """Whether the same heads matter on both domains of a row of `Correlations.correlation`.

    R of the true effects decides. Where it cannot be estimated, the measured r may show that the claim holds, as noise
    only lowers it, unless both domains share examples and so their noise; it never shows that the claim fails. Without
    outcomes of examples the interval over heads stands in for it.
    """
    measured, known = measured_interval(row), row["true_low"] is not None
    low, high = (row["true_low"], row["true_high"]) if known else measured
    shows = low is not None and low > least and (known or not row["shared"])
    outcome = verdict(shows, known and row["true_high"] < least)
    true = f"True r is {decimal(row['true'])}{ends(low, high)}" if known else f"True r: {_why_not(row)}"
    over = ", an interval over heads)" if row["groups_a"] is None else ")"
    between = ends(*measured).replace(")", over)
    sentence, caveat = _few_heads(found, row, least)
    because = f"{true}. Measured r is {decimal(row['pearson'])}{between}, of {row['heads']} heads.{sentence}"
    return Finding("", outcome, because, caveat)


def measured_interval(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The interval of the measured r over examples; over heads where no outcomes of examples are known."""
    name = "heads" if row["groups_a"] is None else "pearson"
    return row[f"{name}_low"], row[f"{name}_high"]


def _why_not(row: Mapping[str, Any]) -> str:
    """Why there is no r of the true effects, or no interval of it."""
    return f"not estimable ({row['true_reason'] or 'its interval is not known'})"


def _few_heads(found: Correlations, row: Mapping[str, Any], least: float) -> tuple[str, str]:
    """The sentence, and the few words, that one or two heads make r, where without them it is below `least`."""
    few = pl.col("left_out").is_between(1, min(FEW, row["heads"] // 8))
    left = found.without_largest.filter(few, pl.col("pearson") < least, **_pair(row))
    if row["pearson"] < least or left.is_empty():
        return "", ""
    first = left.sort("left_out").row(0, named=True)
    influence = found.influence.filter(**_pair(row))
    heads = influence.filter(pl.col("rank") <= first["left_out"]).sort("rank")
    several = influence["kind"].n_unique() > 1
    names = " and ".join(head_name(head, several) for head in heads.rows(named=True))
    count, them = ("one head", "it") if heads.height == 1 else (f"{heads.height} heads", "them")
    sentence = (
        f" It rests on {count} ({names}): without {them} r = {decimal(first['pearson'])}; Spearman’s ρ of all heads is "
        f"{decimal(row['spearman'])}."
    )
    return sentence, f"rests on {count}"


def _pair(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in ("setting_a", "setting_b")}


def _one_group(analysis: Analysis, row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """A sentence for each group of examples that decides on r."""
    return "".join(
        f" Without one {found['unit']} of {labels[found['setting_id']]} ({found['group']}) r = "
        f"{decimal(found['pearson_without'])}."
        for found in analysis.influence.correlation.filter(decides=True, **_pair(row)).rows(named=True)
    )


def at_once(analysis: Analysis, domain: Domain, label: str) -> Finding | None:
    """The loss on a domain with the paper's share of the heads removed in order of importance."""
    share, name = DISPENSABLE[domain.metric.task], papers_order(domain)
    if name is None:
        return None
    order = {"setting_id": domain.setting_id, "kinds": ALL_KINDS, "curve": name}
    curve, summary = analysis.points.filter(**order).drop_nulls("low"), analysis.curves.filter(**order)
    if curve.is_empty() or summary.is_empty():
        return None
    point = curve.sort((pl.col("share") - share).abs(), maintain_order=True).row(0, named=True)
    loss = {name: point[name] - point["base_score"] for name in ("score", "low", "high")}
    allowed, unit = summary["within"][0], domain.metric.unit
    because = (
        f"With {100 * point['share']:.0f} % of the heads removed, by {name}, the score changes by "
        f"{signed(loss['score'], decimals(unit))} {unit}{interval(loss, unit=unit)}; a loss of {allowed:g} is allowed."
    )
    return Finding(label, verdict(loss["low"] > -allowed, loss["high"] < -allowed), because)


def better_than_random(analysis: Analysis, domain: Domain, label: str) -> Finding | None:
    """The order by importance against random orders on a domain."""
    mine = analysis.contrasts.filter(setting_id=domain.setting_id, kinds_a=ALL_KINDS, kinds_b=ALL_KINDS)
    name = papers_order(domain)
    row = None if name is None else _contrast(mine, "curve", name, "random")
    if row is None:
        return None
    unit = domain.metric.unit
    said = f"{signed(row['difference'], decimals(unit))} {unit}{interval(row, unit=unit)}"
    because = f"The difference, by {name}, is {said}."
    return Finding(label, verdict(row["low"] > 0, row["high"] < 0), because)


def cross_attention(analysis: Analysis, domain: Domain, label: str) -> Finding | None:
    """Encoder-decoder attention against both self-attentions, of the order by importance or else the first one."""
    within_kinds = pl.col("kinds_a").is_in(list(STYLES)) & (pl.col("kinds_a") != pl.col("kinds_b"))
    mine = analysis.contrasts.filter(pl.col("setting_id") == domain.setting_id, within_kinds)
    mine = mine.sort(pl.col("curve_a") != (papers_order(domain) or IMPORTANCE), maintain_order=True)
    first = mine.filter(pl.col("curve_a") == pl.col("curve_a").first())
    others = (AttentionKind.ENCODER_SELF, AttentionKind.DECODER_SELF)
    rows = [_contrast(first, "kinds", str(AttentionKind.CROSS), str(kind)) for kind in others]
    found = {kind: row for kind, row in zip(others, rows, strict=True) if row is not None}
    if len(found) < len(others):
        return None
    unit = domain.metric.unit
    said = "; ".join(
        f"{signed(row['difference'], decimals(unit))}{interval(row, unit=unit)} from that of {kind_name(kind)}"
        for kind, row in found.items()
    )
    order = first["curve_a"][0]
    because = f"The mean score along its curve, by {order}, differs by {said}, in {unit}."
    needs = all(row["high"] < 0 for row in found.values())
    spares = any(row["low"] > 0 for row in found.values())
    return Finding(label, verdict(needs, spares), because)


def _contrast(contrasts: pl.DataFrame, column: str, a: str, b: str) -> Mapping[str, float] | None:
    """The difference of two lines, the first minus the second, whichever way round it is stored; None for none."""
    for one, other, sign in ((a, b, 1), (b, a, -1)):
        found = contrasts.filter(pl.col(f"{column}_a") == one, pl.col(f"{column}_b") == other)
        if found.height and found["low"][0] is not None:  # of one group there is no interval
            row = found.row(0, named=True)
            ends = sorted((sign * row["low"], sign * row["high"]))
            return {"difference": sign * row["difference"], "low": ends[0], "high": ends[1]}
    return None


def during_training(dynamics: pl.DataFrame) -> Iterator[Finding]:
    """The first epoch against the last, for every domain and order of one training."""
    for (domain, curve), line in dynamics.group_by("domain", "curve", maintain_order=True):
        distance = (pl.col("share") - EARLY_SHARE).abs()
        points = line.filter(distance == distance.min()).sort("epoch")
        epochs, unknown = points["epoch"].n_unique(), points.filter(pl.col("reason").is_not_null())
        points, where = points.filter(pl.col("reason").is_null()), f"{domain}, by {curve}"
        if epochs < 2 or points["low"].null_count():
            continue
        if points["epoch"].n_unique() < 2:
            yield Finding(where, Verdict.OPEN, f"Fewer than two epochs are above chance: {at_chance(unknown)}.")
            continue
        first, last = points.row(0, named=True), points.row(-1, named=True)
        said = ", ".join(
            f"at epoch {row['epoch']:g} {100 * row['kept']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
            for row in (first, last)
        )
        of_one = first["band"] == last["band"] == "bootstrap"
        ranges = "" if of_one else "; these are ranges of several curves, and no intervals"
        without = f" Left out: {at_chance(unknown)}." if unknown.height else ""
        yield Finding(
            where,
            verdict(of_one and last["low"] > first["high"], of_one and last["high"] < first["low"]),
            f"With {100 * first['share']:.0f} % of the heads removed, what is left of the score above chance is {said}"
            f"{ranges}.{without}",
        )


def at_chance(rows: pl.DataFrame) -> str:
    """`epoch 0.25, whose 41.65 % are not shown to be above chance (33.40 %)`: the epochs of rows without a share."""
    rows = rows.unique("epoch", maintain_order=True).sort("epoch")
    return "; ".join(f"epoch {row['epoch']:g}, whose {_not_above_chance(row)}" for row in rows.rows(named=True))


def _not_above_chance(row: Mapping[str, Any], where: str = "") -> str:
    base, chance = (score(row[name], row["metric"]) for name in ("base_score", "chance"))
    return f"{base}{where} are not shown to be above chance ({chance})"
