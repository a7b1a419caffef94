"""What `study attention` is asked for: options of its own among those of a job."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.record.errors import InputError

OWN = ("text", "target", "example", "heads_off", "layers", "head", "out")
"""Options that are not those of a job; `text` may be given twice."""

FILE = "@"
"""What a text begins with that stands in a file of this name."""


@dataclass(frozen=True)
class Request:
    """What to look at.

    Attributes:
        texts: the sentence, or the two of a pair; none where an example of data is named.
        target: the translation to look at; empty: the model's own.
        example: id of an example of the data.
        heads_off: names of heads, groups, layers and MLPs that are off in a second look.
        layers: the layers that are shown; all where none is named.
        head: the one head whose picture is written; empty: the page of all.
        out: the file to write; None: one that is named after the model and the text.
        overrides: options of the job: the model, the data, the device.
    """

    texts: tuple[str, ...] = ()
    target: str = ""
    example: str = ""
    heads_off: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    head: str = ""
    out: Path | None = None
    overrides: tuple[str, ...] = ()

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> "Request":
        """Read a command line.

        Raises:
            InputError: when what is asked for is not clear; says what is.
        """
        own: dict[str, list[str]] = {name: [] for name in OWN}
        others = []
        for word in arguments:
            name, equals, value = word.partition("=")
            (own[name].append(value) if equals and name in own else others.append(word))
        for name, values in own.items():
            if len(values) > (2 if name == "text" else 1):
                raise InputError(f"{name}= stands {len(values)} times: {_times(name)}")
        single = {name: values[0] for name, values in own.items() if values and name != "text"}
        return cls(
            texts=tuple(_text("text", value) for value in own["text"]),
            target=_text("target", single["target"]) if "target" in single else "",
            example=single.get("example", ""),
            heads_off=_listed(single.get("heads_off", "")),
            layers=tuple(_number(name) for name in _listed(single.get("layers", ""))),
            head=single.get("head", ""),
            out=Path(single["out"]).expanduser() if single.get("out") else None,
            overrides=tuple(others),
        ).checked()

    def checked(self) -> "Request":
        """The request, once it is seen to be clear.

        Raises:
            InputError: when it is not; says what is missing.
        """
        chosen = {word.lstrip("+").partition("=")[0] for word in self.overrides}
        if "model" not in chosen:
            raise InputError("no model is chosen: add model=NAME, such as model=hf_classifier model.path=FOLDER")
        if self.texts and (self.example or "data" in chosen):
            raise InputError("text= and an example of data exclude each other: give one of them")
        if not self.texts and not ("data" in chosen and self.example):
            raise InputError('nothing to look at: add text="A sentence.", or data=NAME and example=ID')
        if self.target and self.example:
            raise InputError("target= goes with text=: an example has a reference of its own")
        return self


def _text(name: str, value: str) -> str:
    """A text, or that of a file."""
    text = _read(name, Path(value[1:]).expanduser()) if value.startswith(FILE) else value
    if not text.strip():
        raise InputError(f'{name}= is empty: expected a sentence, as in {name}="A man is sleeping."')
    return text.strip()


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"{name}={FILE}{path}: {reason}") from error


def _listed(value: str) -> tuple[str, ...]:
    """The names of a list with or without brackets."""
    return tuple(name for name in re.split(r"[\s,]+", value.strip().strip("[]")) if name)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InputError(f"layers={text}: expected numbers of layers, counted from 0, as in layers=0,5")
    return int(text)


def _times(name: str) -> str:
    return "two texts are a pair, more are too many" if name == "text" else "expected once"
