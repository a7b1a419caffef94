"""Variance components of stored results: every cell of a grid along data and seeds."""

import io
from itertools import count

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, fill, head_weights
from rich.console import Console

from analysis.components import reml_intervals, variance_components
from analysis.components.grid_effects import noisy_grid
from analysis.components.reml_intervals import NO_END, NO_TOP
from analysis.components.tables import divided, shown_in
from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.shared_examples import sampling_covariance
from analysis.page.environment import page_environment
from analysis.page.sections.across.components import Components
from analysis.results.cells import grids
from analysis.results.read import read_results
from analysis.tables.components_sheet import components_sheet
from analysis.tables.latex import latex
from analysis.terminal import components_table
from study.record.factors import Factors


@pytest.fixture
def trained(make):
    """Make settings of a training of so many seeds on two domains; heads differ a little by seed and by domain."""

    def settings(
        seeds: int, spread: float = 0.02, count: int = 120, initial: str = "w0", *, same_texts: bool = False
    ) -> None:
        weights = head_weights(CLASSIFIER, np.random.default_rng(0))
        for d, data in enumerate(("home", "away")):
            for seed in range(seeds):
                own = weights + spread * np.random.default_rng([seed, d]).normal(size=16)
                place = Factors("toy", data, "float32", seed, 3.0, initial.format(seed=seed))
                about = {"model": f"toy-seed{seed}", "weights_file": f"weights of {seed}", "factors": place}
                make(data=data, seed=0 if same_texts else d, count=count, weights=own, **about)

    return settings


def test_a_grid_of_results_is_the_effects_of_its_cells_and_their_noise(trained, results) -> None:
    trained(2)
    (grid,) = grids(read_results(results), ["data", "seed"]).grids
    found = noisy_grid(grid, "auto")
    assert found.shape == (2, 2, 16)
    assert found.layers.tolist() == [head.layer for head in CLASSIFIER.heads]
    for d, line in enumerate(grid.lines("seed")):
        cells = [DomainEffects.of(cell.domain) for cell in line]
        assert found.effects[d] == pytest.approx(np.stack([own.effects for own in cells]))
        blocks = np.block([[sampling_covariance(a, b) for b in cells] for a in cells])
        assert found.covariance(d) == pytest.approx(blocks), "as for correlations along a seed"


