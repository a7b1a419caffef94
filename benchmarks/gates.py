"""Updates of a training whose heads have gates, against the same updates without: part `gates`."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.engine.classifiers import Work, small
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.gates.options import Gates, HardConcrete, Subset
from study.masking.gate import Gate
from study.training.gate_learner import GateLearner, gate_learner
from study.training.trainer import Trainer

BATCH = 32
TARGET = 1.1
"""Most seconds that an update with gates may take, as a multiple of one without."""


def gates(sizes: Sizes) -> Iterator[Row]:
    """Each method on the small classifier, all of them timed in turns; processor seconds."""
    work = small(sizes.small, min(sizes.examples, 4 * BATCH))
    ways = {name: _updates(work, options) for name, options in _methods(len(work.subject.layout)).items()}
    for update in ways.values():
        update()  # warm
    clocks = {name: Way([clocked(update, processor_seconds)] * sizes.repeats) for name, update in ways.items()}
    timed = in_turns(clocks, sizes.repeats)
    for name in list(ways)[1:]:
        yield Row(
            part="gates",
            work=f"{work.name}: updates on {len(work.rows)} examples in batches of {BATCH}, {name}",
            against="without gates",
            ours=timed[name].seconds,
            theirs=timed["none"].seconds,
            target=1 / TARGET,
            memory=timed[name].memory,
            note=f"{len(work.subject.layout)} heads",
        )


def _methods(heads: int) -> Mapping[str, Gates]:
    """No gates first."""
    half = heads // 2
    return {
        "none": Gates(),
        "hard_concrete": HardConcrete(),
        f"subset of {half}": Subset(keep=half),
        f"subset of {half}, straight through": Subset(keep=half, straight_through=True),
    }


def _updates(work: Work, options: Gates) -> Callable[[], None]:
    """What takes an update on each batch of the examples."""
    model = copy.deepcopy(work.subject.module).requires_grad_(requires_grad=True).train()
    batches = _batches(work)
    learner = _learner(options, model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    for group in learner.groups() if learner else ():
        optimizer.add_param_group(group)

    def plain(rows: Sequence[int]) -> Tensor:
        return model(**batches[rows[0]]).loss

    trainer = Trainer(
        name="classifier",
        module=model,
        loss=(lambda rows: learner.loss(lambda: plain(rows))) if learner else plain,
        penalty=learner.penalty if learner else None,
        batches=[],
        steps_per_epoch=len(batches),
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.ConstantLR(optimizer),
        clip_norm=1.0,
        state_file=Path(),
        save_every=1,
        save_at=(),
        callbacks=(),
    )

    def work_off() -> None:
        for number in range(len(batches)):
            trainer.update([number])
            if learner:
                learner.after_step(trainer)

    return work_off


def _learner(options: Gates, model: nn.Module) -> GateLearner | None:
    """What gives the model gates; a model without gates keeps its modules as they are."""
    if not options.words():
        return None
    gate = Gate.on(model, causal=False)
    return gate_learner(options, gate, updates=1000, seed=0, folder=Path(tempfile.gettempdir()))


def _batches(work: Work) -> list[dict[str, Tensor]]:
    """The examples, sorted by length and padded to the longest of each batch."""
    rows = sorted(work.rows, key=lambda row: len(row.source))
    parts = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
    return [
        {
            "input_ids": pad_sequence([torch.tensor(row.source) for row in part], batch_first=True),
            "attention_mask": pad_sequence([torch.ones(len(row.source)) for row in part], batch_first=True),
            "labels": torch.tensor([row.target for row in part]),
        }
        for part in parts
    ]
