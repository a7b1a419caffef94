"""Several grids in one sweep: all combinations within each, and none between them."""

from hydra.core.override_parser.overrides_parser import OverridesParser

PARAMS = {"seed": "0,1", "gates": "none"}
GRIDS = [{}, {"gates": "subset", "gates.keep": "4,8"}, {"gates": "hard_concrete", "gates.penalty": ".1"}]


def jobs(*typed: str, grids: list[dict[str, str]] | None = None, most: int | None = None) -> list[list[list[str]]]:
    from hydra_plugins.sixteen_heads import GridSweeper  # Hydra loads its plugins anew whenever it looks for them

    sweeper = GridSweeper(most, PARAMS, grids)
    words = [*(f"{name}={value}" for name, value in PARAMS.items()), *typed]
    return sweeper.split_arguments(OverridesParser.create().parse_overrides(words), most)


def test_each_grid_has_its_own_values_beside_those_of_all() -> None:
    (batch,) = jobs(grids=GRIDS)
    assert batch == [
        ["seed=0", "gates=none"], ["seed=1", "gates=none"],
        ["seed=0", "gates=subset", "gates.keep=4"], ["seed=0", "gates=subset", "gates.keep=8"],
        ["seed=1", "gates=subset", "gates.keep=4"], ["seed=1", "gates=subset", "gates.keep=8"],
        ["seed=0", "gates=hard_concrete", "gates.penalty=0.1"], ["seed=1", "gates=hard_concrete", "gates.penalty=0.1"],
    ]  # fmt: skip


def test_the_command_line_comes_last() -> None:
    (batch,) = jobs("seed=7", "gates.keep=2", grids=GRIDS[1:2])
    assert batch == [["seed=7", "gates=subset", "gates.keep=2"]]


def test_without_grids_it_is_all_combinations_in_batches() -> None:
    assert jobs(most=1) == [[["seed=0", "gates=none"]], [["seed=1", "gates=none"]]]
