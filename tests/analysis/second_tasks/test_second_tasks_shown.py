"""What people see of second tasks: the section of the page, its figures, the terminal, methods, files, W&B."""

import io
import re
from pathlib import Path

import pytest
from fixtures.results import fill
from fixtures.second_tasks.stored import ALL, BIASES, FREE, LORA, OUTPUT, fill_first, fill_later
from rich.console import Console

import sixteen_heads as heads
from analysis import Analysis, analyse, read_results, write_report
from analysis.figures.second_tasks.control_rows import counted
from analysis.inference import Inference
from analysis.page.methods import bibtex, methods
from analysis.report import result_tables
from analysis.terminal import print_second_tasks
from analysis.tracking.wandb_runs import PushOptions, planned_runs
from study.record.errors import InputError

FAST = Inference(resamples=200)


def study(results: Path) -> None:
    """Two numbers of free heads and controls on two seeds, a chain of three, and one proof that has failed."""
    first = fill_first(results, freed=[range(3), range(6)])
    for seed in range(2):
        for options, skill in ((OUTPUT, 0.0), (BIASES, 0.15), (ALL, 0.5)):
            fill_later(results, first, options, freed=range(6), seed=seed, skill=skill, forgets=0.4)
        fill_later(results, first, FREE, freed=range(3), seed=seed, skill=0.1)
        mood = fill_later(results, first, FREE, freed=range(6), seed=seed, skill=0.3, single=not seed)
    fill_later(results, mood, FREE, task="topic", data=["topic"], freed=(0, 1), model="toy_further")
    fill_later(results, first, LORA, freed=range(6), unlike=2, skill=0.3)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """An analysis and its page."""
    results = tmp_path_factory.mktemp("second_tasks") / "results"
    study(results)
    analysis = analyse(read_results(results), FAST)
    return analysis, write_report(analysis, results / "analysis")


def test_the_page_answers_in_sentences_and_shows_what_has_failed_in_red(shown: tuple[Analysis, Path]) -> None:
    html = shown[1].read_text()
    section = html[html.index('<section class="whole" id="second-tasks"') :]
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert 'class="missing fails"><b>A proof has failed:</b> nli is NOT what it was' in section
    assert (
        "mood after nli (toy_then), 6 of 16 heads free (38 %), free heads by importance. Yes, free heads hold" in text
    )
    assert "of what all weights gain" in text
    assert re.search(r"nli goes from 7\d\.\d\d to \d\d\.\d\d with the heads left to it: −\d", text)
    for said in ("output layer alone", "biases and norms", "LoRA", "all weights"):
        assert said in text
    assert "fewer than 5 seeds" in text
    assert 'id="term-free-heads"' in html
    assert not re.search(r"<th[^>]*>\s*<dfn", section), "a head of a column is what sorts it, and says no more"


def test_each_order_of_free_heads_has_a_line_of_its_own(tmp_path: Path) -> None:
    first = fill_first(tmp_path, freed=[range(3), range(6)])
    for order, skill in (("importance", 0.3), ("effect", 0.1)):
        for number in (3, 6):
            options = {**FREE, "order": {"name": order}}
            fill_later(tmp_path, first, options, freed=range(number), skill=skill)
    drawings = heads.second_tasks(tmp_path, FAST).drawings()
    curves = [one for one in drawings if Path(one.name).name.startswith(("score", "loss", "cost"))]
    assert len(curves) == 3
    for panel in (one.panel for one in curves):
        assert [sample.label for sample in panel.key] == ["free heads by effect", "free heads by importance"]
        lines = [line for line in panel.axes.get_lines() if list(line.get_xdata()) == [3, 6]]
        assert len({line.get_color() for line in lines}) == len(lines) == 2


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (1, "bars: 95 % over examples; one seed, no spread"),
        (2, "bars: 95 % over examples"),
        (5, "bars: 95 % over seeds"),
    ],
)
def test_a_capacity_curve_says_what_its_bars_are_over(tmp_path: Path, seeds: int, words: str) -> None:
    first = fill_first(tmp_path)
    for seed in range(seeds):
        for number in (3, 6):
            fill_later(tmp_path, first, FREE, freed=range(number), seed=seed, skill=0.3)
    found = heads.second_tasks(tmp_path, FAST)
    (score,) = (one for one in found.drawings() if Path(one.name).name.startswith("score"))
    assert score.panel.x.splitlines() == ["free heads, of 16", words]
    (row,) = found.table.filter(name="free_heads", fewest=6).rows(named=True)
    over = "score_seeds" if seeds == 5 else "score"
    bars = [path.vertices[:, 1] for own in score.panel.axes.collections for path in own.get_paths()]
    assert any(ends == pytest.approx([row[f"{over}_low"], row[f"{over}_high"]]) for ends in bars if len(ends) == 2)


