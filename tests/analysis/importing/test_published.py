"""Published scores of heads and groups, in small files of the same form, beside each other and beside our effects."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analysis.__main__ import main
from analysis.importing.domains import read_tables
from analysis.importing.published import GATES, RETRIEVAL
from analysis.importing.table_forms import ImportOptions
from study.record.errors import InputError
from study.record.units import AttentionKind, Group, Head

LAYERS, HEADS, GROUPS = 4, 8, 2
RNG = np.random.default_rng(7)
DRAWS = {
    f"{layer}-{head}": RNG.beta(1, 6, size=RNG.integers(3, 9)).tolist()
    for layer in range(LAYERS)
    for head in range(HEADS)
}
RAW_GATES = RNG.uniform(-0.001, 1.001, (LAYERS, GROUPS))
BY_GROUP = ImportOptions()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Draws as Retrieval_Head writes them, gates as DuoAttention does, effects of groups as this project does."""
    scores = tmp_path / "tiny-7b.json"
    scores.write_text(json.dumps(DRAWS))
    gates = tmp_path / "attn_patterns" / "Tiny-7B-Instruct" / "lr=0.02" / "full_attention_heads.tsv"
    gates.parent.mkdir(parents=True)
    np.savetxt(gates, RAW_GATES, delimiter="\t")
    rows = ["domain,level,address,kind,layer,index,heads,effect"]
    for layer in range(LAYERS):
        for i in range(GROUPS):
            address = f"group,decoder_self.{layer}.g{i},decoder_self,{layer},{i},4"
            rows.append(f"ioi,{address},{-(layer + 1) * (i + 1) / 10}")
        rows.append(f"ioi,layer,decoder_self.{layer},decoder_self,{layer},,8,-9")
    ours = tmp_path / "units.csv"
    ours.write_text("\n".join(rows))
    return scores, gates, ours


def test_a_score_is_the_mean_of_its_draws_and_a_gate_is_cut(files) -> None:
    scores, gates, _ = files
    (own,) = read_tables([scores], BY_GROUP).domains
    assert own.heads[9] == Head(AttentionKind.DECODER_SELF, 1, 1)
    assert own.effects == pytest.approx([np.mean(draws) for draws in DRAWS.values()])
    found = read_tables([gates], BY_GROUP)
    (own,) = found.domains
    assert own.heads[3] == Group(AttentionKind.DECODER_SELF, 1, 1)
    assert own.effects == pytest.approx(RAW_GATES.clip(0, 1).ravel())
    (published,) = found.published
    assert (published.model, published.source) == ("Tiny-7B-Instruct", GATES)
    assert "MIT licence" in published.sentence


def test_heads_beside_groups_are_the_means_of_their_groups(files) -> None:
    retrieval, gate = read_tables(files[:2], BY_GROUP).domains
    means = np.array([np.mean(draws) for draws in DRAWS.values()]).reshape(LAYERS, GROUPS, -1).mean(axis=-1)
    assert retrieval.heads == gate.heads
    assert retrieval.effects == pytest.approx(means.ravel())
    assert (retrieval.names["metric"], gate.names["metric"]) == (RETRIEVAL.measure, GATES.measure)
    (alone,) = read_tables(files[:1], ImportOptions(groups=GROUPS)).domains
    assert alone.effects == pytest.approx(means.ravel())


def test_effects_beside_importances_are_costs(files) -> None:
    retrieval, ours = read_tables([files[0], files[2]], BY_GROUP).domains
    assert (ours.domain, ours.importance, retrieval.importance) == ("ioi (cost)", True, True)
    assert dict(zip(map(str, ours.heads), ours.effects, strict=True))["decoder_self.3.g1"] == pytest.approx(0.8)
    (own,) = read_tables(files[2:], BY_GROUP).domains
    assert (own.importance, own.effects.min()) == (False, pytest.approx(-0.8)), "alone they stay effects"


def test_groups_of_one_head_are_heads(files, tmp_path) -> None:
    gates = tmp_path / "full_attention_heads.tsv"
    np.savetxt(gates, RNG.uniform(0, 1, (LAYERS, HEADS)), delimiter="\t")
    retrieval, gate = read_tables([files[0], gates], BY_GROUP).domains
    assert retrieval.heads == gate.heads
    assert {type(head) for head in gate.heads} == {Head}


def test_r_and_rank_r_are_printed_with_intervals_and_whose_the_scores_are(files, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["import", *map(str, files), "--out", str(out), "--resamples", "199"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Agreement of groups" in printed
    assert "github.com/nightdessert/Retrieval_Head" in printed
    assert "its repository states no licence" in printed
    table = pl.read_csv(out / "tables" / "correlation_of_groups.csv")
    first = table.row(0, named=True)
    a, b, _ = read_tables(files, BY_GROUP).domains
    assert (first["units"], first["unit_level"], table.height) == (LAYERS * GROUPS, "group", 3)
    assert first["spearman"] == pytest.approx(stats.spearmanr(a.effects, b.effects).statistic)
    assert first["spearman_low"] < first["spearman"] < first["spearman_high"]
    page = (out / "report" / "index.html").read_text()
    for said in ("MIT licence", "Every group", "each table on a colour scale of its own", "interval over groups"):
        assert said in page, said
    assert "effect on retrieval score" not in page
    assert len(list((out / "figures").glob("*/figure2-*-groups.svg"))) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"0-0": [], "0-1": [0.1]}, "head 0-0 has no draws"),
        ({"0-0": [0.2], "0-1": ["a"]}, "head 0-1 has a draw that is no number"),
        ({f"0-{head}": [0.1 * head] for head in range(5)}, "layer 0 has 5 heads, and 2 groups of other tables"),
    ],
)
def test_what_cannot_be_read_is_told(files, tmp_path, content, message) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_tables([wrong, files[1]], BY_GROUP)


def test_gates_that_are_no_matrix_are_told(tmp_path) -> None:
    gates = tmp_path / "full_attention_heads.tsv"
    gates.write_text("0.1\t0.2\n0.3\n")
    with pytest.raises(InputError, match="as many numbers in every layer"):
        read_tables([gates], BY_GROUP)
    gates.write_text("a\tb\n0.3\t0.2\n")
    with pytest.raises(InputError, match="expected numbers alone"):
        read_tables([gates], BY_GROUP)
