"""Options of teaching a later task to a model that has one: the contract of `conf/reuse`. No tensor is imported.

The earlier task keeps the heads that it needs, as they are; the later one is taught to the *free* heads, those that the
earlier task does without. The other methods are controls: they teach the later task to other parts of the model.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from study.data.source import DataSource
from study.record.errors import InputError, MissingPackageError
from study.record.factors import NO_REUSE
from study.record.orders import Steps
from study.record.units import HeadLayout


class Weights(StrEnum):
    """Weights that a later task starts from."""

    earlier = "earlier"
    """Those of the model that has the earlier task."""
    pretrained = "pretrained"
    """Those of `pretrained`."""
    zero_output = "zero_output"
    """Those of the earlier model, but the columns of the output projection are zero: free heads start silent.

    Their queries, keys and values are live: were both zero, no gradient would reach either.
    """


@dataclass(kw_only=True)
class Reuse:
    """What a training keeps of earlier tasks: nothing, unless a subclass says more.

    Attributes:
        name: name in `conf/reuse`.
    """

    name: str = NO_REUSE

    @property
    def has_task(self) -> bool:
        """Whether the model has a task already, which it keeps beside the one that is taught."""
        return self.name != NO_REUSE

    @property
    def uses_free_heads(self) -> bool:
        """Whether it matters which heads are free: they are found before the first step only then."""
        return False

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises:
            InputError: in words.
        """

    def identity(self) -> dict[str, Any]:
        """All that the weights and the free heads depend on, as JSON values; nothing where no task is kept."""
        return {}

    def words(self) -> str:
        """How pages name it: the method, and in what it differs from another of the same; empty where none is kept."""
        return ""


CHOICE = ("free", "margin", "most_needed", "seed", "steps", "limit")
"""Options that say, with the order and its data, which heads are free."""


