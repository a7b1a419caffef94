"""`--along`: cells compared along an axis, from a results folder to tables, page and terminal."""

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, curve_of

from analysis import Inference, Selection, analyse, read_results, scored_by
from analysis.__main__ import main
from analysis.along import Along, Match
from analysis.along.words import correlation_words, head_words
from analysis.correlation import DomainEffects
from analysis.correlation.shared_examples import sampling_covariance
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.units import AttentionKind, HeadLayout

pytestmark = pytest.mark.usefixtures("undrawn")

FAST = ["--resamples", "99", "--splits", "8"]
HEAD = np.random.default_rng(0).gamma(0.35, 0.12, 16)


@pytest.fixture
def trained(make):
    """Make a setting of a training: heads that matter alike in all seeds, but for what belongs to each seed."""

    def setting(seed: int | None, data: str = "home", initial: str | None = "w0", epoch: float = 3.0, **options):
        own = np.random.default_rng([seed or 0, int(10 * epoch)])
        weights = HEAD * np.exp(0.3 * own.standard_normal(16))
        place = Factors("toy", data, "float32", seed, epoch, initial)
        usual = {"count": 150, "seed": ord(data[0]), "weights": weights, "weights_file": f"w{seed}-{epoch:g}"}
        return make(model=f"toy{seed}-{epoch:g}", data=data, factors=place, **(usual | options))

    return setting


def analysed(results, axes, match: Match | None = None) -> Along:
    found = analyse(read_results(results), Inference(resamples=99), splits=8, axes=axes, match=match).along
    assert found is not None
    return found


def test_every_two_seeds_and_every_head_have_a_row(trained, results) -> None:
    for seed in (0, 1, 2):
        for data in ("home", "away"):
            trained(seed, data)
    found = analysed(results, ["seed"])
    assert found.pairs["held"].unique().sort().to_list() == ["away, epoch 3", "home, epoch 3"]
    first = found.pairs.filter(held="home, epoch 3")
    assert first.select("cell_a", "cell_b").rows() == [("seed 0", "seed 1"), ("seed 0", "seed 2"), ("seed 1", "seed 2")]
    assert (found.pairs["groups_shared"] == 50).all()
    assert (found.pairs["start"] == "same").all()
    assert found.pairs["share"].to_numpy() == pytest.approx(
        (found.pairs["crossed"] / found.pairs["crossed_ceiling"]).to_numpy()
    )
    assert found.heads.height == 2 * 16
    assert (found.heads["cells"] == 3).all()
    assert found.nulls.filter(null="sign_flips")["mean"].min() > 0.1
    assert found.notes == ()


def test_numbers_of_a_line_follow_from_its_cells(trained, results) -> None:
    for seed in (0, 1, 2):
        trained(seed)
    found = analysed(results, ["seed"])
    cells = [DomainEffects.of(domain) for domain in read_results(results).domains]
    a, b = cells[:2]
    centring = np.eye(16) - 1 / 16
    traces = [np.trace(sampling_covariance(*two) @ centring) / 15 for two in ((a, b), (a, a), (b, b))]
    moments = np.cov(a.effects, b.effects)
    true = (moments[0, 1] - traces[0]) / np.sqrt((moments[0, 0] - traces[1]) * (moments[1, 1] - traces[2]))
    assert found.pairs["true"][0] == pytest.approx(min(true, 1.0), rel=1e-9)
    values = np.stack([cell.effects for cell in cells])
    assert found.heads["mean"].to_numpy() == pytest.approx(values.mean(axis=0))
    noise = np.stack([[np.diag(sampling_covariance(one, other)) for one in cells] for other in cells])
    expected = values.var(axis=0, ddof=1) - (np.trace(noise) - noise.sum(axis=(0, 1)) / 3) / 2
    assert found.heads["variance"].to_numpy() == pytest.approx(expected, abs=1e-9)
    effects = analyse(read_results(results), Inference(resamples=99), splits=8).effects.filter(measure="ablation")
    counts = effects.group_by("layer", "head").agg(pl.col("significant").sum()).sort("layer", "head")
    assert found.heads["significant"].to_list() == counts["significant"].to_list()


