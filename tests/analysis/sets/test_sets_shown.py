"""What people see of sets of heads: sections of the page, figures, files, the terminal, a notebook, W&B, methods."""

import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import fill
from fixtures.sets.games import quadratic
from made_games import LAYOUT, all_design, fill_game, kernel_design, near_design, pair_design
from rich.console import Console

import sixteen_heads as heads
from analysis import Analysis, analyse, figures, read_results, write_report
from analysis.figures.sets.interaction_maps import MOST_CELLS
from analysis.inference import Inference
from analysis.page.methods import bibtex, methods
from analysis.report import result_tables
from analysis.sets.clustering import families
from analysis.terminal import print_sets
from analysis.tracking.wandb_runs import PushOptions, planned_runs
from study.record.designs.files import FOLDER
from study.record.errors import InputError

FAST = Inference(resamples=300)
WORTH = np.array([0.1, 0.05, 0.2, 0.1, 0.3, 0.1, 0.1, 0.2])


def game(on: np.ndarray) -> float:
    both = np.zeros((8, 8))
    both[0, 1], both[2, 3] = 1.2, -1.4
    return quadratic(WORTH, both)(on)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """An analysis and its page."""
    results = tmp_path_factory.mktemp("sets") / "results"
    designs = [pair_design(), pair_design(within="all"), kernel_design(240), near_design(60)]
    fill_game(results, game, designs, noise=0.02, count=300)
    analysis = analyse(read_results(results), FAST)
    return analysis, write_report(analysis, results / "analysis")


def text_of(page: Path, anchor: str) -> str:
    html = page.read_text()
    section = html[html.index(f'<section class="whole" id="{anchor}"') :]
    return " ".join(re.sub(r"<[^>]+>", " ", section[: section.index("</section>")]).split())


def test_the_page_says_which_pairs_are_redundant(shown: tuple[Analysis, Path]) -> None:
    text = text_of(shown[1], "pairs")
    assert "toy on home: of 12 pairs of heads in one layer 1 is redundant and 1 is complementary" in text
    assert "Either suffices: L0H2 and L0H3, −1.39" in text
    assert re.search(r"One needs the other: L0H0 and L0H1, \+1\.[12]", text)
    assert "of 28 pairs of heads 1 is redundant" in text
    assert "selected on 50 groups of examples" in text


def test_the_page_shares_the_score_out(shown: tuple[Analysis, Path]) -> None:
    text = text_of(shown[1], "shapley")
    assert re.search(r"8 heads share \+0\.9\d* nats \(\+0\.\d+ to \+[01]\.\d+\) \(Shapley", text)
    assert re.search(r"Removed one at a time, the heads lose \+[\d.]+ nats \(\+[\d.]+ to \+[\d.]+\) together", text)
    assert "(Shapley values from 240 coalitions)" in text
    assert "stays on with probability 0.9, the largest contributions are" in text
    assert re.search(
        r"sets of 4 of 8 heads score [\d.]+ % on average \([\d.]+ % to [\d.]+ %, over sets\); chance is", text
    )
    assert "interaction over all contexts" in text


def test_every_figure_and_table_has_a_file(shown: tuple[Analysis, Path]) -> None:
    analysis, page = shown
    folder = page.parents[1]
    kinds = {path.stem.split("-")[0] for path in (folder / "figures" / "sets").glob("*.svg")}
    assert kinds == {"pairs", "graph", "shapley", "sizes"}
    assert analysis.sets is not None
    for name, table in analysis.sets.tables.items():
        assert table.height
        assert result_tables(analysis)[name].equals(table)
        assert (folder / "tables" / f"{name}.csv").is_file()
    sheet = (folder / "tables" / "paper" / "pairs.tex").read_text()
    assert sheet.count("redundant") >= 2
    assert "removed alone" in (folder / "tables" / "paper" / "shapley.tex").read_text()


