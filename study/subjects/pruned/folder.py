"""The folder of a pruned model: the architecture's `config.json`, `heads.json` with the heads kept, the weights.

transformers' configs have one number of heads for all layers. So the model is built as its config says, its layers are
cut as `heads.json` says, and then the weights are read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from study.masking.sites import AttentionSite, find_sites, heads_left
from study.record.errors import InputError
from study.subjects.model_files import HEADS_FILE, WEIGHTS_FILE
from study.subjects.pruned.remove import Kept, remove_heads

FORMAT = 1
"""Number of the format of `heads.json`; rises when older folders can no longer be read."""

NAMED = 8
"""Tensors named in an error."""


def write_model(module: PreTrainedModel, sites: Sequence[AttentionSite], folder: Path, **facts: Any) -> None:
    """Write config, heads and weights of a model with heads removed, and what else its reader needs, as JSON values."""
    folder.mkdir(parents=True, exist_ok=True)
    module.config.architectures = [type(module).__name__]
    module.config.save_pretrained(folder)
    tensors = _tensors(module)
    same = _first_names(tensors)
    heads = {"format": FORMAT, "kept": {site.name: list(heads_left(site)) for site in sites}, "same": same, **facts}
    (folder / HEADS_FILE).write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
    weights = {name: x.detach().cpu().clone().contiguous() for name, x in tensors.items() if name not in same}
    save_file(weights, folder / WEIGHTS_FILE, {"format": "pt"})
    (folder / WEIGHTS_FILE).chmod((folder / HEADS_FILE).stat().st_mode)  # the library lets nobody else read it


def read_model(folder: Path) -> PreTrainedModel:
    """The model of a pruned folder, in float32, for evaluation.

    Raises:
        InputError: when a file is missing or damaged, or they do not fit each other.
    """
    heads = read_heads(folder)
    module = _build(folder)
    remove_heads(module, find_sites(module, causal=False), heads["kept"])
    try:
        weights = load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder / WEIGHTS_FILE} cannot be read: {error}") from error
    _put(weights, heads["same"], module, folder)
    return module.eval().requires_grad_(requires_grad=False)


def read_heads(folder: Path) -> dict[str, Any]:
    """The content of `heads.json`.

    Raises:
        InputError: when it is not what `write_model` writes.
    """
    path = folder / HEADS_FILE
    try:
        heads = json.loads(path.read_text(encoding="utf-8"))
        readable = heads["format"] == FORMAT
        kept: Kept = {str(name): [int(head) for head in layer] for name, layer in heads["kept"].items()}
        same = {str(name): str(other) for name, other in heads["same"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} does not say which heads are kept: {type(error).__name__}: {error}") from error
    if not readable:
        raise InputError(f"{path} has format {heads['format']}, this version reads {FORMAT}")
    return {**heads, "kept": kept, "same": same}


def _build(folder: Path) -> PreTrainedModel:
    """The architecture with all of its heads and random weights."""
    try:
        config: Any = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        build = getattr(transformers, config.architectures[0])
        with torch.random.fork_rng():
            return build(config)
    except Exception as error:  # json and transformers each raise errors of their own
        raise InputError(f"cannot build the model of {folder / 'config.json'}: {error}") from error


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, also the second name of what two parts of a model share."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _first_names(tensors: dict[str, Tensor]) -> dict[str, str]:
    """The name of the earlier tensor with which a tensor shares its numbers, by the name of the later one."""
    seen: dict[tuple[int, torch.Size], str] = {}
    first = {name: seen.setdefault((x.data_ptr(), x.shape), name) for name, x in tensors.items() if x.numel()}
    return {name: other for name, other in first.items() if name != other}


def _put(weights: dict[str, Tensor], same: dict[str, str], module: nn.Module, folder: Path) -> None:
    """Give a module its weights; what shared its numbers when it was written does so again."""
    expected = _tensors(module)
    given = {name: weights[same.get(name, name)] for name in expected if same.get(name, name) in weights}
    wrong = [f"no {name}" for name in expected if name not in given]
    wrong += [f"no place for {name}" for name in weights if name not in expected]
    wrong += [
        f"{name} is {list(tensor.shape)}, expected {list(expected[name].shape)}"
        for name, tensor in given.items()
        if tensor.shape != expected[name].shape
    ]
    if wrong:
        more = [f"and {len(wrong) - NAMED} more"] if len(wrong) > NAMED else []
        what = f"{folder}: its weights are not those of its config.json and {HEADS_FILE}:"
        raise InputError("\n  - ".join([what, *wrong[:NAMED], *more]))
    parameters = {name: nn.Parameter(tensor, requires_grad=False) for name, tensor in weights.items()}
    for name, tensor in given.items():
        around, _, last = name.rpartition(".")
        part = module.get_submodule(around)
        setattr(part, last, parameters[same.get(name, name)] if last in part._parameters else tensor)
