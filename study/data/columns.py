"""Which columns of a file hold texts, labels and names, as MultiNLI, SNLI, SICK and GLUE call them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from study.record.errors import InputError
from study.record.lines import did_you_mean

PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),  # MultiNLI and SNLI as published; MRPC, RTE, STS-B and WNLI of GLUE
    ("question1", "question2"),  # QQP
    ("question", "sentence"),  # QNLI
    ("sentence_A", "sentence_B"),  # SICK
)
"""Names of the two texts, the first that fits is taken."""

SINGLE = ("premise", "sentence", "text")
"""Names of the text where there is one; `sentence` in SST-2 and CoLA of GLUE."""

LABELS = ("label", "gold_label", "entailment_label", "entailment_judgment", "is_duplicate")
"""Names of the label; the second in MultiNLI and SNLI as published, the next two in SICK, the last in QQP."""


@dataclass(frozen=True)
class Columns:
    """The columns of a file that make its examples.

    Attributes:
        id: names of the examples; None where the file has none.
        texts: the one or two texts that the model reads.
        label: the label.
        group: what dependent examples share; None where every example stands for itself.
    """

    id: str | None
    texts: tuple[str, ...]
    label: str
    group: str | None


def find_columns(path: Path, header: Collection[str], asked: Columns) -> Columns:
    """The columns asked for where the file has them, otherwise those that published data sets have in their place.

    Only the names that stand by default (`premise`, `hypothesis`, `label`, `id`) are looked for under other names.

    Raises:
        InputError: when a text or the label is there neither by the name asked for nor by a known one; says how to
            give it.
    """
    texts, label = _texts(path, header, asked.texts), asked.label
    if label == LABELS[0]:
        label = _first_of([(name,) for name in LABELS], header)[0]
    if not label:
        near = did_you_mean(LABELS[0], header)
        raise InputError(f"{path}: no column of labels among {', '.join(header)}: say data.label=COLUMN{near}")
    name = None if asked.id == "id" and "id" not in header else asked.id
    group = texts[0] if asked.group == "premise" and "premise" not in header else asked.group
    return Columns(name, texts, label, group)


def _texts(path: Path, header: Collection[str], asked: tuple[str, ...]) -> tuple[str, ...]:
    single = [(name,) for name in SINGLE]
    found = _first_of({PAIRS[0]: [*PAIRS, *single[1:]], single[0]: single}.get(asked, [asked]), header)
    if not found[0]:
        lacking = next(name for name in asked if name not in header)
        raise InputError(
            f"{path}: no column '{lacking}' among {', '.join(header)}: say data.premise=COLUMN and "
            f"data.hypothesis=COLUMN, or data.hypothesis=null where there is one text{did_you_mean(lacking, header)}"
        )
    return found


def _first_of(known: list[tuple[str, ...]], header: Collection[str]) -> tuple[str, ...]:
    """The first of these sets of names that are all in a header; an empty name where none is."""
    return next((names for names in known if set(names) <= set(header)), ("",))
