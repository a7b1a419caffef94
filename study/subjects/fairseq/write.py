"""Checkpoints written as fairseq writes them: both read what is trained here as they read what fairseq has trained.

The inverse of `study.subjects.fairseq.checkpoint`. The same weights give the same bytes.
"""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from study.record.files import whole_file
from study.record.training.tasks import write_tasks
from study.subjects.fairseq.checkpoint import COMPUTED
from study.subjects.fairseq.tasks import own_file, tasks_file
from study.subjects.tasks.stored import StoredTasks

OUTPUTS = ("model.decoder.output_projection.weight", "lm_head.weight")
"""What FSMT and M2M100 call the weights that fairseq calls `decoder.output_projection.weight`."""

VERSION = 3.0
"""fairseq leaves the last layer norm of a pre-norm transformer out where it finds a lower one."""

TASK = {"task": "translation", "arch": "transformer", "criterion": "label_smoothed_cross_entropy", "optimizer": "adam"}
PLAIN = (str, int, float, bool, type(None))


def write_checkpoint(path: Path, state: Mapping[str, Tensor], settings: Mapping[str, Any]) -> None:
    """Write the weights of a module that `build` made; the file is whole or not there.

    Args:
        path: where to.
        state: the weights by the names that the module has for them.
        settings: its settings by their names on fairseq's command line, see `FairseqTransformer.settings`.
    """
    content = {
        "args": Namespace(**TASK | {name: value for name, value in settings.items() if isinstance(value, PLAIN)}),
        "cfg": None,
        "model": dict(_named(state)),
        "optimizer_history": [
            {"criterion_name": "", "optimizer_name": "FairseqAdam", "lr_scheduler_state": {}, "num_updates": 0}
        ],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }
    with whole_file(path) as draft, draft.open("wb") as file:
        torch.save(content, file)  # by a path it would write the draft's name into the file


def write_tasks_beside(path: Path, stored: StoredTasks) -> None:
    """Write the tasks of a checkpoint beside it, all but the weights that they share."""
    records = list(stored.chain.tasks)
    for number, task in enumerate(records):
        own = stored.own[task.name]
        file = own_file(path, number) if own else None
        if file:
            with whole_file(file) as draft:
                draft.write_bytes(save(own))
        records[number] = replace(task, file=file.name if file else "")
    write_tasks(replace(stored.chain, tasks=tuple(records)), tasks_file(path))


def _named(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Weights under fairseq's names; tensors that share memory go on sharing it in the file."""
    for name, tensor in weights.items():
        if name in OUTPUTS:
            yield "decoder.output_projection.weight", tensor.cpu()
        elif not name.endswith(COMPUTED):
            yield name.removeprefix("model."), tensor.cpu()
    for side in ("encoder", "decoder"):
        yield f"{side}.version", torch.tensor([VERSION])
