"""`--along replacement`: the same examples under masks that put something else in a head's place."""

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.language_results import every_unit
from fixtures.results import OWN_MEAN, fill_replaced
from rich.console import Console

from analysis import Inference, Selection, analyse, read_results, scored_by
from analysis.__main__ import main
from analysis.correlation import DomainEffects
from analysis.correlation.shared_examples import aligned
from analysis.results.cells import grids
from analysis.results.namesakes import subject_names
from analysis.terminal import overview_table
from sixteen_heads.live.effects import so_far
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.units import AttentionKind, HeadLayout, UnitLevel

pytestmark = pytest.mark.usefixtures("undrawn")

WEIGHTS = np.random.default_rng(0).gamma(0.35, 0.12, 16)
RESAMPLED = {"acts_on": "all", "reference": "own", "draws": 4, "seed": 0, "position": "aligned"}


def stored(results, *, grouped: bool = True) -> None:
    own = np.exp(0.3 * np.random.default_rng(1).standard_normal(16))
    fill_replaced(results, None, WEIGHTS, grouped=grouped)
    fill_replaced(results, "mean", WEIGHTS * own, options=OWN_MEAN, grouped=grouped)
    fill_replaced(results, "resample in 4 draws", WEIGHTS, options=RESAMPLED, donors=0.5, grouped=grouped)


