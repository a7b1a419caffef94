import csv
import gzip
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.data.table import read_header, read_table
from study.record.errors import InputError

# Whatever a tab-separated file without quoting can hold.
cells = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_all_formats_hold_the_same_table(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("table")
    texts = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    with (folder / "t.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        writer.writerows([("a", "b"), *rows])
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b"), *rows])
    lines = "".join(json.dumps({"b": b, "other": [1], "a": a}) + "\n" for a, b in rows)
    (folder / "t.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pl.DataFrame(texts).write_parquet(folder / "t.parquet")
    for name in ("t.tsv", "t.csv", "t.jsonl.gz", "t.parquet"):
        assert read_table(folder / name, ["a", "b"]).columns == texts
        assert set(read_header(folder / name)) >= {"a", "b"}


def test_a_csv_is_what_pandas_and_spreadsheets_write(tmp_path):
    (tmp_path / "t.csv").write_bytes(
        b'\xef\xbb\xbf,a,b\r\n0,"He said ""no"", twice","two\r\nlines"\r\n\r\n1,plain,-\r\n'
    )
    table = read_table(tmp_path / "t.csv", ["a", "b"])
    assert table.columns == {"a": ['He said "no", twice', "plain"], "b": ["two\nlines", "-"]}
    assert list(table.lines[:2]) == [2, 5]


def test_a_quote_is_a_character(tmp_path):
    (tmp_path / "t.tsv").write_text('a\tb\n"open\tclosed"\n')
    assert read_table(tmp_path / "t.tsv", ["a", "b"]).columns == {"a": ['"open'], "b": ['closed"']}


def test_integers_become_text(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 2}\n{"a": "2"}\n')
    pl.DataFrame({"a": [2, -1]}).write_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.jsonl", ["a"]).columns == {"a": ["2", "2"]}
    assert read_table(tmp_path / "t.parquet", ["a"]).columns == {"a": ["2", "-1"]}


def test_rows_know_their_line(tmp_path):
    (tmp_path / "t.tsv").write_text("a\nx\ny\n")
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert read_table(tmp_path / "t.tsv", ["a"]).where(1).endswith("t.tsv:3")
    assert read_table(tmp_path / "t.jsonl", ["a"]).where(1).endswith("t.jsonl:2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", "a\tb\n1\t2\n1\n", r"t\.tsv:3: 1 fields, but the header has 2"),
        ("t.tsv", "a\tb\n1\t2\n\n", r"t\.tsv:3: 1 fields, but the header has 2"),
        ("t.tsv", "a\tbb\n1\t2\n", r"t\.tsv: no column 'b' among a, bb; did you mean 'bb'\?"),
        ("t.tsv", "a\tb\tb\n1\t2\t3\n", r"t\.tsv: column 'b' stands 2 times in the header"),
        ("t.tsv", "a\tb\n", r"t\.tsv has a header, but no rows"),
        ("t.tsv", "", r"t\.tsv is empty"),
        ("t.txt", "a,b\n1,2\n", r"t\.txt: expected a file named \.tsv"),
        ("t.csv", "a;b\n1;2\n", r"t\.csv: the header has no comma"),
        ("t.csv", 'a,b\n"1\n2",3\n4\n', r"t\.csv:4: 1 fields, but the header has 2"),
        ("t.csv", 'a,b\n1,2\n"3,4\n', r"t\.csv:3: not a row of a CSV"),
        ("t.csv", "", r"t\.csv is empty"),
        ("t.csv", "\n\n\n", r"t\.csv has blank lines alone: its first line must be a header"),
        ("t.jsonl", '{"a": "1", "b": "2"}\n{"a": "1"}\n', r"t\.jsonl:2: no column 'b' among a"),
        ("t.jsonl", '{"a": "1", "b": "2"}\n{"a": \n', r"t\.jsonl:2: not JSON"),
        ("t.jsonl", "[1]\n", r"t\.jsonl:1: expected a JSON object"),
        ("t.jsonl", '{"a": "1", "b": null}\n', r"t\.jsonl:1: 'b' must be text or an integer, found None"),
        ("t.jsonl", '{"a": "1", "b": true}\n', r"t\.jsonl:1: 'b' must be text or an integer, found True"),
        ("t.jsonl", '{"a": "1", "b": 0.5}\n', r"t\.jsonl:1: 'b' must be text or an integer, found 0\.5"),
        ("t.parquet", "a\tb\n1\t2\n", r"t\.parquet is not a readable parquet file"),
    ],
)
def test_unfit_files_are_refused_in_words(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / name, ["a", "b"])


def test_unfit_parquet_is_refused_in_words(tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": ["1", None]}).write_parquet(path)
    with pytest.raises(InputError, match=r"t\.parquet: no column 'b' among a"):
        read_table(path, ["a", "b"])
    with pytest.raises(InputError, match=r"t\.parquet:2: 'a' must be text or an integer, found None"):
        read_table(path, ["a"])
    pl.DataFrame({"a": []}, schema={"a": pl.String}).write_parquet(path)
    with pytest.raises(InputError, match="no rows"):
        read_table(path, ["a"])
    with pytest.raises(InputError, match=r"did you mean 't\.parquet'"):
        read_table(tmp_path / "tt.parquet", ["a"])
