"""Sections on attention: what a reader finds there, and that a page without attention rows is as it was."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.attention.planted import fill_attention
from fixtures.attention.planted_rows import plant, plant_divergence
from fixtures.results import CLASSIFIER, curve_of, fill

from analysis import Inference, analyse, read_results
from analysis.__main__ import main
from analysis.page import ResultsPage
from analysis.page.tiles import roles_tile
from analysis.roles.words import roles_words

FAST = Inference(resamples=199)
SECTIONS = ("attention", "roles", "roles-matter", "attention-correlations", "attention-clusters")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with roles, effects, an order and divergences, and the same with random weights."""
    results = tmp_path_factory.mktemp("attention")
    weights = np.random.default_rng(0).uniform(0, 0.1, len(CLASSIFIER))
    full = {CLASSIFIER.full_key: CLASSIFIER.full()}
    single = full | {CLASSIFIER.key(mask): mask for mask in CLASSIFIER.each_off()}
    made = {"model": "toy", "data": "home", "count": 60}
    store = fill(results, "accuracy", weights=weights, masks=single, curves=[curve_of(CLASSIFIER.heads)], **made)
    plant(store, {0: {"previous": 0.8}, 5: {"previous": 0.9}, 6: {"separator": 0.9}}, noise=0.1)
    points = np.random.default_rng(1).normal(size=(16, 2))
    plant_divergence(store, np.sqrt(np.square(points[:, None] - points).sum(axis=-1)))
    made |= {"model": "toy-untrained", "subject": {"untrained": 0}}
    plant(fill(results, "accuracy", masks=full, **made), {3: {"entropy": 4.2}}, noise=0.1)
    return results


@pytest.fixture(scope="module")
def page(folder: Path) -> ResultsPage:
    return ResultsPage.of(analyse(read_results(folder), FAST))


def test_a_page_has_every_section_and_its_figures(page: ResultsPage) -> None:
    html = page.html()
    anchors = [section.anchor for section in page.sections]
    assert [anchor for anchor in anchors if anchor in SECTIONS] == list(SECTIONS)
    assert all(f'id="{anchor}"' in html for anchor in SECTIONS)
    assert len({drawing.name for drawing in page.drawings}) == len(page.drawings)
    drawn = [drawing.name for drawing in page.drawings if drawing.name.startswith("attention/")]
    for part in ("previous-encoder_self", "roles-1", "roles-left-1", "correlations-1", "plane", "root-effects"):
        assert any(part in name for name in drawn), part


def test_roles_are_told_in_words_beside_random_weights(page: ResultsPage) -> None:
    roles = next(section for section in page.sections if section.anchor == "roles")
    (toy,) = roles.readings  # type: ignore[attr-defined]
    assert toy.sentence == (
        "3 of 16 heads of toy on home have a role (1 with random weights): previous-token 2 (0), separator 1 (0), "
        "broad 0 (1), relatively broad 0 (1). A head may have several."
    )
    rows = {row.title: row for row in toy.rows}
    assert (rows["previous-token"].decided, rows["previous-token"].random) == (2, 0)
    assert rows["previous-token"].names == "L0H0, L1H1"
    assert (rows["broad"].decided, rows["broad"].random) == (0, 1)


def test_roles_that_random_weights_were_not_asked_for_have_no_bracket(folder: Path) -> None:
    found = analyse(read_results(folder), FAST).attention
    assert found is not None
    unknown = pl.when(pl.col("role") == "separator").then(None).otherwise(pl.col("control_decided"))
    vars(found)["counts"] = found.counts.with_columns(control_decided=unknown)
    reading = next(each for each in found.readings if each.model == "toy")
    assert "previous-token 2 (0), separator 1, " in roles_words(found, reading)


def test_a_tile_counts_heads_with_roles_that_random_weights_have_not(page: ResultsPage) -> None:
    tiles = {view.label: list(roles_tile(view)) for view, _ in page.subjects}
    (toy,), (untrained,) = tiles["toy"], tiles["toy-untrained"]
    assert [(number.value, number.range, number.where) for number in toy.numbers] == [("3 of 16", "learned", "home")]
    assert [(number.value, number.range) for number in untrained.numbers] == [("1 of 16", "")]
    assert "Learned: in roles that no head has with random weights." in page.html()


def test_no_cause_is_claimed(page: ResultsPage) -> None:
    assert "does not show that a head matters because of its role" in page.html()


def test_maps_say_every_number_when_a_cell_is_pointed_at(page: ResultsPage) -> None:
    drawing = next(each for each in page.drawings if "previous-encoder_self" in each.name)
    row = drawing.data.filter(layer=1, head=1).row(0, named=True)
    assert f"encoder_self.1.1: {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in drawing.svg
    assert 'data-head="encoder_self.1.1"' in drawing.svg


def test_tables_and_the_terminal_have_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    options = ["--resamples", "199", "--splits", "5", "--role", "separator=0.95", "--model", "toy"]
    assert main([str(folder), "--out", str(out), *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 16 heads of toy on home have a role: previous-token 2. A head may have several." in said
    assert "lie" in said
    names = {path.stem for path in (out / "tables").glob("*.csv")}
    assert {"attention", "attention_offsets", "roles", "role_effects", "roles_left"} <= names
    assert {"attention_correlations", "attention_clusters"} <= names
    counts = pl.read_csv(out / "tables" / "role_counts.csv")
    assert dict(counts.select("role", "decided").iter_rows())["previous"] == 2
    roles = pl.read_csv(out / "tables" / "roles.csv").filter(role="separator")
    assert roles["threshold"].unique().to_list() == [0.95]


def test_a_threshold_of_no_role_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, said in (("positonal=1", "did you mean 'positional'"), ("positional=much", "gives no threshold")):
        with pytest.raises(SystemExit):
            main([str(folder), "--role", wrong])
        assert said in capsys.readouterr().err


def test_texts_that_were_only_read_have_a_page_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill_attention(tmp_path)
    assert main([str(tmp_path), "--resamples", "199"]) == 0
    said = capsys.readouterr().out
    assert "have a role" in said
    html = Path(said.strip().splitlines()[-1]).read_text()
    assert "sentences that a model has only read" in html
    assert 'id="attention"' in html
    assert 'id="roles-matter"' not in html


def test_without_attention_rows_there_is_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "accuracy", model="toy", data="home", count=12, masks={CLASSIFIER.full_key: CLASSIFIER.full()})
    analysis = analyse(read_results(tmp_path), FAST)
    assert analysis.attention is None
    assert not any(section.anchor in SECTIONS for section in ResultsPage.of(analysis).sections)
