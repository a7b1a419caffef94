"""The page of one sentence: the maps of every head, one of them large, as a file that needs no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markupsafe import Markup

from analysis.attention_kinds import kind_name
from analysis.page.citations import as_json
from analysis.page.environment import page_environment
from analysis.page.maps.head_numbers import CHANGE, NUMBERS, Number, head_numbers
from analysis.page.maps.packing import PackedMaps, pack
from study.record.maps.sentence_maps import SentenceMaps, Side
from study.record.units import AttentionKind, Head


@dataclass(frozen=True)
class SentencePage:
    """What every head of a model looks at in one sentence.

    Attributes:
        model: name of the model.
        texts: what was read, by what it is (text, premise, source ...).
        conditions: maps with every head on; perhaps others with some of them off.
        names: what each condition is called.
        facts: what else is to be known, a sentence each.
    """

    model: str
    texts: Mapping[str, str]
    conditions: Sequence[SentenceMaps]
    names: Sequence[str] = ("every head on",)
    facts: Sequence[str] = field(default=())

    @property
    def first(self) -> SentenceMaps:
        """The maps with every head on."""
        return self.conditions[0]

    @property
    def several(self) -> bool:
        """Whether the model has several kinds of attention."""
        return len(self.kinds) > 1

    @cached_property
    def kinds(self) -> dict[AttentionKind, dict[int, list[Head]]]:
        """The heads that have maps, by kind of attention and layer."""
        found: dict[AttentionKind, dict[int, list[Head]]] = {}
        for head in self.first.weights:
            found.setdefault(head.kind, {}).setdefault(head.layer, []).append(head)
        return found

    @property
    def columns(self) -> tuple[Number, ...]:
        """What the table of heads tells of each."""
        return NUMBERS + ((CHANGE,) if len(self.conditions) > 1 else ())

    @cached_property
    def numbers(self) -> dict[Head, dict[str, float]]:
        """The table of heads."""
        return head_numbers(self.conditions)

    @cached_property
    def packed(self) -> PackedMaps:
        """All maps."""
        return pack(self.conditions)

    def json(self) -> Markup:
        """What scripts show.

        Returns:
            `{"kinds": {kind: name}, "heads": [address], "sides": {kind: {"queries": name of a side, "keys",
            "causal"}}, "texts": {side: {"tokens", "words", "wordOf": [word of each token], "special": [0 or 1 for each
            token]}}, "names": [name of a condition], "steps", "maps": {address: [packed map of each condition]}}`; see
            `analysis.page.maps.packing`.
        """
        maps = self.first
        sides = {"source": maps.source} | ({"target": maps.target} if maps.target else {})
        content = {
            "kinds": {kind: kind_name(kind) for kind in self.kinds},
            "heads": [str(head) for head in maps.weights],
            "sides": {kind: _sides(maps, kind) for kind in self.kinds},
            "texts": {name: _side(side) for name, side in sides.items()},
            "names": list(self.names),
            "steps": self.packed.steps,
            "maps": self.packed.heads,
        }
        return as_json(content)

    def html(self) -> str:
        """The page, self-contained; without scripts it has the table of heads."""
        return page_environment(0.95).get_template("maps.html.j2").render(page=self)


def _sides(maps: SentenceMaps, kind: AttentionKind) -> dict[str, Any]:
    names = ["source" if side is maps.source else "target" for side in (maps.queries(kind), maps.keys(kind))]
    return {"queries": names[0], "keys": names[1], "causal": kind is AttentionKind.DECODER_SELF}


def _side(side: Side) -> dict[str, Any]:
    return {
        "tokens": side.tokens,
        "words": side.words,
        "wordOf": side.word_of.tolist(),
        "special": side.special.astype(int).tolist(),
    }
