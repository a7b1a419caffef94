import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from analysis.__main__ import main
from analysis.terminal import how_sure
from study.record.factors import Factors

pytestmark = pytest.mark.usefixtures("undrawn")

QUICK = ["--resamples", "99", "--splits", "10"]
"""How sure one can be of a number is tested elsewhere."""


def test_needs_no_torch():
    code = "import analysis.__main__, sys; print([m for m in ('torch', 'transformers', 'hydra') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_prints_the_summary_and_last_the_page(make, results, capsys):
    make(data="home", seed=1)
    make(data="away", seed=2)
    assert main([str(results)]) == 0
    printed = capsys.readouterr().out
    page = Path(printed.splitlines()[-1])
    assert page == results / "analysis" / "report" / "index.html"
    assert page.is_file()
    assert "encoder_self." in printed
    assert "away / home" in printed
    assert "away: 0 of 16 heads significant (alpha 0.05, randomisation, max_t); 80 % power to" in " ".join(
        printed.split()
    )


def test_several_models_have_a_line_a_domain(make, results, capsys):
    for model in ("bert", "albert"):
        make(model=model, data="home", seed=1, weights_file=model)
    make(model="bert", data="away", seed=2, weights_file="bert")
    for epoch in (1.0, 2.0):
        place = Factors("bert", "home", "float32", epoch=epoch)
        make(model=f"bert-epoch{epoch:g}", data="home", seed=3, weights_file=str(epoch), factors=place)
    assert main([str(results), *QUICK]) == 0
    printed = capsys.readouterr().out
    shown = {line.split()[2]: line for line in printed.splitlines() if line.split()[:2] == ["bert", "on"]}
    assert set(shown) == {"home", "away"}
    assert re.search(r"encoder_self\.\d\.\d +\d+ of 16$", shown["home"].rstrip())
    assert "Besides 2 checkpoints of trainings" in printed
    assert "epoch" not in printed
    assert len(printed.splitlines()) <= 12


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["report", "--help"]])
def test_help_shows_the_options_of_a_report(words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr().out
    assert all(option in said for option in ("--metric", "--by", "--within", "--alpha", "import, agree, push, pull"))


def test_guesses_the_results_folder(make, results, monkeypatch, capsys):
    make()
    monkeypatch.chdir(results.parent)
    assert main(QUICK) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "results/analysis/report/index.html"


def test_selects_and_writes_elsewhere(make, results, tmp_path, capsys):
    make(model="bert")
    make("bleu", model="fairy", count=5)
    out = tmp_path / "elsewhere"
    assert main(["report", str(results), "--model", "bert", "--limit", "10", "--out", str(out), *QUICK]) == 0
    assert "fairy" not in (out / "tables" / "effects.csv").read_text()
    assert "10" in capsys.readouterr().out
    assert main([str(results), "--metric", "bleu", "--out", str(out), *QUICK]) == 0
    assert "bert" not in (out / "tables" / "effects.csv").read_text()


def test_chrf_scores_the_stored_translations_and_refuses_labels(make, results, tmp_path, capsys):
    make(model="bert")
    make("bleu", model="fairy", data="home", seed=1, count=12)
    make("bleu", model="fairy", data="away", seed=2, count=12)
    quick = [*QUICK, "--out", str(tmp_path)]
    assert main([str(results), "--metric", "chrf", *quick]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "fairy: 12 encoder_self + 12 decoder_self + 12 cross; effects in chrF" in printed
    assert "bert" not in printed
    effects = pl.read_parquet(tmp_path / "tables" / "effects.parquet")
    assert effects.select("metric", "unit", "margin").unique().rows() == [("chrf", "chrF", 0.25)]
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Scores are chrF" in page
    assert "Maja" in page
    assert main([str(results), "--model", "bert", "--metric", "chrf"]) == 2
    assert "bert on home is scored by accuracy" in capsys.readouterr().err


def test_options_say_how_sure_one_can_be(make, results, tmp_path, capsys):
    make()
    options = ["--test", "mcnemar", "--alpha", "0.1", "--groups", "example", "--interval", "bca"]
    options += ["--seed", "7", "--resamples", "99", "--margin", "2", "--out", str(tmp_path)]
    assert main([str(results), *options]) == 0
    table = pl.read_parquet(tmp_path / "tables" / "effects.parquet")
    said = table.select("test", "correction", "alpha", "group", "seed", "resamples", "margin").unique().row(0)
    assert said == ("mcnemar", "holm", 0.1, "example", 7, 99, 2.0)
    assert main([str(results), "--test", "ttest_rel", "--correction", "max_t"]) == 2
    assert "max_t corrects by joint draws" in capsys.readouterr().err
    assert main([str(results), "--groups", "genre"]) == 2
    assert "no column 'genre'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "there is no results folder nowhere"), (["--model", "x"], "no results of model x")],
)
def test_a_users_error_is_words_and_exit_code_2(make, results, monkeypatch, capsys, arguments, message):
    make()
    monkeypatch.chdir(results.parent)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--limit", "0"], ["--limit", "home=many"], ["--metric", "ter"], ["--test", "z"], ["--modle", "x"]]
)
def test_a_wrong_option_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert arguments[0] in said
    assert "_positive" not in said


