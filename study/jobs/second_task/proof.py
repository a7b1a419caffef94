"""The proof that an earlier task is kept: its outcomes are those of its masked model from before the later task.

Rows that are stored may have been computed in other batches, or without the columns of heads that are off, and then
differ in their last bits. So those that are not equal as stored are computed once more for both models in one way: by
the module itself under its gate, the same examples together, its weights at addresses of the same kind. On a CPU they
must then be equal to the last bit. On a GPU the libraries promise no such thing, and rows must agree as two
computations of one outcome do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from study.jobs.measuring import MeasuringJob
from study.record.errors import StudyError, listed
from study.record.tables import OUTCOMES
from study.record.tables.agreement import FIRST
from study.record.training.tasks import KeptProof
from study.record.units import parse_mask

if TYPE_CHECKING:
    from torch import nn

MOST_NAMED = 5
"""Examples that a refusal names."""

ALIGNMENT = 64
"""Bytes by which addresses of tensors that torch makes are multiples, on a CPU."""


class NotKeptError(StudyError):
    """An earlier task whose outcomes are not what they were."""


@dataclass(frozen=True)
class RowsUnderMask:
    """The outcomes of one model under one mask.

    Attributes:
        job: a job that has stored them.
        mask: the mask, by key.
    """

    job: MeasuringJob
    mask: str

    def stored(self) -> pl.DataFrame:
        """The rows as they are stored, in the order of the examples: `example` and the columns of the outcomes."""
        evaluator = self.job.evaluator
        rows = evaluator.store.read(OUTCOMES).rows.filter(mask=self.mask).drop("mask")
        order = pl.DataFrame({"example": evaluator.examples.ids})
        return order.join(rows, on="example", how="inner", maintain_order="left")

    def computed(self, examples: Sequence[str]) -> pl.DataFrame:
        """The rows of some examples, computed anew by the module under its gate; nothing is stored."""
        from study.engine.choose import PLAIN_TOKENS  # these take torch
        from study.engine.engine import OneMaskAtATime
        from study.engine.pairs import Pairs

        job, subject = self.job, self.job.subject()
        align(subject.module)
        some = set(examples)
        rows = [row for row in subject.encode(job.view, job.study.data.max_unknown) if row.example in some]
        names, mask = np.array([row.example for row in rows]), parse_mask(self.mask, subject.layout)[None]
        blocks = OneMaskAtATime(subject, PLAIN_TOKENS).run(rows, Pairs.every(mask, len(rows)))
        types = OUTCOMES.types
        found = [
            pl.DataFrame({"example": names[block.examples], **block.columns}, schema_overrides=types)
            for block in blocks
        ]
        order = pl.DataFrame({"example": list(examples)})
        return order.join(pl.concat(found), on="example", how="inner", maintain_order="left")


@dataclass(frozen=True)
class Comparison:
    """What comparing an earlier task with its masked model gave.

    Attributes:
        proof: the proof, or what speaks against it.
        wrong: the examples that contradict.
    """

    proof: KeptProof
    wrong: Sequence[str]

    def require_kept(self, model: str, data: str) -> None:
        """Refuse a task that is not kept.

        Raises:
            NotKeptError: names the first examples that contradict.
        """
        if names := self.wrong:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            raise NotKeptError(
                f"{model} on {data} is not what its model was before the later task: {len(names)} of "
                f"{self.proof.rows:,} examples have other outcomes than under mask {self.proof.mask} (by "
                f"{self.proof.largest:.2g} at most): {listed(names[:MOST_NAMED])}{more}. Weights of the earlier task "
                f"have moved, or heads that it runs with were taught"
            )


def compare_kept(after: RowsUnderMask, before: RowsUnderMask) -> Comparison:
    """Compare what became of an earlier task with its masked model from before, example by example.

    On a CPU an example contradicts when any column differs by a bit, on a GPU when it does by more than rounding
    explains.

    Args:
        after: the task as it is now, with all heads that it has.
        before: the model before, under the mask of these heads.
    """
    now, then = after.stored(), before.stored()
    rows, unlike = now.height, unlike_rows(now, then)
    if differing := now["example"].filter(unlike).to_list():
        now, then = after.computed(differing), before.computed(differing)
        unlike = unlike_rows(now, then)
    number = int(unlike.sum())
    on_cpu = not number or after.job.subject().device.type == "cpu"
    wrong = now["example"].filter(unlike if on_cpu else contradictions(now, then, after.job.setting.tolerance))
    largest = largest_difference(now, then)
    return Comparison(KeptProof(before.job.setting.id, before.mask, rows, number, largest, len(wrong)), wrong.to_list())


def align(module: "nn.Module") -> None:
    """Move weights that begin at odd addresses, as those read from a file do: last bits of a product depend on it."""
    for parameter in module.parameters():
        if parameter.data_ptr() % ALIGNMENT:
            parameter.data = parameter.data.clone()


def unlike_rows(one: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    """For each row whether any column differs by a bit; columns that only one of them has make all rows differ."""
    if one["example"].to_list() != other["example"].to_list() or set(one.columns) != set(other.columns):
        return pl.repeat(value=True, n=one.height, eager=True)
    different = [one[name].ne_missing(other[name]) for name in one.columns]
    return pl.DataFrame(different).select(pl.any_horizontal(pl.all())).to_series()


def largest_difference(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """The largest difference of a number in two frames of the same examples, that in lists included; 0 of none."""
    largest = 0.0
    for name in set(one.columns) & set(other.columns):
        a, b = one[name], other[name]
        while isinstance(a.dtype, pl.List | pl.Array):
            a, b = a.explode(), b.explode()
        if a.dtype.is_numeric() and len(a) == len(b) and len(a):
            apart = (a.cast(pl.Float64) - b.cast(pl.Float64)).abs().fill_nan(0.0).max()
            largest = max(largest, float(apart or 0.0))  # type: ignore[arg-type] a column of numbers
    return largest


def contradictions(one: pl.DataFrame, other: pl.DataFrame, within: float) -> pl.Series:
    """For each row whether two computations of it contradict each other, as the store has it."""
    if set(one.columns) != set(other.columns):
        return pl.repeat(value=True, n=one.height, eager=True)
    pairs = one.join(other, on="example", how="inner", suffix=FIRST, maintain_order="left")
    contradict, _ = OUTCOMES.compare(one.drop("example").schema, OUTCOMES.tolerance(within))
    return pairs.select(contradict.alias("wrong"))["wrong"]
