"""Published tasks: the schema of each on the hub, ten rows of it made up, read as its YAML file says."""

import os
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

from study.config import compose, to_study
from study.data.table_task import TableTask
from study.entry_files import CONF
from study.jobs.check import check_values
from study.record.errors import InputError
from study.record.metrics import METRICS

MADE = Path(__file__).parents[1] / "fixtures" / "tasks"
NLI = ("entailment", "neutral", "contradiction")
LABELS = {
    "glue_cola": ("unacceptable", "acceptable"),
    "glue_sst2": ("negative", "positive"),
    "glue_mrpc": ("equivalent", "not_equivalent"),
    "glue_qqp": ("not_duplicate", "duplicate"),
    "glue_stsb": (),
    "glue_mnli": NLI,
    "glue_qnli": ("entailment", "not_entailment"),
    "glue_rte": ("not_entailment", "entailment"),
    "glue_wnli": ("entailment", "not_entailment"),
    "snli": NLI,
    "xnli": NLI,
    "anli": NLI,
    "sick": NLI,
    "hans": ("entailment", "non-entailment"),
}
"""The first labels of the rows made up, in their order, by name of the task."""

PARTS = {"xnli": "de", "anli": "r2"}
REAL = os.environ.get("HEADS_REAL")


def task(name: str, path: Path, *more: str) -> TableTask:
    part = [f"data.part={PARTS[name]}"] if name in PARTS else []
    study = to_study(compose("model=toy_classifier", f"data={name}", f"data.path={path}", *part, *more))
    assert isinstance(study.data, TableTask)
    return study.data


