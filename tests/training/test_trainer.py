"""The loop of a training, on two layers: what moves, what is called between the steps, and going on to the bit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from study.record.errors import InputError, Interruption
from study.training.trainer import STATE_FILE, Callback, Trainer


class StepList(Callback):
    """Remembers the steps it was called after; stops the training like Ctrl-C after one of them."""

    def __init__(self, stop: int | None = None) -> None:
        self.steps: list[int] = []
        self.stop = stop

    def after_step(self, trainer: Trainer) -> None:
        if trainer.step == self.stop:
            raise KeyboardInterrupt
        self.steps.append(trainer.step)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


def trainer(folder: Path, *callbacks: Callback, frozen: bool = False) -> Trainer:
    """Six steps on two layers with dropout between them, from weights that are always the same."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    module[0].requires_grad_(not frozen)
    data = torch.randn(12, 3)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.1)
    return Trainer(
        name="layers",
        module=module,
        loss=lambda rows: module(data[list(rows)]).square().mean(),
        batches=[[row, row + 1] for row in range(0, 12, 2)],
        steps_per_epoch=6,
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1)),
        clip_norm=1.0,
        state_file=folder / STATE_FILE,
        save_every=2,
        save_at=(),
        callbacks=callbacks,
    )


def test_what_requires_no_gradient_stays_to_the_bit(tmp_path: Path) -> None:
    training = trainer(tmp_path, frozen=True)
    before = {name: tensor.clone() for name, tensor in training.module.state_dict().items()}
    training.run()
    same = {name: torch.equal(tensor, before[name]) for name, tensor in training.module.state_dict().items()}
    assert same == {"0.weight": True, "0.bias": True, "2.weight": False, "2.bias": False}


def test_callbacks_see_every_step_once_and_a_stopped_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, seen = trainer(tmp_path), StepList()
    whole.run()
    with pytest.raises(Interruption, match=r"at step 5 of 6: the same command goes on after step 4 "):
        trainer(tmp_path, StepList(stop=5)).run()
    resumed = trainer(tmp_path, seen)
    torch.rand(7)  # another process, another random state
    resumed.run()
    assert seen.steps == list(range(7))
    assert not (tmp_path / STATE_FILE).exists()
    for one, other in zip(whole.module.parameters(), resumed.module.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("seconds", "saved"), [(0.0, range(1, 6)), (1e9, (2, 4))])
def test_a_state_is_saved_by_steps_and_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, saved: Sequence[int]
) -> None:
    monkeypatch.setattr("study.training.trainer.SAVE_SECONDS", seconds)
    monkeypatch.setattr("study.training.trainer.SAVE_SHARE", 1e9)
    training, found = trainer(tmp_path), []
    save = training.save_state
    monkeypatch.setattr(training, "save_state", lambda: (save(), found.append(training.saved)))
    training.run()
    assert found == list(saved)


def test_a_state_that_takes_long_to_save_is_saved_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves that are due by time alone take a twentieth of it at most: of 12 s, one every 240 s and no sooner."""
    training = trainer(tmp_path)
    training.save_seconds, training.step = 12.0, 1
    late = {}
    for elapsed in (181.0, 239.0, 241.0):
        monkeypatch.setattr("time.monotonic", lambda elapsed=elapsed: training.saved_at + elapsed)
        late[elapsed] = training._is_save_due()
    assert late == {181.0: False, 239.0: False, 241.0: True}
    training.step = 2
    monkeypatch.setattr("time.monotonic", lambda: training.saved_at)
    assert training._is_save_due(), "so many steps as the user said"


def test_a_state_that_a_callback_refuses_changes_nothing(tmp_path: Path) -> None:
    class Refusal(Callback):
        def refuse_state(self, state: dict[str, Any]) -> None:
            raise InputError(f"not after step {state['step']}")

    with pytest.raises(Interruption):
        trainer(tmp_path, StepList(stop=3)).run()
    seen = StepList()
    resumed = trainer(tmp_path, seen, Refusal())
    before = [parameter.clone() for parameter in resumed.module.parameters()]
    with pytest.raises(InputError, match="not after step 2"):
        resumed.run()
    assert all(torch.equal(one, other) for one, other in zip(resumed.module.parameters(), before, strict=True))
    assert seen.steps == [], "callbacks before it have not been loaded either"
