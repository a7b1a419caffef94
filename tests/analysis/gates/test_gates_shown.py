"""What people see of gates: the section of the page, its figures, the terminal, methods, files, W&B."""

import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, fill
from made_trainings import LEARNED, MODEL, SUBSET, UNPRUNED, by_order, fill_gated
from rich.console import Console

import sixteen_heads as heads
from analysis import Analysis, analyse, figures, read_results, write_report
from analysis.figures.gates.course_maps import MOST_COLUMNS
from analysis.figures.gates.score_curves import side_by_side
from analysis.inference import Inference
from analysis.page.methods import bibtex, methods
from analysis.report import result_tables
from analysis.results.cells import grids
from analysis.terminal import print_gates
from analysis.tracking.wandb_runs import PushOptions, planned_runs
from study.record.curves import Curve, write_curve
from study.record.errors import InputError
from study.record.factors import Factors

FAST = Inference(resamples=200)


def study(results: Path) -> None:
    """Two seeds of every method, a control from scratch, and a lambda under which gates stay undecided."""
    for seed in range(2):
        fill_gated(results, UNPRUNED, range(16), seed=seed)
        fill_gated(results, LEARNED, range(seed, seed + 6), seed=seed, harm=0.01, moments=5, undecided=2)
        fill_gated(results, SUBSET, (0, 5, 10, 15 - seed), seed=seed, harm=0.4, moments=5)
        fill_gated(results, by_order("importance", 4), range(4), seed=seed, harm=0.6)
    fill_gated(results, by_order("gates", 4), (0, 5, 10, 15), harm=0.9, scratch=True)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """An analysis and its page."""
    results = tmp_path_factory.mktemp("gates") / "results"
    study(results)
    analysis = analyse(read_results(results), FAST)
    return analysis, write_report(analysis, results / "analysis")


def test_the_page_has_a_section_with_every_method_and_what_is_unfair(shown: tuple[Analysis, Path]) -> None:
    _, page = shown
    html = page.read_text()
    section = html[html.index('<section class="whole" id="gates"') :]
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    for said in ("Hard Concrete gates", "learned subset", "kept by importance", "kept by gates, from scratch"):
        assert said in text
    assert "up to 2 of 16 gates are undecided at the end (λ 0.05)" in text
    assert "against the un-pruned model trained as long: Hard Concrete gates 6 of 16 (38 %), " in text
    assert "none of those tried: " in text
    assert "every seed keeps 3 of 16 heads of encoder self-attention with 4 heads (2 seeds of 4; by chance 1.0" in text
    assert not re.search(r"<th[^>]*>\s*<dfn", section), "a head of a column is what sorts it, and says no more"
    for term in ("undecided gates", "fractional gates"):
        assert f'id="term-{term.replace(" ", "-")}"' in html


def test_every_figure_has_files_and_the_data_behind_it(shown: tuple[Analysis, Path]) -> None:
    analysis, page = shown
    folder = page.parents[1] / "figures" / "gates"
    names = {path.stem.split("-")[0] for path in folder.glob("*.svg")}
    assert names == {"score", "open", "course", "survivors"}
    (scores,) = folder.glob("score-*.csv")
    assert scores.read_text().count("\n") == analysis.gates.curves.height + 1  # type: ignore[union-attr]
    tables = {path.stem for path in (page.parents[1] / "tables").glob("gates*.csv")}
    assert tables == set(analysis.gates.tables)  # type: ignore[union-attr]
    assert set(analysis.gates.tables) <= set(result_tables(analysis))  # type: ignore[union-attr]
    sheet = (page.parents[1] / "tables" / "paper" / "gates.tex").read_text()
    (row,) = analysis.gates.curves.filter(method="learned subset").rows(named=True)  # type: ignore[union-attr]
    (line,) = (line for line in sheet.splitlines() if "learned subset &" in line)
    cells = [cell.strip() for cell in line.rstrip("\\ ").split("&")]
    assert cells[2:7] == ["--", "200", "4", "16", "2"]
    assert cells[7] == f"{row['score']:.2f}"
    assert cells[10] == f"{row['difference']:+.2f}".replace("-", "$-$")
    assert cells[9] == cells[12] == "--", "two seeds have no interval over seeds"


def test_methods_that_keep_as_many_heads_stand_side_by_side() -> None:
    rows = [("a", 6.0, False), ("b", 6.0, False), ("c", 6.0, False), ("a", 8.0, False), ("un-pruned", 16.0, True)]
    curves = pl.DataFrame(rows, schema=["method", "kept", "reference"], orient="row").with_columns(heads=16)
    aside = dict(zip([row[:2] for row in rows], side_by_side(curves)["aside"], strict=True))
    assert aside["a", 6.0] == -aside["c", 6.0] != 0
    assert aside["b", 6.0] == aside["a", 8.0] == aside["un-pruned", 16.0] == 0
    assert abs(aside["a", 6.0]) < 0.5, "a point is still that of its number"


