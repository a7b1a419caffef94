"""What trainings are compared by: random weights in place of learned ones, and a part of the training data held out."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from study.config import compose, to_study
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.record.training.history import read_history
from study.subjects.fairseq.folder import FairseqConfig
from study.training.classifier_options import FineTuning
from study.training.initial_classifier import initial_classifier


def overrides(place: Path, *more: str) -> list[str]:
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model", "model.training.keep=[]",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}", "model.training.epochs=1",
        "model.training.max_length=32", "data=nli_file", f"data.path={pairs}", f"results={place}/results",
        f"model.training.folder={place}/trained", "device=cpu", "measure=train", *more,
    ]  # fmt: skip


def training(place: Path, *more: str) -> FineTuning:
    return to_study(compose(*overrides(place, *more))).model.training


def first_weights(place: Path, *more: str) -> dict[str, torch.Tensor]:
    model, _ = initial_classifier(training(place, *more), [], ("a", "b", "c"))
    return model.state_dict()


def test_scratch_has_the_start_s_shape_and_none_of_its_weights(place: Path) -> None:
    start = AutoModelForSequenceClassification.from_pretrained(place / "model").state_dict()
    drawn, same, other = (
        first_weights(place, "model.training.scratch=true", f"model.training.weights_seed={seed}") for seed in (1, 1, 2)
    )
    matrices = [name for name, weight in drawn.items() if weight.ndim > 1 and weight.is_floating_point()]
    assert {name: weight.shape for name, weight in drawn.items()} == {n: weight.shape for n, weight in start.items()}
    for name in matrices:
        assert torch.equal(drawn[name], same[name])
        assert not torch.equal(drawn[name], other[name]), name
        assert not torch.equal(drawn[name], start[name]), name


def test_scratch_begins_with_other_heads_by_its_seed_and_is_nothing_where_it_is_false(place: Path) -> None:
    plain = training(place)
    scratch = [training(place, "model.training.scratch=true", f"model.training.seed={seed}") for seed in (1, 2)]
    assert "scratch" not in plain.identity()
    assert len({each.initial() for each in (plain, *scratch)}) == 3
    assert len({each.id for each in (plain, *scratch)}) == 3


@pytest.mark.parametrize("gates", ["hard_concrete", "subset"])
def test_gates_are_not_learned_on_random_weights(place: Path, gates: str) -> None:
    keep = ["model.training.gates.keep=2"] if gates == "subset" else []
    more = ["model.training.scratch=true", f"model.training.gates={gates}", *keep]
    with pytest.raises(InputError, match=rf"scratch=true begins with random weights, and gates={gates} learns which"):
        StudyTask().check(compose(*overrides(place, *more)))


def test_what_is_held_out_is_evaluated_on_and_not_learnt(place: Path) -> None:
    held = training(place, "model.training.held_out=0.3")
    out, rest, whole = (source.examples() for source in (held.dev_set, held.train_set, held.train))
    assert not set(out.groups) & set(rest.groups)
    assert len(out) + len(rest) == len(whole)
    assert held.id != training(place).id
    assert (training(place).train_set, training(place).dev_set) == (training(place).train, training(place).dev)
    batch, more = f"model.training.batch_size={len(rest)}", "model.training.held_out=0.3"
    StudyTask()(compose(*overrides(place, more, batch)))
    assert read_history(place / "trained")[-1].step == 1, "one batch has all that is learnt"


def test_what_is_held_out_needs_no_dev_data(place: Path) -> None:
    absent, held_out = "model.training.dev.path=nowhere.tsv", "model.training.held_out=0.3"
    assert training(place, absent, held_out).id == training(place, held_out).id
    StudyTask()(compose(*overrides(place, absent, held_out)))


def test_a_translator_s_data_is_parted_alike() -> None:
    model = to_study(compose("model=toy_translator", "data=toy_news", "model.training.held_out=0.1")).model
    assert isinstance(model, FairseqConfig)
    assert 800 <= len(model.training.dev_set.examples()) < 820
    assert model.training.identity()["dev"] != model.training.identity()["train"]