def test_along_two_axes_each_is_followed_while_the_other_is_held(trained, results) -> None:
    for seed in (0, 1):
        for data in ("home", "away"):
            trained(seed, data)
    found = analysed(results, ["data", "seed"])
    rows = found.pairs.select("axis", "held", "cell_a", "cell_b", "groups_shared").rows()
    assert rows == [
        ("data", "seed 0, epoch 3", "away", "home", 0),
        ("data", "seed 1, epoch 3", "away", "home", 0),
        ("seed", "away, epoch 3", "seed 0", "seed 1", 50),
        ("seed", "home, epoch 3", "seed 0", "seed 1", 50),
    ]
    assert found.pairs.filter(axis="data")["crossed"].null_count() == 2
    trained(2, "home")
    with pytest.raises(InputError, match=r"toy, epoch 3: nothing is stored of \(away, seed 2\)"):
        analysed(results, ["data", "seed"])


def test_epochs_of_one_training_start_from_the_same_weights_although_nobody_wrote_it(trained, results) -> None:
    trained(0, epoch=1.0, initial=None)
    trained(0, epoch=2.0, initial=None)
    found = analysed(results, ["epoch"])
    assert found.pairs.row(0, named=True)["cell_b"] == "epoch 2"
    assert found.notes == ()


def test_different_starts_are_refused_matched_or_compared_by_position(trained, results, capsys) -> None:
    for seed in (0, 1):
        trained(seed, initial=f"start{seed}")
    with pytest.raises(InputError) as refused:
        analysed(results, ["seed"])
    assert "seed 0 from start0 and seed 1 from start1" in str(refused.value)
    assert "--match heads" in str(refused.value)
    matched = analysed(results, ["seed"], Match.heads)
    assert matched.pairs.is_empty()
    assert matched.heads.is_empty()
    assert matched.grids == ()
    row = matched.matched.row(0, named=True)
    assert -1 <= row["low"] <= row["matched"] <= row["high"] <= 1
    by_place = analysed(results, ["seed"], Match.position)
    assert by_place.pairs["start"].to_list() == ["by position"]
    assert len(by_place.grids) == 1
    assert "compared by position although they do not start from the same weights" in by_place.notes[0]
    assert main([str(results), *FAST, "--along", "seed"]) == 2
    assert "do not start from the same weights" in capsys.readouterr().err


def test_of_unknown_starts_it_is_said_and_the_seeds_are_compared(trained, results) -> None:
    trained(0, initial=None)
    trained(1)
    found = analysed(results, ["seed"])
    assert found.pairs["start"].to_list() == ["not known"]
    assert "it is not known whether all start from the same weights" in found.notes[0]


