"""The options of the analysis: one file has the defaults, a user's file lies over it, flags over both."""

import polars as pl
import pytest

from analysis import CorrelationOptions, Inference
from analysis.__main__ import _chosen, main, parse
from analysis.defaults import DEFAULTS, by_metric, configured
from study.record.errors import InputError
from study.record.metrics import METRICS, metric


def test_every_metric_has_a_margin():
    assert set(DEFAULTS["margin"]) == set(METRICS)
    assert all(Inference().margin_of(metric(name)) == DEFAULTS["margin"][name] for name in METRICS)


def test_nobodys_options_are_those_of_the_file():
    assert Inference.of(configured()) == Inference()
    assert CorrelationOptions().resamples == Inference().resamples == DEFAULTS["resamples"]


def test_a_flag_goes_before_the_users_file_and_that_before_the_defaults(make, results, tmp_path):
    make()
    make("bleu", model="other", count=6)
    file = tmp_path / "mine.yaml"
    file.write_text("alpha: 0.1\nresamples: 99\nmargin: {bleu: 2}\nwithin: 3\ntest: bootstrap\nsplits: 7\n")
    assert main([str(results), "--config", str(file), "--resamples", "59", "--out", str(tmp_path)]) == 0
    effects = pl.read_parquet(tmp_path / "tables" / "effects.parquet")
    assert effects.select("alpha", "resamples", "test", "seed").unique().rows() == [(0.1, 59, "bootstrap", 0)]
    assert dict(effects.select("metric", "margin").unique().iter_rows()) == {"accuracy": 0.5, "bleu": 2.0}
    reliability = pl.read_parquet(tmp_path / "tables" / "correlation_reliability.parquet")
    assert reliability["splits"].unique().to_list() == [7]


@pytest.mark.parametrize(
    ("flags", "config", "margins"),
    [
        (["--margin", "bleu=2"], "", {"accuracy": 0.5, "bleu": 2}),
        (["--margin", "1", "--margin", "bleu=2"], "", {"accuracy": 1, "bleu": 2}),
        (["--margin", "bleu=2"], "margin: {accuracy: 3, bleu: 4}", {"accuracy": 3, "bleu": 2}),
        (["--margin", "bleu=2"], "margin: 3", {"accuracy": 3, "bleu": 2}),
        (["--margin", "1"], "margin: {bleu: 4}", {"accuracy": 1, "bleu": 1}),
    ],
)
def test_sizes_are_given_by_metric_or_for_all(tmp_path, flags, config, margins):
    file = tmp_path / "mine.yaml"
    file.write_text(config)
    chosen = _chosen(parse([*flags, "--within", "bleu=3", "--config", str(file)], "study"))
    assert {name: by_metric(chosen["margin"], name) for name in margins} == margins
    assert chosen["within"] == {**DEFAULTS["within"], "bleu": 3}


def test_a_margin_of_no_metric_is_refused(capsys):
    with pytest.raises(InputError, match="'bluu' is none: there are accuracy"):
        Inference(margin={"bluu": 1})
    for flag, words in (("bluu=1", "'bluu' is no metric: there are accuracy"), ("bleu=one", "'one' is no number")):
        with pytest.raises(SystemExit):
            parse(["--margin", flag], "study")
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alhpa: 0.1", "no option alhpa; there are alpha, resamples"),
        ("margin: {accurracy: 1}", "margin: no option accurracy; there are accuracy, matthews, f1"),
        ("margin: much", "margin must hold options by name, such as accuracy, and holds 'much'"),
        ("margin: {bleu: much}", "bleu cannot be 'much'"),
        ("resamples: 10.5", "resamples cannot be 10.5; it is 10000"),
        ("alpha: yes", "alpha cannot be True"),
        ("[1, 2]", "must hold options by name"),
        ("a: [", "cannot read the options in"),
        ("test: z", "test 'z' is none of randomisation, bootstrap"),
        ("alpha: 0.7", "alpha is the chance of an error"),
    ],
)
def test_a_wrong_file_is_refused_in_words(make, results, tmp_path, capsys, text, message):
    make()
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert main([str(results), "--config", str(file)]) == 2
    assert message in capsys.readouterr().err
    assert not (results / "analysis").exists()


def test_a_file_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(InputError, match="cannot read the options in"):
        configured(tmp_path / "none.yaml")
