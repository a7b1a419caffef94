"""What subjects compute with something in the place of their units: importance, donors, scored tokens, decoding."""

import numpy as np
import pytest
import torch
from fixtures import language_models
from fixtures.replacement import replaced
from fixtures.translators import sentences

from study.masking.stand_ins import Constant, Place
from study.record.errors import InputError
from study.record.units import AttentionKind
from study.replacement.options import REPLACEMENTS, ActsOn, DonorPosition

ENCODER, DECODER, CROSS = AttentionKind
STEP = 2.0**-7


@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("name", ["classifier bert", pytest.param("decoder llama", marks=pytest.mark.exhaustive)])
def test_importance_is_the_slope_of_the_loss(name: str, replacement: str) -> None:
    if replacement == "value_bias" and name in replaced.NO_VALUE_BIASES:
        pytest.skip("its values have no bias")
    subject = replaced.subject(name, replaced.choice(replacement))
    subject.module.double()
    rows = subject.encode(replaced.examples(name))[:3]
    full = np.ones((len(rows), subject.layout.width), dtype=bool)
    found = subject.gradients(rows, full)["gradient"]
    for column in range(0, subject.layout.width, 3):
        losses = []
        for step in (STEP, -STEP):
            xi = subject.as_xi(full)
            xi[:, column] += step
            with torch.no_grad(), subject.standing(rows), subject.gate.masked(xi):
                losses.append(subject.losses(rows).double())
        slope = (losses[0] - losses[1]) / (2 * STEP)
        np.testing.assert_allclose(found[:, column], slope.numpy(), atol=2e-3 * max(1.0, np.abs(found).max()))


@pytest.mark.parametrize("replacement", ["mean", "mean_by_position", "resample", "uniform"])
@pytest.mark.parametrize("name", ["translator fsmt", pytest.param("translator bart", marks=pytest.mark.exhaustive)])
def test_a_translation_is_the_same_alone_and_among_others(name: str, replacement: str) -> None:
    subject = replaced.subject(name, replaced.choice(replacement))
    rows = subject.encode(replaced.examples(name))
    masks = np.random.default_rng(1).random((len(rows), subject.layout.width)) < 0.7
    together = subject.outcomes(rows, masks)
    for i, row in enumerate(rows):
        alone = subject.outcomes([row], masks[i : i + 1])
        assert alone["hypothesis"] == together["hypothesis"][i : i + 1]
        np.testing.assert_allclose(alone["hypothesis_score"], together["hypothesis_score"][i : i + 1], atol=1e-4)


def test_a_donor_gives_its_own_contexts() -> None:
    subject = replaced.subject("classifier bert", replaced.choice("resample", seed=3))
    rows, seen = subject.encode(replaced.pairs()), []
    stands = subject.stand_in(rows)
    site = subject.gate.sites[1]
    site.projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    for row in rows:
        subject.logits([row])
    own = [context.unflatten(-1, (4, -1)) for context in seen]
    groups = replaced.pairs().columns["group"]
    for i, row in enumerate(rows):
        found = stands.heads((ENCODER, 1), Place(slice(None), torch.arange(len(row.source))[None]))[i]
        fitting = [
            j
            for j, context in enumerate(own)
            if torch.allclose(found[: len(context)], context[: len(found)], atol=1e-5) and len(context) >= len(found)
        ]
        assert len(fitting) == 1, "one donor, at least as long"
        assert groups[fitting[0]] != groups[i]


def test_a_donor_is_the_same_in_every_batch() -> None:
    subject = replaced.subject("classifier bert", replaced.choice("resample", position=DonorPosition.random_token))
    rows = subject.encode(replaced.pairs())
    masks = subject.layout.each_off(subject.layout.heads[:1])
    together = subject.outcomes(rows, np.tile(masks, (len(rows), 1)))["loss"]
    alone = [subject.outcomes([row], masks)["loss"][0] for row in reversed(rows)]
    np.testing.assert_allclose(together[::-1], alone, atol=1e-5)


@pytest.mark.parametrize("position", DonorPosition)
def test_words_behind_the_reference_do_not_depend_on_the_batch(position: DonorPosition) -> None:
    """A search may write more words than any reference of its batch has."""
    subject = replaced.subject("translator marian", replaced.choice("resample", position=position))
    rows = subject.encode(sentences())
    assert len({max(subject.reach(row)) for row in rows}) > 1
    together, places = subject.stand_in(rows), torch.arange(30)[None]
    for i, row in enumerate(rows):
        alone = subject.stand_in([row])
        for kind in AttentionKind:
            found = together.heads((kind, 1), Place(slice(i, i + 1), places))
            torch.testing.assert_close(found, alone.heads((kind, 1), Place(slice(None), places)), atol=1e-5, rtol=0)


def test_the_value_bias_is_that_of_the_values() -> None:
    subject = replaced.subject("classifier bert", replaced.choice("value_bias"))
    assert isinstance(subject.gate.stand_in, Constant)
    for number, layer in enumerate(subject.module.bert.encoder.layer):
        found = subject.gate.stand_in.of_heads[ENCODER, number]
        torch.testing.assert_close(found[0].flatten(), layer.attention.self.value.bias)


@pytest.mark.parametrize("replacement", ["zero", "mean", "uniform"])
def test_masks_that_act_on_scored_tokens_leave_the_prompt_alone(replacement: str) -> None:
    choice = replaced.choice(replacement, acts_on=ActsOn.scored)
    everywhere = replaced.subject("decoder llama", replaced.choice(replacement))
    subject = replaced.subject("decoder llama", choice)
    examples = language_models.choices()
    rows = subject.encode(examples)
    mask = subject.layout.without(subject.layout.heads[1:3])
    found = subject.outcomes(rows, np.tile(mask, (len(rows), 1)))["loglik"]
    expected = []
    for row in rows:
        for request in row.requests[: row.choices]:
            half = [tuple(request.read[: len(request.context) - 1]), request.read]
            expected.append(_read_in_two(everywhere, half, mask, request.continuation))
    np.testing.assert_allclose(np.concatenate([np.ravel(own) for own in found]), expected, atol=1e-4)


def _read_in_two(subject, parts, mask, continuation) -> float:
    """The prompt read with every head on, with a cache; then what is scored, under the mask."""
    prompt, read = parts
    cache = None
    with torch.no_grad():
        if prompt:
            cache = subject.module(input_ids=torch.tensor([prompt]), use_cache=True).past_key_values
        ids = torch.tensor([read[len(prompt) :]])
        positions = torch.arange(len(prompt), len(read))[None]
        xi = subject.as_xi(mask[None])
        with subject.gate.masked(xi), subject.gate.part(slice(None), positions=positions):
            logits = subject.module(input_ids=ids, past_key_values=cache, use_cache=True).logits[0]
    words = torch.tensor(continuation)
    return logits.log_softmax(-1).gather(1, words[:, None]).double().sum().item()


@pytest.mark.parametrize("name", replaced.NO_VALUE_BIASES)
def test_a_model_without_value_biases_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"no value of {name.split()[1]} has a bias: replacement=value_bias would be"):
        replaced.subject(name, replaced.choice("value_bias"))