def test_an_unknown_axis_is_refused_before_anything_is_read(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--along", "sed"])
    assert "there is no axis 'sed': there are family, data, precision, seed, epoch" in capsys.readouterr().err


def test_few_groups_leave_a_spread_without_numbers_and_a_reason(trained, results) -> None:
    for seed in (0, 1):
        trained(seed, count=30)
    found = analysed(results, ["seed"]).heads
    assert found["spread"].null_count() == 16
    assert found["mean"].null_count() == 0
    assert found["reason"][0] == "10 groups of examples: the noise of 2 cells needs 12"
    assert "by more than noise" not in head_words(found, "seed", 0.05)


def test_the_default_axis_adds_nothing(trained, results) -> None:
    trained(0)
    assert analyse(read_results(results), Inference(resamples=99), splits=8).along is None


@pytest.fixture
def reported(trained, results, capsys):
    """The report of four seeds: what the terminal said, and the folder."""
    for seed in range(4):
        trained(seed)
    assert main([str(results), *FAST, "--along", "seed"]) == 0
    return " ".join(capsys.readouterr().out.split()), results / "analysis"


def test_page_terminal_tables_and_latex_say_the_same(reported) -> None:
    said, out = reported
    pairs = pl.read_csv(out / "tables" / "along_pairs.csv")
    heads = pl.read_csv(out / "tables" / "along_heads.csv")
    page = (out / "report" / "index.html").read_text()
    true = pairs["true"].drop_nulls()
    words = f"correlate between every two of 4 seeds with r from {true.min():.2f} to {true.max():.2f}"
    every = heads.filter(pl.col("significant") == 4).height
    assert words in said
    assert f"{every} {'has' if every == 1 else 'have'} a significant effect in all 4 seeds" in said
    for text in (words, "Agreement along seed", "toy, home, epoch 3", "Every head over all seeds"):
        assert text in page
    first = pairs.row(0, named=True)
    sheet = (out / "tables" / "paper" / "along" / "correlation-seed-1-toy-home-epoch-3.tex").read_text()
    row = next(line for line in sheet.splitlines() if line.startswith("seed 0, seed 1"))
    assert f"{first['true']:.2f}" in row
    assert f"{first['crossed']:.2f}" in row
    strongest = heads.sort(pl.col("mean").abs(), descending=True).row(0, named=True)
    table = (out / "tables" / "paper" / "along" / "heads-seed-1-toy-home-epoch-3.tex").read_text()
    row = next(line for line in table.splitlines() if line.startswith(f"L{strongest['layer']}H{strongest['head']} "))
    assert f"{abs(strongest['mean']):.2f}" in row
    assert f"{strongest['spread']:.2f}" in row
    drawn = {file.stem for file in (out / "figures" / "along").iterdir()}
    assert {
        f"1-toy-home-epoch-3-{name}" for name in ("true-r", "measured-r", "heads", "heads-narrow", "spread")
    } <= drawn


def test_matched_heads_have_a_table_and_words_that_warn(trained, results, capsys) -> None:
    for seed in (0, 1):
        trained(seed, initial=f"start{seed}")
    assert main([str(results), *FAST, "--along", "seed", "--match", "heads"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "matched by size alone, with r" in said
    page = (results / "analysis" / "report" / "index.html").read_text()
    assert "only what exceeds the match by size is agreement of heads" in page
    assert (results / "analysis" / "tables" / "paper" / "along" / "matched.tex").exists()


def test_words_say_what_cannot_be_told_and_why() -> None:
    row = {"kind": "all", "cell_a": "seed 0", "cell_b": "seed 1", "heads": 16, "groups_shared": 50}
    hidden = row | {"pearson": 0.31, "true": None, "true_low": None, "true_high": None, "reason": None}
    assert correlation_words(pl.DataFrame([hidden]), "seed") == (
        "Noise hides whether the effects of 16 heads agree between the two seeds: the true r is not estimable "
        "(measured r = 0.31, of which noise that they share is a part)."
    )
    known = hidden | {"cell_b": "seed 2", "true": 0.5, "true_low": 0.2, "true_high": 0.7}
    assert correlation_words(pl.DataFrame([known, hidden]), "seed") == (
        "Noise hides whether the effects of 16 heads agree in 1 of the 2 pairs of 3 seeds; in the other they correlate "
        "with true r = 0.50 (0.20 to 0.70)."
    )
    flat = hidden | {"pearson": None, "reason": "all effects on seed 0 are equal"}
    assert correlation_words(pl.DataFrame([flat]), "seed") == (
        "There is no correlation between the two seeds: all effects on seed 0 are equal."
    )


def test_of_two_metrics_every_comparison_says_its_own(trained, results) -> None:
    for seed in (0, 1):
        trained(seed, labels=("yes", "no"), curves=[curve_of(list(CLASSIFIER.heads))])
    both = scored_by(read_results(results), ["accuracy", "matthews"])
    found = analyse(both, Inference(resamples=99), splits=8, axes=["seed"])
    assert found.along is not None
    assert found.kept is not None
    assert found.components is not None
    names = ["home, epoch 3, accuracy", "home, epoch 3, Matthews correlation"]
    assert found.along.pairs["held"].unique(maintain_order=True).to_list() == names
    assert found.components.table["grid"].unique(maintain_order=True).to_list() == [f"toy, {name}" for name in names]
    assert sorted(sets.task for sets in found.kept.sets) == sorted(f"toy, {name}, importance" for name in names)


def test_tasks_of_one_model_are_compared_each_by_its_own_metric(make, results, capsys) -> None:
    """R of effects in points of accuracy with effects in BLEU; these have no mean, and no difference."""
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4, 4, 4)})
    for name, data in (("accuracy", "logic"), ("bleu", "news"), ("accuracy", "grammar")):
        make(name, model="one", data=data, layout=layout, weights=HEAD, count=60, seed=ord(data[0]))
    found = analysed(results, ["task"])
    assert found.pairs.select("cell_a", "cell_b", "held").rows() == [
        ("grammar", "logic", ""),
        ("grammar", "news", ""),
        ("logic", "news", ""),
    ]
    assert set(found.pairs["metric"]) == {"accuracy, bleu"}
    domains = {domain.data: DomainEffects.of(domain) for domain in read_results(results).domains}
    measured = [
        np.corrcoef(domains[a].effects, domains[b].effects)[0, 1] for a, b in (("grammar", "logic"), ("logic", "news"))
    ]
    assert found.pairs["pearson"].to_numpy()[[0, 2]] == pytest.approx(measured)
    assert found.heads.select("unit", "mean", "spread", "lowest").null_count().row(0) == (16,) * 4
    assert "no mean or spread" in found.heads["reason"][0]
    assert found.heads["significant"].null_count() == 0
    assert main([str(results), "--along", "task", *FAST]) == 0
    assert "Along task: one" in capsys.readouterr().out
    page = (results / "analysis" / "report" / "index.html").read_text()
    assert "Tasks are scored by accuracy and BLEU" in page
    assert "each on a colour scale of its own" in page