@dataclass(kw_only=True)
class LaterTask(Reuse):
    """A later task, taught to a part of a model that has one or more already.

    Which heads are free is found before the first step, on the model as it is: by an order of its heads, made by the
    jobs that make it for any model, on training data of its latest task. Heads of tasks before that one stay theirs.
    A method that neither takes free heads, nor has them off, nor counts their numbers knows nothing of them: options
    that choose them have no effect, and are refused. `data` may stand: it also says what the model was trained on.

    Attributes:
        task: name of the later task; empty: the name of its training data, without `_train`.
        earlier: name of the task that the model has; empty: the name of the model. Of a model that has several, its
            record says them.
        free: share of all the model's heads that is freed, in whole heads, rounded down; None with a margin.
        margin: as many heads are freed as cost the latest task at most so much of its score on `data` (in its unit,
            such as points of accuracy), at the points of the order's curve; None with a share.
        order: order in which heads are freed, an entry of `conf/measure/order`.
        most_needed: free those heads that go last by the order instead of those that go first: a control.
        seed: seed of a random order, of which alone it may be given; None: that of the training.
        steps: how many heads go before an order by steps is estimated again, and the points at which a margin is tried.
        data: examples of the latest task that the order is made on; None: its training data, where it was trained here.
        limit: take only the first `limit` of them; None for all.
        free_on: whether free heads are on while the later task is taught and used.
        body: weights of all that is not taught, `earlier` or `pretrained`: the second is a control that never saw the
            earlier task, which it does not have either.
        pretrained: folder or hub name of a pre-trained model of the same architecture, where weights of it are taken.
    """

    task: str = ""
    earlier: str = ""
    free: float | None = 0.4
    margin: float | None = None
    order: Any = None  # an `Order`, of a room above this one
    most_needed: bool = False
    seed: int | None = None
    steps: Steps = Steps.paper
    data: DataSource | None = None
    limit: int | None = 1000
    free_on: bool = True
    body: Weights = Weights.earlier
    pretrained: str = ""

    keeps_earlier = True
    """Whether earlier tasks are kept to the last bit, as long as their weights are the body."""

    takes_heads = False
    """Whether free heads are taken from the latest task; a method that teaches no head leaves it all that it has."""

    @property
    def uses_free_heads(self) -> bool:
        """See `Reuse.uses_free_heads`."""
        return self.takes_heads or not self.free_on

    def check(self) -> None:
        """See `Reuse.check`."""
        if self.uses_free_heads:
            self._check_choice()
        if self.body is Weights.zero_output:
            raise InputError("reuse.body=zero_output is for free heads alone: reuse.heads_from=zero_output")
        if bool(self.pretrained) != self._takes_pretrained():
            raise InputError(
                "reuse.pretrained names the model from which weights are taken by reuse.body=pretrained or "
                "reuse.heads_from=pretrained: give both or neither"
            )

    def _check_choice(self) -> None:
        """Refuse a choice of free heads that cannot be."""
        if (self.free is None) == (self.margin is None):
            raise InputError(
                "reuse.free says what share of the heads is freed, reuse.margin how much the earlier task may lose by "
                "it: give one (reuse.free=null with a margin)"
            )
        if self.free is not None and not 0 < self.free <= 1:
            raise InputError(f"reuse.free={self.free:g}: expected a share of the heads above 0 and at most 1")
        if self.margin is not None and not self.margin > 0:
            raise InputError(f"reuse.margin={self.margin:g}: expected a number above 0, in the unit of the score")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"reuse.limit={self.limit}: an order is made on one example at least")
        if self.seed is not None and not self.order.takes_seed:
            raise InputError(
                f"reuse.seed={self.seed} is the seed of a random order, and reuse.order={self.order.name} has none"
            )
        if self.most_needed and (self.order.takes_seed or self.margin is not None):
            why = f"reuse.order={self.order.name} ranks none" if self.order.takes_seed else "no margin allows that"
            raise InputError(f"reuse.most_needed=true gives away the heads that the earlier task needs most, and {why}")

    def _takes_pretrained(self) -> bool:
        return self.body is Weights.pretrained

    def number(self, layout: HeadLayout) -> int | None:
        """How many heads are freed of a model; None where a margin decides.

        Raises:
            InputError: when the share is less than a head.
        """
        if self.free is None:
            return None
        number = int(len(layout) * self.free + 1e-9)
        if not number:
            raise InputError(f"reuse.free={self.free:g} of {len(layout)} heads is less than one head")
        return number

    def identity(self) -> dict[str, Any]:
        """See `Reuse.identity`; the order is known by its options, before it is made."""
        apart = {"task", "earlier", "pretrained", "order", "data", *CHOICE}
        own = {name: value for name, value in vars(self).items() if name not in apart and value != self._usual(name)}
        told = {name: str(value) if isinstance(value, StrEnum) else value for name, value in own.items()}
        return {"name": self.name, **(self._choice() if self.uses_free_heads else {}), **told}

    def _choice(self) -> dict[str, Any]:
        """All that decides which heads are free besides the model, as JSON values."""
        given = {name: getattr(self, name) for name in ("margin", "most_needed", "seed")}
        own = {name: value for name, value in given.items() if value != self._usual(name)}
        limit = self.limit if self.data is None else self.data.first(self.limit).limit
        by_examples = {"limit": limit} if self._takes_examples else {}
        data = {"data": self.data.identity()} if by_examples and self.data is not None else {}
        steps = {"steps": str(self.steps)} if self._takes_steps else {}
        return {"order": self.order.identity(), "free": self.free, **own, **steps, **by_examples, **data}

    @property
    def _takes_examples(self) -> bool:
        return self.order.takes_examples or self.margin is not None

    @property
    def _takes_steps(self) -> bool:
        return self.order.takes_steps or self.margin is not None

    def _usual(self, name: str) -> Any:
        """What an option is where nobody gives it."""
        return next(known.default for known in fields(self) if known.name == name)

    def words(self) -> str:
        """See `Reuse.words`."""
        more = [*([] if self.free_on else ["off"]), *([] if self.body is Weights.earlier else ["never saw it"])]
        choice = self._choice_words() if self.uses_free_heads else []
        return " ".join([self.name.replace("_", " "), *choice, *more, *self._own_words()])

    def _choice_words(self) -> list[str]:
        """Which heads are free, and in what that differs from the usual."""
        share = f"{self.free:g}" if self.free is not None else f"within {self.margin:g}"
        which = "most needed by" if self.most_needed else "by"
        seed = [] if self.seed is None else [f"seed {self.seed}"]
        steps = [] if self.steps is Steps.paper else [f"steps {self.steps}"]
        on = [f"on {self.data.name}"] if self.data is not None and self._takes_examples else []
        limit = {"limit": self.limit} if self._takes_examples and self.limit != self._usual("limit") else {}
        own = [f"{name}={value}" for name, value in {**self.order.unusual(), **limit}.items()]
        more = [f"({', '.join(own)})"] if own else []
        return [share, which, self.order.name, *seed, *steps, *on, *more]

    def fate(self, heads: str) -> str:
        """What becomes of free heads, in words: `4 of 8 heads` are freed, or off, or counted."""
        return f"{heads} are off for the later task"

    def _own_words(self) -> list[str]:
        """What tells two of the same method apart besides."""
        return []


