import gzip

import pytest

from study.record.errors import InputError
from study.record.lines import did_you_mean, read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\n\n", ["a", ""]),
        (b"\n", [""]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        ("a\u2028b\u0085c\x0bd\x1ce\rf\n".encode(), ["a\u2028b\u0085c\x0bd\x1ce\rf"]),
    ],
)
def test_lines_end_at_line_feeds_only(tmp_path, content, lines):
    (tmp_path / "a.txt").write_bytes(content)
    assert read_lines(tmp_path / "a.txt") == lines


def test_gzip_is_read_by_name(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("à\nb\n".encode()))
    assert read_lines(tmp_path / "a.txt.gz") == ["à", "b"]


def test_cut_gzip_is_an_input_error(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"some text that is long enough\n" * 50)[:-20])
    with pytest.raises(InputError, match=r"a\.gz cannot be read"):
        read_lines(tmp_path / "a.gz")


def test_invalid_utf8_names_file_and_line(tmp_path):
    (tmp_path / "latin1.txt").write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(InputError, match=r"latin1\.txt:2: not UTF-8 \(byte 0xE9 at position 4"):
        read_lines(tmp_path / "latin1.txt")


def test_empty_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.txt is empty"):
        read_lines(tmp_path / "a.txt")


def test_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "dev_matched.tsv").write_text("x")
    (tmp_path / "train.tsv").write_text("x")
    with pytest.raises(InputError, match=r"dev_mached\.tsv does not exist; did you mean 'dev_matched\.tsv'\?"):
        read_lines(tmp_path / "dev_mached.tsv")


def test_missing_folder_and_folder_instead_of_file(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        read_lines(tmp_path / "nowhere" / "a.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_lines(tmp_path)


def test_nothing_is_suggested_when_nothing_is_near():
    assert did_you_mean("premise", ["premises", "label"]) == "; did you mean 'premises'?"
    assert did_you_mean("premise", ["zzz"]) == ""
