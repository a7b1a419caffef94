import pytest
from fixtures.latex_parser import check_latex
from fixtures.results import CLASSIFIER, TRANSLATOR

from analysis import analyse, read_results
from analysis.formatting import signed
from analysis.inference import Inference
from analysis.tables.latex import latex, markdown
from analysis.tables.latex_tables import sheets

QUICK = Inference(resamples=100)


@pytest.fixture
def analysis(make, results):
    for seed, data in enumerate(("home", "a_b & c")):
        make("bleu", model="toy", data=data, seed=seed, count=6)
    return analyse(read_results(results), QUICK)


def test_a_sheet_has_the_numbers_of_the_tables(analysis):
    (own,) = sheets(analysis).values()
    named = {sheet.name: sheet for sheet in own}
    assert set(named) == {"base", "heads", "table1-home", "table1-a_b-c", "table2-home", "table2-a_b-c", "correlation"}
    heads = analysis.effects.filter(measure="ablation", domain="home")
    column = named["heads"].head.index("effect") + (2 if named["heads"].groups[1][0] != "home" else 0)
    found = [row[column].rstrip("*") for row in named["heads"].rows]
    assert found == [signed(effect) for effect in heads["effect"]]
    stars = [row[column].endswith("*") for row in named["heads"].rows]
    assert stars == heads["significant"].to_list()
    assert len(named["heads"].rows) == len(TRANSLATOR)
    assert [row[1] for row in named["heads"].rows[:2]] == ["L0H0", "L0H1"]
    assert "count from 0" in named["heads"].note
    assert "the paper counts" not in named["table1-home"].note
    layer = analysis.effects.filter(measure="no_head", domain="home", kind="cross", layer=2).row(0, named=True)
    table = named["table2-home"]
    at = sum(span for _, span in table.groups[:3]) + 2  # third kind; best, one head, no head
    assert table.groups[3][0] == "encoder–decoder attention"
    assert table.rows[2][at].rstrip("*") == signed(layer["effect"])


def test_every_sheet_is_written_both_ways(analysis):
    (own,) = sheets(analysis).values()
    for sheet in own:
        check_latex(latex(sheet))
        assert markdown(sheet).count("\n| ") >= len(sheet.rows)
        assert latex(sheet).count(r"\toprule") == 1
    assert r"a\_b \& c" in latex(next(sheet for sheet in own if sheet.name == "base"))


def test_the_papers_numbers_stand_below_ours(make, results):
    make("bleu", model="wmt14_en_fr_big", data="newstest2013", count=3)
    (own,) = sheets(analyse(read_results(results), QUICK)).values()
    table = next(sheet for sheet in own if sheet.name == "table1-newstest2013")
    assert [row[0] for row in table.rows] == ["0", "paper", "1", "paper", "2", "paper"]
    assert table.rows[1][1:5] == ("+0.03", "+0.07", "+0.05", "−0.06")
    assert table.rows[3][4] == "+0.20*"
    assert "count from 0; the paper counts from 1" in table.note


def test_a_base_score_alone_is_one_sheet(make, results):
    make(masks={"1" * 16: CLASSIFIER.full()})
    (own,) = sheets(analyse(read_results(results), QUICK)).values()
    assert [sheet.name for sheet in own] == ["base"]
