"""The course of trainings on the page: a line for each, and every record in a table."""

import re
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from analysis import figures
from analysis.__main__ import main
from analysis.results.read import NothingMeasuredError, read_results
from analysis.results.trainings import read_trainings
from study.record.training.history import Record, write_history
from study.tracking.run import Run, write_run

COURSE = [
    Record(0, 0.0, 0.0, None, 1.1, 33.3, 0.0),
    Record(5, 0.5, 1e-3, 1.0, None, None, 2.0),
    Record(10, 1.0, 5e-4, 0.7, 0.8, 66.6, 4.0),
]


def train(results: Path, seed: int = 0, model: str = "mine", records: list[Record] = COURSE) -> Path:
    """A training that was a job."""
    folder = results / "trainings" / f"{model}-{seed}"
    config = {"model": {"training": {"seed": seed}}}
    write_run(Run(f"id{seed}", "", model, "pairs", "train", 0, config), folder)
    write_history(folder, records)
    return folder


def test_every_record_is_a_row(results):
    train(results, 1), train(results, 2)
    table, _ = read_trainings(results)
    assert table["training"].unique().to_list() == ["mine"]
    assert table.group_by("training_id", "seed", maintain_order=True).len().rows() == [
        ("mine-1", 1, 3),
        ("mine-2", 2, 3),
    ]
    own = table.filter(seed=2).select("step", "epoch", "learning_rate", "loss", "dev_loss", "dev_score", "seconds")
    assert [Record(*row) for row in own.iter_rows()] == COURSE


def test_each_training_has_a_line_through_what_it_recorded(results):
    train(results, 1), train(results, 2)
    table, _ = read_trainings(results)
    axes = figures.losses(table, "Loss", "t/loss").figure.axes[0]
    lines = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axes.lines]
    assert lines == [([0.5, 1.0], [1.0, 0.7])] * 2 + [([0.0, 1.0], [1.1, 0.8])] * 2
    scores = figures.dev_scores(table, "Accuracy", "t/dev")
    assert [line.get_ydata().tolist() for line in scores.figure.axes[0].lines] == [[33.3, 66.6]] * 2
    ElementTree.fromstring(scores.file)


def test_a_course_stands_on_the_page_and_in_a_table(make, results, capsys):
    make(model="mine")
    make(model="other")
    train(results, 1), train(results, 1, "other")
    train(results, 2, "mine", [Record(5, 0.5, 1e-3, 1.0, 0.9, None, 1.0)])
    assert main([str(results), "--model", "mine"]) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1]).read_text()
    assert re.findall(r'<section class="part" id="training-\d+">\s*<h3>(\w+)', page) == ["mine"], (
        "the other was not asked for"
    )
    assert "for each of 2 trainings, which differ by their seed" in page
    assert pl.read_csv(results / "analysis" / "tables" / "trainings.csv").height == len(COURSE) + 1
    assert (results / "analysis" / "figures" / "training-mine" / "loss.svg").is_file()


def test_one_that_cannot_be_read_is_left_out_with_a_warning(make, results, caplog):
    make()
    train(results, 1)
    (train(results, 2) / "history.jsonl").write_text("{}")
    found = read_results(results)
    assert found.trainings["seed"].unique().to_list() == [1]
    [line] = found.left_out
    assert line.startswith("trainings/mine-2: ")
    assert line in caplog.text


def test_trainings_alone_are_the_beginning_of_a_study_and_no_error(results, capsys):
    train(results)
    with pytest.raises(NothingMeasuredError):
        read_results(results)
    assert main([str(results)]) == 0
    assert "trainings (mine) and no outcomes yet" in capsys.readouterr().out