def test_a_wrong_name_is_answered_with_the_names(capsys):
    with pytest.raises(SystemExit):
        main(["--test", "z"])
    assert "'z' is none of randomisation, bootstrap" in capsys.readouterr().err


def test_a_limit_may_be_that_of_one_data_set(make, results, capsys):
    make(data="home", seed=1, count=12)
    make(data="away", seed=2, count=12)
    assert main([str(results), "--limit", "10", "--limit", "away=5", *QUICK]) == 0
    base = pl.read_parquet(results / "analysis" / "tables" / "base.parquet")
    assert dict(base.select("domain", "n").iter_rows()) == {"home": 10, "away": 5}
    assert main([str(results), "--limit", "far=5"]) == 2
    assert "no results of data set far: there are away, home" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["1", "2"])
def test_one_example_or_two_are_told_apart_from_knowledge(make, results, capsys, limit):
    make(data="home", seed=1)
    make(data="away", seed=2)
    assert main([str(results), "--limit", limit, "--groups", "example", *QUICK]) == 0
    assert "Traceback" not in capsys.readouterr().out


def test_an_interrupt_ends_in_words(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.__main__.read_results", interrupted)
    assert main([]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_slices_are_compared_as_domains(make, results, capsys):
    make(data="home", seed=1, count=12)
    assert main([str(results), "--by", "group", "--splits", "10", "--resamples", "99", "--groups", "example"]) == 0
    printed = capsys.readouterr().out
    assert "home/0" in printed
    assert (results / "analysis" / "tables" / "slices_correlation.csv").is_file()
    assert len(list((results / "analysis" / "figures" / "agreement-of-slices").glob("toy-*.svg"))) == 1
    assert main([str(results), "--by", "genre"]) == 2
    assert "no examples have a column 'genre'" in capsys.readouterr().err


def test_an_effect_of_detectable_size_that_is_not_significant_is_no_contradiction():
    row = {"domain": "home", "measure": "ablation", "kind": "encoder_self", "layer": 1, "head": 1, "reason": None}
    row |= {"effect": 3.0, "significant": False, "p_corrected": 0.12, "detectable": 2.83, "unit": "points"}
    row |= {"alpha": 0.05, "test": "randomisation", "correction": "max_t"}
    small = row | {"head": 2, "effect": -0.5, "p_corrected": 1.0}
    assert how_sure(pl.DataFrame([small, row])) == (
        "home: 0 of 2 heads significant (alpha 0.05, randomisation, max_t); 80 % power to detect a true effect of 2.83 "
        "points after correction over the heads; the strongest is +3.00, not significant (corrected p = .120)"
    )
    assert "strongest" not in how_sure(pl.DataFrame([small, row | {"effect": 2.0}]))
    assert "strongest" not in how_sure(pl.DataFrame([small, row | {"significant": True}]))
