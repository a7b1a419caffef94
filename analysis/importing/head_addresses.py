"""Addresses as others write them: `encoder_self.3.11`, `3.11`, `L3H11`, `layer 3, head 11`, `E:3:11`; groups `L3G1`."""

import re

from analysis.attention_kinds import STYLES
from study.record.errors import InputError
from study.record.units import AttentionKind, Group, Head

ADDRESS = re.compile(
    r"""(?:(?P<kind>[a-z][a-z_ -]*?)[\s._:/-]*)??
        (?:(?:layer|l)[\s._:-]*)?(?P<layer>\d+)
        (?:[\s._:,/x-]+(?:head|h|(?P<group>group|g))?|head|h|(?P<grouped>group|g))[\s._:-]*(?P<head>\d+)""",
    re.VERBOSE | re.IGNORECASE,
)


def parse_kind(text: str) -> AttentionKind:
    """An attention kind by one of its names.

    Raises:
        InputError: when it has none of them.
    """
    name = re.sub(r"[\s-]+", "_", text.strip().lower())
    for kind, style in STYLES.items():
        if name == kind or name in style.spellings:
            return AttentionKind(kind)
    known = ", ".join(f"{kind} ({', '.join(style.spellings)})" for kind, style in STYLES.items())
    raise InputError(f"'{text}' is no attention kind: there are {known}")


def parse_head(text: str, kind: AttentionKind, first: int) -> Head | Group:
    """A head, or a group of heads that share keys and values, by its address.

    Args:
        text: as someone wrote it.
        kind: where the address does not say.
        first: the number of the first layer and head, 0 or 1.

    Raises:
        InputError: when it is no address.
    """
    found = ADDRESS.fullmatch(text.strip().strip("()[]"))
    if found is None:
        raise InputError(f"'{text}' is no head address: expected LAYER.HEAD, KIND.LAYER.HEAD or such as L3H11")
    named = found["kind"]
    head = head_at(parse_kind(named) if named else kind, found["layer"], found["head"], first)
    return Group(head.kind, head.layer, head.index) if found["group"] or found["grouped"] else head


def is_head(text: str) -> bool:
    """Whether a text can be read as a head's address."""
    return ADDRESS.fullmatch(text.strip().strip("()[]")) is not None


def head_at(kind: AttentionKind, layer: str, index: str, first: int) -> Head:
    """A head by two numbers in text.

    Raises:
        InputError: when they are no whole numbers, or below the first one.
    """
    numbers = []
    for what, text in (("layer", layer), ("head", index)):
        if not re.fullmatch(r"\d+(\.0)?", text.strip()):
            raise InputError(f"{what} '{text}' is no whole number of {first} or more")
        numbers.append(int(float(text)) - first)
    if min(numbers) < 0:
        raise InputError(f"there is no layer {layer}, head {index} where counting starts at {first}")
    return Head(kind, *numbers)
