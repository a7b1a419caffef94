"""Means beside the results of their model, computed once: jobs that go on, and other shards, read them there.

    results/<model>/replacements/<digest>.safetensors

The digest is of the model, the reference examples and the options, and stands in the file as well.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from study.masking.gate import Gate
from study.masking.stand_ins import Constant
from study.record.files import locked, whole_file
from study.record.parts import StoreError
from study.record.setting import ANEW
from study.record.units import AttentionKind, Layer

log = logging.getLogger(__name__)

MLP = "mlp"


def kept_means(path: Path, gate: Gate, compute: Callable[[], Constant]) -> Constant:
    """The means that a file keeps; computed and written where there is none.

    Args:
        path: the file, called by its digest.
        gate: the units that they stand for.
        compute: gives the means.

    Raises:
        StoreError: when the file is of something else, or not whole.
        WriteError: when it cannot be written.
    """
    with locked(path):  # of two shards one waits for the other
        if not path.exists():
            began = time.monotonic()
            _write(path, compute())
            log.info("means of the reference set computed in %.0f s", time.monotonic() - began)
    return _read(path, gate)


def _write(path: Path, means: Constant) -> None:
    tensors = {f"{kind}.{number}": mean for (kind, number), mean in means.of_heads.items()}
    tensors |= {f"{MLP}.{number}": mean for number, mean in means.of_mlps.items()}
    with whole_file(path) as draft:
        save_file({name: mean.contiguous() for name, mean in tensors.items()}, draft, {"digest": path.stem})


def _read(path: Path, gate: Gate) -> Constant:
    try:
        with safe_open(path, "pt") as file:
            digest = (file.metadata() or {}).get("digest")
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path} cannot be read ({error}): delete it, and {ANEW}") from error
    if digest != path.stem:
        raise StoreError(f"{path} has the means of another model or reference set ({digest}): delete it, and {ANEW}")
    found = Constant(*_by_unit(tensors))
    expected = {(site.kind, site.layer): (site.num_heads, site.head_size) for site in gate.sites if site.num_heads}
    shapes = {layer: tuple(mean.shape[1:]) for layer, mean in found.of_heads.items()}
    if shapes != expected or set(found.of_mlps) != {mlp.layer for mlp in gate.mlps}:
        raise StoreError(f"{path} has means of other units than those of this model: delete it, and {ANEW}")
    return found


def _by_unit(tensors: dict[str, Tensor]) -> tuple[dict[Layer, Tensor], dict[int, Tensor]]:
    heads, mlps = {}, {}
    for name, mean in tensors.items():
        kind, _, number = name.rpartition(".")
        if kind == MLP:
            mlps[int(number)] = mean
        else:
            heads[AttentionKind(kind), int(number)] = mean
    return heads, mlps