def test_the_map_of_gates_shows_every_head_on_either_ground() -> None:
    heads = CLASSIFIER.heads
    opened = np.linspace(1, 0, 200)[:, None] * np.ones(16)
    drawing = figures.course_map(range(0, 2000, 10), heads, opened, "seed 0", "gates/map")
    assert drawing.svg.count("<image") == 2, "the gates, and their scale"
    assert "encoder_self.3.3: open by 1.00 at first, by 0.00 at the end" in drawing.svg
    assert drawing.svg.count("data-head=") == 16
    assert drawing.data.shape == (200, 17)
    assert len(drawing.svg) < 40_000
    image = drawing.figure.axes[0].images[0].get_array()
    assert image.shape == (16, MOST_COLUMNS, 4)
    assert image[0, 0, 3] == 1, "open: the whole colour"
    assert image[0, -1, 3] == 0, "closed: clear, on light and on dark ground"
    assert drawing.pdf().startswith(b"%PDF")


def test_the_terminal_says_it_within_its_width(shown: tuple[Analysis, Path]) -> None:
    analysis, _ = shown
    out = io.StringIO()
    print_gates(analysis.gates, Console(file=out, width=80))  # type: ignore[arg-type]
    said = out.getvalue()
    assert max(map(len, said.splitlines())) <= 80
    assert re.search(r"Hard Concrete gates, λ 0\.05 +6 +2 +\d\d\.\d\d +[−\d]", said)
    assert "Mind: toy_gated on home, Hard Concrete gates: up to 2 of 16 gates are undecided" in said
    assert re.search(r"kept by importance +4 heads +2 +−\d", said)


def test_a_notebook_has_the_same_tables_and_figures(shown: tuple[Analysis, Path], tmp_path: Path) -> None:
    analysis, page = shown
    assert analysis.gates is not None
    folder = page.parents[2]
    found = heads.gates(folder, FAST)
    assert found.table.equals(analysis.gates.curves)
    assert found.trainings.equals(analysis.gates.kept)
    assert found.differences.equals(analysis.gates.differences)
    assert found.survivors.equals(analysis.gates.survivors)
    names = [drawing.name for drawing in (*found.scores(), *found.courses(), *found.survivor_maps())]
    assert all((page.parents[1] / "figures" / f"{name}.svg").is_file() for name in names)
    assert analysis.gates.sentences[0] in str(found)
    fill(tmp_path, "accuracy", model="toy", data="home")
    with pytest.raises(InputError, match="no training with gates"):
        heads.gates(tmp_path)


def test_a_run_of_effects_in_wandb_has_the_heads_kept_and_the_score(
    shown: tuple[Analysis, Path], tmp_path: Path
) -> None:
    analysis, _ = shown
    assert analysis.gates is not None
    runs = [
        planned.run for planned in planned_runs(analysis, PushOptions(tmp_path)) if planned.run.measure == "effects"
    ]
    assert len(runs) == analysis.gates.kept.height
    rows = analysis.gates.kept.rows_by_key("setting_id", named=True, unique=True)
    for run in runs:
        row = rows[run.setting_id]
        assert (run.summary["kept"], run.summary["kept_score"]) == (row["kept"], row["score"])
        assert run.config.get("gates", "none") in {"none", *(place.gates for place in places(analysis))}


def places(analysis: Analysis) -> list[Factors]:
    return [domain.factors[0] for domain in analysis.results.domains]


def test_methods_cite_those_who_thought_of_it(shown: tuple[Analysis, Path]) -> None:
    text = methods(shown[0])
    assert "after equal updates, with the un-pruned model trained as long" in text
    entries = bibtex(text)
    for key in ("louizos2018learning", "voita2019analyzing", "li2021differentiable", "behnke2020losing"):
        assert key in text
        assert f"{{{key}," in entries


def test_heads_are_compared_along_gates_where_single_ones_were_removed(make, results: Path) -> None:
    fill_gated(results, UNPRUNED, range(16))
    fill_gated(results, SUBSET, range(4))
    with pytest.raises(InputError, match="No setting has the effect of a single head"):
        grids(read_results(results), ["gates"])
    for at, gates in enumerate((None, "subset 4")):
        place = Factors(MODEL, "abroad", "float32", seed=0, initial="w", gates=gates)
        store = make(model=MODEL, data="abroad", weights_file=f"w{at}", factors=place)
        if gates:
            options = {"method": "subset", "training": "t"}
            full = CLASSIFIER.full_key
            write_curve(Curve("kept", options, (), 16, (0, 0), (full, full), 30, ()), store.folder)
    read = read_results(results)
    (grid,) = grids(read, ["gates"]).grids
    assert grid.values("gates") == ("none", "subset 4")
    analysis = analyse(read, FAST)
    assert [own[0].subject for own in analysis.subjects.values()] == [MODEL, f"{MODEL}, subset 4"]
    assert analysis.namesakes == (f"gates none and gates subset 4 of {MODEL}; --along gates compares their heads",)
    assert not analyse(read, FAST, axes=["gates"]).namesakes
