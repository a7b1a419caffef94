"""Treebanks as examples: words in their text, documents, genres, and what is refused."""

from pathlib import Path

import pytest

from study.data.syntax.spelling import Contraction, locate
from study.data.syntax.ud_file import OneWord, SentenceGroup, UdFile
from study.record.errors import InputError
from study.record.metrics import Task

FRENCH = """\
# newdoc id = news-a
# sent_id = a1
# text = Elle ne vient pas du marché.
1\tElle\til\tPRON\t_\t_\t3\tnsubj\t_\t_
2\tne\tne\tADV\t_\t_\t3\tadvmod\t_\t_
3\tvient\tvenir\tVERB\t_\t_\t0\troot\t_\t_
4\tpas\tpas\tADV\t_\t_\t3\tadvmod\t_\t_
4.1\tvenue\tvenir\tVERB\t_\t_\t_\t_\t3:conj\t_
5-6\tdu\t_\t_\t_\t_\t_\t_\t_\t_
5\tde\tde\tADP\t_\t_\t7\tcase\t_\t_
6\tle\tle\tDET\t_\t_\t7\tdet\t_\t_
7\tmarché\tmarché\tNOUN\t_\t_\t3\tobl\t_\tSpaceAfter=No
8\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_

# sent_id = a2
# text = Non
1\tNon\tnon\tINTJ\t_\t_\t0\troot\t_\t_

# newdoc id = blog-b
# sent_id = b1
# text = Bien sûr
1\tBien\tbien\tADV\t_\t_\t0\troot\t_\t_
2\tsûr\tsûr\tADJ\t_\t_\t1\tfixed\t_\t_
"""

TWO = """\
# text = I slept
1\tI\ti\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tslept\tsleep\tVERB\t_\t_\t0\troot\t_\t_
"""


def source(folder: Path, content: str, **options) -> UdFile:
    path = folder / "tree bank.conllu"
    path.write_text(content)
    return UdFile(**{"name": "", "path": path} | options)


def test_sentences_are_examples(tmp_path: Path) -> None:
    treebank = source(tmp_path, FRENCH)
    examples = treebank.examples()
    assert treebank.name == "tree-bank"
    assert treebank.task is Task.READING
    assert examples.ids == ("a1", "b1")  # the sentence of one word is left out
    assert examples.targets == ("", "")
    assert examples.columns == {"group": ("news-a", "blog-b"), "genre": ("news", "blog")}
    [tree, _] = examples.trees or ()
    text = examples.texts[0][0]
    assert tree.words(text) == ("Elle", "ne", "vient", "pas", "du", "du", "marché", ".")
    assert tree.heads == (3, 3, 0, 3, 7, 7, 3, 3)
    assert tree.relations[:3] == ("nsubj", "advmod", "root")
    assert tree.tags[-1] == "PUNCT"


def test_parts_and_groups(tmp_path: Path) -> None:
    treebank = source(tmp_path, FRENCH, part="blog", group=SentenceGroup.sentence)
    assert treebank.name == "tree-bank_blog"
    assert treebank.examples().ids == ("b1",)
    assert treebank.examples().columns == {"genre": ("blog",)}
    with pytest.raises(InputError, match="data.part=blogs is no genre .* has blog and news; did you mean 'blog'"):
        source(tmp_path, FRENCH, part="blogs").examples()


def test_a_comment_tells_the_genre_of_a_document(tmp_path: Path) -> None:
    told = FRENCH.replace("# newdoc id = news-a", "# newdoc id = GUM_a\n# meta::genre = court")
    examples = source(tmp_path, told).examples()
    assert examples.columns["genre"] == ("court", "blog")
    nameless = FRENCH.replace("# newdoc id = news-a", "# newdoc").replace("# newdoc id = blog-b", "# newdoc")
    assert source(tmp_path, nameless).examples().columns == {"group": ("document from line 1", "document from line 19")}


def test_a_file_without_documents_has_neither_groups_nor_genres(tmp_path: Path) -> None:
    examples = source(tmp_path, f"{TWO}\n\n{TWO}").examples()
    assert examples.ids == ("1", "2")
    assert examples.columns == {}


@pytest.mark.parametrize(
    ("forms", "contractions", "text", "words"),
    [
        (["do", "n't", "."], [Contraction(1, 2, "don't")], "don't.", ["do", "n't", "."]),
        (["I", "wan", "na"], [Contraction(2, 3, "wanna")], "I  wanna ", ["I", "wan", "na"]),
        (["de", "le", "pain"], [Contraction(1, 2, "du")], "du pain", ["du", "du", "pain"]),
        (["我", "爱", "北京"], [], "我爱北京", ["我", "爱", "北京"]),
        (["1 000", "km"], [], "1\u00a0000 km", ["1\u00a0000", "km"]),
        (["a", "a", "aa"], [], "a a aa", ["a", "a", "aa"]),
    ],
)
def test_words_are_located_by_their_forms(forms, contractions, text, words) -> None:
    assert [text[start:end] for start, end in locate(forms, contractions, text)] == words


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("I slept", "I sleep", ":1: word 2 is 'slept', but the text goes on with 'sleep'"),
        ("I slept", "I", ":1: word 2 is 'slept', but the text has ended"),
        ("I slept", "I slept well", ":1: no word spells the end of the text, 'well'"),
        ("# text = I slept\n", "", ":1: the sentence has no comment '# text"),
        ("\t2\tnsubj", "\t3\tnsubj", ":1: word 1 depends on word 3, but there are 2"),
        ("\t2\tnsubj", "\t0\tnsubj", ":1: two roots, words 1 and 2"),
        ("\t0\troot", "\t1\troot", ":1: a cycle: the words 1, 2, 1"),
        ("\t0\troot", "\t_\troot", ":1: word 2, 'slept', has no head"),
        ("\t2\tnsubj\t_\t_", "", ":1: word 1, 'I', has no head: a word has ten columns"),
        ("1\tI", "1 I", ":1: the sentence is no CoNLL-U"),
        ("2\tslept", "3\tslept", ":1: word 3 stands where word 2 should"),
        ("1\tI", "1-3\tI\t_\t_\t_\t_\t_\t_\t_\t_\n1\tI", ":1: a range of words"),
        (TWO, "# text = I\n1\tI\ti\tPRON\t_\t_\t0\troot\t_\t_\n", "every sentence has one word"),
        (TWO, "\n \n", "has no sentences"),
        (TWO, f"# sent_id = 2\n{TWO}\n{TWO}", ":6: sent_id '2' stands already at .*conllu:1"),
    ],
)
def test_what_is_no_treebank_is_refused_by_line(old, new, message, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        source(tmp_path, TWO.replace(old, new)).examples()


def test_sentences_of_one_word_may_be_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":15: 'Non' is one word, and data.one_word=refused"):
        source(tmp_path, FRENCH, one_word=OneWord.refused).examples()
