"""Gates are learned from a model that has learned its task: what another one is told, before the first step."""

import re
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch
from test_classifier_training import TINY, fine_tuning

from study.gates.options import Gates, HardConcrete, Subset
from study.record.errors import InputError
from study.toy.induction import InductionDomain
from study.toy.sources import ToyInduction
from study.training.classifier import train_classifier
from study.training.decoder import train_decoder
from study.training.decoder_options import NewLlama
from study.training.gate_learner import frequency_loss, require_converged

FAR = r"far from converged: on the dev data it has a loss of \d\.\d\d {unit}, and knowing nothing but .* gives {known}"


def test_a_classifier_with_random_weights_or_a_new_output_layer_is_refused(place: Path, tmp_path: Path) -> None:
    """Three labels that are as frequent as each other give ln 3."""
    bert = replace(TINY, gates=HardConcrete())
    with pytest.raises(InputError, match=FAR.format(unit="nats an example", known=r"1\.[01]\d")):
        train_classifier(bert, tmp_path / "new", "cpu", 1)
    with pytest.raises(InputError, match=FAR.format(unit="nats an example", known=r"1\.[01]\d")):
        train_classifier(fine_tuning(place, new_head=True, gates=Subset(keep=3)), tmp_path / "head", "cpu", 1)
    for name in ("new", "head"):
        assert {path.name for path in (tmp_path / name).iterdir()} == {"training.json"}
    train_classifier(replace(bert, gates=Gates()), tmp_path / "none", "cpu", 1)


def test_a_decoder_with_random_weights_is_refused(tmp_path: Path) -> None:
    texts = ToyInduction(name="t", domain=InductionDomain.TRAIN, count=60)
    learnt = NewLlama(train=texts, dev=texts, epochs=1, batch_size=12, max_length=64, gates=Subset(keep=5))
    with pytest.raises(InputError, match=FAR.format(unit="nats a token", known=r"\d\.\d\d")):
        train_decoder(learnt, tmp_path / "run", "cpu", 1)


def test_the_loss_of_frequencies_and_of_the_mean() -> None:
    """Labels 0, 0, 1 and a third that is only in the dev data: 3, 2 and 1 of six, each counted once more."""
    learnt, dev = torch.tensor([0, 0, 1]), torch.tensor([0, 2])
    known = -(log(3 / 6) + log(1 / 6)) / 2
    assert frequency_loss(learnt, dev) == pytest.approx(known)
    assert frequency_loss(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 5.0])) == pytest.approx(4.5)
    require_converged(0.899 * known, learnt, dev, "nats an example")
    with pytest.raises(InputError, match=re.escape(f"{0.901 * known:.2f} nats an example")):
        require_converged(0.901 * known, learnt, dev, "nats an example")
    with pytest.raises(InputError, match="knowing nothing but the mean"):
        require_converged(float("nan"), torch.tensor([1.0, 3.0]), torch.tensor([2.0, 5.0]), "squared")
