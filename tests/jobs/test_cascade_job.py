"""Jobs of `precision=cascade`: alone, by two processes at once, and what is refused."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
import torch
from fixtures import cases
from fixtures.jobs import overrides, write_pairs
from fixtures.processes import command, start

from study.config import compose
from study.engine.cascade.engine import CascadeEngine
from study.jobs.task import StudyTask
from study.record.cascade.audit_files import read_audits
from study.record.errors import InputError
from study.record.store import read_parts

PAIRS = 150
TEXTS = [" ".join(f"w{(7 * i + j * j) % 60}" for j in range(1 + i % 5)) for i in range(2 * PAIRS)]
CHOSEN = ("measure=pairs", "model.check_labels=false")
CAREFUL = (
    "precision=cascade",
    "cascade.sample=30",
    "cascade.safety=3",
    "cascade.bound=0.05",
    "cascade.purposive=20",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose heads add little, and pairs of texts."""
    folder = tmp_path_factory.mktemp("cascade")
    torch.manual_seed(0)
    model, tokenizer = cases.build(cases.CLASSIFIERS["bert"]), cases.tiny_tokenizer()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("attention.output.dense.weight"):
                weight.mul_(0.02)
        rows = tokenizer(TEXTS[::2], TEXTS[1::2], return_tensors="pt", padding=True)
        model.classifier.bias -= model(**rows).logits.mean(dim=0)
    model.config.id2label = dict(enumerate(cases.LABELS))
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    write_pairs(folder / "pairs.tsv", TEXTS, [cases.LABELS[i % 3] for i in range(PAIRS)])
    return folder


def words(place: Path, results: str, *more: str) -> list[str]:
    return [word for word in overrides(place, *CHOSEN, *more) if not word.startswith("results=")] + [
        f"results={place / results}"
    ]


def outcomes(place: Path, results: str) -> pl.DataFrame:
    folder = next((place / results).rglob("setting.json")).parent
    return read_parts(folder).rows.sort("mask", "example")


@pytest.fixture(scope="module")
def exact(place: Path) -> pl.DataFrame:
    StudyTask()(compose(*words(place, "exact")))
    return outcomes(place, "exact")


def test_a_job_decides_as_float32_and_has_nothing_left_to_do(place: Path, exact: pl.DataFrame) -> None:
    task, config = StudyTask(), compose(*words(place, "alone", *CAREFUL))
    done = task(config)
    assert done["computed"] > 0
    rows = outcomes(place, "alone")
    assert rows["prediction"].equals(exact["prediction"])
    assert (rows["stage"] == "first_order").mean() > 0.2
    assert task.remaining(config) == 0
    assert task(config)["computed"] == 0
    path = next((place / "alone").rglob("setting.json"))
    found = json.loads(path.read_text())["identity"]["subject"]["precision"]
    assert found == "cascade|sample:30|safety:3|bound:0.05|confidence:0.95|purposive:20"
    (audit,), _ = read_audits(path.parent)
    assert audit.passed
    next((path.parent / "audits").iterdir()).unlink()
    assert task.remaining(config) == 1, "not audited"


def test_two_processes_share_the_examples_of_a_setting(place: Path, exact: pl.DataFrame) -> None:
    shared = words(place, "shared", *CAREFUL, "shards=2")
    processes = [start(command, *shared, f"shard={share}", place=place) for share in (0, 1)]
    for process in processes:
        process.join()
    for _ in range(2):  # either may have opened what the other took
        for share in (0, 1):
            StudyTask()(compose(*shared, f"shard={share}"))
    assert outcomes(place, "shared")["prediction"].equals(exact["prediction"])
    folder = next((place / "shared").rglob("setting.json")).parent
    passed = {audit.share for audit in read_audits(folder)[0] if audit.passed}
    assert passed == {0, 1}


def test_drafts_by_which_a_set_was_chosen_are_audited_on_the_examples_that_chose(
    place: Path, exact: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CascadeEngine, "_first_order_pays", lambda *_: True)  # of so few masks it would not
    whole = exact.filter(pl.col("mask") == exact["mask"].max()).sort(pl.col("example").cast(int))
    labels = [cases.LABELS[label] for label in whole["prediction"]]  # of a model that does as it is told
    write_pairs(place / "told.tsv", TEXTS, labels)
    searching = ["measure=sufficient", "measure.lose=0.5", f"data.path={place / 'told.tsv'}", "cascade.sample=15"]
    config = compose(*(word for word in words(place, "set", *CAREFUL, *searching) if word != "measure=pairs"))
    task = StudyTask()
    task(config)
    rows = outcomes(place, "set")
    (audit,), _ = read_audits(next((place / "set").rglob("setting.json")).parent)
    searched = rows.filter(pl.len().over("mask") < PAIRS)
    assert searched.group_by("mask").len()["len"].unique().to_list() == [PAIRS // 2], "completed by nobody"
    assert (searched["stage"] == "first_order").any()
    (part,) = audit.partly
    assert set(part.masks) == set(searched["mask"])
    assert len(part.examples) == PAIRS // 2
    drafts = dict(rows.filter(pl.col("stage") == "first_order").group_by("mask").len().iter_rows())
    assert {mask: one.left for mask, one in audit.masks.items() if one.left} == drafts
    assert task.remaining(config) == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["cascade.sample=150"], "cascade.sample=150 examples are computed exactly under every mask, and this job has"),
        (["cascade.sample=75", "shards=2"], "and this job has 75"),
        (["cascade.safety=0.5"], "cascade.safety=0.5 must be 1 or more"),
        (["cascade.bound=0"], "cascade.bound=0 must be between 0 and 1"),
        (["data.metric=loss"], "is of losses or log-likelihoods"),
        (["measure=attention"], "decides nothing that precision=cascade could take from gradients"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(place: Path, more: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        StudyTask().check(compose(*words(place, "refused", "precision=cascade", *more)))


def test_a_plan_says_how_long_it_takes_if_first_order_decides_everything_and_if_it_decides_nothing(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        StudyTask()(compose(*words(place, "planned", *CAREFUL, "plan=true")))
    assert re.search(
        r"; about \d+ s to \d+ s, .* with the model: the more decisions first order takes, the less", caplog.text
    )
    assert "at most the work of" in caplog.text
    assert "for what first order" in caplog.text
