"""How many words a probe attaches to the right head (the unlabelled attachment score), against what needs no probe.

The same words are attached by the best single head, by the best fixed offset, both chosen in the training, and by the
same probe of a model with random weights. Sentences that the training has seen do not count.

Shapes: G groups, R relations, N words of all sentences, one sentence behind the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from analysis.inference import Inference
from analysis.inference.discordant_pairs import PERCENT
from analysis.inference.shares import difference_limits, share_limits
from analysis.results.probe_readings import ProbeReading
from analysis.syntax.relation_sums import ALL, ALL_BUT_PUNCTUATION, FEWEST_CASES
from study.record.syntax.tree import PUNCTUATION
from study.record.units import ADDRESS, Head

OF_PROBE = {
    **dict.fromkeys(["subject", "subject_id", "domain", "setting_id"], pl.String),
    "untrained": pl.Boolean,
    **dict.fromkeys(["probe", "trained_on"], pl.String),
}

OTHERS = ("single", "offset", "control")
"""What a probe is compared with."""

SCORES = (
    OF_PROBE
    | {"relation": pl.String, "words": pl.Int64, "right": pl.Int64}
    | dict.fromkeys(["uas", "low", "high"], pl.Float64)
    | {"single_head": pl.String, "single_to_head": pl.Boolean, "offset_words": pl.Int64}
    | {
        name: pl.Float64
        for other in OTHERS
        for name in (other, f"above_{other}", f"above_{other}_low", f"above_{other}_high")
    }
    | dict.fromkeys(["sentences", "seen", "groups", "epoch", "held_out_words"], pl.Int64)
    | {"learning_rate": pl.Float64, "held_out_uas": pl.Float64, "group": pl.String, "alpha": pl.Float64}
)

WEIGHTS = OF_PROBE | ADDRESS | dict.fromkeys(["to_head", "to_dependent", "loss_without"], pl.Float64)


@dataclass(frozen=True, eq=False)
class Attachments:
    """The words of a reading that count, and which heads are found for them.

    Attributes:
        sentences: the sentences, in the order of the words, without those that training has seen.
        seen: how many it has seen.
        probe: the reading.
    """

    sentences: pl.DataFrame
    seen: int
    probe: ProbeReading

    @classmethod
    def of(cls, reading: ProbeReading) -> "Attachments":
        """Those of a reading."""
        seen = pl.col("example").is_in(list(reading.probe.seen))
        rows = reading.rows.filter(~seen)
        return cls(rows, reading.rows.height - rows.height, reading)

    @cached_property
    def gold(self) -> Int[np.ndarray, " N"]:
        """The head of each word, 0 for the root."""
        return self._words("head")

    @cached_property
    def relations(self) -> pl.Series:
        """The relation of each word."""
        return self.sentences["relation"].explode()

    @property
    def right(self) -> Bool[np.ndarray, " N"]:
        """Whether the probe is right."""
        return self._words("found") == self.gold

    @property
    def single_right(self) -> Bool[np.ndarray, " N"]:
        """Whether the best single head is right; it never finds the root."""
        return (self._words("single") == self.gold) & (self.gold > 0)

    @property
    def offset_right(self) -> Bool[np.ndarray, " N"]:
        """Whether the best fixed offset is right; it never finds the root."""
        lengths = self.sentences["head"].list.len().to_numpy()
        position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
        return (position + self.probe.probe.offset == self.gold) & (self.gold > 0)

    def _words(self, column: str) -> Int[np.ndarray, " N"]:
        return self.sentences[column].explode().to_numpy().astype(np.int64)


def probe_scores(reading: ProbeReading, control: ProbeReading | None, inference: Inference) -> pl.DataFrame:
    """The score of a probe by relation: first of all words but punctuation, then of all, then of frequent relations.

    Args:
        reading: what the probe finds.
        control: what it finds in a model with random weights; None where that was not measured.
        inference: alpha and groups.

    Returns:
        Columns that say what was scored; relation; words and right, of the sentences that training has not seen; uas
        (percent), with low and high, by a jackknife over groups; single_head, single_to_head: the best single head and
        its direction, offset_words: the best fixed offset, as training chose them; single, offset, control: their
        scores, percent, and those of the control; above_...: the probe less these on the same words, points, with low
        and high; sentences, seen (left out), groups; learning_rate, epoch: those that were taken; held_out_words,
        held_out_uas: their score on what was held out; group; alpha. Rows of relations leave the root out.

    Raises:
        InputError: when the sentences have no such groups.
    """
    words = Attachments.of(reading)
    if words.sentences.is_empty():
        return pl.DataFrame(schema=SCORES)
    others = {"single": words.single_right, "offset": words.offset_right, "control": _control(words, control)}
    column = reading.group_column(inference.groups)
    names = words.sentences[column]
    number = names.replace_strict(names.unique(maintain_order=True), pl.Series(np.arange(names.n_unique()))).to_numpy()
    group = np.repeat(number, words.sentences["head"].list.len().to_numpy())
    rows = [
        {"relation": relation, **_row(members, group, words.right, others, inference.alpha)}
        for relation, members in _members(words)
    ]
    probe = reading.probe
    about = {
        **_told(reading),
        "single_head": probe.single_head,
        "single_to_head": probe.single_to_head,
        "offset_words": probe.offset,
        "sentences": words.sentences.height,
        "seen": words.seen,
        "epoch": probe.epoch,
        "learning_rate": probe.learning_rate,
        "held_out_words": probe.held_out_words,
        "held_out_uas": PERCENT * probe.course[probe.epoch - 1].held_out_right / max(probe.held_out_words, 1),
        "group": column,
        "alpha": inference.alpha,
    }
    return pl.DataFrame([{**about, **row} for row in rows], schema=SCORES)


def probe_weights(reading: ProbeReading) -> pl.DataFrame:
    """The weights of a probe by head: what attention counts from a word to its head, and from the head to the word.

    Returns:
        Columns that say of what; kind, layer, head; to_head, to_dependent; loss_without: how much the mean loss of a
        held-out word rises when both are 0, nats.
    """
    probe, told = reading.probe, _told(reading)
    columns = (probe.heads, probe.weights.to_head, probe.weights.to_dependent, probe.loss_without)
    rows = [
        {**told, **Head.parse(head).row, "to_head": to, "to_dependent": back, "loss_without": loss - probe.loss}
        for head, to, back, loss in zip(*columns, strict=True)
    ]
    return pl.DataFrame(rows, schema=WEIGHTS)


def _told(reading: ProbeReading) -> dict[str, Any]:
    setting = reading.setting
    own = (setting.model, setting.subject_id, setting.data, setting.id, reading.untrained)
    training = reading.probe.training
    return dict(zip(OF_PROBE, (*own, training.id, str(training)), strict=True))


def _members(words: Attachments) -> list[tuple[str, Bool[np.ndarray, " N"]]]:
    """The relations that are scored, and which words have each; the most frequent first."""
    relations, is_root = words.relations, words.gold == 0
    every = [(ALL_BUT_PUNCTUATION, (relations != PUNCTUATION).to_numpy()), (ALL, np.ones(len(is_root), dtype=bool))]
    frequent = relations.value_counts(sort=True).filter(pl.col("count") >= FEWEST_CASES)["relation"].to_list()
    return every + [(name, (relations == name).to_numpy()) for name in frequent if name != PUNCTUATION]


def _control(words: Attachments, control: ProbeReading | None) -> Bool[np.ndarray, " N"] | None:
    """Whether the control is right; None where it has not all of the sentences."""
    if control is None:
        return None
    own = Attachments.of(control)
    order = words.sentences.select("example").join(own.sentences, on="example", maintain_order="left")
    if order.height < words.sentences.height:
        return None
    return Attachments(order, 0, control).right


def _row(
    members: Bool[np.ndarray, " N"],
    group: Int[np.ndarray, " N"],
    right: Bool[np.ndarray, " N"],
    others: dict[str, Bool[np.ndarray, " N"] | None],
    alpha: float,
) -> dict[str, Any]:
    """The scores of some words."""

    def sums(marks: Bool[np.ndarray, " N"]) -> Int[np.ndarray, " G"]:
        return np.bincount(group[members & marks], minlength=int(group.max()) + 1)

    cases, hits = sums(members), sums(right)
    count = int(cases.sum())
    low, high = share_limits(hits[:, None], cases, alpha)
    row = {
        "words": count,
        "right": int(hits.sum()),
        "uas": PERCENT * hits.sum() / count,
        "low": _known(low[0]),
        "high": _known(high[0]),
        "groups": int((cases > 0).sum()),
    }
    for name, marks in others.items():
        if marks is not None:
            change = (hits - sums(marks))[:, None]
            below, above = difference_limits(change, cases, alpha)
            row |= {
                name: PERCENT * sums(marks).sum() / count,
                f"above_{name}": PERCENT * change.sum() / count,
                f"above_{name}_low": _known(below[0]),
                f"above_{name}_high": _known(above[0]),
            }
    return row


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


@dataclass(frozen=True, eq=False)
class Probes:
    """What probes find, of every reading.

    Attributes:
        readings: what they are of.
        scores: see `probe_scores`.
        weights: see `probe_weights`.
        alpha: what intervals leave out.
    """

    readings: tuple[ProbeReading, ...]
    scores: pl.DataFrame
    weights: pl.DataFrame
    alpha: float

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Its tables, by the names of their files."""
        return {"probe": self.scores, "probe_heads": self.weights}

    @property
    def shown(self) -> list[ProbeReading]:
        """The readings of trained models; of models with random weights where there are no others."""
        return [reading for reading in self.readings if not reading.untrained] or list(self.readings)

    def rows(self, reading: ProbeReading) -> pl.DataFrame:
        """The scores of a reading."""
        return self.scores.filter(setting_id=reading.setting.id, probe=reading.probe.training.id)

    def heads(self, reading: ProbeReading) -> pl.DataFrame:
        """The weights of a reading."""
        return self.weights.filter(setting_id=reading.setting.id, probe=reading.probe.training.id)


def probes(readings: Sequence[ProbeReading], inference: Inference) -> Probes | None:
    """The scores and weights of some readings; None where there are none.

    Raises:
        InputError: when the sentences have no such groups.
    """
    if not readings:
        return None
    controls = [next((other for other in readings if other.is_control_of(own)), None) for own in readings]
    scores = [probe_scores(own, control, inference) for own, control in zip(readings, controls, strict=True)]
    return Probes(tuple(readings), pl.concat(scores), pl.concat(map(probe_weights, readings)), inference.alpha)
