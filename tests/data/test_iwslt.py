"""IWSLT from a small folder of the same layout: tags, cleaning, split, talks."""

from pathlib import Path

import pytest

from study.data.iwslt import EVERY, TESTS, IwsltTed, Part
from study.record.errors import InputError

NUM_LINES = 60


def write_raw(folder: Path, lines: int = NUM_LINES) -> Path:
    """Two talks, the second of one long, one empty and one lopsided pair; the tests have two segments each."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("de", "en"):
        words = {"de": "Satz", "en": "Sentence"}[language]
        talks = [
            "<url>http://x</url>", "<keywords>talks, &amp;</keywords>", "<speaker>A</speaker>", "<talkid>7</talkid>",
            f"<title>A: {words}</title>", f"<description>About {words}.</description>",
            *(f" {words} {i} &amp; more. " for i in range(lines)),
            "<url>http://y</url>", "<talkid>8</talkid>",
            " ".join([words] * 200), "" if language == "de" else "x", "eins" if language == "de" else "one two three",
            f"{words} last.",
        ]  # fmt: skip
        (folder / f"train.tags.de-en.{language}").write_text("\n".join(talks) + "\n", encoding="utf-8")
        for test in TESTS:
            text = '<?xml version="1.0"?>\n<doc docid="9" genre="lectures">\n<talkid>9</talkid>\n<title>No</title>\n'
            text += f'<seg id="1"> {test} {words} &quot;Eins&quot; </seg>\n<seg id="2">Zwei</seg>\n</doc>\n'
            (folder / f"IWSLT14.{test}.de-en.{language}.xml").write_text(text, encoding="utf-8")
    return folder


def part(folder: Path, which: Part, **options) -> IwsltTed:
    return IwsltTed(name=str(which), part=which, folder=str(folder), **options)


def test_training_text_is_stripped_cleaned_and_split(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw")
    train, valid = (part(folder, which).examples() for which in (Part.TRAIN, Part.VALID))
    texts = ["a: satz", "about satz.", *(f"satz {i} & more." for i in range(NUM_LINES)), "satz last."]
    assert [row[0] for row in valid.texts] == texts[EVERY - 1 :: EVERY]
    assert [row[0] for row in train.texts] == [t for n, t in enumerate(texts, start=1) if n % EVERY]
    assert set(train.columns["group"]) == {"7", "8"}
    assert train.targets[2] == "sentence 0 & more."
    lines = (folder / "train.tags.de-en.en").read_text().splitlines()
    for name, target in zip(train.ids, train.targets, strict=True):
        assert target.split()[0] in lines[int(name.removeprefix("train-")) - 1].lower(), "ids are lines of the file"


def test_case_and_lengths_are_options(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw")
    examples = part(folder, Part.TRAIN, lower_case=False, max_tokens=300, max_ratio=9.0).examples()
    assert examples.texts[0] == ("A: Satz",)
    assert ("eins",) in examples.texts
    assert len(examples) + len(part(folder, Part.VALID, max_tokens=300, max_ratio=9.0).examples()) == NUM_LINES + 5


def test_test_sets_follow_each_other(tmp_path: Path) -> None:
    examples = part(write_raw(tmp_path / "raw"), Part.TEST).examples()
    assert examples.ids == tuple(f"{test}-{i}" for test in TESTS for i in (1, 2))
    assert examples.texts[0] == ('ted.dev2010 satz "eins"',)
    assert examples.targets[1] == "zwei"
    assert set(examples.columns["group"]) == {"9"}


def test_sides_that_are_not_parallel_and_files_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw")
    text = (folder / "train.tags.de-en.de").read_text()
    (folder / "train.tags.de-en.de").write_text(text + "mehr\n")
    with pytest.raises(InputError, match=r"not parallel: .*\.de has 67 lines of text, .*\.en has 66"):
        part(folder, Part.TRAIN).examples()
    (folder / "train.tags.de-en.en").unlink()
    with pytest.raises(InputError, match=r"train\.tags\.de-en\.en does not exist"):
        part(folder, Part.VALID).examples()


def test_the_identity_is_that_of_the_files_wherever_they_are(tmp_path: Path) -> None:
    a, b = (part(write_raw(tmp_path / name), Part.TRAIN) for name in "ab")
    assert a.identity() == b.identity()
    write_raw(tmp_path / "c", NUM_LINES + 1)
    assert part(tmp_path / "c", Part.TRAIN).identity() != a.identity()
    assert part(tmp_path / "a", Part.VALID).identity() != a.identity()


def test_what_is_missing_is_said_and_nothing_when_a_folder_is_given(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path))
    assert "de-en.tgz" in IwsltTed(name="x", part=Part.TEST).missing()[0]
    write_raw(tmp_path / "iwslt14-de-en")
    assert IwsltTed(name="x", part=Part.TEST).missing() == []
    assert len(IwsltTed(name="x", part=Part.TEST).examples()) == 10
