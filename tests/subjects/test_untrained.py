"""Models with fresh weights: the same architecture and tokenizer, another identity and name, nothing learned."""

from pathlib import Path

import pytest
import torch
from fixtures.jobs import overrides

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.record.setting import read_setting
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.huggingface.decoder_folder import HubDecoder
from study.subjects.model import ExpectedScore
from study.subjects.model_files import HEADS_FILE
from tests.fixtures import cases, language_models, pruned

CPU = torch.device("cpu")


def weights(model: HubClassifier | HubDecoder) -> dict[str, torch.Tensor]:
    return model.load(CPU).module.state_dict()


def test_fresh_weights_are_those_of_their_seed(place: Path) -> None:
    trained, fresh, again, other = (
        HubClassifier(name="", path=str(place / "model"), max_length=32, **options)
        for options in ({}, {"untrained": True}, {"untrained": True}, {"untrained": True, "untrained_seed": 3})
    )
    assert [model.name for model in (trained, fresh, other)] == ["model", "model-untrained", "model-untrained3"]
    assert fresh.identity() == {**trained.identity(), "untrained": 0}
    assert other.identity() == {**trained.identity(), "untrained": 3}
    assert [model.factors("d", "float32").untrained for model in (trained, fresh, other)] == [None, 0, 3]
    state = torch.random.get_rng_state()
    one, same, another, learned = map(weights, (fresh, again, other, trained))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    matrices = [name for name, value in one.items() if value.ndim == 2]
    assert not any(torch.equal(one[name], another[name]) or torch.equal(one[name], learned[name]) for name in matrices)
    assert {name: value.shape for name, value in one.items()} == {name: value.shape for name, value in learned.items()}


def test_an_untrained_classifier_is_studied_without_a_question_for_its_score(place: Path) -> None:
    asked = to_study(compose(*overrides(place, "measure=base", "data.limit=12", "model.untrained=true")))
    asked.model.expected = {"pairs": ExpectedScore(score=99.0, tolerance=0.1)}
    assert MeasuringJob(asked).run()["computed"] == 12
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    assert (folder.parents[1].name, read_setting(folder).factors[0].untrained) == ("model-untrained", 0)


def test_an_untrained_decoder_reads_as_the_trained_one(tmp_path: Path) -> None:
    cases.build(language_models.DECODERS["llama"]).save_pretrained(tmp_path)
    language_models.tokenizer().save_pretrained(tmp_path)
    trained, fresh = (HubDecoder(name="tiny", path=str(tmp_path), untrained=untrained) for untrained in (False, True))
    assert fresh.identity() == {**trained.identity(), "untrained": 0}
    texts = language_models.texts(2)
    rows = [model.load(CPU).encode(texts) for model in (trained, fresh)]
    assert rows[0] == rows[1]
    one, learned = weights(fresh), weights(trained)
    assert not any(torch.equal(one[name], learned[name]) for name, value in one.items() if value.ndim == 2)


def test_options_of_fresh_weights_that_make_no_sense_are_refused(place: Path) -> None:
    with pytest.raises(InputError, match="model.untrained_seed has no effect here: it is of model.untrained=true"):
        StudyTask().check(compose(*overrides(place, "model.untrained_seed=1")))
    small = pruned.classifier_folder(place / "small", "bert")
    (small / HEADS_FILE).write_text("{}")
    with pytest.raises(InputError, match="is a pruned model: model.untrained=true is for models with all their heads"):
        HubClassifier(name="", path=str(small), max_length=32, untrained=True).load(CPU)
