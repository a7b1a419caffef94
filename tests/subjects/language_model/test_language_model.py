"""Language models under masks, against plain transformers: one request at a time, weights zeroed by hand."""

import numpy as np
import polars as pl
import pytest
import torch
from fixtures import language_models as lm

from study.certification.certify import certify
from study.engine.engine import OneMaskAtATime
from study.engine.row_alone.language_model import language_model_difference
from study.record.errors import InputError
from study.record.loss import Loss
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.ways import WAYS


def by_hand(plain, row: LanguageRow) -> tuple[list[float], list[int]]:
    """Sum and number of greedy tokens of each request, the whole logits at once."""
    sums, greedy = [], []
    for request in row.requests:
        ids = torch.tensor([request.context + request.continuation])
        logp = plain(ids).logits[0].log_softmax(-1)
        start = len(request.context)
        words = ids[0, start:]
        sums.append(logp[start - 1 : -1].gather(1, words[:, None]).sum().item())
        greedy.append(int((logp[start - 1 : -1].argmax(-1) == words).sum()))
    return sums, greedy


@pytest.mark.parametrize("name", lm.DECODERS)
@torch.no_grad()
def test_sums_of_choices_under_masks_equal_one_request_at_a_time_with_weights_zeroed(name: str) -> None:
    subject = lm.language_model(name, unconditional=name == "llama")
    rows = subject.encode(lm.choices())
    masks = np.random.default_rng(2).random((len(rows), subject.layout.width)) < 0.6
    found = pl.DataFrame(subject.outcomes(rows, masks))
    for i, (row, mask) in enumerate(zip(rows, masks, strict=True)):
        sums, greedy = by_hand(lm.zeroed(name, subject, mask), row)
        own = sums[: row.choices]
        assert found["loglik"][i].to_list() == pytest.approx(own, abs=2e-4)
        assert found["greedy"][i].to_list() == greedy[: row.choices]
        assert found["tokens"][i].to_list() == [len(request.continuation) for request in row.requests[: row.choices]]
        best = sorted(own)
        assert found["margin"][i] == pytest.approx(best[-1] - best[-2], abs=4e-4)
        expected = -torch.tensor(own).log_softmax(0)[row.target].item()
        assert found["loss"][i] == pytest.approx(expected, abs=4e-4)
        if name == "llama":
            assert found["loglik_alone"][i].to_list() == pytest.approx(sums[row.choices :], abs=2e-4)


@pytest.mark.parametrize("stride", [0, 20])
@torch.no_grad()
def test_a_text_is_the_sum_over_its_windows(stride: int) -> None:
    subject = lm.language_model("llama", stride=stride, begin="bos")
    rows = subject.encode(lm.texts())
    assert len(rows[-1].requests) > 1, "the last text is longer than a window"
    masks = np.random.default_rng(2).random((len(rows), subject.layout.width)) < 0.6
    found = subject.outcomes(rows, masks)
    for i, (row, mask) in enumerate(zip(rows, masks, strict=True)):
        sums, greedy = by_hand(lm.zeroed("llama", subject, mask), row)
        assert found["nll"][i] == found["loss"][i] == pytest.approx(-sum(sums), rel=1e-5)
        assert found["greedy"][i] == sum(greedy)
        assert found["tokens"][i] == len(subject.text.tokenizer(lm.texts().texts[i][0])["input_ids"])
        assert np.isinf(found["margin"][i])


