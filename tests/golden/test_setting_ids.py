"""Setting ids of every kind of subject, pinned: an id that changes orphans every results folder in the world.

The files are made here byte by byte, since an id reads digests of files and no tensors. A test that fails here means
that stored results would no longer be found: mend the code. Only a fix that changes a subject's numbers may change the
ids of such subjects, by a field of its own in their identity.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.training import TrainingJob
from study.training.trained_models import TrainedModel

CONFIG = {
    "id2label": {"0": "entailment", "1": "neutral", "2": "contradiction"},
    "model_type": "bert",
    "pad_token_id": 0,
}
PAIRS = "id\tpremise\thypothesis\tlabel\n1\ta b\tc\tentailment\n2\ta b\td\tneutral\n3\te\tf g\tcontradiction\n"

CLASSIFIER = ("model=hf_classifier", "data=nli_file")
TRANSLATOR = ("model=fairseq_folder", "model.source_lang=en", "model.target_lang=fr", "data=parallel_file")

IDS = {
    CLASSIFIER: "c09b19cfe0f2",
    (*CLASSIFIER, "precision=bfloat16"): "b6d3d1e15ffb",
    (*CLASSIFIER, "precision=screened"): "e3f5020014b1",
    (*CLASSIFIER, "precision=screened", "screening.sample=1000000", "screening.safety=1.5"): "0072064807ad",
    (*CLASSIFIER, "precision=cascade"): "66c5c365cb68",
    (*CLASSIFIER, "precision=cascade", "cascade.bound=0.01", "cascade.safety=3"): "7901d2eaf3a0",
    (*CLASSIFIER, "model.max_length=64", "model.truncate=true"): "60193d8ec656",
    (*CLASSIFIER, "data.id=null", "data.hypothesis=null"): "57cfe9373042",
    TRANSLATOR: "0fac34a9ac09",
    (*TRANSLATOR, "model.beam=4", "model.lenpen=0.6"): "84c232c6ff7e",
    ("model=toy_classifier", "data=toy_matched"): "a1a2174001de",
    ("model=toy_classifier", "data=toy_mismatched"): "4631f0610278",
    ("model=toy_classifier", "model.epoch=1", "data=toy_matched"): "96b677613bc6",
    ("model=toy_translator", "data=toy_news"): "5ccd8ac2870f",
    ("model=toy_translator", "model.epoch=1", "data=toy_chat"): "85ce0a7fa1c2",
}
"""The setting id of each job, by its overrides."""

TRAININGS = {
    "toy_classifier": "94786bd34c4b",
    "toy_translator": "1ef687fdf3c2",
    "toy_decoder": "86e0d8d7471a",
}
"""The id of each training, by its model."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of models and data, and a cache with the trained toys; no weights in them are weights."""
    folder = tmp_path_factory.mktemp("golden")
    write_classifier(folder / "classifier")
    write_translator(folder / "translator")
    (folder / "pairs.tsv").write_text(PAIRS)
    (folder / "text.en").write_text("a b c\nd e\n")
    (folder / "text.fr").write_text("x y\nz\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIXTEEN_HEADS_CACHE", str(folder / "cache"))
        for model in TRAININGS:
            write_trained(model)
        yield folder


def write_trained(model: str) -> None:
    """The checkpoints of a toy's first and last epoch."""
    trained = to_study(compose(f"model={model}", toy_data(model))).model
    assert isinstance(trained, TrainedModel)
    for epoch in {1.0, float(trained.training.epochs)}:
        path = trained.training.checkpoint(trained.training_folder(), epoch)
        if model != "toy_translator":
            write_classifier(path, weights=path.name)
        else:
            write_translator(path.parent, checkpoint=path.name)


def toy_data(model: str) -> str:
    return {
        "toy_classifier": "data=toy_matched",
        "toy_translator": "data=toy_news",
        "toy_decoder": "data=toy_induction",
    }[model]


def write_classifier(folder: Path, weights: str = "weights") -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_text(weights)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")


def write_translator(folder: Path, checkpoint: str = "checkpoint_best.pt") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("en", "fr"):
        (folder / f"dict.{language}.txt").write_text("a 2\nb 1\n")
    (folder / "bpe.codes").write_text("#version: 0.2\na b</w>\n")
    (folder / checkpoint).write_text(checkpoint)
    (folder / "checkpoint_best.pt").write_text("best")


def places(files: Path, overrides: tuple[str, ...]) -> list[str]:
    if CLASSIFIER[0] in overrides:
        return [f"model.path={files / 'classifier'}", f"data.path={files / 'pairs.tsv'}"]
    if TRANSLATOR[0] in overrides:
        return [
            f"model.path={files / 'translator'}",
            f"data.source={files / 'text.en'}",
            f"data.target={files / 'text.fr'}",
        ]
    return []


@pytest.mark.parametrize("overrides", IDS, ids=" ".join)
def test_setting_ids_stay(files: Path, overrides: tuple[str, ...]) -> None:
    setting = MeasuringJob(to_study(compose(*overrides, *places(files, overrides)))).setting
    assert setting.id == IDS[overrides], setting.identity


@pytest.mark.parametrize(
    ("precision", "one", "other"),
    [
        ("screened", "screening.sample=1234567", "screening.sample=1234568"),
        ("screened", "screening.audit=0.00123456", "screening.audit=0.001234561"),
        ("cascade", "cascade.bound=0.00123456", "cascade.bound=0.001234561"),
        ("cascade", "cascade.confidence=0.9999999", "cascade.confidence=0.99999999"),
    ],
)
def test_other_options_of_a_precision_are_another_setting(files: Path, precision: str, one: str, other: str) -> None:
    ids = set[str]()
    for option in (one, other):
        overrides = *CLASSIFIER, f"precision={precision}", option
        ids.add(MeasuringJob(to_study(compose(*overrides, *places(files, overrides)))).setting.id)
    assert len(ids) == 2


@pytest.mark.parametrize("model", TRAININGS)
def test_training_ids_stay(model: str) -> None:
    """A training of another id is done again, and its checkpoints are other subjects."""
    study = to_study(compose(f"model={model}", toy_data(model), "measure=train"))
    assert TrainingJob(study).model.training.id == TRAININGS[model]