def as_published(name: str, folder: Path) -> Path:
    """The rows as a parquet file with the types of the hub."""
    types = {"label": pl.Float32 if name == "glue_stsb" else pl.Int64, "idx": pl.Int32}
    frame = pl.read_ndjson(MADE / f"{name}.jsonl")
    frame = frame.cast({column: dtype for column, dtype in types.items() if column in frame.columns})
    frame.write_parquet(folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def test_every_task_has_rows_made_up() -> None:
    tables = {
        file.stem for file in (CONF / "data").glob("*.yaml") if "table_task" in file.read_text()
    }  # a training set takes the schema of its task
    assert tables == set(LABELS) == {file.stem for file in MADE.glob("*.jsonl")}


@pytest.mark.parametrize("name", LABELS)
def test_rows_in_the_schema_of_the_hub(name: str, tmp_path: Path) -> None:
    source = task(name, as_published(name, tmp_path))
    assert source.task in METRICS[source.metric or "accuracy"].tasks
    examples = source.examples()
    labels = LABELS[name]
    assert examples.targets[: len(labels)] == labels
    assert len(examples) == (8 if name == "snli" else 10)  # two have no label
    assert len(examples.texts[0]) == len(source.texts)
    assert not source.positive or source.positive in labels
    if source.group:
        assert examples.columns["group"] == tuple(texts[0] for texts in examples.texts)
    assert set(examples.columns) == {*source.annotations, *(["group"] if source.group else [])}


def test_numbers_are_read_as_they_stand(tmp_path: Path) -> None:
    targets = task("glue_stsb", as_published("glue_stsb", tmp_path)).examples().targets
    assert [round(float(target), 3) for target in targets] == [0.0, 5.0, 3.8, 1.25, 2.6, 4.4, 0.6, 3.0, 4.75, 2.2]


def test_a_part_names_the_file_and_the_data() -> None:
    source = task("xnli", Path("x"), "data.path=null")
    assert (source.name, source.file) == ("xnli_de", "de/test-00000-of-00001.parquet")
    assert source.missing() == ["de/test-00000-of-00001.parquet of huggingface.co/datasets/facebook/xnli"]
    with pytest.raises(InputError, match="or name a local copy by data.path=FILE"):
        source.examples()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("glue_cola", "sentence\tlabel\nA cat.\t2\n", r"label '2' is none of 0 \(unacceptable\), 1 \(acceptable\)"),
        ("glue_stsb", "sentence1\tsentence2\tlabel\na\tb\tgood\n", r"x.tsv:2: 'good' is no number of which"),
        ("glue_cola", "text\tlabel\nA cat.\t1\n", "no column 'sentence' among text, label"),
        ("glue_cola", "sentence\tlabel\n \t1\n", "x.tsv:2: 'sentence' is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        task(name, tmp_path / "x.tsv").examples()


@pytest.mark.parametrize("text", ["\n\n", " \n"])
def test_a_csv_of_blank_lines_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InputError, match=r"blank lines alone|no column 'sentence'"):
        task("glue_cola", tmp_path / "x.csv").examples()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.metric=pearson"], "data.metric=pearson scores regression, and data 'glue_cola' is for classification"),
        (["data.metric=mathews"], "there is no metric 'mathews'"),
        (["data.metric=f1"], "data.metric=f1 is about one label: data.positive=LABEL says which"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_before_any_work(more: list[str], message: str) -> None:
    study = to_study(compose("model=toy_classifier", "data=glue_cola", *more))
    with pytest.raises(InputError, match=message):
        check_values(study)


def test_training_sets_and_recipes_are_those_of_their_task() -> None:
    for file in (CONF / "training").glob("glue_*.yaml"):
        name = file.stem.removeprefix("glue_")
        study = to_study(compose(f"model=bert_{name}_finetuned", f"data=glue_{name}", "measure=train"))
        training = OmegaConf.structured(study.model).training  # type: ignore[attr-defined]
        assert (training.train.name, training.dev.name) == (f"glue_{name}_train", f"glue_{name}")
        assert training.train.file == f"{name}/train-00000-of-00001.parquet"
        assert (training.learning_rate, training.epochs, training.batch_size, training.max_length) == (2e-5, 3, 32, 128)
        assert training.task is study.model.task is study.data.task
        check_values(study)


@pytest.mark.real
def test_rows_that_are_skipped_are_told_with_their_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """-1 is no label on the hub, and may be a number in a table of one's own."""
    caplog.set_level("INFO")
    rows = pl.read_ndjson(MADE / "glue_stsb.jsonl").with_columns(pl.col("label").cast(pl.Float64))
    rows[1, "label"] = -1.0
    rows.with_columns(pl.col("label").map_elements(lambda x: f"{x:g}", pl.String)).write_csv(tmp_path / "own.csv")
    left = task("glue_stsb", tmp_path / "own.csv").examples()
    assert len(left) == len(rows) - 1
    assert "left out, their label is one to skip (-1): data.skip_labels=[] keeps them" in caplog.text
    assert len(task("glue_stsb", tmp_path / "own.csv", "data.skip_labels=[]").examples()) == len(rows)


@pytest.mark.skipif(REAL is None, reason="HEADS_REAL is not set")
@pytest.mark.parametrize(
    ("name", "file", "counts"),
    [
        ("glue_cola", "cola/in_domain_dev.tsv", {"acceptable": 365, "unacceptable": 162}),
        ("glue_sst2", "sst2/dev.tsv", {"positive": 444, "negative": 428}),
        ("snli", "snli/test.tsv", {"entailment": 3368, "neutral": 3219, "contradiction": 3237}),
        ("xnli", "xnli/test.tsv", {"entailment": 1670, "neutral": 1670, "contradiction": 1670}),
    ],
)
def test_local_copies_of_published_sets(name: str, file: str, counts: dict[str, int]) -> None:
    assert Counter(task(name, Path(REAL or "") / "data" / file).examples().targets) == counts


def test_few_rows_without_a_text_are_left_out(tmp_path: Path) -> None:
    rows = [f"Is {i} a number?\tIs {i} one?\t1" for i in range(2000)]
    rows[7] = "How can I develop an app?\t\t0"
    (tmp_path / "x.tsv").write_text("\n".join(["question1\tquestion2\tlabel", *rows, ""]))
    examples = task("glue_qqp", tmp_path / "x.tsv").examples()
    assert len(examples) == 1999
    assert all(all(texts) for texts in examples.texts)
