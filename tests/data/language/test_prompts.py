"""Prompts equal those of lm-evaluation-harness 0.4.13, character by character.

Its own tasks rendered the made-up documents of `fixtures/language/documents.json` into `rendered.json`, see `render.py`
beside them.
"""

import json
import re
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from omegaconf import OmegaConf

from study.config import SCHEMAS
from study.data.language.benchmark import Benchmark
from study.entry_files import CONF
from study.record.errors import InputError
from study.record.examples import Examples, Varies
from study.record.metrics import METRICS

FOLDER = Path(__file__).parents[2] / "fixtures" / "language"
DOCUMENTS = json.loads((FOLDER / "documents.json").read_text())
RENDERED = json.loads((FOLDER / "rendered.json").read_text())
CASES = [(name, int(shots)) for name, found in RENDERED.items() for shots in found]
EVALUATED, SOLVED = ("test", "validation", "train"), ("dev", "train")


@cache
def published(name: str) -> Any:
    config = OmegaConf.load(CONF / "data" / f"{name}.yaml")
    schema = SCHEMAS["data"][config.pop("defaults")[0]["/schema/data@_here_"]]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), config))


def source(data: str, **options: Any) -> Any:
    """A benchmark as its YAML file says, with other options."""
    return replace(published(data), **options)


def local(name: str, shots: int, folder: Path, suffix: str = "parquet") -> Examples:
    """The documents as a local copy of the benchmark."""
    parts = DOCUMENTS[name]
    used = {"path": next(parts[part] for part in EVALUATED if part in parts)}
    if shots:
        used["shots_path"] = next(parts[part] for part in SOLVED if part in parts)
    for option, rows in used.items():
        frame = pl.DataFrame(rows)
        file = folder / f"{option}.{suffix}"
        frame.write_parquet(file) if suffix == "parquet" else frame.write_ndjson(file)
    data = {"wikitext": "wikitext2"}.get(
        name, name if name in ("arc_easy", "arc_challenge") else name.partition("_")[0]
    )
    options: dict[str, Any] = {option: folder / f"{option}.{suffix}" for option in used}
    return source(data, **options, **({"shots": shots} if shots else {})).examples()


def requests(examples: Examples, row: int) -> list[list[str]]:
    """What is asked of an example, as lm-evaluation-harness writes it: contexts with continuations."""
    first, *others = examples.texts[row]
    if not others:
        return [[first]]
    return [[other, first] if examples.varies is Varies.CONTEXT else [first, other] for other in others]


@pytest.mark.parametrize(
    ("name", "shots", "suffix"), [*((*case, "parquet") for case in CASES), ("arc_easy", 2, "jsonl")]
)
def test_prompts_are_those_of_lm_evaluation_harness(name: str, shots: int, suffix: str, tmp_path: Path) -> None:
    examples, rendered = local(name, shots, tmp_path, suffix), RENDERED[name][str(shots)]
    assert len(examples) == len(rendered)
    for row, expected in enumerate(rendered):
        assert requests(examples, row) == expected["requests"]
        if "answer" in expected:
            assert examples.targets[row] == str(expected["answer"])


@pytest.mark.parametrize("name", RENDERED)
def test_lengths_are_those_of_lm_evaluation_harness(name: str, tmp_path: Path) -> None:
    counts = local(name, 0, tmp_path).counts
    for row, expected in enumerate(RENDERED[name]["0"]):
        if name == "winogrande":  # the scored text is the same after both contexts
            assert len(set(counts["characters"][row])) == len(set(counts["bytes"][row])) == 1
            continue
        for kind in {"words", "bytes", "characters"} & set(expected):
            assert list(counts[kind][row]) == ([expected[kind]] if name == "wikitext" else expected[kind])


def write_parts(folder: Path) -> dict[str, Any]:
    """The two subjects in one file, as MMLU's `all` has them."""
    names = ["mmlu_anatomy", "mmlu_us_foreign_policy"]
    for part in ("test", "dev"):
        pl.DataFrame([row for name in names for row in DOCUMENTS[name][part]]).write_parquet(folder / f"{part}.parquet")
    return {name: RENDERED[name] for name in names}


