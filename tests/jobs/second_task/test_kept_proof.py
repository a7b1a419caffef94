"""The proof that an earlier task is kept: it holds where heads that are off were taught, and for nothing else."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from fixtures.jobs import overrides
from safetensors.torch import load_file, save_file

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.second_task.proof import (
    ALIGNMENT,
    NotKeptError,
    RowsUnderMask,
    align,
    compare_kept,
    largest_difference,
    unlike_rows,
)
from study.record.units import AttentionKind, HeadLayout, parse_mask

FREE = (1, 2)
"""Columns of the mask of the heads that are free."""


def under(place: Path, folder: str, *, masked: bool) -> RowsUnderMask:
    """The stored rows of a model of this place, with all heads or without the free ones."""
    job = MeasuringJob(to_study(compose(*overrides(place, f"model.path={place}/{folder}", "measure=base"))))
    layout = job.evaluator.layout
    key = "".join("0" if masked and i in FREE else "1" for i in range(len(layout)))
    job.evaluator.outcomes(parse_mask(key, layout)[None])
    return RowsUnderMask(job, key)


def taught(place: Path, layout: HeadLayout) -> None:
    """Copy the tiny model with other weights in its free heads, whose columns of the output projection are zero."""
    shutil.copytree(place / "model", place / "after")
    tensors, generator = load_file(place / "after/model.safetensors"), torch.Generator().manual_seed(1)
    for head in (layout.heads[i] for i in FREE):
        path = f"bert.encoder.layer.{head.layer}.attention"
        output = tensors[f"{path}.output.dense.weight"]
        size = output.shape[1] // layout.counts[AttentionKind.ENCODER_SELF][head.layer]
        own = slice(head.index * size, (head.index + 1) * size)
        for role in ("query", "key", "value"):
            weight = tensors[f"{path}.self.{role}.weight"]
            weight[own] = torch.randn(weight[own].shape, generator=generator)
        output[:, own] = 0
    write(place, tensors)


def write(place: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, place / "after/model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def before(place: Path) -> RowsUnderMask:
    """The tiny model without its free heads; the one that was taught to them lies beside it."""
    rows = under(place, "model", masked=True)
    taught(place, rows.job.evaluator.layout)
    return rows


def test_heads_that_are_off_may_be_taught_anything(place: Path, before: RowsUnderMask) -> None:
    after = under(place, "after", masked=False)
    compared = compare_kept(after, before)
    compared.require_kept("after", "pairs")
    proof = compared.proof
    assert (proof.rows, proof.unlike, proof.largest) == (len(before.job.view), 0, 0.0)
    assert proof.contradicting == 0
    assert (proof.masked, proof.mask) == (before.job.setting.id, before.mask)
    every = before.job.view.ids
    assert after.computed(every).drop("example").rows() == before.computed(every).drop("example").rows()


@pytest.mark.parametrize("place_of", ["query.weight", "output.dense.bias", "LayerNorm.weight", "classifier.bias"])
def test_a_number_that_moved_by_a_few_bits_is_seen(place: Path, before: RowsUnderMask, place_of: str) -> None:
    tensors = load_file(place / "after/model.safetensors")
    name = next(name for name in tensors if name.endswith(place_of))
    tensors[name].view(-1)[0] *= 1 + 1e-4
    tensors[name].view(-1)[0] += 1e-5
    write(place, tensors)
    compared = compare_kept(under(place, "after", masked=False), before)
    assert compared.proof.contradicting == compared.proof.unlike > 0
    with pytest.raises(NotKeptError, match=f"have other outcomes than under mask {before.mask}") as refused:
        compared.require_kept("after", "pairs")
    assert "is not what its model was before the later task" in str(refused.value)


def test_a_head_that_the_task_runs_with_must_not_be_taught(place: Path, before: RowsUnderMask) -> None:
    tensors = load_file(place / "after/model.safetensors")
    tensors["bert.encoder.layer.0.attention.self.value.weight"][0] += 1
    write(place, tensors)
    with pytest.raises(NotKeptError):
        compare_kept(under(place, "after", masked=False), before).require_kept("after", "pairs")


def test_rows_are_compared_in_every_column_and_numbers_in_lists_count() -> None:
    one = pl.DataFrame({"example": ["a", "b", "c"], "x": [1.0, None, float("inf")], "y": [[1.0, 2.0], [0.0], []]})
    assert not unlike_rows(one, one).any()
    other = one.with_columns(x=pl.Series([1.0, 0.5, float("inf")]), y=pl.Series([[1.0, 2.5], [0.0], []]))
    assert unlike_rows(one, other).to_list() == [True, True, False]
    assert largest_difference(one, other) == 0.5
    assert unlike_rows(one, one.drop("x")).all()
    assert unlike_rows(one, one[::-1]).all()


def test_weights_at_odd_addresses_move_and_stay_tied() -> None:
    module = torch.nn.ModuleDict({"one": torch.nn.Linear(24, 24), "other": torch.nn.Linear(24, 24)})
    module["other"].weight = module["one"].weight
    numbers = module["one"].weight.detach().clone()
    module["one"].weight.data = torch.cat([torch.zeros(1), numbers.flatten()])[1:].view(24, 24)
    assert module["one"].weight.data_ptr() % ALIGNMENT
    align(module)
    assert not any(parameter.data_ptr() % ALIGNMENT for parameter in module.parameters())
    assert module["other"].weight is module["one"].weight
    assert torch.equal(module["one"].weight, numbers)
