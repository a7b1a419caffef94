from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats
from simulated import PLAIN, sample

from analysis.correlation import CorrelationOptions, DomainEffects, correlate
from analysis.correlation.domain_effects import DOMAIN
from analysis.correlation.null_distributions import NullName
from analysis.correlation.shared_examples import aligned, sampling_covariance
from analysis.effects.head_effects import effects
from analysis.results.read import read_results
from analysis.results.slices import slices
from study.record.errors import InputError
from study.record.units import AttentionKind, Head, HeadLayout

QUICK = CorrelationOptions(splits=20, resamples=199, largest=4)


def domain(name: str, values: dict[tuple[str, int, int], float], *, subject_id: str = "s") -> DomainEffects:
    """Effects with these values, without outcomes."""
    names = {"subject": "toy", "subject_id": subject_id, "metric": "accuracy", "domain": name, "setting_id": name}
    heads = tuple(Head(AttentionKind(kind), layer, index) for kind, layer, index in values)
    return DomainEffects(names, heads, np.array(list(values.values())))


def heads(*effects: float, kind: str = "encoder_self") -> dict[tuple[str, int, int], float]:
    return {(kind, 0, i): effect for i, effect in enumerate(effects)}


def simulated(seed: int = 0, domains: int = 2, **scenario) -> list[DomainEffects]:
    """Domains with outcomes: twelve heads of two layers."""
    made = replace(PLAIN, heads=12, groups=300, signal=0.2, **scenario)
    rng = np.random.default_rng(seed)
    shifts = made.shifts(rng)
    own = tuple(Head(AttentionKind.ENCODER_SELF, i // 6, i % 6) for i in range(12))
    found = []
    for i in range(domains):
        outcomes = sample(made, shifts[i % 2], rng)
        names = {"subject": "toy", "subject_id": "s", "metric": "accuracy", "domain": f"d{i}", "setting_id": f"d{i}"}
        found.append(DomainEffects(names, own, outcomes.effects, outcomes))
    return found


def test_equals_numpy_and_ranks_overall_and_by_kind(make, results):
    make("bleu", data="home", seed=1, count=21)
    make("bleu", data="away", seed=2, count=21)
    domains = read_results(results).domains
    found = correlate([DomainEffects.of(domain) for domain in domains], QUICK).correlation
    away, home = (effects(domain).filter(measure="ablation") for domain in domains)
    assert found["kind"].to_list() == ["all", "encoder_self", "decoder_self", "cross"]
    for row in found.iter_rows(named=True):
        keep = pl.lit(True) if row["kind"] == "all" else pl.col("kind") == row["kind"]
        x, y = away.filter(keep)["effect"].to_numpy(), home.filter(keep)["effect"].to_numpy()
        assert row["heads"] == len(x) == (36 if row["kind"] == "all" else 12)
        assert row["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
        ranks = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
        assert row["spearman"] == pytest.approx(ranks, abs=1e-12)
        assert row["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert (row["domain_a"], row["domain_b"], row["reason"]) == ("away", "home", None)
        assert (row["groups_a"], row["groups_b"], row["level"]) == (7, 7, 0.95)
        assert row["pearson_low"] < row["pearson"] < row["pearson_high"]


def test_heads_are_matched_by_address_not_by_row():
    a = heads(1.0, 2.0, 3.0, 7.0)
    b = dict(reversed({**heads(2.0, 4.0, 6.0), ("encoder_self", 5, 0): -50.0}.items()))
    row = correlate([domain("a", a), domain("b", b)], QUICK).correlation.row(0, named=True)
    assert row["heads"] == 3
    assert row["pearson"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (heads(1.0, 2.0), heads(1.0, 3.0), "2 heads measured in both: a correlation needs 3"),
        (heads(0.1 + 0.2, 0.3, 0.3), heads(1.0, 2.0, 4.0), "all effects on a are equal"),
        (heads(0.0, 0.0, 0.0), heads(1.0, 1.0, 1.0), "all effects on a and on b are equal"),
        (heads(1.0, 2.0, 4.0), heads(1.0, 2.0, 4.0, kind="cross"), "0 heads measured in both: a correlation needs 3"),
    ],
)
def test_where_there_is_no_correlation_the_tables_say_why(a, b, reason):
    found = correlate([domain("a", a), domain("b", b)], QUICK)
    row = found.correlation.filter(kind="all").row(0, named=True)
    assert (row["pearson"], row["spearman"], row["reason"]) == (None, None, reason)
    assert set(found.null["reason"]) == {reason}
    assert found.null["p"].null_count() == 4
    assert found.influence.is_empty()


def test_a_domain_without_effects_is_in_no_pair():
    found = correlate([domain("a", {}), domain("b", heads(1.0, 3.0, 4.0))], QUICK)
    assert found.correlation.is_empty()


def test_without_outcomes_what_needs_them_is_left_out_by_name():
    rng = np.random.default_rng(0)
    a, b = (dict(zip(heads(*range(12)), rng.normal(size=12), strict=True)) for _ in range(2))
    found = correlate([domain("a", a), domain("b", b)], QUICK)
    row = found.correlation.row(0, named=True)
    for name in ("pearson_low", "true", "reliability_a", "ceiling", "share", "groups_a"):
        assert row[name] is None
    for name in ("interval_reason", "true_reason", "ceiling_reason"):
        assert "outcomes of examples" in row[name]
    flips, *permuted = found.null.rows(named=True)
    assert (flips["null"], flips["p"]) == (NullName.SIGN_FLIPS, None)
    assert "outcomes of examples" in flips["reason"]
    assert all(0 < row["p"] <= 1 for row in permuted)
    assert row["heads_low"] < row["pearson"] < row["heads_high"]
    assert found.overlap["k"].to_list() == [5, 10]
    assert found.reliability.is_empty()
    assert found.without_largest["pearson"].is_not_null().all()


def test_subjects_and_sizes_of_one_data_set_are_never_mixed(make, results):
    make(data="home", seed=1)
    make(data="away", seed=2)
    make(data="away", seed=3, count=20)
    make(data="home", seed=1, weights_file="other")
    domains = [DomainEffects.of(domain) for domain in read_results(results).domains]
    found = correlate(domains, QUICK).correlation
    assert found["subject_id"].n_unique() == 1
    assert found.select("domain_a", "domain_b").rows() == [("away", "away"), *[("away", "home")] * 2]
    assert (found["setting_a"] != found["setting_b"]).all()
    assert found["setting_a"].n_unique() == 2


def test_domains_that_share_examples_have_its_noise_taken_out(make, results):
    """Two seeds on the same examples of one data set: r is that of shared noise as well."""
    weights = np.random.default_rng(0).gamma(0.35, 0.06, (2, 16))
    make(data="home", seed=1, count=240, weights=weights[0])
    make(data="part", seed=1, count=240, weights=weights[1], weights_file="w1")
    domains = [DomainEffects.of(own) for own in read_results(results).domains]
    found = correlate(domains, QUICK)
    row = found.correlation.row(0, named=True)
    assert (row["shared"], row["groups_a"], row["groups_b"]) == (240, 80, 80)
    assert row["pearson_low"] <= row["pearson"] <= row["pearson_high"]
    assert row["ceiling"] is not None
    a, b, shared = aligned(*domains)
    assert shared.count == 80
    noise = np.trace(sampling_covariance(a, b) @ (np.eye(16) - 1 / 16)) / 15
    moments = np.cov(a.effects, b.effects)
    free = [
        moments[i, i] - np.trace(sampling_covariance(s, s) @ (np.eye(16) - 1 / 16)) / 15 for i, s in enumerate((a, b))
    ]
    if row["true"] is not None:
        assert row["true"] == pytest.approx(np.clip((moments[0, 1] - noise) / np.sqrt(np.prod(free)), -1, 1), rel=1e-9)
    flips = found.null.filter(null=str(NullName.SIGN_FLIPS)).row(0, named=True)
    assert flips["mean"] > 0.2, "noise that both share is correlated where no head has an effect"


def test_every_two_of_many_domains_and_what_each_table_adds_up_to():
    found = correlate(simulated(domains=4), QUICK)
    names = [f"d{i}" for i in range(4)]
    expected = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    assert found.correlation.select("domain_a", "domain_b").rows() == expected
    first = found.correlation.row(0, named=True)

    def own(table: pl.DataFrame) -> pl.DataFrame:
        return table.filter(domain_a="d0", domain_b="d1")

    assert own(found.influence)["contribution"].sum() == pytest.approx(first["pearson"])
    assert sorted(own(found.influence)["rank"]) == list(range(1, 13))
    curve = own(found.without_largest)
    assert curve["left_out"].to_list() == list(range(5))
    assert curve["pearson"][0] == pytest.approx(first["pearson"])
    largest = own(found.influence).sort("rank").row(0, named=True)
    assert curve["last"][1] == f"encoder_self.{largest['layer']}.{largest['head']}"
    assert curve["pearson"][1] == pytest.approx(largest["pearson_without"])
    assert own(found.by_layer).select("layer", "heads").rows() == [(0, 6), (1, 6)]
    assert own(found.null)["null"].to_list() == list(NullName)
    assert own(found.null)["p"].is_between(1 / 200, 1).all()
    assert first["share"] == pytest.approx(first["pearson"] / first["ceiling"])
    assert first["ceiling"] == pytest.approx(np.sqrt(first["reliability_a"] * first["reliability_b"]))
    assert first["share"] == pytest.approx(first["true"], abs=0.05)  # two ways to take the noise out
    whole = found.reliability.filter(left_out=0)
    assert whole["whole"].to_list() == pytest.approx(whole["by_moments"].to_list(), abs=0.05)
    assert whole["domain"].to_list() == names


def test_a_pair_is_the_same_beside_other_domains_and_at_every_run():
    domains = simulated(domains=4)
    two, four = (correlate(own, QUICK) for own in (domains[:2], domains))
    for name, table in two.tables.items():
        same = four.tables[name]
        keep = pl.col("domain").is_in(["d0", "d1"]) if name.endswith("reliability") else pl.col("domain_b") == "d1"
        assert_frame_equal(table, same.filter(keep & (pl.col(table.columns[3]) != "d2")))
    other = correlate(domains[:2], replace(QUICK, seed=1))
    assert not other.null["p"].equals(two.null["p"])
    assert other.correlation["true"].equals(two.correlation["true"])


def test_one_kind_has_no_rows_by_kind(make, results):
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})
    for seed, data in enumerate(("home", "away")):
        make(data=data, seed=seed, layout=layout)
    found = correlate([DomainEffects.of(domain) for domain in read_results(results).domains], QUICK)
    assert found.correlation["kind"].to_list() == ["all"]


def test_one_domain_alone_has_empty_tables_with_all_columns():
    found = correlate(simulated(domains=1), QUICK)
    assert all(table.is_empty() for name, table in found.tables.items() if name != "correlation_reliability")
    assert {"pearson", "true_low", "share"} <= set(found.correlation.columns)
    assert found.reliability.columns[: len(DOMAIN)] == list(DOMAIN)
    assert found.reliability.height == 5


def test_without_the_largest_r_has_the_jackknife_interval_of_the_heads_that_are_left():
    a, b = simulated(seed=3)
    rest = [i for i, head in enumerate(a.heads) if head not in largest_two(a, b)]

    def r(of_a: np.ndarray, of_b: np.ndarray) -> float:
        return float(np.arctanh(stats.pearsonr(of_a[rest], of_b[rest]).statistic))

    def without_each(side: DomainEffects) -> list[np.ndarray]:
        right, count = side.sample.sums[:, :, 0], side.sample.sums[:, :, 1]
        scores = [100 * np.delete(right, i, 1).sum(1) / np.delete(count, i, 1).sum(1) for i in range(right.shape[1])]
        return [score[1:] - score[0] for score in scores]

    values = [[r(left, b.effects) for left in without_each(a)], [r(a.effects, left) for left in without_each(b)]]
    error = np.sqrt(sum((len(own) - 1) ** 2 / len(own) * np.var(own, ddof=1) for own in values))
    half = stats.t.ppf(0.975, 299) * error
    row = correlate([a, b], QUICK).without_largest.filter(left_out=2).row(0, named=True)
    ends = np.arctanh([row["pearson_low"], row["pearson_high"]])
    assert ends == pytest.approx([r(a.effects, b.effects) - half, r(a.effects, b.effects) + half])


def largest_two(a: DomainEffects, b: DomainEffects) -> set[Head]:
    sizes = [np.abs(side.effects) / np.sqrt(np.mean(side.effects**2)) for side in (a, b)]
    return {a.heads[i] for i in np.argsort(np.maximum(*sizes))[-2:]}


def test_two_effects_of_one_head_and_effects_that_are_no_numbers_are_refused():
    names = domain("a", {}).names
    head = Head(AttentionKind.CROSS, 1, 2)
    with pytest.raises(InputError, match=r"a: more than one effect of cross\.1\.2"):
        DomainEffects(names, (head, head), np.zeros(2))
    with pytest.raises(InputError, match=r"a: the effect of encoder_self\.0\.1 is not a number"):
        domain("a", heads(1.0, float("nan")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 95.0}, r"level must be above 0 and below 1 \(.95 for 95 % intervals\), not 95.0"),
        ({"splits": 0}, "splits must be at least 1"),
        ({"resamples": 10}, "resamples must be at least 19"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        CorrelationOptions(**options)


def test_a_slice_of_few_groups_says_so(make, results):
    make(data="home", count=30)
    whole = read_results(results).domains[0]
    thirds = pl.Series([str(i % 3) for i in range(30)])
    parts = slices(replace(whole, examples=whole.examples.with_columns(third=thirds)), "third")
    found = correlate([DomainEffects.of(part, "example") for part in parts], QUICK).correlation
    assert found["domain_a"].to_list() == ["home/0", "home/0", "home/1"]
    assert found["groups_a"].to_list() == [10, 10, 10]


def test_heads_of_one_domain_alone_are_named(caplog):
    a, b = domain("here", heads(1.0, 2, 3, 4, 5)), domain("there", heads(1.0, 3, 2, 4) | heads(7, kind="cross"))
    assert correlate([a, b], QUICK).overall["heads"].to_list() == [4]
    assert [record.getMessage() for record in caplog.records] == [
        "heads measured on here and not on there: encoder_self.0.4",
        "heads measured on there and not on here: cross.0.0",
    ]