def test_solved_questions_are_of_the_same_subject(tmp_path: Path) -> None:
    rendered = write_parts(tmp_path)
    mmlu = source("mmlu", path=tmp_path / "test.parquet", shots_path=tmp_path / "dev.parquet", shots=3)
    examples = mmlu.examples()
    assert examples.columns["subject"] == ("anatomy",) * 3 + ("us_foreign_policy",)
    assert requests(examples, 3) == rendered["mmlu_us_foreign_policy"]["3"][0]["requests"]
    one = replace(mmlu, part="us_foreign_policy").examples()
    assert (one.ids, one.texts) == (("4",), examples.texts[3:])
    with pytest.raises(InputError, match="test.parquet: no row says that it is of data.part=virology"):
        replace(mmlu, part="virology").examples()
    with pytest.raises(InputError, match="data.shots=4 needs 4 solved questions to draw from, and there are 3"):
        replace(mmlu, shots=4).examples()


def test_another_seed_shows_other_questions(tmp_path: Path) -> None:
    local("piqa", 3, tmp_path)
    piqa = source("piqa", path=tmp_path / "path.parquet", shots_path=tmp_path / "shots_path.parquet", shots=3)
    plain, other = piqa.examples(), replace(piqa, seed=5).examples()
    assert plain.texts != other.texts
    shown = plain.texts[0][0].count("Question:")
    assert shown == other.texts[0][0].count("Question:") == 4


