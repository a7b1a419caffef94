"""Checkpoints of fairseq unpickled without running anything that they name.

torch's `weights_only=True` calls nothing but what is named safe. A checkpoint names more than weights: arguments,
meters of the training, numpy arrays of its validation, omegaconf's configs. None of these classes is called either:
a stand-in takes each one's place and keeps what it is given, which is safer than to name numpy's and omegaconf's own
code safe. `plain` gives the settings that stand-ins hold.
"""

import pickle
import pickletools
import re
import shlex
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO, Any, cast

import torch

from study.record.errors import InputError

PACKAGES = {"fairseq", "numpy", "omegaconf", "typing", "enum", "pathlib", "datetime", "copyreg"}
"""Top-level modules of what checkpoints hold beside weights: whatever is named of them becomes a stand-in."""

BUILTINS = {"dict", "list", "tuple", "frozenset", "str", "bytes", "int", "float", "bool", "object", "type", "getattr"}
NAMES = {f"builtins.{name}" for name in BUILTINS} | {"_operator.getitem", "operator.getitem", "_codecs.encode"}
"""Other names that become stand-ins: types of omegaconf's fields, and how members of an enum are pickled."""

CONTAINERS: dict[str, Callable[..., Any]] = {"collections.defaultdict": dict, "collections.deque": list}
"""Containers that are filled while a pickle is read, and the plain ones that are filled in their place."""

UNREADABLE = (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile)
UNREADABLE += (LookupError, TypeError, AttributeError, AssertionError, OverflowError, MemoryError)
"""What torch raises for files that are no checkpoints, or only a part of one."""

PICKLES_BEFORE_1_6 = 4
"""torch's older format is pickles one after the other: magic number, version, machine, content; then the tensors."""

REFUSED = re.compile(r"GLOBAL ([\w.]+)")
"""The name at which torch stops, in its message."""


class InertObject:
    """An object of a checkpoint that nobody calls: it takes whatever it is given, keeps it and does nothing.

    Attributes:
        arguments: arguments that it would have been called with.
        state: values that its attributes would have been set to.
    """

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> "InertObject":
        """An object of any arguments."""
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: Any) -> None:
        """Keep any state."""
        self.state = state


def load_inert(path: Path) -> Any:
    """The content of a checkpoint, its tensors on the CPU.

    Raises:
        InputError: when the file is missing or unreadable, or names something that no checkpoint of fairseq's needs.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint {path}")
    try:
        with torch.serialization.safe_globals([Namespace, *_stand_ins(_names_in_pickles(path))]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = REFUSED.search(str(error))
        reason = f"it names {name[1]}" if name else str(error).splitlines()[0]
        anew = path.with_name(f"{path.stem}-plain.pt")
        raise InputError(
            f"{path} was not loaded: it asks for more than weights and settings, and could run any program ({reason}). "
            f"If you trust whoever made it, take model.checkpoint={anew.name} and make that file of what is needed: "
            f"{_command(path, anew)}"
        ) from error
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read as a checkpoint, it may be truncated: {error}") from error


def _command(path: Path, anew: Path) -> str:
    """A command that saves the weights and settings of a checkpoint alone; it runs whatever the checkpoint names."""
    program = (
        f"import torch; state = torch.load({str(path)!r}, map_location='cpu', weights_only=False); torch.save("
        f"{{name: state[name] for name in ('args', 'cfg', 'model') if name in state}}, {str(anew)!r})"
    )
    return f"python -c {shlex.quote(program)}"


def plain(value: Any) -> Any:
    """Settings as plain values: what stand-ins of omegaconf's configs, of dataclasses and of enum members hold."""
    if isinstance(value, Mapping):
        return {name: plain(content) for name, content in value.items()}
    if isinstance(value, list | tuple):
        return [plain(content) for content in value]
    if not isinstance(value, InertObject):
        return value
    state = value.state if isinstance(value.state, dict) else {}
    for content in ("_content", "_val"):  # a container of omegaconf's, a value of omegaconf's
        if content in state:
            return plain(state[content])
    if state:
        return plain(state)
    return value.arguments[-1] if value.arguments else value


def _stand_ins(names: Iterable[str]) -> Iterator[tuple[Callable[..., Any], str]]:
    for name in names:
        if name in CONTAINERS:
            yield _emptied(CONTAINERS[name]), name
        elif name.partition(".")[0] in PACKAGES or name in NAMES:
            yield InertObject, name


def _emptied(container: Callable[[], Any]) -> Callable[..., Any]:
    return lambda *_: container()


def _names_in_pickles(path: Path) -> set[str]:
    """The classes and functions that a checkpoint names, found by disassembling it; nothing is run."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return {name for content in contents for name in _names(BytesIO(archive.read(content)))}
    with path.open("rb") as file:
        return {name for _ in range(PICKLES_BEFORE_1_6) for name in _names(file)}


def _names(file: BufferedIOBase) -> Iterator[str]:
    """The names in one pickle, as this Python calls them; the file is left at the pickle's end."""
    for code, value, _ in pickletools.genops(cast("IO[bytes]", file)):
        if code.name == "GLOBAL":
            module, _, name = str(value).partition(" ")
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
            yield f"{module}.{name}"
