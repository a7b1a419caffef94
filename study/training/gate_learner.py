"""Gates in a loop of updates, whatever it trains: drawn anew for each update, penalised, hardened at the end.

A step of a loop with gates is `(learner.loss(forward) + learner.penalty()).backward()`, and its optimizer has the
parameter groups of the learner besides its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from study.gates.head_gates import GivenGates, HeadGates
from study.gates.make import learned_gates
from study.gates.options import Gates, GivenMask, LearnedGates, Subset, Weights
from study.masking.gate import Gate
from study.record.errors import InputError, listed
from study.record.training.gates import GATES_FILE, GatesMoment, GatesRecord, kept_mask, read_gates
from study.record.units import HeadLayout
from study.training.trainer import Callback, Trainer

log = getLogger(__name__)

CONVERGED = {"nats an example": 0.9, "nats a target token": 0.5, "nats a token": 0.75, "squared": 0.9}
"""Largest loss of a trained model, as a share of that of one that knows only how frequent answers are, by its unit.

A trained translator knows the source, a decoder more than the word before; one that classifies well may be too sure.
"""


class GateLearner(Callback):
    """Gates that are learned beside the weights of a model, or given while these are trained.

    Attributes:
        options: what kind they are.
        gate: where they act: the gate of a certified subject.
        gates: the gates.
        updates: updates of the whole training.
        given: the record by which gates were given; None where they are learned.
        step: updates done.
    """

    def __init__(
        self, options: Gates, gate: Gate, gates: HeadGates, updates: int, given: GatesRecord | None = None
    ) -> None:
        """Gates before the first of so many updates."""
        gate.forget_mlps()  # they stay on, and multiplying them would take time
        self.options = options
        self.gate = gate
        self.gates = gates
        self.updates = updates
        self.given = given
        self.step = 0
        self._columns = torch.tensor([gate.layout.index(head) for head in gates.heads])

    @property
    def hard_from(self) -> int:
        """The update after which gates are 0 or 1, and only weights move."""
        return self.options.hard_from(self.updates) if isinstance(self.options, LearnedGates) else 0

    @property
    def is_hard(self) -> bool:
        """Whether the next update has gates of 0 and 1 that no longer move."""
        return self.step >= self.hard_from

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimizer; none where gates are given."""
        if not isinstance(self.options, LearnedGates):
            return []
        return [{"params": list(self.gates.parameters()), "lr": self.options.learning_rate, "weight_decay": 0.0}]

    def loss(self, forward: Callable[[], Tensor]) -> Tensor:
        """What a forward pass gives under the gates of this update, the same for every row of the batch."""
        gates = self.gates.keeps().float() if self.is_hard else self.gates.draw(self.step / self.updates)
        with self.gate.masked(self._xi(gates)):
            return forward()

    def penalty(self) -> Tensor:
        """What is added to the loss of this update."""
        return torch.zeros(()) if self.is_hard else self.gates.penalty(self.step / self.updates)

    @contextmanager
    def hard(self) -> Iterator[None]:
        """Within the block heads are on or off by the rule of test time."""
        with self.gate.masked(self._xi(self.gates.keeps().float())):
            yield

    def _xi(self, gates: Float[Tensor, " heads"]) -> Float[Tensor, "1 width"]:
        """A row of a mask with these gates, on the device of the model; heads without a gate are on."""
        xi = torch.ones(self.gate.layout.width).index_put((self._columns,), gates)
        return xi[None].to(self.gate.sites[0].weight.device)

    def mask(self) -> Bool[np.ndarray, " width"]:
        """The mask of the heads that stay by the rule of test time, heads without a gate among them."""
        mask = self.gate.layout.full()
        mask[self._columns.numpy()] = self.gates.keeps().numpy()
        return mask

    def after_step(self, trainer: Trainer) -> None:
        """See `Callback.after_step`.

        Raises:
            InputError: when every gate is closed, so that none would open again.
        """
        self.step = trainer.step
        if not self.is_hard and (fault := self.gates.fault()):
            raise InputError(f"step {self.step:,} of {self.updates:,}: {fault}")
        if self.step == self.hard_from and not self.gates.keeps().any():
            log.warning(
                "gates %s: no head that has a gate stays after step %d%s",
                *(self.options.words(), self.step, self.gates.advice()),
            )

    def check_start(
        self, plain: Trainer, loss: Callable[[], float], learnt: Num[Tensor, "..."], dev: Num[Tensor, "..."], unit: str
    ) -> None:
        """Refuse to learn gates of a model that has not learned its task, unless its training only goes on.

        Args:
            plain: the training, before its first step.
            loss: gives the mean loss of an answer on the dev data.
            learnt: see `require_converged`.
            dev: see `require_converged`.
            unit: see `require_converged`.

        Raises:
            InputError: see `require_converged`.
        """
        if isinstance(self.options, LearnedGates) and not plain.state_file.is_file():
            require_converged(loss(), learnt, dev, unit)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`."""
        return {"gates": self.gates.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback.load_state_dict`."""
        self.gates.load_state_dict(state["gates"])
        self.step = state["step"]

    def moment(self) -> GatesMoment | None:
        """The gates after this step, for their course; None where they are given.

        The penalty is that of the next update, at the end of the training that of one more like the last.
        """
        moment = self.gates.moment(self.step, self.step / self.updates)
        no_more = self.is_hard and self.hard_from < self.updates
        return replace(moment, penalty=0.0) if no_more and moment and moment.penalty is not None else moment

    def record(self, training: str) -> GatesRecord:
        """The gates after this step, by the id of their training."""
        if self.given is not None:
            return replace(self.given, step=self.step)
        return GatesRecord(
            method=self.options.name,
            options=self.options.identity(),
            training=training,
            step=self.step,
            heads=tuple(map(str, self.gates.heads)),
            kept=self.gate.layout.key(self.mask()),
            **self.gates.record(),
        )


def gate_learner(options: Gates, gate: Gate, *, updates: int, seed: int, folder: Path) -> GateLearner | None:
    """What gives a training gates; None where it has none.

    Args:
        options: what kind they are.
        gate: the gate of the model's certified subject.
        updates: updates of the whole training.
        seed: seed of what is random in gates that are learned.
        folder: folder of the training, where given gates are kept.

    Raises:
        InputError: for a scope that the model has not, a number of heads that cannot be kept, and given gates that are
            not there or are of another model; when no update is left to learn gates in.
    """
    if isinstance(options, LearnedGates):
        options.hard_from(updates)
        _warn_of_heat(options)
        return GateLearner(options, gate, learned_gates(options, gate.layout, seed), updates)
    if isinstance(options, GivenMask):
        record = _given(folder / GATES_FILE)
        return GateLearner(options, gate, given_gates(record, gate.layout), updates, record)
    return None


def require_converged(loss: float, learnt: Num[Tensor, "..."], dev: Num[Tensor, "..."], unit: str) -> None:
    """Refuse to learn gates of a model that has not learned its task: heads that it will need would go.

    Args:
        loss: mean loss of an answer on the dev data, before the first step.
        learnt: the answers that are learnt (indices of labels or tokens; numbers of a regression), of which the
            frequencies, or the mean, are taken.
        dev: the answers of the dev data.
        unit: what the loss is in, one of `CONVERGED`.

    Raises:
        InputError: when the loss is more than the share in `CONVERGED` of that of frequencies, or of the mean.
    """
    share, known = CONVERGED[unit], frequency_loss(learnt, dev)
    if not loss <= share * known:
        what = "the mean" if learnt.is_floating_point() else "how frequent each answer is"
        raise InputError(
            f"the model to start from is far from converged: on the dev data it has a loss of {loss:.2f} {unit}, and "
            f"knowing nothing but {what} gives {known:.2f}. Gates are learned from a trained model, with at most "
            f"{share:g} of that: train it first (model.training.gates=none)"
        )


def frequency_loss(learnt: Num[Tensor, "..."], dev: Num[Tensor, "..."]) -> float:
    """Mean loss of always answering the frequencies of what is learnt, each counted once more; of numbers the mean."""
    if learnt.is_floating_point():
        return float((dev - learnt.mean()).square().mean())
    counts = 1 + torch.bincount(learnt, minlength=int(dev.max()) + 1)
    return -float((counts / counts.sum()).log()[dev].mean())


def _warn_of_heat(options: LearnedGates) -> None:
    """Say where a subset is decided before its temperature has fallen."""
    if isinstance(options, Subset) and not options.straight_through and options.until < options.cooldown:
        log.warning(
            "gates %s: heads are decided after a share gates.until=%g of the updates, and the temperature falls until "
            "gates.cooldown=%g: gates.cooldown=%g lets it fall in time",
            *(options.words(), options.until, options.cooldown, options.until),
        )


def _given(file: Path) -> GatesRecord:
    """What a job has written of the gates before the training began."""
    if not file.is_file():
        raise InputError(f"{file} is not there, which says what heads stay: run the same command with measure=train")
    return read_gates(file)


def given_gates(record: GatesRecord, layout: HeadLayout) -> GivenGates:
    """The gates of all heads of a model, by a record of them.

    Raises:
        InputError: when it is of another model.
    """
    mask = kept_mask(record, layout)[: len(layout)]
    return GivenGates(layout.heads, torch.from_numpy(mask.copy()))


def parts(names: Iterable[str]) -> list[str]:
    """The parts of a model that hold all of its weights: `bert.embeddings`, `encoder.layer.0 to 11`."""
    numbered: dict[str, int] = {}
    for *path, _ in (name.split(".") for name in names):
        at = next((i for i, piece in enumerate(path) if piece.isdigit()), None)
        before = ".".join(path[:2] if at is None else path[:at])
        number = -1 if at is None else int(path[at])
        numbered[before] = max(number, numbered.get(before, -1))
    return [name if last < 0 else f"{name}.0 to {last}" for name, last in numbered.items()]


def freeze(options: Gates, module: nn.Module) -> None:
    """Let only those weights of a model move that are to, besides gates.

    Raises:
        InputError: for a part to freeze that the model has not.
    """
    if not isinstance(options, LearnedGates):
        return
    if options.weights is Weights.frozen:
        module.requires_grad_(requires_grad=False)
    names = dict(module.named_parameters(remove_duplicate=False))  # each name of a tensor that parts share
    for part in options.freeze:
        inside = [name for name in names if f".{part}." in f".{name}."]
        if not inside:
            raise InputError(
                f"gates.freeze={part}: no weight of the model is in a part of that name. Its weights are in "
                f"{listed(parts(names))}; a piece of such a path will do"
            )
        for name in inside:
            names[name].requires_grad = False
