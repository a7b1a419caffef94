"""The toy decoder has the circuit that its task asks for, whatever its seed: known truth for masks of heads and groups.

Each word must know the word before it (a previous-word head, layer 0), and the last word must find the word after its
earlier self (induction heads, layer 1). Which head does what differs from training to training, so that heads are found
by where they look, which takes no mask, and then taken off.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float

from study.config import compose, to_study
from study.record.examples import Examples
from study.record.units import AttentionKind, HeadLayout, Unit
from study.subjects.language_model.subject import LanguageModel
from study.toy.induction import InductionDomain, induction_examples
from study.training.trained_models import TrainedDecoder

KIND, HEADS = AttentionKind.DECODER_SELF, 4
SEEDS = range(1, 6)


@dataclass(frozen=True)
class Circuit:
    """What a trained toy decoder does.

    Attributes:
        base: mean log-likelihood of the right word, nats.
        effects: how that changes without a unit, by its address.
        previous: how much each head looks at the word before, mean over words.
        successor: how much each head looks at the word that followed the earlier same word.
    """

    base: float
    effects: dict[str, float]
    previous: Float[np.ndarray, "layers heads"]
    successor: Float[np.ndarray, "layers heads"]

    def heads(self, layer: int) -> list[float]:
        """Effects of the heads of a layer, each alone."""
        return [self.effects[f"{KIND}.{layer}.{head}"] for head in range(HEADS)]

    def groups(self, layer: int) -> list[float]:
        """Effects of its groups."""
        return [self.effects[f"{KIND}.{layer}.g{group}"] for group in range(2)]


def circuit(folder: Path, seed: int) -> Circuit:
    """Train the toy decoder from a seed, look where its heads look, and take its units off."""
    config = to_study(compose("model=toy_decoder", "data=toy_induction")).model
    assert isinstance(config, TrainedDecoder)
    training = replace(config.training, seed=seed, folder=str(folder / str(seed)))
    model = replace(config, training=training)
    model.train("cpu", 1)
    subject = model.load(torch.device("cpu"))
    examples = induction_examples(InductionDomain.TEST, 200)
    layout = subject.layout
    units: list[Unit] = [*layout.heads, *layout.key_groups, *layout.layers]
    base = likelihood(subject, examples, layout.full())
    effects = {str(unit): likelihood(subject, examples, layout.without([unit])) - base for unit in units}
    return Circuit(base, effects, *looks(subject, examples, layout))


def likelihood(subject: LanguageModel, examples: Examples, mask: np.ndarray) -> float:
    """Mean log-likelihood of the right word under a mask, nats."""
    rows = subject.encode(examples)
    columns = subject.outcomes(rows, np.repeat(mask[None], len(rows), axis=0))
    right = [sums[int(target)] for sums, target in zip(columns["loglik"], examples.targets, strict=True)]
    return float(np.mean(right))


def looks(subject: LanguageModel, examples: Examples, layout: HeadLayout) -> tuple[np.ndarray, np.ndarray]:
    """How much each head looks at the word before, and at the word after the earlier same word."""
    previous, successor = np.zeros((2, 2, HEADS))
    subject.module.set_attn_implementation("eager")
    full = subject.as_xi(layout.full()[None])
    for row, length in zip(subject.encode(examples), examples.columns["length"], strict=True):
        tokens = torch.tensor([row.requests[0].context])
        with torch.no_grad(), subject.gate.masked(full):
            layers = subject.module(tokens, output_attentions=True, use_cache=False).attentions
        for layer, attention in enumerate(layers):
            previous[layer] += attention[0].diagonal(-1, dim1=1, dim2=2).mean(-1).numpy()
            last = tokens.shape[1] - 1
            successor[layer] += attention[0, :, last, last - int(length) + 1].numpy()
    return previous / len(examples), successor / len(examples)


def check(found: Circuit) -> None:
    """What is true of every training."""
    assert found.base > -0.2, "the next word is known"
    assert found.effects[f"{KIND}.0"] < -3, "no word knows the one before it: no better than to guess among 48"
    assert found.effects[f"{KIND}.1"] < -3, "nothing looks for the earlier same word"
    assert min(found.heads(1)) > found.effects[f"{KIND}.1"] / 10, "the induction heads stand in for each other"
    assert sum(found.heads(1)) > found.effects[f"{KIND}.1"] / 5, "so that single heads do not add up to the layer"
    assert (found.successor[1] > 0.5).all(), "all four of them look at the word after the earlier same word"
    assert (found.successor[0] < 0.3).all(), "no head of layer 0 can know it"
    assert found.previous[0].max() > 0.5, "one looks at the word before"
    assert found.previous[1].max() < 0.3


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Circuit:
    return circuit(tmp_path_factory.mktemp("toy"), seed=0)


@pytest.mark.slow
def test_one_training_has_the_circuit(one: Circuit) -> None:
    check(one)
    assert one.base > -0.1
    assert min(one.heads(1)) > -0.2
    assert int(np.argmin(one.heads(0))) == int(one.previous[0].argmax()), "the head that costs most looks back by one"
    assert min(one.heads(0)) < -0.3


@pytest.mark.exhaustive
def test_every_training_has_the_circuit(one: Circuit, tmp_path: Path) -> None:
    """Over several trainings: the previous-word head costs nats, a group of layer 1 more than its heads together."""
    found = [one, *(circuit(tmp_path, seed) for seed in SEEDS)]
    for each in found:
        check(each)
    assert np.median([min(each.heads(0)) for each in found]) < -1
    back = [each.heads(0)[int(each.previous[0].argmax())] == min(each.heads(0)) for each in found]
    assert np.mean(back) > 0.6, "where two heads look back, the other may cost more"
    more = [min(each.groups(1)[g] - sum(each.heads(1)[2 * g : 2 * g + 2]) for g in range(2)) for each in found]
    assert np.median(more) < -0.2, "a group is more than its heads"
