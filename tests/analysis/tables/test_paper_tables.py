import polars as pl
import pytest
from fixtures.results import every_mask
from polars.testing import assert_frame_equal

from analysis import paper
from analysis.effects.base_scores import base_table
from analysis.effects.head_effects import effects
from analysis.inference import Inference
from analysis.results.read import read_domain
from analysis.results.rescoring import rescored
from analysis.tables import paper_tables
from study.record.units import AttentionKind, HeadLayout


def test_best_head_of_each_layer_and_its_control(make):
    table = effects(read_domain(make("bleu", count=10).folder))
    found = paper_tables.one_head_left(table)
    assert found["kind"].unique(maintain_order=True).to_list() == ["encoder_self", "decoder_self", "cross"]
    assert found["layer"].to_list() == [0, 1, 2] * 3
    for row in found.iter_rows(named=True):
        own = table.filter(kind=row["kind"], layer=row["layer"])
        alone = {r["head"]: r["effect"] for r in own.filter(measure="all_but_one").iter_rows(named=True)}
        assert row["effect"] == max(alone.values())
        assert row["best_head"] == min(head for head, effect in alone.items() if effect == row["effect"])
        assert row["no_head_effect"] == own.filter(measure="no_head")["effect"][0]
        assert row["heads_tried"] == 4
        assert row["paper_effect"] is None


def test_layers_with_only_one_of_the_measures_stay(make):
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (3, 3)})
    masks = every_mask(layout)
    for missing in ("000111", "111100", "111010", "111001"):
        del masks[missing]
    found = paper_tables.one_head_left(effects(read_domain(make(layout=layout, masks=masks).folder)))
    first, second = found.rows(named=True)
    assert (first["layer"], first["no_head_effect"]) == (0, None)
    assert first["effect"] is not None
    assert (second["layer"], second["effect"], second["best_head"]) == (1, None, None)
    assert second["no_head_effect"] is not None


def test_paper_stands_beside_its_own_subject_and_data(make):
    layout = HeadLayout(dict.fromkeys(AttentionKind, (16,) * 6))
    store = make("bleu", model="wmt14_en_fr_big", data="newstest2013", layout=layout, count=2)
    domain = read_domain(store.folder)
    table = effects(domain)
    cuts = paper_tables.paper_tables(table)
    first = cuts["table1"].row(by_predicate=(pl.col("layer") == 2) & (pl.col("head") == 13), named=True)
    assert (first["paper_effect"], first["paper_p01"]) == (0.24, True)
    catastrophe = cuts["table2"].row(by_predicate=(pl.col("kind") == "cross") & (pl.col("layer") == 5), named=True)
    assert (catastrophe["paper_effect"], catastrophe["paper_p01"]) == (-13.56, True)
    assert cuts["table3"].is_empty()
    assert cuts["table1"].height == 96
    ours = table.filter(measure="ablation", kind="encoder_self", layer=2, head=13)["effect"][0]
    assert first["effect"] == ours
    assert base_table([domain])["paper_base_score"].to_list() == [36.05]
    chrf = rescored(domain, "chrf")
    cuts = paper_tables.paper_tables(effects(chrf, Inference(resamples=99)))
    assert cuts["table1"]["paper_effect"].null_count() == 96, "the paper's numbers are BLEU"
    assert cuts["table2"].height == 18
    assert cuts["table2"]["paper_effect"].null_count() == 18
    assert base_table([chrf])["paper_base_score"].to_list() == [None]


def test_paper_has_the_counts_it_reports():
    one_off, one_left = paper.one_head_off(), paper.one_head_left()
    assert one_off.height == 96
    assert one_off["paper_p01"].sum() == 8
    assert one_off.filter(pl.col("paper_p01") & (pl.col("paper_effect") > 0)).height == 4
    assert one_left.filter(subject="wmt14_en_fr_big").height == 18
    assert one_left.filter(subject="bert_mnli")["layer"].to_list() == list(range(12))
    assert one_left.filter(subject="bert_mnli", layer=8)["paper_effect"].to_list() == [-0.96]
    assert one_left.filter(subject="bert_mnli")["paper_p01"].null_count() == 12


def test_written_tables_come_back(make, tmp_path):
    table = effects(read_domain(make().folder))
    paper_tables.write(table, tmp_path, "effects")
    assert_frame_equal(pl.read_parquet(tmp_path / "effects.parquet"), table)
    back = pl.read_csv(tmp_path / "effects.csv")
    assert back.columns == table.columns
    assert back["effect"].to_list() == pytest.approx(table["effect"].to_list(), abs=0)


@pytest.mark.parametrize(("metric", "table"), [("accuracy", "table3"), ("pearson", "table3"), ("bleu", "table2")])
def test_translations_have_the_papers_second_table_and_all_else_its_third(make, metric, table):
    rows = effects(read_domain(make("bleu" if metric == "bleu" else "accuracy", count=10).folder))
    found = paper_tables.paper_tables(rows.with_columns(metric=pl.lit(metric)))
    assert [name for name in ("table2", "table3") if found[name].height] == [table]