def test_one_number_is_no_curve(tmp_path: Path) -> None:
    first = fill_first(tmp_path, freed=[range(6)])
    fill_later(tmp_path, first, FREE, freed=range(6), skill=0.3)
    assert heads.second_tasks(tmp_path, FAST).drawings() == []


def test_every_figure_and_table_has_its_file(shown: tuple[Analysis, Path]) -> None:
    analysis, page = shown
    assert analysis.second_tasks is not None
    folder, tables = page.parents[1] / "figures" / "second_tasks", page.parents[1] / "tables"
    names = {path.stem.split("-")[0] for path in folder.glob("*.svg")}
    assert names == {"score", "loss", "cost", "controls", "heads"}
    assert {path.stem for path in tables.glob("second_tasks*.csv")} == set(analysis.second_tasks.tables)
    assert set(analysis.second_tasks.tables) <= set(result_tables(analysis))
    sheet = (tables / "paper" / "second_tasks.tex").read_text()
    (row,) = analysis.second_tasks.curves.filter(name="all_weights").rows(named=True)
    (line,) = (line for line in sheet.splitlines() if "all weights &" in line)
    cells = [cell.strip() for cell in line.rstrip("\\ ").split("&")]
    assert cells[2:6] == ["125", "--", "16", "2"]
    assert cells[6] == "1,000,000"
    assert cells[7] == f"{row['score']:.2f}"
    assert cells[9] == f"{row['gain']:+.2f}"


def test_the_terminal_says_it_within_its_width(shown: tuple[Analysis, Path]) -> None:
    out = io.StringIO()
    print_second_tasks(shown[0].second_tasks, Console(file=out, width=80))  # type: ignore[arg-type]
    said = out.getvalue()
    assert max(map(len, said.splitlines())) <= 80
    assert re.search(r"free heads by importance +6 +2 +\d\d\.\d\d +\+\d+\.\d\d +−\d", said)
    assert re.search(r"output layer alone +– +2 +\d\d\.\d\d +– +0\.00", said)
    assert "A proof has failed: nli is NOT what it was" in said


def test_a_notebook_has_the_same_tables_and_figures(shown: tuple[Analysis, Path], tmp_path: Path) -> None:
    analysis, page = shown
    assert analysis.second_tasks is not None
    found = heads.second_tasks(page.parents[2], FAST)
    assert found.table.equals(analysis.second_tasks.curves)
    assert found.trainings.equals(analysis.second_tasks.later)
    assert found.controls.equals(analysis.second_tasks.controls)
    assert found.earlier.equals(analysis.second_tasks.earlier)
    assert found.proofs.equals(analysis.second_tasks.proofs)
    assert found.heads.equals(analysis.second_tasks.heads), "effects are computed where nobody gives them"
    assert all((page.parents[1] / "figures" / f"{one.name}.svg").is_file() for one in found.drawings())
    assert str(found).startswith("A proof has failed: nli")
    fill(tmp_path, "accuracy", model="toy", data="home")
    with pytest.raises(InputError, match="no model that was taught a later task"):
        heads.second_tasks(tmp_path)


def test_a_run_in_wandb_has_the_free_heads_and_the_numbers_moved(shown: tuple[Analysis, Path], tmp_path: Path) -> None:
    analysis, _ = shown
    assert analysis.second_tasks is not None
    later = analysis.second_tasks.later.rows_by_key("setting_id", named=True, unique=True)
    runs = {planned.run.setting_id: planned.run for planned in planned_runs(analysis, PushOptions(tmp_path))}
    for id_, row in later.items():
        assert runs[id_].summary.get("freed") == row["freed"]
        assert runs[id_].summary["numbers_moved"] == row["parameters"]


def test_methods_cite_those_who_thought_of_it(shown: tuple[Analysis, Path]) -> None:
    text = methods(shown[0])
    entries = bibtex(text)
    for key in ("mallya2018packnet", "benzaken2022bitfit", "hu2022lora"):
        assert key in text
        assert f"{{{key}," in entries


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0"), (999, "999"), (61_440, "61.4 k"), (1e6, "1 M"), (1.1e8, "110 M")]
)
def test_large_numbers_are_counted_in_short(number: float, words: str) -> None:
    assert counted(number) == words
