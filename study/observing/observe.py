"""Observe: the rows of the tables of attention, several of which cost one forward pass together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from study.observing.attended_words import WordChoices
from study.observing.divergence import Divergences
from study.observing.maps import map_rows
from study.observing.observer import Observer
from study.observing.probing.found_heads import HeadFinder
from study.observing.proof import proved
from study.observing.statistics import View
from study.observing.sums import StatisticSums
from study.observing.watch import watch
from study.record.tables import AttendedWords, Attention, Divergence, Maps, ProbedHeads, Special, Table
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import Subject, TokenRow

Columns = dict[str, Any]


def observe(
    subject: Subject, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], tables: Sequence[Table]
) -> dict[Table, Columns]:
    """What some tables hold of some examples, each read once under its mask.

    Args:
        subject: a certified model.
        rows: the examples, with their texts where words are wanted.
        masks: the mask of each example.
        tables: tables of attention, each once.

    Returns:
        The columns of each table, with an entry for each example: see `study.record.tables.attention`.

    Raises:
        PatternError: when the patterns of this model cannot be told, see `study.observing.proof`.
        InputError: when words are wanted and the pieces of a text do not spell them.
    """
    observers = {table: _observer(table, subject, len(rows)) for table in tables}
    watch(subject, rows, masks, list(observers.values()))
    return {
        table: {name: _array(values) for name, values in observer.columns().items()}
        for table, observer in observers.items()
    }


def _observer(table: Table, subject: Subject, num_rows: int) -> Observer:
    """What takes the rows of a table."""
    match table:
        case Attention():
            changed, repetitions = proved(subject).changed, isinstance(subject, LanguageModel)
            return StatisticSums(
                num_rows, subject.layout, _view(table.special), repetitions=repetitions, changed=changed
            )
        case Divergence():
            return Divergences(num_rows, subject.layout, _view(table.special))
        case AttendedWords():
            return WordChoices(num_rows, subject.layout)
        case Maps():
            return map_rows(num_rows, subject.layout)
        case ProbedHeads():
            return HeadFinder(num_rows, subject.layout, table.trained)
    raise AssertionError(f"{table} are not seen in patterns")


def _view(special: Special) -> View:
    return View(keys=special is Special.kept, queries=special is not Special.left_out)


def _array(values: Any) -> Any:
    return values.cpu().numpy() if isinstance(values, Tensor) else values