@pytest.mark.parametrize("kind", ["choices", "texts"])
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    subject = lm.language_model("gpt2")  # Llama's norms are float32 whatever the weights are
    subject.module.double()
    rows = subject.encode(lm.choices() if kind == "choices" else lm.texts())
    masks = np.ones((len(rows), subject.layout.width), dtype=bool)
    found = subject.gradients(rows, masks)
    xi = subject.as_xi(masks).double()
    with torch.no_grad():
        with subject.gate.masked(xi):
            assert found["loss"] == pytest.approx(subject.losses(rows).numpy(), rel=1e-6)
        assert (found["token_gradient"] >= np.abs(found["gradient"]) * (1 - 1e-4) - 1e-6).all()
        for head in (0, 3, 5, 9):  # the last is an MLP
            step = torch.zeros_like(xi)
            step[:, head] = 1e-4
            ends = []
            for moved in (xi + step, xi - step):
                with subject.gate.masked(moved):
                    ends.append(subject.losses(rows))
            slope = ((ends[0] - ends[1]) / 2e-4).numpy()
            assert found["gradient"][:, head] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_a_token_that_all_continuations_read_is_one_token() -> None:
    """Their context in one sequence with each continuation a branch of its own, as if it were one example."""
    subject = lm.language_model("llama")
    (row, *_) = subject.encode(lm.choices())
    assert isinstance(row, LanguageRow)
    found = subject.gradients([row], np.ones((1, subject.layout.width), dtype=bool))
    read = [request.read for request in row.requests]
    length, shared = max(map(len, read)), row.shared
    xi = torch.ones(len(read), length, subject.layout.width, requires_grad=True)
    hooks = [
        site.projection.register_forward_pre_hook(
            lambda _, inputs, layer=layer: (
                inputs[0].unflatten(-1, (4, -1)).mul(xi[:, :, layer * 4 : layer * 4 + 4, None]).flatten(-2),
            )
        )
        for layer, site in enumerate(subject.gate.sites)
    ]
    hooks += [
        layer.mlp.register_forward_hook(lambda _, __, output, i=i: output * xi[:, :, 8 + i, None])
        for i, layer in enumerate(subject.module.model.layers)
    ]
    ids = torch.tensor([tokens + (0,) * (length - len(tokens)) for tokens in read])
    logp = subject.module(ids).logits.log_softmax(-1)
    sums = []
    for i, request in enumerate(row.requests):
        places = range(len(request.context) - 1, len(request.read))
        sums.append(sum(logp[i, t, word] for t, word in zip(places, request.continuation, strict=True)))
    loss = torch.stack(sums).logsumexp(0) - sums[row.target]
    loss.backward()
    for hook in hooks:
        hook.remove()
    gradient = xi.grad
    assert found["gradient"][0] == pytest.approx(gradient.sum((0, 1)).numpy(), abs=1e-5)
    tokens = gradient[:, :shared].sum(0).abs().sum(0) + gradient[:, shared:].abs().sum((0, 1))
    assert found["token_gradient"][0] == pytest.approx(tokens.numpy(), abs=1e-5)


def test_continuations_that_are_equal_or_begin_alike_keep_a_sum_each() -> None:
    subject = lm.language_model()
    data = lm.choices(1)
    data = type(data)(ids=("1",), texts=(("the old", " man", " man", " man saw"),), targets=("1",))
    row = subject.encode(data)
    found = subject.outcomes(row, np.ones((1, subject.layout.width), dtype=bool))
    first, second, longer = found["loglik"][0]
    assert first == second != longer
    assert found["margin"][0] == pytest.approx(0.0 if longer < first else longer - first)


def test_one_continuation_alone_is_not_chosen_but_scored() -> None:
    subject = lm.language_model()
    data = lm.choices(1)
    data = type(data)(ids=("1",), texts=(("the old", " man"),), targets=("0",))
    found = subject.outcomes(subject.encode(data), np.ones((1, subject.layout.width), dtype=bool))
    assert found["loss"][0] == -found["loglik"][0][0] > 0
    assert np.isinf(found["margin"][0])


@pytest.mark.parametrize("name", lm.DECODERS)
def test_masks_of_a_language_model_are_certified(name: str) -> None:
    subject = lm.language_model(name)
    assert certify(subject).largest_difference < 1e-5
    xi = subject.as_xi(np.ones((3, subject.layout.width), dtype=bool))
    with torch.no_grad():
        ways = set(subject.other_responses(subject.probe(), xi))
    capped = {"another implementation of attention"} if name == "gemma2" else set()  # sdpa does not cap attention
    assert ways == set(WAYS) - capped


def test_rows_are_what_they_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = lm.language_model()
    engine = OneMaskAtATime(subject, 64)
    for data in (lm.choices(), lm.texts()):
        rows = subject.encode(data)
        assert language_model_difference(engine, subject, rows) < 1e-5
    monkeypatch.setattr(subject, "alone", lambda _: -1.0)
    assert language_model_difference(engine, subject, rows) > 0.1


def test_a_smoothed_loss_is_refused() -> None:
    subject = lm.language_model()
    rows = subject.encode(lm.choices())
    with pytest.raises(InputError, match="smooths labels"):
        subject.gradients(rows, np.ones((len(rows), subject.layout.width), dtype=bool), Loss(0.1))
