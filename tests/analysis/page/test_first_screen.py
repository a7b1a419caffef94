"""The first screen says what the tables say, and something sensible where there is little to say."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, curve_of, fill

from analysis import Analysis, analyse, read_results
from analysis.inference import Inference
from analysis.page import ResultsPage
from analysis.page.claims import Claim
from analysis.page.sections.first_screen import Answer
from analysis.page.tiles import sentence
from analysis.page.verdicts import Finding, Verdict
from analysis.results.read import Selection

pytestmark = pytest.mark.usefixtures("undrawn")

QUICK = Inference(resamples=199)
WEIGHTS = np.linspace(0, 0.4, len(CLASSIFIER))


def first_screen(analysis: Analysis) -> Answer:
    ((_, sections),) = ResultsPage.of(analysis).subjects
    return sections[0].answer


def analysed(results, **options) -> Analysis:
    return analyse(read_results(results), QUICK, splits=10, **options)


def test_tiles_are_the_numbers_of_the_tables(shown):
    analysis, path = shown
    page = path.read_text(encoding="utf-8").replace("−", "-")
    for row in analysis.base.rows(named=True):
        assert re.search(rf'<b class="number">.*?{row["base_score"]:.2f}', page)
    single = analysis.effects.filter(measure="ablation")
    for (_, _), own in single.group_by("setting_id", "subject"):
        worse = own.filter(pl.col("significant") & (pl.col("effect") < 0)).height
        assert f'<b class="number">{worse} of {own.height}</b>' in page
    known = analysis.correlations.overall.drop_nulls("true")
    assert known.height
    for row in known.rows(named=True):
        assert re.search(
            rf'<b class="number">.*?{row["true"]:.2f}.*?{row["true_low"]:.2f} to {row["true_high"]:.2f}', page
        )


def test_one_domain_has_no_r_and_says_why(make, results):
    make(data="home", count=60)
    analysis = analysed(results)
    answer = first_screen(analysis)
    score, heads, correlation = answer.tiles
    assert (len(score.numbers), len(heads.numbers), correlation.numbers) == (1, 1, ())
    assert "a second one tells" in correlation.note
    assert (len(answer.forest), len(answer.pictures)) == (2, 1)
    assert "The same heads matter elsewhere" not in [claim.short for claim in answer.claims]
    page = ResultsPage.of(analysis)
    assert "-correlation" not in "".join(re.findall(r'href="#[^"]*"', page.html()))
    assert "true r" not in sentence(page.subjects[0][0])


def test_two_domains_without_an_r_say_why(results):
    for data in ("home", "away"):
        fill(results, "accuracy", model="toy", data=data, count=30, weights=np.zeros(len(CLASSIFIER)))
    correlation = first_screen(analysed(results)).tiles[2]
    assert correlation.numbers == ()
    assert correlation.note == "All effects on away and on home are equal."


def test_without_removed_heads_there_is_a_score_and_what_to_run(make, results):
    make(data="home", masks={"1" * 16: CLASSIFIER.full()}, curves=[curve_of(CLASSIFIER.heads)])
    answer = first_screen(analysed(results))
    assert "measure=ablation" in answer.tiles[1].note
    assert answer.forest == answer.pictures == ()


def test_of_many_domains_the_tiles_have_the_range(results):
    for seed in range(5):
        fill(results, "accuracy", model="toy", data=f"domain{seed}", seed=seed, count=60, weights=WEIGHTS)
    analysis = analysed(results)
    score, heads, correlation = first_screen(analysis).tiles
    values = analysis.base["base_score"]
    assert [number.value for number in score.numbers] == [f"{values.min():.2f} to {values.max():.2f} %"]
    assert [number.where for number in heads.numbers] == ["5 domains"]
    assert [number.where for number in correlation.numbers] == ["10 pairs of domains"]


def test_of_many_domains_it_is_counted_how_many_are_not_above_chance(results):
    for seed in range(4):
        fill(results, "accuracy", model="toy", data=f"domain{seed}", seed=seed, count=60, weights=WEIGHTS)
    analysis = analysed(results)
    base = analysis.base.with_columns(above_chance=pl.Series([False, True, False, None]))
    (number,) = first_screen(replace(analysis, base=base)).tiles[0].numbers
    assert number.where == "4 domains (2 not above chance)"


def test_of_many_domains_without_intervals_heads_that_cost_anything_are_counted(results):
    for seed in range(4):
        fill(results, "accuracy", model="toy", data=f"domain{seed}", seed=seed, count=3, weights=WEIGHTS)  # one group
    analysis = analysed(results)
    single = analysis.effects.filter(measure="ablation")
    assert single["low"].null_count() == single.height
    lower = single.group_by("setting_id").agg(count=(pl.col("effect") < 0).sum())["count"]
    assert lower.max() > 0
    heads = first_screen(analysis).tiles[1]
    assert [number.value for number in heads.numbers] == [f"{lower.min()} to {lower.max()} of 16"]


def test_of_many_models_one_is_picked_and_shown_at_a_time(results):
    for model in "abcde":
        fill(results, "accuracy", model=model, data="home", weights_file=model, masks={"1" * 16: CLASSIFIER.full()})
    many = ResultsPage.of(analysed(results)).html()
    assert re.findall(r'<option value="[0-9a-f]{12}">(.*?)</option>', many) == list("abcde")
    assert '<main id="main" data-one-at-a-time>' in many
    few = ResultsPage.of(analyse(read_results(results, Selection(models=list("abcd"))), QUICK)).html()
    assert "data-picker" not in re.sub(r"<script.*?</script>", "", few, flags=re.DOTALL)
    assert '<main id="main">' in few


def test_heads_count_from_0_by_layer_and_head_or_by_their_address(results):
    off = {TRANSLATOR.key(mask): mask for mask in (TRANSLATOR.full(), *TRANSLATOR.each_off())}
    fill(results, "bleu", model="translator", data="home", count=6, masks=off)
    fill(results, "accuracy", model="classifier", data="home", count=30, weights=np.eye(16)[0] * 0.9, weights_file="w2")
    html = ResultsPage.of(analysed(results)).html()
    names = re.findall(r'<tr id="[^"]*" data-head="([^"]*)".*?<th scope="row"[^>]*>([^<]*)</th>', html, re.DOTALL)
    assert {name for head, name in names if head == "encoder_self.0.0"} == {"L0H0", "encoder_self.0.0"}
    assert ("cross.2.3", "cross.2.3") in names
    assert "(L0H0)" in html
    assert "L4" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL), "the classifier has layers 0 to 3"


def test_every_section_has_a_heading_and_a_link(shown):
    html = shown[1].read_text(encoding="utf-8")
    sections = dict(re.findall(r'<section class="(?:part|whole)" id="([^"]*)".*?<h[23]>(.*?) ?<a', html, re.DOTALL))
    linked = set(re.findall(r"<nav.*?</nav>", html, re.DOTALL))
    targets = {target for nav in linked for target in re.findall(r'href="#([^"]*)"', nav)}
    assert set(sections.values()) >= {"One head removed", "Correlation between domains", "Glossary"}
    assert set(sections) <= targets


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ({"home": Verdict.HOLDS}, "holds"),
        ({"home": Verdict.HOLDS, "away": Verdict.HOLDS}, "holds"),
        ({"home": Verdict.OPEN, "away": Verdict.FAILS}, "does not hold on away, cannot be said on home"),
        ({str(i): Verdict.HOLDS if i else Verdict.OPEN for i in range(5)}, "holds on 4, cannot be said on 1 of 5"),
    ],
)
def test_a_claim_in_a_line(verdicts: Mapping[str, Verdict], outcome: str):
    findings = [Finding(where, found, "because") for where, found in verdicts.items()]
    assert Claim("Heads can go.", "Heads can go", "rule", tuple(findings)).outcome == outcome
    rests = Finding("home", Verdict.HOLDS, "because", "rests on one head")
    assert Claim("Heads can go.", "Heads can go", "rule", (rests,)).outcome == "holds (rests on one head)"
