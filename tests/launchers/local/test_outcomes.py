"""What is shown of the jobs of a sweep, on a wide and on a narrow terminal."""

import io

from rich.console import Console

from launchers.local.outcomes import common_name, merge, print_outcomes

NAMES = [f"model.training.seed={seed} measure={measure}" for seed in (0, 1) for measure in ("train", "gates")]
ROWS = [{"state": "planned", "missing": 1200}, {"state": "cannot be planned yet", "needs": "its training"}] * 2


def shown(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_outcomes(console, NAMES, ROWS)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_jobs_of_which_all_is_equal_share_a_line() -> None:
    names = [name for name, _ in merge(NAMES, ROWS)]
    assert names == ["model.training.seed=0,1 measure=train", "model.training.seed=0,1 measure=gates"]
    assert len(merge(NAMES, [{"state": "done", "base": base} for base in range(4)])) == 4


def test_one_name_is_of_every_combination_or_of_none() -> None:
    assert common_name(["a=1 b=1", "a=2 b=2"]) == ["a=1 b=1", "a=2 b=2"]
    assert common_name(["a=1 b=1", "a=1 b=2", "a=2 b=1", "a=2 b=2"]) == ["a=1,2 b=1,2"]
    assert common_name(["(defaults)"]) == ["(defaults)"]


def test_a_table_that_is_too_wide_becomes_a_paragraph_a_job() -> None:
    wide, narrow = shown(140), shown(60)
    assert len([line for line in wide.splitlines() if "model.training.seed=0,1" in line]) == 2
    assert "needs" in wide.splitlines()[1]
    assert [line.rstrip() for line in narrow.splitlines()] == [
        "model.training.seed=0,1 measure=train",
        "    planned; missing: 1,200",
        "model.training.seed=0,1 measure=gates",
        "    cannot be planned yet; needs: its training",
    ]
