"""Checkpoints written as fairseq writes them: both read what is trained here as they read what fairseq has trained.

The inverse of `study.subjects.fairseq.checkpoint`. The same weights give the same bytes.
"""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from study.record.files import whole_file

OUTPUTS = ("model.decoder.output_projection.weight", "lm_head.weight")
"""What FSMT and M2M100 call the weights that fairseq calls `decoder.output_projection.weight`."""

COMPUTED = ("embed_positions.weight", "embed_positions.weights", "model.shared.weight")
"""Weights that fairseq computes, or has under other names."""

VERSION = 3.0
"""fairseq leaves the last layer norm of a pre-norm transformer out where it finds a lower one."""

TASK = {"task": "translation", "arch": "transformer", "criterion": "label_smoothed_cross_entropy", "optimizer": "adam"}
PLAIN = (str, int, float, bool, type(None))


def write_checkpoint(path: Path, module: PreTrainedModel, settings: Mapping[str, Any]) -> None:
    """Write a module that `build` made; the file is whole or not there.

    Args:
        path: where to.
        module: the module, with whatever weights it has now.
        settings: its settings by their names on fairseq's command line, see `FairseqTransformer.settings`.
    """
    content = {
        "args": Namespace(**TASK | {name: value for name, value in settings.items() if isinstance(value, PLAIN)}),
        "cfg": None,
        "model": dict(_named(module.state_dict())),
        "optimizer_history": [
            {"criterion_name": "", "optimizer_name": "FairseqAdam", "lr_scheduler_state": {}, "num_updates": 0}
        ],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }
    with whole_file(path) as draft, draft.open("wb") as file:
        torch.save(content, file)  # by a path it would write the draft's name into the file


def _named(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Weights under fairseq's names; tensors that share memory go on sharing it in the file."""
    for name, tensor in weights.items():
        if name in OUTPUTS:
            yield "decoder.output_projection.weight", tensor.cpu()
        elif not name.endswith(COMPUTED):
            yield name.removeprefix("model."), tensor.cpu()
    for side in ("encoder", "decoder"):
        yield f"{side}.version", torch.tensor([VERSION])
