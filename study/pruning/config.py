"""What `study prune` is told."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

from study.pruning.selection import Selection
from study.subjects.model import ModelConfig


class Export(StrEnum):
    """Files for programs without this project: what there is to ask for."""

    auto = "auto"
    none = "none"
    torch = "torch"
    onnx = "onnx"


@dataclass(kw_only=True)
class PruneConfig(Selection):
    """What to prune.

    Attributes:
        model: the model, as of a job.
        out: the folder to make.
        export: files for programs without this project: `auto` (ONNX where its packages are installed, else
            torch.export, nothing where transformers alone loads the folder), `torch`, `onnx` (both), `none`.
        scores: scores to be written on the card, by data set.
        threads: CPU threads; 0 leaves it to torch.
    """

    model: ModelConfig = MISSING
    out: str = MISSING
    export: Export = Export.auto
    scores: dict[str, float] = field(default_factory=dict)
    threads: int = 0
