"""Options of the gates of a training: the contract of `conf/gates`. No tensor is imported.

A training without gates moves the weights of the whole model. With them each head's context is multiplied by its gate
(`study.masking.gate`) at every step, and at the end some heads are kept and the others are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from study.data.source import DataSource
from study.record.errors import InputError, listed
from study.record.factors import NO_GATES
from study.record.orders import Steps
from study.record.units import AttentionKind, HeadLayout


class Weights(StrEnum):
    """What happens to the weights of the model while gates are learned."""

    trained = "trained"
    frozen = "frozen"


class Reduction(StrEnum):
    """How the penalties of heads become one number: their sum, or the mean over layers of the sums of each layer."""

    sum = "sum"
    """Voita et al. (2019), equation 5."""
    mean = "mean"
    """The authors' code, whose lambda is that of the paper times the number of gated layers."""


@dataclass(kw_only=True)
class Gates:
    """The gates of a training: none, unless a subclass says more.

    Attributes:
        name: name in `conf/gates`.
    """

    name: str = NO_GATES

    @property
    def has_gates(self) -> bool:
        """Whether heads have gates."""
        return self.name != NO_GATES

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises:
            InputError: in words.
        """

    def check_heads(self, layout: HeadLayout) -> None:
        """Refuse what these heads cannot have.

        Raises:
            InputError: for kinds that are not there, and numbers of heads that cannot be kept.
        """

    def identity(self) -> dict[str, Any]:
        """All that the weights and the kept heads depend on, as JSON values; nothing where there are no gates."""
        return {}

    def words(self) -> str:
        """How pages name it: the method, and in what it differs from another of the same; empty without gates."""
        return ""


@dataclass(kw_only=True)
class LearnedGates(Gates):
    """Gates that are found by gradient descent.

    Attributes:
        scope: attention kinds whose heads have gates; all when empty. To name every kind that there is says the same.
        weights: whether the weights are trained together with the gates.
        freeze: parts of the model that do not move, by their path or a part of it: `decoder`, `encoder.layer.1`.
        learning_rate: peak of the gates' learning rate, which follows the schedule of the weights'.
        until: share of the updates after which gates are decided and only weights go on.
    """

    scope: list[AttentionKind] = field(default_factory=list)
    weights: Weights = Weights.trained
    freeze: list[str] = field(default_factory=list)
    learning_rate: float = 0.1
    until: float = 1.0

    def __post_init__(self) -> None:
        if set(self.scope) == set(AttentionKind):
            self.scope = []

    def check(self) -> None:
        """See `Gates.check`."""
        if not self.learning_rate > 0 or not 0 < self.until <= 1:
            raise InputError(
                f"gates.learning_rate={self.learning_rate:g} must be above 0, and gates.until={self.until:g} above 0 "
                f"and at most 1"
            )
        if self.weights is Weights.frozen and self.until < 1:
            raise InputError(
                f"gates.until={self.until:g}: after that only weights are trained, and gates.weights=frozen trains none"
            )

    def check_heads(self, layout: HeadLayout) -> None:
        """See `Gates.check_heads`."""
        self.gated(layout)

    def gated(self, layout: HeadLayout) -> int:
        """How many of a model's heads have gates.

        Raises:
            InputError: for kinds that are not there.
        """
        return sum(sum(layout.counts[kind]) for kind in gated_kinds(self.scope, list(layout.counts)))

    def hard_from(self, updates: int) -> int:
        """The update, of so many, after which gates are decided.

        Raises:
            InputError: when none is left to learn gates in.
        """
        if not (learning := round(self.until * updates)):
            raise InputError(
                f"gates.until={self.until:g} of {updates:,} updates leaves none in which gates are learned: take a "
                f"larger gates.until, or more updates"
            )
        return learning

    def identity(self) -> dict[str, Any]:
        """See `Gates.identity`."""
        return {
            **vars(self),
            "scope": sorted(map(str, self.scope), key=lambda kind: AttentionKind(kind).rank),
            "weights": str(self.weights),
            "freeze": sorted(self.freeze),
        }

    def words(self) -> str:
        """See `Gates.words`."""
        return " ".join([self.name.replace("_", " "), *self._amount(), *self._more()])

    def _amount(self) -> list[str]:
        """How many heads are kept, or what decides it."""
        raise NotImplementedError

    def _more(self) -> list[str]:
        usual = type(self)()
        some = [f"of {' and '.join(map(str, self.scope))}"] if self.scope else []
        some += ["with frozen weights"] if self.weights is Weights.frozen else []
        some += [f"without {' and '.join(self.freeze)}"] if self.freeze else []
        own = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in vars(self).items()
            if name not in ("name", "scope", "weights", "freeze", "penalty", "keep") and value != getattr(usual, name)
        ]
        return [*some, *([f"({', '.join(own)})"] if own else [])]


@dataclass(kw_only=True)
class HardConcrete(LearnedGates):
    """Hard Concrete gates under an L0 penalty (Louizos et al. 2018; Voita et al. 2019, section 5).

    Attributes:
        penalty: lambda: nats that the loss rises by for each head that is open for certain.
        reduction: how the penalties of heads become one number.
        warmup: share of the updates over which the penalty rises linearly from 0.
        initial: log alpha of every gate before the first step; None: uniform by Glorot and Bengio (2010) in each layer,
            as the authors' code has it.
        beta: temperature: .33 in the authors' code; their figure 6a fits .5; Louizos et al. have 2/3.
        gamma: lower end of the interval to which a gate is stretched before it is cut at 0.
        zeta: upper end of that interval, before it is cut at 1.
        top: how many heads stay once gates are decided, those of largest log alpha, so that methods can be compared at
            equal numbers; None: those whose gate is likelier 1 than 0.
    """

    name: str = "hard_concrete"
    penalty: float = 0.05
    reduction: Reduction = Reduction.sum
    warmup: float = 0.0
    initial: float | None = 2.0
    beta: float = 0.33
    gamma: float = -0.1
    zeta: float = 1.1
    top: int | None = None

    def check(self) -> None:
        """See `Gates.check`."""
        super().check()
        if self.top is not None and self.top < 1:
            raise InputError(f"gates.top={self.top}: at least one head is kept")
        if self.penalty < 0 or not 0 <= self.warmup <= 1:
            raise InputError(
                f"gates.penalty={self.penalty:g} must be 0 or more, and gates.warmup={self.warmup:g} from 0 to 1"
            )
        if not (self.beta > 0 and self.gamma < 0 and self.zeta > 1):
            raise InputError(
                f"gates.beta={self.beta:g} must be above 0, gates.gamma={self.gamma:g} below 0 and gates.zeta="
                f"{self.zeta:g} above 1: else no gate is ever 0, or none 1"
            )

    def check_heads(self, layout: HeadLayout) -> None:
        """See `Gates.check_heads`."""
        there = self.gated(layout)
        if self.top is not None and self.top > there:
            raise InputError(f"gates.top={self.top}, and the model has {there} heads that can have gates")

    def identity(self) -> dict[str, Any]:
        """See `Gates.identity`."""
        identity = {**super().identity(), "reduction": str(self.reduction)}
        if self.top is None:
            del identity["top"]
        return identity

    def _amount(self) -> list[str]:
        return [f"{self.penalty:g}"]


@dataclass(kw_only=True)
class Subset(LearnedGates):
    """A differentiable subset: exactly so many heads are kept (Li, Cotterell and Sachan 2021).

    Gates are a soft sample without replacement (Gumbel top-K); at test time the heads of the largest weights stay.

    Attributes:
        keep: heads that are kept.
        straight_through: whether a step goes forward with gates of 0 and 1, and back as if they were soft.
        temperature: temperature of the softmax before the first step.
        final_temperature: temperature from the end of the cooldown on; it falls geometrically until then.
        cooldown: share of the updates over which the temperature falls.
        one_a_kind: whether at least one head of each kind is kept.
    """

    name: str = "subset"
    keep: int = MISSING
    straight_through: bool = False
    temperature: float = 1000.0
    final_temperature: float = 1e-8
    cooldown: float = 1.0
    one_a_kind: bool = False
    learning_rate: float = 0.5

    def check(self) -> None:
        """See `Gates.check`."""
        super().check()
        if self.keep < 1:
            raise InputError(f"gates.keep={self.keep}: at least one head is kept")
        if not (0 < self.final_temperature <= self.temperature and 0 < self.cooldown <= 1):
            raise InputError(
                f"gates.temperature={self.temperature:g} falls to gates.final_temperature={self.final_temperature:g}, "
                f"which must be above 0 and no higher, over a share gates.cooldown={self.cooldown:g} of the updates, "
                f"above 0 and at most 1"
            )

    def check_heads(self, layout: HeadLayout) -> None:
        """See `Gates.check_heads`."""
        kinds, there = gated_kinds(self.scope, list(layout.counts)), self.gated(layout)
        if self.keep > there:
            raise InputError(f"gates.keep={self.keep}, and the model has {there} heads that can have gates")
        if self.one_a_kind and self.keep < len(kinds):
            raise InputError(
                f"gates.keep={self.keep} is less than a head of each kind, which gates.one_a_kind=true asks for: "
                f"{listed(list(map(str, kinds)))}"
            )

    def _amount(self) -> list[str]:
        return [str(self.keep)]


@dataclass(kw_only=True)
class HeadsOfKinds:
    """Numbers of heads by attention kind; None: all that there are.

    Attributes:
        encoder_self: heads of the encoder's self-attention.
        decoder_self: heads of the decoder's self-attention.
        cross: heads of the decoder's attention to the encoder.
    """

    encoder_self: int | None = None
    decoder_self: int | None = None
    cross: int | None = None

    def given(self) -> dict[AttentionKind, int]:
        """The numbers that are given, in the order of masks."""
        numbers = {kind: getattr(self, kind) for kind in AttentionKind}
        return {kind: number for kind, number in numbers.items() if number is not None}


@dataclass(kw_only=True)
class GivenMask(Gates):
    """Gates that are given: the heads to keep by some order, on during the whole training of the weights.

    The order is made before the first step on the model that the training starts from, by the jobs that make it for any
    model: so heads are chosen once, and then the weights are trained as long as those of any other method.

    Attributes:
        order: order in which heads go, an entry of `conf/measure/order`.
        keep: heads that are kept.
        keep_of: heads that are kept of each attention kind (`encoder_self` ...), in place of `keep`; all of the others.
        seed: seed of a random order, of which alone it may be given; None: that of the training, so that each seed has
            other heads.
        steps: how many heads go before an order by steps is estimated again.
        data: examples that the order is made on; None: the training data.
        limit: take only the first `limit` of them, or fewer where the data itself has a smaller limit; None for all.
    """

    name: str = "kept"
    order: Any = None  # an `Order`, of a room above this one
    keep: int | None = None
    keep_of: HeadsOfKinds = field(default_factory=HeadsOfKinds)
    seed: int | None = None
    steps: Steps = Steps.paper
    data: DataSource | None = None
    limit: int | None = 1000

    @property
    def is_counted(self) -> bool:
        """Whether it says how many heads stay; an order by learned gates of a file says it else."""
        return self.keep is not None or bool(self.keep_of.given())

    def check(self) -> None:
        """See `Gates.check`."""
        of_kinds = self.keep_of.given()
        if (self.keep is not None and of_kinds) or not (self.is_counted or self.order.learned()):
            raise InputError("gates.keep says how many heads are kept, gates.keep_of how many of each kind: give one")
        if self.is_counted and min(of_kinds.values() if self.keep is None else [self.keep]) < 0:
            raise InputError("gates.keep and gates.keep_of: a number of heads is 0 or more")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"gates.limit={self.limit}: an order is made on one example at least")
        if self.seed is not None and not self.order.takes_seed:
            raise InputError(
                f"gates.seed={self.seed} is the seed of a random order, and gates.order={self.order.name} has none"
            )

    def check_heads(self, layout: HeadLayout) -> None:
        """See `Gates.check_heads`."""
        of_kinds = self.keep_of.given()
        gated_kinds(list(of_kinds), list(layout.counts), "gates.keep_of")
        for kind, asked in of_kinds.items():
            if asked > (there := sum(layout.counts[kind])):
                raise InputError(f"gates.keep_of.{kind}={asked}, and the model has {there} heads of {kind}")
        if self.keep is not None and self.keep > len(layout):
            raise InputError(f"gates.keep={self.keep}, and the model has {len(layout)} heads")

    def identity(self) -> dict[str, Any]:
        """See `Gates.identity`; the order is known by its options, before it is made.

        Options stand in it as far as they decide the order.
        """
        steps = {"steps": str(self.steps)} if self.order.takes_steps else {}
        limit = {"limit": self.limit if self.data is None else self.data.first(self.limit).limit}
        data = {} if self.data is None else {"data": self.data.identity()}
        return {
            "name": self.name,
            "order": self.order.identity(),
            "keep": {str(kind): number for kind, number in self.keep_of.given().items()} or self.keep,
            **steps,
            **({} if self.seed is None else {"seed": self.seed}),
            **({**limit, **data} if self.order.takes_examples else {}),
        }

    def words(self) -> str:
        """See `Gates.words`."""
        numbers = [f"{number} {kind}" for kind, number in self.keep_of.given().items()]
        numbers += [] if self.keep is None else [str(self.keep)]
        seed = [] if self.seed is None else [f"seed {self.seed}"]
        on = [f"on {self.data.name}"] if self.data is not None and self.order.takes_examples else []
        own = [f"{name}={value}" for name, value in self._unusual().items()]
        more = [f"({', '.join(own)})"] if own else []
        return " ".join(["kept by", self.order.name, *numbers, *seed, *on, *more])

    def _unusual(self) -> dict[str, Any]:
        """The options that decide the order and are not as usual."""
        found = self.order.unusual()
        if self.order.takes_examples and self.limit != type(self).limit:
            found["limit"] = self.limit
        if self.order.takes_steps and self.steps != type(self).steps:
            found["steps"] = self.steps
        return found


GATES: dict[str, type[Gates]] = {"none": Gates, "hard_concrete": HardConcrete, "subset": Subset, "kept": GivenMask}
"""All gates of a training, by name."""


def gated_kinds(
    scope: Sequence[AttentionKind], has: Sequence[AttentionKind], option: str = "gates.scope"
) -> list[AttentionKind]:
    """The attention kinds that have gates, in the order of masks.

    Args:
        scope: those asked for; all when empty.
        has: those of the model.
        option: the option that asks for them.

    Raises:
        InputError: for a kind that the model does not have.
    """
    if absent := [str(kind) for kind in scope if kind not in has]:
        raise InputError(f"{option} has {listed(absent)}: the model has heads of {', '.join(map(str, has))}")
    return [kind for kind in has if not scope or kind in scope]
