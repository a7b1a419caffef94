"""Regressions: outputs on the grid, by a plain loop of transformers; from a folder to a table of effects."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import transformers
from fixtures import cases
from scipy import stats

from analysis import Inference, read_results, scored_by
from analysis.effects.head_effects import effects
from study.config import compose, to_study
from study.jobs.check import check_values
from study.jobs.measuring import MeasuringJob
from study.jobs.training import TrainingJob
from study.record.errors import InputError
from study.record.metrics.numbers import PER_UNIT, on_grid
from study.record.parts import StoreError
from study.record.store import read_parts
from study.training.trained_models import TrainedModel

MADE = Path(__file__).parents[1] / "fixtures" / "tasks" / "glue_stsb.jsonl"
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT with one output, and a tokenizer that knows the words of the pairs."""
    rows = [json.loads(line) for line in MADE.read_text().splitlines()]
    words = sorted(
        {
            word
            for row in rows
            for text in (row["sentence1"], row["sentence2"])
            for word in text.lower().replace(".", " .").split()
        }
    )
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), num_labels=1, max_position_embeddings=32, initializer_range=0.3, **SIZES
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    transformers.BertTokenizer(vocab=vocabulary).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def words(folder: Path, *more: str) -> list[str]:
    return [
        "model=hf_regressor",
        f"model.path={folder}",
        "model.max_length=32",
        "data=glue_stsb",
        f"data.path={MADE}",
        f"results={folder.parent / 'results'}",
        *more,
    ]


def test_outputs_are_plain_transformers_and_effects_scipys(folder: Path) -> None:
    job = MeasuringJob(to_study(compose(*words(folder, "measure=ablation"))))
    job.compute()
    module = transformers.BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts, gold = job.examples.texts, np.array([float(target) for target in job.examples.targets])
    with torch.inference_mode():
        plain = np.array([module(**tokenizer(*pair, return_tensors="pt")).logits.item() for pair in texts])
    rows = read_parts(job.setting.folder(job.results)).rows
    base = rows.filter(mask=job.layout.full_key)
    assert np.abs(base["output"].to_numpy() / PER_UNIT - plain).max() < 1e-5
    assert base["loss"].to_numpy() == pytest.approx((plain - gold) ** 2, abs=1e-4)

    results = read_results(folder.parent / "results")
    table = effects(results.domains[0], Inference(resamples=199)).filter(measure="ablation")
    ranked = effects(scored_by(results, ["spearman"]).domains[0], Inference(resamples=199)).filter(measure="ablation")
    for row, other in zip(table.rows(named=True), ranked.rows(named=True), strict=True):
        off = job.layout.without(
            [head for head in job.layout.heads if (head.layer, head.index) == (row["layer"], row["head"])]
        )
        output = rows.filter(mask=job.layout.key(off))["output"].to_numpy()
        for found, theirs in ((row, stats.pearsonr), (other, stats.spearmanr)):
            r, full = (theirs(own, on_grid(gold)).statistic for own in (output, base["output"].to_numpy()))
            assert found["effect"] == pytest.approx(100 * (r - full), abs=1e-9)
            assert found["low"] <= found["effect"] <= found["high"]
    assert (table["metric"].unique().item(), table["unit"].unique().item()) == ("pearson", "points")


def test_rows_that_disagree_are_refused_and_those_within_rounding_are_not(folder: Path) -> None:
    job = MeasuringJob(to_study(compose(*words(folder, "measure=base"))))
    job.compute()
    place = job.setting.folder(job.results)
    store, rows = job.evaluator.store, read_parts(place).rows
    store.write(rows.with_columns(pl.col("output") + 3), {})
    assert read_parts(place).rows.equals(rows)
    store.write(rows.with_columns(pl.col("output") + PER_UNIT // 100), {})
    with pytest.raises(StoreError, match="disagree"):
        read_parts(place)


def test_importance_is_of_the_squared_error(folder: Path) -> None:
    """The gradient of a head's xi against a difference quotient of the loss."""
    job = MeasuringJob(to_study(compose(*words(folder))))
    subject, (row, *_) = job.subject(), job.subject().encode(job.examples)
    full = job.subject().layout.full()[None]
    gradient = subject.gradients([row], full)["gradient"][0]
    step, xi = 1e-2, torch.ones(2, full.shape[1])
    xi[0, 1], xi[1, 1] = 1 + step, 1 - step
    with subject.gate.masked(xi), torch.no_grad():
        up, down = subject.losses([row, row])
    assert gradient[1] == pytest.approx(float(up - down) / (2 * step), rel=1e-2, abs=1e-4)


def test_a_regression_is_trained_and_studied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
    training = [f"model.training.{which}.path={MADE}" for which in ("train", "dev")]
    training += [
        f"model.training.start={folder}",
        "model.training.epochs=40",
        "model.training.keep=[]",
        "model.training.max_length=32",
    ]
    options = [
        "model=bert_stsb_finetuned",
        "data=glue_stsb",
        f"data.path={MADE}",
        f"results={folder.parent / 'results'}",
        "model.training.learning_rate=2e-3",
        *training,
    ]
    study = to_study(compose(*options, "measure=train"))
    check_values(study)
    TrainingJob(study).compute()
    assert isinstance(study.model, TrainedModel)
    measured = MeasuringJob(to_study(compose(*options, "measure=base")))
    assert measured.compute()["base"] > 60


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data=nli_file", "data.path=x.tsv"], "is for regression, data 'x.tsv' is for classification"),
        (["model.labels=[a,b]"], "model.labels has no effect here: a regression has no labels"),
        (
            ["data.metric=matthews"],
            r"matthews scores classification, and data 'glue_stsb' is for regression: choose one of pearson, s",
        ),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, more: list[str], message: str) -> None:
    options = words(folder)
    options = [word for word in options if not (more[0].startswith("data=") and word.startswith("data"))]
    with pytest.raises(InputError, match=message):
        check_values(to_study(compose(*options, *more)))


def test_a_classifier_is_no_regression_nor_the_other_way_round(folder: Path, tmp_path: Path) -> None:
    classifier = to_study(compose("model=hf_classifier", f"model.path={folder}", "data=glue_cola")).model
    with pytest.raises(InputError, match="has one output, a number: model=hf_regressor studies it"):
        classifier.output_names()  # type: ignore[attr-defined]
    cases.CLASSIFIERS["bert"]().save_pretrained(tmp_path / "other")
    regressor = to_study(compose("model=hf_regressor", f"model.path={tmp_path / 'other'}", "data=glue_stsb")).model
    with pytest.raises(InputError, match="has 3 outputs .*, a regression has one"):
        regressor.output_names()  # type: ignore[attr-defined]
