"""Effects of single heads so far: of each setting, on the examples that its masks have in common by now.

An analysis of a growing folder again and again would take more time than the study. So a setting is read again only
once it has new parts, and no sooner than after ten times what the last reading took.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis import Domain, Inference
from analysis.effects.head_effects import Measure, effects
from analysis.formatting import effect, head_name, interval, score
from analysis.replacements import counted
from analysis.results.read import read_domain, setting_folders
from study.record.errors import StudyError
from study.record.parts import UNREADABLE, every_part
from study.tracking.run import serves_trainings

MOST_SETTINGS = 6
MOST_HEADS = 10
RESAMPLES = 2000
"""Enough for an interval to look at; the page takes more."""

PATIENCE = 10
"""Times the duration of a reading that pass before the next one."""


@dataclass(frozen=True)
class HeadBar:
    """The effect of one head, and where its interval lies on the axis of its setting.

    Attributes:
        head: its name, `L2H3`; its address where there are several attention kinds.
        text: the effect with its interval.
        low, high, at: ends of the interval and the effect, in percent of the width of the axis; without an interval the
            three are one place.
    """

    head: str
    text: str
    low: float
    high: float
    at: float


@dataclass(frozen=True)
class EffectsSoFar:
    """What is known of one setting by now.

    Attributes:
        name: model and data.
        base: base score, with its unit.
        seen: on how many examples, and how many heads have been removed on them, in words.
        bars: the strongest heads.
        zero: where no effect lies, in percent of the width of the axis.
        more: heads that are measured and not shown.
        level: level of the intervals, in words.
    """

    name: str
    base: str
    seen: str
    bars: tuple[HeadBar, ...]
    zero: float = 0.0
    more: int = 0
    level: str = ""


@dataclass(frozen=True)
class _Snapshot:
    """What a setting came to when it was last read, of which parts, when, and for how many seconds."""

    found: EffectsSoFar | None
    parts: frozenset[str]
    when: float
    took: float


@dataclass
class StudyEffects:
    """The effects of a results folder while it grows.

    Attributes:
        results: the results folder.
    """

    results: Path
    _snapshots: dict[Path, _Snapshot] = field(default_factory=dict, init=False)

    def latest(self) -> list[EffectsSoFar]:
        """The effects of the settings that have grown last, the latest first; before those that trainings asked for."""
        folders = setting_folders(self.results) if self.results.is_dir() else []
        parts = {folder: [part.name for part in every_part(folder)] for folder in folders}
        grown = sorted(
            folders,
            key=lambda folder: (not serves_trainings(folder), max(map(_written, parts[folder]), default="")),
            reverse=True,
        )
        found = []
        for folder in grown:
            if len(found) == MOST_SETTINGS:
                break
            if known := self._known(folder, frozenset(parts[folder])):
                found.append(known)
        return found

    def _known(self, folder: Path, parts: frozenset[str]) -> EffectsSoFar | None:
        """What a setting comes to; as it was read before, where nothing is new or that was just now."""
        last, now = self._snapshots.get(folder), time.monotonic()
        if last and (last.parts == parts or now - last.when < PATIENCE * last.took):
            return last.found
        try:
            found = so_far(read_domain(folder, under_way=True))
        except (StudyError, *UNREADABLE):  # no base score yet, a file that the page names, or a folder moved away
            found = last.found if last else None
        self._snapshots[folder] = _Snapshot(found, parts, time.monotonic(), time.monotonic() - now)
        return found


def so_far(domain: Domain) -> EffectsSoFar | None:
    """The base score and the strongest heads of a setting; None of a checkpoint of which no head was removed."""
    table = effects(domain, Inference(resamples=RESAMPLES)).filter(measure=Measure.ABLATION)
    name, examples = f"{domain.model} on {domain.data}", counted(domain.examples.height, domain.replacement.draws)
    base = score(domain.sample().base_score, domain.metric.name)
    if not table.height:
        return None if domain.checkpoint else EffectsSoFar(name, base, examples, ())
    rows = sorted(table.rows(named=True), key=lambda row: -abs(row["effect"]))
    seen = f"{examples}, {len(rows)} of {len(domain.layout)} heads removed, each alone"
    bars, zero = _bars(rows[:MOST_HEADS], several=len(domain.layout.counts) > 1)
    level = "" if rows[0]["alpha"] is None else f"{100 * (1 - rows[0]['alpha']):g} % intervals, each head by itself"
    return EffectsSoFar(name, base, seen, bars, zero, len(rows) - len(bars), level)


def _bars(rows: Sequence[Mapping[str, Any]], *, several: bool) -> tuple[tuple[HeadBar, ...], float]:
    """Rows of effects on an axis of their own, and where its zero lies; `several` kinds of attention are named."""
    ends = [row[end] for row in rows for end in ("low", "effect", "high") if row[end] is not None]
    left, right = min(0.0, *ends), max(0.0, *ends)

    def place(value: float) -> float:
        return round(100 * (value - left) / ((right - left) or 1.0), 2)

    def bar(row: Mapping[str, Any]) -> HeadBar:
        low, high = (row["effect"] if row[end] is None else row[end] for end in ("low", "high"))
        text = f"{effect(row)}{interval(row)}"
        return HeadBar(head_name(row, several), text, place(low), place(high), place(row["effect"]))

    return tuple(map(bar, rows)), place(0.0)


def _written(part: str) -> str:
    """When a part was written, as its name says it."""
    return part.rsplit("-", 2)[1]
