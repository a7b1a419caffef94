"""What a notebook does: the numbers are those of the command line, and what is shown is a picture and a sentence."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.jobs import overrides
from fixtures.results import fill
from IPython import display
from polars.testing import assert_frame_equal

import sixteen_heads as heads
from analysis import analyse, read_results
from analysis.effects.head_effects import effects
from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.terminal import progress


def model(place: Path, results: Path, *more: str) -> heads.Model:
    options = [word for word in overrides(place) if not word.startswith(("model=", "data=", "results="))]
    return heads.Model("hf_classifier", "nli_file", *options, *more, results=results)


def test_effects_are_those_of_the_command_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = model(place, tmp_path / "notebook").effects()
    assert str(tmp_path / "notebook") in capsys.readouterr().out
    StudyTask()(compose(*overrides(place, "measure=ablation")))
    (stored,) = read_results(place / "results").domains
    expected = effects(stored).filter(measure="ablation")
    assert_frame_equal(found.all_columns, expected)
    assert_frame_equal(found.table.drop("head"), expected.select(found.table.columns[1:]))
    assert tuple(found.table["head"]) == tuple(map(str, found.domain.layout.heads))
    assert found.table.width <= 8  # what polars shows of a table without leaving columns out
    (read,) = heads.read(place / "results")
    assert_frame_equal(read.table, found.table)


def test_effects_and_correlations_show_themselves(place: Path, tmp_path: Path) -> None:
    home = model(place, tmp_path / "notebook").effects()
    assert home._repr_html_().count("<svg") == len(home.heat_maps()) == 1
    assert home.heat_map().svg in home._repr_html_()
    assert f"<p>{home!r}</p>" in home._repr_html_()
    with pytest.raises(InputError, match="a heat map of encoder_self, not of 'cross'"):
        home.heat_map("cross")

    away = model(place, tmp_path / "notebook", "data.name=other", "data.limit=100").effects()
    found = heads.correlation(home, away)
    assert found.table.height == 1
    assert found._repr_html_().count("<svg") == len(found.scatters()) == 1
    assert repr(found).startswith(f"pairs and other: r = {found.table['pearson'][0]:.2f} ")
    with pytest.raises(InputError, match="two data sets"):
        heads.correlation(home)


def test_replacements_are_named_and_correlated(place: Path, tmp_path: Path) -> None:
    studied = [model(place, tmp_path, f"replacement={name}") for name in ("zero", "uniform", "mean")]
    assert repr(studied[1]) == f"model on pairs, replacement uniform, stored in {tmp_path}"
    zero, uniform, mean = (each.effects() for each in studied)
    assert repr(zero).startswith("model on pairs: ")
    assert repr(mean).startswith("model on pairs, replacement mean: ")
    found = heads.correlation(zero, uniform, mean)
    assert found.table["domains"].to_list()[0] == "replacement zero / replacement uniform"
    pair = np.corrcoef(zero.table["effect"], uniform.table["effect"])[0, 1]
    assert found.table["pearson"][0] == pytest.approx(pair)
    along = analyse(read_results(tmp_path), splits=2, axes=["replacement"]).along
    assert along is not None
    by_cells = {frozenset([row["cell_a"], row["cell_b"]]): row for row in along.pairs.rows(named=True)}
    row = by_cells[frozenset(["zero", "mean"])]
    assert (row["pearson"], row["true"]) == (found.table["pearson"][1], found.table["true"][1])
    other = model(place, tmp_path, "replacement=uniform", "data.name=other", "data.limit=100").effects()
    with pytest.raises(InputError, match="several replacements on one data set"):
        heads.correlation(zero, other)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"model": "tiny"}, "one model, not of tiny and toy: .* --along family"),
        ({"model": "toy"}, r"the settings of toy differ in subject\.weights \(.*\)\. .*--along AXIS"),
    ],
)
def test_other_models_are_named(tmp_path: Path, other: dict, words: str) -> None:
    fill(tmp_path, "accuracy", model="toy", data="home")
    fill(tmp_path, "accuracy", data="away", weights_file="other", **other)
    with pytest.raises(InputError, match=words):
        heads.correlation(*heads.read(tmp_path))


def test_effects_given_twice_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "accuracy", model="toy", data="home")
    (found,) = heads.read(tmp_path)
    with pytest.raises(InputError, match="some effects of toy are given twice"):
        heads.correlation(found, found)


def test_outcomes_of_masks_by_address(place: Path, tmp_path: Path) -> None:
    studied = model(place, tmp_path / "notebook")
    assert repr(studied) == f"model on pairs, stored in {tmp_path / 'notebook'}"
    rows = studied.outcomes([studied.heads[:1]])
    full = studied.layout.full_key
    assert rows["mask"].unique(maintain_order=True).to_list() == [full, "0" + full[1:]]


@pytest.mark.parametrize("name", ["analysis", "study"])
def test_a_file_of_the_users_is_named_and_not_run(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong file')\n")
    code = "import sixteen_heads as heads; heads.Model"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"`{name}` is {tmp_path / name}.py" in run.stderr
    assert "rename that file" in run.stderr


def test_a_bar_in_a_notebook_grows_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Cell:
        def display(self, picture: display.HTML) -> None:
            shown.append(str(picture.data))

        update = display

    monkeypatch.setattr(progress.CONSOLE, "is_jupyter", True)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_PICTURES", 0.0)
    monkeypatch.setattr(display, "DisplayHandle", Cell)
    with progress.progress("a < b", total=20, unit="rows") as advance:
        advance(5)
        advance(15)
    for picture, done in zip(shown, (0, 5, 20), strict=False):
        assert picture.startswith(f"a &lt; b <progress max=20 value={done}></progress>")
    assert "20/20 rows" in shown[2]
    assert shown[-1] == ""


def test_of_one_group_nothing_is_said_of_significance(tmp_path: Path) -> None:
    fill(tmp_path, "accuracy", model="toy", data="home", count=3)
    (found,) = heads.read(tmp_path)
    assert "Nothing is said of significance, 1 group of 3 examples" in repr(found)


def test_names_are_no_markup(tmp_path: Path) -> None:
    fill(tmp_path, "accuracy", model="toy", data="home", count=30)
    (found,) = heads.read(tmp_path)
    named = replace(found, domain=replace(found.domain, data="a<b>&c"))
    assert "<p>toy on a&lt;b&gt;&amp;c: " in named._repr_html_()


def test_a_results_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "O'Brien's results, new"
    assert repr(heads.Model("toy_classifier", "toy_matched", results=folder)).endswith(f"stored in {folder}")
