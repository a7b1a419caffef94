"""Methods: to which part of a model a later task is taught, and what tells two of one kind apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FREE_HEADS, OUTPUT_LAYER, ALL_WEIGHTS = "free_heads", "output_layer", "all_weights"
"""Names of methods, as `conf/reuse` has them."""

MODEL_BEFORE = "model_before"
"""The model before it was taught, where it can do the later task."""

NAMES = {
    FREE_HEADS: "free heads",
    MODEL_BEFORE: "model before",
    OUTPUT_LAYER: "output layer alone",
    "biases_and_norms": "biases and norms",
    "lora": "LoRA",
    ALL_WEIGHTS: "all weights",
}

RANDOM = "random"
"""The order that draws heads by a seed."""

EARLIER, PRETRAINED = "earlier", "pretrained"
"""Weights that a later task starts from."""

TOLD = {
    "heads_from": {"pretrained": "from pre-trained weights", "zero_output": "silent at first"},
    "biases": {False: "no biases"},
    "pooler": {False: "shared pooler"},
}
"""Options that tell two methods of one kind apart, in words."""

USUAL = ("name", "order", "free", "margin", "most_needed", "free_on", "body", "seed", *TOLD)
"""Options that are told by name, and the seed of a random order."""

OF_FREE_HEADS = ("limit", "data", "steps")
"""Options that choose free heads; records of earlier versions have them where these play no part, too."""


@dataclass(frozen=True, order=True)
class Method:
    """How a later task is taught.

    Attributes:
        name: name in `conf/reuse`.
        order: order in which heads were freed; empty where what is taught does not depend on which they are.
        most_needed: whether the heads were freed that the earlier task needs most.
        free_on: whether free heads are on in the later task.
        body: weights of all that is not taught: `earlier`, or `pretrained`, which never saw the earlier task.
        by_rank: whether as many numbers move as the free heads have, wherever these are.
        detail: further options, in words.
    """

    name: str
    order: str = ""
    most_needed: bool = False
    free_on: bool = True
    body: str = EARLIER
    by_rank: bool = False
    detail: str = ""

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any] | None, variant: str = "") -> "Method":
        """The method of a record's options; `variant` says in what else it differs from others."""
        given = options or {}
        own = {key: given[key] for key in ("most_needed", "free_on", "body") if key in given}
        by_rank = name == "lora" and given.get("rank") is None
        depends = name == FREE_HEADS or not own.get("free_on", True)
        order = str((given.get("order") or {}).get("name", "")) if depends else ""
        own["most_needed"] = bool(own.get("most_needed")) and depends
        words = [TOLD[key][given[key]] for key in TOLD if given.get(key) in TOLD[key]]
        words += [f"rank {given['rank']}"] if given.get("rank") else []
        words += [f"margin {given['margin']:g}"] if given.get("margin") and depends else []
        return cls(name, order, **own, by_rank=by_rank, detail=", ".join([*words, *([variant] if variant else [])]))

    @property
    def by_heads(self) -> bool:
        """Whether what is taught, or what the later task runs with, depends on the heads that are free."""
        return bool(self.order) or self.by_rank

    @property
    def is_main(self) -> bool:
        """Whether controls are held against it: heads that the earlier task needs least, taught from its weights."""
        return self.name == FREE_HEADS and self.order != RANDOM and not self.most_needed and self.body == EARLIER

    @property
    def short(self) -> str:
        """In few words, for a figure: `free heads`, `output layer alone, free heads off`."""
        return self._words("")

    def __str__(self) -> str:
        """In words: `free heads by importance`, `random heads`, `output layer alone, free heads off, by importance`."""
        return self._words(f" by {self.order.replace('_', ' ')}")

    def _words(self, by: str) -> str:
        heads = "most needed heads" if self.most_needed else "free heads"
        heads, by = ("random heads", "") if self.order == RANDOM else (heads, by)
        name = heads + by if self.name == FREE_HEADS else NAMES.get(self.name, self.name.replace("_", " "))
        words = [name, *([] if self.free_on else [f"{heads} off{',' if by else ''}{by}"])]
        words += [] if self.body == EARLIER else ["in the pre-trained model"]
        return ", ".join([*words, *([self.detail] if self.detail else [])])
