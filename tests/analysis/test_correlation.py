import numpy as np
import polars as pl
import pytest
from scipy import stats

from analysis.correlation import correlation
from analysis.effects import effects
from analysis.read import read_domain, read_results
from study.heads import AttentionKind, HeadLayout
from study.statistics import MetricName


def table(domain: str, values: dict[tuple[str, int, int], float], *, subject_id: str = "s") -> pl.DataFrame:
    """A tidy table of single-head effects with these values."""
    return pl.DataFrame(
        [
            ("toy", subject_id, domain, f"id-{domain}", "ablation", kind, layer, head, "accuracy", effect)
            for (kind, layer, head), effect in values.items()
        ],
        schema=[
            "subject",
            "subject_id",
            "domain",
            "setting_id",
            "measure",
            "kind",
            "layer",
            "head",
            "metric",
            "effect",
        ],
        orient="row",
    )


def heads(*effects: float, kind: str = "encoder_self") -> dict[tuple[str, int, int], float]:
    return {(kind, 0, i): effect for i, effect in enumerate(effects)}


def test_equals_numpy_and_ranks_overall_and_by_kind(make, results):
    make(MetricName.BLEU, data="home", seed=1, count=10)
    make(MetricName.BLEU, data="away", seed=2, count=10)
    domains = read_results(results).domains
    found = correlation(pl.concat([effects(domain) for domain in domains]))
    away, home = (effects(domain).filter(measure="ablation") for domain in domains)
    assert found["kind"].to_list() == ["all", "encoder_self", "decoder_self", "cross"]
    for row in found.iter_rows(named=True):
        keep = pl.lit(True) if row["kind"] == "all" else pl.col("kind") == row["kind"]
        x, y = away.filter(keep)["effect"].to_numpy(), home.filter(keep)["effect"].to_numpy()
        assert row["heads"] == len(x) == (36 if row["kind"] == "all" else 12)
        assert row["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
        ranks = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
        assert row["spearman"] == pytest.approx(ranks, abs=1e-12)
        assert (row["domain_a"], row["domain_b"], row["reason"]) == ("away", "home", None)


def test_heads_are_matched_by_address_not_by_row():
    a = heads(1.0, 2.0, 3.0, 7.0)
    b = dict(reversed({**heads(2.0, 4.0, 6.0), ("encoder_self", 5, 0): -50.0}.items()))
    row = correlation(pl.concat([table("a", a), table("b", b)])).row(0, named=True)
    assert row["heads"] == 3
    assert row["pearson"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (heads(1.0, 2.0), heads(1.0, 3.0), "2 heads measured in both: a correlation needs 3"),
        (heads(), heads(1.0, 3.0, 4.0), None),
        (heads(0.1 + 0.2, 0.3, 0.3), heads(1.0, 2.0, 4.0), "all effects on a are equal"),
        (heads(0.0, 0.0, 0.0), heads(1.0, 1.0, 1.0), "all effects on a and on b are equal"),
        (heads(1.0, 2.0, 4.0), heads(1.0, 2.0, 4.0, kind="cross"), "0 heads measured in both: a correlation needs 3"),
    ],
)
def test_where_there_is_no_correlation_the_table_says_why(a, b, reason):
    found = correlation(pl.concat([table("a", a), table("b", b)], how="vertical_relaxed"))
    if reason is None:
        assert found.is_empty()
        return
    row = found.filter(kind="all").row(0, named=True)
    assert (row["pearson"], row["spearman"], row["reason"]) == (None, None, reason)


def test_subjects_and_sizes_of_one_data_set_are_never_mixed(make, results):
    make(data="home", seed=1)
    make(data="away", seed=2)
    make(data="away", seed=3, count=20)
    make(data="home", seed=1, weights_file="other")
    found = correlation(pl.concat([effects(domain) for domain in read_results(results).domains]))
    subject = read_domain(make(data="away", seed=2).folder).subject_id
    assert set(found["subject_id"]) == {subject}
    assert found.select("domain_a", "domain_b").rows() == [("away", "away"), *[("away", "home")] * 2]
    assert (found["setting_a"] != found["setting_b"]).all()
    assert found["setting_a"].n_unique() == 2


def test_one_kind_has_no_rows_by_kind(make, results):
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})
    for seed, data in enumerate(("home", "away")):
        make(data=data, seed=seed, layout=layout)
    found = correlation(pl.concat([effects(domain) for domain in read_results(results).domains]))
    assert found["kind"].to_list() == ["all"]
