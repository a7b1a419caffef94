"""From stored attended words to tables, roles and the page, with heads whose places are known."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.inference import Inference
from analysis.page.sections.attention.parsers import Parsers
from analysis.results.read import read_results
from analysis.roles.syntactic import syntactic_roles, syntactic_title
from analysis.syntax import Syntax, syntax
from analysis.tables.latex import latex
from analysis.tables.syntax_sheet import syntax_sheets
from study.record.examples import Examples
from study.record.syntax import Tree
from tests.fixtures.attention.planted import PLANTED, fill_attention

SENTENCES, WORDS = 30, 8


def chain() -> Examples:
    """Every word depends on the one before it, but the last, which depends on the first."""
    starts, heads = tuple(range(0, 3 * WORDS, 3)), (*range(WORDS - 1), 1)
    relations = ("root", *["near"] * (WORDS - 2), "far")
    tree = Tree(starts, tuple(start + 2 for start in starts), heads, relations, ("X",) * WORDS)
    rng = np.random.default_rng(0)
    texts = tuple((" ".join(f"w{at}" for at in rng.integers(10, size=WORDS)),) for _ in range(SENTENCES))
    groups = tuple(f"d{at % 10}" for at in range(SENTENCES))
    ids = tuple(map(str, range(SENTENCES)))
    return Examples(ids, texts, ("",) * SENTENCES, {"group": groups}, trees=(tree,) * SENTENCES)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Syntax:
    results: Path = tmp_path_factory.mktemp("results")
    fill_attention(results, examples=chain(), data="chain")
    found = syntax(read_results(results).readings, Inference(resamples=200))
    assert found is not None
    return found


def test_heads_of_known_places(tables: Syntax) -> None:
    near = tables.scores.filter(relation="near", direction="to_head")
    accuracy = dict(zip(PLANTED, near["accuracy"], strict=True))
    assert accuracy["previous"] == 100
    assert accuracy["next"] == 0
    assert near["cases"].unique().to_list() == [SENTENCES * (WORDS - 2)]
    assert near["baseline"].unique().to_list() == [100]
    assert near["first_offset"].unique().to_list() == [-1]
    assert not near["above"].any()
    assert set(tables.scores["relation"]) == {"near", "all", "all_but_punct"}  # 30 words are too few of the other
    every = tables.best.filter(relation="all", direction="to_head").row(0, named=True)
    assert every["accuracy"] == pytest.approx(100 * (WORDS - 2) / WORDS)
    assert every["clark_head"] == "encoder_self.0.0"


def test_words_without_rare_ones_have_no_row(tables: Syntax) -> None:
    assert tables.rare.is_empty()  # ten words are all among the 500 most frequent
    assert set(tables.tables) == {"syntax", "syntax_best"}


def test_a_head_as_good_as_an_offset_has_no_role(tables: Syntax) -> None:
    assert syntactic_roles(tables).is_empty()
    lifted = tables.scores.with_columns(voita_points=pl.col("head") == 1, lower=pl.lit(12.0), difference=pl.lit(20.0))
    assigned = syntactic_roles(Syntax(lifted, tables.best, tables.rare, tables.readings, tables.alpha))
    assert assigned["role"].unique().to_list() == ["syntactic_near"]
    assert assigned.filter("decided")["head"].unique().to_list() == [1]
    assert assigned.height == len(PLANTED)  # one row a head, of both directions
    assert syntactic_title("syntactic_nsubj") == "syntactic: subject"
    assert syntactic_title("previous") is None


def test_the_section_and_the_sheet_say_what_the_tables_say(tables: Syntax) -> None:
    section = Parsers.showing(tables)
    assert section is not None
    (reading,) = section.readings
    assert reading.sentence.endswith("a head finds none better than any fixed offset does.")
    assert [row.heads for row in reading.rows][:1] == ["L0H0"]
    assert len(section.drawings) == 1
    (sheet,) = syntax_sheets(tables)
    assert len(sheet.rows) == tables.best.height
    assert r"\toprule" in latex(sheet)
    assert Parsers.showing(None) is None
