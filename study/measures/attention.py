"""Attention: what every head looks at, as statistics that need no map to be kept."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool

from study.engine.pairs import TableRequest
from study.measures.measure import MaskRequest, Measure, Stage
from study.record.curves import Curve
from study.record.errors import InputError, listed
from study.record.maps.stored_maps import examples_to_show
from study.record.tables import OUTCOMES, AttendedWords, Attention, Divergence, Maps, Special, Table
from study.record.units import HeadLayout, parse_mask, parse_unit, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


class Words(StrEnum):
    """When the word that each word attends to most is kept; names are what is written on the command line."""

    trees = "trees"
    """Where the data has syntax trees, whose words they are."""
    always = "always"
    """For any data; without trees white space and punctuation part the words."""
    never = "never"


@dataclass(kw_only=True)
class AttentionMeasure(Measure):
    """What heads look at under the full mask, and as asked for with some of them removed.

    Attributes:
        special: what becomes of tokens that stand for no text: [CLS], [SEP], BOS, EOS.
        divergence: also how far the weights of each two heads are apart, which takes a number for each pair of heads.
        words: when the word that each word attends to most is kept, from which all of syntax follows.
        maps: number of examples whose maps between words are kept, to look at: those whose answer changes under most
            single heads that were removed so far come first, else the first ones.
        kept: shares of the heads that a stored pruning curve keeps, under whose masks attention is looked at as well.
        curve: that curve: its order's name (importance, random ...), or the name of its file where it has several.
        curve_data: name of the data that it was measured on, as its folder in the results; empty: the data at hand.
        without: heads, groups, layers or MLPs that are off together in one mask more.
    """

    masks_units: ClassVar[bool] = False
    reads: ClassVar[bool] = True

    name: str = "attention"
    special: Special = Special.kept
    divergence: bool = False
    words: Words = Words.trees
    maps: int = 0
    kept: list[float] = field(default_factory=list)
    curve: str = ""
    curve_data: str = ""
    without: list[str] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        """After pruning curves, where one of them says which heads are kept."""
        return Stage.AFTER_CURVES if self.kept else Stage.MEASURE

    def source(self, data: str) -> tuple[str, str] | None:
        """The curve that says which heads are kept."""
        return ("pruning", self.curve_data or data) if self.kept else None

    def check(self, layout: HeadLayout) -> None:
        """Refuse shares that are none, and units that the model has not, too."""
        super().check(layout)
        if wrong := [share for share in self.kept if not 0 <= share <= 1]:
            raise InputError(f"measure.kept={wrong[0]:g}: a share of heads is between 0 and 1")
        if self.maps < 0:
            raise InputError(f"measure.maps={self.maps}: expected a number of examples, 0 for none")
        if self.kept and not self.curve:
            raise InputError("measure.kept takes heads away in the order of a pruning curve: measure.curve says which")
        layout.without([parse_unit(address) for address in self.without])

    def idle(self) -> dict[str, str]:
        """A curve says which heads are kept where not all are."""
        why = "it is of measure.kept, the shares of heads that are kept"
        return {**super().idle(), **({} if self.kept else dict.fromkeys(("curve", "curve_data"), why))}

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The full mask, and those asked for besides, of each table."""
        layout, none = evaluator.layout, stack([], evaluator.layout)
        masks = [layout.full()[None]]
        if self.without:
            masks.append(layout.without([parse_unit(address) for address in self.without])[None])
        if self.kept:
            curve = self._curve(evaluator)
            if isinstance(curve, str):
                return MaskRequest(none, others=self._tables(evaluator, np.concatenate(masks)), needs=curve)
            masks.append(stack([self._point(curve, share, layout) for share in self.kept], layout))
        return MaskRequest(none, others=self._tables(evaluator, np.concatenate(masks)))

    def _tables(self, evaluator: "Evaluator", masks: Bool[np.ndarray, "M H"]) -> tuple[TableRequest, ...]:
        tables: list[Table] = [Attention(self.special)]
        tables += [Divergence(self.special)] if self.divergence else []
        has_trees = evaluator.whole.trees is not None
        tables += [AttendedWords()] if self.words is Words.always or (self.words is Words.trees and has_trees) else []
        return (*(TableRequest(table, masks) for table in tables), *self._maps(evaluator))

    def _maps(self, evaluator: "Evaluator") -> tuple[TableRequest, ...]:
        """Maps with every head on; of those examples that have some already, as long as these are enough."""
        if not self.maps:
            return ()
        examples, layout = evaluator.whole, evaluator.layout
        there = evaluator.store.read(Maps()).rows.filter(mask=layout.full_key)["example"].to_list()
        shown = [example for example in examples.ids if example in there]
        if len(shown) < min(self.maps, len(examples)):
            lengths = {name: len(words) for name, words in zip(examples.ids, examples.words(), strict=True)}
            outcomes = evaluator.store.read(OUTCOMES).rows
            others = examples_to_show(outcomes, lengths, layout, len(examples))
            shown += [example for example in others if example not in there][: self.maps - len(shown)]
        return (TableRequest(Maps(), layout.full()[None], examples=shown[: self.maps]),)

    def _curve(self, evaluator: "Evaluator") -> Curve | str:
        """The stored curve; where there is none, what must run first.

        Raises:
            InputError: when several have this name.
        """
        data = self.curve_data or evaluator.setting.data
        curves = evaluator.curves(data)
        found = [curve for curve in curves if self.curve in (curve.order, curve.id)]
        if len(found) > 1:
            names = listed([f"{curve.id} ({_told(curve)})" for curve in found])
            raise InputError(f"'{data}' has {len(found)} curves {self.curve}: measure.curve takes one of {names}")
        if found:
            return found[0]
        there = f" (there are: {listed(sorted({curve.order for curve in curves}))})" if curves else ""
        first = f"measure=pruning measure.order={self.curve}"
        if self.curve_data:
            return f"'{data}' has no curve '{self.curve}' of this model{there}: run {first} on that data first"
        return (
            f"'{data}' has no curve '{self.curve}' of this model{there}: run {first} first; or all at once, "
            f"study -m ... measure=importance,pruning,attention_kept"
        )

    def _point(self, curve: Curve, share: float, layout: HeadLayout) -> Bool[np.ndarray, " H"]:
        """The mask of a curve that keeps a share of its heads, to less than a head."""
        removed = (1 - share) * curve.heads
        nearest = min(range(len(curve.removed)), key=lambda point: abs(curve.removed[point] - removed))
        if abs(curve.removed[nearest] - removed) >= 1:
            shares = listed([f"{1 - count / curve.heads:.3g}" for count in curve.removed])
            raise InputError(f"measure.kept={share:g}: the curve {curve.order} has no such point, it keeps {shares}")
        return parse_mask(curve.masks[nearest], layout)


def _told(curve: Curve) -> str:
    """What tells a curve from others of its order."""
    return ", ".join([*curve.kinds, *(f"{name} {value}" for name, value in curve.options.items())])
