"""Texts by document: how a plain text is parted, columns of tables, and counts of words and bytes."""

from pathlib import Path

import polars as pl
import pytest

from study.data.language.documents import DocumentKind, split_documents
from study.data.language.texts import TextFile
from study.data.language.wikitext import is_title
from study.record.errors import InputError

WIKI = """ = First =
 One line .

 = = Part = =
 Two lines
 of it .
 = Second =

 The end . \n"""


@pytest.mark.parametrize(
    ("parting", "ids", "groups"),
    [
        (DocumentKind.whole, ("1",), None),
        (DocumentKind.line, ("1", "2", "4", "5", "6", "7", "9"), ("First",) * 5 + ("Second",) * 2),
        (DocumentKind.paragraph, ("1", "4", "9"), ("First", "First", "Second")),
        (DocumentKind.article, ("1", "7"), ("First", "Second")),
    ],
)
def test_documents_of_a_text(
    parting: DocumentKind, ids: tuple[str, ...], groups: tuple[str, ...] | None, tmp_path: Path
) -> None:
    (tmp_path / "wiki.txt").write_text(WIKI)
    source = TextFile(name="", path=tmp_path / "wiki.txt", document=parting)
    examples = source.examples()
    assert source.name == "wiki"
    assert examples.ids == ids
    assert examples.columns == ({} if groups is None else {"group": groups})
    assert set(examples.targets) == {""}
    joined = "".join("".join(text).replace("\n", "") for text in examples.texts)
    assert joined.replace(" ", "") == WIKI.replace("\n", "").replace(" ", "")


def test_a_text_without_titles_has_no_groups(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("One.\nTwo.\n\n\nThree cafés.\n")
    examples = TextFile(name="", path=tmp_path / "plain.txt").examples()
    assert examples.texts == (("One.\nTwo.",), ("Three cafés.",))
    assert examples.counts == {"words": ((2,), (2,)), "bytes": ((9,), (13,))}
    assert examples.columns == {}


def test_articles_of_one_title_are_told_apart() -> None:
    found = split_documents([" = A = ", "x", " = A = ", "y"], DocumentKind.article)
    assert [document.article for document in found] == ["A", "A (line 3)"]


def test_titles() -> None:
    assert is_title(" = A = ")
    assert is_title("= A B =")
    assert not any(map(is_title, (" = = A = = ", " = = = A = = = ", "a = b", "")))


@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet", "x.csv"])
def test_rows_of_a_table(name: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"body": ["One two.", "Three."], "book": ["a", "b"], "year": ["1900", "1950"]})
    write = {"x.jsonl": frame.write_ndjson, "x.parquet": frame.write_parquet, "x.csv": frame.write_csv}[name]
    write(tmp_path / name)
    examples = TextFile(name="", path=tmp_path / name, text="body", group="book", annotations=["year"]).examples()
    assert examples.texts == (("One two.",), ("Three.",))
    assert examples.columns == {"year": ("1900", "1950"), "group": ("a", "b")}
    assert examples.ids == (("2", "3") if name == "x.csv" else ("1", "2"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", " \n\n", "x.txt holds blank lines alone"),
        ("x.txt", "", "x.txt is empty"),
        ("x.jsonl", '{"txt": "a"}\n', "x.jsonl:1: no column 'text' among txt; did you mean 'txt'"),
        ("x.jsonl", '{"text": "a"}\n{"text": " "}\n', "x.jsonl:2: 'text' is empty"),
        ("x.jsonl", '{"text": "a", "id": 1}\n{"text": "b", "id": 1}\n', "x.jsonl:2: id '1' stands already in line 1"),
    ],
)
def test_unfit_texts_are_refused_in_words(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        TextFile(name="", path=tmp_path / name).examples()