def test_every_component_has_a_row_and_there_is_a_sentence(trained, results) -> None:
    trained(5, spread=0.05, count=600)
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    table = found.table
    assert table["component"].to_list() == ["layer", "head", "head_domain", "head_seed", "head_domain_seed"]
    assert table["belongs_to"].to_list()[2:] == ["head × domain", "head × seed", "head × domain × seed"]
    first = table.row(0, named=True)
    assert (first["domains"], first["seeds"], first["heads"], first["groups"]) == (2, 5, 16, 200)
    assert table["variance"].sum() + first["noise_variance"] == pytest.approx(first["measured_variance"])
    assert table["share"].sum() == pytest.approx(1)
    assert table["reml_share"].sum() == pytest.approx(1)
    for name in ("reml", "reml_share"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert (table["reml_low"] >= 0).all()
    assert (table["reml_share_high"] <= 1).all()
    assert (table["low"] <= table["variance"]).all()
    assert (table["variance"] <= table["high"]).all()
    (sentence,) = found.sentences
    whole = 100 * table["share"][:2].sum()
    assert sentence.startswith(f"toy, epoch 3: of the variance of head effects, {whole:.0f} % (")
    assert "belongs to the head whatever domain and seed (" in sentence
    assert "sampling noise" in sentence


def test_what_is_printed_drawn_and_typeset(trained, results) -> None:
    trained(4, spread=0.05, count=600)
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(components_table(found.table))
    share = f"{100 * found.table['share'][3]:.0f} %".replace("-", "−")
    assert share in console.export_text()
    section = Components.showing(found)
    page = page_environment(0.95).get_template("sections/components.html.j2").render(section=section)
    assert found.sentences[0] in page
    assert "by likelihood (REML)" in page
    assert share in page
    assert [drawing.name for drawing in section.drawings] == ["components/toy-epoch-3"]
    assert r"head $\times$ domain" in latex(components_sheet(found))


def test_small_variances_are_shown_in_a_power_of_ten() -> None:
    table = pl.DataFrame({"variance": [9.4e-7, -2.3e-6], "noise_variance": [1.2e-5] * 2, "unit": ["nats"] * 2})
    unit, by = shown_in(table.with_columns(low=None, high=2e-5, reml=0.0))
    assert (unit, by) == ("10⁻⁶ nats squared", pytest.approx(1e-6))
    likely = {"reml": 0.0, "reml_low": 0.0, "reml_high": 3e-6}
    row = divided({"variance": -2.3e-6, "low": None, "high": 2e-5, "noise_variance": 1.2e-5} | likely, by)
    assert list(row.values()) == [pytest.approx(own) for own in (-2.3, None, 20, 0, 0, 3, 12)]
    assert shown_in(table.with_columns(noise_variance=pl.lit(0.3), unit=pl.lit("points"))) == ("points squared", 1)


def test_fewer_seeds_have_numbers_and_no_intervals(trained, results) -> None:
    trained(3, spread=0.05, count=600)
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    assert found.table["low"].null_count() == found.table.height
    assert found.table["share"].null_count() == 0
    assert set(found.table["reason"]) == {"no intervals: they need 4 seeds, and there are 3"}
    assert "(no intervals: they need 4 seeds, and there are 3)" in found.sentences[0]


@pytest.mark.parametrize(("without", "reason", "empty"), [(None, NO_TOP, "reml"), (2, NO_END, "reml_low")])
def test_numbers_that_reml_does_not_find_have_a_reason(
    trained, results, monkeypatch: pytest.MonkeyPatch, without: int | None, reason: str, empty: str
) -> None:
    """The likelihood of the whole has no top, or that without the second seed."""
    calls = count(1)
    real = reml_intervals.fitted
    fails = (without or 0) + 1
    monkeypatch.setattr(reml_intervals, "fitted", lambda *given: None if next(calls) == fails else real(*given))
    trained(4, spread=0.05, count=600)
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    assert set(found.table["reason"]) == {reason}
    assert found.table[empty].null_count() == found.table.height
    assert found.table["low"].null_count() == found.table["share"].null_count() == 0
    assert found.sentences[0].endswith(f" {reason[0].upper()}{reason[1:]}.")


@pytest.mark.parametrize(
    ("axes", "components"), [(["seed"], ["layer", "head", "head_seed"]), (["data"], ["layer", "head", "head_domain"])]
)
def test_along_one_axis_there_is_what_it_can_tell_apart(trained, results, axes, components) -> None:
    trained(4)
    found = variance_components(grids(read_results(results), axes).grids)
    assert found.table["component"].unique(maintain_order=True).to_list() == components
    assert found.table["grid"].n_unique() == len(found.sentences) == (2 if axes == ["seed"] else 4)
    assert (found.table["low"].null_count() == 0) == (axes == ["seed"])


def test_seeds_from_different_weights_have_no_components(trained, results) -> None:
    trained(4, initial="w{seed}")
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    assert found.table.is_empty()
    assert found.sentences == ()
    by_position = variance_components(grids(read_results(results), ["data", "seed"]).grids, by_position=True)
    assert by_position.table.height == 5


def test_domains_that_share_examples_are_told(trained, results) -> None:
    trained(2, same_texts=True)
    (sentence,) = variance_components(grids(read_results(results), ["data", "seed"]).grids).sentences
    assert "away and home share 40 groups of examples: their noise is in the part of the head." in sentence


def test_other_examples_under_a_seed_are_told(trained, results) -> None:
    trained(2)
    trained_again = Factors("toy", "home", "float32", 7, 3.0, "w0")
    fill(results, "accuracy", model="toy-seed7", data="home", weights_file="7", factors=trained_again, count=60)
    found = variance_components(grids(read_results(results), ["seed"]).grids)
    assert found.sentences[1].startswith(
        "toy, home, epoch 3: no variance components, as toy-seed7 was measured on other"
    )
    assert found.table["grid"].unique().to_list() == ["toy, away, epoch 3"]


def test_effects_that_are_noise_alone_are_not_divided(trained, results) -> None:
    trained(4, spread=0.0, count=30)
    found = variance_components(grids(read_results(results), ["data", "seed"]).grids)
    cells = found.table.filter(pl.col("component") == "head_seed")
    assert cells["variance"][0] == pytest.approx(0, abs=1e-9), "seeds that answer alike"


@pytest.mark.parametrize("axes", [["data"], ["seed"], ["data", "seed"]])
def test_without_intervals_too_noise_is_not_divided(make, results, axes) -> None:
    """Other answers under every seed, and no head that matters more: shares would be of noise, and far beyond 100 %."""
    for d, data in enumerate(("home", "away")):
        for seed in range(2):
            place = Factors("toy", data, "float32", seed, 3.0, "w0")
            about = {"model": f"toy-seed{seed}", "weights_file": f"weights of {seed}", "factors": place}
            make(data=data, seed=10 * d + seed, count=60, weights=np.full(16, 0.5), **about)
    found = variance_components(grids(read_results(results), axes).grids)
    assert (found.table["variance"].abs() > 0).any()
    assert found.table["share"].null_count() == found.table.height
    assert all(sentence.endswith("there is nothing to divide.") for sentence in found.sentences)


def test_one_group_of_examples_has_no_components(trained, results) -> None:
    trained(2, count=3)
    found = variance_components(grids(read_results(results), ["seed"]).grids)
    assert found.table.is_empty()
    assert all("one group of examples alone" in sentence for sentence in found.sentences)


def test_effects_that_are_all_equal_are_not_divided(make, results) -> None:
    for seed in range(4):
        place = Factors("toy", "home", "float32", seed, 3.0, "w0")
        make(count=30, weights=np.zeros(16), weights_file=f"weights of {seed}", factors=place)
    found = variance_components(grids(read_results(results), ["seed"]).grids)
    assert set(found.table["variance"]) == {0.0}
    assert found.table["share"].null_count() == found.table.height
    assert "nothing to divide" in found.sentences[0]