@pytest.mark.parametrize(("grouped", "groups"), [(True, 50), (False, 150)])
def test_draws_of_an_example_belong_to_it(results, grouped: bool, groups: int) -> None:
    """A group of another replacement is the same group, however often its examples were drawn."""
    stored(results, grouped=grouped)
    domains = {domain.replacement.label: domain for domain in read_results(results).domains}
    drawn, zero = domains["resample in 4 draws"], domains["zero"]
    assert drawn.examples.height == 4 * zero.examples.height
    for how in ("auto", "example"):
        sample = drawn.sample(how)
        assert sample.groups == (150 if how == "example" else groups)
        assert set(sample.sizes) == {4 * zero.examples.height // sample.groups}
        _, _, shared = aligned(DomainEffects.of(zero, how), DomainEffects.of(drawn, how))
        assert shared.all
    words = "150 examples, 4 draws of each"
    assert str(drawn.sample("auto")) == (f"50 groups of {words}" if grouped else words)


def test_a_limit_takes_examples_with_all_their_draws(results) -> None:
    stored(results)
    counts = {d.replacement.draws: d.examples.height for d in read_results(results, Selection(limit=30)).domains}
    assert counts == {1: 30, 4: 120}


def test_the_limit_that_is_advised_counts_examples_and_not_their_draws(results) -> None:
    store = fill_replaced(results, "resample in 4 draws", WEIGHTS, options=RESAMPLED, donors=0.5)
    rows, whole = store.read().rows, read_results(results).domains[0]
    first = whole.layout.key(whole.layout.without(whole.layout.heads[:1]))
    next(store.folder.glob("part-*")).unlink()
    kept = whole.examples["example"].head(28).to_list()
    store.write(rows.filter((pl.col("mask") != first) | pl.col("example").is_in(kept)), {})
    (line,) = read_results(results).domains[0].left_out
    assert "1 mask lacks examples that the base score has (150 examples, 4 draws of each: 600 draws)" in line
    assert line.endswith("if they were run with data.limit=7, `--limit home=7` shows them")
    assert not read_results(results, Selection(limit=7)).domains[0].left_out


def test_a_mask_without_some_outcomes_is_told_by_examples_and_draws(results) -> None:
    fill_replaced(results, "resample in 4 draws", WEIGHTS, options=RESAMPLED, donors=0.5)
    (domain,) = read_results(results).domains
    assert domain.different_examples == 150
    lacking = domain.rows.filter(pl.col("example").is_in(domain.examples["example"].head(80).to_list()))
    with pytest.raises(InputError, match=r"outcomes of 20 of the 150 examples \(80 of 600 draws\); every mask"):
        replace(domain, rows=lacking).sample()


def test_groups_of_examples_that_decide_count_each_draw_once(results) -> None:
    stored(results)
    found = analyse(read_results(results), Inference(resamples=99), splits=2)
    assert set(found.influence.noise["examples"]) == {3}


def test_examples_are_told_from_their_draws(results) -> None:
    store = fill_replaced(results, "resample in 4 draws", WEIGHTS, options=RESAMPLED, donors=0.5)
    rows, ids = store.read().rows, read_results(results).domains[0].examples["example"]
    next(store.folder.glob("part-*")).unlink()
    store.write(rows.filter(pl.col("example").is_in(ids.head(80).to_list())), {})
    (domain,) = read_results(results).domains
    assert domain.left_out == ("scores are of 20 of the 150 examples (80 of 600 draws): the others were not evaluated",)
    found = analyse(read_results(results), Inference(resamples=99), splits=2)
    assert found.base["n"].to_list() == [20]
    assert set(found.effects["n"]) == {20}
    seen = so_far(domain)
    assert seen is not None
    assert seen.seen.startswith("20 examples, 4 draws of each, 16 of 16 heads")


def test_results_of_zero_alone_are_told_what_is_missing(results) -> None:
    fill_replaced(results, None, WEIGHTS)
    with pytest.raises(InputError, match="There is zero .toy.: study the same with replacement=mean, or another$"):
        grids(read_results(results), ["replacement"])


def test_a_model_of_which_groups_alone_were_removed_is_told_of(make, results) -> None:
    layout = HeadLayout({AttentionKind.DECODER_SELF: (4, 4)}, groups={AttentionKind.DECODER_SELF: (2, 2)})
    for label in (None, "mean"):
        place, about = Factors("grouped", "home", "float32", replacement=label), {"masked_by": label or "zero"}
        masks = every_unit(layout, [UnitLevel.group])
        make(model="grouped", layout=layout, masks=masks, factors=place, subject=about)
    for label in ("uniform", "mean"):
        fill_replaced(results, label, WEIGHTS)
    line = "grouped is not compared by heads; --unit group compares it by groups"
    assert grids(read_results(results), ["replacement"]).left_out == (line,)
    by_groups = grids(read_results(results), ["replacement"], UnitLevel.group)
    assert [grid.name for grid in by_groups.grids] == ["grouped, home"]


def test_zero_comes_first_everywhere_and_long_names_leave_room_for_numbers(results) -> None:
    stored(results)
    read = read_results(results)
    assert [domain.replacement.label for domain in read.domains] == ["zero", "mean", "resample in 4 draws"]
    again = scored_by(read, ["accuracy"])
    assert [domain.replacement.label for domain in again.domains] == ["zero", "mean", "resample in 4 draws"]
    found = analyse(read, Inference(resamples=99), splits=2)
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(overview_table(found, list(found.subjects)))
    said = console.export_text()
    assert "…" not in said
    for row in found.base["base_score"]:
        assert f"{row:.2f} %" in said


def test_several_replacements_have_one_warning(results, caplog) -> None:
    for label in ("mean", "uniform"):
        store = fill_replaced(results, label, WEIGHTS)
        rows, ids = store.read().rows, read_results(results).domains[0].examples["example"]
        next(store.folder.glob("part-*")).unlink()
        store.write(rows.filter(pl.col("example").is_in(ids.head(80).to_list())), {})
    caplog.clear()
    read_results(results)
    assert caplog.messages == [
        "toy, replacement mean on home; toy, replacement uniform on home: scores are of 80 of the 150 examples: the "
        "others were not evaluated"
    ]


def test_every_two_replacements_are_compared(results) -> None:
    stored(results)
    found = analyse(read_results(results), Inference(resamples=99), splits=8, axes=["replacement"])
    assert found.along is not None
    pairs = found.along.pairs
    assert pairs.select("cell_a", "cell_b", "held").rows() == [
        ("zero", "mean", "home"),
        ("zero", "resample in 4 draws", "home"),
        ("mean", "resample in 4 draws", "home"),
    ]
    assert (pairs["groups_shared"] == 50).all()
    assert (found.along.heads["cells"] == 3).all()
    assert found.namesakes == ()
    effects = found.effects.filter(measure="ablation").group_by("subject").len()
    assert set(effects["subject"]) == {"toy", "toy, replacement mean", "toy, replacement resample in 4 draws"}


def test_replacements_are_never_called_the_same(results) -> None:
    stored(results)
    read = read_results(results)
    assert set(subject_names(read.subjects).values()) == {
        "toy, replacement zero",
        "toy, replacement mean",
        "toy, replacement resample in 4 draws",
    }
    found = analyse(read, Inference(resamples=99), splits=8)
    assert found.correlations.correlation.is_empty(), "they are no domains of one subject"
    assert found.namesakes == (
        "replacement mean, replacement resample in 4 draws and replacement zero of toy; --along replacement compares "
        "their heads",
    )
    assert found.effects.select(pl.col("subject_id").n_unique()).item() == 3


def test_the_page_says_what_stands_in_and_what_to_mind(results, capsys) -> None:
    stored(results)
    assert main([str(results), "--along", "replacement", "--resamples", "99", "--splits", "8"]) == 0
    page = (results / "analysis" / "report" / "index.html").read_text()
    for words in (
        "A removed head or MLP gives zero, as in the paper.",
        "the very data that is scored, which flatters it",
        "the noise of its reference examples is not in them",
        "Intervals hold the chance of the draw",
        "With replacement mean, a head that is off gives",
        "chan2022causal",
        "The effect of removing each head under every replacement, all on one colour scale",
    ):
        assert words in page, words
    figures = results / "analysis" / "figures" / "along"
    assert {file.stem for file in figures.glob("*-effects-*.svg")} == {
        f"1-toy-home-effects-{name}" for name in ("zero", "mean", "resample-in-4-draws")
    }
    assert "Along replacement: toy, home" in capsys.readouterr().out


def test_of_zero_alone_nothing_is_said_but_what_the_paper_does(results) -> None:
    fill_replaced(results, None, WEIGHTS)
    assert main([str(results), "--resamples", "99", "--splits", "8"]) == 0
    page = (results / "analysis" / "report" / "index.html").read_text()
    assert "We turn attention heads off by multiplying their output by zero" in page
    assert "A removed head" not in page


def test_a_test_that_takes_draws_for_independent_examples_is_refused(results, capsys) -> None:
    stored(results)
    assert main([str(results), "--test", "mcnemar", "--resamples", "99", "--splits", "8"]) == 2
    assert "the 4 draws of an example are not: take --test randomisation" in " ".join(capsys.readouterr().err.split())
