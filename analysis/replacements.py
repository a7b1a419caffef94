"""Replacements: what stands in the place of a masked unit, as a setting says it, and what a reader must know of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from study.record.examples import MARK
from study.record.factors import OWN, ZERO
from study.record.setting import Setting

DRAWN = "drawn"
"""Column of examples with several draws: the example that each is a draw of."""

GIVES = {
    ZERO: "zero",
    "mean": "the mean of what it gives over the tokens of {reference}, the same for every token",
    "mean_by_position": "the mean of what it gives over {reference}, token position by token position",
    "resample": "what it gives in another example, drawn at random from {reference}",
    "uniform": "the plain mean of the values that it may attend to, as if its attention were uniform",
    "value_bias": "the bias of its values, which is what attention gives where all hidden states are zero",
}
"""What a removed unit gives, by the name of the replacement."""

OTHER = "what the replacement {name} puts there"

LEFT_OUT = {
    "first": "the first token of a text, unlike all others, does not count",
    "special": "special tokens do not count",
    "first_and_special": "the first token of a text and special tokens do not count",
}


@dataclass(frozen=True)
class Replacement:
    """What stands in the place of a masked unit.

    Attributes:
        name: name of the replacement, as in `conf/replacement`.
        label: its place on the axis `replacement`: the name, and in what it differs from the usual.
        options: its options in the identity of the setting; none where it is zero everywhere.
    """

    name: str = ZERO
    label: str = ZERO
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, setting: Setting) -> "Replacement":
        """That of a setting."""
        name, options = setting.subject.get("masked_by", ZERO), setting.subject.get("replacement", {})
        return cls(name, setting.factors[0].at("replacement") if setting.factors else name, options)  # type: ignore[arg-type]

    @property
    def is_usual(self) -> bool:
        """Whether it is zero everywhere, as in the paper."""
        return self.label == ZERO

    @property
    def draws(self) -> int:
        """How often each example was studied, each time with another donor."""
        return int(self.options.get("draws", 1))

    @property
    def is_of_the_same_data(self) -> bool:
        """Whether it is taken from the data that is scored."""
        return self.options.get("reference") == OWN

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it is, and what is to be known of its numbers."""
        return tuple(self._said())

    def _said(self) -> Iterator[str]:
        if self.is_at_scored_tokens:
            yield f"Removal acts at the tokens that are scored alone. There a removed {self._unit} gives {self.gives}."
        else:
            yield f"A removed {self._unit} gives {self.gives}{', as in the paper' if self.is_usual else ''}."
        if self.name.startswith("mean"):
            if self.is_of_the_same_data:
                yield (
                    "The mean is of the very data that is scored, which flatters it: with the mean of other data "
                    "removal tends to cost more."
                )
            yield "Intervals take the mean as given: the noise of its reference examples is not in them."
        if self.name == "resample":
            yield (
                f"Each example has {'one donor' if self.draws == 1 else f'{self.draws} donors'}, of another group, the "
                "same for every mask and unit. Intervals hold the chance of the draw as well as that of the examples; "
                "the set that donors are drawn from is taken as given."
            )

    @property
    def gives(self) -> str:
        """What a removed unit gives, with all that is said of it."""
        gives = GIVES.get(self.name, OTHER.format(name=self.name)).format(reference=self._reference)
        return "; ".join([gives, *self._details()])

    @property
    def is_at_scored_tokens(self) -> bool:
        """Whether masks act at the scored tokens alone."""
        return self.options.get("acts_on") == "scored"

    @property
    def _reference(self) -> str:
        """What it is taken from: `the same data`, `the first 500 examples of snli`."""
        reference, limit = self.options.get("reference"), self.options.get("limit")
        name = "the same data"
        if isinstance(reference, Mapping):
            name = str(reference.get("data") or self._data_of_label or "other data")
            count = int(reference["count"])
            return (
                f"the first {min(int(limit), count):,} examples of {name}" if limit else f"{name}, {count:,} examples"
            )
        return f"the first {int(limit):,} examples of {name}" if limit else name

    @property
    def _data_of_label(self) -> str:
        """The name of the reference data as far as the label tells it, for identities that do not."""
        return self.label.partition(" of ")[2].rpartition("examples of ")[2].partition(" ")[0]

    @property
    def _unit(self) -> str:
        """What it can stand for: MLPs have no attention."""
        return "head" if self.name in ("uniform", "value_bias") else "head or MLP"

    def _details(self) -> Iterator[str]:
        if self.options.get("count_alike") == "examples":
            yield "every example counts alike"
        if (left := str(self.options.get("leave_out"))) in LEFT_OUT:
            yield LEFT_OUT[left]
        if self.name == "resample":
            yield (
                "at a token drawn at random"
                if self.options.get("position") == "random_token"
                else "at the same position"
            )


def counted(outcomes: int, draws: int) -> str:
    """The examples that so many outcomes of a mask are of: `3,000 examples`; `750 examples, 4 draws of each`."""
    examples = f"{-(-outcomes // draws):,} examples"
    return examples if draws == 1 else f"{examples}, {draws} draws of each"


def counted_of(outcomes: int, every: int, draws: int) -> str:
    """Some of all examples: `80 of the 3,000 examples`; `20 of the 750 examples (80 of 3,000 draws)`."""
    some = f"{-(-outcomes // draws):,} of the {-(-every // draws):,} examples"
    return some if draws == 1 else f"{some} ({outcomes:,} of {every:,} draws)"


def with_draws(examples: pl.DataFrame, draws: int, limit: int | None = None) -> pl.DataFrame:
    """The first `limit` examples with all of their draws; where there are several, a column says what each is one of.

    Args:
        examples: as they are stored, the draws of an example one after the other.
        draws: how many each example has.
        limit: how many examples are taken; None for all.
    """
    found = examples if limit is None else examples.head(limit * draws)
    original = pl.col("example").str.replace(rf"{MARK}\d+$", "")
    return found if draws == 1 else found.with_columns(original.alias(DRAWN))
