from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import sacrebleu

from analysis import analyse, read_domain, read_results, rescored, scored_by
from analysis.effects.head_effects import effects
from analysis.inference import Inference
from analysis.tracking.wandb_runs import PushOptions, planned_runs
from study.record.errors import InputError
from study.record.metrics import Chrf
from study.record.scores import mask_scores


def test_every_score_is_sacrebleus_of_the_stored_translations(make):
    domain = rescored(read_domain(make("bleu", count=9).folder), "chrf")
    texts = domain.rows.join(domain.examples, on="example")
    scores = dict(mask_scores(domain.rows, domain.metric).select("mask", "score").iter_rows())
    theirs = {
        str(mask): sacrebleu.corpus_chrf(own["hypothesis"].to_list(), [own["target"].to_list()]).score
        for (mask,), own in texts.group_by("mask")
    }
    assert scores == pytest.approx(theirs, abs=1e-9)
    assert len(set(theirs.values())) > 20
    table = effects(domain, Inference(resamples=99)).filter(measure="ablation")
    full = theirs[domain.layout.full_key]
    expected = [theirs[domain.layout.key(domain.layout.without([head]))] - full for head in domain.layout.heads]
    assert table["effect"].to_list() == pytest.approx(expected, abs=1e-9)
    assert domain.sample().base_score == pytest.approx(full, abs=1e-9)


def test_each_distinct_translation_is_counted_once(make, monkeypatch):
    stored = read_domain(make("bleu", count=6).folder)
    base = stored.rows.filter(mask=stored.layout.full_key)
    rows = pl.concat([base, *(base.with_columns(mask=pl.lit(mask)) for mask in ("0" * 36, "01" * 18))])
    counted, count = [], Chrf.hypothesis_statistics
    monkeypatch.setattr(Chrf, "hypothesis_statistics", lambda *args: counted.append(len(args[1])) or count(*args))
    found = rescored(replace(stored, rows=rows), "chrf")
    assert sum(counted) == 6
    assert found.rows.select("mask", "example", "hypothesis").equals(rows.select("mask", "example", "hypothesis"))
    every = found.rows.select(Chrf.statistics).to_numpy().reshape(3, 6, 18)
    assert np.array_equal(every[0], every[1])
    assert every.any()


def test_another_metric_is_another_subject_of_the_same_folder(make):
    stored = read_domain(make("bleu", count=3).folder)
    found = rescored(stored, "chrf")
    assert rescored(stored, "bleu") is stored
    assert rescored(found, "bleu").subject_id == stored.subject_id, "whatever it was scored by before"
    assert (found.subject_id, found.setting_id) == (f"{stored.subject_id}-chrf", f"{stored.setting_id}-chrf")
    assert found.folder == stored.folder
    assert found.signature == Chrf().signature


def test_domains_by_metric(make, results):
    make(model="bert")
    make("bleu", model="fairy", count=3)
    every = read_results(results)

    def names(*metrics: str) -> list[tuple[str, str]]:
        return [(domain.model, domain.metric.name) for domain in scored_by(every, metrics).domains]

    assert names() == [("bert", "accuracy"), ("fairy", "bleu")]
    assert names("accuracy") == [("bert", "accuracy")]
    assert names("chrf") == [("fairy", "chrf")]
    assert names("chrf", "bleu", "chrf") == [("fairy", "bleu"), ("fairy", "chrf")]


def test_both_metrics_have_effects_of_their_own_in_wandb(make, results, tmp_path):
    make("bleu", model="fairy", count=6)
    both = scored_by(read_results(results), ["bleu", "chrf"])
    runs = [one.run for one in planned_runs(analyse(both, Inference(resamples=99)), PushOptions(tmp_path / "drafts"))]
    assert len({run.id for run in runs}) == len(runs) == 3
    found = {run.summary["unit"]: run.summary["base"] for run in runs if run.measure == "effects"}
    assert found == {domain.metric.unit: domain.sample().base_score for domain in both.domains}


def test_what_a_metric_cannot_score_is_refused_in_words(make, results):
    accuracy = read_domain(make(model="bert").folder)
    with pytest.raises(InputError, match="bert on home is scored by accuracy; chrF is of translation"):
        rescored(accuracy, "chrf")
    with pytest.raises(InputError, match="bert on home is scored by accuracy; BLEU is of translation"):
        rescored(accuracy, "bleu")
    with pytest.raises(InputError, match="holds nothing with metric chrf:\n  bert on home is scored by accuracy"):
        scored_by(read_results(results), ["chrf"])


@pytest.mark.parametrize("precision", ["screened|sample:512|safety:2|audit:0.01", "cascade|sample:100|safety:2"])
def test_losses_of_two_precisions_are_refused(make, precision: str):
    stored = read_domain(make(model="bert").folder)
    drafted = [replace(place, precision=precision) for place in stored.factors]
    rows = stored.rows.with_columns(loss=pl.lit(0.5))
    assert rescored(replace(stored, rows=rows), "loss").sample().base_score == pytest.approx(-0.5)
    with pytest.raises(
        InputError, match=rf"bert on home was computed by precision={precision.partition('|')[0]}: what"
    ):
        rescored(replace(stored, rows=rows, factors=tuple(drafted)), "loss")
