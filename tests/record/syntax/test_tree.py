"""Trees as they are kept beside the examples, and what is no tree."""

from dataclasses import replace

import polars as pl
import pytest

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.syntax import Tree
from study.record.syntax.tree import read_trees

TREE = Tree((0, 6, 6), (5, 8, 8), (0, 3, 1), ("root", "case", "obl"), ("VERB", "ADP", "PRON"))
EXAMPLES = Examples(("a", "b"), (("siamo al",), ("Sieht du",)), ("", ""), trees=(TREE, TREE))


def test_trees_are_stored_with_the_examples(tmp_path) -> None:
    EXAMPLES.to_frame().write_parquet(tmp_path / "examples.parquet")
    frame = pl.read_parquet(tmp_path / "examples.parquet")
    assert frame["head"].to_list() == [[0, 3, 1]] * 2
    assert read_trees(frame) == EXAMPLES.trees
    assert EXAMPLES.take([1]).trees == (TREE,)


def test_without_trees_a_column_may_be_called_as_theirs() -> None:
    plain = replace(EXAMPLES, trees=None)
    assert "head" not in plain.to_frame().columns
    named = replace(plain, columns={"head": ("x", "y")})
    assert read_trees(named.to_frame()) is None
    with pytest.raises(InputError, match="'head' cannot name"):
        replace(EXAMPLES, columns={"head": ("x", "y")})


def test_trees_are_in_the_digest_only_where_there_are_any() -> None:
    plain = replace(EXAMPLES, trees=None)
    other = replace(EXAMPLES, trees=(TREE, replace(TREE, relations=("root", "case", "obj"))))
    assert len({plain.digest, EXAMPLES.digest, other.digest}) == 3
    assert plain.digest == Examples(plain.ids, plain.texts, plain.targets).digest


def test_words_are_those_of_the_trees() -> None:
    assert EXAMPLES.words()[0] == ((0, 5), (6, 8), (6, 8))
    assert TREE.words("siamo al") == ("siamo", "al", "al")
    assert replace(EXAMPLES, trees=None).words()[1] == ((0, 5), (6, 8))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heads": (0, 3, 2)}, "a cycle: the words 2, 3, 2"),
        ({"heads": (0, 2, 1)}, "a cycle: the words 2, 2"),
        ({"heads": (3, 1, 2)}, "a cycle: the words 1, 3, 2, 1"),
        ({"heads": (0, 0, 1)}, "two roots, words 1 and 2"),
        ({"heads": (0, 4, 1)}, "word 2 depends on word 4, but there are 3"),
        ({"heads": (0, -1, 1)}, "word 2 depends on word -1"),
        ({"heads": (0, 1)}, "says of each of its words"),
        ({"starts": (0, 4, 6)}, "word 2 stands at 4 to 8, before or within"),
        ({"ends": (0, 8, 8)}, "word 1 stands at 0 to 0"),
    ],
)
def test_what_is_no_tree_is_refused(changed, message) -> None:
    with pytest.raises(InputError, match=message):
        replace(TREE, **changed)


def test_a_word_beyond_the_text_is_refused() -> None:
    with pytest.raises(InputError, match="example 'b' has 3 characters, but a word that ends at 8"):
        Examples(("a", "b"), (("siamo al",), ("Sie",)), ("", ""), trees=(TREE, TREE))
