"""Trained models on real text, against scores that other programs gave (HEADS_REAL names the folder)."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from analysis import DomainEffects, correlate
from analysis.curves.area_under_curve import contrasts, curve_summary
from analysis.curves.bands import ResampledCurves
from analysis.results.read import read_results
from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask

pytestmark = [pytest.mark.real, pytest.mark.slow]


def minilm(real: Path, results: Path, file: str, *more: str) -> list[str]:
    return [
        "model=hf_classifier",
        f"model.path={real / 'models' / 'minilm-mnli'}",
        "model.truncate=true",
        "data=nli_file",
        f"data.path={real / 'data' / file}",
        f"results={results}",
        "batch_tokens=2048",
        *more,
    ]


@pytest.mark.parametrize(
    ("file", "right"),
    [("mnli/dev_matched.tsv", 703), ("mnli/dev_mismatched_random1000.tsv", 709), ("snli/test.tsv", 789)],
)
def test_base_accuracy_is_plain_transformers(real: Path, tmp_path: Path, file: str, right: int) -> None:
    """Of the first 1,000 examples, by a plain loop of transformers (float32, at most 128 tokens)."""
    config = compose(*minilm(real, tmp_path, file, "data.limit=1000"))
    assert MeasuringJob(to_study(config)).evaluator.base_score() == pytest.approx(right / 10)


@pytest.mark.parametrize(("name", "bleu"), [("test_2016_flickr", 54.38), ("test_2017_mscoco", 38.42)])
def test_base_bleu_is_fairseqs_and_the_command_lines(real: Path, tmp_path: Path, name: str, bleu: float) -> None:
    """As `fairseq-generate`, detokenised; and to the last digit what sacrebleu's command line says of our texts."""
    texts = real / "data" / "multi30k" / name
    config = compose(
        "model=fairseq_folder",
        f"model.path={real / 'models' / 'multi30k-en-fr'}",
        "model.source_lang=en",
        "model.target_lang=fr",
        "data=parallel_file",
        f"data.source={texts}.en",
        f"data.target={texts}.fr",
        f"results={tmp_path}",
    )
    evaluator = MeasuringJob(to_study(config)).evaluator
    assert round(evaluator.base_score(), 2) == bleu
    rows = evaluator.outcomes(evaluator.layout.full()[None])
    (tmp_path / "hypotheses").write_text("".join(f"{text}\n" for text in rows["hypothesis"]), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", f"{texts}.fr", "-i", str(tmp_path / "hypotheses"), "-b", "-w", "12"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(said) == pytest.approx(evaluator.base_score(), abs=1e-11)


def test_ablation_of_a_real_model_ends_in_a_correlation(real: Path, tmp_path: Path) -> None:
    for file in ("mnli/dev_matched.tsv", "mnli/dev_mismatched_random1000.tsv"):
        done = StudyTask()(compose(*minilm(real, tmp_path, file, "data.limit=40", "measure=ablation")))
        assert (done["masks"], done["computed"]) == (73, 73 * 40)
    domains = [DomainEffects.of(domain) for domain in read_results(tmp_path).domains]
    found = correlate(domains).correlation.row(0, named=True)
    assert found["heads"] == 72
    assert -1.0 <= found["pearson"] <= 1.0


def test_heads_of_little_importance_elsewhere_can_go_and_those_of_much_cannot(real: Path, tmp_path: Path) -> None:
    """Importance on a part of train; curves on MNLI matched in that order and in reverse, compared in pairs."""
    StudyTask()(compose(*minilm(real, tmp_path, "mnli/train_sample.tsv", "data.limit=200", "measure=importance")))
    order = ["measure=pruning", "measure.order_data=train_sample", "data.limit=100"]
    for reverse in ("false", "true"):
        StudyTask()(compose(*minilm(real, tmp_path, "mnli/dev_matched.tsv", *order, f"measure.reverse={reverse}")))
    domain = next(domain for domain in read_results(tmp_path).domains if domain.data == "dev_matched")
    drawn = ResampledCurves.of(domain)
    (row,) = contrasts(drawn).iter_rows(named=True)
    assert row["low"] > 0, "the mean score along the curve is higher, beyond the noise of 100 examples"
    shares = dict(curve_summary(drawn, within=5.0).select("curve", "share").iter_rows())
    assert shares["importance (from train_sample)"] > shares["importance, reversed (from train_sample)"]


def test_a_new_output_layer_learns_the_task_in_thirty_steps(real: Path, tmp_path: Path) -> None:
    """From chance to well above it; what the training says of its dev data is what the engine finds there."""
    folder = real / "data" / "mnli"
    values = [
        "model=hf_finetuned",
        "model.name=mine",
        f"model.training.start={real / 'models' / 'minilm-mnli'}",
        f"model.training.train.path={folder / 'train_sample.tsv'}",
        "model.training.train.limit=960",
        f"model.training.dev.path={folder / 'dev_matched.tsv'}",
        "model.training.dev.limit=200",
        "model.training.epochs=1",
        "model.training.keep=[0]",
        "model.check_labels=false",
        "data=nli_file",
        f"data.path={folder / 'dev_matched.tsv'}",
        "data.limit=200",
        f"results={tmp_path}",
    ]
    trained = StudyTask()(compose(*values, "measure=train"))
    at_chance, learnt = (
        StudyTask()(compose(*values, "measure=base", f"model.epoch={epoch}"))["base"] for epoch in (0, 1)
    )
    assert at_chance < 50 < 60 < learnt
    assert learnt == pytest.approx(trained["dev"])


def test_labelled_pairs_of_a_sample_that_is_not_random_count_by_strata(real: Path, tmp_path: Path) -> None:
    """Every 25th labelled pair of MNLI mismatched, post-stratified: 4,530 of its 9,832 pairs are hard."""
    mnli = real / "data" / "mnli"
    tables = [
        pl.read_csv(mnli / f"dev_mismatched{ending}.tsv", separator="\t", quote_char=None, infer_schema=False)
        for ending in ("", ".extra")
    ]
    pairs = tables[0].filter(pl.col("label") != "-").gather_every(25).join(tables[1].select("id", "hard"), on="id")
    sizes = pl.col("hard").replace_strict({"1": 4530, "0": 5302}, return_dtype=pl.Float64)
    pairs = pairs.with_columns(weight=sizes / pl.len().over("hard"))
    file = tmp_path / "weighted.tsv"
    lines = ("\t".join(map(str, row)) for row in [tuple(pairs.columns), *pairs.iter_rows()])
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    overrides = minilm(real, tmp_path, "mnli", f"data.path={file}", "data.weight=weight")
    evaluator = MeasuringJob(to_study(compose(*overrides))).evaluator
    rows = evaluator.outcomes(evaluator.layout.full()[None]).join(pairs.select(example="id", hard="hard"), on="example")
    right = dict(rows.group_by("hard").agg(pl.col("correct").mean()).iter_rows())
    assert rows.height == 203
    by_hand = 100 * (4530 / 9832 * right["1"] + 5302 / 9832 * right["0"])
    assert evaluator.base_score() == pytest.approx(by_hand, abs=1e-6)
    assert by_hand > 100 * rows["correct"].mean() + 2, "a plain mean is too low: most labelled pairs are hard"
