"""Numbers of second tasks: by hand from stored answers, by scipy, by inversion of a test, by brute force."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, fill
from fixtures.second_tasks.stored import (
    ALL,
    AT_RANDOM,
    BIASES,
    FREE,
    LORA,
    OUTPUT,
    OUTPUT_OFF,
    PRETRAINED,
    StoredTask,
    fill_first,
    fill_later,
)
from scipy import optimize, stats

from analysis import analyse, read_results
from analysis.inference import Inference
from analysis.results.domain import Domain
from analysis.second_tasks import SecondTasks, second_tasks
from analysis.second_tasks.earlier import FAILED, KEPT, ROUNDED, verdict
from analysis.second_tasks.head_sizes import DRAWS, permuted
from analysis.second_tasks.methods import Method
from analysis.second_tasks.reached import fieller, share_reached
from study.record.files import read_sealed, write_sealed
from study.record.training.tasks import KeptProof

FAST = Inference(resamples=200)
SIX = range(6)


def found_in(results: Path, inference: Inference = FAST) -> SecondTasks:
    found = second_tasks(read_results(results), inference)
    assert found is not None
    return found


def several(results: Path, seeds: int = 2) -> StoredTask:
    """Free heads, the output layer alone and all weights on some seeds."""
    first = fill_first(results, freed=[SIX])
    for seed in range(seeds):
        fill_later(results, first, OUTPUT, freed=SIX, seed=seed)
        fill_later(results, first, FREE, freed=SIX, seed=seed, skill=0.2 + 0.03 * seed)
        fill_later(results, first, ALL, freed=SIX, seed=seed, skill=0.5, forgets=0.4)
    return first


@dataclass(frozen=True)
class Filled:
    """A results folder, and what is found in it.

    Attributes:
        first: the model of the first task.
        found: its second tasks.
        domains: what is stored, by setting.
    """

    first: StoredTask
    found: SecondTasks
    domains: dict[str, Domain]


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Two seeds of `several`."""
    results = tmp_path_factory.mktemp("two_seeds")
    return Filled(several(results), found_in(results), domains_by_id(results))


def answers(domain: Domain, mask: str | None = None) -> np.ndarray:
    rows = domain.rows.filter(mask=mask or domain.layout.full_key)
    return domain.examples.join(rows, on="example", maintain_order="left")["correct"].to_numpy()


def domains_by_id(results: Path) -> dict[str, Domain]:
    return {domain.setting_id: domain for domain in read_results(results).domains}


def test_scores_gains_and_differences_are_those_of_the_stored_answers(two_seeds: Filled) -> None:
    found, domains = two_seeds.found, two_seeds.domains
    right = {(row["method"], row["seed"]): answers(domains[row["setting_id"]]) for row in found.later.rows(named=True)}
    free, output, whole = "free heads by importance", "output layer alone", "all weights"
    gains = {name: [100 * (right[name, i].mean() - right[output, i].mean()) for i in (0, 1)] for name in (free, whole)}
    for row in found.later.rows(named=True):
        assert row["score"] == pytest.approx(100 * right[row["method"], row["seed"]].mean())
        assert row["score_low"] < row["score"] < row["score_high"]
    curves = {row["method"]: row for row in found.curves.rows(named=True)}
    assert curves[free]["gain"] == pytest.approx(np.mean(gains[free]))
    assert curves[free]["reached"] == pytest.approx(np.mean(gains[free]) / np.mean(gains[whole]))
    assert (curves[free]["freed"], curves[free]["heads"], curves[free]["seeds"]) == (6, 16, 2)
    assert curves[output]["gain"] is None
    loss = [domains[id_].rows["loss"].mean() for id_ in found.later.filter(method=free)["setting_id"]]
    assert curves[free]["loss"] == pytest.approx(np.mean(loss), abs=1e-5), "on the grid of stored losses"
    (beside,) = found.controls.filter(method=whole).rows(named=True)
    assert beside["difference"] == pytest.approx(np.mean(gains[whole]) - np.mean(gains[free]))
    assert sorted(found.pairs.filter(method=whole)["difference"]) == pytest.approx(
        sorted(a - b for a, b in zip(gains[whole], gains[free], strict=True))
    )


