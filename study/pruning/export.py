"""Self-contained files of a pruned model, that programs without this project run: torch.export (.pt2) and ONNX.

Which parts of a model become files: `study.subjects.graphs`.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from study.certification.certify import TOLERANCE
from study.record.errors import InputError
from study.subjects.graphs import Graph
from study.subjects.subject import Subject

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def missing_packages() -> list[str]:
    """What is not installed of the packages that write and check ONNX files."""
    return [package for package in PACKAGES if find_spec(package) is None]


def export(subject: Subject, folder: Path, *, onnx: bool) -> dict[str, float]:
    """Write the files of a model that is on the CPU, ONNX where asked for, and check each against it.

    Returns:
        For each file by its name the largest difference, as a share of the largest number.

    Raises:
        InputError: when a graph cannot be made, or differs.
    """
    ways = {"pt2": _saved, "onnx": _written} if onnx else {"pt2": _saved}
    differences = {}
    for graph in subject.graphs():
        shapes = {name: {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} for name in graph.inputs}
        with _told(f"{graph.name} cannot be exported"), torch.no_grad():
            program = torch.export.export(graph.module.eval(), (), graph.examples, dynamic_shapes=shapes, strict=False)
        for ending, way in ways.items():
            file = f"{graph.name}.{ending}"
            with _told(f"{file} cannot be written"):
                differences[file] = relative_difference(way(program, folder / file, graph), graph.expected)
    wrong = [
        f"{name} differs by {d:.2g} of the largest number" for name, d in differences.items() if not d <= TOLERANCE
    ]
    if wrong:
        raise InputError("\n  - ".join(["the exported files do not compute what the model computes:", *wrong]))
    return differences


@torch.no_grad()
def _run(module: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    return module(**inputs)


def _saved(program: ExportedProgram, path: Path, graph: Graph) -> Tensor:
    """Write a torch.export file; what it computes once it is read again."""
    torch.export.save(program, path)
    return _run(torch.export.load(path).module(), graph.inputs)


def _written(program: ExportedProgram, path: Path, graph: Graph) -> Tensor:
    """Write an ONNX file; what onnxruntime makes of it."""
    import onnxruntime

    torch.onnx.export(program, (), str(path), dynamo=True, verbose=False, external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {name: value.numpy() for name, value in graph.inputs.items()}
    return torch.from_numpy(np.asarray(session.run(None, given)[0]))


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest number that is expected."""
    return ((found - expected).abs().max() / (expected.abs().max() or 1.0)).item()


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Exporters warn of what is theirs, and raise errors of many kinds, which go on with pages of advice."""
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")}
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise InputError(f"{what} (export=none leaves it out): {type(error).__name__}: {first_line}") from error
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