def test_maps_mark_named_pairs_and_large_ones_are_pictures(shown: tuple[Analysis, Path]) -> None:
    analysis, _ = shown
    assert analysis.sets is not None
    (first, *_) = heads.pairs(analysis.results.folder, FAST).maps()
    assert ">*<" in first.svg
    assert "encoder_self.0.2 and encoder_self.0.3: −1.39" in first.svg
    names = [f"a{number}" for number in range(MOST_CELLS + 1)]
    one = analysis.sets.pairs.filter(scale="loss").head(1)
    one = one.with_columns(name_a=pl.lit("a0"), name_b=pl.lit("a1"))
    large = figures.interaction_map(np.zeros((len(names), len(names))), names, one, 1.0, "many", "sets/many")
    assert "<image" in large.svg
    assert "data-head" not in large.svg


def test_units_that_pairs_connect_stand_together() -> None:
    matrix = np.full((5, 5), np.nan)
    for i, j, value in ((0, 1, 0.3), (0, 2, -2.0), (1, 2, 0.1), (3, 4, 0.5)):
        matrix[i, j] = matrix[j, i] = value
    first, second = families(matrix)
    assert sorted(first) == [0, 1, 2]
    assert abs(first.index(0) - first.index(2)) == 1, "redundant units are neighbours"
    assert second == [3, 4]


def test_the_terminal_says_the_same_within_its_width(shown: tuple[Analysis, Path]) -> None:
    analysis, _ = shown
    out = io.StringIO()
    print_sets(analysis.sets, Console(file=out, width=80))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "Either suffices: L0H2 and L0H3" in " ".join(out.getvalue().split())
    print_sets(None, Console(file=out))


def test_a_notebook_has_the_same_tables_and_figures(shown: tuple[Analysis, Path], tmp_path: Path) -> None:
    analysis, page = shown
    assert analysis.sets is not None
    folder = page.parents[2]
    pairs, shapley = heads.pairs(folder, FAST), heads.shapley(folder, FAST)
    assert pairs.table.equals(analysis.sets.pairs)
    assert pairs.redundancy.equals(analysis.sets.redundancy)
    assert shapley.table.equals(analysis.sets.shapley)
    assert shapley.interactions.equals(analysis.sets.shapley_pairs)
    drawn = [*pairs.maps(), *pairs.graphs(), *shapley.values(), *shapley.curves()]
    assert all((page.parents[1] / "figures" / f"{drawing.name}.svg").is_file() for drawing in drawn)
    assert "Either suffices" in str(pairs)
    assert "Shapley values from" in str(shapley)
    fill(tmp_path, "accuracy", model="toy", data="home")
    with pytest.raises(InputError, match="no pairs of heads: measure=pairs"):
        heads.pairs(tmp_path)
    with pytest.raises(InputError, match="no Shapley values of heads: measure=shapley"):
        heads.shapley(tmp_path)
    with pytest.raises(InputError, match="no set that was chosen: measure=sufficient"):
        heads.sufficient(tmp_path)


def test_wandb_has_tables_and_figures(shown: tuple[Analysis, Path], tmp_path: Path) -> None:
    (report,) = (
        planned for planned in planned_runs(shown[0], PushOptions(tmp_path)) if planned.run.measure == "report"
    )
    names = set(report.media())
    assert {"pairs", "shapley"} <= {name.split("/")[-1] for name in names}


def test_methods_cite_those_who_thought_of_it(shown: tuple[Analysis, Path]) -> None:
    text = methods(shown[0])
    for key in ("hall1991two", "shapley1953value", "lundberg2017unified"):
        assert key in text
        assert f"{{{key}," in bibtex(text)


def test_what_is_not_whole_is_said(results: Path) -> None:
    few, whole = kernel_design(8), all_design()
    fill_game(results, game, [few, whole], lacking=whole.keys(LAYOUT)[100:101])
    found = analyse(read_results(results), FAST).sets
    assert found is not None
    said = " ".join(found.warnings)
    assert "10 coalitions do not tell 8 units apart: take 64 or more" in said
    assert "100 of 256 coalitions have all outcomes" in said
    with pytest.raises(InputError, match="10 coalitions do not tell 8 units apart"):
        heads.shapley(results)


def test_without_designs_nothing_is_read_twice(make, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make()
    monkeypatch.setattr("analysis.results.designs.stored_design.read_parts", lambda *_, **__: pytest.fail("read"))
    assert read_results(results).designs == ()
    assert not (store.folder / FOLDER).exists()
