"""Published data sets as they are: their own names of columns, in ten words of their own."""

from pathlib import Path

import pytest

from study.data.nli import NliFile
from study.record.errors import InputError

MNLI = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence1\tsentence2\tlabel1\tgold_label"
SNLI = "gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tcaptionID\tpairID\tlabel1\tlabel2"


@pytest.mark.parametrize(
    ("name", "header", "row", "texts", "target", "group"),
    [
        (
            "dev_matched.tsv",
            MNLI,
            "0\t63735\t63735n\tslate\t( A )\tA.\tB.\tneutral\tneutral",
            ("A.", "B."),
            "neutral",
            "A.",
        ),
        ("test.tsv", SNLI, "entailment\t( A )\tA.\tB.\t1.jpg\t1.jpg#0\tentailment\t", ("A.", "B."), "entailment", "A."),
        (
            "SICK.txt.tsv",
            "pair_ID\tsentence_A\tsentence_B\tentailment_label",
            "1\tA\tB\tNEUTRAL",
            ("A", "B"),
            "NEUTRAL",
            "A",
        ),
        (
            "SICK_train.txt.tsv",
            "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment",
            "1\tA\tB\t4.5\tNEUTRAL",
            ("A", "B"),
            "NEUTRAL",
            "A",
        ),
        ("qnli.tsv", "index\tquestion\tsentence\tlabel", "0\tA?\tB.\tentailment", ("A?", "B."), "entailment", "A?"),
        (
            "qqp.tsv",
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
            "9\t1\t2\tA?\tB?\t0",
            ("A?", "B?"),
            "0",
            "A?",
        ),
        ("sst2.tsv", "sentence\tlabel", "fine\t1", ("fine",), "1", "fine"),
    ],
)
def test_published_columns_are_taken(
    tmp_path: Path, name: str, header: str, row: str, texts: tuple[str, ...], target: str, group: str
) -> None:
    (tmp_path / name).write_text(f"{header}\n{row}\n")
    examples = NliFile(name="x", path=tmp_path / name).examples()
    assert examples.texts == (texts,)
    assert examples.targets == (target,)
    assert examples.columns == {"group": (group,)}
    assert examples.ids == (("9",) if "\tqid1" in header else ("2",))


def test_own_names_come_before_published_ones(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_text(
        "id\tsentence1\tsentence2\tpremise\thypothesis\tgold_label\tlabel\n1\ta\tb\tc\td\te\tf\n"
    )
    examples = NliFile(name="x", path=tmp_path / "d.tsv").examples()
    assert (examples.ids, examples.texts, examples.targets) == (("1",), (("c", "d"),), ("f",))


def test_a_name_that_was_asked_for_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_text("sentence1\tsentence2\tgold_label\na\tb\tc\n")
    with pytest.raises(InputError, match="no column 'first' among sentence1"):
        NliFile(name="x", path=tmp_path / "d.tsv", premise="first").examples()
    (tmp_path / "single.tsv").write_text("first\tlabel\na\tb\n")
    with pytest.raises(InputError, match=r"no column 'hypothesis' among first, label: .*data\.hypothesis=null"):
        NliFile(name="x", path=tmp_path / "single.tsv", premise="first").examples()
    with pytest.raises(InputError, match="no column 'pair' among sentence1"):
        NliFile(name="x", path=tmp_path / "d.tsv", id="pair").examples()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("premise\thypothesi\tlabel", r"no column 'hypothesis' among premise, hypothesi, .*did you mean 'hypothesi'\?"),
        ("premise\thypothesis\tlabels", r"no column of labels among .*data\.label=COLUMN; did you mean 'labels'\?"),
        ("first\tsecond\tlabel", r"say data\.premise=COLUMN and data\.hypothesis=COLUMN, or data\.hypothesis=null"),
    ],
)
def test_unknown_columns_are_asked_for(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "d.tsv").write_text(f"{header}\na\tb\tc\n")
    with pytest.raises(InputError, match=message):
        NliFile(name="x", path=tmp_path / "d.tsv").examples()
