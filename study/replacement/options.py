"""The choice of what stands in a masked unit's place: the contract of `conf/replacement`. No tensor is imported.

The gate computes xi * c + (1 - xi) * r: c is what the unit gives, r is what is chosen here.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.factors import OWN, ZERO
from study.record.files import short_hash
from study.record.metrics import Task


class ActsOn(StrEnum):
    """Which tokens a mask acts on."""

    all = "all"
    scored = "scored"


class Alike(StrEnum):
    """What counts alike in a mean over a reference set."""

    tokens = "tokens"
    examples = "examples"


class LeaveOut(StrEnum):
    """Which tokens do not count in a mean: the first of a text is an attention sink, and unlike the others."""

    none = "none"
    first = "first"
    special = "special"
    first_and_special = "first_and_special"


class DonorPosition(StrEnum):
    """Which token of its donor stands for a token."""

    aligned = "aligned"
    random_token = "random_token"


@dataclass(kw_only=True)
class Replacement:
    """What stands in the place of a unit that is off: zero, as in Michel et al. (2019), unless a subclass says more.

    Attributes:
        name: name in `conf/replacement`.
        acts_on: which tokens masks act on: `all`, or `scored`, those after which words are scored. The prompt is then
            read with every unit on.
    """

    suits_mlps: ClassVar[bool] = True
    """Whether it can stand for an MLP."""

    name: str = ZERO
    acts_on: ActsOn = ActsOn.all

    @property
    def is_usual(self) -> bool:
        """Whether it is what every earlier version had: zero at every token."""
        return self.name == ZERO and self.acts_on is ActsOn.all

    @property
    def num_draws(self) -> int:
        """How often each example is studied, each time with a donor of its own."""
        return 1

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises:
            InputError: in words.
        """

    def options(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:  # noqa: ARG002
        """The options on which outcomes depend, as JSON values, see `identity`."""
        return {}

    def identity(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:
        """What it adds to the identity of a subject: nothing where it is zero at every token.

        Args:
            studied: all examples of the data under study.
            reference: the reference examples, where they are other data than that.
            task: what a model does with the reference examples.
        """
        if self.is_usual:
            return {}
        options = {"acts_on": str(self.acts_on), **self.options(studied, reference, task)}
        return {"masked_by": self.name, "replacement": options}

    def words(self) -> str:
        """How pages name it: what stands in, and in what it differs from the usual."""
        return " ".join([self.name.replace("_", " "), *self._more(), *self._where()])

    def _more(self) -> list[str]:
        return []

    def _where(self) -> list[str]:
        return ["at scored tokens"] if self.acts_on is ActsOn.scored else []


@dataclass(kw_only=True)
class ReferenceReplacement(Replacement):
    """A replacement that is taken from what the un-masked model computes on reference examples.

    Attributes:
        data: the reference set; None: the data under study, all of it, whatever `data.limit` says.
        limit: take only the first `limit` examples of it; None for all.
    """

    data: DataSource | None = None
    limit: int | None = None

    def check(self) -> None:
        """See `Replacement.check`."""
        if self.limit is not None and self.limit < 1:
            raise InputError(f"replacement.limit={self.limit}: expected at least one reference example")
        if self.data is not None and self.data.limit is not None:
            raise InputError("replacement.data.limit: replacement.limit says how many reference examples are read")

    def options(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:  # noqa: ARG002
        """The reference set, by its digest where it is other data than what is studied."""
        known: dict[str, Any] = {"reference": OWN}
        if reference is not None:
            known = {"reference": {"digest": reference.digest, "count": len(reference)}}
        return known if self.limit is None else {**known, "limit": self.limit}

    def _more(self) -> list[str]:
        first = [] if self.limit is None else [f"{self.limit} examples"]
        if self.data is not None:
            return ["of", *first, *(["of"] if first else []), _data_name(self.data)]
        return ["of the first", *first] if first else []


PARTS = ("train", "dev", "test", "valid", "validation", "val")
"""Names of files that say which part of a data set they are, and not of which."""


def _data_name(data: DataSource) -> str:
    """The name of a reference set; of a file that is called after its part, with its folder's: `snli_1.0/dev`."""
    path = getattr(data, "path", None)
    if path is None or data.name not in PARTS:
        return data.name
    return "/".join(filter(None, [Path(path).expanduser().resolve().parent.name, data.name]))


@dataclass(kw_only=True)
class Mean(ReferenceReplacement):
    """The mean of what the unit gives at the tokens of a reference set.

    Attributes:
        count_alike: what counts alike: every token of the reference set, or every example.
        leave_out: tokens that do not count.
    """

    name: str = "mean"
    count_alike: Alike = Alike.tokens
    leave_out: LeaveOut = LeaveOut.first

    def options(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:
        """See `Replacement.options`."""
        own = {"count_alike": str(self.count_alike), "leave_out": str(self.leave_out)}
        return {**super().options(studied, reference, task), **own}

    def _more(self) -> list[str]:
        alike = ["with examples alike"] if self.count_alike is Alike.examples else []
        if self.leave_out is LeaveOut.first:
            left = []
        elif self.leave_out is LeaveOut.none:
            left = ["over all tokens"]
        else:
            left = [f"without {str(self.leave_out).replace('_', ' ')} tokens"]
        return [*super()._more(), *alike, *left]


@dataclass(kw_only=True)
class MeanByPosition(ReferenceReplacement):
    """The mean of what the unit gives at the same position of the texts of a reference set.

    Of a choice every alternative is read, as each is when it is scored, and they share the weight of a text.
    """

    name: str = "mean_by_position"

    def options(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:
        """See `Replacement.options`; earlier versions have read the right alternative alone."""
        read = {"alternatives": "all"} if task is Task.CHOICE else {}
        return {**super().options(studied, reference, task), **read}


@dataclass(kw_only=True)
class Resample(ReferenceReplacement):
    """What the unit gives in a donor, an example of the reference set: one for each example and draw.

    Attributes:
        draws: donors of each example. With more than one, examples are studied so often, as `ID~1`, `ID~2` ...
        seed: seed of the draw.
        position: which token of the donor stands for a token: the one at its place (the donor is at least as long where
            the reference set has one, and its last token stands for those behind it), or one drawn at random.
    """

    name: str = "resample"
    draws: int = 1
    seed: int = 0
    position: DonorPosition = DonorPosition.aligned

    @property
    def num_draws(self) -> int:
        """See `Replacement.num_draws`."""
        return self.draws

    def check(self) -> None:
        """See `Replacement.check`."""
        super().check()
        if self.draws < 1:
            raise InputError(f"replacement.draws={self.draws}: expected 1 or more")
        if self.seed < 0:
            raise InputError(f"replacement.seed={self.seed}: expected 0 or more")

    def options(self, studied: Examples, reference: Examples | None, task: Task | None = None) -> dict[str, Any]:
        """See `Replacement.options`; donors are of other groups, so that the groups decide which these are."""
        drawn = {"draws": self.draws, "seed": self.seed, "position": str(self.position)}
        grouped = short_hash([studied.groups, (studied if reference is None else reference).groups])
        return {**super().options(studied, reference, task), **drawn, "groups": grouped}

    def _more(self) -> list[str]:
        more = super()._more()
        more += ["at random tokens"] if self.position is DonorPosition.random_token else []
        more += [f"in {self.draws} draws"] if self.draws > 1 else []
        return more + ([f"(seed {self.seed})"] if self.seed else [])


@dataclass(kw_only=True)
class Uniform(Replacement):
    """Uniform attention: the mean of this pass's values over all tokens that the model's own mask allows."""

    suits_mlps = False

    name: str = "uniform"


@dataclass(kw_only=True)
class ValueBias(Replacement):
    """The bias of the values, which is what attention gives of a hidden state of zero: TransformerLens' zero."""

    suits_mlps = False

    name: str = "value_bias"


REPLACEMENTS: dict[str, type[Replacement]] = {
    ZERO: Replacement,
    "mean": Mean,
    "mean_by_position": MeanByPosition,
    "resample": Resample,
    "uniform": Uniform,
    "value_bias": ValueBias,
}
"""All replacements, by name."""
