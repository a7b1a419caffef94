"""The heads that a training keeps, by whichever method, and what it scores with them on resamples of the examples."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from analysis.inference import Inference, resampling
from analysis.inference.resampling import ENOUGH_FOR_AN_INTERVAL
from analysis.results.domain import Domain
from study.record.curves import Curve
from study.record.examples import WEIGHT
from study.record.metrics.loss import LOSS
from study.record.units import parse_mask

HARD_CONCRETE, SUBSET, GIVEN, NONE = "hard_concrete", "subset", "kept", "none"
"""Names of gates, as `conf/gates` has them."""

NAMES = {HARD_CONCRETE: "Hard Concrete gates", SUBSET: "learned subset", NONE: "un-pruned"}

TRAINED, FROZEN = "trained", "frozen"
"""What happens to weights."""


@dataclass(frozen=True, order=True)
class Method:
    """How it is decided which heads a training keeps, and what happens to the weights.

    Attributes:
        name: name of the gates.
        order: order of removal that given gates follow; empty of learned ones.
        weights: whether weights are `trained` or `frozen`.
        scratch: whether weights were random before the first step.
    """

    name: str
    order: str = ""
    weights: str = TRAINED
    scratch: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any], *, scratch: bool = False) -> "Method":
        """The method that the options of kept heads say; `scratch` where its training says so."""
        own = {name: options[name] for name in ("order", "weights") if options.get(name)}
        return cls(options.get("method", GIVEN), **own, scratch=scratch or bool(options.get("scratch")))

    def __str__(self) -> str:
        """In words: `Hard Concrete gates, weights frozen`, `kept by importance`, `un-pruned`."""
        by = "kept at random" if self.order == "random" else f"kept by {self.order.replace('_', ' ') or 'a given mask'}"
        words = [NAMES.get(self.name, by)]
        words += ["weights frozen"] if self.weights == FROZEN else []
        words += ["from scratch"] if self.scratch else []
        return ", ".join(words)

    @property
    def is_learned(self) -> bool:
        """Whether the training itself finds the heads."""
        return self.name in (HARD_CONCRETE, SUBSET)

    @property
    def is_reference(self) -> bool:
        """Whether all heads are kept: the model that others are held against."""
        return self.name == NONE and not self.scratch


@dataclass(frozen=True, eq=False)
class KeptHeads:
    """The heads that one training keeps, on one domain.

    Attributes:
        domain: its outcomes.
        curve: the masks of all heads and of the kept ones, and how these came about.
        inference: how scores are resampled.
        scratch: whether the weights are known to have been random before the first step.
        start: the model that the training names as its start, also where it takes its shape alone; empty if not known.
        variant: options of its gates that tell it from others of its method and amount, in words; mostly empty.
    """

    domain: Domain
    curve: Curve
    inference: Inference
    scratch: bool = False
    start: str = ""
    variant: str = ""

    @property
    def options(self) -> Mapping[str, Any]:
        """What is stored of the training and its gates."""
        return self.curve.options

    @cached_property
    def method(self) -> Method:
        """How the heads were chosen."""
        return Method.of(self.options, scratch=self.scratch)

    @property
    def training(self) -> str:
        """Id of the training."""
        return str(self.options.get("training", ""))

    @property
    def seed(self) -> int | None:
        """Seed of the training."""
        seed = self.options.get("seed")
        return self.domain.factors[0].seed if seed is None and self.domain.factors else seed

    @property
    def updates(self) -> int | None:
        """Updates behind the checkpoint."""
        return self.options.get("updates")

    @property
    def scope(self) -> str:
        """The kinds that have gates, joined by `+`; empty for all."""
        return str(self.options.get("scope", ""))

    @property
    def penalty(self) -> float | None:
        """Lambda of Hard Concrete gates; None of any other."""
        return float(self.options["penalty"]) if "penalty" in self.options else None

    @cached_property
    def mask(self) -> Bool[np.ndarray, " heads"]:
        """Whether each head of the model is kept."""
        return parse_mask(self.curve.masks[-1], self.domain.layout)[: len(self.domain.layout)]

    @cached_property
    def by_kind(self) -> dict[str, int]:
        """How many heads of each attention kind are kept."""
        kept = Counter(str(head.kind) for head, on in zip(self.domain.layout.heads, self.mask, strict=True) if on)
        return {str(kind): kept[str(kind)] for kind in self.domain.layout.counts}

    @cached_property
    def pruned(self) -> frozenset[str]:
        """The kinds of which some heads are not kept."""
        heads = self.domain.layout.heads
        return frozenset(str(head.kind) for head, on in zip(heads, self.mask, strict=True) if not on)

    def kept(self, kinds: Iterable[str]) -> int:
        """How many heads of some kinds are kept."""
        return sum(self.by_kind[kind] for kind in kinds)

    @cached_property
    def scores(self) -> Float[np.ndarray, " draws"]:
        """The score with the kept heads: on all examples, then on each resample of their groups.

        Domains with the same groups are drawn alike, so that trainings are compared in pairs.
        """
        sample = self.domain.sample(self.inference.groups).select(self.curve.masks[-1:])
        resamples = min(self.inference.resamples, ENOUGH_FOR_AN_INTERVAL) if sample.groups > 1 else 0
        draws = resampling.scores(sample, resamples, self.inference.seed)
        return np.concatenate([sample.scores[None], draws])[:, -1]

    @cached_property
    def loss(self) -> float | None:
        """The mean loss of an example with the kept heads, nats; None where none is stored."""
        if LOSS not in self.domain.rows.columns:
            return None
        rows = self.domain.rows.filter(mask=self.curve.masks[-1])
        weights = rows[WEIGHT].to_numpy() if WEIGHT in rows.columns else None
        return float(np.average(rows[LOSS].to_numpy(), weights=weights))
