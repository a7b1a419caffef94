import hashlib
import json
import logging

import huggingface_hub.constants
import polars as pl
import pytest

from study.data.nli import MnliHub, NliFile
from study.record.errors import InputError, StudyError
from study.training.training import limited

PAIRS = """\
id\tpremise\thypothesis\tlabel\tgenre
7\tA.\tB.\tneutral\tslate
8\tA.\tC.\t-\tslate
9\tD.\tE.\tentailment\ttravel
"""


def write(folder, content, name="pairs.tsv"):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_pairs(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        examples = NliFile(name="x", path=write(tmp_path, PAIRS), genre="genre").examples()
    assert examples.ids == ("7", "9")
    assert examples.texts == (("A.", "B."), ("D.", "E."))
    assert examples.targets == ("neutral", "entailment")
    assert examples.columns == {"group": ("A.", "D."), "genre": ("slate", "travel")}
    assert "1 of 3 rows left out" in caplog.text


WEIGHTED = PAIRS.replace("genre", "w").replace("travel", "2.5").replace("slate", "1e-2")


def test_a_column_may_weigh_the_examples(tmp_path):
    source = NliFile(name="x", path=write(tmp_path, WEIGHTED), weight="w")
    examples = source.examples()
    assert examples.weights == (0.01, 2.5)
    assert examples.to_frame()["weight"].to_list() == [0.01, 2.5]
    assert examples.take([1]).weights == (2.5,)
    records = [{"id": 1, "premise": "A.", "hypothesis": "B.", "label": "neutral", "w": w} for w in (3, 0.25)]
    records[1]["id"] = 2
    lines = write(tmp_path, "".join(f"{json.dumps(record)}\n" for record in records), "pairs.jsonl")
    pl.DataFrame({**{name: [r[name] for r in records] for name in records[0]}, "w": [3.0, 0.25]}).write_parquet(
        tmp_path / "pairs.parquet"
    )
    for path in (lines, tmp_path / "pairs.parquet"):
        assert NliFile(name="x", path=path, weight="w").examples().weights == (3.0, 0.25)


def test_weights_are_part_of_the_identity_and_without_them_it_is_as_ever(tmp_path):
    path = write(tmp_path, WEIGHTED)
    plain, weighted = NliFile(name="x", path=path), NliFile(name="x", path=path, weight="w")
    assert "weight" not in plain.identity()
    assert weighted.identity() == {**plain.identity(), "weight": "w"}
    one, other = plain.examples(), weighted.examples()
    assert one.weights is None
    assert "weight" not in one.to_frame().columns
    content = json.dumps([one.ids, one.texts, one.targets], ensure_ascii=False)
    assert one.digest == hashlib.sha256(content.encode()).hexdigest()
    assert other.digest != one.digest


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_what_is_no_weight_is_refused_with_its_line(tmp_path, text):
    path = write(tmp_path, WEIGHTED.replace("2.5", text))
    with pytest.raises(InputError, match=f"pairs.tsv:4: w is '{text}', but a weight is a number above 0"):
        NliFile(name="x", path=path, weight="w").examples()


def test_a_training_takes_no_weights(tmp_path):
    with pytest.raises(InputError, match="data 'x' has weights, but every example counts alike in a training"):
        limited(NliFile(name="x", path=write(tmp_path, WEIGHTED), weight="w"))


def test_single_sentences_named_by_line(tmp_path):
    path = write(tmp_path, "sentence\tlabel\nfine\t1\nbad\t0\nfine\t0\n")
    source = NliFile(name="x", path=path, id=None, premise="sentence", hypothesis=None, group=None)
    examples = source.examples()
    assert examples.ids == ("2", "3", "4")
    assert examples.texts == (("fine",), ("bad",), ("fine",))
    assert examples.columns == {}


def test_a_line_keeps_its_number_when_others_are_left_out(tmp_path):
    assert NliFile(name="x", path=write(tmp_path, PAIRS), id=None).examples().ids == ("2", "4")


def test_labels_are_renamed_after_some_were_left_out(tmp_path):
    path = write(tmp_path, PAIRS.replace("neutral", "1").replace("entailment", "0"))
    assert NliFile(name="x", path=path, labels={"0": "yes", "1": "maybe"}).examples().targets == ("maybe", "yes")


def test_group_may_be_another_column(tmp_path):
    path = write(tmp_path, PAIRS)
    assert NliFile(name="x", path=path, group="genre").examples().columns == {"group": ("slate", "travel")}


def test_multinli_as_distributed(tmp_path):
    """The JSON lines of multinli_1.0_dev_matched.jsonl, with a line separator within a text."""
    record = {
        "annotator_labels": ["neutral", "entailment", "neutral"],
        "genre": "slate",
        "gold_label": "neutral",
        "pairID": "63735n",
        "promptID": "63735",
        "sentence1": "The new rights are\u2028nice enough",
        "sentence1_binary_parse": "( The ( new rights ) )",
        "sentence2": "Everyone really likes the newest benefits ",
    }
    unlabelled = {**record, "pairID": "91383c", "gold_label": "-"}
    lines = [json.dumps(r, ensure_ascii=False) for r in (record, unlabelled)]
    source = NliFile(
        name="mnli",
        path=write(tmp_path, "\n".join(lines) + "\n", "multinli_1.0_dev_matched.jsonl"),
        id="pairID",
        premise="sentence1",
        hypothesis="sentence2",
        label="gold_label",
        genre="genre",
        group="promptID",
    )
    examples = source.examples()
    assert examples.ids == ("63735n",)
    assert examples.texts == ((record["sentence1"], record["sentence2"]),)
    assert examples.columns == {"group": ("63735",), "genre": ("slate",)}


def test_multinli_as_in_glue(tmp_path):
    """The columns of GLUE's dev_matched.tsv; a quote in it is a character."""
    header = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse"
    header += " sentence2_parse sentence1 sentence2 label1 label2 label3 label4 label5 gold_label"
    row = ["0", "63735", "63735n", "slate", "( )", "( )", "(ROOT)", "(ROOT)", 'A "quote', "B."] + ["neutral"] * 6
    path = write(tmp_path, "\t".join(header.split()) + "\n" + "\t".join(row) + "\n", "dev_matched.tsv")
    names = {"id": "index", "premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"}
    examples = NliFile(name="mnli", path=path, group="promptID", **names).examples()
    assert (examples.ids, examples.texts, examples.targets) == (("0",), (('A "quote', "B."),), ("neutral",))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (PAIRS.replace("9\tD", "7\tD"), {}, r"pairs\.tsv:4: id '7' stands already in line 2"),
        (PAIRS, {"labels": {"neutral": "n"}}, r"pairs\.tsv:4: label 'entailment' is none of neutral"),
        (PAIRS, {"labels": {"neutrl": "n"}}, r"pairs\.tsv:2: label 'neutral' is none of neutrl; did you mean"),
        (PAIRS, {"skip_labels": ["-", "neutral", "entailment"]}, r"all 3 rows have a label to skip"),
        (PAIRS, {"hypothesis": "hypotesis"}, r"no column 'hypotesis' among id, .*; did you mean 'hypothesis'"),
        (PAIRS, {"group": "sentence1"}, r"no column 'sentence1'"),
        (PAIRS.replace("E.", " "), {}, r"pairs\.tsv:4: 'hypothesis' is empty"),
        (PAIRS.replace("\tslate", "", 1), {}, r"pairs\.tsv:2: 4 fields, but the header has 5"),
    ],
)
def test_unfit_pairs_are_refused_in_words(tmp_path, content, options, message):
    with pytest.raises(InputError, match=message):
        NliFile(name="x", path=write(tmp_path, content), **options).examples()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A source whose Hugging Face cache is an empty folder, without a network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return MnliHub(name="mnli", file="data/validation_matched-00000-of-00001.parquet")


