"""Your own questions and pairs: every kind of file, columns of other names, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from study.data.language.choices_file import ChoicesFile
from study.data.language.pairs_file import PairsFile
from study.data.language.questions import AnswerForm
from study.record.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"id": "sky", "context": "The sky is", "choices": [" blue", " green", " a café"], "answer": 0, "topic": "weather"},
    {"id": "sum", "context": "Two and two are", "choices": [" five", " four"], "answer": 1, "topic": "numbers"},
]


def write(folder: Path, rows: list[dict[str, Any]], name: str = "x.jsonl") -> Path:
    """A file of rows, its kind by its name; lists in JSON where it has none."""
    path = folder / name
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        flat = [
            {key: json.dumps(cell) if isinstance(cell, list) else cell for key, cell in row.items()} for row in rows
        ]
        separator, quotes = ("\t", "never") if path.suffix == ".tsv" else (",", "necessary")
        pl.DataFrame(flat).write_csv(path, separator=separator, quote_style=quotes)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet", "x.tsv", "x.csv"])
def test_every_kind_of_file_gives_the_same_questions(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, name)
    examples = ChoicesFile(name="", path=path, group="topic", annotations=["topic"]).examples()
    assert examples.ids == ("sky", "sum")
    assert examples.texts == (("The sky is", " blue", " green", " a café"), ("Two and two are", " five", " four"))
    assert examples.targets == ("0", "1")
    assert examples.counts == {"characters": ((4, 5, 6), (4, 4)), "bytes": ((4, 5, 7), (4, 4))}
    assert examples.columns == {"group": ("weather", "numbers"), "topic": ("weather", "numbers")}


def test_columns_of_other_names(tmp_path: Path) -> None:
    """Each choice in a column, an answer by letter, no context, lines for names."""
    rows = [{"right": "b", "one": "no", "other": "yes"}, {"right": "A", "one": "up", "other": "down"}]
    source = ChoicesFile(
        name="x",
        path=write(tmp_path, rows),
        context=None,
        choices=["one", "other"],
        answer="right",
        answers=AnswerForm.letter,
        between=" ",
    )
    examples = source.examples()
    assert (examples.ids, examples.targets) == (("1", "2"), ("1", "0"))
    assert examples.texts == (("", " no", " yes"), ("", " up", " down"))


@pytest.mark.parametrize(
    ("form", "said"),
    [(AnswerForm.from_zero, 1), (AnswerForm.from_one, "2"), (AnswerForm.letter, "B"), (AnswerForm.text, "four")],
)
def test_ways_to_say_which_is_right(form: AnswerForm, said: Any, tmp_path: Path) -> None:
    path = write(tmp_path, [ROWS[1] | {"answer": said}])
    assert ChoicesFile(name="x", path=path, answers=form).examples().targets == ("1",)


def test_one_continuation_alone(tmp_path: Path) -> None:
    rows = [
        {"context": "Row, row, row your", "next": " boat"},
        {"context": "Twinkle, twinkle, little", "next": " star"},
    ]
    source = ChoicesFile(name="x", path=write(tmp_path, rows), choices=["next"], answer=None)
    assert source.examples().texts[0] == ("Row, row, row your", " boat")
    assert source.metric == "target_accuracy"
    assert ChoicesFile(name="x", path=source.path, answer=None, metric="target_loglik").metric == "target_loglik"


def test_words_are_not_glued_together(tmp_path: Path) -> None:
    path = write(tmp_path, [ROWS[0] | {"choices": ["blue", "green"]}])
    with pytest.raises(InputError, match="would read 'The sky isblue': data.between=' ' sets one between"):
        ChoicesFile(name="x", path=path).examples()
    assert ChoicesFile(name="x", path=path, between=" ").examples().texts[0][1] == " blue"
    assert ChoicesFile(name="x", path=path, between="").examples().texts[0][1] == "blue"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"answer": 3}, {}, "x.jsonl:1: the answer is '3', but there are 3 choices, .*: say data.answers=from_one"),
        ({"answer": -1}, {}, "the answer is '-1', but there are 3 choices"),
        ({"answer": "C"}, {}, "say data.answers=letter where it is a letter, A for the first choice"),
        ({"answer": "green"}, {}, "say data.answers=text where it is the text of a choice"),
        ({"answer": "gren"}, {"answers": AnswerForm.text}, "did you mean 'green'"),
        ({"choices": [" a", " "]}, {}, "x.jsonl:1: choice 1 is empty"),
        ({"choices": []}, {}, "x.jsonl:1: there are no choices"),
        ({"choices": [" a"]}, {}, "one choice alone, so there is nothing to choose; data.answer=null asks"),
        ({"choices": [" a", " b", " a"]}, {}, "choices 0 and 2 are equal: ' a'"),
        ({"choices": " a; b"}, {}, "must be a list of texts, found ' a; b': several columns are named by data.choices"),
        ({"choices": '["a'}, {}, "'choices' must be a list of texts"),
        ({"choices": [" a", 2.5]}, {}, "'choices' must be text or an integer, found 2.5"),
        ({}, {"context": "contex"}, "x.jsonl:1: no column 'contex' among id, context, .*; did you mean 'context'"),
        ({}, {"answer": "gold"}, "no column 'gold' among"),
        ({}, {"group": "topc"}, "did you mean 'topic'"),
        ({}, {"answer": None}, "3 choices, but data.answer=null says of none that it is right"),
        ({"id": "sum"}, {}, "x.jsonl:2: id 'sum' stands already in line 1; with data.id=null lines are counted"),
    ],
)  # fmt: skip
def test_unfit_questions_are_refused_in_words(
    change: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, [ROWS[0] | change, ROWS[1]])
    with pytest.raises(InputError, match=message):
        ChoicesFile(name="x", path=path, **options).examples()


def test_a_number_from_one_is_no_number_from_zero(tmp_path: Path) -> None:
    """Of the last choice it cannot be told by itself; the hint comes where a number is out of range."""
    path = write(tmp_path, [ROWS[1] | {"answer": 2}])
    with pytest.raises(InputError, match="must be a number, counted from 0: say data.answers=from_one"):
        ChoicesFile(name="x", path=path).examples()


PAIRS = [
    {"id": "a", "good": "Cats sleep.", "bad": "Cats sleeps.", "paradigm": "agreement", "field": "syntax"},
    {"id": "b", "good": "Who did he see?", "bad": "Who did he see her?", "paradigm": "island", "field": "syntax"},
]


def test_pairs(tmp_path: Path) -> None:
    path = write(tmp_path, PAIRS)
    plain = PairsFile(name="", path=path).examples()
    assert plain.texts == (("", " Cats sleep.", " Cats sleeps."), ("", " Who did he see?", " Who did he see her?"))
    assert (plain.targets, plain.columns) == (("0", "0"), {})
    assert plain.counts["characters"] == ((11, 12), (15, 19))
    by_paradigm = PairsFile(name="", path=path, group="paradigm", annotations=["field"], between="").examples()
    assert by_paradigm.columns == {"field": ("syntax", "syntax"), "group": ("agreement", "island")}
    assert by_paradigm.texts[0] == ("", "Cats sleep.", "Cats sleeps.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bad": "Cats sleep."}, "x.jsonl:1: 'good' and 'bad' are equal: 'Cats sleep.'"),
        ({"good": ""}, "x.jsonl:1: 'good' is empty"),
        ({"good": None}, "x.jsonl:1: 'good' must be text or an integer, found None"),
    ],
)
def test_unfit_pairs_of_sentences_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path, [PAIRS[0] | change])
    with pytest.raises(InputError, match=message):
        PairsFile(name="x", path=path).examples()


def test_identity_holds_the_file_and_how_it_is_read(tmp_path: Path) -> None:
    """Which metric is shown changes no outcome; what stands between a context and a choice does."""
    path = write(tmp_path, ROWS)
    plain = ChoicesFile(name="x", path=path).identity()
    assert plain == ChoicesFile(name="y", path=path, metric="target_loglik", limit=1).identity()
    assert plain != ChoicesFile(name="x", path=path, between=" ").identity()
    assert len(plain["path"]) == 64
    json.dumps(plain)