def test_data_sets_of_one_task_are_no_tasks(make, results) -> None:
    for data, task in (("matched", "nli"), ("mismatched", "nli"), ("reviews", None)):
        make(model="one", data=data, factors=Factors("one", data, "float32", task=task))
    with pytest.raises(InputError, match="task nli has several data sets, matched and mismatched: choose one of each"):
        analysed(results, ["task"])
    chosen = read_results(results, Selection(data=("matched", "reviews")))
    found = analyse(chosen, Inference(resamples=99), splits=8, axes=["task"]).along
    assert found is not None
    assert found.pairs.select("cell_a", "cell_b", "start").rows() == [("nli", "reviews", "same")]
    assert found.heads["mean"].null_count() == 0
    with pytest.raises(InputError, match="a data set is of one task"):
        analysed(results, ["data", "task"])


def test_models_fine_tuned_from_the_same_weights_stand_along_tasks(make, results) -> None:
    for task, start in (("cola", "bert"), ("mrpc", "bert"), ("sst2", "roberta"), ("rte", None)):
        place = Factors(f"tuned-{task}", task, "float32", initial=start)
        make(model=f"tuned-{task}", data=task, weights_file=task, factors=place)
    found = analysed(results, ["task"])
    assert found.pairs.select("family", "cell_a", "cell_b").rows() == [("fine-tuned from bert", "cola", "mrpc")]


def test_a_report_along_data_and_seed_says_what_an_effect_belongs_to(trained, results, capsys) -> None:
    for seed in (0, 1, 2, 3):
        for data in ("home", "away"):
            trained(seed, data, count=60, curves=[curve_of(list(CLASSIFIER.heads))])
    assert main([str(results), "--along", "data,seed", *FAST]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "head × domain × seed" in said
    assert "variance of head effects" in said
    page = (results / "analysis" / "report" / "index.html").read_text()
    for part in ("Agreement along data and seed", "What an effect belongs to: head, domain, seed", "survive pruning"):
        assert part in page
    tables = results / "analysis" / "tables"
    assert pl.read_csv(tables / "components.csv")["belongs_to"].n_unique() == 5
    assert set(pl.read_csv(tables / "along_pairs.csv")["axis"]) == {"data", "seed"}
    assert (tables / "paper" / "components.tex").is_file()
