"""MLPs are found, named where they are not, and gated where a factor has a gradient."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from fixtures import cases
from fixtures import language_models as lm

from study.masking.gate import Gate
from study.masking.mlp_sites import find_mlps
from study.masking.sites import find_sites
from study.record.units import Mlp


def test_only_language_models_have_mlps_as_units() -> None:
    assert Gate.on(cases.build(cases.CLASSIFIERS["llama"]), causal=True).layout.mlps == ()
    assert lm.language_model("llama").layout.mlps == (0, 1)


def test_a_layer_with_two_blocks_is_left_out_by_name(caplog: pytest.LogCaptureFixture) -> None:
    model = cases.build(lm.DECODERS["llama"])
    model.model.layers[1].shared_mlp = torch.nn.Linear(24, 24)
    with caplog.at_level(logging.WARNING):
        gate = Gate.on(model, causal=True, mlps=True)
    assert gate.layout.mlps == (0,)
    assert "model.layers.1 (has mlp, shared_mlp)" in caplog.text


def test_a_block_that_layers_share_is_no_unit() -> None:
    model = cases.build(lm.DECODERS["llama"])
    model.model.layers[1].mlp = model.model.layers[0].mlp
    assert find_mlps(model, find_sites(model, causal=True))[0] == []


def test_an_mlp_in_front_of_a_norm_has_the_gradient_of_what_is_added() -> None:
    """Gemma 2 norms what its block gives: there a factor near 1 changes nothing, behind the norm it does."""
    subject = lm.language_model("gemma2")
    rows = subject.encode(lm.texts(2))[:1]
    found = subject.gradients(rows, subject.layout.full()[None])["gradient"][0]
    step = 1e-2

    def loss(factor: float, layer: int, part: str) -> float:
        hook = getattr(subject.module.model.layers[layer], part).register_forward_hook(lambda _, __, x: x * factor)
        try:
            with torch.no_grad():
                return subject.losses(rows).item()
        finally:
            hook.remove()

    for layer in subject.layout.mlps:
        slopes = [
            (loss(1 + step, layer, part) - loss(1 - step, layer, part)) / (2 * step)
            for part in ("mlp", "post_feedforward_layernorm")
        ]
        assert abs(slopes[0]) < 0.02 * abs(slopes[1])
        assert found[subject.layout.mlp_column(layer)] == pytest.approx(slopes[1], rel=0.02)


def test_threads_do_not_see_each_others_masks() -> None:
    subject = lm.language_model("llama")
    rows = subject.probe()
    masks = [subject.layout.without([Mlp(i % 2), subject.layout.heads[i]]) for i in range(8)]

    def said(mask: np.ndarray) -> torch.Tensor:
        return subject.response(rows, subject.as_xi(np.tile(mask, (len(rows), 1))))

    alone = [said(mask) for mask in masks]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(said, masks), alone, strict=True):
            torch.testing.assert_close(found, expected)
