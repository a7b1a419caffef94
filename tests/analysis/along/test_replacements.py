"""`--along replacement`: the same examples under masks that put something else in a head's place."""

import numpy as np
import polars as pl
import pytest
from fixtures.results import OWN_MEAN, fill_replaced

from analysis import Inference, Selection, analyse, read_results
from analysis.correlation import DomainEffects
from analysis.correlation.shared_examples import aligned
from analysis.results.namesakes import subject_names

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


def test_every_two_replacements_are_compared(results) -> None:
    stored(results)
    found = analyse(read_results(results), Inference(resamples=99), splits=8, axes=["replacement"])
    assert found.along is not None
    pairs = found.along.pairs
    assert pairs.select("cell_a", "cell_b", "held").rows() == [
        ("mean", "resample in 4 draws", "home"),
        ("mean", "zero", "home"),
        ("resample in 4 draws", "zero", "home"),
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
