"""Cite this number: what a number with an interval is, and how it was made, ready for a paper.

How the numbers of a page were made is much the same for all: each way is written once, and a number says which is its.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from analysis.attention_kinds import kind_name
from analysis.effects.head_effects import ALL_KINDS, Measure
from analysis.formatting import address, decimal, decimals, effect, ends, interval, p_value, score, signed
from analysis.inference import Interval
from analysis.inference.multiplicity import Correction
from analysis.page.methods import corrected
from study.record.metrics import METRICS
from study.record.units import UnitLevel

VERSION = version("sixteen-heads")

Row = Mapping[str, Any]


class Citations:
    """The numbers of one page that can be cited; collects how they were made while the page is written."""

    def __init__(self, signatures: Mapping[str, str], level: float) -> None:
        """Signatures of the metric by setting id, and the level of the intervals."""
        self.signatures, self.percent = signatures, f"{100 * level:g} %"
        self.ways: dict[str, int] = {}

    @property
    def json(self) -> Markup:
        """Every way in which numbers of the page were made, safe to stand in a script element."""
        return as_json(list(self.ways))

    def attributes(self, cited: tuple[str, int] | None) -> Markup:
        """What makes an element a number that can be cited; nothing for one without interval."""
        if cited is None:
            return Markup("")
        return Markup(' class="cited" data-cite="{}" data-how="{}"').format(*cited)

    def effect(self, row: Row, prefix: str = "") -> tuple[str, int] | None:
        """The effect of a row of `effects`, or of one of the tables made of it, whose columns may have a prefix."""
        own = {name.removeprefix(prefix): value for name, value in row.items()} | {"kind": row["kind"]}
        if own.get("low") is None or own.get("groups") is None:
            return None
        measure = Measure(own.get("measure") or Measure.ABLATION)
        what = f"Effect of {_removed(own, measure)} on the score of {row['subject']} on {row['domain']}"
        said = f"{what}: {effect(own)} {own['unit']}{self._between(interval(own))}, p {p_value(own['p'])}"
        by = "" if own["correction"] == Correction.none else f", corrected {p_value(own['p_corrected'])}"
        tested = f"p by {own['test'].replace('_', ' ')}"
        tested += "" if own["correction"] == Correction.none else f", corrected by {corrected(own['correction'])}"
        return said + by, self._way(own, tested)

    def base(self, row: Row) -> tuple[str, int] | None:
        """The base score of a row of `base`."""
        if row["low"] is None:
            return None
        what = f"Score of {row['subject']} on {row['domain']} with every head"
        between = self._between(ends(row["low"], row["high"], METRICS[row["metric"]].digits))
        return f"{what}: {score(row['base_score'], row['metric'])}{between}", self._way(row)

    def correlation(self, row: Row, name: str = "pearson") -> tuple[str, int] | None:
        """Pearson's r of a row of a table of correlations, as measured (`pearson`) or of the true effects (`true`)."""
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if low is None or row.get("groups_a") is None:
            return None
        true = "true " if name == "true" else ""
        what = f"Pearson’s r of the {true}effects of removing {row['heads']} heads of {row['subject']}"
        what += f" on {row['domain_a']} and {row['domain_b']}"
        groups = f"{row['groups_a']:,} and {row['groups_b']:,} groups of examples"
        made = f"jackknife interval over {groups}; settings {row['setting_a']}, {row['setting_b']}"
        return f"{what}: {decimal(row[name])}{self._between(ends(low, high))}", self._add(made)

    def curve(self, row: Row, unit: str, digits: int = 2) -> tuple[str, int] | None:
        """The mean score along a pruning curve, from a row of `curves`."""
        if row["area_low"] is None:
            return None
        what = f"Mean score of {row['subject']} on {row['domain']} along its pruning curve by {row['curve']}"
        made = f"paired bootstrap over groups of examples, {row['resamples']:,} resamples, seed {row['seed']}"
        between = self._between(ends(row["area_low"], row["area_high"], digits))
        return f"{what}: {decimal(row['area'], digits)} {unit}{between}", self._add(made, row["setting_id"])

    def contrast(self, row: Row, drawn: Row, unit: str) -> tuple[str, int] | None:
        """The difference of two curves, from a row of `curve_contrasts`, drawn as the curves of a row of `curves`."""
        if row["low"] is None:
            return None
        curves = [", ".join(filter(None, (row[f"curve_{side}"], _kinds(row[f"kinds_{side}"])))) for side in "ab"]
        what = (
            f"Mean score of {row['subject']} on {row['domain']} along its pruning curve by {' minus by '.join(curves)}"
        )
        made = f"paired bootstrap over groups of examples, {drawn['resamples']:,} resamples, seed {drawn['seed']}"
        between = self._between(interval(row, unit=unit))
        return f"{what}: {signed(row['difference'], decimals(unit))} {unit}{between}", self._add(
            made, row["setting_id"]
        )

    def importance(self, row: Row) -> tuple[str, int] | None:
        """Spearman's rank correlation of importance and cost, from a row of `taylor`."""
        if row["low"] is None:
            return None
        level = UnitLevel(row["units"])
        what = f"Spearman’s ρ of importance ({row['estimator']}) and the {row['cost']} that removing "
        what += f"{'an' if level is UnitLevel.mlp else 'a'} {level.noun} costs {row['subject']} on {row['domain']}"
        what += f", over {row['heads']} {level.plural}"
        between = self._between(ends(row["low"], row["high"]))
        made = "delete-a-group jackknife interval over groups of examples"
        return f"{what}: {decimal(row['spearman'])}{between}", self._add(made, row["setting_id"])

    def difference(self, row: Row) -> tuple[str, int] | None:
        """The difference of the effects of a head in two subjects, from a row of `head_differences`."""
        if row["low"] is None:
            return None
        what = f"Effect of removing {address(row)} on {row['domain']}, {row['subject_b']} minus {row['subject_a']}"
        groups = f"{row['groups_a']:,} and {row['groups_b']:,} groups of examples, {row['shared']:,} of them shared"
        made = f"jackknife interval over {groups}; settings {row['setting_b']}, {row['setting_a']}"
        return f"{what}: {effect(row, 'difference')} {row['unit']}{self._between(interval(row))}", self._add(made)

    def _between(self, interval: str) -> str:
        """` (95 % interval −0.80 to −0.21)`, from an interval in brackets."""
        return interval.replace("(", f"({self.percent} interval ")

    def _way(self, row: Row, tested: str = "") -> int:
        drawn = "" if row["resamples"] is None else f", {row['resamples']:,} resamples, seed {row['seed']}"
        how = (
            f"{row['interval']} bootstrap"
            if row["interval"] in (Interval.percentile, Interval.bca)
            else row["interval"]
        )
        made = f"{how} interval over {row['groups']:,} {row['group']}s, n = {row['n']:,}{drawn}"
        return self._add("; ".join(filter(None, (made, tested))), row["setting_id"])

    def _add(self, made: str, setting_id: str | None = None) -> int:
        parts = [made]
        if setting_id is not None:
            signature = self.signatures.get(setting_id)
            parts += [signature and f"signature {signature}", f"setting {setting_id}"]
        way = "; ".join(filter(None, [*parts, f"sixteen-heads {VERSION}"]))
        return self.ways.setdefault(way, len(self.ways))


def as_json(content: Any) -> Markup:
    """Compact JSON that is safe in a script element."""
    return Markup(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _removed(row: Row, measure: Measure) -> str:
    """What was removed: `removing cross.2.1`, `leaving only cross.2.1 in its layer`, `removing layer cross.2`."""
    if measure is Measure.NO_HEAD:
        return f"removing every head of layer {row['kind']}.{row['layer']}"
    return f"leaving only {address(row)} in its layer" if measure is Measure.ALL_BUT_ONE else f"removing {address(row)}"


def _kinds(kinds: str) -> str:
    """The heads of a curve, where they are not those of every kind."""
    return "" if kinds == ALL_KINDS else f"{kind_name(kinds)} only"