@dataclass(kw_only=True)
class FreeHeads(LaterTask):
    """The later task is taught to the free heads, and to an output layer of its own; all else is still, to the bit.

    A head is taught by its rows of the projections of queries, keys and values, and by its columns of the output
    projection.

    Attributes:
        heads_from: weights that the free heads start from.
        biases: whether the biases of their queries, keys and values move too.
        pooler: whether the later task has a pooler of its own, where the model has one.
    """

    takes_heads = True

    name: str = "free_heads"
    heads_from: Weights = Weights.earlier
    biases: bool = True
    pooler: bool = True

    def check(self) -> None:
        """See `Reuse.check`."""
        super().check()
        if not self.free_on:
            raise InputError("reuse.free_on=false turns off the heads that reuse=free_heads teaches")

    def fate(self, heads: str) -> str:
        """See `LaterTask.fate`."""
        return f"{heads} are freed"

    def _takes_pretrained(self) -> bool:
        return super()._takes_pretrained() or self.heads_from is Weights.pretrained

    def _own_words(self) -> list[str]:
        start = [] if self.heads_from is Weights.earlier else [f"from {self.heads_from}".replace("_", " ")]
        return [*start, *([] if self.biases else ["no biases"]), *([] if self.pooler else ["shared pooler"])]


@dataclass(kw_only=True)
class OutputLayer(LaterTask):
    """A control: the later task has an output layer of its own, and nothing else moves.

    Attributes:
        pooler: see `FreeHeads`.
    """

    name: str = "output_layer"
    pooler: bool = True

    def _own_words(self) -> list[str]:
        return [] if self.pooler else ["shared pooler"]


@dataclass(kw_only=True)
class BiasesAndNorms(LaterTask):
    """A control: biases and norms move besides the output layer; each task has its own (Ben Zaken et al. 2022).

    Attributes:
        pooler: see `FreeHeads`.
    """

    name: str = "biases_and_norms"
    pooler: bool = True

    def _own_words(self) -> list[str]:
        return [] if self.pooler else ["shared pooler"]


@dataclass(kw_only=True)
class LowRank(LaterTask):
    """A control: low-rank updates of the attention's projections, of each task its own (LoRA, Hu et al. 2022).

    Attributes:
        rank: rank of the updates; None: that with about as many numbers as the free heads have.
        alpha: the updates are multiplied by `alpha / rank`; None: twice the rank.
        pooler: see `FreeHeads`.
    """

    name: str = "lora"
    pooler: bool = True
    rank: int | None = None
    alpha: float | None = None

    @property
    def uses_free_heads(self) -> bool:
        """See `Reuse.uses_free_heads`: without a rank their numbers are counted."""
        return super().uses_free_heads or self.rank is None

    def fate(self, heads: str) -> str:
        """See `LaterTask.fate`."""
        counted = [] if self.rank else [f"as many numbers move as {heads} have"]
        return "; ".join([*counted, *([] if self.free_on else [super().fate("these heads" if counted else heads)])])

    def check(self) -> None:
        """See `Reuse.check`."""
        super().check()
        if find_spec("peft") is None:
            raise MissingPackageError("reuse=lora needs peft: pip install 'sixteen-heads[lora]'")
        if self.rank is not None and self.rank < 1:
            raise InputError(f"reuse.rank={self.rank}: expected 1 or more")
        if self.alpha is not None and not self.alpha > 0:
            raise InputError(f"reuse.alpha={self.alpha:g}: expected a number above 0")

    def _own_words(self) -> list[str]:
        rank = [] if self.rank is None else [f"rank {self.rank}"]
        alpha = [] if self.alpha is None else [f"alpha {self.alpha:g}"]
        return [*rank, *alpha, *([] if self.pooler else ["shared pooler"])]


@dataclass(kw_only=True)
class AllWeights(LaterTask):
    """A control: all weights move, so that the earlier task is forgotten as far as it is."""

    name: str = "all_weights"
    keeps_earlier = False


REUSES: dict[str, type[Reuse]] = {
    "none": Reuse,
    "free_heads": FreeHeads,
    "output_layer": OutputLayer,
    "biases_and_norms": BiasesAndNorms,
    "lora": LowRank,
    "all_weights": AllWeights,
}
"""What a later task may be taught to, by name."""