def test_a_paired_interval_over_examples_is_that_of_a_bootstrap_written_out(results: Path) -> None:
    several(results, seeds=1)
    found, domains = found_in(results, Inference(resamples=2000)), domains_by_id(results)
    (row,) = found.later.filter(method="free heads by importance").rows(named=True)
    (base,) = found.later.filter(method="output layer alone").rows(named=True)
    own, other = (answers(domains[one["setting_id"]]).reshape(-1, 3).sum(axis=1) for one in (row, base))
    drawn = np.random.default_rng(5).integers(40, size=(4000, 40))
    low, high = np.quantile(100 * (own - other)[drawn].sum(axis=1) / 120, [0.025, 0.975])
    assert (row["gain_low"], row["gain_high"]) == pytest.approx((low, high), abs=1.0)


def test_what_the_mask_costs_is_the_model_before_less_itself_without_the_free_heads(two_seeds: Filled) -> None:
    first, found, domains = two_seeds.first, two_seeds.found, two_seeds.domains
    before = domains[first.outcomes["nli", "nli"].setting_id]
    mask = "0" * 6 + "1" * 10
    (row,) = found.earlier.filter(method="free heads by importance").rows(named=True)
    lost = 100 * (answers(before, mask).mean() - answers(before).mean())
    assert (row["score_before"], row["change"]) == pytest.approx((100 * answers(before).mean(), lost))
    assert (row["proofs"], row["rows"], row["unlike"]) == (2, 240, 0)
    kept = found.earlier.filter(method="output layer alone").row(0, named=True)
    assert (kept["change"], kept["change_low"], kept["proofs"]) == (0, 0, 2), "equal weights of several trainings"
    forgot = found.earlier.filter(method="all weights").row(0, named=True)
    assert forgot["change"] < -10
    assert forgot["proofs"] == 0


def test_five_seeds_have_an_interval_over_seeds_and_two_have_none(results: Path, two_seeds: Filled) -> None:
    several(results, seeds=5)
    found, two = found_in(results), two_seeds.found
    scores = {
        name: found.later.filter(method=name).sort("seed")["score"].to_numpy()
        for name in ("free heads by importance", "output layer alone", "all weights")
    }
    free, output, whole = scores.values()
    row = found.curves.row(by_predicate=pl.col("main"), named=True)
    expected = stats.ttest_1samp(free - output, 0).confidence_interval(0.95)
    assert (row["gain_seeds_low"], row["gain_seeds_high"]) == pytest.approx(tuple(expected))
    assert (row["reached_seeds_low"], row["reached_seeds_high"]) == pytest.approx(
        fieller(list(free - output), list(whole - output), 0.05)
    )
    beside = found.controls.row(by_predicate=pl.col("method") == "all weights", named=True)
    expected = stats.ttest_1samp(whole - free, 0).confidence_interval(0.95)
    assert (beside["difference_seeds_low"], beside["difference_seeds_high"]) == pytest.approx(tuple(expected))
    assert two.curves["score_seeds_low"].null_count() == two.curves.height
    assert any("fewer than 5 seeds" in line for line in two.warnings)
    assert not any("fewer than 5 seeds" in line for line in found.warnings)


def test_fiellers_interval_holds_the_shares_that_a_paired_t_test_does_not_refuse() -> None:
    rng = np.random.default_rng(3)
    y = 5 + rng.normal(size=7)
    x = 0.6 * y + 0.5 * rng.normal(size=7)
    ends = fieller(list(x), list(y), 0.1)
    share = x.mean() / y.mean()

    def refusal(theta: float) -> float:
        return float(stats.ttest_1samp(x - theta * y, 0).pvalue) - 0.1

    assert ends == pytest.approx(
        (optimize.brentq(refusal, share - 2, share), optimize.brentq(refusal, share, share + 2))
    )
    assert fieller(list(x), list(y - 5), 0.1) == (None, None), "a gain that may be 0"


