"""Self-contained files of a pruned model, that programs without this project run: torch.export (.pt2) and ONNX.

A classifier is one graph. A translation model is two: the encoder, and one step of the decoder, which reads the target
so far and gives the logits of the next word. Each graph takes any number of rows, of any length from three tokens to
as many as the model has positions for.

Shapes: R rows, S source tokens, T tokens of the target so far, d width, V words, C classes.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from transformers import PreTrainedModel

from study.record.errors import InputError, MissingPackageError
from study.subjects.classifier import PROBE_LENGTHS, Classifier
from study.subjects.subject import Subject
from study.subjects.translator import Translator

TOLERANCE = 1e-4
"""Largest difference of an exported graph, as a share of its largest number."""

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Graph:
    """A part of a model that becomes a file.

    Attributes:
        name: of the file, without its ending.
        module: the part.
        inputs: of two rows, by name.
        others: more rows, of another length, on which the file is checked.
        expected: what the whole model makes of these.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    others: Mapping[str, Tensor]
    expected: Tensor


class _Classify(nn.Module):
    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.module(input_ids=input_ids, attention_mask=attention_mask, **segments).logits


class _Encode(nn.Module):
    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = module.get_encoder()

    def forward(self, input_ids: Int[Tensor, "R S"], attention_mask: Int[Tensor, "R S"]) -> Float[Tensor, "R S d"]:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class _Step(nn.Module):
    def __init__(self, module: PreTrainedModel) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, encoded: Float[Tensor, "R S d"], attention_mask: Int[Tensor, "R S"], target_ids: Int[Tensor, "R T"]
    ) -> Float[Tensor, "R V"]:
        output = self.module(
            input_ids=target_ids,  # not read, but without it FSMT's decoder looks at what comes after a token
            encoder_outputs=(encoded,),
            attention_mask=attention_mask,
            decoder_input_ids=target_ids,
            decoder_attention_mask=torch.ones_like(target_ids),
            use_cache=False,
        )
        return output.logits[:, -1]


def require_onnx() -> None:
    """Raise unless ONNX files can be written and checked.

    Raises:
        MissingPackageError: says how to install what is missing.
    """
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise MissingPackageError(f"export=onnx needs {', '.join(missing)}: pip install 'sixteen-heads[export]'")


def has_onnx() -> bool:
    """Whether ONNX files can be written and checked."""
    return all(find_spec(package) is not None for package in PACKAGES)


def export(subject: Subject, folder: Path, *, onnx: bool) -> dict[str, float]:
    """Write the files of a model and check each against it.

    Args:
        subject: with heads removed, on the CPU; no gate on it.
        folder: where to write.
        onnx: write ONNX files too, and check them by onnxruntime.

    Returns:
        For each file by its name the largest difference, as a share of the largest number.

    Raises:
        InputError: when a graph cannot be made, or differs.
    """
    differences = {}
    for graph in _graphs(subject):
        program = _program(graph)
        ways = {f"{graph.name}.pt2": _saved, f"{graph.name}.onnx": _written}
        for name, way in list(ways.items())[: 2 if onnx else 1]:
            try:
                with _quietly():
                    found = way(program, folder / name, graph)
            except Exception as error:  # torch's exporters and onnxruntime each raise errors of their own
                raise InputError(
                    f"{name} cannot be written (export=none leaves it out): {_first_line(error)}"
                ) from error
            differences[name] = _difference(found, graph.expected)
    wrong = [
        f"{name} differs by {d:.2g} of the largest number" for name, d in differences.items() if not d <= TOLERANCE
    ]
    if wrong:
        raise InputError("\n  - ".join(["the exported files do not compute what the model computes:", *wrong]))
    return differences


def _graphs(subject: Subject) -> Iterator[Graph]:
    if isinstance(subject, Classifier):
        rows = [subject.probe(length)[0] for length in PROBE_LENGTHS]
        pad = subject.module.config.get_text_config().pad_token_id or 0
        ids_RS = _padded([row.source for row in rows], pad)
        inputs = {"input_ids": ids_RS, "attention_mask": _padded([[1] * len(row.source) for row in rows], 0)}
        if (getattr(subject.module.config, "type_vocab_size", None) or 0) > 1:
            inputs["token_type_ids"] = torch.zeros_like(ids_RS)
        yield _graph("model", _Classify(subject.module), inputs, subject.response(rows, None))
    elif isinstance(subject, Translator):
        rows = subject.probe()
        ids_RS, present_RS = subject.padded(rows)
        source = {"input_ids": ids_RS, "attention_mask": present_RS}
        encode = _Encode(subject.module)
        encoded = _run(encode, source)
        yield _graph("encoder", encode, source, encoded)
        step = {"encoded": encoded, "attention_mask": present_RS, "target_ids": subject.random_targets(rows)}
        whole = subject.module(**source, decoder_input_ids=step["target_ids"], use_cache=False)
        yield _graph("decoder_step", _Step(subject.module), step, whole.logits[:, -1])


def _padded(rows: Sequence[Sequence[int]], value: int) -> Int[Tensor, "R S"]:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def _graph(name: str, module: nn.Module, rows: Mapping[str, Tensor], expected: Tensor) -> Graph:
    """Made of the first two rows without their last token, checked on all of them."""
    inputs = {key: value[:2, :-1].contiguous() for key, value in rows.items()}
    return Graph(name, module.eval(), inputs, rows, expected)


@torch.no_grad()
def _run(module: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    return module(**inputs)


def _program(graph: Graph) -> ExportedProgram:
    shapes = {name: {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} for name in graph.inputs}
    try:
        with torch.no_grad(), _quietly():
            return torch.export.export(graph.module, (), dict(graph.inputs), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # what a graph cannot hold is told by errors of many kinds
        raise InputError(
            f"{graph.name} cannot be exported (export=none leaves it out): {_first_line(error)}"
        ) from error


def _saved(program: ExportedProgram, path: Path, graph: Graph) -> Tensor:
    """Write a torch.export file; what it computes once it is read again."""
    torch.export.save(program, path)
    return _run(torch.export.load(path).module(), graph.others)


def _written(program: ExportedProgram, path: Path, graph: Graph) -> Tensor:
    """Write an ONNX file; what onnxruntime makes of it."""
    import onnxruntime

    torch.onnx.export(program, (), str(path), dynamo=True, verbose=False, external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {name: value.numpy() for name, value in graph.others.items()}
    return torch.from_numpy(np.asarray(session.run(None, given)[0]))


def _first_line(error: Exception) -> str:
    """Exporters go on with pages of advice."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / (expected.abs().max() or 1.0)).item()


@contextmanager
def _quietly() -> Iterator[None]:
    """Exporters warn of what is theirs; what comes out is checked."""
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")}
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
