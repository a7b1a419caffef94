"""What the page knows of each head beyond its row: the examples that flipped, with text, as compact JSON.

Texts and answers stand once and are named by number. As many examples of each head are shown as fit in a page that
opens quickly; how many there are is said beside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.effects.changes import change_counts
from analysis.formatting import address
from analysis.page.section import Section
from analysis.page.views import SubjectView
from analysis.results.domain import Domain
from study.record.heads import ADDRESS

SHOWN = (20, 10, 5, 2, 0)
"""Examples of each head and domain, the first number that fits."""

MOST_BYTES = 4_000_000
"""The most that the examples of one subject take on the page."""

LONGEST = 600
"""Characters of a text that are shown; documents can be long."""


@dataclass(frozen=True)
class Examples(Section):
    """The examples, for the script of the page."""

    template = "examples"
    json: str

    @classmethod
    def of(cls, subject: SubjectView) -> "Examples":
        """The examples of every domain on which single heads were removed."""
        return cls(examples_json({view.label: view.domain for view in subject.compared}, subject.analysis.changes))


def examples_json(domains: Mapping[str, Domain], changes: Mapping[str, pl.DataFrame]) -> str:
    """The flipped examples of one subject (domains by label, changes by setting id), safe to stand in a script element.

    Returns:
        `{"shown": most of a head, "unit": of a single example's score, "domains": [{"label", "texts": [[text ...,
        target]], "answers": [text], "heads": {address: [lost, gained, other, [[text number, before, after, answer
        number or -1 before, after]]]}}]}`.
    """
    content = ""
    for shown in SHOWN:
        parts = [_domain(label, domain, changes[domain.setting_id], shown) for label, domain in domains.items()]
        unit = next((domain.metric.score_unit for domain in domains.values()), "")
        content = json.dumps(
            {"shown": shown, "unit": unit, "domains": parts}, ensure_ascii=False, separators=(",", ":")
        )
        if len(content.encode()) <= MOST_BYTES:
            break
    return content.replace("<", "\\u003c")


def _domain(label: str, domain: Domain, changed: pl.DataFrame, shown: int) -> dict[str, Any]:
    picked = changed.filter(pl.int_range(pl.len()).over(*ADDRESS) < shown)
    wanted = picked["example"].unique(maintain_order=True)
    number = {example: i for i, example in enumerate(wanted)}
    answers: dict[str, int] = {}
    heads: dict[str, list[Any]] = {
        address(row): [row["lost"], row["gained"], row["other"], []] for row in change_counts(changed).rows(named=True)
    }
    for row in picked.iter_rows(named=True):
        was, now = (-1 if row[k] is None else answers.setdefault(row[k], len(answers)) for k in ("was", "now"))
        shown_of = heads[address(row)][3]
        shown_of.append([number[row["example"]], _short(row["before"]), _short(row["after"]), was, now])
    return {
        "label": label,
        "texts": _texts(domain, wanted),
        "answers": [_cut(text) for text in answers],
        "heads": heads,
    }


def _texts(domain: Domain, wanted: pl.Series) -> list[list[str]]:
    """The texts and the target of these examples."""
    table = pl.DataFrame({"example": wanted}).join(domain.examples, on="example", how="left", maintain_order="left")
    columns = sorted(name for name in table.columns if name.startswith("text_"))
    return [[_cut(text) for text in row] for row in table.select(*columns, "target").iter_rows()]


def _cut(text: Any) -> str:
    words = str(text)
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"


def _short(score: float) -> float | int:
    """Two digits are enough to look at."""
    rounded = round(score, 2)
    return int(rounded) if rounded == int(rounded) else rounded
