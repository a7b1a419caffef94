"""What the dialog of a head, a group, a layer or an MLP shows: effects, parts of the examples, those that changed.

It is compact JSON for the scripts of the page. Texts and answers stand once and are named by number. As many examples
of each unit are shown as fit in a page that opens quickly; how many there are is said beside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from analysis.attention_kinds import kind_name
from analysis.effects.changes import UNIT, change_counts
from analysis.formatting import address, unit_at, unit_name
from analysis.page.citations import Citations, as_json
from analysis.page.section import Section
from analysis.page.views import DomainView, SubjectView
from analysis.results.domain import Domain
from study.record.examples import text_columns
from study.record.metrics import METRICS, Task
from study.record.metrics.metric import POINTS
from study.record.units import Head

SHOWN = (20, 10, 5, 2, 0)
"""Examples of each head and domain, the first number that fits."""

MOST_BYTES = 4_000_000
"""The most that the examples of one subject take on the page."""

LONGEST = 600
"""Characters of a text that are shown; documents can be long."""

LABELLED = (Task.CLASSIFICATION, Task.CHOICE)
"""Tasks whose answers are right or wrong."""


@dataclass(frozen=True)
class HeadDetails(Section):
    """What is known of each head of a subject, and of each larger unit, beyond its row.

    Attributes:
        subject: the subject.
        examples: by label of the domain, the examples that changed (`changed_examples`).
    """

    template = "head_details"
    subject: SubjectView
    examples: Mapping[str, dict[str, Any]]

    @classmethod
    def of(cls, subject: SubjectView) -> "HeadDetails":
        """The details of every domain on which single units were removed."""
        domains = {view.label: view.domain for view in _shown(subject)}
        return cls(subject, changed_examples(domains, subject.analysis.changes))

    def json(self, citations: Citations) -> Markup:
        """The details as JSON.

        Returns:
            `{"unit": of an effect, "score_unit": of one example's score, "labelled": whether one is right or wrong,
            "digits": decimals of both, "percent": level of intervals, "kinds": {kind: name}, "heads": [address],
            "units": {address of a group, layer or MLP: [name, level, [address of each of its heads]]},
            "domains": [{"label", "effects": {address: [effect, low, high, significant, citation, number of how it was
            made]}, "sums": {address of a unit: [sum of the effects of its heads, its effect less that, low, high,
            significant]}, "splits": [{"by", "values": [[part, n]], "of": how many parts there are, "effects": {address:
            [[effect, low, high]]}}], "labels": [answer], "flips": {address: [[label number with every head, without
            this, count]]}, and those of `changed_examples`}]}`.
        """
        subject = self.subject
        first = subject.domains[0]
        content = {
            "unit": subject.unit,
            "score_unit": first.domain.metric.score_unit,
            "labelled": first.domain.metric.task in LABELLED and first.domain.metric.unit == POINTS,
            "digits": first.domain.metric.digits,
            "percent": f"{100 * (1 - first.base['alpha']):g}",
            "kinds": {kind: kind_name(kind) for kind in subject.kinds},
            "heads": [str(head) for head in sorted({Head.from_row(row) for row in _rows(subject)})],
            "units": _units(subject),
            "domains": [self._domain(view, citations) for view in _shown(subject)],
        }
        return as_json(content)

    def _domain(self, view: DomainView, citations: Citations) -> dict[str, Any]:
        analysis = self.subject.analysis
        larger = self.subject.units.filter(view.mine).with_columns(domain=pl.lit(view.label)).rows(named=True)
        digits = view.domain.metric.digits
        return {
            "label": view.label,
            "effects": {address(row): _effect(row, citations) for row in (*view.ablation.rows(named=True), *larger)},
            "sums": {row["address"]: _sum(row, digits) for row in larger if row["sum"] is not None},
            "splits": splits_of(analysis.parts.filter(view.mine), digits),
            **flips_of(analysis.changes[view.domain.setting_id], view.domain.labels),
            **self.examples[view.label],
        }


def changed_examples(domains: Mapping[str, Domain], changes: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, Any]]:
    """The changed examples of one subject (domains by label, changes by setting id), by label of the domain.

    Returns:
        For each `{"names": [what a text is], "texts": [[text ..., target]], "answers": [text], "heads": {address:
        [lost, gained, other, [[text number, score before, after, answer number or -1 before, after]]]}}`; of a choice
        an example ends with how likely each continuation was before, and after.
    """
    content: dict[str, dict[str, Any]] = {}
    for shown in SHOWN:
        content = {label: _changed(domain, changes[domain.setting_id], shown) for label, domain in domains.items()}
        if len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()) <= MOST_BYTES:
            break
    return content


def splits_of(parts: pl.DataFrame, digits: int = 2) -> list[dict[str, Any]]:
    """The splits of one domain, from its rows of `analysis.effects.parts`."""
    found = []
    for (by,), own in parts.group_by("by", maintain_order=True):
        effects: dict[str, list[list[float | None]]] = {}
        for row in own.rows(named=True):
            effects.setdefault(address(row), []).append(
                [_short(row[name], digits) for name in ("effect", "low", "high")]
            )
        values = own.unique("part", maintain_order=True).select("part", "n").rows()
        found.append({"by": by, "values": values, "of": own["parts"][0], "effects": effects})
    return found


def flips_of(changed: pl.DataFrame, labels: tuple[str, ...]) -> dict[str, Any]:
    """How many answers of a classifier became which other, by unit; nothing of other models."""
    flips: dict[str, list[list[int]]] = {}
    number = {label: i for i, label in enumerate(labels)}
    known = changed.filter(pl.col("was").is_in(list(labels)), pl.col("now").is_in(list(labels)))
    counts = known.group_by(*UNIT, "was", "now", maintain_order=True).len()
    for row in counts.rows(named=True):
        flips.setdefault(address(row), []).append([number[row["was"]], number[row["now"]], row["len"]])
    return {"labels": labels, "flips": flips}


def _shown(subject: SubjectView) -> list[DomainView]:
    """The domains on which heads, groups, layers or MLPs were removed one at a time."""
    measured = set(subject.units["setting_id"])
    return [view for view in subject.domains if view.ablation.height or view.domain.setting_id in measured]


def _units(subject: SubjectView) -> dict[str, tuple[str, str, list[str]]]:
    """Name, level and heads of every larger unit that was removed on some domain, by address."""
    rows = subject.units.unique("address", keep="first", maintain_order=True).rows(named=True)
    members = subject.layout.members
    return {
        row["address"]: (unit_name(row, subject.several), row["level"], [str(head) for head in members(unit_at(row))])
        for row in rows
    }


def _sum(row: Mapping[str, Any], digits: int) -> list[Any]:
    numbers = [_short(row[name], digits) for name in ("sum", "excess", "excess_low", "excess_high")]
    return [*numbers, int(bool(row["excess_significant"]))]


def _rows(subject: SubjectView) -> list[dict[str, Any]]:
    return [row for view in subject.compared for row in view.ablation.rows(named=True)]


def _effect(row: Mapping[str, Any], citations: Citations) -> list[Any]:
    numbers = [_short(row[name], METRICS[row["metric"]].digits) for name in ("effect", "low", "high")]
    return [*numbers, int(bool(row["significant"])), *(citations.effect(row) or ())]


def _changed(domain: Domain, changed: pl.DataFrame, shown: int) -> dict[str, Any]:
    picked = changed.filter(pl.int_range(pl.len()).over(UNIT) < shown)
    wanted = picked["example"].unique(maintain_order=True)
    number = {example: i for i, example in enumerate(wanted)}
    answers: dict[str, int] = {}
    heads: dict[str, list[Any]] = {
        address(row): [row["lost"], row["gained"], row["other"], []] for row in change_counts(changed).rows(named=True)
    }
    digits = domain.metric.digits
    for row in picked.iter_rows(named=True):
        was, now = (-1 if row[k] is None else answers.setdefault(row[k], len(answers)) for k in ("was", "now"))
        scores = (_short(row[name], digits) for name in ("before", "after"))
        likely = [
            [_short(each) for each in row[f"likely_{name}"]] for name in ("before", "after") if row[f"likely_{name}"]
        ]
        heads[address(row)][3].append([number[row["example"]], *scores, was, now, *likely])
    answered = [_cut(text) for text in answers]
    return {"names": _names(domain), "texts": _texts(domain, wanted), "answers": answered, "heads": heads}


def _names(domain: Domain) -> list[str]:
    """What the texts of an example are, as far as they differ in kind; of a choice what comes before the choices."""
    examples = domain.examples
    match domain.metric.task:
        case Task.CHOICE:
            return ["continuation" if "varies" in examples.columns else "context"]
        case Task.TRANSLATION:
            return ["source"]
        case _ if domain.is_inference:
            return ["premise", "hypothesis"]
    count = len(text_columns(examples.columns))
    return ["text"] if count == 1 else [f"text {i + 1}" for i in range(count)]


def _texts(domain: Domain, wanted: pl.Series) -> list[list[str]]:
    """The texts and the target of these examples, of which some may have more texts than others."""
    table = pl.DataFrame({"example": wanted}).join(domain.examples, on="example", how="left", maintain_order="left")
    rows = table.select(*text_columns(table.columns), "target").iter_rows()
    return [[_cut(text) for text in row if text is not None] for row in rows]


def _cut(text: Any) -> str:
    words = str(text)
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"


def _short(number: float | None, digits: int = 2) -> float | int | None:
    """So many decimals are enough to look at."""
    if number is None:
        return None
    rounded = round(number, digits)
    return int(rounded) if rounded == int(rounded) else rounded
