"""Published scores of heads and of groups, in the form that their authors give them: who made them, what they are.

*Retrieval scores*: `{"LAYER-HEAD": [score of each draw]}`, a query head's share of a needle that it copies, one number
for each prompt that the model answers; its score is their mean. *Gates*: a table without a header, a row for each
layer and a column for each group of heads that share keys and values, how much of its full attention is kept (0 to 1).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.importing.table_files import parsed
from study.record.errors import InputError
from study.record.files import name_of
from study.record.lines import read_lines
from study.record.units import AttentionKind, Group, Head

GATES_FILE = "full_attention_heads"
"""Name of the file of gates, without ending; the folder two above is that of the model."""

DRAWS_KEY = re.compile(r"\d+-\d+")
"""How a query head is named in a file of draws."""


@dataclass(frozen=True)
class Source:
    """Who published scores, and what they are.

    Attributes:
        measure: what a score is called.
        says: what it is, in a sentence.
        where: the authors' repository.
        paper: the paper.
        licence: the licence of the files, as far as the repository states one.
    """

    measure: str
    says: str
    where: str
    paper: str
    licence: str


RETRIEVAL = Source(
    "retrieval score",
    "the share of a needle that a query head copies, the mean over draws",
    "github.com/nightdessert/Retrieval_Head",
    "Wu et al. 2024, “Retrieval Head Mechanistically Explains Long-Context Factuality”",
    "its repository states no licence",
)

GATES = Source(
    "full-attention gate",
    "how much of its full attention a group of heads keeps, learned, from 0 to 1",
    "github.com/mit-han-lab/duo-attention",
    "Xiao et al. 2024, “DuoAttention”",
    "MIT licence",
)


@dataclass(frozen=True)
class PublishedScores:
    """Scores that a file holds in a published form.

    Attributes:
        source: who publishes scores of this form.
        model: which model they are of, as the file or its folder is named.
        scores: one number for each layer and head, or group.
        grouped: whether they are of groups.
        draws: fewest and most draws of a score; None of gates.
    """

    source: Source
    model: str
    scores: Mapping[tuple[int, int], float]
    grouped: bool
    draws: tuple[int, int] | None = None

    @property
    def cells(self) -> Iterator[tuple[Head | Group, float]]:
        """Each score with the head, or the group, that it is of."""
        make = Group if self.grouped else Head
        return ((make(AttentionKind.DECODER_SELF, *at), score) for at, score in self.scores.items())

    @property
    def name(self) -> str:
        """`retrieval score, Mistral-7B-v0.2-hf`."""
        return f"{self.source.measure}, {self.model}"

    @property
    def sentence(self) -> str:
        """What it is, whose, and under which licence, to stand beside every use."""
        least, most = self.draws or (0, 0)
        count = "" if self.draws is None else f" ({least:,} to {most:,} draws each)"
        source = self.source
        return (
            f"{self.name}: {source.says}{count}; in the form of {source.where} ({source.paper}; {source.licence}). "
            f"The largest matter most."
        )


def read_published(path: Path) -> PublishedScores | None:
    """What a file holds in a published form; None of any other table.

    Raises:
        InputError: when it is named or looks like one and cannot be read as one.
    """
    if path.name.split(".")[0] == GATES_FILE:
        return read_gates(read_lines(path), path)
    if ".json" not in path.suffixes:
        return None
    content = parsed("\n".join(read_lines(path)), str(path))
    return read_draws(content, path) if is_draws(content) else None


def is_draws(content: Any) -> bool:
    """Whether parsed JSON is lists of draws by query head."""
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(key, str) and DRAWS_KEY.fullmatch(key) for key in content)
        and all(isinstance(draws, list) for draws in content.values())
    )


def read_draws(content: Mapping[str, Sequence[Any]], path: Path) -> PublishedScores:
    """The mean of the draws of every query head.

    Raises:
        InputError: when a head has no draws, or one is no number.
    """
    scores = {}
    for key, draws in content.items():
        if not draws or not all(isinstance(draw, int | float) for draw in draws):
            raise InputError(f"{path}: head {key} has {'no draws' if not draws else 'a draw that is no number'}")
        layer, head = map(int, key.split("-"))
        scores[layer, head] = sum(draws) / len(draws)
    counts = [len(draws) for draws in content.values()]
    return PublishedScores(RETRIEVAL, name_of(path), scores, grouped=False, draws=(min(counts), max(counts)))


def read_gates(lines: Sequence[str], path: Path) -> PublishedScores:
    """The gates of every group; those that training left a little outside of 0 to 1 are cut, as their authors do.

    Raises:
        InputError: when a cell is no number, or layers have different numbers of groups.
    """
    try:
        rows = [[float(cell) for cell in line.split("\t")] for line in lines if line.strip()]
    except ValueError as error:
        raise InputError(f"{path}: expected numbers alone, a row for each layer: {error}") from error
    if len({len(row) for row in rows}) != 1:
        raise InputError(f"{path}: expected as many numbers in every layer")
    scores = {(layer, i): min(max(gate, 0.0), 1.0) for layer, row in enumerate(rows) for i, gate in enumerate(row)}
    folders = path.resolve().parents
    return PublishedScores(GATES, folders[1].name if len(folders) > 2 else name_of(path), scores, grouped=True)