def fill(folder, hub, frame):
    """Put a data set where the Hugging Face client keeps it."""
    snapshot = folder / "datasets--nyu-mll--multi_nli" / "snapshots" / hub.revision
    (snapshot / "data").mkdir(parents=True)
    frame.write_parquet(snapshot / hub.file)


def test_hub_set_from_a_filled_cache(tmp_path, hub):
    frame = pl.DataFrame(
        {
            "promptID": pl.Series([63735, 91383, 91383], dtype=pl.Int32),
            "pairID": ["63735n", "91383c", "91383c"],
            "premise": ["A.", "B.", "B."],
            "premise_binary_parse": ["( A. )"] * 3,
            "hypothesis": ["C.", "D.", "E."],
            "genre": ["slate", "travel", "travel"],
            "label": [1, -1, 2],
        }
    )
    fill(tmp_path, hub, frame)
    hub.fetch()  # finds it there: nothing to download
    examples = hub.examples()
    assert hub.missing() == []
    assert examples.ids == ("1", "3")
    assert examples.texts == (("A.", "C."), ("B.", "E."))
    assert examples.targets == ("neutral", "contradiction")
    assert examples.columns == {"group": ("A.", "B."), "genre": ("slate", "travel")}


def test_hub_set_that_is_not_there(hub):
    assert hub.missing() == [f"{hub.file} of huggingface.co/datasets/nyu-mll/multi_nli"]
    with pytest.raises(InputError, match=r"validation_matched.* is not in the Hugging Face cache: run `study fetch`"):
        hub.examples()
    with pytest.raises(StudyError, match="cannot download data/validation_matched"):
        hub.fetch()
