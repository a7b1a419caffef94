"""Gradients of the heads' xi: against finite differences, single examples, and every token's own gate."""

import numpy as np
import pytest
import torch
from fixtures import cases
from fixtures.classifiers import classifier, examples, run
from fixtures.translators import sentences, translator

from study.engine.engine import OneMaskAtATime
from study.record.loss import Loss
from study.record.tables import GRADIENTS
from study.record.units import stack
from study.subjects.subject import Subject, TokenRow

SUBJECTS = [
    *(("classifier", name) for name in cases.CLASSIFIERS),
    *(("translator", name) for name in cases.TRANSLATORS),
]


FLOAT32_INSIDE = {"llama", "t5", "fsmt"}
"""Architectures that compute norms or softmax in float32 whatever they are given: small steps drown in rounding,
so that they are tried with smaller weights and larger steps."""


def made(kind: str, name: str) -> tuple[Subject, list[TokenRow]]:
    subject = classifier(name) if kind == "classifier" else translator(name)
    return subject, subject.encode(examples(5) if kind == "classifier" else sentences())


def some_masks(subject: Subject, number: int) -> np.ndarray:
    """The full mask, and masks with heads off."""
    masks = np.random.default_rng(1).random((number, len(subject.layout))) < 0.7
    masks[0] = True
    return masks


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_signed_gradients_are_finite_differences(kind: str, name: str) -> None:
    subject, rows = made(kind, name)
    smooth = name in FLOAT32_INSIDE
    if smooth:
        with torch.no_grad():
            for parameter in subject.module.parameters():
                parameter.mul_(0.25)
    else:
        subject.module.double()
    masks = some_masks(subject, len(rows))
    found = subject.gradients(rows, masks)["gradient"]
    assert np.abs(found).max() > 1e-3
    step, within = (2e-3, 5e-3) if smooth else (1e-5, 1e-5)
    xi = subject.as_xi(masks).to(subject.module.dtype)
    for h in range(len(subject.layout)):
        losses = []
        for sign in (1, -1):
            moved = xi.clone()
            moved[:, h] += sign * step
            with torch.no_grad(), subject.gate.masked(moved):
                losses.append(subject.losses(rows).double().numpy())
        assert found[:, h] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=within, abs=within)


@pytest.mark.parametrize(("kind", "name"), [("classifier", "bert"), ("translator", "m2m100")])
def test_those_of_a_smoothed_loss_are_its_finite_differences(kind: str, name: str) -> None:
    subject, rows = made(kind, name)
    subject.module.double()
    masks, smoothed = some_masks(subject, len(rows)), Loss(0.2)
    found = subject.gradients(rows, masks, smoothed)["gradient"]
    assert np.abs(found - subject.gradients(rows, masks)["gradient"]).max() > 1e-3
    xi = subject.as_xi(masks).double()
    for h in range(len(subject.layout)):
        step = torch.zeros_like(xi)
        step[:, h] = 1e-5
        with torch.no_grad():
            with subject.gate.masked(xi + step):
                above = subject.losses(rows, smoothed)
            with subject.gate.masked(xi - step):
                below = subject.losses(rows, smoothed)
        assert found[:, h] == pytest.approx(((above - below) / 2e-5).numpy(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_a_batch_gives_what_single_examples_give(kind: str, name: str) -> None:
    subject, rows = made(kind, name)
    masks = some_masks(subject, len(rows))
    together = subject.gradients(rows, masks)
    for i, row in enumerate(rows):
        alone = subject.gradients([row], masks[i : i + 1])
        for column in ("loss", "gradient", "token_gradient"):
            assert together[column][i] == pytest.approx(alone[column][0], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_token_gradients_are_sums_over_a_gate_for_each_token(name: str) -> None:
    """An independent way: a xi of its own for every token and head, by autograd through a hook of the test's."""
    subject, rows = made("classifier", name)
    row, masks = rows[-1], some_masks(subject, 2)[1:]
    xi = subject.as_xi(masks)[0]
    gates: dict[str, torch.Tensor] = {}
    hooks = []
    for site in subject.gate.sites:
        gate = torch.ones(len(row.source), site.num_heads) * xi[subject.layout.columns(site.kind, site.layer)]
        gates[site.name] = gate.requires_grad_()

        def multiply(_, inputs, gate=gate):
            return ((inputs[0].unflatten(-1, (gate.shape[1], -1)) * gate[None, :, :, None]).flatten(-2),)

        hooks.append(site.projection.register_forward_pre_hook(multiply))
    subject.losses([row]).sum().backward()
    for hook in hooks:
        hook.remove()
    found = subject.gradients([row], masks)
    for site in subject.gate.sites:
        columns = subject.layout.columns(site.kind, site.layer)
        own = gates[site.name].grad
        assert found["gradient"][0, columns] == pytest.approx(own.sum(0).numpy(), rel=1e-4, abs=1e-5)
        assert found["token_gradient"][0, columns] == pytest.approx(own.abs().sum(0).numpy(), rel=1e-4, abs=1e-5)


def test_the_engine_gives_every_wanted_pair_whatever_the_batches() -> None:
    subject, rows = made("classifier", "bert")
    masks = some_masks(subject, 3)
    wanted = np.ones((3, len(rows)), dtype=bool)
    wanted[1, 2] = False
    frames = []
    for tokens in (1, 4096):
        engine = OneMaskAtATime(subject, 40)
        engine.gradient_tokens = tokens
        frames.append(run(engine, rows, masks, wanted, GRADIENTS))
    assert frames[0].height == wanted.sum()
    assert frames[0].select("mask", "example").equals(frames[1].select("mask", "example"))
    for column in ("gradient", "token_gradient"):
        assert np.allclose(frames[0][column].to_numpy(), frames[1][column].to_numpy(), atol=1e-5)


def test_masks_leave_no_trace_behind() -> None:
    subject, rows = made("classifier", "bert")
    masks = stack([subject.layout.full()], subject.layout)
    before = subject.gradients(rows[:1], masks)
    subject.gradients(rows, some_masks(subject, len(rows)))
    assert all(parameter.grad is None for parameter in subject.module.parameters())
    assert np.array_equal(before["gradient"], subject.gradients(rows[:1], masks)["gradient"])
