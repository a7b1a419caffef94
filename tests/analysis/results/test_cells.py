"""Where settings stand on the axes, and which of them make a grid."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.results import CLASSIFIER

from analysis.results.cells import cells, grids, value_name
from analysis.results.read import read_results
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.units import AttentionKind, HeadLayout


@pytest.fixture
def trained(make):
    """Make a setting of a training: its seed and epoch on the axes, weights of their own."""

    def setting(data: str, seed: int, epoch: float = 3, **options):
        place = Factors("toy", data, "float32", seed, float(epoch), options.pop("initial", "w0"))
        name = options.pop("model", f"toy-seed{seed}-epoch{epoch:g}")
        file = options.pop("weights_file", f"weights of {seed} at {epoch:g}")
        return make(model=name, data=data, weights_file=file, factors=place, **options)

    return setting


def test_a_grid_has_a_cell_for_each_combination_in_the_order_of_values(trained, results) -> None:
    for data in ("home", "away"):
        for seed in (10, 2):
            trained(data, seed)
    found = grids(read_results(results), ["data", "seed"])
    (grid,) = found.grids
    assert list(grid.cells) == [("away", 2), ("away", 10), ("home", 2), ("home", 10)]
    assert grid.values("seed") == (2, 10)
    assert [[cell.label(["seed"]) for cell in line] for line in grid.lines("seed")] == [["seed 2", "seed 10"]] * 2
    assert [cell.label(grid.axes) for cell in grid.lines("data")[1]] == ["away, seed 10", "home, seed 10"]
    assert (grid.name, grid.metric, grid.starts) == ("toy, epoch 3", "accuracy", {"w0"})
    along_data = grids(read_results(results), ["data"])
    assert [grid.name for grid in along_data.grids] == ["toy, seed 2, epoch 3", "toy, seed 10, epoch 3"]


def test_the_end_of_a_training_is_its_last_epoch_on_every_data_set(trained, results) -> None:
    trained("home", 0, 3)
    trained("home", 0, 1)
    ends = {"model": "toy", "weights_file": "weights of 0 at 3"}
    for data in ("home", "away"):
        trained(data, 0, 3, **ends)
    places = {(cell.domain.model, cell.place.data, cell.place.epoch) for cell in cells(read_results(results))}
    assert places == {("toy", "home", 3), ("toy", "away", 3), ("toy-seed0-epoch1", "home", 1)}


def test_a_setting_whose_heads_were_not_removed_alone_is_no_cell_to_compare(trained, results) -> None:
    trained("home", 0)
    trained("home", 1)
    trained("home", 2, masks={CLASSIFIER.full_key: CLASSIFIER.full()})
    (grid,) = grids(read_results(results), ["seed"]).grids
    assert grid.values("seed") == (0, 1)


REFUSALS = {
    "missing": "toy, epoch 3: nothing is stored of (away, seed 1)",
    "doubled": "toy, home, epoch 3: two settings stand at seed 1",
    "heads": "the heads are not the same: seed 0 has 16 heads (16 encoder_self), seed 1 has 8 heads",
    "equal": "seed 0 and seed 1 have equal weights: they are one model, not two",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_makes_no_grid_is_refused_by_name(trained, results, case: str) -> None:
    trained("home", 0)
    more = {
        "missing": {},
        "doubled": {},
        "heads": {"layout": HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})},
        "equal": {"weights_file": "weights of 0 at 3"},
    }
    trained("home", 1, **more[case])
    if case == "missing":
        trained("away", 0)
    if case == "doubled":
        trained("home", 1, subject={"truncate": True})
    with pytest.raises(InputError) as refused:
        grids(read_results(results), ["data", "seed"] if case == "missing" else ["seed"])
    assert REFUSALS[case] in str(refused.value)


def test_what_cannot_be_compared_is_said_beside_what_can(trained, results) -> None:
    for seed in (0, 1):
        trained("home", seed)
        trained("away", seed, weights_file="the same")
    found = grids(read_results(results), ["seed"])
    assert [grid.name for grid in found.grids] == ["toy, home, epoch 3"]
    assert found.left_out == ("toy, away, epoch 3: seed 0 and seed 1 have equal weights: they are one model, not two",)


def test_an_unknown_axis_and_an_axis_of_one_value_are_refused(trained, results) -> None:
    trained("home", 7)
    trained("away", 7)
    found = read_results(results)
    with pytest.raises(InputError, match="no axis 'sed': there are family, data, precision, seed, epoch"):
        grids(found, ["data", "sed"])
    with pytest.raises(InputError, match="named twice"):
        grids(found, ["seed", "seed"])
    for axes in (["seed"], ["data", "seed"]):
        with pytest.raises(InputError, match=r"differ in seed alone\. There is seed 7 \(toy\)$"):
            grids(found, axes)
    bare = replace(found, domains=tuple(replace(domain, rows=domain.rows.head(0)) for domain in found.domains))
    with pytest.raises(InputError, match="measure=ablation"):
        grids(bare, ["data"])


def test_models_whose_heads_were_not_removed_one_by_one_are_told_what_to_run(trained, results) -> None:
    """One of two seeds has its base score alone."""
    trained("home", 7)
    store = trained("home", 8)
    found = read_results(results)
    bare = [replace(own, rows=own.rows.head(0)) if own.folder == store.folder else own for own in found.domains]
    said = r"There is seed 7 \(toy\)\. Of seed 8 no head was removed by itself, .* with measure=ablation besides$"
    with pytest.raises(InputError, match=said):
        grids(replace(found, domains=tuple(bare)), ["seed"])


def test_values_of_different_types_are_ordered(trained, results) -> None:
    for epoch in (10, 9, 0.5):
        trained("home", 0, epoch, weights=np.linspace(0, 0.1, 16))
    (grid,) = grids(read_results(results), ["epoch"]).grids
    assert grid.values("epoch") == (0.5, 9, 10)


def test_seeds_of_many_digits_keep_them() -> None:
    places = [("seed", 20240131), ("epoch", 3.0), ("epoch", 0.25), ("seed", None)]
    assert [value_name(*place) for place in places] == ["seed 20240131", "epoch 3", "epoch 0.25", "no seed"]
