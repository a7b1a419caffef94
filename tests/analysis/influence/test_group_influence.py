"""Influence of single groups against numbers made anew without them, and a planted translation that decides."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import TRANSLATOR, domain_of
from scipy import stats

from analysis import Analysis, analyse, read_results
from analysis.__main__ import main
from analysis.correlation import CorrelationOptions, DomainEffects, correlate
from analysis.correlation.tables import PAIR
from analysis.formatting import address, shortened
from analysis.inference import Inference
from analysis.influence.groups import (
    CORRELATION,
    DECIDES,
    FEWEST,
    DomainGroups,
    Influence,
    _first_text,
    deciding,
    influence,
)
from analysis.page.verdicts import Verdict, other_domain
from analysis.results.domain import Domain
from study.record.store import Store

QUICK = Inference(resamples=200)
RUNAWAY = "home-4"
HEADS = TRANSLATOR.heads[:12]
MASKS = {TRANSLATOR.key(mask): mask for mask in (TRANSLATOR.full(), *TRANSLATOR.each_off(HEADS))}
SENTENCE = dict.fromkeys(["hypothesis_length", *(f"total_{n}" for n in range(1, 5))], 194)


def without(domain: Domain, group: str) -> Domain:
    """The domain as if it had never had this group."""
    kept = domain.examples.filter(pl.col("group") != group)
    return replace(domain, examples=kept, rows=domain.rows.filter(pl.col("example").is_in(kept["example"].implode())))


def run_away(domain: Domain) -> Domain:
    """One sentence is translated to 194 tokens of repetition under every second mask of one head off."""
    repeats = [mask for i, mask in enumerate(sorted(set(domain.rows["mask"]))) if i % 2]
    planted = (pl.col("example") == RUNAWAY) & pl.col("mask").is_in(repeats)
    columns = [pl.when(planted).then(value).otherwise(pl.col(name)).alias(name) for name, value in SENTENCE.items()]
    return replace(domain, rows=domain.rows.with_columns(columns))


def found(*domains: Domain) -> Influence:
    own = [DomainEffects.of(domain) for domain in domains]
    effects = pl.DataFrame(
        schema={"measure": pl.String, "setting_id": pl.String, "kind": pl.String, "layer": pl.Int64}
        | {"head": pl.Int64, "significant": pl.Boolean}
    )
    return influence(list(zip(domains, own, strict=True)), effects, "auto")


@pytest.fixture
def home(make) -> Domain:
    return domain_of(make, "bleu", data="home", seed=1, count=90, masks=MASKS)


@pytest.fixture
def away(make) -> Domain:
    return domain_of(make, "bleu", data="away", seed=2, count=75, masks=MASKS)


def test_every_number_is_that_of_the_domain_without_the_group(home, away) -> None:
    """Each group is left out of the rows, and all is scored anew."""
    home = run_away(home)
    tables = found(home, away)
    other = DomainEffects.of(away)
    names = home.examples["group"].unique(maintain_order=True).to_list()
    assert len(names) == 30
    left = np.stack([DomainEffects.of(without(home, name)).effects for name in names])
    centred = left - left.mean(axis=1, keepdims=True)
    squares = np.square(centred - centred.mean(axis=0)).sum(axis=1)
    noise = dict(zip(names, squares / squares.sum(), strict=True))
    own = tables.noise.filter(domain="home")
    assert own.height == 20
    assert own["group"].to_list() == sorted(names, key=lambda name: -noise[name])[:20]
    assert own["share"].to_list() == pytest.approx([noise[name] for name in own["group"]])

    r = {name: stats.pearsonr(effects, other.effects).statistic for name, effects in zip(names, left, strict=True)}
    whole = stats.pearsonr(DomainEffects.of(home).effects, other.effects).statistic
    z = np.arctanh(list(r.values()))
    variance = 29 / 30 * np.square(z - z.mean())
    away_z = np.arctanh(
        [
            stats.pearsonr(DomainEffects.of(home).effects, DomainEffects.of(without(away, name)).effects).statistic
            for name in away.examples["group"].unique(maintain_order=True)
        ]
    )
    total = variance.sum() + 24 / 25 * np.square(away_z - away_z.mean()).sum()
    shares = dict(zip(names, variance / total, strict=True))
    rows = tables.correlation.filter(domain="home").rows(named=True)
    assert rows
    for row in rows:
        assert row["pearson_without"] == pytest.approx(r[row["group"]])
        assert row["pearson"] == pytest.approx(whole)
        assert row["share"] == pytest.approx(shares[row["group"]])
        assert row["noise_share"] == pytest.approx(noise[row["group"]])

    for head, row in enumerate(tables.effects.filter(domain="home").iter_rows(named=True)):
        effect = DomainEffects.of(home).effects[head]
        most = int(np.abs(left[:, head] - effect).argmax())
        assert (row["group"], row["effect"]) == (names[most], pytest.approx(effect))
        assert row["effect_without"] == pytest.approx(left[most, head])
        assert row["share"] == pytest.approx((effect - left[most, head]) / effect)


def test_a_planted_runaway_decides_and_without_it_none_does(home, away) -> None:
    clean, planted = found(home, away), found(run_away(home), away)
    assert not clean.noise["decides"].any()
    assert not clean.correlation["decides"].any()
    (row,) = planted.noise.filter("decides").rows(named=True)
    assert (row["domain"], row["group"], row["examples"]) == ("home", "1", 3)
    assert row["text"] == shortened(home.examples.filter(group="1")["text_1"][0], 200)
    (row,) = planted.correlation.filter("decides").rows(named=True)
    assert row["domain"] == "home"
    assert max(row["share"], row["noise_share"]) > DECIDES
    labels = {home.setting_id: "home", away.setting_id: "away"}
    first, *heads = deciding(planted, labels, address, 30)
    assert first.startswith("home: one document of 30 (3 examples) makes ")
    assert f"% of the variance of r; without it r between away and home is {row['pearson_without']:.2f} instead of" in (
        first.replace("between home and away", "between away and home").replace("−", "-")
    )
    assert first.endswith(f"1, “{shortened(row['text'], 30)}”.")
    assert all("rests more than half of the effect of" in line for line in heads)
    assert deciding(clean, labels, address, 30) == []


def test_of_few_groups_none_is_said_to_decide(home, away) -> None:
    few = run_away(home)
    few = replace(few, examples=few.examples.head(3 * (FEWEST - 1)))
    few = replace(few, rows=few.rows.filter(pl.col("example").is_in(few.examples["example"].implode())))
    table = found(few, away).noise.filter(domain="home")
    assert table["share"].max() > DECIDES
    assert not table["decides"].any()
    chance = [groups * stats.beta.sf(0.5, 0.5, (groups - 1) / 2) for groups in (FEWEST, 10)]
    assert chance == pytest.approx([0.007, 0.150], abs=0.0005), "that one of so many normal squares is half of all"


def test_a_head_whose_effect_one_group_makes_is_named(home) -> None:
    """Of the significant heads and the largest, and no others: a single flip of a small effect is no news."""
    own = DomainEffects.of(run_away(home))
    table = found(run_away(home)).effects
    assert table.height == len(own.heads)
    largest = int(np.abs(own.effects).argmax())
    assert set(table.filter("decides")["head"]) <= {own.heads[largest].index}
    every = DomainGroups.of(run_away(home), own, "auto")
    assert every.shares.sum() == pytest.approx(1)


def planted_folder(make: Callable[..., Store], results: Path) -> Analysis:
    make("bleu", data="home", seed=1, count=90, masks=MASKS)
    make("bleu", data="away", seed=2, count=75, masks=MASKS)
    read = read_results(results)
    domains = tuple(run_away(domain) if domain.data == "home" else domain for domain in read.domains)
    return analyse(replace(read, domains=domains), QUICK, splits=10)


def test_the_page_the_terminal_and_the_verdict_say_which_example(make, results, capsys, monkeypatch) -> None:
    analysis = planted_folder(make, results)
    monkeypatch.setattr("analysis.__main__.analysed", lambda *_: analysis)
    assert main([str(results)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "home: one document of 30 (3 examples) makes" in printed
    page = (results / "analysis" / "report" / "index.html").read_text()
    assert "One group decides:</b> home: one document of 30" in page
    row = analysis.influence.correlation.filter("decides").row(0, named=True)
    assert f"Without one document of home (1) r = {row['pearson_without']:.2f}." in page.replace("−", "-")
    stored = pl.read_csv(results / "analysis" / "tables" / "influence_on_correlation.csv")
    assert stored.filter("decides")["group"].cast(pl.String).to_list() == ["1"]


def effects_on(name: str, values: list[float]) -> DomainEffects:
    names = {"subject": "toy", "subject_id": "s", "metric": "bleu", "domain": name, "setting_id": name}
    return DomainEffects(names, TRANSLATOR.heads, np.array(values))


@pytest.mark.parametrize(
    ("large", "verdict", "words"),
    [
        (1, Verdict.OPEN, "It rests on one head (encoder_self.0.0): without it r ="),
        (2, Verdict.OPEN, "It rests on 2 heads (encoder_self.0.0 and encoder_self.0.1): "),
        (8, Verdict.HOLDS, ""),
    ],
)
def test_a_correlation_that_two_heads_make_is_no_verdict_on_all(make, results, large, verdict, words) -> None:
    make("bleu", data="home", count=9, masks=MASKS)
    analysis = analyse(read_results(results), QUICK, splits=10)
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 0.1, (2, 36))
    a[:large] -= 7 - np.arange(large) / 4
    b[:large] -= 7 - np.arange(large) / 4
    correlations = correlate(
        [effects_on("a", a.tolist()), effects_on("b", b.tolist())], CorrelationOptions(resamples=99)
    )
    known = correlations.correlation.with_columns(pearson_low=pl.lit(0.3), pearson_high=pl.lit(0.99))
    row = correlations.overall.select(*PAIR).row(0, named=True) | {
        "setting_id": "b",
        "unit": "premise",
        "decides": True,
    }
    decides = pl.DataFrame([row | {"group": "premise-7", "pearson_without": -0.5}], schema=CORRELATION)
    analysis = replace(
        analysis,
        correlations=replace(correlations, correlation=known),
        influence=replace(analysis.influence, correlation=decides),
    )
    (domain,) = analysis.results.domains
    domains = {name: replace(domain, setting_id=name) for name in "ab"}
    (finding,) = other_domain(analysis, domains)
    assert finding.verdict is verdict
    assert words in finding.because
    assert finding.because.endswith(" Without one premise of b (premise-7) r = −0.50."), "a name stays as it is"
    rest = stats.pearsonr(a[large:], b[large:]).statistic
    if verdict is Verdict.OPEN:
        assert f"r = {rest:.2f}; Spearman’s ρ of all heads is" in finding.because.replace("−", "-")
    else:
        assert "rests on" not in finding.because


def test_of_a_pair_without_context_the_first_sentence_is_shown() -> None:
    frame = pl.DataFrame({"example": ["a", "b"], "text_1": ["", "Once"], "text_2": ["She sings.", " upon"]})
    assert frame.select(_first_text(frame.columns)).to_series().to_list() == ["She sings.", "Once"]
