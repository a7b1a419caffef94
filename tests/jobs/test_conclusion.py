"""The end of a sweep: what its jobs have found, how long a plan takes, and what a plan lacks."""

from pathlib import Path

import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides

from study.config import compose, to_study
from study.jobs.conclusion import conclusion
from study.jobs.plan import Duration
from study.jobs.task import StudyTask
from study.record.store import read_parts


def test_a_sweep_ends_with_its_strongest_head(place: Path) -> None:
    configs = [compose(*overrides(place, f"measure={measure}")) for measure in ("ablation", "no_head")]
    values = [StudyTask()(config) for config in configs]
    (line,) = StudyTask().conclude(configs, values)
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    correct = dict(read_parts(folder).rows.group_by("mask").agg(100 * pl.col("correct").mean()).iter_rows())
    full = "1" * 8
    lowest = min((score, key) for key, score in correct.items() if key.count("0") == 1)
    assert f"model on pairs  {correct[full]:.2f} % (n {NUM_PAIRS})  {lowest[0] - correct[full]:+.2f} without" in line
    off = lowest[1].index("0")
    assert f"encoder_self.{off // 4}.{off % 4}, the strongest of 8 heads" in line


def test_replacements_have_a_line_each(place: Path) -> None:
    others = [["replacement=uniform"], ["replacement=resample", "replacement.draws=2"]]
    configs = [compose(*overrides(place, "measure=no_head", "data.limit=6", *own)) for own in ([], *others)]
    values = [StudyTask()(config) for config in configs]
    lines = list(StudyTask().conclude(configs, values))
    names = ["model on pairs", "model on pairs, replacement uniform", "model on pairs, replacement resample in 2 draws"]
    assert [line.split("  ")[0] for line in lines] == names
    assert ["(n 6" in line for line in lines] == [True] * 3
    assert lines[2].endswith("(n 6, 2 draws of each)")


def test_a_sweep_of_which_nothing_is_stored_has_found_nothing(place: Path) -> None:
    assert not StudyTask().conclude([compose(*overrides(place, "measure=ablation"))], [{}])


@pytest.mark.parametrize(
    ("measures", "needs", "says"),
    [
        (("pruning",), "measure=importance", "Run measure=importance on data 'pairs' first"),
        (("importance", "pruning"), "measure=importance", ""),
        (("pruning_by_effect", "importance"), "measure=ablation", "Run measure=ablation on data 'pairs' first"),
        (("pruning_random",), "", ""),
    ],
)
def test_a_plan_names_only_what_none_of_its_jobs_does(
    place: Path, measures: tuple[str, ...], needs: str, says: str
) -> None:
    studies = [to_study(compose(*overrides(place, f"measure={measure}", "plan=true"))) for measure in measures]
    values = [{"expected": Duration(50.0), **({"needs": needs} if "pruning" in each else {})} for each in measures]
    total, *rest = conclusion(studies, values)
    seconds = {1: "50 s", 2: "2 min"}[len(measures)]
    assert total == f"All together: about {seconds}. Nothing was computed."
    assert "".join(rest).startswith(says)
    assert len(rest) == bool(says)


def test_what_cannot_be_planned_is_counted(place: Path) -> None:
    studies = [to_study(compose(*overrides(place, "plan=true")))] * 2
    total, *_ = conclusion(studies, [{"expected": Duration(7)}, {"state": "cannot be planned yet"}])
    assert total == "All together: about 7 s, besides 1 job of which that is not known yet. Nothing was computed."


def test_a_job_whose_model_is_not_here_is_not_called_planned(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = [word for word in overrides(place, "plan=true") if not word.startswith("model.path")]
    done = StudyTask()(compose(*words, "model.path=nobody/nothing"))
    assert done["state"] == "cannot be planned yet"
    assert "nobody/nothing" in done["needs"]