def test_parts_of_the_hub_stand_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit takes as many of each paradigm."""
    assert len(source("blimp").missing()) == 67
    blimp: Benchmark = source("blimp", parts=["adjunct_island", "npi_present_1"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for part in blimp.parts:
        file = (
            tmp_path / "datasets--nyu-mll--blimp" / "snapshots" / blimp.revision / part / "train-00000-of-00001.parquet"
        )
        file.parent.mkdir(parents=True)
        field = "syntax/semantics" if part == "npi_present_1" else "syntax_semantics"
        rows = pl.DataFrame(DOCUMENTS[f"blimp_{part}"]["train"]).with_columns(field=pl.lit(field))
        rows.write_parquet(file)
    assert blimp.missing() == []
    examples = blimp.examples()
    assert examples.ids == ("adjunct_island-1", "npi_present_1-1", "adjunct_island-2")
    assert examples.columns["paradigm"] == ("adjunct_island", "npi_present_1", "adjunct_island")
    assert set(examples.columns["field"]) == {"syntax_semantics"}, "one paradigm spells it otherwise"
    assert "group" not in examples.columns


def test_every_yaml_file_names_itself_and_a_metric_of_its_task() -> None:
    kinds = ("benchmark", "text_benchmark", "indirect_object", "greater_than", "induction", "exact_copy", "needle")
    names = [
        file.stem
        for file in sorted((CONF / "data").glob("*.yaml"))
        if any(f"_here_: {kind}\n" in file.read_text() for kind in kinds)
    ]
    assert len(names) == 14
    for name in names:
        found = published(name)
        assert found.name == name
        assert not found.metric or found.task in METRICS[found.metric].tasks
        assert re.match(r"# [^\n]+\.\n", (CONF / "data" / f"{name}.yaml").read_text())


def test_what_a_part_is_called() -> None:
    assert source("blimp").name == "blimp"
    part = source("blimp", name="", part="wh_island")
    assert (part.name, part.benchmark) == ("blimp_wh_island", "blimp")
    assert source("blimp", name="mine", part="wh_island").name == "mine"


def test_questions_that_depend_on_each_other_share_a_group(tmp_path: Path) -> None:
    groups = local("winogrande", 0, tmp_path).columns["group"]
    assert groups == ("chest / door", "chest / door", "Nadia / Vera", "Olaf / Piet")
    assert local("hellaswag", 0, tmp_path).columns["group"][0] == "activitynet~v_a"


@pytest.mark.parametrize(
    ("data", "change", "message"),
    [
        ("piqa", {"label": 2}, "parquet:1: the answer is '2', but there are 2 choices, and it must be a number"),
        ("piqa", {"sol2": " "}, "parquet:1: choice 1 is empty"),
        ("winogrande", {"sentence": "No gap."}, "parquet:1: 'sentence' has no gap"),
        ("arc_easy", {"answerKey": "F"}, "the answer is 'F', but the choices are labelled A, B, C, D"),
        ("mmlu_anatomy", {"choices": ["a", "b"]}, "parquet:1: 2 choices, expected 4"),
        ("hellaswag", {"endings": "none"}, "'endings' must be a list of texts, found 'none'"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_asked_is_refused(data: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    [rows, *_] = DOCUMENTS[data].values()
    pl.DataFrame([rows[0] | change]).write_parquet(tmp_path / "x.parquet")
    name = data.removesuffix("_anatomy")
    with pytest.raises(InputError, match=message):
        source(name, path=tmp_path / "x.parquet").examples()


def test_few_questions_with_an_empty_choice_are_left_out(tmp_path: Path) -> None:
    """Solved questions may have one: they are shown, not scored."""
    row = DOCUMENTS["piqa"]["validation"][0]
    rows = [row | {"goal": f"goal {number}", "sol2": "" if number == 7 else "b"} for number in range(1500)]
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")
    pl.DataFrame([row | {"sol1": ""}] * 3).write_parquet(tmp_path / "shots.parquet")
    piqa = source("piqa", path=tmp_path / "x.parquet", shots_path=tmp_path / "shots.parquet", shots=2)
    examples = piqa.examples()
    assert len(examples) == 1499
    assert "8" not in examples.ids
    assert examples.texts[7][0].endswith("Question: goal 8\nAnswer:")


def test_a_column_that_lacks_is_named_with_its_nearest(tmp_path: Path) -> None:
    pl.DataFrame([{"gaol": "a", "sol1": "b", "sol2": "c", "label": 0}]).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column 'goal' among gaol, sol1, sol2, label; did you mean 'gaol'"):
        source("piqa", path=tmp_path / "x.parquet").examples()


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("blimp", {"part": "wh_iland"}, "data.part=wh_iland is no part of blimp; did you mean 'wh_island'"),
        ("piqa", {"part": "hard"}, "data.part=hard is no part of piqa: there is none"),
        ("lambada", {"shots": 1}, "lambada has no part from which solved questions are taken"),
        ("blimp", {"shots": 1}, "blimp has no part from which solved questions are taken"),
        ("piqa", {}, "piqa_validation.parquet of .*baber/piqa is not in the Hugging Face cache"),
        ("wikitext2", {}, "or name a local copy by data.path=FILE"),
    ],
)
def test_what_is_not_there_is_refused(
    data: str, options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=message):
        source(data, **options).missing() if "shots" in options else source(data, **options).examples()


def test_solved_questions_are_fetched_only_where_they_are_shown() -> None:
    for shots, data in product((0, 5), ("piqa", "mmlu")):
        assert len(source(data, shots=shots).missing()) == {"piqa": 1, "mmlu": 57}[data] * (2 if shots else 1)


def test_the_wikitext_benchmark_reads_plain_text_as_well(tmp_path: Path) -> None:
    """A plain file is parted at its titles into the same pages."""
    pages = [row["page"] for row in DOCUMENTS["wikitext"]["test"]]
    (tmp_path / "wiki.txt").write_text(" \n" + "\n".join(pages))
    examples, rendered = source("wikitext2", path=tmp_path / "wiki.txt").examples(), RENDERED["wikitext"]["0"]
    assert [[list(text)] for text in examples.texts] == [row["requests"] for row in rendered]
    assert [count[0] for count in examples.counts["words"]] == [row["words"] for row in rendered]
    assert examples.columns["group"] == ("Lake Harbour", "Short")