def test_no_share_is_said_of_a_gain_that_is_not_clear() -> None:
    rng = np.random.default_rng(0)
    gains = {seed: np.array([3.0, *rng.normal(3, 1, 200)]) for seed in range(2)}
    whole = {seed: np.array([0.5, *rng.normal(0.5, 1, 200)]) for seed in range(2)}
    assert set(share_reached(gains, whole, 0.05).values()) == {None}
    clear = share_reached(gains, {seed: 6 + 0 * draws for seed, draws in whole.items()}, 0.05)
    assert clear["reached"] == pytest.approx(0.5)
    mean = np.mean([draws[1:] for draws in gains.values()], axis=0) / 6
    assert (clear["reached_low"], clear["reached_high"]) == pytest.approx(tuple(np.quantile(mean, [0.025, 0.975])))
    assert clear["reached_seeds_low"] is None


@pytest.mark.exhaustive
def test_intervals_of_shares_hold_the_truth() -> None:
    rng, held = np.random.default_rng(1), []
    for _ in range(4000):
        y = 5 + rng.normal(size=5)
        low, high = fieller(list(3 + 0.5 * (y - 5) + rng.normal(size=5)), list(y), 0.05)
        held.append(low is None or low < 0.6 < high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def brute_force(sizes: np.ndarray, taught: np.ndarray, layers: np.ndarray) -> float:
    """Two-sided p over every labelling with as many taught heads in each layer."""
    wanted = [taught[layers == layer].sum() for layer in np.unique(layers)]
    found = []
    for bits in product([False, True], repeat=len(sizes)):
        chosen = np.array(bits)
        if [chosen[layers == layer].sum() for layer in np.unique(layers)] == wanted:
            found.append(sizes[chosen].mean() - sizes[~chosen].mean())
    observed = sizes[taught].mean() - sizes[~taught].mean()
    tails = np.mean(np.array(found) >= observed - 1e-9), np.mean(np.array(found) <= observed + 1e-9)
    return min(1.0, 2 * min(tails))


def test_taught_heads_are_held_against_every_other_choice_within_layers() -> None:
    rng = np.random.default_rng(7)
    sizes, layers = rng.gamma(1, 1, 10), np.repeat(["a", "b", "c"], [4, 4, 2])
    taught = np.isin(np.arange(10), [0, 1, 5, 8, 9])
    found = permuted(sizes, taught, layers, rng)
    assert found["exact"]
    assert found["arrangements"] == 6 * 4
    assert found["p"] == pytest.approx(brute_force(sizes, taught, layers))
    assert found["difference"] == pytest.approx(sizes[taught].mean() - sizes[~taught].mean())
    many, wide = rng.gamma(1, 1, 24), np.repeat([0, 1], 12)
    some = np.isin(np.arange(24), [*range(6), *range(12, 18)])
    drawn = permuted(many, some, wide, np.random.default_rng(0))
    assert (drawn["exact"], drawn["arrangements"]) == (False, DRAWS)
    orders = np.random.default_rng(9)
    sums = [sum(orders.permutation(many[wide == layer])[:6].sum() for layer in (0, 1)) for _ in range(4000)]
    tails = np.mean(np.array(sums) >= many[some].sum()), np.mean(np.array(sums) <= many[some].sum())
    assert drawn["p"] == pytest.approx(2 * min(tails), abs=0.03)
    whole = permuted(many, wide == 0, wide, rng)
    assert (whole["arrangements"], whole["p"]) == (1, None), "a layer is taught whole or not at all"


def test_heads_of_a_later_task_are_those_that_are_on_and_told_by_size(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    weights = np.where(np.isin(np.arange(16), [1, 2, 5]), 0.3, 0.01)
    for seed in range(2):
        fill_later(results, first, FREE, freed=(1, 2, 5), seed=seed, skill=0.3, single=True, weights=weights)
    found = found_in(results)
    top = found.heads.sort("rank").head(3)
    assert {(row["layer"], row["head"]) for row in top.rows(named=True)} == {(0, 1), (0, 2), (1, 1)}
    assert top["taught"].all()
    (test,) = found.head_tests.rows(named=True)
    assert (test["taught"], test["others"], test["top_taught"], test["seeds"]) == (3, 13, 3, 2)
    assert test["p"] == pytest.approx(2 / 24)
    sizes = found.heads.group_by("taught").agg(pl.col("size").mean()).sort("taught")["size"]
    assert (test["others_size"], test["taught_size"]) == pytest.approx(tuple(sizes))
    own = fill_later(results, first, FREE, freed=(1, 2, 5), seed=0, skill=0.3, single=True, weights=weights)
    further = fill_later(
        results, own, FREE, task="topic", data=["topic"], freed=(1, 5), model="toy_further", single=True, skill=0.3
    )
    assert further.chain.task("mood").on.count("0") == 2
    topic = found_in(results).heads.filter(task="topic")
    assert topic.height == further.chain.latest.on.count("1"), "heads that are off are left out"


def test_a_chain_of_three_has_a_row_for_each_task_with_what_it_lost(results: Path) -> None:
    for seed in range(2):
        first = fill_first(results, freed=[SIX])
        mood = fill_later(results, first, FREE, freed=SIX, seed=seed, skill=0.3)
        fill_later(results, mood, FREE, task="topic", data=["topic"], freed=(0, 1), model="toy_further", seed=seed)
    found = found_in(results)
    rows = found.chains.sort("place").rows(named=True)
    assert [(row["task"], row["taught"], row["on"], row["seeds"]) for row in rows] == [
        ("nli", 16, 10, 2),
        ("mood", 6, 14, 2),
        ("topic", 2, 16, 2),
    ]
    cost = found.earlier.filter(task="nli", comparison=found.comparisons[0].name)
    nli = found.earlier.filter(task="nli").filter(pl.col("comparison").str.starts_with("mood")).row(0, named=True)
    assert rows[0]["change"] == pytest.approx(nli["change"]), "the first later task took from it, the second nothing"
    assert rows[1]["change"] < 0
    assert rows[2]["change"] is None
    assert [row["unlike"] for row in rows] == [0, 0, None]
    assert cost.height


def test_only_equal_updates_are_paired_and_it_is_said(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    fill_later(results, first, FREE, freed=SIX)
    fill_later(results, first, BIASES, freed=SIX, updates=250)
    found = found_in(results)
    assert found.controls["method"].to_list() == ["free heads by importance"]
    said = "\n".join(found.warnings)
    assert "updates differ (free heads by importance 125; biases and norms 250)" in said
    assert "no training of the output layer alone after 125 updates" in said
    assert "after 250 updates" in said
    assert found.curves["gain"].null_count() == 2


def test_nobody_is_told_to_train_an_output_layer_where_tasks_share_one(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    fill_later(results, first, FREE, freed=SIX, output_parameters=0)
    said = str(found_in(results).warnings) + str(found_in(results).sentences)
    assert "output layer" not in said
    assert "mood reaches" in said


def test_it_is_said_where_free_heads_were_chosen_on_what_is_compared_and_where_nothing_was_proved(
    results: Path,
) -> None:
    first = fill_first(results, freed=[SIX])
    fill_later(results, first, {**FREE, "data": {"name": "nli"}}, freed=SIX)
    fill_later(results, first, OUTPUT, freed=SIX, earlier=False)
    fill_later(results, first, AT_RANDOM, freed=(1, 4), earlier=False)
    said = "\n".join(found_in(results).warnings)
    assert "free heads were chosen on nli, on which nli is scored" in said
    assert "what nli loses was not measured after 1 training (random heads)" in said


def test_options_that_tell_trainings_of_one_method_apart_are_named(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for rate in (1e-4, 5e-4):
        fill_later(results, first, FREE, freed=SIX, training={"learning_rate": rate}, skill=100 * rate)
    methods = set(found_in(results).curves["method"])
    assert methods == {f"free heads by importance, learning rate {rate}" for rate in ("0.0001", "0.0005")}


def test_a_gain_is_over_the_output_layer_that_was_trained_alike(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for rate, skill in ((1e-5, 0.1), (1e-3, 0.3)):
        for options, more in ((OUTPUT, 0.0), (FREE, 0.1), (ALL, 0.4)):
            fill_later(results, first, options, freed=SIX, training={"learning_rate": rate}, skill=skill + more)
    found = found_in(results)
    scores, curves = ({row["method"]: row for row in table.rows(named=True)} for table in (found.later, found.curves))
    for rate in ("1e-05", "0.001"):
        free, output, whole = (
            scores[f"{method}, learning rate {rate}"]
            for method in ("free heads by importance", "output layer alone", "all weights")
        )
        gain = free["score"] - output["score"]
        assert free["gain"] == pytest.approx(gain)
        assert curves[free["method"]]["gain"] == pytest.approx(gain)
        assert curves[free["method"]]["reached"] == pytest.approx(gain / (whole["score"] - output["score"]))
        assert output["gain"] is None
    fill_later(results, first, BIASES, freed=SIX, training={"learning_rate": 1e-4})
    found = found_in(results)
    assert found.later.filter(method="biases and norms")["gain"].to_list() == [None]
    assert any("no gain is given of biases and norms" in line for line in found.warnings)


def test_methods_whose_options_were_chosen_for_each_are_paired(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for options, rate in ((OUTPUT, 5e-3), (FREE, 1e-4), ({**FREE, "biases": False}, 1e-4)):
        fill_later(results, first, options, freed=SIX, training={"learning_rate": rate}, skill=0.2)
    found = found_in(results)
    assert found.later["gain"].null_count() == 1, "that of the output layer itself"
    assert not any("no gain is given" in line for line in found.warnings)


def test_controls_are_held_against_the_order_of_most_seeds_and_not_of_most_trainings(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    effects = {**FREE, "order": {"name": "effect"}}
    for share in (0.3, 0.35, 0.4):
        fill_later(results, first, {**FREE, "free": share}, freed=SIX, seed=0)
    for seed in range(2):
        fill_later(results, first, effects, freed=SIX, seed=seed)
    assert str(found_in(results).comparisons[0].main[6][0]) == "free heads by effect"


def test_trainings_on_other_data_are_no_seeds_of_one_method(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for limit in (1000, None):
        train = {"name": "mood_train", "path": f"/data/{limit}/mood.tsv", "limit": limit}
        fill_later(results, first, FREE, freed=SIX, training={"train": train}, single=True)
    found = found_in(results)
    free = "free heads by importance"
    assert sorted(found.curves["method"]) == [free, f"{free}, training examples 1000"]
    assert found.curves["seeds"].to_list() == [1, 1]


def test_single_heads_after_other_updates_are_told_apart(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for updates in (125, 250):
        fill_later(results, first, FREE, freed=SIX, updates=updates, single=True)
    found = found_in(results)
    assert sorted(found.head_tests["updates"]) == [125, 250]
    assert found.head_tests["seeds"].to_list() == [1, 1]


def test_updates_of_low_rank_depend_on_how_many_heads_are_free_and_not_on_which(results: Path) -> None:
    first = fill_first(results, freed=[SIX])
    for seed, order in enumerate(("importance", "random")):
        fill_later(results, first, {**LORA, "order": {"name": order}}, freed=SIX, seed=seed)
    fill_later(results, first, {**LORA, "most_needed": True}, freed=SIX, seed=2)
    fill_later(results, first, LORA, freed=range(3), seed=0)
    rows = found_in(results).curves.sort("freed").rows(named=True)
    assert [(row["method"], row["freed"], row["seeds"]) for row in rows] == [("LoRA", 3, 1), ("LoRA", 6, 3)]


def test_controls_of_earlier_versions_are_the_same_method_as_those_that_name_no_choice(results: Path) -> None:
    """They named the choice of free heads, which they did not use."""
    first = fill_first(results, freed=[SIX])
    earlier = {**FREE, "name": "output_layer", "limit": 512, "data": {"name": "nli_train"}}
    fill_later(results, first, FREE, freed=SIX, seed=0, skill=0.2)
    fill_later(results, first, earlier, freed=SIX, seed=0)
    fill_later(results, first, OUTPUT, seed=1)
    found = found_in(results)
    (row,) = found.curves.filter(name="output_layer").rows(named=True)
    assert (row["method"], row["seeds"]) == ("output layer alone", 2)
    assert found.later.filter(method="output layer alone")["freed"].to_list() == [None, None]
    assert found.later.filter(method="free heads by importance")["freed"].to_list() == [6]


def test_a_failed_proof_is_told_first_of_all(results: Path) -> None:
    first = several(results, seeds=1)
    fill_later(results, first, LORA, freed=SIX, unlike=3)
    found = found_in(results)
    (line,) = found.failures
    assert "nli is NOT what it was" in line
    assert "3 of 120 outcomes on nli differ" in line
    assert not any("is unchanged" in sentence for sentence in found.sentences)


def test_rows_that_a_gpu_rounds_are_no_failure() -> None:
    proofs = [KeptProof("a", "1", 100, unlike, largest) for unlike, largest in ((0, 0.0), (7, 2e-6), (1, 0.3))]
    assert [verdict(proof, 1e-4) for proof in proofs] == [KEPT, ROUNDED, FAILED]
    flipped = KeptProof("a", "1", 100, unlike=2, largest=1.0, contradicting=0)
    assert verdict(flipped, 1e-4) == ROUNDED, "a near tie that a GPU decides otherwise"
    assert verdict(KeptProof("a", "1", 100, 1, 1e-6, contradicting=1), 1e-4) == FAILED, "a bit of a CPU"


@pytest.mark.parametrize(
    ("options", "words", "by_heads", "main"),
    [
        (FREE, "free heads by importance", True, True),
        (AT_RANDOM, "random heads", True, False),
        (PRETRAINED, "free heads by importance, in the pre-trained model", True, False),
        (
            {**FREE, "biases": False, "heads_from": "zero_output"},
            "free heads by importance, silent at first, no biases",
            True,
            True,
        ),
        (OUTPUT, "output layer alone", False, False),
        (OUTPUT_OFF, "output layer alone, free heads off, by importance", True, False),
        (LORA, "LoRA", True, False),
        ({**LORA, "rank": 8}, "LoRA, rank 8", False, False),
        (ALL, "all weights", False, False),
    ],
)
def test_methods_have_names_that_tell_them_apart(options: dict, words: str, by_heads: bool, main: bool) -> None:
    method = Method.of(options["name"], options)
    assert str(method).replace("LoRA by importance", "LoRA") == words
    assert (method.by_heads, method.is_main) == (by_heads, main)


def test_tasks_of_a_model_are_no_subjects_unless_their_heads_were_removed(results: Path) -> None:
    first = several(results, seeds=2)
    analysis = analyse(read_results(results), FAST)
    assert not analysis.subjects
    assert not analysis.namesakes
    assert analysis.second_tasks is not None
    fill_later(results, first, FREE, freed=SIX, seed=2, single=True)
    (subject,) = analyse(read_results(results), FAST).subjects.values()
    assert subject[0].subject == "toy_then, free_heads 6, mood"


def test_results_without_later_tasks_cost_nothing(results: Path) -> None:
    fill(results, "accuracy", model="toy", data="home", layout=CLASSIFIER)
    assert second_tasks(read_results(results), FAST) is None
    assert analyse(read_results(results), FAST).second_tasks is None


def test_a_damaged_record_is_named_and_the_others_are_shown(results: Path) -> None:
    several(results, seeds=1)
    (broken, *_) = sorted(results.glob("*/mood/*/task*.json"))
    content = read_sealed(broken)
    write_sealed(broken, {name: value for name, value in content.items() if name != "chain"})
    found = found_in(results)
    assert any("no whole record of a task's result" in line for line in found.warnings)
    assert found.later.height == 2


def test_without_an_output_layer_gains_are_over_the_model_before_on_the_same_data(results: Path) -> None:
    first = fill_first(results, data=("nli", "mood"))
    for seed in (0, 1):
        for options, skill in ((FREE, 0.5), (ALL, 0.7)):
            fill_later(results, first, options, freed=SIX, seed=seed, skill=skill, earlier=False, output_parameters=0)
    found, domains = found_in(results), domains_by_id(results)
    before = domains[first.outcomes["nli", "mood"].setting_id]
    curves = {row["method"]: row for row in found.curves.rows(named=True)}
    for name in ("free heads by importance", "all weights"):
        ids = found.later.filter(method=name)["setting_id"]
        gain = np.mean([100 * (answers(domains[id_]).mean() - answers(before).mean()) for id_ in ids])
        assert curves[name]["gain"] == pytest.approx(gain)
        assert curves[name]["gain_low"] < gain < curves[name]["gain_high"]
        assert curves[name]["pairs"] == 2
    model = curves["model before"]
    assert (model["score"], model["gain"]) == (pytest.approx(100 * answers(before).mean()), None)
    assert "model before" in found.controls["method"].to_list()
    (comparison,) = found.comparisons
    assert comparison.name == "mood after nli (toy_then)"
    assert "against the model before" in found.sentences[0]
    assert not [line for line in found.warnings if "same weights" in line or "model before" in line]
    assert "output layer" not in repr([*found.sentences, *found.warnings])
