"""The options of the analysis: one file has the defaults, a user's file lies over it, flags over both."""

import polars as pl
import pytest

from analysis import CorrelationOptions, Inference
from analysis.__main__ import main
from analysis.defaults import DEFAULTS, configured
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
