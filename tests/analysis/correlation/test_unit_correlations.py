"""Groups, layers and MLPs are correlated as heads are: between domains, along tasks, by a column of the examples."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.language_results import every_unit, fill_language, needed
from rich.console import Console

from analysis import Analysis, Inference, analyse, read_results
from analysis.compute import compared_level
from analysis.page.environment import page_environment
from analysis.page.sections.correlation import Correlation
from analysis.page.views import subject_views
from analysis.report import result_tables
from analysis.results.read import scored_by
from analysis.terminal import print_along, print_summary
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.units import AttentionKind, HeadLayout, UnitLevel

LAYOUT = HeadLayout({AttentionKind.DECODER_SELF: (4,) * 6}, groups={AttentionKind.DECODER_SELF: (2,) * 6}, mlps=(0, 1))
QUICK = Inference(resamples=99)


def fill(results: Path, levels: tuple[UnitLevel, ...] = tuple(UnitLevel)) -> None:
    costs, masks = needed(LAYOUT, np.random.default_rng(5)), every_unit(LAYOUT, levels)
    for seed, data in enumerate(("ioi", "blimp")):
        fill_language(results, data, costs=costs, masks=masks, layout=LAYOUT, seed=seed)
    fill_language(results, "wikitext", texts=True, costs=costs, masks=masks, layout=LAYOUT, seed=2, count=24)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    results = tmp_path_factory.mktemp("units")
    fill(results)
    read = scored_by(read_results(results), ["loss", "bits_per_byte"])
    return analyse(read, QUICK, splits=8, by="field", axes=["task"], level=UnitLevel.group)


def effect_of(analysis: Analysis, level: str, domain: str) -> np.ndarray:
    return analysis.units.filter(level=level, domain=domain)["effect"].to_numpy()


def test_r_of_groups_is_that_of_their_effects(found) -> None:
    assert list(found.larger) == [UnitLevel.group], "of six layers and two MLPs r says little"
    row = found.larger[UnitLevel.group].overall.row(0, named=True)
    a, b = (effect_of(found, "group", row[f"domain_{side}"]) for side in "ab")
    assert (row["heads"], row["pearson"]) == (12, pytest.approx(np.corrcoef(a, b)[0, 1]))
    assert row["pearson_low"] < row["pearson"] < row["pearson_high"]
    influence = found.larger[UnitLevel.group].influence
    assert influence.select("kind", "layer", "head").rows() == [
        (str(group.kind), group.layer, group.index) for group in LAYOUT.key_groups
    ]
    assert influence["contribution"].sum() == pytest.approx(row["pearson"])
    for name, table in found.larger[UnitLevel.group].tables.items():
        assert name.startswith("correlation_of_groups")
        assert not {"head", "heads", "heads_low"} & set(table.columns)


def test_tasks_of_different_metrics_are_compared_by_their_groups(found) -> None:
    pairs = found.along.pairs.filter(kind="all")
    assert set(zip(pairs["cell_a"], pairs["cell_b"], strict=True)) == {
        ("blimp", "ioi"),
        ("blimp", "wikitext"),
        ("ioi", "wikitext"),
    }
    for row in pairs.rows(named=True):
        a, b = (effect_of(found, "group", row[f"cell_{side}"]) for side in "ab")
        assert (row["heads"], row["pearson"]) == (12, pytest.approx(np.corrcoef(a, b)[0, 1]))
    significant = found.units.filter(level="group").group_by("layer", "index").agg(pl.col("significant").sum())
    counts = {(row["layer"], row["head"]): row["significant"] for row in found.along.heads.rows(named=True)}
    assert counts == {(layer, index): count for layer, index, count in significant.iter_rows()}
    names = {"along_pairs_of_groups", "along_nulls_of_groups", "along_groups", "along_selective_of_groups"}
    assert set(found.along.tables) == names


def test_slices_are_correlated_by_the_units_that_are_asked_for(found) -> None:
    assert (found.sliced.level, set(found.sliced.correlation["heads"])) == (UnitLevel.group, {12})
    names = set(found.sliced.correlation["domain_a"]) | set(found.sliced.correlation["domain_b"])
    assert names == {f"{data}/field {i}" for data in ("blimp", "ioi") for i in (0, 1)}


def test_the_page_speaks_of_groups_where_it_shows_them(found) -> None:
    subject = next(view for view in subject_views(found) if view.metric == "loss")
    section = Correlation.of(subject, level=UnitLevel.group)
    assert (section.anchor, section.title) == ("correlation-groups", "Correlation of groups between domains")
    assert any(drawing.name.endswith("figure2-blimp-ioi-groups") for drawing in section.drawings)
    template = page_environment(0.95, {}).get_template("sections/correlation.html.j2")
    written = re.sub(r"<svg.*?</svg>|<script.*?</script>", "", template.render(section=section), flags=re.DOTALL)
    assert "The effect of removing each group on two domains" in written
    assert "The three groups of largest effect" in written
    for wrong in (">heads<", "without the heads", "heads permuted within", "Which heads", "correlation_by_layer.csv"):
        assert wrong not in written, wrong
    names = set(result_tables(found))
    assert {"correlation_of_groups", "slices_correlation_of_groups", "units_by_part", "along_groups"} <= names


def test_without_single_heads_what_was_removed_is_compared(tmp_path) -> None:
    fill(tmp_path, (UnitLevel.mlp, UnitLevel.group))
    results = scored_by(read_results(tmp_path), ["loss"])
    assert compared_level(results.domains) is UnitLevel.group
    checkpoint = replace(results.domains[0], model="x-seed1-epoch2", factors=(Factors("x", "ioi", "float32", 1, 2.0),))
    assert checkpoint.checkpoint is not None
    assert compared_level([checkpoint]) is UnitLevel.group, "along epochs heads of checkpoints are compared"
    analysis = analyse(results, QUICK, splits=8, axes=["task"])
    console = Console(file=io.StringIO(), width=100)
    print_summary(analysis, console)
    print_along(analysis.along, 0.05, console)
    printed = " ".join(console.file.getvalue().split())
    assert "Correlation of group effects" in printed
    assert "The true effects of 12 groups correlate between the two tasks" in printed
    with pytest.raises(InputError, match=r"effect of a single layer: measure=ablation measure.unit=layer"):
        analyse(results, QUICK, splits=8, axes=["task"], level=UnitLevel.layer)
