"""What `study prune` is told; torch is loaded only when it runs."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING, DictConfig, OmegaConf

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


def prune_task(config: DictConfig) -> None:
    """What Hydra runs."""
    from study.pruning.prune import prune

    composed = OmegaConf.to_object(config)
    assert isinstance(composed, PruneConfig)
    prune(composed)
