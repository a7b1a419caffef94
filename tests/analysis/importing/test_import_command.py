from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from analysis.__main__ import main


def table(path: Path, domains: int = 3) -> Path:
    values = np.random.default_rng(0).normal(size=(domains, 16)).round(3)
    rows = [f"seed {d},{h // 4},{h % 4},{values[d, h]}" for d in range(domains) for h in range(16)]
    path.write_text("\n".join(["domain,layer,head,effect", *rows]))
    return path


def test_prints_what_agrees_and_writes_tables_and_a_heat_map(tmp_path, capsys):
    out = tmp_path / "out"
    path = table(tmp_path / "heads.csv")
    assert main(["import", str(path), "--out", str(out), "--resamples", "99"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(out / "report" / "index.html")
    assert "seed 0 / seed 1" in printed
    assert "no interval over examples, no r of the true effects and no noise ceiling." in " ".join(printed.split())
    agreement = pl.read_csv(out / "tables" / "agreement.csv").row(0, named=True)
    r = pl.read_csv(out / "tables" / "correlation.csv")["pearson"]
    assert (agreement["domains"], agreement["pairs"], agreement["heads"]) == (3, 3, 16)
    assert agreement["pearson"] == pytest.approx(r.mean())
    assert (agreement["pearson_low"], agreement["pearson_high"]) == pytest.approx((r.min(), r.max()))
    svg = ElementTree.parse(out / "figures" / "agreement" / "imported.svg").getroot()
    words = "".join(svg.itertext())
    assert "seed 2" in words
    assert f"{abs(r[0]):.2f}"[1:] in words
    assert not (out / "tables" / "correlation_reliability.csv").exists()


def test_the_interval_over_heads_is_printed_and_on_the_page(tmp_path, capsys, monkeypatch):
    """Two domains: one r, a scatter and a heat map for each, under `results/imported`."""
    monkeypatch.chdir(tmp_path)
    path = table(tmp_path / "heads.csv", domains=2)
    assert main(["import", str(path), "--resamples", "199"]) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "results" / "imported"
    assert printed.splitlines()[-1] == "results/imported/report/index.html"
    row = pl.read_csv(out / "tables" / "correlation.csv").row(0, named=True)
    low, high = (f"{row[name]:.2f}".replace("-", "−") for name in ("heads_low", "heads_high"))
    assert f"[{low}, {high}]" in printed
    page = (out / "report" / "index.html").read_text()
    assert f"{low} to {high}" in page
    assert "interval over heads" in page
    for absent in ("r of the true effects</th>", "noise ceiling</th>", "with intervals on both", "None"):
        assert absent not in page
    assert "Could this correlation arise by chance?" in page
    assert page.count("<svg") == 6, (
        "a heat map each, the scatter, what is left without the largest, and two in miniature"
    )
    files = {file.stem for file in (out / "figures").glob("*/*.svg")}
    assert {"figure2-seed-0-seed-1", "heat-seed-0-encoder_self", "heat-seed-1-encoder_self"} <= files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv does not exist"),
        (["heads.csv", "--value", "importance"], "no column 'importance'"),
        (["heads.csv", "--seed", "-1"], "seed must be at least 0"),
        (["one.csv"], "nothing to compare: only seed 0"),
    ],
)
def test_a_users_error_is_words_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "heads.csv")
    table(tmp_path / "one.csv", domains=1)
    assert main(["import", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--shape", "12"], ["--shape", "0x4"], ["--kind", "middle"], ["--first", "2"]])
def test_a_wrong_option_is_refused(tmp_path, capsys, option):
    with pytest.raises(SystemExit) as stopped:
        main(["import", "x.csv", *option])
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.real
def test_importances_of_five_seeds_agree_a_little(real, tmp_path):
    """Published importances of BERT on nine tasks, five seeds each: r within a task is far from 0 and from 1."""
    path = real / "data" / "bert_head_masks" / "heads.csv"
    columns = ["--value", "importance", "--domain", "seed", "--by", "task", "--shape", "12x12"]
    assert main(["import", str(path), *columns, "--out", str(tmp_path), "--resamples", "99"]) == 0
    agreement = pl.read_csv(tmp_path / "tables" / "agreement.csv")
    assert agreement.select("domains", "heads", "pairs").unique().rows() == [(5, 144, 10)]
    frame = pl.read_csv(path)
    for row in agreement.rows(named=True):
        own = frame.filter(task=row["subject"]).pivot("seed", index=["layer", "head"], values="importance")
        r = np.corrcoef(own.drop("layer", "head").to_numpy().T)[np.triu_indices(5, 1)]
        assert (row["pearson"], row["pearson_low"]) == pytest.approx((r.mean(), r.min()))
        assert 0.2 < row["pearson"] < 0.6
    assert len(list((tmp_path / "figures" / "agreement").glob("*.svg"))) == 9
