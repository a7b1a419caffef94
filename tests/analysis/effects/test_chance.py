"""Chance against answers really dealt out at random, and models at it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, WORDS, domain_of
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import entropy

from analysis import analyse, read_results
from analysis.effects.chance import chance, chance_columns
from analysis.inference import Inference
from analysis.page.claims import claims
from analysis.page.verdicts import Verdict
from analysis.results.domain import Domain
from study.record.metrics import Accuracy, Answers, Bleu, Task, metric

QUICK = Inference(resamples=200)
LABELS = np.array(["no", "perhaps", "yes"])


def answering(domain: Domain, targets: np.ndarray, answers: np.ndarray) -> Domain:
    """The domain with these gold labels, and these answers (by number) of the full mask; other masks answer 0."""
    examples = domain.examples.with_columns(target=pl.Series(targets))
    full = domain.layout.full_key
    given = pl.DataFrame({"example": examples["example"], "answer": answers, "target": targets})
    rows = domain.rows.join(given, on="example", maintain_order="left")
    rows = rows.with_columns(prediction=pl.when(pl.col("mask") == full).then("answer").otherwise(0))
    meant = pl.col("prediction").replace_strict(dict(enumerate(LABELS)), return_dtype=pl.String)
    rows = rows.with_columns(correct=(meant == pl.col("target")).cast(pl.Int64)).drop("answer", "target")
    return replace(domain, examples=examples, rows=rows, metric=Accuracy(Answers(labels=list(LABELS))))


@pytest.fixture
def domain(make) -> Domain:
    return domain_of(make, "accuracy", count=300)


def test_the_chance_of_a_classifier_is_the_mean_over_answers_dealt_at_random(domain) -> None:
    rng = np.random.default_rng(0)
    targets, answers = rng.choice(LABELS, 300, p=[0.6, 0.3, 0.1]), rng.choice(3, 300, p=[0.5, 0.1, 0.4])
    dealt = [100 * (LABELS[rng.permutation(answers)] == targets).mean() for _ in range(4000)]
    found = chance(answering(domain, targets, answers))
    assert found == pytest.approx(np.mean(dealt), abs=0.15)
    weights = rng.integers(1, 5, 300).astype(float)
    weighted = answering(domain, targets, answers)
    weighted = replace(weighted, examples=weighted.examples.with_columns(weight=pl.Series(weights)))
    again = np.repeat(np.arange(300), weights.astype(int))
    dealt = [100 * (LABELS[rng.permutation(answers[again])] == targets[again]).mean() for _ in range(4000)]
    assert chance(weighted) == pytest.approx(np.mean(dealt), abs=0.15)


@pytest.mark.parametrize(
    ("answer", "above"),
    [
        (
            lambda _rng, _gold: np.zeros(300, dtype=int),
            False,
        ),  # always the commonest label: 60 % right, and no knowledge
        (lambda rng, _gold: rng.integers(0, 3, 300), False),
        (lambda rng, gold: np.where(rng.random(300) < 0.5, gold, rng.integers(0, 3, 300)), True),
    ],
)
def test_a_model_is_above_chance_where_it_knows_something(domain, answer, above) -> None:
    rng = np.random.default_rng(1)
    gold = rng.choice(3, 300, p=[0.6, 0.3, 0.1])
    found = chance_columns(answering(domain, LABELS[gold], answer(rng, gold)), QUICK)
    assert found["above_chance"] is above


def test_one_label_tells_no_chance_and_unknown_answers_tell_that_of_the_labels(domain) -> None:
    nothing = np.zeros(300, dtype=int)
    assert chance_columns(answering(domain, LABELS[nothing], nothing), QUICK) == {"chance": None, "above_chance": None}
    unknown = answering(domain, LABELS[np.arange(300) % 3], nothing)
    assert chance(replace(unknown, rows=unknown.rows.drop("prediction"))) == pytest.approx(100 / 3)


def test_the_chance_of_a_loss_is_that_of_the_best_answer_without_an_input(domain) -> None:
    """Shares of labels, the mean of targets: any other constant answer has a larger loss."""
    targets = np.random.default_rng(2).choice(LABELS, 300, p=[0.6, 0.3, 0.1])
    found = chance(replace(answering(domain, targets, np.zeros(300, dtype=int)), metric=metric("loss")))
    assert found == pytest.approx(-entropy(np.unique(targets, return_counts=True)[1]))
    gold = np.random.default_rng(3).integers(0, 6, 300)
    examples = domain.examples.with_columns(target=pl.Series(map(str, gold)))
    assert chance(replace(domain, examples=examples, metric=metric("squared_error"))) == pytest.approx(-gold.var())


def test_the_chance_of_choices_is_that_of_equally_likely_ones(domain) -> None:
    """Two continuations of 100 examples, four of 200."""
    third = [None if i < 100 else "x" for i in range(300)]
    texts = {
        "text_1": pl.lit("a"),
        "text_2": pl.lit("b"),
        "text_3": pl.lit("c"),
        "text_4": pl.Series(third),
        "text_5": pl.Series(third),
    }
    examples = domain.examples.select("example", target=pl.lit("0")).with_columns(**texts)
    about = Answers(task=Task.CHOICE)
    found = {
        name: chance(replace(domain, examples=examples, metric=metric(name, about)))
        for name in ("choice_accuracy", "loss", "logit_difference", "target_accuracy", "target_loglik")
    }
    shares = np.repeat([1 / 2, 1 / 4], [100, 200])
    assert found["choice_accuracy"] == pytest.approx(100 * shares.mean())
    assert found["logit_difference"] == 0
    assert {found[name] for name in ("loss", "target_accuracy", "target_loglik")} == {None}


@pytest.mark.parametrize(("name", "scorer"), [("bleu", BLEU()), ("chrf", CHRF())])
def test_the_chance_of_a_translator_is_sacrebleus_score_of_other_references(make, name, scorer) -> None:
    domain = domain_of(make, name, count=31)
    full = domain.rows.filter(mask=domain.layout.full_key)
    said = dict(full.select("example", "hypothesis").iter_rows())
    hypotheses = [said[example] for example in domain.examples["example"]]
    references = domain.examples["target"].to_list()
    assert chance(domain) == pytest.approx(scorer.corpus_score(hypotheses, [references[15:] + references[:15]]).score)
    assert chance(replace(domain, rows=domain.rows.drop("hypothesis"))) == 0
    assert chance_columns(domain, QUICK)["above_chance"] is True


def test_a_bleu_that_is_all_smoothing_is_not_above_chance(make) -> None:
    """A few single words right, no 4-gram: BLEU is above 0 and above that of other references, and says nothing."""
    domain = domain_of(make, "bleu", count=60)
    targets = domain.examples["target"].to_list()
    hypotheses = [" ".join(word for word in (*target.split()[:3], *WORDS[:2])) for target in targets]
    statistics = Bleu().sentence_statistics([f"{h} x" for h in hypotheses], targets)
    statistics[:, Bleu.statistics.index("correct_4")] = 0
    full = pl.col("mask") == domain.layout.full_key
    columns = {n: pl.Series(c) for n, c in zip(Bleu.statistics, statistics.T, strict=True)}
    rows = domain.rows.filter(full).drop(*Bleu.statistics, "hypothesis").with_columns(**columns)
    found = chance_columns(replace(domain, rows=rows), QUICK)
    assert found == {"chance": 0.0, "above_chance": False}


def test_at_chance_every_claim_is_open_and_says_why(results: Path, make) -> None:
    make(data="home", count=1200, weights=np.zeros(len(CLASSIFIER)))
    analysis = analyse(read_results(results), QUICK)
    (domain,) = analysis.results.domains
    before = claims(analysis, {"home": domain})
    low = replace(analysis, base=analysis.base.with_columns(above_chance=pl.lit(False), chance=pl.lit(33.4)))
    after = claims(low, {"home": domain})
    assert {verdict for claim in before for verdict in claim.verdicts} != {Verdict.OPEN}
    assert {verdict for claim in after for verdict in claim.verdicts} == {Verdict.OPEN}
    words = after[0].findings[0].because
    assert "on home are not shown to be above chance (33.40 %)" in words
    assert words.endswith(before[0].findings[0].because)
