"""A loop of updates with hooks: the loss of a batch, the parameters that move, and what happens between the steps.

What a step depends on besides the data (weights, optimizer, schedule, random state of dropout) is saved now and then,
so that a killed training goes on with the same batches and ends with the same weights: on a CPU with the same number
of threads, to the last bit.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from study.record.errors import Interruption
from study.record.files import whole_file
from study.terminal.progress import progress

log = getLogger(__name__)

STATE_FILE = "state.pt"
"""In the folder of a training that is not done."""

SAVE_SECONDS = 180.0
"""After so long without one a state is saved, however few steps were taken."""

SAVE_SHARE = 0.05
"""Share of the time that these saves may take: a large model on a slow disk is saved less often."""


class Callback:
    """What happens between the steps of a training; it changes no weight and draws no random number."""

    def after_step(self, trainer: "Trainer") -> None:
        """Called once before the first step, when `trainer.step` is 0, and after each step."""

    def state_dict(self) -> dict[str, Any]:
        """Entries that it adds to a saved state, by names of its own; none where it has nothing to go on with."""
        return {}

    def refuse_state(self, state: dict[str, Any]) -> None:
        """Refuse a saved state of another training by an InputError; all are asked before anything is loaded."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take its entries back from a saved state."""


@dataclass(kw_only=True)
class Trainer:
    """Updates of the parameters of a module that require a gradient; all others stay as they are, to the bit.

    Attributes:
        name: what is trained, in a few words for people.
        module: the module, on its device.
        loss: gives the loss of a batch, by its rows, that the step makes smaller.
        penalty: gives what is added to that loss, whatever the batch; nothing when None.
        batches: the rows of each step's batch, over all epochs.
        steps_per_epoch: steps that make one pass over the data.
        optimizer: the optimizer, with the parameters that move.
        schedule: the schedule of its learning rate.
        clip_norm: largest norm of a step's gradient; that of other parameters than the module's is not clipped.
        state_file: file from which a killed training goes on.
        save_every: steps after which that is written; it is written every few minutes besides.
        save_at: further steps after which it is written.
        callbacks: what happens after each step, in this order, before the state is saved.
        step: steps done.
        saved: the step from which a killed training goes on; 0: from its beginning.
        saved_at: when that was saved, or this run began, by the monotonic clock.
        save_seconds: how long the last save of this run took.
        seconds: time spent in steps.
        last_loss: loss of the last step's batch, without the penalty.
        learning_rate: learning rate of the last step.
    """

    name: str
    module: torch.nn.Module
    loss: Callable[[Sequence[int]], Tensor]
    batches: Sequence[Sequence[int]]
    steps_per_epoch: int
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    clip_norm: float
    state_file: Path
    save_every: int
    save_at: Collection[int]
    callbacks: Sequence[Callback]
    penalty: Callable[[], Tensor] | None = None
    step: int = 0
    saved: int = 0
    saved_at: float = 0.0
    save_seconds: float = 0.0
    seconds: float = 0.0
    last_loss: float = 0.0
    learning_rate: float = 0.0

    @property
    def device(self) -> torch.device:
        """The device that the module is on."""
        return next(self.module.parameters()).device

    def run(self) -> None:
        """Take the steps that are left.

        Raises:
            Interruption: at Ctrl-C; says where the same command goes on.
        """
        if self.state_file.is_file():
            self.load_state()
            log.info("going on with the training after step %d of %d", self.step, len(self.batches))
        else:
            self._call_back()
        self.module.train()
        self.saved_at = time.monotonic()
        try:
            with progress(f"training the {self.name}", len(self.batches), "steps") as advance:
                advance(self.step)
                while self.step < len(self.batches):
                    self.update(self.batches[self.step])
                    self._call_back()
                    if self.step < len(self.batches) and self._is_save_due():
                        self.save_state()
                    advance(1)
        except KeyboardInterrupt:
            anew = "begins it anew, as nothing of it is saved yet"
            again = f"goes on after step {self.saved:,}" if self.saved else anew
            raise Interruption(
                f"The training was at step {self.step:,} of {len(self.batches):,}: the same command {again} "
                f"(saved at checkpoints, every {self.save_every:,} steps (model.training.save_every), and every "
                f"{SAVE_SECONDS / 60:.0f} minutes, or less often where saving takes long)"
            ) from None
        self.state_file.unlink(missing_ok=True)

    def update(self, batch: Sequence[int]) -> None:
        """Take one step."""
        began = time.monotonic()
        loss = self.loss(batch)
        (loss if self.penalty is None else loss + self.penalty().to(loss)).backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip_norm)
        self.learning_rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.step, self.last_loss = self.step + 1, loss.item()
        self.seconds += time.monotonic() - began

    def save_state(self) -> None:
        """Save all that the next step depends on."""
        began = time.monotonic()
        state = {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "step": self.step,
            "seconds": self.seconds,
        }
        for callback in self.callbacks:
            state |= callback.state_dict()
        with whole_file(self.state_file) as draft:
            torch.save(state, draft)
        self.saved = self.step
        self.saved_at = time.monotonic()
        self.save_seconds = self.saved_at - began

    def load_state(self) -> None:
        """Go back to what was saved."""
        state = torch.load(self.state_file, map_location=self.device, weights_only=True)
        for callback in self.callbacks:
            callback.refuse_state(state)
        for callback in self.callbacks:
            callback.load_state_dict(state)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)
        self.step, self.seconds = state["step"], state["seconds"]
        self.saved = self.step

    def _is_save_due(self) -> bool:
        """Whether a state is to be saved after this step."""
        is_late = time.monotonic() - self.saved_at > max(SAVE_SECONDS, self.save_seconds / SAVE_SHARE)
        return is_late or self.step in self.save_at or not self.step % self.save_every

    def _parts(self) -> dict[str, Any]:
        return {"model": self.module, "optimizer": self.optimizer, "schedule": self.schedule}

    def _call_back(self) -> None:
        for callback in self.callbacks:
            callback.after_step(self)
